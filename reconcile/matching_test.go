package reconcile_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/target"
)

// seedWith makes an account in the application with more than a name.
func (a *application) seedWith(userName string, attributes map[string]any) string {
	id := a.seed(userName)
	for name, value := range attributes {
		a.accounts[id][name] = value
	}
	return id
}

// An account is looked for by one matching attribute after the other, and the first that finds one
// decides.
func TestMatchingOrder(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = withExternalID
	c.source.hire("Ada", "Bob", "Cyd")
	ids := c.app()
	ids.seedWith("former-ada@example.com", map[string]any{"externalId": userID(1).String()}) // 1: by externalId
	ids.seedWith("bob@example.com", nil)                                                     // 2: by name alone
	ids.seedWith("ada@example.com", map[string]any{"externalId": "of another user"})         // 3: ada's name
	want(t, "first cycle", c.cycle(), "1 created, 2 adopted")
	for id, external := range map[string]string{"1": userID(1).String(), "2": userID(2).String(), "3": "of another user"} {
		if got := ids.accounts[id]["externalId"]; got != external {
			t.Errorf("account %s has externalId %v, want %s", id, got, external)
		}
	}
}

// Of several accounts with a value none is taken, and none is made in addition.
func TestAmbiguousMatch(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.app().seedWith("ada@example.com", nil)
	c.app().seedWith("ada@example.com", nil)
	c.source.hire("Ada", "Bob")
	want(t, "first cycle", c.cycle(), "1 created, skipped ada@example.com: ambiguous_match")
	want(t, "accounts", c.app().String(), "ada=Seeded ada@example.com ada=Seeded ada@example.com bob=Bob")
}

// A protected account is not adopted.
func TestProtectedAccountIsNotAdopted(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = protected(t, `title eq "owner"`)
	c.app().seedWith("ada@example.com", map[string]any{"title": "owner"})
	c.app().seedWith("bob@example.com", nil)
	c.source.hire("Ada", "Bob")
	want(t, "first cycle", c.cycle(), "1 adopted, skipped ada@example.com: protected")
	want(t, "accounts", c.app().String(), "ada=Seeded ada@example.com bob=Bob")
}

// Two users of one plan who fit one account: the one whose id it carries adopts it, and the other
// gets none.
func TestTwoUsersFitOneAccount(t *testing.T) {
	t.Parallel()
	for name, owner := range map[string]int{"the first in the plan": 1, "the second in the plan": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := 3 - owner
			c := newService(t).customer("contoso")
			c.change = withExternalID
			c.source.hire("Ada", "Bob")
			id := c.app().seedWith([]string{"", "ada@example.com", "bob@example.com"}[other], map[string]any{"externalId": userID(owner).String()})
			report, err := c.run(reconcile.Options{Apply: true})
			if err != nil {
				t.Fatal(err)
			}
			if report.Summary.Adopt != 1 || report.Summary.Create != 0 || len(report.Skipped) != 1 || report.Skipped[0].Code != "duplicate_target" || report.Skipped[0].SourceID != userID(other) {
				t.Errorf("%s, failed %v", told(report), report.Errors)
			}
			if got := c.app().accounts[id]["externalId"]; got != userID(owner).String() {
				t.Errorf("the account is %v's", got)
			}
		})
	}
}

// A look-up that failed is no answer: no account is created where one may exist.
func TestFailedLookUpCreatesNothing(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.app().seedWith("ada@example.com", nil)
	c.source.hire("Ada", "Bob")
	g := c.behindGateway()
	g.before = on("find", "ada@example.com", refusal(target.Rejected, 400))
	want(t, "refused", c.partial(reconcile.Options{Apply: true}), "1 created, failed to create ada@example.com: target_rejected")
	g.before = nil
	want(t, "healed", c.cycle(), "1 adopted, 1 unchanged")
}

