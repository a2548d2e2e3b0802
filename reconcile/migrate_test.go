package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/state"
	"entrasync/target"
)

// sharing is two tenants in one application, each with a bob of the same name. contoso's has the
// account.
func sharing(t *testing.T) (s *service, contoso, fabrikam *customer) {
	t.Helper()
	s = newService(t)
	contoso, fabrikam = s.customer("contoso"), s.customer("fabrikam")
	contoso.source.person(1, "ada@example.com", "Ada")
	contoso.source.person(2, "bob@example.com", "Bob")
	fabrikam.source.person(3, "eve@example.com", "Eve")
	fabrikam.source.person(4, "bob@example.com", "Impostor")
	want(t, "contoso", contoso.cycle(), "2 created")
	want(t, "fabrikam", fabrikam.cycle(), "1 created, skipped bob@example.com: duplicate_target")
	return s, contoso, fabrikam
}

// moveTo has the syncs write to a second target, which is another application.
func (s *service) moveTo(two target.Adapter) {
	s.apps["https://two"] = two
	s.places["second"], s.to = "https://two", "second"
}

// Several tenants into one target never touch each other's accounts, whatever happens to the
// target's name and to the registry, and whichever tenant comes first afterwards.
func TestClaimsOutlive(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(s *service){
		"nothing": func(*service) {},
		"a new name of the target": func(s *service) {
			s.to, s.places = "front", map[string]string{"front": s.places["people"]}
		},
		"another address of it": func(s *service) {
			s.apps["https://two"] = s.app()
			s.places["people"] = "https://two"
		},
		"the loss of the registry": func(s *service) { s.restart(s.loseRegistry) },
		"a new name and the loss of the registry": func(s *service) {
			s.to, s.places = "front", map[string]string{"front": s.places["people"]}
			s.restart(s.loseRegistry)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, contoso, fabrikam := sharing(t)
			happens(s)
			// A cycle that looks up every user, and a new tenant.
			tailspin := s.customer("tailspin")
			tailspin.source.person(5, "ada@example.com", "Another Ada")
			want(t, "fabrikam", fabrikam.must(reconcile.Options{Apply: true, Full: true}), "1 unchanged, skipped bob@example.com: duplicate_target")
			want(t, "tailspin", tailspin.cycle(), "skipped ada@example.com: duplicate_target")
			fabrikam.source.gone("bob@example.com", graphsync.SoftDeleted)
			want(t, "fabrikam without bob", fabrikam.cycle(), "1 unchanged")
			want(t, "contoso", contoso.cycle(), "2 unchanged")
			want(t, "accounts", s.app().String(), "ada=Ada bob=Bob eve=Eve")
			contoso.source.gone("bob@example.com", graphsync.SoftDeleted)
			want(t, "contoso without bob", contoso.cycle(), "1 deactivated, 1 unchanged")
			want(t, "accounts", s.app().String(), "ada=Ada !bob=Bob eve=Eve")
		})
	}
}

// A target that is another application now gets the accounts, of those who are here; what is left
// behind stays as it is, and comes back with the configuration.
func TestAnotherApplication(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]struct{ away, back func(s *service) }{
		"to names another target": {
			func(s *service) { s.to, s.places["second"] = "second", "https://two" },
			func(s *service) { s.to = "people" },
		},
		"the target has another address": {
			func(s *service) { s.places["people"] = "https://two" },
			func(s *service) { s.places["people"] = "https://one" },
		},
		"name and address are others": {
			func(s *service) { s.to, s.places = "second", map[string]string{"second": "https://two"} },
			func(s *service) { s.to, s.places = "people", map[string]string{"people": "https://one"} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, contoso, fabrikam := sharing(t)
			one, two := s.app(), newApplication()
			stranger := two.seed("zoe@example.com") // of the number that ada has in the first
			two.last = 10
			two.seed("bob@example.com") // adopted, as it would be at first
			s.apps["https://two"] = two
			move.away(s)

			contoso.source.gone("ada@example.com", graphsync.SoftDeleted)
			want(t, "contoso", contoso.cycle(), "1 adopted")
			want(t, "contoso again", contoso.cycle(), "1 unchanged")
			want(t, "fabrikam", fabrikam.cycle(), "1 created, skipped bob@example.com: duplicate_target")
			want(t, "accounts of before", one.String(), "ada=Ada bob=Bob eve=Eve")
			want(t, "accounts", two.String(), "zoe=Seeded zoe@example.com bob=Bob eve=Eve")
			if two.accounts[stranger]["active"] != true {
				t.Error("an account of another user was touched")
			}

			move.back(s)
			want(t, "contoso, back", contoso.cycle(), "1 deactivated, 1 unchanged")
			want(t, "accounts of before", one.String(), "!ada=Ada bob=Bob eve=Eve")
			want(t, "fabrikam, back", fabrikam.cycle(), "1 unchanged, skipped bob@example.com: duplicate_target")
		})
	}
}

