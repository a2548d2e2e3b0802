package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/target"
)

// teams is a customer whose groups are provisioned: Sales of Ada and Bob, Support of Cyd.
func teams(t *testing.T, change ...func(*reconcile.Sync)) (*customer, *gateway) {
	t.Helper()
	c := newService(t).customer("contoso")
	c.change = configured(append([]func(*reconcile.Sync){withGroups}, change...)...)
	c.source.hire("Ada", "Bob", "Cyd", "Dan")
	c.source.team(1, "Sales", 1, 2)
	c.source.team(2, "Support", 3)
	g := c.behindGateway()
	c.cycle()
	want(t, "Sales", g.membersOf("Sales"), "ada bob")
	want(t, "Support", g.membersOf("Support"), "cyd")
	return c, g
}

// Memberships follow the directory, also for accounts that come, go, and are made again.
func TestMembershipsFollow(t *testing.T) {
	t.Parallel()
	c, g := teams(t)
	c.source.join(1, 3, 4)
	c.source.leave(1, 2)
	c.cycle()
	want(t, "joined and left", g.membersOf("Sales"), "ada cyd dan")
	c.source.leaveAll("Ada")
	c.cycle()
	want(t, "a deleted user", g.membersOf("Sales"), "cyd dan")
	c.source.comeBack(1)
	c.cycle()
	want(t, "who is back", g.membersOf("Sales"), "ada cyd dan")
	c.source.person(5, "eve@example.com", "Eve")
	c.source.join(1, 5)
	c.cycle()
	want(t, "a new user", g.membersOf("Sales"), "ada cyd dan eve")
	want(t, "nothing is left to do", c.cycle(), "7 unchanged")
}

// A membership that the application refuses is a failure of that member, is tried again, and keeps
// no other member from being written.
func TestRefusedMemberIsTriedAgain(t *testing.T) {
	t.Parallel()
	for method, user := range map[string]int{"leave": 2, "join": 4} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			c, g := teams(t)
			refused := map[string]string{"leave": "2", "join": "4"}[method]
			g.before = func(call, about string) error {
				if call == method && about == refused {
					return refusal(target.Rejected, 400)
				}
				return nil
			}
			c.source.leave(1, 2)
			c.source.join(1, 3, 4)
			for attempt := range 3 {
				report, err := c.run(reconcile.Options{Apply: true})
				if err != nil || report.Result != reconcile.Partial || len(report.Errors) != 1 || report.Errors[0].Op != plan.Members {
					t.Fatalf("attempt %d, %d: %v, %s", attempt, user, err, summary(report))
				}
				want(t, "members", g.membersOf("Sales"), map[string]string{"leave": "ada bob cyd dan", "join": "ada cyd"}[method])
				c.service.now = c.now.Add(24 * time.Hour)
			}
			g.before = nil
			for range 2 {
				c.service.now = c.now.Add(24 * time.Hour)
				c.cycle()
			}
			want(t, "members when it is healed", g.membersOf("Sales"), "ada cyd dan")
			want(t, "nothing is left to do", c.cycle(), "6 unchanged")
		})
	}
}

// A change of members whose answer was lost is made again, whatever has happened by then.
func TestLostChangeOfMembers(t *testing.T) {
	t.Parallel()
	for _, carriedOut := range []bool{false, true} {
		c, g := teams(t)
		fail := func(method, _ string) error {
			if method == "members" {
				return &target.Error{Code: target.Unavailable, Op: "change members", Message: "no answer", Indeterminate: true, Status: 500}
			}
			return nil
		}
		if g.before = fail; carriedOut {
			g.before, g.after = nil, fail
		}
		c.source.join(1, 4)
		c.source.leave(1, 2)
		c.partial(reconcile.Options{Apply: true})
		g.before, g.after = nil, nil
		c.source.leave(1, 4) // neither is as the lost change had it
		c.source.join(1, 2)
		c.service.now = c.now.Add(24 * time.Hour)
		c.cycle()
		c.service.now = c.now.Add(24 * time.Hour)
		c.cycle()
		want(t, "members", g.membersOf("Sales"), "ada bob")
	}
}

// A change of members that failed as a whole is made again, though no page names the group again.
func TestFailedChangeOfMembers(t *testing.T) {
	t.Parallel()
	c, g := teams(t)
	g.before = func(method, _ string) error {
		if method == "members" {
			return refusal(target.Rejected, 400)
		}
		return nil
	}
	c.source.join(1, 4)
	c.source.leave(1, 2)
	want(t, "refused", c.partial(reconcile.Options{Apply: true}), "6 unchanged, failed to members Sales: target_rejected")
	g.before = nil
	want(t, "healed", c.cycle(), "6 unchanged")
	want(t, "members", g.membersOf("Sales"), "ada dan")
}

