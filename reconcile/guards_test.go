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
	"entrasync/state"
	"entrasync/target"
)

// Removals that are more than a limit lets pass are held, all of them; at the limit they pass.
func TestRemovalLimits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		guard guard.Guard
		leave int // of ten
		held  bool
	}{
		"no limit":                                    {guard.Guard{}, 4, false},
		"as many as the count":                        {guard.Guard{Removals: count(4)}, 4, false},
		"one more than the count":                     {guard.Guard{Removals: count(3)}, 4, true},
		"a count of none":                             {guard.Guard{Removals: count(0)}, 1, true},
		"exactly the percentage":                      {guard.Guard{Removals: percent(40)}, 4, false},
		"more than the percentage":                    {guard.Guard{Removals: percent(39)}, 4, true},
		"a percentage does not hold two":              {guard.Guard{Removals: percent(10)}, 2, false},
		"a percentage of 0 holds one":                 {guard.Guard{Removals: percent(0)}, 1, true},
		"in a day as many as the limit":               {guard.Guard{RemovalsPerDay: count(4)}, 4, false},
		"more in one cycle than in a day":             {guard.Guard{RemovalsPerDay: count(3)}, 4, true},
		"other limits do not count":                   {guard.Guard{Creations: count(0), Updates: count(0), MembersRemoved: count(0)}, 4, false},
		"a percentage and a count, one is over":       {guard.Guard{Removals: guard.Limit{Count: count(3).Count, Percent: percent(90).Percent}}, 4, true},
		"a percentage and a count, the other is over": {guard.Guard{Removals: guard.Limit{Count: count(9).Count, Percent: percent(30).Percent}}, 4, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			var names []string
			for n := range 10 {
				names = append(names, fmt.Sprintf("P%d", n))
			}
			c.change = guarded(guard.Guard{})
			c.source.hire(names...)
			want(t, "first cycle", c.cycle(), "10 created")
			c.change = guarded(test.guard)
			c.source.leaveAll(names[:test.leave]...)
			report, err := c.run(reconcile.Options{Apply: true})
			if err != nil {
				t.Fatal(err)
			}
			off := strings.Count(c.app().String(), "!")
			if held := report.Summary.Held == test.leave && off == 0; held != test.held || !held && off != test.leave {
				t.Errorf("%d held, %d accounts switched off; held should be %v", report.Summary.Held, off, test.held)
			}
		})
	}
}

// A slow trickle of removals is seen over the cycles of a day, and forgotten after it. What was
// approved does not count.
func TestRemovalsPerDay(t *testing.T) {
	t.Parallel()
	c := linked(t, guarded(guard.Guard{RemovalsPerDay: count(2)}), "A", "B", "C", "D", "E", "F")
	c.source.leaveAll("A", "B")
	want(t, "two", c.cycle(), "2 deactivated, 4 unchanged")
	c.source.leaveAll("C")
	want(t, "a third", c.cycle(), "5 unchanged, held by removals_per_day: deactivate c@example.com")
	c.stored().approve()
	want(t, "approved", c.cycle(), "1 deactivated, 5 unchanged")
	c.service.now = c.now.Add(24 * time.Hour)
	c.source.leaveAll("D", "E")
	want(t, "two the next day", c.cycle(), "2 deactivated, 4 unchanged")
}

// Removals that a person approved are none of the trickle: the leavers after them are not held.
func TestApprovedRemovalsAreNoTrickle(t *testing.T) {
	t.Parallel()
	c := linked(t, guarded(guard.Guard{Removals: count(2), RemovalsPerDay: count(2)}), "A", "B", "C", "D", "E", "F")
	c.source.leaveAll("A", "B", "C")
	c.cycle()
	want(t, "held", c.stored().holds(), "h-1 removals 3")
	c.stored().approve()
	want(t, "approved", c.cycle(), "3 deactivated, 3 unchanged")
	c.source.leaveAll("D")
	want(t, "one more", c.cycle(), "1 deactivated, 5 unchanged")
}

