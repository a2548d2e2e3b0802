package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/state"
	"entrasync/target"

	"github.com/google/go-cmp/cmp"
)

// removals makes a cycle that only takes access away and gives it back.
func (e *emulated) removals() string {
	e.t.Helper()
	return e.must(reconcile.Options{Apply: true, Scheduled: true, Removals: true})
}

// Between two cycles on schedule, leavers are switched off and come back; joiners and changes wait.
func TestRemovalsCycle(t *testing.T) {
	t.Parallel()
	e := newEmulated(t)
	ada, bob := e.hire("ada"), e.hire("bob")
	e.hire("cyd")
	report, err := e.run(reconcile.Options{Apply: true, Removals: true})
	if err != nil || report.Kept || report.Graph.Requests > 0 || !strings.Contains(strings.Join(report.Notes, ""), "has not completed a cycle") {
		t.Errorf("before the first cycle: %v, kept %t, %d requests, notes %q", err, report.Kept, report.Graph.Requests, report.Notes)
	}
	want(t, "first cycle", e.cycle(), "3 created")

	e.tenant.Set(ada, "accountEnabled", false)
	e.tenant.Set(bob, "displayName", "Bob B.")
	e.hire("dan")
	want(t, "a leaver, a change and a joiner", e.removals(), "1 deactivated, 2 unchanged")
	want(t, "the application", e.shown(), "!ada=ada bob=bob cyd=cyd")
	want(t, "again", e.removals(), "3 unchanged")
	e.tenant.Set(ada, "accountEnabled", true)
	want(t, "the leaver is back", e.removals(), "1 reactivated, 2 unchanged")
	e.tenant.SoftDelete(bob)
	want(t, "who was to be changed is deleted", e.removals(), "1 deactivated, 2 unchanged")
	want(t, "what waited", e.cycle(), "1 created, 3 unchanged")
	want(t, "the application", e.shown(), "!bob=bob ada=ada cyd=cyd dan=dan")
}

// A removals cycle in which nothing changed sends one request for users and one for groups, and none to the
// application, and leaves nothing in the history of runs.
func TestIdleRemovalsCycle(t *testing.T) {
	t.Parallel()
	e := newEmulated(t)
	e.change = configured(withGroups, e.byAssignment)
	ada := e.hire("ada")
	sales := e.tenant.AddGroup(graphtest.Props{"displayName": "Sales"}, ada)
	e.tenant.Assign(e.front.ClientID, sales, "Editor")
	e.behindGateway()
	e.cycle()
	e.cycle()
	runs, calls := e.runs(), e.app().calls()
	report, err := e.run(reconcile.Options{Apply: true, Scheduled: true, Removals: true})
	if err != nil {
		t.Fatal(err)
	}
	if report.Graph.Requests != 2 || e.app().calls() != calls || report.Cycle != reconcile.RemovalsOnly {
		t.Errorf("an idle removals cycle sends %d requests to Graph and %d to the application, and is called %s", report.Graph.Requests, e.app().calls()-calls, report.Cycle)
	}
	if now := e.runs(); now != runs {
		t.Errorf("%d runs are kept, %d before", now, runs)
	}
	report, err = e.run(reconcile.Options{Apply: true, Scheduled: true, Removals: true, WasRead: true})
	if err != nil || report.Graph.Requests != 0 {
		t.Errorf("where another sync has just read, %d requests are sent to Graph (%v)", report.Graph.Requests, err)
	}
}

