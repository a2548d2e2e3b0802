package graphtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"entrasync/graphsync"
)

// A directory is what a tenant holds.
type directory struct {
	id     graphsync.ID
	name   string
	domain string
	now    func() time.Time

	made       int // objects ever, for their ids
	objects    map[graphsync.ID]*object
	users      feed
	groups     feed
	bin        []*object // soft-deleted, oldest first
	extensions []property
	principals []*servicePrincipal
	shared     map[string]string // one copy of values that many objects have
}

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
func (d *directory) add(s *schema, props Props) *object {
	d.made++
	o := &object{schema: s}
	switch id := props["id"].(type) {
	case nil:
		o.id = newID(d.id.String(), s.collection, strconv.Itoa(d.made))
	case graphsync.ID:
		o.id = id
	case string:
		o.id = mustID(id)
	}
	if d.objects[o.id] != nil {
		panic(fmt.Sprintf("graphtest: there is an object %s already", o.id))
	}
	d.objects[o.id] = o
	o.born = d.feed(s).touch(o)
	o.props = make([]prop, 0, len(props))
	d.update(o, props)
	return o
}

func (d *directory) update(o *object, props Props) {
	var others []string // directory extensions: their order is the order they are registered in
	for name, value := range props {
		if o.schema.find(name) >= 0 {
			d.setProperty(o, name, value)
		} else if name != "id" {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	for _, name := range others {
		d.setProperty(o, name, props[name])
	}
}

func (d *directory) setProperty(o *object, name string, given any) {
	index, p := d.property(o.schema, name, given)
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
	d.put(o, index, value)
}

// property finds a property by name; a directory extension is registered by its first value.
func (d *directory) property(s *schema, name string, value any) (int, property) {
	if index := s.find(name); index >= 0 {
		return index, s.properties[index]
	}
	if s != userSchema || !extensionName.MatchString(name) {
		panic(fmt.Sprintf("graphtest: %s has no property %q", s.odataType, name))
	}
	for i, p := range d.extensions {
		if strings.EqualFold(p.name, name) {
			return len(s.properties) + i, p
		}
	}
	p := extension(name, value)
	d.extensions = append(d.extensions, p)
	return len(s.properties) + len(d.extensions) - 1, p
}

func (d *directory) put(o *object, index int, value string) {
	at, found := slices.BinarySearchFunc(o.props, uint16(index), func(p prop, i uint16) int { return int(p.index) - int(i) })
	if found && o.props[at].value == value || !found && value == "null" {
		return
	}
	if len(value) <= 32 {
		if known, ok := d.shared[value]; ok {
			value = known
		} else if len(d.shared) < 10_000 {
			d.shared[value] = value
		}
	}
	version := d.feed(o.schema).touch(o)
	if !found {
		o.props = slices.Insert(o.props, at, prop{index: uint16(index)})
	}
	o.props[at].version, o.props[at].value = version, value
	// "If a directory extension changes, all extension properties of that data type are
	// returned" (user: delta).
	if first := len(o.schema.properties); index >= first {
		for i := range o.props {
			if e := int(o.props[i].index) - first; e >= 0 && d.extensions[e].of == d.extensions[index-first].of {
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

func (d *directory) existing(id graphsync.ID) *object {
	o := d.objects[id]
	if o == nil || o.state == purged {
		panic(fmt.Sprintf("graphtest: tenant %s has no object %s", d.name, id))
	}
	return o
}

func (d *directory) purge(o *object) {
	o.state = purged
	o.stateAt = d.feed(o.schema).touch(o)
	o.props, o.manager, o.members = nil, nil, nil
	d.bin = slices.DeleteFunc(d.bin, func(b *object) bool { return b == o })
	for _, p := range d.principals {
		p.rows = slices.DeleteFunc(p.rows, func(a assignment) bool { return a.principal == o })
	}
	// In the order of the feeds, so that the same edits give the same delta.
	for at, group := range d.groups.entries {
		if group.last == uint32(at+1) && group.members != nil && group.members.has(o) {
			d.setMember(group, o, false)
		}
	}
	for at, user := range d.users.entries {
		if user.last == uint32(at+1) && user.manager != nil && user.manager.id == o.id {
			d.setManager(user, graphsync.ID{})
		}
	}
}

// retention is how long deletedItems keeps an object.
const retention = 30 * 24 * time.Hour

// expire purges what has been deleted for 30 days.
func (d *directory) expire(now time.Time) {
	for len(d.bin) > 0 && now.Sub(time.Unix(d.bin[0].deletedAt, 0)) >= retention {
		d.purge(d.bin[0])
	}
}
