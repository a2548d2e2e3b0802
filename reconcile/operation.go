package reconcile

import (
	"context"
	"encoding/binary"
	"fmt"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// withOperation names the action that calls belong to, for applications that tell a repeated change from a new one.
func withOperation(ctx context.Context, sync *Sync, tenant *state.Tenant, a *plan.StoredAction) context.Context {
	return target.WithOperation(ctx, func() target.Operation {
		o := target.Operation{Tenant: sync.Tenant.String(), Sync: sync.Name, Source: a.SourceID.String()}
		_ = tenant.View(func(tx *state.Tx) error { // without it a later change may be taken for this one, and is compared
			link, linked, err := tx.Links(sync.Name).Get(a.Kind, a.SourceID)
			if err != nil {
				return err
			}
			if linked {
				o.After = fmt.Sprint(link.LastAt.UnixNano())
			}
			o.After += fmt.Sprintf("/%d", changesOf(tx, sync.Name, a.Kind, a.SourceID))
			return nil
		})
		return o
	})
}

// changesOf returns how many changes of an object are counted, see countChange.
func changesOf(tx *state.Tx, sync string, kind graphsync.Kind, id graphsync.ID) uint64 {
	n, _ := binary.Uvarint(tx.Space(sync, changedSpace).Get(plan.LinkKey(kind, id)))
	return n
}

// countChange counts a change of an object that leaves no time of its own in a link: of members, a deletion, and what
// an interrupted cycle turned out to have done.
func countChange(tx *state.Tx, sync string, kind graphsync.Kind, id graphsync.ID) error {
	n := changesOf(tx, sync, kind, id) + 1
	return tx.Space(sync, changedSpace).Put(plan.LinkKey(kind, id), binary.AppendUvarint(nil, n))
}
