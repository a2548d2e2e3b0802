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

// Link returns the link of an object, false when it has none.
func (tx *Tx) Link(sync string, kind graphsync.Kind, id graphsync.ID) (Link, bool, error) {
	rec := tx.get(objectKey(kind, id), bucketSyncs, sync, inLinks)
	if rec == nil {
		return Link{}, false, nil
	}
	l, err := tx.decodeLink(kind, id, rec)
	return l, err == nil, err
}

// PutLink stores a link in place of the one the object had. Times keep their nanoseconds and
// come back in UTC.
func (tx *Tx) PutLink(sync string, l Link) error {
	if l.Kind == 0 || l.TargetID == "" {
		return fmt.Errorf("put link of %s %s: it needs a kind and a target id", l.Kind, l.Source)
	}
	old, known, err := tx.Link(sync, l.Kind, l.Source)
	if err != nil {
		return err
	}
	rec, err := tx.encodeLink(l)
	if err != nil {
		return fmt.Errorf("put link of %s %s: %w", l.Kind, l.Source, err)
	}
	if known {
		tx.countLink(sync, old, -1)
		if err := tx.unindex(sync, old, l); err != nil {
			return err
		}
	}
	if err := tx.put(objectKey(l.Kind, l.Source), rec, bucketSyncs, sync, inLinks); err != nil {
		return err
	}
	if source, ok := tx.LinkByTarget(sync, l.Kind, l.TargetID); !ok || source != l.Source {
		if err := tx.put(targetKey(l.Kind, l.TargetID), l.Source[:], bucketSyncs, sync, inTargets); err != nil {
			return fmt.Errorf("put link of %s %s: index target id: %w", l.Kind, l.Source, err)
		}
	}
	for _, k := range l.Keys {
		if slices.Contains(old.Keys, k) {
			continue
		}
		if err := tx.put(append(matchKey(l.Kind, k), l.Source[:]...), []byte{}, bucketSyncs, sync, inKeys); err != nil {
			return err
		}
	}
	tx.countLink(sync, l, 1)
	return nil
}

// DeleteLink forgets a link; none is fine.
func (tx *Tx) DeleteLink(sync string, kind graphsync.Kind, id graphsync.ID) error {
	old, known, err := tx.Link(sync, kind, id)
	if err != nil || !known {
		return err
	}
	if _, err := tx.drop(objectKey(kind, id), bucketSyncs, sync, inLinks); err != nil {
		return err
	}
	tx.countLink(sync, old, -1)
	return tx.unindex(sync, old, Link{})
}

// unindex drops the entries of a link that its successor does not share.
func (tx *Tx) unindex(sync string, old, next Link) error {
	if source, ok := tx.LinkByTarget(sync, old.Kind, old.TargetID); ok && source == old.Source && old.TargetID != next.TargetID {
		if _, err := tx.drop(targetKey(old.Kind, old.TargetID), bucketSyncs, sync, inTargets); err != nil {
			return err
		}
	}
	for _, k := range old.Keys {
		if slices.Contains(next.Keys, k) {
			continue
		}
		if _, err := tx.drop(append(matchKey(old.Kind, k), old.Source[:]...), bucketSyncs, sync, inKeys); err != nil {
			return err
		}
	}
	return nil
}

// Links yields the links of a kind by rising source id, beginning behind after.
func (tx *Tx) Links(sync string, kind graphsync.Kind, after graphsync.ID) iter.Seq2[Link, error] {
	return func(yield func(Link, error) bool) {
		for k, rec := range scan(tx.tree(bucketSyncs, sync, inLinks), []byte{byte(kind)}, objectKey(kind, after)) {
			if !yield(tx.decodeLink(kind, parseID(k[1:]), rec)) {
				return
			}
		}
	}
}

// LinkByTarget returns the object whose link was last put for a target id.
func (tx *Tx) LinkByTarget(sync string, kind graphsync.Kind, targetID string) (graphsync.ID, bool) {
	source := tx.get(targetKey(kind, targetID), bucketSyncs, sync, inTargets)
	if source == nil {
		return graphsync.ID{}, false
	}
	return parseID(source), true
}

// CountLinks returns how many links of a kind there are, and how many of them are active.
func (tx *Tx) CountLinks(sync string, kind graphsync.Kind) (total, active int) {
	return int(tx.count(linkCounter(sync, kind, "total"))), int(tx.count(linkCounter(sync, kind, "active")))
}

// SourcesByKey returns the objects whose links have the key, by rising id.
func (tx *Tx) SourcesByKey(sync string, kind graphsync.Kind, key MatchKey) []graphsync.ID {
	var ids []graphsync.ID
	prefix := matchKey(kind, key)
	for k := range scan(tx.tree(bucketSyncs, sync, inKeys), prefix, nil) {
		ids = append(ids, parseID(k[len(prefix):]))
	}
	return ids
}

