package state

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

// bucketOwners holds target NUL kind resource id → Owner.
const bucketOwners = "owners"

// bucketGiven holds the same keys, of accounts that their owners have given up.
const bucketGiven = "given"

// An Owner is the object of a tenant that a sync keeps an account for.
type Owner struct {
	Tenant graphsync.ID
	Sync   string
	Kind   graphsync.Kind
	Source graphsync.ID
}

// Accounts are the accounts of targets with their owners: those that are claimed, and those that are being made. All
// tenants share them. Its methods may be called concurrently.
type Accounts struct {
	registry  *database
	creations creations
	recent    recentClaims
	direct    bool // claims are written at once, because other processes read them
}

// Number orders the changes of who owns which account. known is false while some of them are not written yet.
func (a *Accounts) Number() (n uint64, known bool, err error) {
	if a.recent.size() > 0 || a.creations.any() {
		return 0, false, nil
	}
	known = true
	err = a.registry.view(func(tx *Tx) error {
		for range scan(tx.kv.bucket(bucketMaking), nil, nil) {
			known = !a.direct
			break
		}
		n = tx.Number()
		return nil
	})
	return n, known && err == nil, err
}

// claims are the registry's records on accounts and applications, within one transaction.
type claims struct{ kv *buckets }

func claimsOf(tx *Tx) claims { return claims{tx.kv} }

// Claim takes an account of a target for an owner and returns who owns it now: the owner given,
// or the one who came first. Claiming what one owns costs no write, but takes it back when it had
// been given up; concurrent claims share a commit.
func (a *Accounts) Claim(target, resourceID string, owner Owner) (present Owner, err error) {
	if owner.Kind == 0 || resourceID == "" || strings.ContainsRune(target, 0) {
		return Owner{}, fmt.Errorf("claim account %q of target %q: it needs an id, a kind and a plain target name", resourceID, target)
	}
	key := ownerKey(target, owner.Kind, resourceID)
	taken := false
	if present, taken = a.recent.owner(key); taken {
		return present, nil
	}
	err = a.registry.view(func(tx *Tx) error {
		if rec := tx.kv.get(key, bucketOwners); rec != nil {
			present, taken = decodeOwner(rec), tx.kv.get(key, bucketGiven) == nil
		}
		return nil
	})
	if err != nil || taken {
		return present, err
	}
	err = a.changeClaims([][]byte{key}, func(tx *Tx) error {
		if rec := tx.kv.get(key, bucketOwners); rec != nil {
			if present = decodeOwner(rec); present != owner {
				return nil
			}
			given, err := tx.kv.delete(key, bucketGiven)
			if given && err == nil {
				err = claimsOf(tx).advance(owner.Tenant)
			}
			return err
		}
		present = owner
		return claimsOf(tx).own(key, owner)
	})
	if err != nil {
		return Owner{}, fmt.Errorf("claim account of target %s: %w", target, err)
	}
	return present, nil
}

// OwnerOf returns who owns an account of a target.
func (a *Accounts) OwnerOf(target, resourceID string, kind graphsync.Kind) (owner Owner, ok bool, err error) {
	key := ownerKey(target, kind, resourceID)
	if owner, ok = a.recent.owner(key); ok {
		return owner, true, nil
	}
	err = a.registry.view(func(tx *Tx) error {
		if rec := tx.kv.get(key, bucketOwners); rec != nil {
			owner, ok = decodeOwner(rec), true
		}
		return nil
	})
	return owner, ok, err
}

// Release releases an account. Nothing happens when it has another owner.
func (a *Accounts) Release(target, resourceID string, owner Owner) error {
	return a.ReleaseAll(target, map[string]Owner{resourceID: owner})
}

// ReleaseAll releases several accounts in one commit, but not those with another owner.
func (a *Accounts) ReleaseAll(target string, claims map[string]Owner) error {
	if len(claims) == 0 {
		return nil
	}
	return a.changeClaims(ownerKeys(target, claims), func(tx *Tx) error {
		for id, owner := range claims {
			key := ownerKey(target, owner.Kind, id)
			if !bytes.Equal(tx.kv.get(key, bucketOwners), owner.encode()) {
				continue
			}
			if err := claimsOf(tx).advance(owner.Tenant); err != nil {
				return err
			}
			if _, err := tx.kv.delete(key, bucketOwners); err != nil {
				return err
			}
			if _, err := tx.kv.delete(key, bucketGiven); err != nil {
				return err
			}
		}
		return nil
	})
}

