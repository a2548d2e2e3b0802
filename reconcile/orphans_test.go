package reconcile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// named is a tenant whose accounts carry the object id of their user.
func named(t *testing.T, s *service, people int, externalID string) *customer {
	t.Helper()
	c := s.customer("contoso")
	c.change = func(sync *reconcile.Sync) {
		m, faults := mapping.New(target.User, []mapping.Spec{
			{Path: "externalId", Expr: externalID}, {Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
			{Path: "active", Expr: "Not([IsSoftDeleted])"}, {Path: "displayName", Expr: "[displayName]"},
		})
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		sync.Users.Mapping, sync.Users.Match = m, []string{"externalId", "userName"}
		sync.Guard.FirstRunRemovals = false
	}
	for n := 1; n <= people; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
	}
	return c
}

// stateFiles are those of a customer's state.
type stateFiles struct{ of *customer }

func (f stateFiles) tenant() string { return filepath.Join(f.of.dir, f.of.id.String()+".db") }

func (f stateFiles) loseTenant() error { return os.Remove(f.tenant()) }

func (f stateFiles) loseAll() error { return os.RemoveAll(f.of.dir) }

// copyTenant takes a copy of the tenant's file and returns what puts it back.
func (f stateFiles) copyTenant() func() error {
	f.of.t.Helper()
	var copied []byte
	f.of.restart(func() (err error) { copied, err = os.ReadFile(f.tenant()); return err })
	return func() error { return os.WriteFile(f.tenant(), copied, 0o600) }
}

// When the state is lost, or older than what was done since, users who left meanwhile do not keep
// an active account without a row that says so.
func TestStateLostWhileUsersLeft(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lose  func(*customer) func() error // called in the middle, returns the damage
		leave func(*customer)
		full  bool
	}{
		"all of it, users disabled":                {func(c *customer) func() error { return stateFiles{c}.loseAll }, func(c *customer) { c.source.disable(1, 2) }, false},
		"all of it, users deleted":                 {func(c *customer) func() error { return stateFiles{c}.loseAll }, func(c *customer) { c.source.goneAll(graphsync.SoftDeleted, 1, 2) }, false},
		"the tenant's file, users deleted":         {func(c *customer) func() error { return stateFiles{c}.loseTenant }, func(c *customer) { c.source.goneAll(graphsync.SoftDeleted, 1, 2) }, false},
		"the tenant's file, users gone for good":   {func(c *customer) func() error { return stateFiles{c}.loseTenant }, func(c *customer) { c.source.goneAll(graphsync.Purged, 1, 2) }, false},
		"an older copy, users hired since, left":   {func(c *customer) func() error { return stateFiles{c}.copyTenant() }, func(c *customer) { c.source.goneAll(graphsync.SoftDeleted, 1, 2) }, true},
		"an older copy, users hired since, purged": {func(c *customer) func() error { return stateFiles{c}.copyTenant() }, func(c *customer) { c.source.goneAll(graphsync.Purged, 1, 2) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := named(t, newService(t), 0, "[objectId]")
			c.source.person(9, "p9@example.com", "P")
			want(t, "first cycle", c.cycle(), "1 created")
			damage := test.lose(c)
			c.source.person(1, "p1@example.com", "P")
			c.source.person(2, "p2@example.com", "P")
			want(t, "they are hired", c.cycle(), "2 created, 1 unchanged")
			test.leave(c)
			c.restart(damage)
			report, err := c.run(reconcile.Options{Apply: true, Full: test.full})
			if err != nil {
				t.Fatal(err)
			}
			c.wantOrphans(report, "p1@example.com", "p2@example.com")
			want(t, "nothing is done unasked", c.app().String(), "p9=P p1=P p2=P")
			report, err = c.run(reconcile.Options{Apply: true})
			if err != nil {
				t.Fatal(err)
			}
			c.wantOrphans(report, "p1@example.com", "p2@example.com")
			c.stored().approve()
			if did := c.cycle(); !strings.HasPrefix(did, "2 deactivated") {
				t.Errorf("approved: %s", did)
			}
			want(t, "accounts", c.app().String(), "p9=P !p1=P !p2=P")
			for _, full := range []bool{false, true} {
				if did := c.must(reconcile.Options{Apply: true, Full: full}); strings.Contains(did, "held") || strings.Contains(did, "deactivated") {
					t.Errorf("and then: %s", did)
				}
			}
		})
	}
}

