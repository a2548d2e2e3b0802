package state

import (
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

// BeginCreation says that an account with some values is about to be made in an application.
func (a *Accounts) BeginCreation(application string, owner Owner, values []string) {
	a.creations.mu.Lock()
	defer a.creations.mu.Unlock()
	a.creations.end(owner)
	if a.creations.byOwner == nil {
		a.creations.byOwner, a.creations.byValue = map[Owner][]string{}, map[string][]Owner{}
	}
	for _, value := range values {
		if value == "" {
			continue
		}
		key := creationKey(application, owner.Kind, value)
		a.creations.byOwner[owner] = append(a.creations.byOwner[owner], key)
		a.creations.byValue[key] = append(a.creations.byValue[key], owner)
	}
}

// EndCreation says that the account has been claimed, or is known not to have been made.
func (a *Accounts) EndCreation(owner Owner) {
	a.creations.mu.Lock()
	defer a.creations.mu.Unlock()
	a.creations.end(owner)
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

// endAll forgets what a tenant was making.
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
func (a *Accounts) CreatorOf(application string, owner Owner, values []string) (other Owner, making bool) {
	a.creations.mu.Lock()
	defer a.creations.mu.Unlock()
	for _, value := range values {
		for _, other := range a.creations.byValue[creationKey(application, owner.Kind, value)] {
			if other != owner {
				return other, true
			}
		}
	}
	return Owner{}, false
}