// own enters a claim.
func (c claims) own(key []byte, owner Owner) error {
	return errors.Join(c.kv.put(key, owner.encode(), bucketOwners), c.advance(owner.Tenant))
}

// OfferTransfer says that owners have no use for their accounts any more, such as those of people who
// are permanently deleted: another sync may ask for one, see Transfer. They own them until then.
func (a *Accounts) OfferTransfer(target string, claims map[string]Owner) error {
	if len(claims) == 0 {
		return nil
	}
	err := a.changeClaims(ownerKeys(target, claims), func(tx *Tx) error {
		for id, owner := range claims {
			key := ownerKey(target, owner.Kind, id)
			if !bytes.Equal(tx.kv.get(key, bucketOwners), owner.encode()) || tx.kv.get(key, bucketGiven) != nil {
				continue
			}
			if err := tx.kv.put(key, []byte{}, bucketGiven); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("give up %d accounts of target %s: %w", len(claims), target, err)
	}
	return nil
}

// Transferable reports whether an owner lets an account go: it has given it up. That the file of its tenant
// is missing says nothing: it may come back, and its accounts are free when the tenant is removed.
func (a *Accounts) Transferable(target, resourceID string, owner Owner) (transferable bool, err error) {
	err = a.registry.view(func(tx *Tx) error {
		transferable = tx.kv.get(ownerKey(target, owner.Kind, resourceID), bucketGiven) != nil
		return nil
	})
	return transferable, err
}

// Transfer makes an account over to another owner, if the former one of it lets it go or is of the
// same tenant, and returns who owns it now.
func (a *Accounts) Transfer(target, resourceID string, former, owner Owner) (present Owner, err error) {
	key := ownerKey(target, owner.Kind, resourceID)
	err = a.changeClaims([][]byte{key}, func(tx *Tx) error {
		if rec := tx.kv.get(key, bucketOwners); rec != nil {
			present = decodeOwner(rec)
			if present != former || former.Tenant != owner.Tenant && tx.kv.get(key, bucketGiven) == nil {
				return nil
			}
			if err := claimsOf(tx).advance(former.Tenant); err != nil {
				return err
			}
		}
		if _, err := tx.kv.delete(key, bucketGiven); err != nil {
			return err
		}
		present = owner
		return claimsOf(tx).own(key, owner)
	})
	if err != nil {
		return Owner{}, fmt.Errorf("make over an account of target %s: %w", target, err)
	}
	return present, nil
}

// releaseAll releases what a tenant owns, in transactions of bounded size.
func (a *Accounts) releaseAll(tenant graphsync.ID) error {
	if err := a.writeClaims(); err != nil {
		return err
	}
	const chunk = 10_000
	var after []byte
	for done := false; !done; {
		err := a.registry.update(func(tx *Tx) error {
			done = true
			var keys [][]byte
			for k, rec := range scan(tx.kv.bucket(bucketOwners), nil, after) {
				if decodeOwner(rec).Tenant != tenant {
					continue
				}
				keys = append(keys, bytes.Clone(k))
				if len(keys) == chunk {
					done = false
					break
				}
			}
			var errs []error
			for _, k := range keys {
				_, err := tx.kv.delete(k, bucketGiven)
				errs = append(errs, err, tx.kv.bucket(bucketOwners).Delete(k))
				after = k
			}
			if done { // from here on nothing is known of the tenant
				_, err := tx.kv.delete(tenant[:], bucketGenerations)
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		})
		if err != nil {
			return fmt.Errorf("release accounts of tenant %s: %w", tenant, err)
		}
	}
	return nil
}

func ownerKey(target string, kind graphsync.Kind, resourceID string) []byte {
	return append(append([]byte(target), 0, byte(kind)), resourceID...)
}

func ownerKeys(target string, claims map[string]Owner) (keys [][]byte) {
	for id, owner := range claims {
		keys = append(keys, ownerKey(target, owner.Kind, id))
	}
	return keys
}

func (o Owner) encode() []byte {
	return append(append(append(o.Tenant[:], byte(o.Kind)), o.Source[:]...), o.Sync...)
}

func decodeOwner(rec []byte) Owner {
	if len(rec) < 33 {
		panic(kv.BadRecord{What: "an account's owner cannot be read"})
	}
	return Owner{
		Tenant: parseID(rec[:16]), Kind: graphsync.Kind(rec[16]),
		Source: parseID(rec[17:33]), Sync: string(rec[33:]),
	}
}
