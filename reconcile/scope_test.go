package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/scope"
)

// passing has a sync take users whose department is Sales.
func passing(t *testing.T, operator, value string) func(*reconcile.Sync) {
	t.Helper()
	filter, faults := scope.Compile([][]scope.Clause{{{Attribute: "department", Operator: operator, Value: value}}}, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return func(s *reconcile.Sync) { s.Scope.Filter = filter }
}

// Who has an account and is not to have one any more, or the other way round, by each cause.
func TestScopeDecisions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change  func(*reconcile.Sync)
		happens func(d *directory)
		does    string
	}{
		"disabled":                 {nil, func(d *directory) { d.disable(1) }, "1 deactivated, 1 unchanged"},
		"deleted":                  {nil, func(d *directory) { d.leaveAll("Ada") }, "1 deactivated, 1 unchanged"},
		"purged":                   {nil, func(d *directory) { d.gone("ada@example.com", graphsync.Purged) }, "1 deactivated, 1 unchanged"},
		"a guest":                  {func(s *reconcile.Sync) { s.Scope.Guests = false }, func(d *directory) { d.set(1, "userType", `"Guest"`) }, "1 deactivated, 1 unchanged"},
		"a guest, who is in scope": {nil, func(d *directory) { d.set(1, "userType", `"Guest"`) }, "2 unchanged"},
		"accountEnabled is null":   {nil, func(d *directory) { d.set(1, "accountEnabled", "null") }, "2 unchanged, skipped ada@example.com: source_incomplete"},
		"a new user without accountEnabled": {nil, func(d *directory) {
			d.person(3, "cyd@example.com", "Cyd")
			d.set(3, "accountEnabled", "")
			d.pending = d.pending[len(d.pending)-1:]
		}, "2 unchanged, skipped cyd@example.com: source_incomplete"},
		"a new user who is disabled": {nil, func(d *directory) {
			d.person(3, "cyd@example.com", "Cyd")
			d.disable(3)
		}, "2 unchanged"},
		"a user the mapping cannot be worked out for": {nil, func(d *directory) { d.set(1, "userPrincipalName", "null") }, "2 unchanged, skipped ada@example.com: required_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := linked(t, test.change, "Ada", "Bob")
			test.happens(c.source)
			want(t, "decided", c.cycle(), test.does)
		})
	}
}

// The scoping filter decides; one that cannot judge a value removes nobody.
func TestScopingFilter(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = passing(t, "EQUALS", "Sales")
	c.source.hire("Ada", "Bob", "Cyd")
	c.source.set(1, "department", `"Sales"`)
	c.source.set(2, "department", `"IT"`)
	want(t, "first cycle", c.cycle(), "1 created")
	c.source.set(2, "department", `"Sales"`)
	want(t, "bob moves", c.cycle(), "1 created, 1 unchanged")
	c.source.set(1, "department", `"IT"`)
	want(t, "ada moves", c.cycle(), "1 deactivated, 1 unchanged")
	c.source.set(1, "department", `"Sales"`)
	want(t, "and back", c.cycle(), "1 reactivated, 1 unchanged")
	c.change = configured(passing(t, "GREATER_THAN", "3"), func(s *reconcile.Sync) { s.Text = "numbers" })
	got := c.cycle()
	if !strings.Contains(got, "skipped ada@example.com: filter_invalid") || strings.Contains(got, "deactivated") {
		t.Errorf("a filter that cannot judge: %s", got)
	}
	want(t, "accounts", c.app().String(), "ada=Ada bob=Bob")
}

// Users and groups that the configuration excludes have no account.
func TestExcluded(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = func(s *reconcile.Sync) {
		s.Scope.ExcludeUsers, s.Scope.ExcludeGroups = []string{"BOB@example.com"}, []string{"external"}
	}
	c.source.hire("Ada", "Bob", "Cyd")
	c.source.team(1, "External", 3)
	want(t, "first cycle", c.cycle(), "1 created")
	c.source.leave(1, 3)
	want(t, "cyd leaves the group", c.cycle(), "1 created, 1 unchanged")
	c.source.join(1, 1)
	want(t, "ada joins it", c.cycle(), "1 deactivated, 1 unchanged")
}

