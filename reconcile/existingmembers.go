package reconcile

import (
	"context"

	"entrasync/graphsync"
	"entrasync/state"
)

// recordExistingMembers records the members that groups had already, and those that are no longer in them.
func (ap *applier) recordExistingMembers(ctx context.Context) error {
	return ap.plans.Entries(ctx, existingMemberSpace, func(tx *state.Tx, key, value []byte) error {
		group, member := graphsync.ID(key[:16]), graphsync.ID(key[16:])
		if _, linked, err := tx.Links(ap.sync.Name).Get(graphsync.Group, group); err != nil || !linked {
			return err
		}
		if _, linked, err := tx.Links(ap.sync.Name).Get(graphsync.User, member); err != nil || !linked {
			return err
		}
		if len(value) == 0 { // it is there no more, and need not be
			return tx.AppliedMembers(ap.sync.Name).Delete(group, member)
		}
		return tx.AppliedMembers(ap.sync.Name).Put(group, member, string(value))
	})
}
