package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/target"
)

// mapsExternalID maps externalId too, and matches by it first.
func mapsExternalID(t testing.TB) func(*reconcile.Sync) {
	m, faults := mapping.New(target.User, []mapping.Spec{
		{Path: "externalId", Expr: "[objectId]"},
		{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
		{Path: "active", Expr: "Not([IsSoftDeleted])"},
		{Path: "displayName", Expr: "[displayName]"},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return func(s *reconcile.Sync) {
		s.Users.Mapping, s.Users.Match, s.Text = m, []string{"externalId", "userName"}, s.Text+" with externalId"
	}
}

// few is what guard.identity lets pass by default.
func few(s *reconcile.Sync) {
	s.Guard.Identity = guard.Limit{Count: new(5), Percent: new(10.0)}
}

// people are n people of contoso with accounts of their own. The application has 30 accounts at
// least, so that a few are few.
func people(t *testing.T, n int, change func(*reconcile.Sync)) (*service, *customer) {
	t.Helper()
	s := newService(t)
	c := s.customer("contoso")
	c.change = func(sync *reconcile.Sync) {
		few(sync)
		if change != nil {
			change(sync)
		}
	}
	for i := range n {
		c.source.person(i+1, fmt.Sprintf("user%d@example.com", i+1), fmt.Sprintf("Person%d", i+1))
	}
	want(t, "the first cycle", c.cycle(), fmt.Sprintf("%d created", n))
	return s, c
}

// stranger gives an id to another account, as a restored application does that counts on.
func (a *application) stranger(id, name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.taken, a.accounts[id]["userName"])
	a.taken[name+"@stranger.example"] = true
	a.accounts[id] = map[string]any{"userName": name + "@stranger.example", "externalId": "stranger-" + name, "displayName": name, "active": true}
}

// changed lists what is not as a stranger's account was.
func (a *application) changedStrangers() (out []string) {
	for id, account := range a.accounts {
		text := fmt.Sprint(account["userName"])
		name, found := strings.CutSuffix(text, "@stranger.example")
		if strings.HasPrefix(fmt.Sprint(account["displayName"]), "Stranger") && (!found || account["active"] != true || account["externalId"] != "stranger-"+name) {
			out = append(out, fmt.Sprintf("%s: %v", id, account))
		}
	}
	return out
}

func mustRun(t *testing.T, c *customer, opts reconcile.Options) *reconcile.Report {
	t.Helper()
	report, err := c.run(opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// failures are the failed records of a report, with their codes.
func failures(r *reconcile.Report) string {
	var parts []string
	for _, e := range r.Errors {
		parts = append(parts, fmt.Sprintf("%s %s: %s", e.Op, e.Key, e.Code))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// An id that the application gave out again leads to another user. Whatever is due, nothing is
// written to that account; the person is matched again.
func TestIDGivenOutAgain(t *testing.T) {
	t.Parallel()
	for kind, change := range map[string]func(*reconcile.Sync){"externalId": mapsExternalID(t), "userName alone": nil} {
		for name, due := range map[string]struct {
			happens     func(c *customer)
			full        bool
			done, after string
		}{
			"renamed": {func(c *customer) { c.source.person(1, "renamed@example.com", "Person1") }, false,
				"1 created, 29 unchanged", "30 unchanged"},
			"left": {func(c *customer) { c.source.gone("user1@example.com", graphsync.SoftDeleted) }, false,
				"29 unchanged", "29 unchanged"},
			"compared": {func(*customer) {}, true, "1 created, 29 unchanged", "30 unchanged"},
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				s, c := people(t, 30, change)
				s.app().stranger("1", "Stranger1")
				due.happens(c)

				before := s.app().String()
				dry := mustRun(t, c, reconcile.Options{Full: due.full})
				if dry.Summary.Unlink != 1 || s.app().String() != before {
					t.Errorf("the plan has %d links to drop: %+v", dry.Summary.Unlink, dry.Summary)
				}

				report := mustRun(t, c, reconcile.Options{Apply: true, Full: due.full})
				want(t, "the cycle", told(report), due.done)
				if got := failures(report); !strings.HasSuffix(got, ": identity_mismatch") || len(report.Errors) != 1 || report.Result != reconcile.Partial {
					t.Errorf("%s: %s", report.Result, got)
				}
				want(t, "the next", c.cycle(), due.after)
				want(t, "a full one", c.must(reconcile.Options{Apply: true, Full: true}), due.after)
				if changed := s.app().changedStrangers(); len(changed) > 0 {
					t.Errorf("written to: %v", changed)
				}
				if s.app().accounts["1"] == nil {
					t.Error("the stranger is gone")
				}
			})
		}
	}
}

// With the credential of another organization every link leads to another user. That waits for
// an answer, costs little while it does, and goes away when the right credential is back.
func TestAnotherOrganization(t *testing.T) {
	t.Parallel()
	for _, full := range []bool{true, false} {
		t.Run(fmt.Sprint("full ", full), func(t *testing.T) {
			t.Parallel()
			s, c := people(t, 30, mapsExternalID(t))
			right := s.app()
			wrong := newApplication()
			for i := range 30 {
				wrong.seed(fmt.Sprint(i))
				wrong.stranger(fmt.Sprint(i+1), fmt.Sprintf("Stranger%d", i+1))
			}
			s.apps["https://one"] = wrong
			if !full {
				for i := range 30 {
					c.source.person(i+1, fmt.Sprintf("renamed%d@example.com", i+1), fmt.Sprintf("Person%d", i+1))
				}
			}
			report := mustRun(t, c, reconcile.Options{Apply: true, Full: full})
			if report.Result != reconcile.Waiting || report.Summary.Held != 30 || report.Held[0].Guard != "identity" || len(report.Errors) > 0 {
				t.Fatalf("%s, %d held, %v", report.Result, report.Summary.Held, report.Errors)
			}
			if changed := wrong.changedStrangers(); len(changed) > 0 || wrong.asked["create"]+wrong.asked["update"] > 0 {
				t.Fatalf("written: %v, %v", wrong.asked, changed)
			}
			wrong.asked = map[string]int{}
			report = mustRun(t, c, reconcile.Options{Apply: true})
			if n := wrong.asked["get"]; report.Summary.Held != 30 || n > 20 || len(wrong.asked) > 1 {
				t.Errorf("waiting: %d held, %v", report.Summary.Held, wrong.asked)
			}

			t.Run("the right one is back", func(t *testing.T) {
				s.apps["https://one"] = right
				report := mustRun(t, c, reconcile.Options{Apply: true})
				want(t, "the cycle", told(report), map[bool]string{true: "30 unchanged", false: "30 updated"}[full])
				want(t, "the next", c.cycle(), "30 unchanged")
				if !strings.HasPrefix(right.String(), map[bool]string{true: "user1=", false: "renamed1="}[full]) {
					t.Error(right.String())
				}
			})
		})
	}
}

// When it is approved, the links are dropped and the people matched again in the same cycle.
func TestApprovedMismatches(t *testing.T) {
	t.Parallel()
	s, c := people(t, 30, mapsExternalID(t))
	for i := range 30 {
		s.app().stranger(fmt.Sprint(i+1), fmt.Sprintf("Stranger%d", i+1))
	}
	report := mustRun(t, c, reconcile.Options{Apply: true, Full: true})
	if report.Summary.Held != 30 {
		t.Fatalf("%+v", report.Summary)
	}
	c.stored().approve()
	want(t, "approved", c.cycle(), "30 created")
	want(t, "the next", c.must(reconcile.Options{Apply: true, Full: true}), "30 unchanged")
	if changed := s.app().changedStrangers(); len(changed) > 0 {
		t.Errorf("written to: %v", changed)
	}
}

// A leaver does not count as removed before none of their accounts is active: one may have been made
// again under another id, as single sign-on does.
func TestMadeAgainUnderAnotherID(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change     func(*reconcile.Sync)
		externalID string
		again      bool // the former id was given to another user
		full       bool
		delete     bool
		told, last string
	}{
		"with the externalId":                        {change: mapsExternalID(t), externalID: "00000100-0000-0000-0000-000000000001", told: "1 deactivated, 29 unchanged"},
		"with the externalId, in a full cycle":       {change: mapsExternalID(t), externalID: "00000100-0000-0000-0000-000000000001", full: true, told: "1 deactivated, 29 unchanged"},
		"with the externalId, to be deleted":         {change: mapsExternalID(t), externalID: "00000100-0000-0000-0000-000000000001", delete: true, told: "1 deleted, 29 unchanged"},
		"with the externalId, and the id given away": {change: mapsExternalID(t), externalID: "00000100-0000-0000-0000-000000000001", again: true, told: "1 deactivated, 29 unchanged"},
		"by userName alone":                          {told: "29 unchanged, held by identity: deactivate user1@example.com", last: "1 deactivated, 29 unchanged"},
		"by userName, with another externalId": {change: mapsExternalID(t), externalID: "made at login",
			told: "29 unchanged, held by identity: deactivate user1@example.com", last: "1 deactivated, 29 unchanged"},
		"by userName alone, in a full cycle": {full: true, told: "29 unchanged, held by identity: deactivate user1@example.com", last: "1 deactivated, 29 unchanged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := people(t, 30, test.change)
			c.delete = test.delete
			app := s.app()
			delete(app.accounts, "1")
			id := app.seed("user1@example.com")
			if test.externalID != "" {
				app.accounts[id]["externalId"] = test.externalID
			}
			if test.again {
				app.stranger("1", "Stranger1")
			}
			c.source.gone("user1@example.com", graphsync.SoftDeleted)
			report := mustRun(t, c, reconcile.Options{Apply: true, Full: test.full})
			want(t, "the cycle", told(report), test.told)
			if len(report.Errors) > 0 {
				t.Error(failures(report))
			}
			if test.last != "" {
				if app.accounts[id]["active"] != true {
					t.Fatal("an account that is not proven to be theirs was switched off")
				}
				want(t, "waiting", c.cycle(), test.told)
				c.stored().approve()
				want(t, "approved", c.cycle(), test.last)
			}
			if account := app.accounts[id]; account != nil && (account["active"] != false || test.delete) {
				t.Errorf("the account is %v", account)
			}
			if changed := app.changedStrangers(); len(changed) > 0 {
				t.Errorf("written to: %v", changed)
			}
		})
	}
}

// A namesake whose removal is rejected stays as it is.
func TestNamesakeRejected(t *testing.T) {
	t.Parallel()
	s, c := people(t, 30, nil)
	delete(s.app().accounts, "1")
	id := s.app().seed("user1@example.com")
	c.source.gone("user1@example.com", graphsync.SoftDeleted)
	mustRun(t, c, reconcile.Options{Apply: true})
	c.stored().reject(plan.Decision{Reason: "it is another one"})
	want(t, "rejected", c.cycle(), "29 unchanged")
	want(t, "the next", c.cycle(), "29 unchanged")
	if s.app().accounts[id]["active"] != true {
		t.Error("it was switched off")
	}
}

// answering is an application whose responses say something else than what it did.
type answering struct {
	*application
	say func(method string, r *target.Resource)
}

func (a answering) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	r, err := a.application.Create(ctx, kind, attributes)
	if err == nil && a.say != nil {
		a.say("create", r)
	}
	return r, err
}

func (a answering) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	r, err := a.application.Update(ctx, ref, attributes)
	if err == nil && a.say != nil {
		a.say("update", r)
	}
	return r, err
}

