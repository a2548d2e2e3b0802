package state

import (
	"fmt"
	"slices"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

// A member whose type an entry does not give, or gives in a word that Graph has added, is kept by group and
// member until its type can be found: users are read at the same time as groups, and the page
// that tells what it is may be still to come.

// putOpen remembers a member of an unknown type.
func (t Members) putOpen(group, member graphsync.ID) error {
	return t.tx.kv.put(pairKey(group, member), []byte{}, bucketOpenMembers)
}

// HaveOpen reports whether groups have members whose type is not known yet.
func (t Members) HaveOpen() bool { return !isEmpty(t.tx.kv.bucket(bucketOpenMembers)) }

// PlaceOpen takes in the members whose type the snapshot knows by now. A group with a member that
// it does not know becomes doubtful, see [Doubt].
func (t Members) PlaceOpen(syncs []string) error {
	var open [][]byte
	for k := range scan(t.tx.kv.bucket(bucketOpenMembers), nil, nil) {
		if len(k) != 32 {
			panic(kv.BadRecord{What: "a member of an unknown type cannot be read"})
		}
		open = append(open, slices.Clone(k))
	}
	for _, k := range open {
		group, member := parseID(k[:16]), parseID(k[16:])
		var err error
		if kind := t.tx.Objects().KindOf(member); kind != 0 {
			err = t.Set(group, Member{Kind: kind, ID: member}, true, syncs)
		} else {
			err = t.tx.Doubts().Put(Doubt{graphsync.Group, group, fmt.Sprintf("it has the member %s, whose type is not known", member)})
		}
		if err != nil {
			return err
		}
	}
	return t.tx.kv.deleteBucket(bucketOpenMembers)
}
