package state

import (
	"encoding/binary"
	"errors"
	"iter"
	"slices"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

// An Object is a user or group as the snapshot has it. A removed one keeps the properties it
// had. It is valid until its transaction ends; Clone it to keep it longer.
type Object struct {
	Kind    graphsync.Kind
	ID      graphsync.ID
	Removed graphsync.Removal

	properties []byte // index uvarint, length uvarint, JSON value; by rising index
	dict       *names
}

// A record is removal byte, round uint32, properties.
const recordHeader = 5

var removals = []graphsync.Removal{graphsync.NotRemoved, graphsync.SoftDeleted, graphsync.Purged}

// Value returns a property's JSON text. Names are compared without regard to case, as Entra does.
// ok is false when Graph never sent it, which is not the same as null.
func (o *Object) Value(name string) (raw []byte, ok bool) {
	if o.dict == nil {
		return nil, false
	}
	want, ok := o.dict.find(name)
	if !ok {
		return nil, false
	}
	for rest := o.properties; len(rest) > 0; {
		var p property
		p, rest = nextProperty(rest)
		if p.index == uint64(want) {
			return p.value, true
		}
		if p.index > uint64(want) {
			break
		}
	}
	return nil, false
}

// All yields the properties, in the order in which their names were first met in this file.
func (o *Object) All() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for rest := o.properties; len(rest) > 0; {
			var p property
			p, rest = nextProperty(rest)
			if !yield(o.dict.name(p.index), p.value) {
				return
			}
		}
	}
}

// Clone returns a copy that outlives the transaction.
func (o Object) Clone() Object {
	o.properties = slices.Clone(o.properties)
	return o
}

// Get returns an object of the snapshot, removed ones included.
func (t Objects) Get(kind graphsync.Kind, id graphsync.ID) (Object, bool) {
	rec := record(t.tx.kv.bucket(bucketObjects).Get(objectKey(kind, id)))
	if rec == nil {
		return Object{}, false
	}
	return t.decode(kind, id, rec), true
}

// All yields the objects of a kind by rising id, removed ones included, beginning behind
// after.
func (t Objects) All(kind graphsync.Kind, after graphsync.ID) iter.Seq[Object] {
	return func(yield func(Object) bool) {
		for id, rec := range t.records(kind, after) {
			if !yield(t.decode(kind, id, rec)) {
				return
			}
		}
	}
}

// Count returns how many objects of a kind are not removed.
func (t Objects) Count(kind graphsync.Kind) int { return int(t.tx.counts.get(liveCounter(kind))) }

// Unseen yields the objects that are not removed, yet were not part of the last full round,
// beginning behind after: candidates for the question whether they still exist. It yields none
// while such a round is under way.
func (t Objects) Unseen(kind graphsync.Kind, after graphsync.ID) iter.Seq[Object] {
	return func(yield func(Object) bool) {
		c := t.tx.Cursors().Get(streamOf(kind))
		if c.Full && !c.Complete {
			return
		}
		for id, rec := range t.records(kind, after) {
			if rec[0] == 0 && roundOf(rec) != c.Round && !yield(t.decode(kind, id, rec)) {
				return
			}
		}
	}
}

// RecordPresence records the answer to the direct question whether an object still exists. Present
// makes it part of the round, and brings it back when it was removed; InDeletedItems and Absent
// remove it; Unknown changes nothing. What changed is pending for the syncs.
func (t Objects) RecordPresence(kind graphsync.Kind, id graphsync.ID, presence graphsync.Presence, syncs []string) error {
	objects := t.tx.kv.bucket(bucketObjects)
	key := objectKey(kind, id)
	old := record(objects.Get(key))
	if old == nil {
		return nil
	}
	round := t.tx.Cursors().Get(streamOf(kind)).Round
	p := newPendingWriter(t.tx, syncs, false)
	switch presence {
	case graphsync.Present:
		if old[0] == 0 && roundOf(old) == round {
			return nil
		}
		if old[0] != 0 {
			t.tx.counts.add(liveCounter(kind), 1)
			if err := p.add(PendingKey{Kind: kind, ID: id}); err != nil {
				return err
			}
			if kind == graphsync.Group {
				if err := t.pendMembers(p, id); err != nil {
					return err
				}
			}
		}
		if err := objects.Put(key, encodeRecord(graphsync.NotRemoved, round, old[recordHeader:])); err != nil {
			return err
		}
	case graphsync.InDeletedItems, graphsync.Absent:
		reason := graphsync.Purged
		if presence == graphsync.InDeletedItems {
			reason = graphsync.SoftDeleted
		}
		if _, err := t.tombstone(p, objects, kind, id, old, reason, round); err != nil {
			return err
		}
	}
	return p.done()
}

// Forget drops a removed object with its memberships, for when nothing is linked to it any
// more. One that is not removed stays as it is.
func (t Objects) Forget(kind graphsync.Kind, id graphsync.ID) error {
	objects, key := t.tx.kv.bucket(bucketObjects), objectKey(kind, id)
	if rec := record(objects.Get(key)); rec == nil || rec[0] == 0 {
		return nil
	}
	// Writing to what is scanned is not allowed: collect first.
	members, groups := slices.Collect(t.tx.Members().Of(id)), slices.Collect(t.tx.Members().GroupsOf(id))
	var errs []error
	for _, m := range members {
		errs = append(errs, t.tx.kv.bucket(bucketMembers).Delete(memberKey(id, m)), t.tx.kv.bucket(bucketMemberOf).Delete(pairKey(m.ID, id)))
	}
	for _, g := range groups {
		errs = append(errs, t.tx.kv.bucket(bucketMembers).Delete(memberKey(g, Member{kind, id})), t.tx.kv.bucket(bucketMemberOf).Delete(pairKey(id, g)))
	}
	return errors.Join(append(errs, objects.Delete(key))...)
}

