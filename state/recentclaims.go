package state

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"entrasync/graphsync"
)

// Claims on accounts that were just made come by the thousand, and their keys have no order: writing some of them
// rewrites nearly as many pages of the registry. They are kept in memory, where all of this process see them, and
// written many at once, in the order of their keys.
//
// A crash loses none: the tenant's generation in the registry was advanced before the first of them, so that the
// next start makes the claims again from the tenant's links, see rebuilder.

// maxRecentClaims bounds how many claims wait in memory.
const maxRecentClaims = 50_000

// recentClaims are the claims that are not in the registry's file yet.
type recentClaims struct {
	// gate is held for reading by those who change claims in the file, and for writing by those who move claims
	// between memory and file, so that no account is claimed in both.
	gate sync.RWMutex

	mu       sync.RWMutex // guards the fields below
	owners   map[string]Owner
	advanced map[graphsync.ID]bool // tenants whose generation was advanced for these claims
}

func (r *recentClaims) owner(key []byte) (owner Owner, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	owner, ok = r.owners[string(key)]
	return owner, ok
}

func (r *recentClaims) any(keys [][]byte) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.ContainsFunc(keys, func(key []byte) bool { _, ok := r.owners[string(key)]; return ok })
}

func (r *recentClaims) size() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.owners)
}

// ClaimAll claims several accounts for their owners and returns who owns each. A claim holds at once. It is on disk
// when the handle on its tenant is closed; should the process be killed before, it is made again from the tenant's
// links.
func (a *Accounts) ClaimAll(target string, claims map[string]Owner) (present map[string]Owner, err error) {
	present = make(map[string]Owner, len(claims))
	if len(claims) == 0 {
		return present, nil
	}
	if a.direct {
		err = a.registry.batch(func(tx *Tx) (err error) { present, err = claimsOf(tx).claimAll(target, claims); return err })
	} else if present, err = a.claimAll(target, claims); err == nil && a.recent.size() >= maxRecentClaims {
		err = a.writeClaims()
	}
	if err != nil {
		return nil, fmt.Errorf("claim %d accounts of target %s: %w", len(claims), target, err)
	}
	return present, nil
}

// claimAll is ClaimAll within a transaction.
func (c claims) claimAll(target string, claims map[string]Owner) (present map[string]Owner, err error) {
	present = make(map[string]Owner, len(claims))
	if owners := c.kv.bucket(bucketOwners); owners != nil {
		owners.Warm(slices.Values(ownerKeys(target, claims)))
	}
	for id, owner := range claims {
		if owner.Kind == 0 || id == "" {
			return nil, fmt.Errorf("it needs an id and a kind")
		}
		key := ownerKey(target, owner.Kind, id)
		if rec := c.kv.get(key, bucketOwners); rec != nil {
			present[id] = decodeOwner(rec)
			continue
		}
		present[id] = owner
		if err := c.own(key, owner); err != nil {
			return nil, err
		}
	}
	return present, nil
}

func (a *Accounts) claimAll(target string, claims map[string]Owner) (present map[string]Owner, err error) {
	a.recent.gate.Lock()
	defer a.recent.gate.Unlock()
	present = make(map[string]Owner, len(claims))
	fresh := map[string]Owner{}
	err = a.registry.view(func(tx *Tx) error {
		for id, owner := range claims {
			if owner.Kind == 0 || id == "" {
				return fmt.Errorf("it needs an id and a kind")
			}
			key := ownerKey(target, owner.Kind, id)
			if known, ok := a.recent.owner(key); ok {
				present[id] = known
			} else if rec := tx.kv.get(key, bucketOwners); rec != nil {
				present[id] = decodeOwner(rec)
			} else {
				present[id], fresh[string(key)] = owner, owner
			}
		}
		return nil
	})
	if err != nil || len(fresh) == 0 {
		return present, err
	}
	tenants := map[graphsync.ID]bool{}
	for _, owner := range fresh {
		tenants[owner.Tenant] = true
	}
	if err := a.advanceOnce(tenants); err != nil {
		return nil, err
	}
	a.recent.mu.Lock()
	defer a.recent.mu.Unlock()
	if a.recent.owners == nil {
		a.recent.owners = map[string]Owner{}
	}
	maps.Copy(a.recent.owners, fresh)
	return present, nil
}

// advanceOnce advances the generations of tenants whose claims have been written since it last did.
func (a *Accounts) advanceOnce(tenants map[graphsync.ID]bool) error {
	a.recent.mu.Lock()
	defer a.recent.mu.Unlock()
	maps.DeleteFunc(tenants, func(id graphsync.ID, _ bool) bool { return a.recent.advanced[id] })
	if len(tenants) == 0 {
		return nil
	}
	err := a.registry.update(func(tx *Tx) error {
		for id := range tenants {
			if err := claimsOf(tx).advance(id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if a.recent.advanced == nil {
		a.recent.advanced = map[graphsync.ID]bool{}
	}
	maps.Copy(a.recent.advanced, tenants)
	return nil
}

// changeClaims changes claims with some keys in the registry's file, in a commit that concurrent callers share.
func (a *Accounts) changeClaims(keys [][]byte, fn func(*Tx) error) error {
	for {
		a.recent.gate.RLock()
		if !a.recent.any(keys) {
			defer a.recent.gate.RUnlock()
			return a.registry.batch(fn)
		}
		a.recent.gate.RUnlock()
		if err := a.writeClaims(); err != nil {
			return err
		}
	}
}

// writeClaims writes the claims that are in memory.
func (a *Accounts) writeClaims() error {
	if a.recent.size() == 0 {
		return nil
	}
	a.recent.gate.Lock()
	defer a.recent.gate.Unlock()
	a.recent.mu.RLock()
	keys := slices.Sorted(maps.Keys(a.recent.owners))
	a.recent.mu.RUnlock()
	for chunk := range slices.Chunk(keys, indexChunk) {
		err := a.registry.update(func(tx *Tx) error {
			for _, key := range chunk {
				owner, _ := a.recent.owner([]byte(key))
				if err := tx.kv.put([]byte(key), owner.encode(), bucketOwners); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		a.recent.mu.Lock()
		for _, key := range chunk {
			delete(a.recent.owners, key)
		}
		a.recent.mu.Unlock()
	}
	return nil
}

// settleClaims writes what is in memory, so that a tenant's file may take its generation over.
func (a *Accounts) settleClaims(tenant graphsync.ID) error {
	if err := a.writeClaims(); err != nil {
		return err
	}
	a.recent.mu.Lock()
	defer a.recent.mu.Unlock()
	delete(a.recent.advanced, tenant)
	return nil
}