func (tx *Tx) countLink(sync string, l Link, delta int) {
	tx.bump(linkCounter(sync, l.Kind, "total"), delta)
	if l.Active {
		tx.bump(linkCounter(sync, l.Kind, "active"), delta)
	}
}

func linkCounter(sync string, kind graphsync.Kind, what string) string {
	return syncCounter(sync, inLinks+"\x00"+kind.String()+"\x00"+what)
}

func targetKey(kind graphsync.Kind, targetID string) []byte {
	return append([]byte{byte(kind)}, targetID...)
}

// matchKey hashes a key, because values may be longer than keys of the store can be. Half a
// SHA-256 is short and beyond anybody's finding a second value for.
func matchKey(kind graphsync.Kind, k MatchKey) []byte {
	sum := sha256.Sum256([]byte(k.Attribute + "\x00" + k.Value))
	return append([]byte{byte(kind)}, sum[:16]...)
}

func (tx *Tx) encodeLink(l Link) ([]byte, error) {
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
		index, err := tx.name(k.Attribute)
		if err != nil {
			return nil, err
		}
		e.uvarint(uint64(index))
		e.text(k.Value)
	}
	e.uvarint(uint64(len(l.Applied)))
	for _, name := range slices.Sorted(maps.Keys(l.Applied)) {
		index, err := tx.name(name)
		if err != nil {
			return nil, err
		}
		e.uvarint(uint64(index))
		e.text(string(l.Applied[name]))
	}
	return e.buf, nil
}

func (tx *Tx) decodeLink(kind graphsync.Kind, source graphsync.ID, rec []byte) (Link, error) {
	d := decoder{buf: rec}
	flags := d.uvarint()
	l := Link{
		Kind: kind, Source: source, Adopted: flags&flagAdopted != 0, Active: flags&flagActive != 0,
		TargetID: d.text(), Key: d.text(), Since: d.time(), InactiveSince: d.time(), Cause: d.text(),
		LastOp: d.text(), LastAt: d.time(),
	}
	copy(l.Via[:], d.bytes(uint64(len(l.Via))))
	for n := d.uvarint(); n > 0 && !d.bad; n-- {
		l.Keys = append(l.Keys, MatchKey{tx.names().name(d.uvarint()), d.text()})
	}
	if n := d.uvarint(); n > 0 && !d.bad {
		l.Applied = make(map[string]json.RawMessage, min(n, 1024))
		for ; n > 0 && !d.bad; n-- {
			name := tx.names().name(d.uvarint())
			l.Applied[name] = bytes.Clone(d.bytes(d.uvarint()))
		}
	}
	if d.bad {
		return Link{}, &DamagedError{Path: tx.file.path, Cause: fmt.Errorf("the link of %s %s cannot be read", kind, source)}
	}
	return l, nil
}

// AppliedMember returns the target id under which a member was last written to a group.
func (tx *Tx) AppliedMember(sync string, group, member graphsync.ID) (targetID string, ok bool) {
	v := tx.get(pairKey(group, member), bucketSyncs, sync, inApplied)
	return string(v), v != nil
}

// PutAppliedMember records that a member was written to a group of the target.
func (tx *Tx) PutAppliedMember(sync string, group, member graphsync.ID, targetID string) error {
	if _, known := tx.AppliedMember(sync, group, member); !known {
		tx.bump(appliedCounter(sync, group), 1)
	}
	return tx.put(pairKey(group, member), []byte(targetID), bucketSyncs, sync, inApplied)
}

// DeleteAppliedMember records that a member is no longer in a group of the target.
func (tx *Tx) DeleteAppliedMember(sync string, group, member graphsync.ID) error {
	found, err := tx.drop(pairKey(group, member), bucketSyncs, sync, inApplied)
	if found {
		tx.bump(appliedCounter(sync, group), -1)
	}
	return err
}

// AppliedMembers yields a group's members in the target with their target ids, by rising id.
func (tx *Tx) AppliedMembers(sync string, group graphsync.ID) iter.Seq2[graphsync.ID, string] {
	return func(yield func(graphsync.ID, string) bool) {
		for k, v := range scan(tx.tree(bucketSyncs, sync, inApplied), group[:], nil) {
			if !yield(parseID(k[len(group):]), string(v)) {
				return
			}
		}
	}
}

// CountAppliedMembers returns how many members a group has in the target.
func (tx *Tx) CountAppliedMembers(sync string, group graphsync.ID) int {
	return int(tx.count(appliedCounter(sync, group)))
}

func appliedCounter(sync string, group graphsync.ID) string {
	return syncCounter(sync, inApplied+"\x00"+string(group[:]))
}
