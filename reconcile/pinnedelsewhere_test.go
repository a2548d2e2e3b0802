package reconcile_test

import (
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
)

// The memberships of a pinned user stay as they are, in groups that others join and leave; unpinned, they follow.
func TestMembershipsOfAPinnedUser(t *testing.T) {
	t.Parallel()
	c, g := teams(t)
	c.links().pin(1, "legal hold")
	c.source.leave(1, 1, 2)
	c.source.join(2, 1, 4)
	for range 2 {
		c.cycle()
		want(t, "a group that two leave", g.membersOf("Sales"), "ada")
		want(t, "a group that two join", g.membersOf("Support"), "cyd dan")
	}
	c.links().unpin(1)
	c.cycle()
	want(t, "unpinned, Sales", g.membersOf("Sales"), "")
	want(t, "unpinned, Support", g.membersOf("Support"), "ada cyd dan")
}

// The link of a pinned user is not broken, and no other account is chosen.
func TestLinkOfAPinnedUser(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	free, account := c.app().seed("free@example.com"), c.links().accountOf(1)
	c.links().pin(1, "legal hold")
	for what, err := range map[string]error{"break": c.links().breakLink(1), "set": c.links().setLink(1, free)} {
		if err == nil || !strings.Contains(err.Error(), "ada@example.com is pinned by grace") {
			t.Errorf("%s: %v", what, err)
		}
	}
	want(t, "the account", c.links().accountOf(1), account)
	c.links().unpin(1)
	if err := c.links().breakLink(1); err != nil {
		t.Errorf("unpinned: %v", err)
	}
}

// The account of a pinned user who left is not handed to another user whom it matches.
func TestAccountOfAPinnedLeaver(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.source.gone("ada@example.com", graphsync.Purged)
	want(t, "Ada leaves", c.cycle(), "1 deactivated, 1 unchanged")
	c.links().pin(1, "legal hold")
	c.source.person(3, "ada@example.com", "Ada the Second")
	before := c.app().String()
	want(t, "the cycle", c.cycle(), "2 unchanged, skipped ada@example.com: pinned")
	want(t, "the account of the new user", c.links().accountOf(3), "")
	want(t, "the application", c.app().String(), before)
}

// An account that carries a user's id, and whose link an operator broke, is not removed when the user is gone.
func TestBrokenLinkIsNoOrphan(t *testing.T) {
	t.Parallel()
	c := named(t, newService(t), 8, "[objectId]")
	c.cycle()
	if err := c.links().breakLink(1); err != nil {
		t.Fatal(err)
	}
	c.source.gone("p1@example.com", graphsync.SoftDeleted)
	before := c.app().String()
	for range 2 {
		want(t, "a full cycle", c.must(reconcile.Options{Apply: true, Full: true}), "7 unchanged")
		want(t, "the application", c.app().String(), before)
	}
}