// A response about another account stops that record; it is read again and put right.
func TestResponseAboutAnotherUser(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]func(method string, r *target.Resource){
		"another id": func(_ string, r *target.Resource) { r.ID = "77"; r.Attributes["externalId"] = "of another" },
		"another userName": func(_ string, r *target.Resource) {
			r.Attributes["userName"] = "other@example.com"
			delete(r.Attributes, "externalId")
		},
		"another externalId": func(_ string, r *target.Resource) { r.Attributes["externalId"] = "of another" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := people(t, 30, mapsExternalID(t))
			app := s.app()
			s.apps["https://one"] = answering{app, say}
			c.source.person(1, "user1@example.com", "New")
			c.source.person(31, "user31@example.com", "Person31")
			report := mustRun(t, c, reconcile.Options{Apply: true})
			want(t, "the cycle", failures(report), "create user31@example.com: identity_mismatch, update user1@example.com: identity_mismatch")
			if n := report.Summary.Create + report.Summary.Update; n > 0 {
				t.Errorf("%d were counted as done", n)
			}
			s.apps["https://one"] = app
			mustRun(t, c, reconcile.Options{Apply: true})
			want(t, "when all is well", c.must(reconcile.Options{Apply: true, Full: true}), "31 unchanged")
			if n := len(app.accounts); n != 31 {
				t.Errorf("%d accounts", n)
			}
		})
	}
}