// A target that has moved with all its accounts keeps its links.
func TestMovedApplication(t *testing.T) {
	t.Parallel()
	s, contoso, fabrikam := sharing(t)
	s.apps["https://two"] = s.app()
	s.to, s.places = "front", map[string]string{"front": "https://two"}
	contoso.source.gone("ada@example.com", graphsync.SoftDeleted)
	want(t, "contoso", contoso.cycle(), "1 deactivated, 1 unchanged")
	want(t, "fabrikam", fabrikam.cycle(), "1 unchanged, skipped bob@example.com: duplicate_target")
	want(t, "accounts", s.app().String(), "!ada=Ada bob=Bob eve=Eve")
	s.app().asked = map[string]int{}
	want(t, "contoso again", contoso.cycle(), "2 unchanged")
	if len(s.app().asked) > 0 {
		t.Errorf("a cycle in which nothing happened asked %v", s.app().asked)
	}
}

// A link whose account is another user's in the application that it leads to now is dropped, and
// nothing is done to the account.
func TestMovedToAnotherUsersAccount(t *testing.T) {
	t.Parallel()
	s, contoso, fabrikam := sharing(t)
	s.places["second"] = "https://one" // two organisations behind one address, it says
	s.to = "second"
	want(t, "fabrikam", fabrikam.cycle(), "1 adopted, 1 unchanged")
	contoso.source.gone("bob@example.com", graphsync.SoftDeleted)
	report, err := contoso.run(reconcile.Options{Apply: true})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "contoso", told(report), "1 unchanged")
	want(t, "notes", strings.Join(report.Notes, "\n"), fmt.Sprintf("account 2 is of sync people of tenant %s: the link of bob@example.com to it was dropped", fabrikam.id))
	want(t, "accounts", s.app().String(), "ada=Ada bob=Impostor eve=Eve")
}

// A wrong address loses nothing: as long as no application answers there nothing is done, and
// many accounts to be made are held as ever.
func TestMovedByMistake(t *testing.T) {
	t.Parallel()
	s, contoso, _ := sharing(t)
	empty := newApplication()
	empty.down = func(method string) bool { return method == "probe" }
	s.apps["https://two"] = empty
	s.places["people"] = "https://two"
	one := 1
	contoso.change = func(s *reconcile.Sync) { s.Guard.Creations.Count = &one }
	if report, err := contoso.run(reconcile.Options{Apply: true}); err == nil || report.Failure.Code != "target_unavailable" {
		t.Errorf("%v", err)
	}
	empty.down = nil
	want(t, "contoso", contoso.cycle(), "held by creations: create ada@example.com, held by creations: create bob@example.com")
	want(t, "accounts", empty.String(), "")
	s.places["people"] = "https://one"
	want(t, "contoso, back", contoso.cycle(), "2 unchanged")
}

// Links from before it was remembered where accounts are, are claimed where they are said to be now.
func TestLinkedBeforeLocationsWereKnown(t *testing.T) {
	t.Parallel()
	s, contoso, fabrikam := sharing(t)
	for _, c := range []*customer{contoso, fabrikam} {
		tenant, err := s.store.Tenant(c.id)
		if err != nil {
			t.Fatal(err)
		}
		err = tenant.Update(func(tx *state.Tx) error {
			info := tx.SyncInfo(c.sync)
			info.Location = state.Location{}
			return tx.PutSyncInfo(c.sync, info)
		})
		if err := errors.Join(err, tenant.Close()); err != nil {
			t.Fatal(err)
		}
	}
	s.restart(s.loseRegistry)
	want(t, "contoso", contoso.cycle(), "2 unchanged")
	want(t, "fabrikam", fabrikam.must(reconcile.Options{Apply: true, Full: true}), "1 unchanged, skipped bob@example.com: duplicate_target")
	s.restart(s.loseRegistry)
	want(t, "fabrikam", fabrikam.must(reconcile.Options{Apply: true, Full: true}), "1 unchanged, skipped bob@example.com: duplicate_target")
}

