package reconcile

import (
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// requeue lets a key be looked at again in the next cycle.
func requeue(tx *state.Tx, sync string, key state.PendingKey) error {
	if err := tx.Space(sync, requeuedSpace).Put(pendingBytes(key), nil); err != nil {
		return err
	}
	return tx.Pending(sync).Add(key)
}

// requeueHeld lets what is held be looked at in the next cycle, and of what was rejected the changes of
// members: other people may join or leave the same group. That costs no request.
func requeueHeld(tx *state.Tx, sync, space string, key, raw []byte) error {
	k, err := plan.ParseKey(key)
	if err != nil {
		return err
	}
	if k.Phase != plan.MemberPhase {
		if space == plan.RejectedSpace {
			return nil
		}
		return requeue(tx, sync, k.PendingKey())
	}
	a, err := plan.DecodeAction(raw)
	if err != nil {
		return err
	}
	for _, member := range slices.Concat(a.Add, a.Remove) {
		if err := requeue(tx, sync, state.Membership(k.ID, member)); err != nil {
			return err
		}
	}
	return nil
}

// markForCheck has the account of an object of this tenant read by the next cycle of its sync.
func markForCheck(tx *state.Tx, tenant graphsync.ID, owner state.Owner) error {
	if owner.Tenant != tenant {
		return nil
	}
	return tx.Space(owner.Sync, checkSpace).Put(plan.LinkKey(owner.Kind, owner.Source), nil)
}