// tombstone makes an object a tombstone and its consequences pending: its own, and those of a
// group's members. It tells whether that changed anything.
func (t Objects) tombstone(p *pendingWriter, objects kv.Bucket, kind graphsync.Kind, id graphsync.ID, old []byte, reason graphsync.Removal, round uint32) (bool, error) {
	if removals[old[0]] == reason {
		return false, nil
	}
	if old[0] == 0 {
		t.tx.counts.add(liveCounter(kind), -1)
	}
	if err := objects.Put(objectKey(kind, id), encodeRecord(reason, round, old[recordHeader:])); err != nil {
		return false, err
	}
	if err := p.add(PendingKey{Kind: kind, ID: id}); err != nil || kind != graphsync.Group {
		return true, err
	}
	return true, t.pendMembers(p, id)
}

// pendMembers makes the members of a group that went or came back pending.
func (t Objects) pendMembers(p *pendingWriter, group graphsync.ID) error {
	for m := range t.tx.Members().Of(group) {
		if err := p.member(group, m); err != nil {
			return err
		}
	}
	return nil
}

// A property is one entry of a record.
type property struct {
	index uint64
	value []byte
}

func nextProperty(rest []byte) (property, []byte) {
	index, n := binary.Uvarint(rest)
	if n > 0 {
		size, m := binary.Uvarint(rest[n:])
		if from := n + m; m > 0 && size <= uint64(len(rest)-from) {
			to := from + int(size)
			return property{index, rest[from:to:to]}, rest[to:]
		}
	}
	panic(kv.BadRecord{What: "an object's record is cut off"})
}

func appendProperty(rec []byte, p property) []byte {
	rec = binary.AppendUvarint(rec, p.index)
	rec = binary.AppendUvarint(rec, uint64(len(p.value)))
	return append(rec, p.value...)
}

// merge returns the record of an object after a change: properties that came overwrite, others
// stay as they were. fresh is sorted by index.
func (t Objects) merge(round uint32, old []byte, fresh []property) (rec []byte) {
	size := recordHeader + len(old) + kv.ValueOverhead
	for _, p := range fresh {
		size += len(p.value) + 2*binary.MaxVarintLen32
	}
	arena := t.tx.kv.tx.Arena()
	rec = appendHeader(arena.Begin(size), graphsync.NotRemoved, round)
	for rest := old; len(rest) > 0; {
		p, next := nextProperty(rest)
		for len(fresh) > 0 && fresh[0].index < p.index {
			rec, fresh = appendProperty(rec, fresh[0]), fresh[1:]
		}
		if len(fresh) > 0 && fresh[0].index == p.index {
			rec, fresh = appendProperty(rec, fresh[0]), fresh[1:]
		} else {
			rec = append(rec, rest[:len(rest)-len(next)]...)
		}
		rest = next
	}
	for _, p := range fresh {
		rec = appendProperty(rec, p)
	}
	return arena.End(rec)
}

func encodeRecord(removed graphsync.Removal, round uint32, properties []byte) []byte {
	return append(appendHeader(make([]byte, 0, recordHeader+len(properties)), removed, round), properties...)
}

func appendHeader(rec []byte, removed graphsync.Removal, round uint32) []byte {
	return binary.BigEndian.AppendUint32(append(rec, byte(slices.Index(removals, removed))), round)
}

// record verifies a record as it comes from the file; nil stays nil.
func record(rec []byte) []byte {
	if rec != nil && (len(rec) < recordHeader || int(rec[0]) >= len(removals)) {
		panic(kv.BadRecord{What: "the record of an object cannot be read"})
	}
	return rec
}

func roundOf(rec []byte) uint32 { return binary.BigEndian.Uint32(rec[1:]) }

func (t Objects) decode(kind graphsync.Kind, id graphsync.ID, rec []byte) Object {
	return Object{Kind: kind, ID: id, Removed: removals[rec[0]], properties: rec[recordHeader:], dict: t.tx.attributes.names()}
}

func (t Objects) records(kind graphsync.Kind, after graphsync.ID) iter.Seq2[graphsync.ID, []byte] {
	return func(yield func(graphsync.ID, []byte) bool) {
		for k, rec := range scan(t.tx.kv.bucket(bucketObjects), []byte{byte(kind)}, objectKey(kind, after)) {
			if rec == nil {
				panic(kv.BadRecord{What: "there is a bucket among the objects"})
			}
			if !yield(parseID(k[1:]), record(rec)) {
				return
			}
		}
	}
}

func objectKey(kind graphsync.Kind, id graphsync.ID) []byte {
	return append([]byte{byte(kind)}, id[:]...)
}

func liveCounter(kind graphsync.Kind) string { return "live\x00" + kind.String() }

func streamOf(kind graphsync.Kind) graphsync.Stream {
	if kind == graphsync.Group {
		return graphsync.Groups
	}
	return graphsync.Users
}