// A dry run changes neither links nor claims when the application has changed, and the edit that it
// was to show can be discarded.
func TestPlanOfAnotherApplication(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]reconcile.Options{"plan": {}, "from the snapshot": {NoRefresh: true}, "full": {Full: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, contoso, fabrikam := sharing(t)
			two := newApplication()
			s.moveTo(two)
			if _, err := contoso.run(opts); err == nil || !strings.Contains(err.Error(), "another application") {
				t.Errorf("a plan: %v", err)
			}
			if len(two.asked) > 0 {
				t.Errorf("it asked %v", two.asked)
			}
			s.to = "people"
			asked := s.app().asked["find"]
			contoso.source.gone("ada@example.com", graphsync.SoftDeleted)
			want(t, "contoso, edit discarded", contoso.cycle(), "1 deactivated, 1 unchanged")
			want(t, "fabrikam", fabrikam.cycle(), "1 unchanged, skipped bob@example.com: duplicate_target")
			if s.app().asked["find"] > asked+1 { // fabrikam's bob
				t.Error("contoso's accounts were looked for again")
			}

			// Who has nothing there yet gets a plan.
			s.to = "second"
			tailspin := s.customer("tailspin")
			tailspin.source.person(5, "tim@example.com", "Tim")
			want(t, "tailspin", tailspin.must(reconcile.Options{}), "1 created")
		})
	}
}

// byExternalID matches by the externalId alone.
func byExternalID(t *testing.T) func(*reconcile.Sync) {
	m, faults := mapping.New(target.User, []mapping.Spec{
		{Path: "externalId", Expr: "[objectId]"},
		{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
		{Path: "active", Expr: "Not([IsSoftDeleted])"},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return func(s *reconcile.Sync) { s.Users.Mapping, s.Users.Match = m, []string{"externalId"} }
}

// An account of the same number in another application, which nothing identifies, is a stranger's.
func TestMovedToStrangers(t *testing.T) {
	t.Parallel()
	contoso := linked(t, byExternalID(t), "Ada", "Bob")
	s := contoso.service
	two := newApplication()
	two.seed("zoe@example.com") // of the number that ada has in the first
	two.seed("yan@example.com") // and bob
	s.moveTo(two)
	contoso.source.gone("ada@example.com", graphsync.SoftDeleted)
	want(t, "contoso, moved", contoso.cycle(), "1 created")
	want(t, "accounts", two.String(), "zoe=Seeded zoe@example.com yan=Seeded yan@example.com bob=<nil>")
}

// An odd application refuses to be asked about one account.
type odd struct {
	*application
	id, value string
}

var errRefused = &target.Error{Code: target.Rejected, Op: "ask", Status: 400, Message: "it was refused"}

func (o *odd) Get(ctx context.Context, ref target.Ref) (*target.Resource, error) {
	if ref.ID == o.id {
		return nil, errRefused
	}
	return o.application.Get(ctx, ref)
}

func (o *odd) Find(ctx context.Context, kind target.Kind, by target.Path, value string) ([]target.Resource, error) {
	if value == o.value {
		return nil, errRefused
	}
	return o.application.Find(ctx, kind, by, value)
}

// One account that the other application refuses to be asked about does not stop the rest, and
// comes back with the configuration.
func TestMovedDespiteOneRefused(t *testing.T) {
	t.Parallel()
	contoso := linked(t, nil, "Ada", "Bob", "Eve")
	s := contoso.service
	two := newApplication()
	two.last = 10
	two.seed("bob@example.com")
	s.moveTo(&odd{two, "1", "ada@example.com"})
	contoso.source.gone("ada@example.com", graphsync.SoftDeleted)
	report, err := contoso.run(reconcile.Options{Apply: true})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "contoso, moved", told(report), "1 created, 1 adopted")
	notes := strings.Join(report.Notes, "\n")
	if strings.Count(notes, "account 1 of ada@example.com could not be looked for") != 1 || !strings.Contains(notes, "lacks linked accounts: bob@example.com, eve@example.com;") {
		t.Error(notes)
	}
	want(t, "contoso again", contoso.cycle(), "2 unchanged")
	s.to = "people"
	want(t, "contoso, back", contoso.cycle(), "1 deactivated, 2 unchanged")
	want(t, "accounts of before", s.app().String(), "!ada=Ada bob=Bob eve=Eve")
}

// A look for the accounts that ended half-way resumes, or is undone when the configuration goes
// back: accounts that it had set aside by then are taken up again.
func TestMoveInterrupted(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]string{"and undone": "people", "and resumed": "second"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, contoso, _ := sharing(t)
			one, two := s.app(), newApplication()
			two.seed("zoe@example.com") // listed under the number that ada has in the first
			two.last = 10
			two.down = func(method string) bool { return method == "get" || method == "find" }
			s.moveTo(two)
			if report, err := contoso.run(reconcile.Options{Apply: true}); err == nil || report.Failure.Code != "target_unavailable" {
				t.Fatalf("the first try: %v", err)
			}
			two.down = nil
			contoso.source.gone("ada@example.com", graphsync.SoftDeleted)
			if where == "second" {
				if _, err := contoso.run(reconcile.Options{}); err == nil || !strings.Contains(err.Error(), "another application") {
					t.Errorf("a plan in between: %v", err)
				}
				want(t, "contoso, moved", contoso.cycle(), "1 created")
				want(t, "accounts", two.String(), "zoe=Seeded zoe@example.com bob=Bob")
			}
			s.to = "people"
			want(t, "contoso, back", contoso.cycle(), "1 deactivated, 1 unchanged")
			want(t, "accounts of before", one.String(), "!ada=Ada bob=Bob eve=Eve")
		})
	}
}