func (c *customer) wantOrphans(report *reconcile.Report, keys ...string) {
	c.t.Helper()
	var held []string
	for _, h := range report.Held {
		if h.Guard == "orphaned" && h.Action.Op == plan.Deactivate {
			held = append(held, h.Action.Key)
		}
	}
	want(c.t, "held by orphaned", strings.Join(held, " "), strings.Join(keys, " "))
	if report.Result != reconcile.Waiting {
		c.t.Errorf("the result is %s", report.Result)
	}
}

// When the directory does not know any more whose the account was, a line reports it.
func TestAccountOfAnUnknownUser(t *testing.T) {
	t.Parallel()
	c := named(t, newService(t), 3, "[objectId]")
	want(t, "first cycle", c.cycle(), "3 created")
	c.source.goneAll(graphsync.Purged, 1)
	c.restart(stateFiles{c}.loseAll)
	for range 2 {
		report, err := c.run(reconcile.Options{Apply: true})
		if err != nil {
			t.Fatal(err)
		}
		if notes := strings.Join(report.Notes, "\n"); !strings.Contains(notes, "carry the object id of a user this directory does not know, and have no link: p1@example.com") {
			t.Errorf("notes %q", notes)
		}
	}
	want(t, "accounts", c.app().String(), "p1=P p2=P p3=P")
}

// The same where the externalId is worked out from other properties.
func TestOrphanWhoseExternalIDIsWorkedOut(t *testing.T) {
	t.Parallel()
	c := named(t, newService(t), 3, `Append("x-", [userPrincipalName])`)
	want(t, "first cycle", c.cycle(), "3 created")
	c.source.disable(1)
	c.restart(stateFiles{c}.loseAll)
	stranger := c.app().seed("stranger@example.com")
	c.app().accounts[stranger]["externalId"] = "x-stranger@example.com"
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil {
		t.Fatal(err)
	}
	c.wantOrphans(report, "p1@example.com")
}

// A look that a plan takes shows the same, and leaves nothing.
func TestOrphansOfADryRun(t *testing.T) {
	t.Parallel()
	c := named(t, newService(t), 2, "[objectId]")
	want(t, "first cycle", c.cycle(), "2 created")
	id := c.app().seed("double@example.com")
	c.app().accounts[id]["externalId"] = userID(1).String()
	c.source.disable(1)
	for range 2 {
		report, err := c.run(reconcile.Options{Full: true})
		if err != nil {
			t.Fatal(err)
		}
		c.wantOrphans(report, "double@example.com")
	}
	want(t, "nothing is left of it", c.cycle(), "1 deactivated, 1 unchanged")
}

// Two accounts with the externalId of one user are reported, in every cycle until one is gone.
func TestTwoAccountsOfOneUser(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{"[objectId]", `Append("x-", [userPrincipalName])`} {
		c := named(t, newService(t), 2, expr)
		want(t, "first cycle", c.cycle(), "2 created")
		id := c.app().seed("double@example.com")
		c.app().accounts[id]["externalId"] = c.app().accounts["1"]["externalId"]
		want(t, "compared", c.must(reconcile.Options{Apply: true, Full: true}), "2 unchanged, skipped p1@example.com: duplicate_account")
		want(t, "and then", c.cycle(), "2 unchanged, skipped p1@example.com: duplicate_account")
		delete(c.app().accounts, id)
		want(t, "removed", c.must(reconcile.Options{Apply: true, Full: true}), "2 unchanged")
	}
}

