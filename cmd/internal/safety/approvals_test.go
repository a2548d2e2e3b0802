package safety

import (
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// What two guards hold at once, that a user left a group and that the group's members change, is both done when
// both are approved.
func TestLeaverHeldWithGroup(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		none := 0
		h := &history{world: newWorld(t, settings{groups: true, guests: true, concurrency: 1, pageSize: 10, membersPage: 10,
			onRemove: desired.OnRemove{Do: plan.Deactivate}, guard: guard.Guard{FirstRunRemovals: true, MembersRemoved: guard.Limit{Count: &none}}})}
		d := &cast{Tenant: h.tenant, ids: map[string]graphsync.ID{}}
		d.hire("ada")
		d.group("Sales", "ada")
		d.Assign(frontApp, d.ids["Sales"], "Editor")
		h.mustRun(reconcile.Options{Apply: true})
		d.RemoveMember(d.ids["Sales"], d.ids["ada"])
		if held := h.mustRun(reconcile.Options{Apply: true}).Summary.Held; held != 2 {
			t.Errorf("%d held, want the user and the members of the group", held)
		}
		h.approve()
		h.quietDays(t, 3)
	})
}

// An account without a link that was switched off after an approval is deleted when its days are over, as
// any other.
func TestOrphanDeletedLater(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		h := &history{world: newWorld(t, settings{guests: true, concurrency: 1, pageSize: 10, membersPage: 10,
			onRemove: desired.OnRemove{Do: plan.Deactivate, After: 72 * time.Hour}, guard: guard.Guard{FirstRunRemovals: true}})}
		d := &cast{Tenant: h.tenant, ids: map[string]graphsync.ID{}}
		d.hire("ada", "bob")
		for _, name := range []string{"ada", "bob"} {
			d.Assign(frontApp, d.ids[name], "Viewer")
		}
		h.mustRun(reconcile.Options{Apply: true})
		if err := h.state.Update(func(tx *state.Tx) error { return tx.Links(h.sync.Name).Delete(graphsync.User, d.ids["ada"]) }); err != nil {
			t.Fatal(err)
		}
		d.SoftDelete(d.ids["ada"])
		if held := h.mustRun(reconcile.Options{Apply: true, Full: true}).Summary.Held; held != 1 {
			t.Errorf("%d held, want the account without a link", held)
		}
		h.approve()
		h.quietDays(t, 6)
	})
}

// quietDays makes a cycle on each of some days, after which nothing is left that is wrong.
func (h *history) quietDays(t *testing.T, days int) {
	t.Helper()
	for range days {
		time.Sleep(25 * time.Hour)
		h.mustRun(reconcile.Options{Apply: true})
	}
	if differences := h.problems(); len(differences) > 0 {
		t.Error(strings.Join(differences, "\n"))
	}
}