// Removals of a cycle that fails afterwards are remembered: a loop that fails after each few would
// empty the application unseen.
func TestRemovalsPerDayOfFailedCycles(t *testing.T) {
	t.Parallel()
	c := linked(t, guarded(guard.Guard{RemovalsPerDay: count(2)}), "A", "B", "C", "D", "E")
	g := c.behindGateway()
	off := 0
	g.before = func(method, _ string) error {
		if method == "update" {
			if off++; off > 2 { // the credential ends after the two leavers
				return refusal(target.Unauthorized, 401)
			}
		}
		return nil
	}
	c.source.leaveAll("A", "B")
	c.source.person(5, "e@example.com", "Eve")
	if report, err := c.run(reconcile.Options{Apply: true}); err == nil || report.Summary.Deactivate != 2 {
		t.Fatalf("the cycle did not fail after two removals: %v, %+v", err, report.Summary)
	}
	g.before = nil
	c.source.leaveAll("C")
	if got := c.cycle(); !strings.Contains(got, "held by removals_per_day: deactivate c@example.com") {
		t.Errorf("a third removal: %s", got)
	}
	want(t, "accounts", c.app().String(), "!a=A !b=B c=C d=D e=Eve")
}

// What was held is held until it is answered, also when fewer are due by then.
func TestHeldUntilAnswered(t *testing.T) {
	t.Parallel()
	c := linked(t, guarded(guard.Guard{Removals: count(2)}), "A", "B", "C", "D", "E")
	c.source.leaveAll("A", "B", "C")
	want(t, "three", c.cycle(), "2 unchanged, held by removals: deactivate a@example.com, held by removals: deactivate b@example.com, held by removals: deactivate c@example.com")
	c.source.comeBack(1)
	want(t, "two", c.cycle(), "3 unchanged, held by removals: deactivate b@example.com, held by removals: deactivate c@example.com")
	want(t, "and again", c.cycle(), "3 unchanged, held by removals: deactivate b@example.com, held by removals: deactivate c@example.com")
	want(t, "accounts", c.app().String(), "a=A b=B c=C d=D e=E")
	c.stored().approve()
	want(t, "approved", c.cycle(), "2 deactivated, 3 unchanged")
	want(t, "nothing is held", c.stored().holds(), "")
}

// A changed limit is judged again: what was held by the former one passes.
func TestChangedLimitReleases(t *testing.T) {
	t.Parallel()
	c := linked(t, guarded(guard.Guard{Removals: count(1)}), "A", "B", "C", "D", "E")
	c.source.leaveAll("A", "B")
	want(t, "held", c.cycle(), "3 unchanged, held by removals: deactivate a@example.com, held by removals: deactivate b@example.com")
	c.change = guarded(guard.Guard{Removals: count(2)})
	want(t, "released", c.cycle(), "2 deactivated, 3 unchanged")
	want(t, "holds", c.stored().holds(), "")
}

// What was held is judged again when it has become something else: the limit may let it pass now.
func TestChangedActionIsJudgedAgain(t *testing.T) {
	t.Parallel()
	var names []string
	for n := range 20 { // a limit of updates counts from here on
		names = append(names, fmt.Sprintf("P%d", n))
	}
	c := linked(t, guarded(guard.Guard{Updates: count(2)}), names...)
	for n := 1; n <= 3; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n-1), "First")
	}
	c.cycle()
	want(t, "holds", c.stored().holds(), "h-1 updates 3")
	c.source.person(1, "p0@example.com", "Second")
	c.source.person(3, "p2@example.com", "P2")
	want(t, "one changed, one no longer due", c.cycle(), "1 updated, 18 unchanged, held by updates: update p1@example.com")
}

// An approval is of what was shown: users who came to the hold since then are not in it.
func TestApprovalOfWhatWasShown(t *testing.T) {
	t.Parallel()
	c := linked(t, guarded(guard.Guard{Removals: count(2)}), "A", "B", "C", "D", "E")
	c.source.leaveAll("A", "B", "C")
	c.cycle()
	want(t, "holds", c.stored().holds(), "h-1 removals 3")
	c.source.leaveAll("D")
	c.cycle()
	if got := c.stored().holds(); strings.Contains(got, "h-1 ") {
		t.Errorf("the hold has another content and the same name: %s", got)
	}
	c.stored().decide(approve, "h-1")
	c.cycle()
	if c.app().accounts["4"]["active"] != true {
		t.Error("a leaver who was not shown was let go by an approval of the others")
	}
}

