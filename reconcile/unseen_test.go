package reconcile_test

import (
	"context"
	"testing"

	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/scope"
	"entrasync/target"
)

// A blind application takes changes and finds accounts by a value, but shows none by its id.
type blind struct{ app *application }

func (b blind) Probe(ctx context.Context, paths map[target.Kind][]target.Path) (*target.Profile, error) {
	return b.app.Probe(ctx, paths)
}

func (b blind) Find(ctx context.Context, kind target.Kind, by target.Path, value string) ([]target.Resource, error) {
	return b.app.Find(ctx, kind, by, value)
}

func (b blind) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	return b.app.Create(ctx, kind, attributes)
}

func (b blind) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	return b.app.Update(ctx, ref, attributes)
}

func (b blind) Delete(ctx context.Context, ref target.Ref) error { return b.app.Delete(ctx, ref) }

// Where the application cannot show whether an account is protected, none is changed.
func TestProtectedWhereNothingIsShown(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.through = func(a *application) target.Adapter { return blind{a} }
	c.change = protected(t, `displayName eq "Owner"`)
	c.source.hire("Ada", "Bob")
	want(t, "first cycle", c.cycle(), "2 created")
	c.app().accounts["1"]["displayName"] = "Owner"
	c.source.disable(1)
	if _, err := c.run(reconcile.Options{Apply: true}); err == nil {
		t.Error("the cycle ended without an error")
	}
	want(t, "accounts", c.app().String(), "ada=Owner bob=Bob")
}

// A value that the application does not show is no drift: a complete compare leaves it as it was applied.
func TestValueThatIsNotShown(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	for _, account := range c.app().accounts {
		delete(account, "displayName")
	}
	c.app().asked = map[string]int{}
	want(t, "complete compare", c.must(reconcile.Options{Apply: true, Full: true}), "2 unchanged")
	if n := c.app().asked["update"]; n != 0 {
		t.Errorf("%d accounts were written", n)
	}
}

// A leaver whose account disappears between the look at it and its deactivation has left.
func TestLeaverWhoseAccountDisappears(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = withExternalID
	c.source.hire("Ada", "Bob")
	g := c.behindGateway()
	want(t, "first cycle", c.cycle(), "2 created")
	g.before = func(method, about string) error {
		if method == "update" && about == "1" {
			c.app().mu.Lock()
			delete(c.app().taken, "ada@example.com")
			delete(c.app().accounts, "1")
			c.app().mu.Unlock()
			return refusal(target.NotFound, 404)
		}
		return nil
	}
	c.source.disable(1)
	want(t, "the leaver", c.partial(reconcile.Options{Apply: true}), "1 deactivated")
	want(t, "accounts", c.app().String(), "bob=Bob")
}

// A value that depends on the time is worked out in every cycle, though nothing has changed. That is
// no reason to try a record that has failed before its time.
func TestValueOfTheTime(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = func(s *reconcile.Sync) {
		mapped(s, []string{"userName"}, mapping.Spec{Path: "userName", Expr: "ToLower([userPrincipalName])"},
			mapping.Spec{Path: "displayName", Expr: `IIF(DateDiff("d", Now(), CDate([employeeHireDate])) > 0, "soon", "here")`})
	}
	c.source.hire("Ada")
	c.source.set(1, "employeeHireDate", `"2026-11-25T00:00:00Z"`)
	want(t, "first cycle", c.cycle(), "1 created")
	want(t, "the same day", c.cycle(), "1 unchanged")
	want(t, "accounts", c.app().String(), "ada=soon")
	c.service.now = c.now.AddDate(0, 0, 5)
	want(t, "days later", c.cycle(), "1 updated")
	want(t, "accounts", c.app().String(), "ada=here")

	g := c.behindGateway()
	tried := 0
	g.before = func(method, _ string) error {
		if method != "create" {
			return nil
		}
		tried++
		return refusal(target.Rejected, 400)
	}
	c.source.person(2, "bob@example.com", "Bob")
	c.source.set(2, "employeeHireDate", `"2026-11-25T00:00:00Z"`)
	for cycle, want := range []int{1, 2, 2} { // after the second attempt it waits for an hour
		if c.partial(reconcile.Options{Apply: true}); tried != want {
			t.Errorf("cycle %d: tried %d times, want %d", cycle, tried, want)
		}
	}
	g.before = nil
	want(t, "when it is due again", c.cycle(), "1 created, 1 unchanged")
	want(t, "accounts", c.app().String(), "ada=here bob=here")
}

// A group that the filter for groups cannot judge stays as it is, as do its members.
func TestGroupThatTheFilterCannotJudge(t *testing.T) {
	t.Parallel()
	c, g := teams(t)
	filter, faults := scope.Compile([][]scope.Clause{{{Attribute: "displayName", Operator: "GREATER_THAN", Value: "3"}}}, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	c.with(func(s *reconcile.Sync) { s.Groups.Filter, s.Text = filter, "numbers" })
	c.partial(reconcile.Options{Apply: true})
	want(t, "Sales", g.membersOf("Sales"), "ada bob")
	want(t, "Support", g.membersOf("Support"), "cyd")
}
