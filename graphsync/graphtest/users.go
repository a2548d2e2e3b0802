package graphtest

import (
	"fmt"
	"strconv"

	"entrasync/graphsync"
)

// AddUser adds a user and returns the id. What is not given is what Graph fills in: enabled, a
// member, no phones; a name and a principal name in the tenant's domain.
func (t *Tenant) AddUser(props Props) graphsync.ID {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dir.addUser(props).id
}

func (d *directory) addUser(given Props) *object {
	props := Props{
		"accountEnabled":  true,
		"userType":        "Member",
		"businessPhones":  []string{},
		"createdDateTime": d.now(),
	}
	for name, value := range given {
		props[name] = value
	}
	n := strconv.Itoa(d.made + 1)
	if props["displayName"] == nil {
		props["displayName"] = "User " + n
	}
	if props["userPrincipalName"] == nil {
		props["userPrincipalName"] = "user" + n + "@" + d.domain
	}
	return d.add(userSchema, props)
}

// SetSubtype makes a user one of a type derived from user, such as "agentUser" (resource agentUser).
func (t *Tenant) SetSubtype(user graphsync.ID, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.dir.existing(user)
	if o.schema != userSchema {
		panic(fmt.Sprintf("graphtest: %s is not a user", o.id))
	}
	o.subtype = name
	t.dir.users.touch(o)
}

// SetManager makes one user the manager of another; a zero manager takes it away.
func (t *Tenant) SetManager(user, manager graphsync.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !manager.IsZero() {
		t.dir.existing(manager)
	}
	t.dir.setManager(t.dir.existing(user), manager)
}

func (d *directory) setManager(o *object, manager graphsync.ID) {
	if o.schema != userSchema {
		panic(fmt.Sprintf("graphtest: %s is not a user and has no manager", o.id))
	}
	if o.manager == nil {
		if manager.IsZero() {
			return
		}
		o.manager = &managerLink{}
	}
	o.manager.before, o.manager.id = o.manager.id, manager
	o.manager.version = d.users.touch(o)
}