// An approval is void when something else is due to the user by then.
func TestApprovalOfWhatIsNoLongerDue(t *testing.T) {
	t.Parallel()
	var names []string
	for n := range 20 { // a limit of updates counts from here on
		names = append(names, fmt.Sprintf("P%d", n))
	}
	c := linked(t, guarded(guard.Guard{Updates: count(2)}), names...)
	for n := 1; n <= 3; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n-1), "First")
	}
	c.cycle()
	want(t, "holds", c.stored().holds(), "h-1 updates 3")
	if n := c.stored().decide(approve, "h-1"); n != 3 {
		t.Fatalf("%d approved", n)
	}
	c.source.person(1, "p0@example.com", "Second")
	c.cycle()
	if name := c.app().accounts["1"]["displayName"]; name != "P0" {
		t.Errorf("p0 is %q: an approval of another value let it pass", name)
	}
}

// A hold that was decided is gone at once, so that it is not decided twice, and a rejection can be taken
// back before the next cycle.
func TestDecidedHoldIsGone(t *testing.T) {
	t.Parallel()
	c := linked(t, guarded(guard.Guard{Removals: count(2)}), "A", "B", "C", "D", "E")
	c.source.leaveAll("A", "B", "C")
	c.cycle()
	for _, decision := range []func(*state.Tx, string, string) (int, error){reject, approve} {
		if n := c.stored().decide(decision, "h-1"); n != 3 {
			t.Fatalf("%d actions decided", n)
		}
		want(t, "holds", c.stored().holds(), "")
	}
	if n := c.stored().decide(approve, "h-1"); n != 0 {
		t.Errorf("it was approved a second time: %d actions", n)
	}
	want(t, "approved", c.cycle(), "3 deactivated, 2 unchanged")
}

// One run for one user leaves the holds of the sync as they are.
func TestOnDemandLeavesHolds(t *testing.T) {
	t.Parallel()
	c := linked(t, guarded(guard.Guard{Removals: count(2)}), "A", "B", "C", "D", "E")
	c.source.leaveAll("A", "B", "C")
	c.cycle()
	for _, key := range []string{"d@example.com", "a@example.com"} {
		for _, apply := range []bool{false, true} {
			if _, err := c.run(reconcile.Options{Apply: apply, Subject: &reconcile.Subject{Kind: graphsync.User, Key: key}}); err != nil {
				t.Fatal(err)
			}
			want(t, "holds after "+key, c.stored().holds(), "h-1 removals 3")
		}
	}
	if n := c.stored().decide(approve, "h-1"); n != 3 {
		t.Fatalf("%d approved", n)
	}
	if got := c.cycle(); !strings.Contains(got, "deactivated") {
		t.Errorf("approved: %s", got)
	}
	if strings.Contains(c.app().String(), " a=A") {
		t.Error("a is still active")
	}
}

// A what-if changes no hold and no answer.
func TestDryRunLeavesHoldsAndAnswers(t *testing.T) {
	t.Parallel()
	c := linked(t, guarded(guard.Guard{Removals: count(2)}), "A", "B", "C", "D", "E")
	c.source.leaveAll("A", "B", "C")
	c.cycle()
	c.stored().decide(approve, "h-1")
	c.source.comeBack(1)
	c.must(reconcile.Options{}) // without a: a's answer is of no use now
	c.source.leaveAll("A")
	c.must(reconcile.Options{})
	want(t, "applied", c.cycle(), "3 deactivated, 2 unchanged")
}

// An answer is used once: the same accident at another time asks again.
func TestAnswerIsUsedOnce(t *testing.T) {
	t.Parallel()
	c := linked(t, guarded(guard.Guard{Removals: count(1)}), "A", "B", "C", "D", "E")
	c.source.leaveAll("A", "B")
	c.cycle()
	c.stored().approve()
	want(t, "approved", c.cycle(), "2 deactivated, 3 unchanged")
	c.source.comeBack(1)
	c.source.comeBack(2)
	want(t, "back", c.cycle(), "2 reactivated, 3 unchanged")
	c.source.leaveAll("A", "B")
	want(t, "and gone again", c.cycle(), "3 unchanged, held by removals: deactivate a@example.com, held by removals: deactivate b@example.com")
}

