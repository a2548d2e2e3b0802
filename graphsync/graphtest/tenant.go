package graphtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"entrasync/graphsync"
)

// A TenantSpec describes a tenant. The zero value is a tenant named Contoso with an id of its
// own.
type TenantSpec struct {
	ID     string // a GUID
	Name   string
	Domain string // such as contoso.onmicrosoft.com
}

// A Tenant is a directory: users, groups, service principals, and who is assigned to what. Its
// methods are the edits an administrator makes; each shows in the next delta response. They
// may be called concurrently and panic when asked for what a directory cannot hold.
type Tenant struct {
	s *Server

	mu  sync.Mutex // guards dir, but for what identifies it
	dir directory
}

// AddTenant adds a tenant; an id or domain that is taken panics.
func (s *Server) AddTenant(spec TenantSpec) *Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	if spec.Name == "" {
		spec.Name = "Contoso"
		if n := len(s.order); n > 0 {
			spec.Name += " " + strconv.Itoa(n+1)
		}
	}
	if spec.Domain == "" {
		spec.Domain = strings.ToLower(strings.ReplaceAll(spec.Name, " ", "")) + ".onmicrosoft.com"
	}
	id := newID("tenant", spec.Domain)
	if spec.ID != "" {
		id = mustID(spec.ID)
	}
	t := &Tenant{s: s, dir: directory{id: id, name: spec.Name, domain: spec.Domain, now: s.opts.Now,
		objects: map[graphsync.ID]*object{}, shared: map[string]string{}}}
	t.dir.users.changed = func(o *object) { s.notifier.touched(t, graphsync.Users, o) }
	t.dir.groups.changed = func(o *object) { s.notifier.touched(t, graphsync.Groups, o) }
	for _, key := range []string{id.String(), strings.ToLower(spec.Domain)} {
		if s.tenants[key] != nil {
			panic(fmt.Sprintf("graphtest: there is a tenant %s already", key))
		}
		s.tenants[key] = t
	}
	s.order = append(s.order, t)
	return t
}

// ID returns the tenant's id.
func (t *Tenant) ID() graphsync.ID { return t.dir.id }

// Name returns the organization's display name.
func (t *Tenant) Name() string { return t.dir.name }

// Domain returns the domain of the tenant's user principal names.
func (t *Tenant) Domain() string { return t.dir.domain }

// Update sets several properties at once.
func (t *Tenant) Update(id graphsync.ID, props Props) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dir.update(t.dir.existing(id), props)
}

// Set sets one property of a user, group or service principal; nil clears it.
func (t *Tenant) Set(id graphsync.ID, name string, value any) { t.Update(id, Props{name: value}) }

// SoftDelete moves users or groups to deletedItems, from where they can be restored for 30
// days. A deleted user stays a member of groups until purged, as delta has it.
func (t *Tenant) SoftDelete(ids ...graphsync.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		o := t.dir.existing(id)
		if o.state != live {
			continue
		}
		o.state = softDeleted
		o.stateAt = t.dir.feed(o.schema).touch(o)
		o.deletedAt = t.s.opts.Now().Unix()
		t.dir.bin = append(t.dir.bin, o)
	}
}

// Restore brings a soft-deleted object back; in delta it looks like a new one.
func (t *Tenant) Restore(id graphsync.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.dir.existing(id)
	if o.state != softDeleted {
		panic(fmt.Sprintf("graphtest: %s is not in deletedItems", id))
	}
	o.state = live
	if !t.s.opts.QuietRestores {
		o.born = t.dir.feed(o.schema).touch(o)
	}
	t.dir.bin = slices.DeleteFunc(t.dir.bin, func(b *object) bool { return b == o })
}

// Purge deletes an object for good, with its memberships and assignments.
func (t *Tenant) Purge(id graphsync.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dir.purge(t.dir.existing(id))
}