// An account that became another user's since it was shown is left alone.
func TestOrphanThatChangedHands(t *testing.T) {
	t.Parallel()
	c := named(t, newService(t), 2, "[objectId]")
	want(t, "first cycle", c.cycle(), "2 created")
	c.source.disable(1)
	c.restart(stateFiles{c}.loseAll)
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil {
		t.Fatal(err)
	}
	c.wantOrphans(report, "p1@example.com")
	c.app().accounts["1"]["externalId"] = "another user"
	c.stored().approve()
	report, err = c.run(reconcile.Options{Apply: true})
	if err != nil || len(report.Errors) != 1 || !strings.Contains(report.Errors[0].Message, "is not the one that was shown") {
		t.Fatalf("%v %+v", err, report.Errors)
	}
	want(t, "accounts", c.app().String(), "p1=P p2=P")
	c.service.now = c.now.Add(25 * time.Hour)
}

// Accounts of a sync that was renamed are those of the new one, when their users have left.
func TestRenamedSync(t *testing.T) {
	t.Parallel()
	c := named(t, newService(t), 3, "[objectId]")
	want(t, "first cycle", c.cycle(), "3 created")
	c.source.disable(1)
	c.sync = "renamed"
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil {
		t.Fatal(err)
	}
	c.wantOrphans(report, "p1@example.com")
	c.stored().approve()
	want(t, "approved", c.cycle(), "2 adopted, 1 deactivated")
	want(t, "accounts", c.app().String(), "!p1=P p2=P p3=P")
	want(t, "and then", c.must(reconcile.Options{Apply: true, Full: true}), "3 unchanged")
}

// An account without a link that is offered to the user who has its name now is not offered for
// removal as well: both approved, it would be switched off and taken over in one cycle.
func TestOrphanThatIsAdopted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		decide func(*customer)
		want   string
	}{
		"approved": {func(c *customer) { c.stored().approve() }, "p1=Second p9=P"},
		"rejected": {func(c *customer) { c.stored().reject(plan.Decision{At: c.now}) }, "p1=P p9=P"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := named(t, newService(t), 0, "[objectId]")
			c.source.person(9, "p9@example.com", "P")
			c.source.person(1, "p1@example.com", "P")
			want(t, "first cycle", c.cycle(), "2 created")
			c.source.rename(1, "former@example.com")
			c.source.disable(1)
			c.restart(stateFiles{c}.loseAll)
			c.source.person(2, "p1@example.com", "Second")
			report, err := c.run(reconcile.Options{Apply: true})
			if err != nil {
				t.Fatal(err)
			}
			want(t, "offered", told(report), "1 adopted, held by adoption: adopt p1@example.com")
			test.decide(c)
			report, err = c.run(reconcile.Options{Apply: true})
			if err != nil {
				t.Fatal(err)
			}
			if name == "rejected" {
				c.wantOrphans(report, "p1@example.com")
			}
			want(t, "accounts", c.app().String(), test.want)
		})
	}
}

// A claim is no proof: an account without a link whose externalId is another one's is left alone, whether
// the user who claimed its id is active or not.
func TestClaimedAccountOfAnother(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]bool{"the user has another account": false, "the user has left": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := named(t, newService(t), 2, "[objectId]")
			want(t, "first cycle", c.cycle(), "2 created")
			c.stored().tx(func(tx *state.Tx) error { return tx.Links(c.sync).Delete(graphsync.User, userID(1)) })
			c.app().stranger("1", "Stranger1")
			if leave {
				c.source.disable(1)
			} else {
				c.source.person(1, "p1@example.com", "changed")
			}
			for range 2 {
				report, err := c.run(reconcile.Options{Apply: true, Full: true})
				if err != nil || len(report.Held)+len(report.Skipped) > 0 {
					t.Errorf("%v, held %v, skipped %v", err, report.Held, report.Skipped)
				}
			}
			if changed := c.app().changedStrangers(); len(changed) > 0 {
				t.Error(changed)
			}
		})
	}
}
