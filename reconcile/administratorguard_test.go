package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/target"
)

// The last administrators do not leave, and lose their role, without an answer: those who are
// switched off are none.
func TestLastAdministrators(t *testing.T) {
	t.Parallel()
	filter, err := target.ParseFilter(`displayName sw "Admin"`)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		happens func(d *directory)
		held    string
	}{
		"one of two leaves": {func(d *directory) { d.gone("ada@example.com", graphsync.SoftDeleted) }, ""},
		"both leave": {func(d *directory) {
			d.gone("ada@example.com", graphsync.SoftDeleted)
			d.gone("bob@example.com", graphsync.SoftDeleted)
		}, "deactivate ada@example.com deactivate bob@example.com"},
		"one of two is no longer one": {func(d *directory) { d.person(1, "ada@example.com", "Ada") }, ""},
		"both are no longer": {func(d *directory) {
			d.person(1, "ada@example.com", "Ada")
			d.person(2, "bob@example.com", "Bob")
		}, "update ada@example.com update bob@example.com"},
		"another user leaves": {func(d *directory) { d.gone("dan@example.com", graphsync.SoftDeleted) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.change = guarded(guard.Guard{Administrators: &filter})
			c.source.person(1, "ada@example.com", "Admin Ada")
			c.source.person(2, "bob@example.com", "Admin Bob")
			c.source.person(3, "cyd@example.com", "Admin Cyd")
			c.source.person(4, "dan@example.com", "Dan")
			want(t, "first cycle", c.cycle(), "4 created")
			c.source.gone("cyd@example.com", graphsync.SoftDeleted)
			want(t, "one of three leaves", c.cycle(), "1 deactivated, 3 unchanged")
			test.happens(c.source)
			report, err := c.run(reconcile.Options{Apply: true})
			if err != nil {
				t.Fatal(err)
			}
			var held []string
			for _, h := range report.Held {
				if h.Guard != "administrator" {
					t.Errorf("held by %s", h.Guard)
				}
				held = append(held, fmt.Sprintf("%s %s", h.Action.Op, h.Action.Key))
			}
			want(t, "held", strings.Join(held, " "), test.held)
		})
	}
}

// An administrator whose account has been off for a time is lost no more by its deletion, when one
// is left.
func TestDeletionOfAFormerAdministrator(t *testing.T) {
	t.Parallel()
	filter, err := target.ParseFilter(`displayName sw "Admin"`)
	if err != nil {
		t.Fatal(err)
	}
	c := newService(t).customer("contoso")
	c.change = configured(guarded(guard.Guard{Administrators: &filter}), func(s *reconcile.Sync) { s.Users.OnRemove.After = 24 * time.Hour })
	c.source.person(1, "ada@example.com", "Admin Ada")
	c.source.person(2, "bob@example.com", "Admin Bob")
	want(t, "first cycle", c.cycle(), "2 created")
	c.source.leaveAll("Ada")
	want(t, "one of two leaves", c.cycle(), "1 deactivated, 1 unchanged")
	c.service.now = c.now.Add(25 * time.Hour)
	want(t, "its account is deleted", c.cycle(), "1 deleted, 1 unchanged")
}