// An account that carries the externalId of another user is not adopted without an answer.
func TestForeignExternalIDIsHeld(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = withExternalID
	c.app().seedWith("ada@example.com", map[string]any{"externalId": "of another user"})
	c.source.hire("Ada", "Bob")
	want(t, "first cycle", c.cycle(), "1 created, held by adoption: adopt ada@example.com")
	want(t, "accounts", c.app().String(), "ada=Seeded ada@example.com bob=Bob")
	c.stored().approve()
	want(t, "approved", c.cycle(), "1 adopted, 1 unchanged")
	if got := c.app().accounts["1"]["externalId"]; got != userID(1).String() {
		t.Errorf("externalId %v", got)
	}
}

// The account of a user who was deleted is offered to a namesake, whether or not the user can be
// restored, and goes over when that is approved.
func TestAccountOfADeletedUserAndANamesake(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.source.leaveAll("Ada")
	want(t, "ada is deleted", c.cycle(), "1 deactivated, 1 unchanged")
	c.source.person(7, "ada@example.com", "Another Ada")
	want(t, "a namesake", c.cycle(), "2 unchanged, held by adoption: adopt ada@example.com")
	c.source.removed[userID(1)] = graphsync.Purged
	c.source.pending = append(c.source.pending, graphsync.Change{Kind: graphsync.User, ID: userID(1), Removed: graphsync.Purged}, c.source.people[userID(7)])
	for range 2 {
		if got := c.cycle(); !strings.Contains(got, "held by adoption: adopt ada@example.com") {
			t.Errorf("purged: %s", got)
		}
	}
	want(t, "accounts", c.app().String(), "!ada=Ada bob=Bob")
	c.stored().approve()
	want(t, "approved", c.cycle(), "1 adopted, 1 unchanged")
	want(t, "accounts", c.app().String(), "ada=Another Ada bob=Bob")
}

// The account of another user of the sync is not taken, whatever is found by name.
func TestAccountOfAnotherUserIsNotTaken(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada")
	c.app().accounts["1"]["userName"] = "zoe@example.com" // by hand
	c.source.person(2, "zoe@example.com", "Zoe")
	want(t, "zoe", c.cycle(), "1 unchanged, skipped zoe@example.com: duplicate_target")
	want(t, "accounts", c.app().String(), "zoe=Ada")
}

// Nor is it when that user was deleted for good and the account is still active: it is still in use.
func TestActiveAccountOfAPurgedUserIsNotTaken(t *testing.T) {
	t.Parallel()
	c := linked(t, func(s *reconcile.Sync) { s.Users.OnRemove.Do = "" }, "Ada", "Bob")
	c.app().accounts["1"]["userName"] = "zoe@example.com" // by hand
	c.source.gone("ada@example.com", graphsync.Purged)
	want(t, "ada is deleted", c.cycle(), "2 unchanged")
	c.source.person(3, "zoe@example.com", "Zoe")
	want(t, "zoe", c.cycle(), "2 unchanged, skipped zoe@example.com: duplicate_target")
	want(t, "accounts", c.app().String(), "zoe=Ada bob=Bob")
}

// An adopted account that is switched off is switched on, and one action of the sync is not done
// where the configuration does not allow it.
func TestAdoptedAndAllowed(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = func(s *reconcile.Sync) {
		delete(s.Users.Actions, plan.Create)
		delete(s.Users.Actions, plan.Update)
		delete(s.Users.Actions, plan.Deactivate)
	}
	c.app().seedWith("ada@example.com", map[string]any{"active": false})
	c.source.hire("Ada", "Bob")
	want(t, "first cycle", c.cycle(), "1 adopted, skipped bob@example.com: action_not_allowed")
	want(t, "accounts", c.app().String(), "ada=Ada")
	c.source.person(1, "ada@example.com", "New")
	want(t, "an update", c.cycle(), "1 unchanged, skipped ada@example.com: action_not_allowed, skipped bob@example.com: action_not_allowed")
	c.source.disable(1)
	want(t, "a deactivation", c.cycle(), "1 unchanged, skipped ada@example.com: action_not_allowed, skipped bob@example.com: action_not_allowed")
	want(t, "accounts", c.app().String(), "ada=Ada")
}

