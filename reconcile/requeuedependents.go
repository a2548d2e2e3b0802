package reconcile

import (
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// requeueDependents makes those who waited for a user's account pending.
func (r *recorder) requeueDependents(tx *state.Tx, link *state.Link) error {
	if link.Kind != graphsync.User || link.LastOp != string(plan.Create) && link.LastOp != string(plan.Adopt) {
		return nil
	}
	waiting := tx.Space(r.sync.Name, waitingSpace)
	var keys [][]byte
	for key := range waiting.Prefix(link.Source[:]) {
		keys = append(keys, slices.Clone(key))
	}
	for _, key := range keys {
		if err := waiting.Delete(key); err != nil {
			return err
		}
		if err := requeue(tx, r.sync.Name, state.PendingKey{Kind: graphsync.User, ID: graphsync.ID(key[16:])}); err != nil {
			return err
		}
	}
	return nil
}
