package reconcile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/mapping"
	"entrasync/target"
)

// A list of assignments that ends early, twice, is an error: no user who is not in it is removed.
func TestIncompleteAssignments(t *testing.T) {
	t.Parallel()
	c := staffed(t, 2, 2, guard.Guard{})
	c.source.groups.assigned[groupID(1)] = false
	c.source.short = func() error { return fmt.Errorf("2 of 4 rows: %w", graphsync.ErrIncomplete) }
	if _, err := c.run(reconcile.Options{Apply: true}); !errors.Is(err, graphsync.ErrIncomplete) {
		t.Errorf("the cycle ended with %v", err)
	}
	want(t, "accounts", c.app().String(), "p1=P1 p2=P2 p3=P3 p4=P4")
	c.source.short = nil
	want(t, "read completely", c.cycle(), "2 deactivated, 2 unchanged")
}

// An enterprise application that is disabled ends the cycle: users who are not assigned to it then may
// only have been taken out for the time.
func TestDisabledApplicationIsNotRead(t *testing.T) {
	t.Parallel()
	c := staffed(t, 2, 2, guard.Guard{})
	c.source.groups.assigned[groupID(1)] = false
	c.source.app = func(app *graphsync.App) { app.Enabled = false }
	_, err := c.run(reconcile.Options{Apply: true})
	if failure := (*graphsync.Error)(nil); !errors.As(err, &failure) || failure.Class != graphsync.AppDisabled {
		t.Errorf("the cycle ended with %v", err)
	}
	want(t, "accounts", c.app().String(), "p1=P1 p2=P2 p3=P3 p4=P4")
}

// A delta link that Graph refuses begins one new round, in the same cycle; one that is refused again
// and again ends it.
func TestRefusedDeltaLink(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	refused := func(stream graphsync.Stream, link string) error {
		if link != "" {
			return fmt.Errorf("410: %w", graphsync.ErrResync)
		}
		return nil
	}
	c.source.person(1, "ada@example.com", "New Ada")
	c.source.refuse, c.source.asked = refused, nil
	want(t, "refused once", c.cycle(), "1 updated, 1 unchanged")
	want(t, "pages", strings.Join(c.source.asked, ", "), "users delta, users ")
	c.source.refuse = func(graphsync.Stream, string) error { return fmt.Errorf("410: %w", graphsync.ErrResync) }
	c.source.asked = nil
	if _, err := c.run(reconcile.Options{Apply: true}); !errors.Is(err, graphsync.ErrResync) || len(c.source.asked) > 4 {
		t.Errorf("refused for ever: %v, %q", err, c.source.asked)
	}
}

// A delta link tracks the properties that its round selected: when others are needed, a new round is
// read, and what it brings is taken over.
func TestOtherPropertiesAreReadAgain(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.source.set(1, "department", `"Sales"`)
	c.cycle()
	c.source.asked = nil
	c.with(func(s *reconcile.Sync) {
		mapped(s, []string{"userName"}, mapping.Spec{Path: "userName", Expr: "ToLower([userPrincipalName])"}, mapping.Spec{Path: "displayName", Expr: "[department]"})
	})
	c.cycle()
	want(t, "pages", strings.Join(c.source.asked, ", "), "users ")
	if text := c.app().String(); !strings.Contains(text, "ada=Sales") {
		t.Errorf("accounts: %s", text)
	}
}

// What changes while a sync is not configured is made up for when it is configured again.
func TestSyncThatWasAway(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.sync = "visitors"
	c.source.person(1, "ada@example.com", "New Ada")
	c.partial(reconcile.Options{Apply: true})
	want(t, "accounts, of another sync", c.app().String(), "ada=Ada bob=Bob")
	c.sync = "people"
	want(t, "configured again", c.cycle(), "1 updated, 1 unchanged")
}

// The sweep of a full round ends when the members that it left out have been asked for too: a group
// that could not be asked for is asked for by the next cycle.
func TestMembersAreAskedForAgain(t *testing.T) {
	t.Parallel()
	c := staffed(t, 2, 2, guard.Guard{})
	delete(c.source.groups.members[groupID(1)], userID(1)) // no page reports it: a new round leaves her out
	c.source.unread = func(graphsync.ID) error {
		return &graphsync.Error{Class: graphsync.Transient, Message: "try later"}
	}
	if _, err := c.run(reconcile.Options{Apply: true, Full: true}); err == nil {
		t.Fatal("the members were not asked for")
	}
	want(t, "accounts", c.app().String(), "p1=P1 p2=P2 p3=P3 p4=P4")
	c.source.unread = nil
	want(t, "asked for again", c.cycle(), "1 deactivated, 3 unchanged")
}

