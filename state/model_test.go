package state_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/state"
)

// A model is what the state should hold, in maps. It shares no idea with the store but the
// meaning of its methods.
type model struct {
	objects map[graphsync.Kind]map[uint32]*modelObject
	members map[[2]uint32]uint32 // group, user → round
	round   map[graphsync.Stream]uint32
	open    map[graphsync.Stream]bool // a full round is under way
	rows    map[string]graphsync.Assignment
	missed  map[string]bool // rows that the last reading lacked
	pending map[state.PendingKey]bool
}

type modelObject struct {
	removed    graphsync.Removal
	round      uint32
	properties map[string]string
}

func newModel() *model {
	return &model{
		objects: map[graphsync.Kind]map[uint32]*modelObject{graphsync.User: {}, graphsync.Group: {}},
		members: map[[2]uint32]uint32{}, round: map[graphsync.Stream]uint32{}, open: map[graphsync.Stream]bool{},
		rows: map[string]graphsync.Assignment{}, pending: map[state.PendingKey]bool{},
	}
}

func (m *model) touch(keys ...state.PendingKey) {
	for _, k := range keys {
		m.pending[k] = true
	}
}

func (m *model) membership(g, u uint32) { m.touch(userKey(u), state.Membership(id(g), id(u))) }

func (m *model) membersOf(g uint32) (users []uint32) {
	for pair := range m.members {
		if pair[0] == g {
			users = append(users, pair[1])
		}
	}
	return users
}

func (m *model) tombstone(kind graphsync.Kind, n uint32, reason graphsync.Removal, round uint32) {
	o := m.objects[kind][n]
	if o == nil || o.removed == reason {
		return
	}
	o.removed, o.round = reason, round
	m.touch(state.PendingKey{Kind: kind, ID: id(n)})
	m.everybodyIn(kind, n)
}

// everybodyIn touches the members of a group that went or came back.
func (m *model) everybodyIn(kind graphsync.Kind, n uint32) {
	if kind != graphsync.Group {
		return
	}
	for _, u := range m.membersOf(n) {
		m.membership(n, u)
	}
}

func (m *model) apply(stream graphsync.Stream, n uint32, c graphsync.Change) {
	kind, round := stream.Kind(), m.round[stream]
	if c.Removed != "" {
		m.tombstone(kind, n, c.Removed, round)
		return
	}
	o := m.objects[kind][n]
	changed := o == nil || o.removed != ""
	if o != nil && o.removed != "" {
		m.everybodyIn(kind, n)
	}
	if o == nil {
		o = &modelObject{properties: map[string]string{}}
		m.objects[kind][n] = o
	}
	before := maps.Clone(o.properties)
	if m.open[stream] && o.round != round { // a full round tells the present state
		o.properties = map[string]string{}
	}
	o.removed, o.round = "", round
	for _, p := range c.Properties {
		o.properties[p.Name] = string(p.Value)
	}
	if changed || !maps.Equal(before, o.properties) {
		m.touch(state.PendingKey{Kind: kind, ID: c.ID})
	}
}

func (m *model) member(g, u uint32, present bool) {
	pair := [2]uint32{g, u}
	_, was := m.members[pair]
	if present {
		m.members[pair] = m.round[graphsync.Groups]
	} else {
		delete(m.members, pair)
	}
	if was != present {
		m.membership(g, u)
	}
}

var (
	aUser     = rapid.Uint32Range(1, 12)
	aGroup    = rapid.Uint32Range(21, 29) // an id is never a user's and a group's
	aStream   = rapid.SampledFrom([]graphsync.Stream{graphsync.Users, graphsync.Groups})
	aReason   = rapid.SampledFrom([]graphsync.Removal{graphsync.SoftDeleted, graphsync.Purged})
	aName     = rapid.SampledFrom([]string{"mail", "city", "age", "manager"})
	aValue    = rapid.SampledFrom([]string{"null", `""`, `"x"`, "7", `{"a":[1]}`})
	aProperty = rapid.Custom(func(t *rapid.T) graphsync.Property {
		return graphsync.Property{Name: aName.Draw(t, "name"), Value: []byte(aValue.Draw(t, "value"))}
	})
)

func TestStateIsAsItsModel(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		x := &machine{m: newModel(), dir: filepath.Join(top, fmt.Sprint(runs)), last: map[graphsync.Stream]*graphsync.Page{}}
		x.reopen(t)
		defer func() {
			if err := errors.Join(x.tenant.Check(), x.tenant.Close(), x.store.Close()); err != nil {
				t.Error(err)
			}
		}()
		t.Repeat(x.actions())
	})
}