// A member that the application refuses may have lost the account: it is read once, and made again when it
// is gone. A refusal for another reason costs no request in later cycles.
func TestRefusedMemberIsRead(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{true, false} {
		c, g := teams(t)
		reads, dan := 0, ""
		for id, account := range g.accounts {
			if strings.HasPrefix(fmt.Sprint(account["userName"]), "dan@") {
				dan = id
			}
		}
		g.before = func(method, about string) error {
			switch {
			case method == "join" && about == dan && (!gone || g.accounts[dan] == nil):
				return refusal(target.Rejected, 400)
			case method == "get" && about == dan:
				reads++
			}
			return nil
		}
		if gone {
			if err := g.application.Delete(t.Context(), target.Ref{Kind: target.User, ID: dan}); err != nil {
				t.Fatal(err)
			}
		}
		c.source.join(1, 4)
		c.partial(reconcile.Options{Apply: true})
		for range 4 {
			c.service.now = c.service.now.Add(25 * time.Hour)
			if _, err := c.run(reconcile.Options{Apply: true}); err != nil {
				t.Fatal(err)
			}
		}
		if members, want := g.membersOf("Sales"), map[bool]string{true: "ada bob dan", false: "ada bob"}[gone]; members != want {
			t.Errorf("account gone %t: members %s, want %s", gone, members, want)
		}
		if !gone && reads != 1 {
			t.Errorf("the account was read %d times, want once", reads)
		}
	}
}

// A member whom the directory has not reported yet is no user of whom anything is concluded.
func TestMemberWhoIsNotKnown(t *testing.T) {
	t.Parallel()
	c, g := teams(t)
	c.source.join(1, 9)
	want(t, "not known yet", c.cycle(), "6 unchanged")
	c.source.person(9, "zoe@example.com", "Zoe")
	want(t, "reported", c.cycle(), "1 created, 6 unchanged")
	want(t, "members", g.membersOf("Sales"), "ada bob zoe")
}

// A group that is no longer assigned is deleted where that is allowed, with all its members; where
// it is not, it keeps them, and they are looked at when it comes back.
func TestGroupOutOfScope(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{true, false} {
		c, g := teams(t, func(s *reconcile.Sync) { s.Groups.Actions[plan.Delete] = allowed })
		c.source.groups.assigned[groupID(1)] = false
		c.source.leave(1, 2)
		for range 3 {
			c.cycle()
		}
		want(t, "members", g.membersOf("Sales"), map[bool]string{true: "", false: "ada bob"}[allowed])
		c.source.groups.assigned[groupID(1)] = true
		for range 2 {
			c.cycle()
		}
		want(t, "members of the group that is back", g.membersOf("Sales"), "ada")
	}
}

// A group of the same name that exists waits for an answer, and its members with it; who is in it
// without being provisioned by this sync stays.
func TestGroupThatExists(t *testing.T) {
	t.Parallel()
	for takeover, test := range map[desired.Takeover]struct{ first, members string }{
		desired.TakeoverHold:  {"held by takeover: adopt Sales", "ada bob zoe"},
		desired.TakeoverSkip:  {"skipped Sales: group_exists", "cyd zoe"},
		desired.TakeoverAdopt: {"1 adopted", "ada bob zoe"},
	} {
		t.Run(string(takeover), func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.source.hire("Ada", "Bob", "Cyd")
			want(t, "users", c.cycle(), "3 created")
			g := c.behindGateway()
			zoe := g.seed("zoe@example.com")
			g.groups["g0"] = &provisionedGroup{attributes: map[string]any{"displayName": "Sales"}, members: []string{"3", zoe}}
			c.change = configured(withGroups, func(s *reconcile.Sync) { s.Groups.Takeover, s.Text = takeover, "groups" })
			c.source.team(1, "Sales", 1, 2)
			report, err := c.run(reconcile.Options{Apply: true})
			if got := summary(report); err != nil || !strings.Contains(got, test.first) {
				t.Errorf("first cycle: %v, %s", err, got)
			}
			if takeover != desired.TakeoverAdopt {
				want(t, "members before an answer", g.membersOf("Sales"), "cyd zoe")
				if report.Summary.Members != 0 {
					t.Errorf("%d changes of members of a group that waits", report.Summary.Members)
				}
			}
			if takeover == desired.TakeoverHold {
				want(t, "what taking it over means", report.Held[0].Action.Notes[0],
					"the group has 2 members: 0 stay, 1 would be removed, 1 are not provisioned by this sync and are left in it")
			}
			for range 2 {
				c.stored().approve()
				c.cycle()
			}
			want(t, "members", g.membersOf("Sales"), test.members)
			if got := c.cycle(); strings.Contains(got, "updated") {
				t.Errorf("it is not at rest: %s", got)
			}
		})
	}
}

