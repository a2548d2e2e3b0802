package reconcile_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/target"
)

// Where ids follow the userName, the response to a rename carries the new one: it is the same
// account by its externalId, and the link goes over to it.
func TestIDFollowsTheUserName(t *testing.T) {
	t.Parallel()
	s, c := people(t, 30, mapsExternalID(t))
	app := s.app()
	s.apps["https://one"] = answering{app, func(method string, r *target.Resource) {
		if method != "update" || r.ID == "renamed" {
			return
		}
		app.mu.Lock()
		defer app.mu.Unlock()
		app.accounts["renamed"] = app.accounts[r.ID]
		delete(app.accounts, r.ID)
		r.ID = "renamed"
	}}
	c.source.person(1, "renamed@example.com", "Person1")
	want(t, "the rename", c.cycle(), "1 updated, 29 unchanged")
	c.source.gone("renamed@example.com", graphsync.SoftDeleted)
	want(t, "the leaver", c.cycle(), "1 deactivated, 29 unchanged")
	if app.accounts["renamed"]["active"] != false {
		t.Error(app.String())
	}
	// The former id has no owner: another tenant may be given it.
	other := s.customer("fabrikam")
	other.change = mapsExternalID(t)
	s.apps["https://one"] = answering{app, func(method string, r *target.Resource) {
		if method == "create" {
			app.accounts["1"] = app.accounts[r.ID]
			delete(app.accounts, r.ID)
			r.ID = "1"
		}
	}}
	other.source.person(50, "eve@example.com", "Eve")
	want(t, "fabrikam", other.cycle(), "1 created")
}

// A creation that is answered with an account of another user is evidence that the link to it
// does not fit any more: it is read by the next cycle.
func TestCreatedUnderTheIDOfAnother(t *testing.T) {
	t.Parallel()
	s, c := people(t, 30, mapsExternalID(t))
	app := s.app()
	delete(app.accounts, "1") // gone there, and its id is given out again
	s.apps["https://one"] = answering{app, func(method string, r *target.Resource) {
		if method == "create" && app.accounts["1"] == nil {
			app.accounts["1"] = app.accounts[r.ID]
			delete(app.accounts, r.ID)
			r.ID = "1"
		}
	}}
	c.source.person(31, "user31@example.com", "Person31")
	report := mustRun(t, c, reconcile.Options{Apply: true})
	want(t, "the cycle", failures(report), "create user31@example.com: duplicate_target")
	if !strings.Contains(report.Errors[0].Message, "looked at by its next cycle") {
		t.Error(report.Errors[0].Message)
	}
	delete(app.taken, "user1@example.com")
	report = mustRun(t, c, reconcile.Options{Apply: true})
	want(t, "the next", failures(report), "unlink user1@example.com: identity_mismatch")
	c.now = c.now.Add(c.now.Sub(c.now.AddDate(0, 0, -2)))
	mustRun(t, c, reconcile.Options{Apply: true})
	want(t, "when all is well", c.must(reconcile.Options{Apply: true, Full: true}), "31 unchanged")
	if n := len(app.accounts); n != 31 {
		t.Errorf("%d accounts", n)
	}
}

// So it is when the account is that of another tenant: its own next cycle reads it.
func TestCreatedUnderTheIDOfAnotherTenant(t *testing.T) {
	t.Parallel()
	s, c := people(t, 30, mapsExternalID(t))
	app := s.app()
	delete(app.accounts, "1")
	s.apps["https://one"] = answering{app, func(method string, r *target.Resource) {
		if method == "create" && app.accounts["1"] == nil {
			app.accounts["1"] = app.accounts[r.ID]
			delete(app.accounts, r.ID)
			r.ID = "1"
		}
	}}
	other := s.customer("fabrikam")
	other.change = mapsExternalID(t)
	other.source.person(50, "eve@example.com", "Eve")
	want(t, "the other tenant", failures(mustRun(t, other, reconcile.Options{Apply: true})), "create eve@example.com: duplicate_target")
	want(t, "a plan", c.must(reconcile.Options{}), "30 unchanged")
	delete(app.taken, "user1@example.com")
	want(t, "the owner's next cycle", failures(mustRun(t, c, reconcile.Options{Apply: true})), "unlink user1@example.com: identity_mismatch")
	app.asked = map[string]int{}
	c.cycle()
	if app.asked["get"] > 0 {
		t.Errorf("a cycle without a mark reads %d accounts", app.asked["get"])
	}
}

// Across tenants the same: an id that one tenant's account had and another tenant's has now is given
// back, and the other tenant finds its account by externalId.
func TestIDGivenToAnotherTenant(t *testing.T) {
	t.Parallel()
	s, contoso := people(t, 30, mapsExternalID(t))
	fabrikam := s.customer("fabrikam")
	fabrikam.change = mapsExternalID(t)
	fabrikam.source.person(100, "eve@example.com", "Eve")
	want(t, "fabrikam", fabrikam.cycle(), "1 created")
	app := s.app()
	app.accounts["1"] = app.accounts["31"] // restored, eve's account has the id of contoso's first
	delete(app.accounts, "31")
	delete(app.taken, "user1@example.com")

	report := mustRun(t, fabrikam, reconcile.Options{Apply: true, Full: true})
	want(t, "fabrikam, as long as contoso claims it", told(report), "skipped eve@example.com: duplicate_target")
	contoso.source.person(1, "renamed@example.com", "Person1")
	report = mustRun(t, contoso, reconcile.Options{Apply: true})
	want(t, "contoso", told(report)+"; "+failures(report), "1 created, 29 unchanged; unlink user1@example.com: identity_mismatch")
	want(t, "fabrikam", fabrikam.cycle(), "1 adopted")
	want(t, "contoso", contoso.must(reconcile.Options{Apply: true, Full: true}), "30 unchanged")
	if account := app.accounts["1"]; account["userName"] != "eve@example.com" || account["active"] != true {
		t.Errorf("eve's account is %v", account)
	}
}

// While it is not decided what to do with an account that is another one now, that account is put
// into no group, and no user refers to it as the manager.
func TestNothingRefersToAnotherAccount(t *testing.T) {
	t.Parallel()
	c, g := teams(t, withManager)
	c.with(func(s *reconcile.Sync) { s.Guard.Identity = count(0) })
	c.app().stranger("4", "Stranger4")
	report := mustRun(t, c, reconcile.Options{Apply: true, Full: true})
	if report.Summary.Held != 1 || report.Held[0].Guard != "identity" {
		t.Fatalf("%s", told(report))
	}
	c.source.join(1, 4)
	c.source.set(1, "manager", strconv.Quote(userID(4).String()))
	for range 2 {
		c.cycle()
	}
	want(t, "members", g.membersOf("Sales"), "ada bob")
	if manager := c.app().accounts["1"]["manager"]; manager != nil {
		t.Errorf("the manager of ada is account %v", manager)
	}
	c.stored().approve()
	for range 2 {
		c.cycle()
	}
	want(t, "members, when it is decided", g.membersOf("Sales"), "ada bob dan")
	want(t, "the manager of ada", fmt.Sprint(c.app().accounts["1"]["manager"]), "map[value:5]")
}

// withManager has a sync write who the manager is.
func withManager(s *reconcile.Sync) {
	mapped(s, []string{"userName"}, mapping.Spec{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
		mapping.Spec{Path: "displayName", Expr: "[displayName]"}, mapping.Spec{Path: "manager", Expr: "[manager]"})
}
