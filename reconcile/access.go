package reconcile

import (
	"context"

	"entrasync/graphsync"
	"entrasync/reconcile/guard"
	"entrasync/state"
)

// An accessLoss is what a plan does to the people whose access came through one group: how many
// would lose it because they are no longer members, of how many who had it.
type accessLoss struct{ leaving, had int }

// loses counts a user who left the group that gave access; zero is no group.
func (f *planStats) loses(group graphsync.ID) {
	if group.IsZero() {
		return
	}
	if f.access[group] == nil {
		f.access[group] = &accessLoss{}
	}
	f.access[group].leaving++
}

// countAccess counts the active accounts of each group that several people leave at once.
// Below the smallest number a guard counts from, nothing is read.
func (f *planStats) countAccess(ctx context.Context, tx *state.Tx, sync *Sync) error {
	limit, most := sync.Guard.MembersRemoved, 0
	for _, loss := range f.access {
		most = max(most, loss.leaving)
	}
	if limit == (guard.Limit{}) || !limit.Exceeds(most, most) {
		return nil
	}
	n := 0
	for link, err := range tx.Links(sync.Name).All(graphsync.User, graphsync.ID{}) {
		if err != nil {
			return err
		}
		if n++; n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if loss := f.access[link.Via]; loss != nil && link.Active {
			loss.had++
		}
	}
	return nil
}