// Members of included groups have an account, by the groups' names as they are now.
func TestIncluded(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = func(s *reconcile.Sync) { s.Scope.IncludeGroups = desired.GroupList{"app-*"} }
	c.source.hire("Ada", "Bob", "Cyd")
	c.source.team(1, "App-CRM", 1)
	c.source.team(2, "Sales", 2)
	want(t, "first cycle", c.cycle(), "1 created")
	c.source.join(1, 3)
	want(t, "cyd joins", c.cycle(), "1 created, 1 unchanged")
	c.source.leave(1, 3)
	want(t, "and leaves", c.cycle(), "1 deactivated, 1 unchanged")
	c.source.team(2, "app-Sales", 2)
	want(t, "a group gets the name", c.cycle(), "1 created, 2 unchanged")
	c.source.team(1, "CRM", 1)
	want(t, "a group loses it", c.cycle(), "1 deactivated, 2 unchanged")
	want(t, "accounts", c.app().String(), "!ada=Ada !cyd=Cyd bob=Bob")
}

// A leaver is switched off at once and deleted when the time of on_remove has come, not before;
// one who comes back is switched on.
func TestDeletionWhenTheTimeHasCome(t *testing.T) {
	t.Parallel()
	c := linked(t, func(s *reconcile.Sync) {
		s.Users.OnRemove = desired.OnRemove{Do: plan.Deactivate, After: 72 * time.Hour}
	}, "Ada", "Bob", "Cyd")
	c.source.leaveAll("Ada", "Bob")
	want(t, "they leave", c.cycle(), "2 deactivated, 1 unchanged")
	for day := range 2 {
		c.service.now = c.now.Add(24*time.Hour - 30*time.Minute)
		want(t, "waiting", c.cycle(), "3 unchanged")
		if day == 0 {
			c.source.comeBack(2)
			want(t, "bob is back", c.cycle(), "1 reactivated, 2 unchanged")
		}
	}
	c.service.now = c.now.Add(24*time.Hour + time.Minute)
	want(t, "the time has come", c.cycle(), "1 deleted, 2 unchanged")
	want(t, "accounts", c.app().String(), "bob=Bob cyd=Cyd")
	for range 3 {
		c.service.now = c.now.Add(96 * time.Hour)
		want(t, "afterwards", c.cycle(), "2 unchanged")
	}
}

// Where leavers are deactivated they are never deleted, and where nothing is to be done nothing is.
func TestOnRemove(t *testing.T) {
	t.Parallel()
	for do, test := range map[plan.Op]struct{ told, accounts string }{
		plan.Deactivate: {"1 deactivated, 1 unchanged", "!ada=Ada bob=Bob"},
		plan.Delete:     {"1 deleted, 1 unchanged", "bob=Bob"},
		"":              {"2 unchanged", "ada=Ada bob=Bob"},
	} {
		t.Run(string(do), func(t *testing.T) {
			t.Parallel()
			c := linked(t, func(s *reconcile.Sync) { s.Users.OnRemove.Do = do }, "Ada", "Bob")
			c.source.leaveAll("Ada")
			want(t, "ada leaves", c.cycle(), test.told)
			for range 3 {
				c.service.now = c.now.Add(31 * 24 * time.Hour)
				c.must(reconcile.Options{Apply: true, Full: true})
				want(t, "accounts", c.app().String(), test.accounts)
			}
		})
	}
}

