package reconcile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/undo"
)

// listed puts a list of links in short: name, state and account of each.
func (h hands) listed(filter reconcile.LinkFilter) string {
	h.c.t.Helper()
	var list []string
	h.c.syncing(func(s *reconcile.Syncer) {
		err := reconcile.ListLinks(context.Background(), s.Sync, s.Tenant, filter, func(o *reconcile.LinkedObject) error {
			name, _, _ := strings.Cut(o.Key, "@")
			account := "-"
			if o.TargetID != nil {
				account = *o.TargetID
			}
			list = append(list, fmt.Sprintf("%s %s %s", name, o.State, account))
			return nil
		})
		if err != nil {
			h.c.t.Fatal(err)
		}
	})
	return strings.Join(list, ", ")
}

// Each filter lists what it names and nothing else, without a call to the application; several are alternatives.
func TestListLinks(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob", "Cyd", "Dan", "Eve")
	c.source.leaveAll("Eve")
	for range 2 {
		c.app().seed("fay@example.com")
	}
	c.source.person(6, "fay@example.com", "Fay")
	want(t, "the cycle", c.partial(reconcile.Options{Apply: true}), "1 deactivated, 4 unchanged, skipped fay@example.com: ambiguous_match")
	c.links().pin(1, "legal hold")
	if err := c.links().breakLink(2); err != nil {
		t.Fatal(err)
	}
	free := c.app().seed("free@example.com")
	if err := c.links().setLink(3, free); err != nil {
		t.Fatal(err)
	}
	clear(c.app().asked)
	for name, tt := range map[string]struct {
		filter reconcile.LinkFilter
		want   string
	}{
		"all":               {reconcile.LinkFilter{}, "ada active 1, bob none -, cyd none -, dan active 4, eve inactive 5, fay none -"},
		"pinned":            {reconcile.LinkFilter{Pinned: true}, "ada active 1"},
		"broken":            {reconcile.LinkFilter{Broken: true}, "bob none -, cyd none -"},
		"chosen":            {reconcile.LinkFilter{Chosen: true}, "cyd none -"},
		"ambiguous":         {reconcile.LinkFilter{Ambiguous: true}, "fay none -"},
		"inactive":          {reconcile.LinkFilter{Inactive: true}, "eve inactive 5"},
		"orphaned":          {reconcile.LinkFilter{Orphaned: true}, ""},
		"mismatch":          {reconcile.LinkFilter{Mismatch: true}, ""},
		"pinned and chosen": {reconcile.LinkFilter{Pinned: true, Chosen: true}, "ada active 1, cyd none -"},
	} {
		want(t, name, c.links().listed(tt.filter), tt.want)
	}
	want(t, "calls", fmt.Sprint(c.app().asked), "map[]")
}

// One link is shown with what was applied and what was decided; of an unknown object there is nothing to show.
func TestShowLink(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada")
	c.links().pin(1, "legal hold")
	c.syncing(func(s *reconcile.Syncer) {
		shown, err := reconcile.ShowLink(s.Sync, s.Tenant, graphsync.User, userID(1))
		if err != nil || shown == nil {
			t.Fatalf("%v, %v", shown, err)
		}
		if *shown.TargetID != "1" || shown.State != reconcile.LinkActive || shown.Adopted || shown.LastOp != "create" || shown.Pinned == nil || shown.Pinned.Reason != "legal hold" {
			t.Errorf("shown: %+v", shown)
		}
		if name, _ := shown.Applied["displayName"].(json.RawMessage); string(name) != `"Ada"` {
			t.Errorf("applied: %v", shown.Applied)
		}
		if shown, err := reconcile.ShowLink(s.Sync, s.Tenant, graphsync.User, userID(7)); shown != nil || err != nil {
			t.Errorf("an unknown user: %+v, %v", shown, err)
		}
	})
}

// What is to be undone is found by run, by the newest run, by user and by time, and only in the sync that did it.
func TestFindUndo(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.source.person(1, "ada@example.com", "Ada B")
	first := mustRun(t, c, reconcile.Options{Apply: true})
	c.source.person(2, "bob@example.com", "Bob B")
	second := mustRun(t, c, reconcile.Options{Apply: true})
	c.cycle() // does nothing
	c.syncing(func(s *reconcile.Syncer) {
		for name, tt := range map[string]struct {
			asked undo.Request
			run   string // that is found
			found bool
		}{
			"a run":            {undo.Request{Run: first.Run}, first.Run, true},
			"the newest":       {undo.Request{Run: reconcile.LatestRun}, second.Run, true},
			"a user's newest":  {undo.Request{Kind: graphsync.User, Object: userID(1)}, first.Run, true},
			"since a time":     {undo.Request{Since: c.now.Add(-24 * time.Hour)}, "", true},
			"since just now":   {undo.Request{Since: c.now.Add(time.Hour)}, "", false},
			"an unknown run":   {undo.Request{Run: "r-none"}, "r-none", false},
			"an unknown user":  {undo.Request{Kind: graphsync.User, Object: userID(9)}, "", false},
			"another's change": {undo.Request{Run: first.Run, Kind: graphsync.User, Object: userID(2)}, first.Run, false},
		} {
			got, found, err := reconcile.FindUndo(context.Background(), s.Sync, s.Tenant, tt.asked)
			if err != nil || found != tt.found || got.Run != tt.run {
				t.Errorf("%s: run %q (%t), %v, want %q (%t)", name, got.Run, found, err, tt.run, tt.found)
			}
		}
		other := *s.Sync
		other.Name = "other"
		if _, found, err := reconcile.FindUndo(context.Background(), &other, s.Tenant, undo.Request{Run: first.Run}); found || err != nil {
			t.Errorf("another sync: %t, %v", found, err)
		}
	})
}