// Access through a group ends when its membership does, and a member leaves the application's group. Who joins waits.
func TestRemovalsCycleOfMembers(t *testing.T) {
	t.Parallel()
	e := newEmulated(t)
	e.change = configured(withGroups, e.byAssignment)
	ada, bob, cyd := e.hire("ada"), e.hire("bob"), e.hire("cyd")
	sales := e.tenant.AddGroup(graphtest.Props{"displayName": "Sales"}, ada, bob)
	all := e.tenant.AddGroup(graphtest.Props{"displayName": "All"}, ada, bob, cyd)
	e.tenant.Assign(e.front.ClientID, sales, "Editor")
	e.tenant.Assign(e.front.ClientID, all, "Editor")
	g := e.behindGateway()
	e.cycle()
	want(t, "Sales", g.membersOf("Sales"), "ada bob")

	e.tenant.RemoveMember(sales, bob)
	e.tenant.AddMember(sales, cyd)
	e.removals()
	want(t, "who left, not who joined", g.membersOf("Sales"), "ada")
	e.tenant.RemoveMember(all, bob)
	want(t, "out of every group", e.removals(), "1 deactivated, 4 unchanged")
	e.cycle()
	want(t, "the cycle on schedule", g.membersOf("Sales"), "ada cyd")
}

// Guards hold in a removals cycle what they hold in every cycle, the hold keeps its name, and a held creation and
// its decision stay as they are.
func TestRemovalsCycleAndHolds(t *testing.T) {
	t.Parallel()
	e := newEmulated(t)
	one := 1
	e.change = configured(func(s *reconcile.Sync) {
		s.Guard.Removals = guard.Limit{Count: &one}
		s.Guard.Creations = guard.Limit{Count: &one}
	})
	ada := e.hire("ada")
	e.cycle()
	bob := e.hire("bob")
	e.cycle()
	cyd := e.hire("cyd")
	e.cycle()
	e.hire("dan")
	e.hire("eve")
	if told := e.cycle(); strings.Count(told, "held by creations") != 2 {
		t.Errorf("two joiners: %s", told)
	}
	before := e.holdNames()
	e.tenant.SoftDelete(ada, bob)
	newly, err := e.run(reconcile.Options{Apply: true, Scheduled: true, Removals: true})
	if err != nil || !newly.Kept || newly.Result != reconcile.Waiting {
		t.Fatalf("a cycle that holds something is kept: %t, %s, %v", newly.Kept, newly.Result, err)
	}
	first := told(newly)
	if !strings.Contains(first, "held by removals: deactivate ada") || !strings.Contains(first, "held by creations: create dan") || strings.Contains(e.app().String(), "!") {
		t.Errorf("a removals cycle beyond the limits: %s\n%s", first, e.app())
	}
	if now := e.holdNames(); len(now) != 2 || !slices.Contains(now, before[0]) {
		t.Errorf("holds are %v, before the removals cycle they were %v", now, before)
	}
	again, err := e.run(reconcile.Options{Apply: true, Scheduled: true, Removals: true})
	if err != nil || again.Kept {
		t.Errorf("a cycle that holds nothing new is kept: %t, %v", again.Kept, err)
	}
	want(t, "again", told(again), first)
	e.tenant.SoftDelete(cyd)
	e.hire("fay")
	second := e.removals()
	if strings.Contains(second, "fay") || !strings.Contains(second, "held by creations: create eve") {
		t.Errorf("a joiner more: %s", second)
	}
}

// After the configuration has changed, a removals cycle leaves all to the cycle that evaluates everybody.
func TestRemovalsCycleAfterAChange(t *testing.T) {
	t.Parallel()
	e := newEmulated(t)
	ada := e.hire("ada")
	e.hire("bob")
	e.cycle()
	e.change = configured(func(s *reconcile.Sync) { s.Text += " changed" })
	e.tenant.SoftDelete(ada)
	want(t, "a removals cycle with another configuration", e.removals(), "2 unchanged")
	want(t, "the cycle on schedule", e.cycle(), "1 deactivated, 1 unchanged")
}