// An answer to an action that was not due any more is forgotten.
func TestAnswerIsForgotten(t *testing.T) {
	t.Parallel()
	c := linked(t, guarded(guard.Guard{Removals: count(1)}), "A", "B", "C", "D", "E")
	c.source.leaveAll("A", "B")
	c.cycle()
	c.stored().approve()
	c.source.comeBack(1)
	want(t, "b alone", c.cycle(), "1 deactivated, 4 unchanged")
	c.source.leaveAll("A", "C")
	want(t, "a and c", c.cycle(), "3 unchanged, held by removals: deactivate a@example.com, held by removals: deactivate c@example.com")
}

// A hold is approved on its own, whatever else waits.
func TestApprovingOneHold(t *testing.T) {
	t.Parallel()
	c := linked(t, guarded(guard.Guard{Removals: count(0)}), "A", "B", "C", "D")
	c.source.leaveAll("A")
	c.source.disable(2)
	c.cycle()
	want(t, "holds", c.stored().holds(), "h-1 removals 1, h-2 removals 1")
	c.stored().decide(approve, "h-1")
	c.cycle()
	if off := strings.Count(c.app().String(), "!"); off != 1 {
		t.Errorf("%d accounts are off: %s", off, c.app())
	}
	if got := c.stored().holds(); strings.Count(got, "removals 1") != 1 {
		t.Errorf("holds: %s", got)
	}
}

// Many new accounts and many updates are held, from the limit on.
func TestCreationAndUpdateLimits(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = guarded(guard.Guard{Creations: count(3), Updates: count(3)})
	c.source.hire("A", "B", "C", "D")
	want(t, "four", c.cycle(), "held by creations: create a@example.com, held by creations: create b@example.com, held by creations: create c@example.com, held by creations: create d@example.com")
	want(t, "accounts", c.app().String(), "")
	c.stored().approve()
	want(t, "approved", c.cycle(), "4 created")
	c.source.person(5, "e@example.com", "E")
	want(t, "one more", c.cycle(), "1 created, 4 unchanged")
	for n := 1; n <= 5; n++ {
		c.source.person(n, fmt.Sprintf("%c@example.com", 'a'+n-1), "New")
	}
	want(t, "five updates", strings.Split(c.cycle(), ",")[0], "held by updates: update a@example.com")
}

// A share of few accounts is large: a percentage of updates counts from 20 accounts on. A number, and
// 0 percent, count from the first.
func TestUpdatesOfASmallApplication(t *testing.T) {
	t.Parallel()
	half, none := 50.0, 0.0
	for name, test := range map[string]struct {
		limit guard.Limit
		want  string
	}{
		"half":       {guard.Limit{Percent: &half}, "3 updated"},
		"0 percent":  {guard.Limit{Percent: &none}, "held by updates: update a@example.com, held by updates: update b@example.com, held by updates: update c@example.com"},
		"a number":   {count(3), "3 updated"},
		"no updates": {count(0), "held by updates: update a@example.com, held by updates: update b@example.com, held by updates: update c@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := linked(t, guarded(guard.Guard{Updates: test.limit}), "A", "B", "C")
			for n := 1; n <= 3; n++ {
				c.source.person(n, fmt.Sprintf("%c@example.com", 'a'+n-1), "New")
			}
			want(t, "updates", c.cycle(), test.want)
		})
	}
}

