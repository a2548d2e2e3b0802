package graphtest

import (
	"encoding/json"
	"slices"
	"strings"

	"entrasync/graphsync"
)

type lifecycle byte

const (
	live lifecycle = iota
	softDeleted
	purged
)

// An object is a user, group or service principal. Its versions are positions in its feed.
type object struct {
	id        graphsync.ID
	schema    *schema
	subtype   string // such as "agentUser"; "" for a plain one
	state     lifecycle
	born      uint32 // created or restored
	stateAt   uint32 // deleted or purged
	last      uint32 // any change
	deletedAt int64  // Unix seconds
	props     []prop // by index
	manager   *managerLink
	members   *membership
}

// A prop is a property that has been set at some time: value is JSON text, "null" once
// cleared. A property that was never set has no prop, and Graph omits it.
type prop struct {
	index   uint16 // in the schema, then in the tenant's extensions
	version uint32
	value   string
}

type managerLink struct {
	id, before graphsync.ID // zero is none
	version    uint32
}

// odataType is the type as @odata.type has it.
func (o *object) odataType() string {
	if o.subtype != "" {
		return "#microsoft.graph." + o.subtype
	}
	return o.schema.odataType
}

func (o *object) get(index int) (string, bool) {
	at, found := slices.BinarySearchFunc(o.props, uint16(index), func(p prop, i uint16) int { return int(p.index) - int(i) })
	if !found {
		return "", false
	}
	return o.props[at].value, true
}

// text returns a string property, "" when it is null or absent.
func (o *object) text(name string) string {
	value, _ := o.get(o.schema.find(name))
	if len(value) > 1 && value[0] == '"' && !strings.Contains(value, `\`) {
		return value[1 : len(value)-1]
	}
	var s string
	json.Unmarshal([]byte(value), &s) // null and absent leave it empty
	return s
}

// A feed is the order of changes in one collection. Position n+1 is the version of the change
// at entries[n]; an object counts where it changed last. What follows a version is what a
// delta round from there has to tell, so an empty round costs nothing and a page costs a page.
type feed struct {
	entries []*object
	sealed  uint32        // versions up to here are in links that were given out
	changed func(*object) // takes each change; nil for none
}

func (f *feed) version() uint32 { return uint32(len(f.entries)) }

// touch moves an object to the end and returns the version of the change.
func (f *feed) touch(o *object) uint32 {
	if f.changed != nil {
		f.changed(o)
	}
	if now := f.version(); o.last == now && now > f.sealed {
		return now // no client has seen this version: the change joins it
	}
	f.entries = append(f.entries, o)
	o.last = f.version()
	return o.last
}

// feed returns the feed an object's changes go to; service principals have none here.
func (d *directory) feed(s *schema) *feed {
	switch s {
	case userSchema:
		return &d.users
	case groupSchema:
		return &d.groups
	}
	return &feed{}
}
