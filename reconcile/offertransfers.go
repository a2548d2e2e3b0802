package reconcile

import (
	"context"
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// offerTransfers offers the accounts of users who were deleted for good to other tenants, before what was looked at
// is no longer pending.
func (f *finalizer) offerTransfers(ctx context.Context) error {
	var after []byte
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := 0
		accounts := map[string]state.Owner{}
		err := f.tenant.View(func(tx *state.Tx) error {
			for key := range tx.Space(f.sync.Name, transferOfferSpace).All(after) {
				after = slices.Clone(key)
				link, linked, err := tx.Links(f.sync.Name).Get(graphsync.User, graphsync.ID(key))
				if err != nil {
					return err
				}
				if linked && !link.Active {
					accounts[link.TargetID] = f.owners.Owner(graphsync.User, link.Source)
				}
				if n++; n == plan.DraftChunk {
					break
				}
			}
			return nil
		})
		if err == nil {
			err = f.owners.OfferTransfer(accounts)
		}
		if err != nil || n < plan.DraftChunk {
			return err
		}
	}
}
