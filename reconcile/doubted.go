package reconcile

import (
	"context"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// takeDoubted marks the links of this sync that a cycle of another tenant has doubted.
func (i *identifier) takeDoubted() error {
	if !i.opts.Apply {
		return nil
	}
	owners, err := i.store.Accounts().Doubted(i.sync.Tenant, i.sync.Name)
	if err != nil || len(owners) == 0 {
		return err
	}
	err = i.tenant.Update(func(tx *state.Tx) error {
		for _, owner := range owners {
			if err := markForCheck(tx, i.sync.Tenant, owner); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return i.store.Accounts().EndDoubt(owners)
}

// checkMarked reads the accounts that are marked.
func (i *identifier) checkMarked(ctx context.Context) error {
	if err := i.takeDoubted(); err != nil {
		return err
	}
	var links []state.Link
	err := i.tenant.View(func(tx *state.Tx) error {
		for key := range tx.Space(i.sync.Name, checkSpace).All(nil) {
			link, linked, err := tx.Links(i.sync.Name).Get(graphsync.Kind(key[0]), graphsync.ID(key[1:]))
			if err != nil {
				return err
			}
			if linked {
				links = append(links, link)
			}
		}
		return nil
	})
	if err != nil || len(links) == 0 && !i.opts.Apply {
		return err
	}
	for _, link := range links {
		found, err := i.read(ctx, link, "", nil)
		if err != nil {
			return err
		}
		if found.unseen != nil {
			continue
		}
		err = i.tenant.Update(func(tx *state.Tx) error {
			if found.mismatch != nil {
				if err := i.opts.records(tx, i.sync).putMismatch(&link, found.mismatch); err != nil {
					return err
				}
			}
			if !i.opts.Apply {
				return nil
			}
			return tx.Space(i.sync.Name, checkSpace).Delete(plan.LinkKey(link.Kind, link.Source))
		})
		if err != nil {
			return err
		}
	}
	return nil
}
