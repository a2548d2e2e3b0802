package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/scope"
)

var (
	keepAccount = desired.OnRemove{}
	switchOff   = desired.OnRemove{Do: plan.Deactivate}
	deleteNow   = desired.OnRemove{Do: plan.Delete}
)

func deleteIn(days int) desired.OnRemove {
	return desired.OnRemove{Do: plan.Deactivate, After: time.Duration(days) * day}
}

// byReason is a customer of three users whose leavers are treated by reason, with on_remove for the rest. Users whose
// name is Out do not pass the scoping filter.
func byReason(t *testing.T, unassign, deleted *desired.OnRemove) *customer {
	t.Helper()
	filter, faults := scope.Compile([][]scope.Clause{{{Attribute: "displayName", Operator: "NOT EQUALS", Value: "Out"}}}, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return linked(t, func(s *reconcile.Sync) {
		s.Scope.Filter = filter
		s.Users.OnUnassign, s.Users.OnDelete = unassign, deleted
		s.Text += fmt.Sprint(unassign, deleted)
	}, "Ada", "Bob", "Cleo")
}

var leaveBy = map[desired.LeaveReason]func(*customer, int){
	desired.Inactive:   func(c *customer, n int) { c.source.disable(n) },
	desired.OutOfScope: func(c *customer, n int) { c.source.set(n, "displayName", `"Out"`) },
	desired.Deleted:    func(c *customer, n int) { c.source.goneAll(graphsync.SoftDeleted, n) },
}

// Each reason has a policy of its own, and on_remove is that of every reason without one.
func TestRemovalByReason(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		unassign, deleted *desired.OnRemove
		want              map[desired.LeaveReason]string
	}{
		"none": {nil, nil, map[desired.LeaveReason]string{
			desired.Inactive: "1 deactivated", desired.OutOfScope: "1 deactivated", desired.Deleted: "1 deactivated"}},
		"delete the deleted": {nil, &deleteNow, map[desired.LeaveReason]string{
			desired.Inactive: "1 deactivated", desired.OutOfScope: "1 deactivated", desired.Deleted: "1 deleted"}},
		"delete the unassigned": {&deleteNow, nil, map[desired.LeaveReason]string{
			desired.Inactive: "1 deactivated", desired.OutOfScope: "1 deleted", desired.Deleted: "1 deactivated"}},
		"keep the unassigned": {&keepAccount, &deleteNow, map[desired.LeaveReason]string{
			desired.Inactive: "1 deactivated", desired.OutOfScope: "3 unchanged", desired.Deleted: "1 deleted"}},
		"keep the deleted": {&switchOff, &keepAccount, map[desired.LeaveReason]string{
			desired.Inactive: "1 deactivated", desired.OutOfScope: "1 deactivated", desired.Deleted: "3 unchanged"}},
	} {
		for reason, leave := range leaveBy {
			t.Run(name+"/"+string(reason), func(t *testing.T) {
				t.Parallel()
				c := byReason(t, test.unassign, test.deleted)
				leave(c, 1)
				want(t, "it leaves", strings.TrimSuffix(c.cycle(), ", 2 unchanged"), test.want[reason])
				if report, err := c.run(reconcile.Options{Apply: true, Full: true}); err != nil || report.Summary.Changes() > 0 {
					t.Errorf("again: %v, %+v", err, report.Summary)
				}
			})
		}
	}
}

// A user who left for one reason and then for another loses the account when either policy says, without an approval:
// the configuration was not changed.
func TestReasonChanges(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		unassign, deleted desired.OnRemove
		between           int    // days from leaving the scope to the deletion in the directory
		want              string // the daily cycle after which the account is deleted, the first of which sees the deletion; 0: none
	}{
		"switched off, deleted at once":           {switchOff, deleteNow, 40, "1"},
		"switched off, deleted later":             {switchOff, deleteIn(5), 40, "6"},
		"kept, deleted at once":                   {keepAccount, deleteNow, 3, "1"},
		"kept, deleted later":                     {keepAccount, deleteIn(5), 3, "6"},
		"the first deadline comes first":          {deleteIn(10), deleteIn(30), 4, "6"},
		"the second deadline comes first":         {deleteIn(30), deleteIn(5), 4, "6"},
		"the same deadline counts from the start": {deleteIn(10), deleteIn(10), 4, "6"},
		"no deletion any more":                    {deleteIn(10), switchOff, 4, "0"},
		"kept in the end":                         {deleteIn(10), keepAccount, 4, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := byReason(t, &test.unassign, &test.deleted)
			leaveBy[desired.OutOfScope](c, 1)
			c.cycle()
			for range test.between {
				c.service.now = c.now.Add(day - 30*time.Minute)
				want(t, "waiting", c.cycle(), "3 unchanged")
			}
			leaveBy[desired.Deleted](c, 1)
			want(t, "days", fmt.Sprint(c.deletedAfter(45)), test.want)
		})
	}
}

// A changed policy does not reach back to users who left for its reason, and does not wait for an approval for those who
// leave for it afterwards.
func TestChangedPolicyOfReason(t *testing.T) {
	t.Parallel()
	for _, before := range []desired.OnRemove{switchOff, keepAccount} {
		t.Run(fmt.Sprintf("%q", before.Do), func(t *testing.T) {
			t.Parallel()
			policy := before
			c := byReason(t, &switchOff, &policy)
			leaveBy[desired.OutOfScope](c, 1)
			leaveBy[desired.OutOfScope](c, 2)
			c.cycle()
			leaveBy[desired.Deleted](c, 1) // switched off before, and deleted while the policy deletes nothing
			c.cycle()

			policy = deleteNow
			leaveBy[desired.Deleted](c, 2)
			report, err := c.run(reconcile.Options{Apply: true})
			if err != nil || report.Summary.Delete != 1 || report.Summary.Held != 1 {
				t.Fatalf("%v: %+v", err, report.Summary)
			}
			want(t, "held", report.Held[0].Guard+": "+report.Held[0].Cause, "on_remove: on_delete was changed from deactivate to delete")
			c.stored().approve()
			want(t, "approved", c.cycle(), "1 deleted, 1 unchanged")
		})
	}
}
