package state

import (
	"bytes"
	"fmt"

	"entrasync/graphsync"
)

// bucketDoubted holds Owners whose link may not fit any more: a cycle of another tenant was answered
// with the account that they claim. The owner's next cycle reads the account. That cycle alone writes
// to the tenant's file, so the mark is here.
const bucketDoubted = "doubted"

// Doubt marks the link of an owner for a check by the next cycle of its sync.
func (a *Accounts) Doubt(owner Owner) error {
	err := a.registry.batch(func(tx *Tx) error { return tx.kv.put(owner.encode(), []byte{}, bucketDoubted) })
	if err != nil {
		return fmt.Errorf("mark the account of %s %s of tenant %s for a check: %w", owner.Kind, owner.Source, owner.Tenant, err)
	}
	return nil
}

// Doubted returns the owners of a tenant's sync that are marked, see [Accounts.Doubt].
func (a *Accounts) Doubted(tenant graphsync.ID, sync string) (owners []Owner, err error) {
	err = a.registry.view(func(tx *Tx) error {
		tree := tx.kv.bucket(bucketDoubted)
		if tree == nil {
			return nil
		}
		for rec := range scan(tree, tenant[:], nil) {
			if owner := decodeOwner(bytes.Clone(rec)); owner.Sync == sync {
				owners = append(owners, owner)
			}
		}
		return nil
	})
	return owners, err
}

// EndDoubt takes marks back: the owners' sync has them in its own file.
func (a *Accounts) EndDoubt(owners []Owner) error {
	if len(owners) == 0 {
		return nil
	}
	return a.registry.batch(func(tx *Tx) error {
		for _, owner := range owners {
			if _, err := tx.kv.delete(owner.encode(), bucketDoubted); err != nil {
				return err
			}
		}
		return nil
	})
}