// A deactivation writes nothing but active: what Entra says of a deleted user may be leftovers.
func TestDeactivationWritesActiveAlone(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.source.person(1, "deleted-prefix-ada@example.com", "Deleted Ada")
	c.source.disable(1)
	want(t, "ada leaves", c.cycle(), "1 deactivated, 1 unchanged")
	account := c.app().accounts["1"]
	if account["userName"] != "ada@example.com" || account["displayName"] != "Ada" {
		t.Errorf("%v", account)
	}
	c.source.person(1, "ada.new@example.com", "Ada New")
	c.source.disable(1)
	want(t, "an inactive account is not updated", c.cycle(), "2 unchanged")
	c.source.person(1, "ada.new@example.com", "Ada New")
	want(t, "back", c.cycle(), "1 reactivated, 1 unchanged")
	want(t, "accounts", c.app().String(), "ada.new=Ada New bob=Bob")
}

// Two new users with one matching value both get no account; one who wants the name of a linked
// user does not either, until that one is gone and switched off.
func TestOneNameTwoUsers(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.source.person(3, "cyd@example.com", "Cyd")
	c.source.person(4, "CYD@example.com", "Other Cyd")
	c.source.person(5, "ADA@example.com", "Other Ada")
	got := c.cycle()
	for _, part := range []string{"2 unchanged", "skipped cyd@example.com: duplicate_source", "skipped ada@example.com: duplicate_source"} {
		if !strings.Contains(got, part) {
			t.Errorf("%s\nlacks %s", got, part)
		}
	}
	want(t, "accounts", c.app().String(), "ada=Ada bob=Bob")
	c.source.person(4, "dan@example.com", "Dan")
	if got := c.cycle(); !strings.Contains(got, "2 created") && !strings.Contains(got, "1 created") {
		t.Errorf("one has another name: %s", got)
	}
	c.cycle()
	want(t, "accounts", strings.Join(strings.Fields(c.app().String())[:2], " "), "ada=Ada bob=Bob")
	if text := c.app().String(); !strings.Contains(text, "cyd=Cyd") || !strings.Contains(text, "dan=Dan") {
		t.Errorf("accounts: %s", text)
	}
	c.source.disable(1) // still there: the name is not free
	c.cycle()
	if strings.Contains(c.app().String(), "Other Ada") {
		t.Error("the account or the name of a disabled user was given to another")
	}
}

// An incomplete read of assignments deactivates no user: a row that one reading leaves out may be
// of a replica that lags behind.
func TestAssignmentMissingFromOneReading(t *testing.T) {
	t.Parallel()
	c := staffed(t, 2, 2, guard.Guard{})
	sales := groupID(1)
	for name, lag := range map[string]func(reading int) bool{
		"left out once":                     func(reading int) bool { return reading == 1 },
		"left out of each, but it is there": func(int) bool { return true },
	} {
		c.source.readings, c.source.lag = 0, func(reading int, row graphsync.ID) bool { return lag(reading) && row == sales }
		want(t, name, c.cycle(), "4 unchanged")
		want(t, name+", again", c.cycle(), "4 unchanged")
	}
	c.source.lag = nil
	want(t, "and there again", c.cycle(), "4 unchanged")
	want(t, "accounts", c.app().String(), "p1=P1 p2=P2 p3=P3 p4=P4")
}

// Who is gone is asked for until Graph answers: when it does not, the next cycle asks, though it
// reads only what changed.
func TestAbsenceIsAskedForAgain(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob", "Cyd")
	c.source.removed[userID(1)] = graphsync.Purged // no page reports it: a new round leaves her out
	c.source.presence = func() error { return &graphsync.Error{Class: graphsync.Transient, Message: "try later"} }
	if _, err := c.run(reconcile.Options{Apply: true, Full: true}); err == nil {
		t.Fatal("the absence was not asked for")
	}
	want(t, "accounts", c.app().String(), "ada=Ada bob=Bob cyd=Cyd")
	c.source.presence = nil
	c.source.person(2, "bob@example.com", "New Bob")
	c.cycle()
	want(t, "accounts", c.app().String(), "!ada=Ada bob=New Bob cyd=Cyd")
}
