package graphtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

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
	s      *Server
	id     graphsync.ID
	name   string
	domain string

	mu         sync.Mutex // guards the rest
	made       int        // objects ever, for their ids
	objects    map[graphsync.ID]*object
	users      feed
	groups     feed
	bin        []*object // soft-deleted, oldest first
	extensions []property
	principals []*servicePrincipal
	shared     map[string]string // one copy of values that many objects have
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
	t := &Tenant{s: s, id: id, name: spec.Name, domain: spec.Domain,
		objects: map[graphsync.ID]*object{}, shared: map[string]string{}}
	for _, key := range []string{id.String(), strings.ToLower(spec.Domain)} {
		if s.tenants[key] != nil {
			panic(fmt.Sprintf("graphtest: there is a tenant %s already", key))
		}
		s.tenants[key] = t
	}
	s.order = append(s.order, t)
	return t
}

// ID returns the tenant's id, its name and its initial domain.
func (t *Tenant) ID() graphsync.ID { return t.id }

// Name returns the organization's display name.
func (t *Tenant) Name() string { return t.name }

// Domain returns the domain of the tenant's user principal names.
func (t *Tenant) Domain() string { return t.domain }

// newID derives a GUID (version 4 in form) from words: the same words, the same id.
func newID(words ...string) graphsync.ID {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	id := graphsync.ID(sum[:16])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

func mustID(text string) graphsync.ID {
	id, err := graphsync.ParseID(text)
	if err != nil {
		panic("graphtest: " + err.Error())
	}
	return id
}

// Props are properties by name: strings, bools, times, []string; nil clears. An id may be
// given as "id".
type Props map[string]any

// add makes an object from properties.
func (t *Tenant) add(s *schema, props Props) *object {
	t.made++
	o := &object{schema: s}
	switch id := props["id"].(type) {
	case nil:
		o.id = newID(t.id.String(), s.collection, strconv.Itoa(t.made))
	case graphsync.ID:
		o.id = id
	case string:
		o.id = mustID(id)
	}
	if t.objects[o.id] != nil {
		panic(fmt.Sprintf("graphtest: there is an object %s already", o.id))
	}
	t.objects[o.id] = o
	o.born = t.feed(s).touch(o)
	o.props = make([]prop, 0, len(props))
	t.update(o, props)
	return o
}

// Update sets several properties at once.
func (t *Tenant) Update(id graphsync.ID, props Props) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.update(t.existing(id), props)
}

// Set sets one property of a user, group or service principal; nil clears it.
func (t *Tenant) Set(id graphsync.ID, name string, value any) { t.Update(id, Props{name: value}) }

