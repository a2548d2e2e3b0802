package state

import (
	"fmt"
	"strings"
	"sync"

	"entrasync/graphsync"
)

// An account that is being made is claimed only when the application has answered with its id.
// Until then it is known by its values: another tenant that finds it in that moment must not take
// it for an account that no sync keeps. An intent outlives the process, and so does this.

// creations are the accounts that are being made.
type creations struct {
	mu      sync.Mutex // protects both fields
	byOwner map[Owner][]string
	byValue map[string][]Owner // see creationKey
}

func creationKey(application string, kind graphsync.Kind, value string) string {
	return application + "\x00" + string(byte(kind)) + strings.ToLower(value)
}

// A Creation is an account that is about to be made, with the values that it may be found by.
type Creation struct {
	Owner  Owner
	Values []string
}

// BeginCreations says that accounts are about to be made in an application.
func (a *Accounts) BeginCreations(application string, all []Creation) error {
	if len(all) == 0 {
		return nil
	}
	if a.direct {
		return a.registry.batch(func(tx *Tx) error {
			owners := make([]Owner, len(all))
			for i := range all {
				owners[i] = all[i].Owner
			}
			making{tx.kv}.warm(owners)
			for _, c := range all {
				if err := (making{tx.kv}).begin(application, c); err != nil {
					return fmt.Errorf("note which accounts are being made: %w", err)
				}
			}
			return nil
		})
	}
	a.creations.mu.Lock()
	defer a.creations.mu.Unlock()
	for _, c := range all {
		a.creations.begin(application, c)
	}
	return nil
}

func (c *creations) begin(application string, of Creation) {
	c.end(of.Owner)
	if c.byOwner == nil {
		c.byOwner, c.byValue = map[Owner][]string{}, map[string][]Owner{}
	}
	for _, value := range of.Values {
		if value == "" {
			continue
		}
		key := creationKey(application, of.Owner.Kind, value)
		c.byOwner[of.Owner] = append(c.byOwner[of.Owner], key)
		c.byValue[key] = append(c.byValue[key], of.Owner)
	}
}

// EndCreations says that the accounts of owners have been claimed, or are known not to have been made.
func (a *Accounts) EndCreations(owners ...Owner) error {
	if len(owners) == 0 {
		return nil
	}
	if a.direct {
		return a.registry.batch(func(tx *Tx) error {
			making{tx.kv}.warm(owners)
			for _, owner := range owners {
				if err := (making{tx.kv}).end(owner); err != nil {
					return fmt.Errorf("note which accounts are no longer being made: %w", err)
				}
			}
			return nil
		})
	}
	a.creations.mu.Lock()
	defer a.creations.mu.Unlock()
	for _, owner := range owners {
		a.creations.end(owner)
	}
	return nil
}

// any reports whether an account is being made.
func (c *creations) any() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byOwner) > 0
}

func (c *creations) end(owner Owner) {
	for _, key := range c.byOwner[owner] {
		var rest []Owner
		for _, other := range c.byValue[key] {
			if other != owner {
				rest = append(rest, other)
			}
		}
		if c.byValue[key] = rest; rest == nil {
			delete(c.byValue, key)
		}
	}
	delete(c.byOwner, owner)
}

// endCreationsOf forgets what a tenant was making.
func (a *Accounts) endCreationsOf(tenant graphsync.ID) error {
	if !a.direct {
		a.creations.endAll(tenant)
		return nil
	}
	return a.registry.update(func(tx *Tx) error {
		m := making{tx.kv}
		for owner := range m.of(tenant) {
			if err := m.end(owner); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *creations) endAll(tenant graphsync.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for owner := range c.byOwner {
		if owner.Tenant == tenant {
			c.end(owner)
		}
	}
}

// CreatorOf returns who other than an owner is making an account with one of some values. Ask it
// before [Accounts.OwnerOf]: what is no longer being made has been claimed by then.
func (a *Accounts) CreatorOf(application string, owner Owner, values []string) (other Owner, making bool, err error) {
	if a.direct {
		return a.makerOf(application, owner, values)
	}
	a.creations.mu.Lock()
	defer a.creations.mu.Unlock()
	for _, value := range values {
		for _, other := range a.creations.byValue[creationKey(application, owner.Kind, value)] {
			if other != owner {
				return other, true, nil
			}
		}
	}
	return Owner{}, false, nil
}

// makerOf is CreatorOf where the registry has the answer.
func (a *Accounts) makerOf(application string, owner Owner, values []string) (other Owner, found bool, err error) {
	err = a.registry.view(func(tx *Tx) error {
		other, found = making{tx.kv}.creatorOf(application, owner, values)
		return nil
	})
	return other, found, err
}
