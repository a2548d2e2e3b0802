package graphtest

import (
	"fmt"
	"sort"
	"strconv"

	"entrasync/graphsync"
)

// A membership is a group's direct members as the sequence of additions and removals. An
// entry counts if it is the last one of its member.
type membership struct {
	entries []memberEntry
	last    map[*object]uint32 // index in entries
	count   int
}

type memberEntry struct {
	member  *object
	version uint32 // in the feed of groups
	removed bool
}

func (m *membership) has(o *object) bool {
	i, known := m.last[o]
	return known && !m.entries[i].removed
}

// since returns the index of the first entry after a version.
func (m *membership) since(version uint32) int {
	return sort.Search(len(m.entries), func(i int) bool { return m.entries[i].version > version })
}

// next returns the first entry from index i on that is worth telling: the last one of its
// member, and no removal up to version start, of which the client does not know.
func (m *membership) next(i int, start uint32) int {
	for ; i < len(m.entries); i++ {
		if e := m.entries[i]; m.last[e.member] == uint32(i) && (!e.removed || e.version > start) {
			break
		}
	}
	return i
}

// AddGroup adds a security group, unless the properties say otherwise, and its members.
func (t *Tenant) AddGroup(props Props, members ...graphsync.ID) graphsync.ID {
	t.mu.Lock()
	defer t.mu.Unlock()
	group := t.dir.addGroup(props)
	for _, id := range members {
		t.dir.setMember(group, t.dir.existing(id), true)
	}
	return group.id
}

func (d *directory) addGroup(given Props) *object {
	props := Props{
		"createdDateTime": d.now(),
		"groupTypes":      []string{},
		"mailEnabled":     false,
		"securityEnabled": true,
		"proxyAddresses":  []string{},
	}
	for name, value := range given {
		props[name] = value
	}
	n := strconv.Itoa(d.made + 1)
	if props["displayName"] == nil {
		props["displayName"] = "Group " + n
	}
	if props["mailNickname"] == nil {
		props["mailNickname"] = "group" + n
	}
	group := d.add(groupSchema, props)
	group.members = &membership{last: map[*object]uint32{}}
	return group
}

// AddMember adds direct members to a group; who is one already stays one.
func (t *Tenant) AddMember(group graphsync.ID, members ...graphsync.ID) {
	t.editMembers(group, members, true)
}

// RemoveMember removes direct members from a group.
func (t *Tenant) RemoveMember(group graphsync.ID, members ...graphsync.ID) {
	t.editMembers(group, members, false)
}

func (t *Tenant) editMembers(id graphsync.ID, members []graphsync.ID, present bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	group := t.dir.existing(id)
	if group.members == nil {
		panic(fmt.Sprintf("graphtest: %s is not a group and has no members", id))
	}
	for _, member := range members {
		t.dir.setMember(group, t.dir.existing(member), present)
	}
}

func (d *directory) setMember(group, member *object, present bool) {
	m := group.members
	if m.has(member) == present {
		return
	}
	m.last[member] = uint32(len(m.entries))
	m.entries = append(m.entries, memberEntry{member, d.groups.touch(group), !present})
	if present {
		m.count++
	} else {
		m.count--
	}
}