// Removals of a first run, and of a directory that came empty, are held.
func TestEmptyReadsAndFirstRuns(t *testing.T) {
	t.Parallel()
	t.Run("everybody is gone", func(t *testing.T) {
		t.Parallel()
		c := linked(t, nil, "A", "B")
		c.source.leaveAll("A", "B")
		want(t, "held", c.cycle(), "held by empty_read: deactivate a@example.com, held by empty_read: deactivate b@example.com")
		want(t, "accounts", c.app().String(), "a=A b=B")
	})
	t.Run("nothing is assigned", func(t *testing.T) {
		t.Parallel()
		c := staffed(t, 1, 1, guard.Guard{})
		c.source.groups.assigned = map[graphsync.ID]bool{}
		for range 3 { // however often a missing row has to be seen
			c.cycle()
		}
		want(t, "held", c.cycle(), "held by empty_read: deactivate p1@example.com, held by empty_read: deactivate p2@example.com")
		want(t, "accounts", c.app().String(), "p1=P1 p2=P2")
	})
	t.Run("first run", func(t *testing.T) {
		t.Parallel()
		c := newService(t).customer("contoso")
		c.change = func(s *reconcile.Sync) { s.Guard = guard.Guard{} }
		c.app().seed("a@example.com")
		c.source.hire("A", "B")
		want(t, "first cycle", c.cycle(), "1 created, 1 adopted")
		c.source.leaveAll("A")
		want(t, "later", c.cycle(), "1 deactivated, 1 unchanged")
	})
	t.Run("a first run that was interrupted", func(t *testing.T) {
		t.Parallel()
		c := newService(t).customer("contoso")
		c.change = func(s *reconcile.Sync) { s.Guard = guard.Guard{} }
		c.source.hire("A", "B", "C")
		g := c.interrupted(t, "c@example.com")
		g.before = nil
		c.source.leaveAll("A")
		want(t, "the rest of it", c.cycle(), "1 created, 1 unchanged, held by first_run: deactivate a@example.com")
		want(t, "it has passed", c.cycle(), "2 unchanged, held by first_run: deactivate a@example.com")
		c.stored().approve()
		want(t, "approved", c.cycle(), "1 deactivated, 2 unchanged")
		c.source.leaveAll("B")
		want(t, "later", c.cycle(), "1 deactivated, 2 unchanged")
	})
	t.Run("a group that existed", func(t *testing.T) {
		t.Parallel()
		c := newService(t).customer("contoso")
		c.change = configured(withGroups, func(s *reconcile.Sync) { s.Guard, s.Groups.Takeover = guard.Guard{}, desired.TakeoverAdopt })
		c.source.hire("A", "B", "C")
		c.source.team(1, "Sales", 2, 3)
		g := c.interrupted(t, "c@example.com")
		g.groups["g0"] = &provisionedGroup{attributes: map[string]any{"displayName": "Sales"}, members: []string{"1", "2"}}
		g.before = nil
		for range 3 {
			c.cycle()
			want(t, "members", g.membersOf("Sales"), "a b c")
			want(t, "holds", c.stored().holds(), "h-1 first_run 1")
		}
		c.stored().approve()
		c.cycle()
		want(t, "members, approved", g.membersOf("Sales"), "b c")
	})
}

// interrupted makes a first cycle that ends at the creation of an account: those before it are made.
func (c *customer) interrupted(t *testing.T, at string) *gateway {
	t.Helper()
	g := c.behindGateway()
	g.before = on("create", at, refusal(target.Unauthorized, 401))
	if _, err := c.run(reconcile.Options{Apply: true}); target.CodeOf(err) != target.Unauthorized {
		t.Fatalf("the first cycle ended with %v", err)
	}
	return g
}

// Accounts that scope.protect names are not changed and do not leave, whichever filter fits.
func TestProtectedAccounts(t *testing.T) {
	t.Parallel()
	c := linked(t, protected(t, `title eq "owner"`, `displayName co "Root"`), "A", "B", "C", "D", "E")
	c.app().accounts["1"]["title"], c.app().accounts["2"]["title"] = "owner", "owner"
	c.app().accounts["3"]["displayName"] = "Root C"
	c.source.leaveAll("A", "C", "D")
	c.source.person(2, "b@example.com", "New B")
	c.source.person(5, "e@example.com", "New E")
	got := c.cycle()
	for _, name := range []string{"a", "b", "c"} {
		if !strings.Contains(got, "skipped "+name+"@example.com: protected") {
			t.Errorf("%s is not protected: %s", name, got)
		}
	}
	want(t, "accounts", c.app().String(), "a=A b=B c=Root C !d=D e=New E")
}