// What is held costs one request for each leaver and each rename, and nothing else does.
func TestRequestsOfACycle(t *testing.T) {
	t.Parallel()
	s, c := people(t, 60, mapsExternalID(t))
	c.change = mapsExternalID(t) // without guards
	app := s.app()
	for i := range 7 {
		c.source.gone(fmt.Sprintf("user%d@example.com", i+1), graphsync.SoftDeleted)
	}
	for i := range 5 {
		c.source.person(i+20, fmt.Sprintf("renamed%d@example.com", i), fmt.Sprintf("Person%d", i+20))
	}
	for i := range 11 {
		c.source.person(i+40, fmt.Sprintf("user%d@example.com", i+40), "Another display name")
	}
	app.asked = map[string]int{}
	want(t, "the cycle", c.cycle(), "16 updated, 7 deactivated, 37 unchanged")
	if app.asked["get"] != 12 || app.asked["update"] != 23 || len(app.asked) != 2 {
		t.Errorf("it asked %v", app.asked)
	}
	app.asked = map[string]int{}
	want(t, "the next", c.cycle(), "60 unchanged")
	if len(app.asked) > 0 {
		t.Errorf("a cycle without changes asked %v", app.asked)
	}
}

// Removals that wait for an answer are read once, not in every cycle.
func TestHeldRemovalsAreNotReadAgain(t *testing.T) {
	t.Parallel()
	s, c := people(t, 30, mapsExternalID(t))
	c.change = func(sync *reconcile.Sync) {
		mapsExternalID(t)(sync)
		sync.Guard.Removals = guard.Limit{Count: new(3)}
	}
	for i := range 9 {
		c.source.gone(fmt.Sprintf("user%d@example.com", i+1), graphsync.SoftDeleted)
	}
	mustRun(t, c, reconcile.Options{Apply: true})
	s.app().asked = map[string]int{}
	report := mustRun(t, c, reconcile.Options{Apply: true})
	if report.Summary.Held != 9 || len(s.app().asked) > 0 {
		t.Errorf("%d held, asked %v", report.Summary.Held, s.app().asked)
	}
	// One of them is another user by the time of the answer.
	s.app().stranger("1", "Stranger1")
	c.stored().approve()
	report = mustRun(t, c, reconcile.Options{Apply: true})
	want(t, "approved", told(report), "8 deactivated, 21 unchanged")
	if changed := s.app().changedStrangers(); len(changed) > 0 || len(report.Errors) != 1 {
		t.Errorf("written to: %v; %s", changed, failures(report))
	}
}