// An adopted account is switched on, whether or not the mapping has active, and keeps what is written at
// creation only: that is also a default.
func TestAdoptedAccountIsSwitchedOn(t *testing.T) {
	t.Parallel()
	for name, active := range map[string][]mapping.Spec{
		"mapped":     {{Path: "active", Expr: "Not([IsSoftDeleted])"}},
		"not mapped": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.change = func(s *reconcile.Sync) {
				m, faults := mapping.New(target.User, append(active,
					mapping.Spec{Path: "userName", Expr: "ToLower([userPrincipalName])"},
					mapping.Spec{Path: "displayName", Expr: "[displayName]", Apply: "create"},
					mapping.Spec{Path: "title", Expr: "[jobTitle]", Default: "Employee"}))
				if len(faults) > 0 {
					panic(faults)
				}
				s.Users.Mapping = m
			}
			c.app().seedWith("ada@example.com", map[string]any{"active": false, "title": "Owner"})
			c.source.hire("Ada", "Bob")
			want(t, "first cycle", c.cycle(), "1 created, 1 adopted")
			want(t, "accounts", c.app().String(), "ada=Seeded ada@example.com bob=Bob")
			want(t, "titles", fmt.Sprint(c.app().accounts["1"]["title"], " ", c.app().accounts["2"]["title"]), "Owner Employee")
			want(t, "at rest", c.cycle(), "2 unchanged")
		})
	}
}

// A creation that meets an account which was not there when the plan was made does not take it
// over in the same cycle when that needs an answer, and asks for it in the next.
func TestCreationMeetsAForeignAccount(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		attributes map[string]any
		change     func(*reconcile.Sync)
		next       string
	}{
		"of another externalId": {map[string]any{"externalId": "of another user"}, withExternalID, "held by adoption: adopt ada@example.com"},
		"protected":             {map[string]any{"title": "owner"}, protected(t, `title eq "owner"`), "skipped ada@example.com: protected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.change = test.change
			c.source.hire("Ada", "Bob")
			g, met := c.behindGateway(), false
			g.before = func(method, about string) error {
				if method == "create" && about == "ada@example.com" && !met {
					met = true
					g.seedWith(about, test.attributes)
				}
				return nil
			}
			got := c.partial(reconcile.Options{Apply: true})
			if !strings.Contains(got, "failed to create ada@example.com") || !strings.Contains(got, "1 created") {
				t.Errorf("met: %s", got)
			}
			if text := c.app().String(); !strings.Contains(text, "ada=Seeded ada@example.com") {
				t.Errorf("the account was taken over: %s", text)
			}
			if got := c.cycle(); !strings.Contains(got, test.next) {
				t.Errorf("next cycle: %s", got)
			}
		})
	}
}