// Many small removals cycles do not pass a guard that one cycle would not: what they took away counts until the cycle
// on schedule, which counts it too.
func TestRemovalsCyclesTogether(t *testing.T) {
	t.Parallel()
	e := newEmulated(t)
	two := 2
	e.change = configured(withGroups, func(s *reconcile.Sync) {
		s.AppID, s.Groups.All = e.front.ClientID, true
		s.Guard.Removals, s.Guard.MembersRemoved = guard.Limit{Count: &two}, guard.Limit{Count: &two}
	})
	var users []graphsync.ID
	for _, name := range []string{"ada", "bob", "cyd", "dan", "eve", "fay", "gus"} {
		users = append(users, e.hire(name))
	}
	sales := e.tenant.AddGroup(graphtest.Props{"displayName": "Sales"}, users[:4]...)
	g := e.behindGateway()
	e.cycle()
	for i, want := range []bool{false, false, true} {
		e.tenant.RemoveMember(sales, users[i])
		if told := e.removals(); strings.Contains(told, "held by members_removed") != want {
			t.Errorf("member %d leaves: %s", i+1, told)
		}
	}
	want(t, "Sales", g.membersOf("Sales"), "cyd dan")
	for i, want := range []bool{false, false, true} {
		e.tenant.SoftDelete(users[4+i])
		if told := e.removals(); strings.Contains(told, "held by removals") != want {
			t.Errorf("leaver %d: %s", i+1, told)
		}
	}
	told := e.cycle()
	if !strings.Contains(told, "held by removals: deactivate gus") || !strings.Contains(told, "held by members_removed") {
		t.Errorf("the cycle on schedule: %s", told)
	}
	e.tenant.Restore(users[6])
	e.tenant.AddMember(sales, users[2])
	e.cycle()
	e.tenant.SoftDelete(users[6], users[0])
	want(t, "after the cycle on schedule the count begins again", e.removals(), "2 deactivated, 6 unchanged")
}

// An update that the application refused waits for the cycle on schedule with its attempts, also when its next attempt
// is due in between.
func TestRemovalsCycleKeepsRetries(t *testing.T) {
	t.Parallel()
	e := newEmulated(t)
	ada := e.hire("ada")
	e.cycle()
	e.app().refuse = func(method, _ string) error {
		if method != "update" {
			return nil
		}
		return refusal(target.Rejected, 400)
	}
	e.tenant.Set(ada, "displayName", "Refused")
	for range 2 {
		if _, err := e.run(reconcile.Options{Apply: true}); err != nil {
			t.Fatal(err)
		}
	}
	before := e.retries()
	if len(before) != 1 || before[0].Attempts != 2 {
		t.Fatalf("two refused updates are kept as %+v", before)
	}
	e.service.now = e.now.Add(48 * time.Hour)
	want(t, "a removals cycle", e.removals(), "1 unchanged")
	if diff := cmp.Diff(before, e.retries()); diff != "" {
		t.Errorf("after a removals cycle (-before +after):\n%s", diff)
	}
	e.app().refuse = nil
	want(t, "the cycle on schedule", e.cycle(), "1 updated")
}

// retries are the records that wait for their next attempt.
func (e *emulated) retries() (all []state.Retry) {
	e.t.Helper()
	e.stored().tx(func(tx *state.Tx) error {
		for retry := range tx.Retries(e.sync).All() {
			all = append(all, retry)
		}
		return nil
	})
	return all
}

// shown is what the application holds, sorted.
func (e *emulated) shown() string {
	return strings.Join(slices.Sorted(strings.FieldsSeq(e.app().String())), " ")
}

// runs counts the runs that are kept.
func (e *emulated) runs() (n int) {
	e.t.Helper()
	e.stored().tx(func(tx *state.Tx) error {
		n = len(tx.Runs(e.sync).Latest(1000))
		return nil
	})
	return n
}

// holdNames are the ids of the holds, in their order.
func (e *emulated) holdNames() (names []string) {
	e.t.Helper()
	e.stored().tx(func(tx *state.Tx) error {
		for hold := range tx.Holds(e.sync).All() {
			names = append(names, hold.ID)
		}
		return nil
	})
	return names
}

// calls counts what was asked of the application.
func (a *application) calls() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, of := range a.asked {
		n += of
	}
	return n
}