func (t *Tenant) update(o *object, props Props) {
	var others []string // directory extensions: their order is the order they are registered in
	for name, value := range props {
		if o.schema.find(name) >= 0 {
			t.setProperty(o, name, value)
		} else if name != "id" {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	for _, name := range others {
		t.setProperty(o, name, props[name])
	}
}

func (t *Tenant) setProperty(o *object, name string, given any) {
	index, p := t.property(o.schema, name, given)
	var value string
	var err error
	if name == "onPremisesExtensionAttributes" {
		value, err = o.extensionAttributes(index, given)
	} else {
		value, err = p.encode(given)
	}
	if err != nil {
		panic("graphtest: " + err.Error())
	}
	t.put(o, index, value)
}

// property finds a property by name; a directory extension is registered by its first value.
func (t *Tenant) property(s *schema, name string, value any) (int, property) {
	if index := s.find(name); index >= 0 {
		return index, s.properties[index]
	}
	if s != userSchema || !extensionName.MatchString(name) {
		panic(fmt.Sprintf("graphtest: %s has no property %q", s.odataType, name))
	}
	for i, p := range t.extensions {
		if strings.EqualFold(p.name, name) {
			return len(s.properties) + i, p
		}
	}
	p := extension(name, value)
	t.extensions = append(t.extensions, p)
	return len(s.properties) + len(t.extensions) - 1, p
}

func (t *Tenant) put(o *object, index int, value string) {
	at, found := slices.BinarySearchFunc(o.props, uint16(index), func(p prop, i uint16) int { return int(p.index) - int(i) })
	if found && o.props[at].value == value || !found && value == "null" {
		return
	}
	if len(value) <= 32 {
		if known, ok := t.shared[value]; ok {
			value = known
		} else if len(t.shared) < 10_000 {
			t.shared[value] = value
		}
	}
	version := t.feed(o.schema).touch(o)
	if !found {
		o.props = slices.Insert(o.props, at, prop{index: uint16(index)})
	}
	o.props[at].version, o.props[at].value = version, value
	// "If a directory extension changes, all extension properties of that data type are
	// returned" (user: delta).
	if first := len(o.schema.properties); index >= first {
		for i := range o.props {
			if e := int(o.props[i].index) - first; e >= 0 && t.extensions[e].of == t.extensions[index-first].of {
				o.props[i].version = version
			}
		}
	}
}

// extensionAttributes merges into the fifteen keys that Graph always sends together.
func (o *object) extensionAttributes(index int, value any) (string, error) {
	if value == nil {
		return "null", nil
	}
	merged := map[string]any{}
	if before, ok := o.get(index); ok {
		if err := json.Unmarshal([]byte(before), &merged); err != nil {
			return "", err
		}
	}
	given, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(given, &merged)
	}
	if err != nil {
		return "", fmt.Errorf("%v is no value of onPremisesExtensionAttributes: %w", value, err)
	}
	var out bytes.Buffer
	for i := 1; i <= 15; i++ {
		key := "extensionAttribute" + strconv.Itoa(i)
		text, err := json.Marshal(merged[key])
		if err != nil {
			return "", err
		}
		delete(merged, key)
		fmt.Fprintf(&out, ",%q:%s", key, text)
	}
	for key := range merged {
		if key != "" {
			return "", fmt.Errorf("onPremisesExtensionAttributes has no property %q", key)
		}
	}
	return "{" + out.String()[1:] + "}", nil
}

func (t *Tenant) existing(id graphsync.ID) *object {
	o := t.objects[id]
	if o == nil || o.state == purged {
		panic(fmt.Sprintf("graphtest: tenant %s has no object %s", t.name, id))
	}
	return o
}

// SoftDelete moves users or groups to deletedItems, from where they can be restored for 30
// days. A deleted user stays a member of groups until purged, as delta has it.
func (t *Tenant) SoftDelete(ids ...graphsync.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		o := t.existing(id)
		if o.state != live {
			continue
		}
		o.state = softDeleted
		o.stateAt = t.feed(o.schema).touch(o)
		o.deletedAt = t.s.opts.Now().Unix()
		t.bin = append(t.bin, o)
	}
}

// Restore brings a soft-deleted object back; in delta it looks like a new one.
func (t *Tenant) Restore(id graphsync.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.existing(id)
	if o.state != softDeleted {
		panic(fmt.Sprintf("graphtest: %s is not in deletedItems", id))
	}
	o.state = live
	if !t.s.opts.QuietRestores {
		o.born = t.feed(o.schema).touch(o)
	}
	t.bin = slices.DeleteFunc(t.bin, func(b *object) bool { return b == o })
}

// Purge deletes an object for good, with its memberships and assignments.
func (t *Tenant) Purge(id graphsync.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.purge(t.existing(id))
}

func (t *Tenant) purge(o *object) {
	o.state = purged
	o.stateAt = t.feed(o.schema).touch(o)
	o.props, o.manager, o.members = nil, nil, nil
	t.bin = slices.DeleteFunc(t.bin, func(b *object) bool { return b == o })
	for _, p := range t.principals {
		p.rows = slices.DeleteFunc(p.rows, func(a assignment) bool { return a.principal == o })
	}
	// In the order of the feeds, so that the same edits give the same delta.
	for at, group := range t.groups.entries {
		if group.last == uint32(at+1) && group.members != nil && group.members.has(o) {
			t.setMember(group, o, false)
		}
	}
	for at, user := range t.users.entries {
		if user.last == uint32(at+1) && user.manager != nil && user.manager.id == o.id {
			t.setManager(user, graphsync.ID{})
		}
	}
}

// retention is how long deletedItems keeps an object.
const retention = 30 * 24 * time.Hour

// expire purges what has been deleted for 30 days.
func (t *Tenant) expire(now time.Time) {
	for len(t.bin) > 0 && now.Sub(time.Unix(t.bin[0].deletedAt, 0)) >= retention {
		t.purge(t.bin[0])
	}
}
