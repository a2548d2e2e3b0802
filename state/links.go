package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"entrasync/graphsync"
)

// A Link ties an object of the directory to its account or group in the target, with what was
// last written there. Only what is linked is ever changed or removed.
type Link struct {
	Kind          graphsync.Kind
	Source        graphsync.ID
	TargetID      string // the target's own id
	Key           string // how people know it, such as its userName
	Adopted       bool   // it existed before the sync knew it
	Active        bool
	Since         time.Time
	InactiveSince time.Time
	Cause         string // why it is inactive, in words
	// Via is the group through which the source is in scope; zero: directly, or not by assignment.
	Via graphsync.ID
	// Applied is what was last written, by attribute path.
	Applied map[string]json.RawMessage
	// Keys are the values the source is found by; see SourcesByKey.
	Keys   []MatchKey
	LastOp string
	LastAt time.Time
}

// A MatchKey is a value of a matching attribute. Values are compared byte for byte: bring them
// into one form first.
type MatchKey struct{ Attribute, Value string }

const (
	flagAdopted = 1 << iota
	flagActive
)

// Get returns the link of an object, false when it has none.
func (t Links) Get(kind graphsync.Kind, id graphsync.ID) (Link, bool, error) {
	rec := t.tx.kv.get(objectKey(kind, id), bucketSyncs, t.sync, inLinks)
	if rec == nil {
		return Link{}, false, nil
	}
	l, err := t.decode(kind, id, rec)
	return l, err == nil, err
}

// Put stores a link in place of the one the object had. Times keep their nanoseconds and
// come back in UTC.
func (t Links) Put(l Link) error {
	if l.Kind == 0 || l.TargetID == "" {
		return fmt.Errorf("put link of %s %s: it needs a kind and a target id", l.Kind, l.Source)
	}
	old, known, err := t.Get(l.Kind, l.Source)
	if err != nil {
		return err
	}
	rec, err := t.encode(l)
	if err != nil {
		return fmt.Errorf("put link of %s %s: %w", l.Kind, l.Source, err)
	}
	if known {
		t.tally(old, -1)
		if err := t.unindex(old, l); err != nil {
			return err
		}
	}
	if err := t.tx.kv.append(objectKey(l.Kind, l.Source), rec, bucketSyncs, t.sync, inLinks); err != nil {
		return err
	}
	if err := t.index(&l, &old); err != nil {
		return err
	}
	t.tally(l, 1)
	return nil
}

// index has a link found by its target id and its keys, of which its predecessor may have some.
func (t Links) index(l, old *Link) error {
	due, target := false, false
	key := targetKey(l.Kind, l.TargetID)
	switch source := t.tx.kv.get(key, bucketSyncs, t.sync, inTargets); {
	case source != nil && parseID(source) == l.Source:
	case source != nil || t.hintedTarget(l.Kind, l.TargetID, l.Source) != l.Source: // the link that is put last is the one that is found
		if err := t.tx.kv.put(key, l.Source[:], bucketSyncs, t.sync, inTargets); err != nil {
			return fmt.Errorf("put link of %s %s: index target id: %w", l.Kind, l.Source, err)
		}
	case t.tx.hints == nil: // entries are written with their link
		if err := t.tx.kv.put(key, l.Source[:], bucketSyncs, t.sync, inTargets); err != nil {
			return err
		}
	default: // a hint alone does not tell that the entry will be written: it may be of what was rolled back
		due, target = true, true
		t.hintTarget(l)
	}
	for _, k := range l.Keys {
		if slices.Contains(old.Keys, k) || isSourceID(k, l.Source) {
			continue
		}
		if t.tx.hints == nil {
			if err := t.tx.kv.put(append(matchKey(l.Kind, k), l.Source[:]...), []byte{}, bucketSyncs, t.sync, inKeys); err != nil {
				return err
			}
			continue
		}
		due = true
		t.hintKey(l, k)
	}
	if !due {
		return nil
	}
	return t.mark(l.Kind, l.Source, target)
}

// Delete forgets a link; none is fine.
func (t Links) Delete(kind graphsync.Kind, id graphsync.ID) error {
	old, known, err := t.Get(kind, id)
	if err != nil || !known {
		return err
	}
	if _, err := t.tx.kv.delete(objectKey(kind, id), bucketSyncs, t.sync, inLinks); err != nil {
		return err
	}
	if _, err := t.tx.kv.delete(objectKey(kind, id), bucketSyncs, t.sync, inUnindexed); err != nil {
		return err
	}
	t.tally(old, -1)
	return t.unindex(old, Link{})
}

