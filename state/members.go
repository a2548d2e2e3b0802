package state

import (
	"encoding/binary"
	"errors"
	"iter"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

// A Member is a direct member of a group.
type Member struct {
	Kind graphsync.Kind
	ID   graphsync.ID
}

// Of yields a group's direct members, users before groups, by rising id. A removed group
// keeps its members, as does a removed member its groups: both come back with it.
func (t Members) Of(group graphsync.ID) iter.Seq[Member] {
	return func(yield func(Member) bool) {
		for k := range scan(t.tx.kv.bucket(bucketMembers), group[:], nil) {
			if _, m := parseMemberKey(k); !yield(m) {
				return
			}
		}
	}
}

// GroupsOf yields the groups that have the object as a direct member, by rising id.
func (t Members) GroupsOf(member graphsync.ID) iter.Seq[graphsync.ID] {
	return func(yield func(graphsync.ID) bool) {
		for k := range scan(t.tx.kv.bucket(bucketMemberOf), member[:], nil) {
			if !yield(parseID(k[len(member):])) {
				return
			}
		}
	}
}

// Has reports whether the object is a direct member of the group.
func (t Members) Has(group, member graphsync.ID) bool {
	return t.tx.kv.bucket(bucketMemberOf).Get(pairKey(member, group)) != nil
}

// Unseen yields the memberships of groups that are not removed, which the last full
// round of groups did not report, beginning behind the given one. It yields none while such a
// round is under way.
func (t Members) Unseen(group graphsync.ID, after Member) iter.Seq2[graphsync.ID, Member] {
	return func(yield func(graphsync.ID, Member) bool) {
		c := t.tx.Cursors().Get(graphsync.Groups)
		if c.Full && !c.Complete {
			return
		}
		var checked graphsync.ID
		known, live := false, false
		for k, stamp := range scan(t.tx.kv.bucket(bucketMembers), nil, memberKey(group, after)) {
			if parseUint32(stamp) == c.Round {
				continue
			}
			g, m := parseMemberKey(k)
			if !known || g != checked {
				o, ok := t.tx.Objects().Get(graphsync.Group, g)
				checked, known, live = g, true, ok && o.Removed == graphsync.NotRemoved
			}
			if live && !yield(g, m) {
				return
			}
		}
	}
}

// Set records the answer to the direct question whether the object is a member. What
// changed is pending for the syncs.
func (t Members) Set(group graphsync.ID, m Member, present bool, syncs []string) error {
	members, memberOf := t.tx.kv.bucket(bucketMembers), t.tx.kv.bucket(bucketMemberOf)
	key := memberKey(group, m)
	stamp := members.Get(key)
	round := t.tx.Cursors().Get(graphsync.Groups).Round
	if !present && stamp == nil || present && stamp != nil && parseUint32(stamp) == round {
		return nil
	}
	if !present {
		if err := errors.Join(members.Delete(key), memberOf.Delete(pairKey(m.ID, group))); err != nil {
			return err
		}
	} else {
		if err := errors.Join(members.Put(key, binary.BigEndian.AppendUint32(nil, round)), memberOf.Put(pairKey(m.ID, group), []byte{})); err != nil {
			return err
		}
		if stamp != nil {
			return nil
		}
	}
	p := newPendingWriter(t.tx, syncs, false)
	if err := p.member(group, m); err != nil {
		return err
	}
	return p.done()
}

func memberKey(group graphsync.ID, m Member) []byte {
	key := make([]byte, 0, 2*len(group)+1)
	return append(append(append(key, group[:]...), byte(m.Kind)), m.ID[:]...)
}

func parseMemberKey(k []byte) (graphsync.ID, Member) {
	if len(k) != 33 {
		panic(kv.BadRecord{What: "a membership cannot be read"})
	}
	return parseID(k[:16]), Member{Kind: graphsync.Kind(k[16]), ID: parseID(k[17:])}
}

func pairKey(a, b graphsync.ID) []byte { return append(append(make([]byte, 0, 32), a[:]...), b[:]...) }