// What a look claimed that ended half-way is released when it turns out to be another user's.
func TestMoveInterruptedLeavesNoClaim(t *testing.T) {
	t.Parallel()
	s, contoso, fabrikam := sharing(t)
	two := newApplication()
	id := two.seed("ada@example.com") // the number that ada has in the first
	two.last = 10
	two.down = func(method string) bool { return method == "get" || method == "find" }
	s.moveTo(two)
	if _, err := contoso.run(reconcile.Options{Apply: true}); err == nil {
		t.Fatal("it was not interrupted")
	}
	two.down = nil
	delete(two.taken, "ada@example.com")
	two.accounts[id]["userName"], two.taken["eve@example.com"] = "eve@example.com", true
	want(t, "contoso", contoso.cycle(), "2 created")
	want(t, "fabrikam", fabrikam.cycle(), "1 adopted, skipped bob@example.com: duplicate_target")
}

// A mute application does not answer when an account is made.
type mute struct{ *application }

func (mute) Create(context.Context, target.Kind, []target.Attribute) (*target.Resource, error) {
	return nil, &target.Error{Code: target.Unavailable, Op: "create user", Message: "no answer", Indeterminate: true}
}

// What was being made when the sync still wrote elsewhere is not looked into here: whom the same
// name fits may be a stranger, who would be taken for one of our users.
func TestMovedWithSomethingUnanswered(t *testing.T) {
	t.Parallel()
	s, contoso, _ := sharing(t)
	s.apps["https://one"] = mute{s.app()}
	contoso.source.person(6, "carl@example.com", "Carl")
	if report, err := contoso.run(reconcile.Options{Apply: true}); err != nil || len(report.Errors) != 1 {
		t.Fatalf("%v, %v", err, report.Errors)
	}
	two := newApplication()
	two.last = 10
	two.seed("carl@example.com")
	s.moveTo(two)
	contoso.source.gone("carl@example.com", graphsync.SoftDeleted)
	want(t, "contoso", contoso.cycle(), "2 created")
	want(t, "accounts", two.String(), "carl=Seeded carl@example.com ada=Ada bob=Bob")
}