// unindex drops the entries of a link that its successor does not share.
func (t Links) unindex(old, next Link) error {
	source := t.tx.kv.get(targetKey(old.Kind, old.TargetID), bucketSyncs, t.sync, inTargets)
	if source != nil && parseID(source) == old.Source && old.TargetID != next.TargetID {
		if _, err := t.tx.kv.delete(targetKey(old.Kind, old.TargetID), bucketSyncs, t.sync, inTargets); err != nil {
			return err
		}
	}
	for _, k := range old.Keys {
		if slices.Contains(next.Keys, k) {
			continue
		}
		if _, err := t.tx.kv.delete(append(matchKey(old.Kind, k), old.Source[:]...), bucketSyncs, t.sync, inKeys); err != nil {
			return err
		}
	}
	return nil
}

// All yields the links of a kind by rising source id, beginning behind after.
func (t Links) All(kind graphsync.Kind, after graphsync.ID) iter.Seq2[Link, error] {
	return func(yield func(Link, error) bool) {
		for k, rec := range scan(t.tx.kv.bucket(bucketSyncs, t.sync, inLinks), []byte{byte(kind)}, objectKey(kind, after)) {
			if !yield(t.decode(kind, parseID(k[1:]), rec)) {
				return
			}
		}
	}
}

// ByTarget returns the object whose link was last put for a target id.
func (t Links) ByTarget(kind graphsync.Kind, targetID string) (graphsync.ID, bool) {
	key := targetKey(kind, targetID)
	if source := t.tx.kv.get(key, bucketSyncs, t.sync, inTargets); source != nil {
		return parseID(source), true
	}
	source := t.hintedTarget(kind, targetID, graphsync.ID{})
	return source, source != graphsync.ID{}
}

// hintedTarget returns an object with a link to a target whose entry is yet to be written, other than one, and that one
// when there is no other.
func (t Links) hintedTarget(kind graphsync.Kind, targetID string, one graphsync.ID) graphsync.ID {
	for _, source := range hintedSources(t.tx, hintOf(t.sync, inTargets, targetKey(kind, targetID))) {
		if source == one {
			continue
		}
		if link, ok, err := t.Get(kind, source); err == nil && ok && link.TargetID == targetID {
			return source
		}
	}
	return one
}

// Count returns how many links of a kind there are, and how many of them are active.
func (t Links) Count(kind graphsync.Kind) (total, active int) {
	return int(t.tx.counts.get(linkCounter(t.sync, kind, "total"))), int(t.tx.counts.get(linkCounter(t.sync, kind, "active")))
}

