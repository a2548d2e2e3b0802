package reconcile_test

import (
	"context"
	"strings"
	"testing"

	"entrasync/reconcile"
	"entrasync/target"
)

// A searcher is an application that shows every account as active and lets one find out which are off.
type searcher struct{ *stubborn }

func (s *searcher) SwitchedOff(_ context.Context, shown *target.Resource) (bool, error) {
	return s.accounts[shown.ID]["active"] == false, nil
}

// An account that is shown as active and is off is no account that could not be switched off. One that
// was switched on by hand is found by a complete compare all the same.
func TestShownActiveAndOff(t *testing.T) {
	t.Parallel()
	app := &stubborn{shows: true}
	c := stubbornStaff(t, 20, app)
	c.apps["https://one"] = &searcher{app}
	c.source.disable(1, 2)
	want(t, "two leave", c.applied(reconcile.Options{}), "ok, 2 deactivated, 18 unchanged")
	written := app.asked["update"]
	for range 2 {
		want(t, "a complete compare", c.applied(reconcile.Options{Full: true}), "ok, 20 unchanged")
	}
	if app.asked["update"] != written {
		t.Errorf("%d more updates were sent", app.asked["update"]-written)
	}
	for _, account := range app.accounts {
		if strings.HasPrefix(account["userName"].(string), "p1@") {
			account["active"] = true
		}
	}
	want(t, "one was switched on by hand", c.applied(reconcile.Options{Full: true}), "ok, 1 deactivated, 19 unchanged")
	for _, account := range app.accounts {
		if name := account["userName"].(string); (name == "p1@example.com" || name == "p2@example.com") != (account["active"] == false) {
			t.Errorf("%s is active: %v", name, account["active"])
		}
	}
}

// An application that works out from a user's groups whether the user can sign in gives a leaver the
// account back when a membership changes. It is switched off again.
func TestLeaverStaysOffWhenMembershipsChange(t *testing.T) {
	t.Parallel()
	c, g := teams(t)
	g.before = func(call, about string) error {
		if call == "join" || call == "leave" {
			g.accounts[about]["active"] = true
		}
		return nil
	}
	c.source.disable(2)
	c.cycle()
	c.source.leave(1, 2)
	c.source.join(2, 2)
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil || len(report.Errors) > 0 {
		t.Fatal(err, report.Errors)
	}
	if g.accounts["2"]["active"] != false {
		t.Errorf("Bob's account is %v", g.accounts["2"])
	}
	if notes := strings.Join(report.Notes, "\n"); !strings.Contains(notes, "(bob@example.com) was off and was switched on by a change of its memberships; it was switched off again") {
		t.Errorf("the notes are %q", notes)
	}
	want(t, "nothing is left to do", c.cycle(), "6 unchanged")
}
