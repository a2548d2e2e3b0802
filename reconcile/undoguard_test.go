package reconcile_test

import (
	"strings"
	"testing"

	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/undo"
	"entrasync/target"
)

// A membership that changed again since is left alone and named; the others are put back.
func TestUndoLeavesMembershipsThatChangedSince(t *testing.T) {
	t.Parallel()
	c, g := teams(t)
	c.source.join(1, 3, 4)
	wrong := mustRun(t, c, reconcile.Options{Apply: true})
	want(t, "the run", g.membersOf("Sales"), "ada bob cyd dan")
	c.source.leave(1, 3)
	c.cycle()
	c.source.join(1, 3)
	c.cycle()
	want(t, "there and back", g.membersOf("Sales"), "ada bob cyd dan")
	report := c.mustUndo(wrong.Run)
	want(t, "the undo", g.membersOf("Sales"), "ada bob cyd")
	if len(report.Skipped) != 1 || report.Skipped[0].Code != "changed_since" || !strings.Contains(report.Skipped[0].Why, "the membership of group Sales has changed since") {
		t.Errorf("skipped %+v", report.Skipped)
	}
}

// A redacted value is in no log, so it is not put back: the undo says so and writes no stand-in for it.
func TestUndoOfRedactedValues(t *testing.T) {
	t.Parallel()
	m, faults := mapping.New(target.User, []mapping.Spec{
		{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
		{Path: "active", Expr: "Not([IsSoftDeleted])"},
		{Path: "nickName", Expr: "[displayName]", Redact: true},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	c := linked(t, func(s *reconcile.Sync) { s.Users.Mapping = m }, "Ada", "Bob")
	c.source.person(1, "ada@example.com", "Ada Wrong")
	wrong := mustRun(t, c, reconcile.Options{Apply: true})
	want(t, "the run", told(wrong), "1 updated, 1 unchanged")
	before := c.app().String()
	report := c.mustUndo(wrong.Run)
	want(t, "the undo", told(report), "2 unchanged, skipped ada@example.com: cannot_undo")
	want(t, "the application", c.app().String(), before)
	if name := c.app().accounts[c.links().accountOf(1)]["nickName"]; name != "Ada Wrong" {
		t.Errorf("the account has the name %v", name)
	}
}

// While the target is another application than the one that was changed, nothing is undone there.
func TestUndoInAnotherApplication(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.source.person(1, "ada@example.com", "Ada Wrong")
	wrong := mustRun(t, c, reconcile.Options{Apply: true})
	other := newApplication()
	for _, name := range []string{"ada", "bob"} {
		other.seed(name + "@example.com")
	}
	c.apps["https://two"], c.places["people"] = other, "https://two"
	before := other.String()
	clear(other.asked)
	_, err := c.undo(reconcile.Options{Apply: true, Undo: &undo.Request{Run: wrong.Run}})
	if err == nil || !strings.Contains(err.Error(), "the target is another application than in the last complete cycle") {
		t.Errorf("undone: %v", err)
	}
	want(t, "the other application", other.String(), before)
	for method, n := range other.asked {
		if method == "update" || method == "create" || method == "delete" {
			t.Errorf("%d calls of %s", n, method)
		}
	}
}

// An account that another customer has linked since is not linked again by undoing the undo of its adoption.
func TestUndoLinksNoAccountOfAnother(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c, other := s.customer("contoso"), s.customer("fabrikam")
	c.source.hire("Bob")
	c.cycle()
	account := s.app().seed("ada@example.com")
	c.source.person(2, "ada@example.com", "Ada")
	adoption := mustRun(t, c, reconcile.Options{Apply: true})
	want(t, "the adoption", told(adoption), "1 adopted, 1 unchanged")
	undone := c.mustUndo(adoption.Run)
	other.source.person(7, "ada@example.com", "Another Ada")
	want(t, "the other customer", other.cycle(), "1 adopted")
	want(t, "its account", other.links().accountOf(7), account)
	before := s.app().String()

	for _, apply := range []bool{false, true} {
		report, err := c.undo(reconcile.Options{Apply: apply, Undo: &undo.Request{Run: undone.Run}})
		if err != nil {
			t.Fatal(err)
		}
		if report.Summary.Adopt != 0 || len(report.Skipped) != 1 {
			t.Errorf("applied %t: %+v, skipped %+v", apply, report.Summary, report.Skipped)
		}
	}
	want(t, "the link", c.links().accountOf(2), "")
	want(t, "the application", s.app().String(), before)
}

// An account that carries the id of another user by now is left alone, although it shows what the run wrote.
func TestUndoLeavesAccountsOfOthers(t *testing.T) {
	t.Parallel()
	s, c := people(t, 30, mapsExternalID(t))
	c.source.person(1, "user1@example.com", "Wrong")
	wrong := mustRun(t, c, reconcile.Options{Apply: true})
	account := c.links().accountOf(1)
	s.app().byHand(account, "externalId", userID(999).String())
	report := c.mustUndo(wrong.Run)
	if report.Summary.Changes() != 0 || len(report.Skipped) != 1 || !strings.Contains(report.Skipped[0].Why, "is another one in the target now") {
		t.Errorf("%+v, skipped %+v", report.Summary, report.Skipped)
	}
	want(t, "the name", s.app().accounts[account]["displayName"].(string), "Wrong")
}