// SourcesByKey returns the objects whose links have the key, by rising id.
func (t Links) SourcesByKey(kind graphsync.Kind, key MatchKey) []graphsync.ID {
	var ids []graphsync.ID
	prefix := matchKey(kind, key)
	for k := range scan(t.tx.kv.bucket(bucketSyncs, t.sync, inKeys), prefix, nil) {
		ids = append(ids, parseID(k[len(prefix):]))
	}
	candidates := hintedSources(t.tx, hintOf(t.sync, inKeys, prefix))
	if source, err := graphsync.ParseID(key.Value); err == nil && isSourceID(key, source) {
		candidates = append(candidates, source)
	}
	if len(candidates) == 0 {
		return ids
	}
	for _, source := range candidates {
		if link, ok, err := t.Get(kind, source); err == nil && ok && slices.Contains(link.Keys, key) {
			ids = append(ids, source)
		}
	}
	slices.SortFunc(ids, func(a, b graphsync.ID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}

func (t Links) tally(l Link, delta int) {
	t.tx.counts.add(linkCounter(t.sync, l.Kind, "total"), delta)
	if l.Active {
		t.tx.counts.add(linkCounter(t.sync, l.Kind, "active"), delta)
	}
}

func linkCounter(sync string, kind graphsync.Kind, what string) string {
	return syncCounter(sync, inLinks+"\x00"+kind.String()+"\x00"+what)
}

func targetKey(kind graphsync.Kind, targetID string) []byte {
	return append([]byte{byte(kind)}, targetID...)
}

// matchKey hashes a key, because values may be longer than keys of the store can be. Half a
// SHA-256 is short, and finding a second value for it is not feasible.
func matchKey(kind graphsync.Kind, k MatchKey) []byte {
	sum := sha256.Sum256([]byte(k.Attribute + "\x00" + k.Value))
	return append([]byte{byte(kind)}, sum[:16]...)
}

func (t Links) encode(l Link) ([]byte, error) {
	var e encoder
	var flags uint64
	if l.Adopted {
		flags |= flagAdopted
	}
	if l.Active {
		flags |= flagActive
	}
	e.uvarint(flags)
	e.text(l.TargetID)
	e.text(l.Key)
	e.time(l.Since)
	e.time(l.InactiveSince)
	e.text(l.Cause)
	e.text(l.LastOp)
	e.time(l.LastAt)
	e.buf = append(e.buf, l.Via[:]...)
	e.uvarint(uint64(len(l.Keys)))
	for _, k := range l.Keys {
		index, err := t.tx.attributes.index(k.Attribute)
		if err != nil {
			return nil, err
		}
		e.uvarint(uint64(index))
		e.text(k.Value)
	}
	e.uvarint(uint64(len(l.Applied)))
	for _, name := range slices.Sorted(maps.Keys(l.Applied)) {
		index, err := t.tx.attributes.index(name)
		if err != nil {
			return nil, err
		}
		e.uvarint(uint64(index))
		e.text(string(l.Applied[name]))
	}
	return e.buf, nil
}

func (t Links) decode(kind graphsync.Kind, source graphsync.ID, rec []byte) (Link, error) {
	d := decoder{buf: rec}
	flags := d.uvarint()
	l := Link{
		Kind: kind, Source: source, Adopted: flags&flagAdopted != 0, Active: flags&flagActive != 0,
		TargetID: d.text(), Key: d.text(), Since: d.time(), InactiveSince: d.time(), Cause: d.text(),
		LastOp: d.text(), LastAt: d.time(),
	}
	copy(l.Via[:], d.bytes(uint64(len(l.Via))))
	for n := d.uvarint(); n > 0 && !d.bad; n-- {
		l.Keys = append(l.Keys, MatchKey{t.tx.attributes.names().name(d.uvarint()), d.text()})
	}
	if n := d.uvarint(); n > 0 && !d.bad {
		l.Applied = make(map[string]json.RawMessage, min(n, 1024))
		for ; n > 0 && !d.bad; n-- {
			name := t.tx.attributes.names().name(d.uvarint())
			l.Applied[name] = bytes.Clone(d.bytes(d.uvarint()))
		}
	}
	if d.bad {
		return Link{}, t.tx.db.db.Damaged(fmt.Errorf("the link of %s %s cannot be read", kind, source))
	}
	return l, nil
}

// Get returns the target id under which a member was last written to a group.
func (t AppliedMembers) Get(group, member graphsync.ID) (targetID string, ok bool) {
	v := t.tx.kv.get(pairKey(group, member), bucketSyncs, t.sync, inApplied)
	return string(v), v != nil
}

// Put records that a member was written to a group of the target.
func (t AppliedMembers) Put(group, member graphsync.ID, targetID string) error {
	if _, known := t.Get(group, member); !known {
		t.tx.counts.add(appliedCounter(t.sync, group), 1)
	}
	return t.tx.kv.put(pairKey(group, member), []byte(targetID), bucketSyncs, t.sync, inApplied)
}

// Delete records that a member is no longer in a group of the target.
func (t AppliedMembers) Delete(group, member graphsync.ID) error {
	found, err := t.tx.kv.delete(pairKey(group, member), bucketSyncs, t.sync, inApplied)
	if found {
		t.tx.counts.add(appliedCounter(t.sync, group), -1)
	}
	return err
}

// Of yields a group's members in the target with their target ids, by rising id.
func (t AppliedMembers) Of(group graphsync.ID) iter.Seq2[graphsync.ID, string] {
	return func(yield func(graphsync.ID, string) bool) {
		for k, v := range scan(t.tx.kv.bucket(bucketSyncs, t.sync, inApplied), group[:], nil) {
			if !yield(parseID(k[len(group):]), string(v)) {
				return
			}
		}
	}
}

// Count returns how many members a group has in the target.
func (t AppliedMembers) Count(group graphsync.ID) int {
	return int(t.tx.counts.get(appliedCounter(t.sync, group)))
}

func appliedCounter(sync string, group graphsync.ID) string {
	return syncCounter(sync, inApplied+"\x00"+string(group[:]))
}