// Most members of a group do not leave it without an answer; who joins does not wait for it.
func TestMembersThatLeaveAreHeld(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		guard guard.Guard
		leave []int
		held  string
	}{
		"under the limit":            {guard.Guard{MembersRemoved: count(2)}, []int{1, 2}, ""},
		"over the limit":             {guard.Guard{MembersRemoved: count(1)}, []int{1, 2}, "members_removed"},
		"all, without a limit":       {guard.Guard{}, []int{1, 2, 3}, "empties_group"},
		"all but one, with no limit": {guard.Guard{}, []int{1, 2}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, g := teams(t, guarded(test.guard))
			c.source.join(1, 3)
			c.cycle()
			want(t, "members", g.membersOf("Sales"), "ada bob cyd")
			c.source.leave(1, test.leave...)
			c.source.join(1, 4)
			report, err := c.run(reconcile.Options{Apply: true})
			if err != nil {
				t.Fatal(err)
			}
			guard := ""
			for _, h := range report.Held {
				guard = h.Guard
			}
			want(t, "held by", guard, test.held)
			members := g.membersOf("Sales")
			if !strings.Contains(members, "dan") {
				t.Errorf("who joins waits: %s", members)
			}
			if stays := strings.Contains(members, "ada"); stays != (test.held != "") {
				t.Errorf("members: %s", members)
			}
		})
	}
}

// A user whose leaving is held waits for a decision, also when others leave or join and when few are left;
// the others do not wait with them.
func TestMembersStayHeld(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		happens func(d *directory)
		members string // before the decision
		after   string // when it is approved
		holds   string
	}{
		"nothing":            {func(*directory) {}, "ada bob cyd dan", "dan", "h-1 members_removed 1"},
		"two are back":       {func(d *directory) { d.join(1, 2, 3) }, "ada bob cyd dan", "bob cyd dan", "h-2 members_removed 1"},
		"and another leaves": {func(d *directory) { d.join(1, 2, 3); d.leave(1, 4) }, "ada bob cyd", "bob cyd", "h-2 members_removed 1"},
		"and two are new":    {func(d *directory) { d.join(1, 2, 3, 5, 6); d.leave(1, 4) }, "ada bob cyd eve fay", "bob cyd eve fay", "h-2 members_removed 1"},
		"all are back":       {func(d *directory) { d.join(1, 1, 2, 3) }, "ada bob cyd dan", "ada bob cyd dan", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, g := teams(t, guarded(guard.Guard{MembersRemoved: count(2)}))
			c.source.person(5, "eve@example.com", "Eve")
			c.source.person(6, "fay@example.com", "Fay")
			c.source.join(1, 3, 4)
			c.cycle()
			c.source.leave(1, 1, 2, 3)
			c.cycle()
			want(t, "held", c.stored().holds(), "h-1 members_removed 1")
			test.happens(c.source)
			for range 3 {
				c.cycle()
				want(t, "members", g.membersOf("Sales"), test.members)
				want(t, "holds", c.stored().holds(), test.holds)
			}
			c.stored().approve()
			for range 2 {
				c.cycle()
				want(t, "members, approved", g.membersOf("Sales"), test.after)
			}
			want(t, "nothing is held", c.stored().holds(), "")
		})
	}
}

// The memberships of people who lose their accounts are taken with them when both are approved.
func TestApprovedLeaversLeaveTheirGroups(t *testing.T) {
	t.Parallel()
	c, g := teams(t, guarded(guard.Guard{Removals: count(2)}))
	c.source.join(1, 3)
	c.cycle()
	c.source.leaveAll("Ada", "Bob", "Cyd")
	c.cycle()
	want(t, "holds", c.stored().holds(), "h-1 empties_group 1, h-2 removals 3")
	want(t, "members", g.membersOf("Sales"), "ada bob cyd")
	c.stored().approve()
	want(t, "approved", c.cycle(), "3 deactivated, 3 unchanged")
	want(t, "members, approved", g.membersOf("Sales"), "")
}

// A group that was deleted in the application is made again with all its members.
func TestGroupDeletedByHand(t *testing.T) {
	t.Parallel()
	c, g := teams(t)
	for id, group := range g.groups {
		if group.attributes["displayName"] == "Sales" {
			delete(g.groups, id)
		}
	}
	c.source.join(1, 4)
	c.partial(reconcile.Options{Apply: true})
	for range 2 {
		c.service.now = c.now.Add(24 * time.Hour)
		c.cycle()
	}
	want(t, "members", g.membersOf("Sales"), "ada bob dan")
}

// Members that a full read of the directory leaves out are asked for before any is taken out.
func TestMembersLeftOutOfAFullRead(t *testing.T) {
	t.Parallel()
	c, g := teams(t)
	c.source.groups.hidden = map[graphsync.ID]bool{userID(2): true}
	c.must(reconcile.Options{Apply: true, Full: true})
	want(t, "members", g.membersOf("Sales"), "ada bob")
	c.source.groups.hidden = nil
	delete(c.source.groups.members[groupID(1)], userID(2)) // and now it is true, though no page said so
	c.must(reconcile.Options{Apply: true, Full: true})
	want(t, "members", g.membersOf("Sales"), "ada")
}