// A group inside an assigned one gives access to its members only where nested groups are asked for;
// a deleted group gives none, and takes away what it gave.
func TestNestedAndDeletedGroups(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		nested         bool
		first, deleted string
	}{
		"direct members alone": {false, "1 created", "1 deactivated"},
		"nested groups":        {true, "2 created", "2 deactivated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.change = func(s *reconcile.Sync) { s.Scope.All, s.Scope.Nested, s.AppID = false, test.nested, "app" }
			c.source.hire("Ada", "Bob", "Cyd")
			c.source.team(1, "Sales", 1)
			c.source.team(2, "Field", 2)
			c.source.groups.assigned[groupID(2)] = false
			c.source.groups.inside = map[graphsync.ID]graphsync.ID{groupID(2): groupID(1)}
			want(t, "first cycle", c.cycle(), test.first)
			// The assignment is still in Graph's list.
			c.source.groups.pending = append(c.source.groups.pending, graphsync.Change{Kind: graphsync.Group, ID: groupID(1), Removed: graphsync.SoftDeleted})
			want(t, "the group is deleted", c.cycle(), test.deleted)
		})
	}
}

// An app role that the application has disabled is given to no user.
func TestDisabledRole(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	admin := graphsync.ID{0xad}
	c.change = func(s *reconcile.Sync) {
		s.Scope.All, s.AppID = false, "app"
		mapped(s, []string{"userName"}, mapping.Spec{Path: "userName", Expr: "ToLower([userPrincipalName])"},
			mapping.Spec{Path: "displayName", Expr: `Coalesce(SingleAppRoleAssignment([appRoleAssignments]), "none")`})
	}
	c.source.hire("Ada")
	c.source.team(1, "Sales", 1)
	c.source.groups.roles = map[graphsync.ID]graphsync.ID{groupID(1): admin}
	enabled := true
	c.source.app = func(app *graphsync.App) {
		app.Roles = []graphsync.AppRole{{ID: admin, Value: "Admin", Name: "Administrator", Enabled: enabled}}
	}
	want(t, "first cycle", c.cycle(), "1 created")
	want(t, "accounts", c.app().String(), "ada=Admin")
	enabled = false
	want(t, "the role is disabled", c.cycle(), "1 updated")
	want(t, "accounts", c.app().String(), "ada=none")
}

// A mapping of active decides like the directory: no user gets an account that would be off, and an
// account that is off is not kept in step.
func TestMappingOfActive(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = func(s *reconcile.Sync) {
		m, faults := mapping.New(target.User, []mapping.Spec{
			{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
			{Path: "active", Expr: `Switch([department], "True", "Gone", "False")`},
			{Path: "displayName", Expr: "[displayName]"},
		})
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		s.Users.Mapping = m
	}
	c.source.hire("Ada", "Bob", "Cyd")
	for n := range 3 {
		c.source.set(n+1, "department", `"Here"`)
	}
	c.source.set(3, "department", `"Gone"`)
	want(t, "first cycle", c.cycle(), "2 created")
	c.source.set(1, "department", `"Gone"`)
	want(t, "ada goes", c.cycle(), "1 deactivated, 1 unchanged")
	want(t, "accounts", c.app().String(), "!ada=Ada bob=Bob")
	c.source.set(1, "displayName", `"New Ada"`)
	want(t, "an account that is off", c.cycle(), "2 unchanged")
	want(t, "accounts", c.app().String(), "!ada=Ada bob=Bob")
	c.source.set(1, "department", `"Here"`)
	want(t, "and back", c.cycle(), "1 reactivated, 1 unchanged")
	want(t, "accounts", c.app().String(), "ada=New Ada bob=Bob")
}

// An object that an expression says to ignore is neither created nor changed nor removed.
func TestIgnoredObject(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = func(s *reconcile.Sync) {
		mapped(s, []string{"userName"}, mapping.Spec{Path: "userName", Expr: "ToLower([userPrincipalName])"},
			mapping.Spec{Path: "displayName", Expr: "[displayName]"},
			mapping.Spec{Path: "title", Expr: `IIF([department]="Robots", IgnoreObjectFlow, [jobTitle])`})
	}
	c.source.hire("Ada", "Bob")
	c.source.set(2, "department", `"Robots"`)
	want(t, "first cycle", c.cycle(), "1 created, skipped bob@example.com: ignored")
}