// A plan changes neither links nor claims, whatever it finds.
func TestPlanKeepsLinks(t *testing.T) {
	t.Parallel()
	s, c := people(t, 30, mapsExternalID(t))
	s.app().stranger("1", "Stranger1")
	delete(s.app().accounts, "2")
	for range 2 {
		dry := mustRun(t, c, reconcile.Options{Full: true})
		if dry.Summary.Unlink != 1 || dry.Summary.Create != 2 || dry.Summary.Unchanged != 28 {
			t.Errorf("%+v", dry.Summary)
		}
	}
	other := s.customer("fabrikam")
	other.change = mapsExternalID(t)
	s.app().accounts["1"]["userName"] = "eve@example.com"
	other.source.person(50, "eve@example.com", "Eve")
	want(t, "fabrikam", other.cycle(), "skipped eve@example.com: duplicate_target")
}

// BenchmarkIdentityRequests states what the proof costs: one request for each leaver and each rename.
func BenchmarkIdentityRequests(b *testing.B) {
	const leavers, renames = 50, 50
	for b.Loop() {
		b.StopTimer()
		s := newService(b)
		c := s.customer("contoso")
		c.change = mapsExternalID(b)
		for i := range 1000 {
			c.source.person(i+1, fmt.Sprintf("user%d@example.com", i+1), "Person")
		}
		c.cycle()
		for i := range leavers {
			c.source.gone(fmt.Sprintf("user%d@example.com", i+1), graphsync.SoftDeleted)
		}
		for i := range renames {
			c.source.person(i+500, fmt.Sprintf("renamed%d@example.com", i), "Person")
		}
		s.app().asked = map[string]int{}
		b.StartTimer()
		want(b, "the cycle", c.cycle(), "50 updated, 50 deactivated, 900 unchanged")
		b.ReportMetric(float64(s.app().asked["get"])/(leavers+renames), "reads/change")
		b.ReportMetric(float64(s.app().asked["update"])/(leavers+renames), "writes/change")
	}
}