// After a creation whose answer was lost, an account that another client made in the meantime is
// not taken for our own.
func TestStrangerAfterALostCreation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change   func(*reconcile.Sync)
		happens  func(c *customer)
		next     string
		accounts string
	}{
		"another externalId": {withExternalID, func(c *customer) {
			c.app().seedWith("ada@example.com", map[string]any{"externalId": "of another user"})
		}, "held by adoption: adopt ada@example.com", "bob=Bob ada=Seeded ada@example.com"},
		"two of the name": {nil, func(c *customer) {
			c.app().seedWith("ada@example.com", nil)
			c.app().seedWith("ada@example.com", nil)
		}, "skipped ada@example.com: ambiguous_match", "bob=Bob ada=Seeded ada@example.com ada=Seeded ada@example.com"},
		"protected": {protected(t, `title eq "owner"`), func(c *customer) {
			c.app().seedWith("ada@example.com", map[string]any{"title": "owner"})
		}, "skipped ada@example.com: protected", "bob=Bob ada=Seeded ada@example.com"},
		"of another tenant": {nil, func(c *customer) {
			other := c.customer("fabrikam")
			other.source.person(7, "ada@example.com", "Ada of fabrikam")
			want(t, "fabrikam", other.cycle(), "1 created")
		}, "skipped ada@example.com: duplicate_target", "bob=Bob ada=Ada of fabrikam"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.change = test.change
			c.source.hire("Ada", "Bob")
			g := c.behindGateway()
			g.before = on("create", "ada@example.com", lostAnswer())
			c.partial(reconcile.Options{Apply: true})
			g.before = nil
			test.happens(c)
			if got := c.must(reconcile.Options{}); !strings.Contains(got, test.next) {
				t.Errorf("a plan: %s", got)
			}
			if got := c.cycle(); !strings.Contains(got, test.next) || c.stored().intents() > 0 {
				t.Errorf("next cycle: %s, and %d intents are open", got, c.stored().intents())
			}
			want(t, "accounts", c.app().String(), test.accounts)
			c.source.leaveAll("Ada") // what is not ours stays on
			c.cycle()
			want(t, "accounts after ada left", c.app().String(), test.accounts)
			if name == "protected" { // nor was it linked meanwhile
				c.change = func(s *reconcile.Sync) { s.Text = "nothing is protected" }
				c.must(reconcile.Options{Apply: true, Full: true})
				want(t, "accounts when the filter is gone", c.app().String(), test.accounts)
			}
		})
	}
}

// An account that was made although the answer was lost is ours: a user who left in the meantime
// does not keep it, also when the plan had more to do for the user than to make the account.
func TestOwnAccountAfterALostCreation(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*reconcile.Sync){"an account alone": nil, "with a manager who gets one too": withManager} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.change = change
			c.source.hire("Ada", "Bob")
			c.source.set(1, "manager", strconv.Quote(userID(2).String()))
			g := c.behindGateway()
			g.after = on("create", "ada@example.com", lostAnswer())
			g.before = func(method, about string) error {
				if method == "find" && about == "ada@example.com" && g.accounts["1"] != nil {
					return errDown // nor is it found at once
				}
				return nil
			}
			want(t, "no answer", c.partial(reconcile.Options{Apply: true}), "1 created, failed to create ada@example.com: target_unavailable")
			g.after, g.before = nil, nil
			c.source.leaveAll("Ada")
			want(t, "ada has left", c.cycle(), "1 deactivated, 1 unchanged")
			want(t, "accounts", c.app().String(), "!ada=Ada bob=Bob")
		})
	}
}

// Two tenants whose plans both adopt one account: the second finds it claimed, and writes
// nothing there.
func TestTwoTenantsAdoptOneAccount(t *testing.T) {
	t.Parallel()
	s := newService(t)
	contoso, fabrikam := s.customer("contoso"), s.customer("fabrikam")
	s.app().seedWith("bob@example.com", nil)
	contoso.source.hire("Ada", "Bob")
	fabrikam.source.person(3, "bob@example.com", "Bob of fabrikam")
	g, met := s.behindGateway(), false
	g.before = func(method, about string) error {
		if method == "create" && !met { // contoso's plan is made, bob is still to be adopted
			met = true
			want(t, "fabrikam", fabrikam.cycle(), "1 adopted")
		}
		return nil
	}
	report, err := contoso.run(reconcile.Options{Apply: true})
	if err != nil || report.Summary.Adopt != 0 || len(report.Errors) != 1 || report.Errors[0].Code != string(target.Conflict) {
		t.Errorf("contoso: %v, %s", err, summary(report))
	}
	want(t, "accounts", s.app().String(), "bob=Bob of fabrikam ada=Ada")
	contoso.source.leaveAll("Bob")
	contoso.cycle()
	want(t, "accounts after contoso's bob left", s.app().String(), "bob=Bob of fabrikam ada=Ada")
}
