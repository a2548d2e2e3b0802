package state

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

// Everything of one sync lies in syncs/NAME/: the following buckets and spaces.
const (
	inPending   = "pending"   // PendingKey → nothing
	inInfo      = "info"      // pendingAll, SyncInfo
	inLinks     = "links"     // kind, source → Link
	inTargets   = "targets"   // kind, target id → source
	inKeys      = "keys"      // kind, hash of attribute and value, source → nothing
	inUnindexed = "unindexed" // kind, source → transaction, 1 for its target: links whose entries in targets and keys are yet to be written
	inApplied   = "applied"   // group, member → target id
	inRetries   = "retries"   // PendingKey → Retry as JSON
	inIntents   = "intents"   // kind, source → Intent as JSON
	inHolds     = "holds"     // id → Hold as JSON
	inRuns      = "runs"      // id → Run as JSON
	inLines     = "lines"     // run id/ → number uint64 → line
	inSpaces    = "spaces"    // name/ → what the caller puts there
)

// A PendingKey names something to look at again: a user, a group, or, when Member is set, the
// membership of Member in group ID.
type PendingKey struct {
	Kind   graphsync.Kind
	ID     graphsync.ID
	Member graphsync.ID
}

// Membership returns the key of a membership. Its Kind is Group.
func Membership(group, member graphsync.ID) PendingKey {
	return PendingKey{Kind: graphsync.Group, ID: group, Member: member}
}

// keyMembership sorts memberships behind the kinds of objects.
const keyMembership = 3

func (k PendingKey) bytes() []byte {
	key := make([]byte, 0, 33)
	if !k.Member.IsZero() {
		return append(append(append(key, keyMembership), k.ID[:]...), k.Member[:]...)
	}
	if k.Kind == 0 {
		return nil
	}
	return append(append(key, byte(k.Kind)), k.ID[:]...)
}

func parsePendingKey(key []byte) PendingKey {
	switch {
	case len(key) == 33 && key[0] == keyMembership:
		return Membership(parseID(key[1:17]), parseID(key[17:]))
	case len(key) == 17:
		return PendingKey{Kind: graphsync.Kind(key[0]), ID: parseID(key[1:])}
	}
	panic(kv.BadRecord{What: "a pending key cannot be read"})
}

// Add makes something pending for a sync. Adding it twice is adding it once.
func (t Pending) Add(key PendingKey) error {
	p := newPendingWriter(t.tx, []string{t.sync}, false)
	if err := p.add(key); err != nil {
		return err
	}
	return p.done()
}

// All yields what is pending, beginning behind after (zero: at the start): users, then
// groups, then memberships, each sorted by id.
func (t Pending) All(after PendingKey) iter.Seq[PendingKey] {
	return func(yield func(PendingKey) bool) {
		for k := range scan(t.tx.kv.bucket(bucketSyncs, t.sync, inPending), nil, after.bytes()) {
			if !yield(parsePendingKey(k)) {
				return
			}
		}
	}
}

// Delete says that something has been looked at.
func (t Pending) Delete(key PendingKey) error {
	found, err := t.tx.kv.delete(key.bytes(), bucketSyncs, t.sync, inPending)
	if found {
		t.tx.counts.add(syncCounter(t.sync, inPending), -1)
	}
	return err
}

// Clear drops all single keys. PendingAll stays as it is.
func (t Pending) Clear() error {
	t.tx.counts.add(syncCounter(t.sync, inPending), -t.Count())
	return t.tx.kv.deleteBucket(bucketSyncs, t.sync, inPending)
}

// Count returns the number of single keys.
func (t Pending) Count() int { return int(t.tx.counts.get(syncCounter(t.sync, inPending))) }

var keyPendingAll = []byte("pending-all")

// Everything reports whether everything is to be looked at, whatever the single keys say. It
// is set by the caller, and by this package in place of more than maxPended keys at once.
func (t Pending) Everything() bool {
	return t.tx.infoOf(t.sync, keyPendingAll) != nil
}

// SetEverything sets or clears that everything is pending. Single keys stay as they are.
func (t Pending) SetEverything(all bool) error {
	if !all {
		_, err := t.tx.kv.delete(keyPendingAll, bucketSyncs, t.sync, inInfo)
		return err
	}
	return t.tx.kv.put(keyPendingAll, []byte{1}, bucketSyncs, t.sync, inInfo)
}

// syncCounter names a sync's counter. DropSync removes those that begin with the sync's name.
func syncCounter(sync, what string) string { return "sync\x00" + sync + "\x00" + what }

// maxPended bounds how many single keys one step adds, and so its memory: a group of a million
// members that is removed makes everything pending instead.
const maxPended = 50_000

// A pendingWriter collects pending keys for several syncs. They are written together and sorted,
// because an unsorted mass of them is slow: bbolt splits a page only at the commit.
type pendingWriter struct {
	tx    *Tx
	syncs []string
	keys  [][]byte
	over  bool // there were too many keys
}

// newPendingWriter prepares adding. With sparing, a sync that has everything pending gets no keys.
func newPendingWriter(tx *Tx, syncs []string, sparing bool) *pendingWriter {
	p := &pendingWriter{tx: tx}
	for _, name := range syncs {
		if !sparing || !tx.Pending(name).Everything() {
			p.syncs = append(p.syncs, name)
		}
	}
	return p
}

func (p *pendingWriter) add(key PendingKey) error {
	if key.Kind == 0 {
		return fmt.Errorf("add pending: %s has no kind", key.ID)
	}
	if p.over || len(p.syncs) == 0 {
		return nil
	}
	if p.keys = append(p.keys, key.bytes()); len(p.keys) > maxPended {
		p.compact()
		p.over = len(p.keys) > maxPended
	}
	return nil
}

// member adds a membership and the member itself.
func (p *pendingWriter) member(group graphsync.ID, m Member) error {
	if err := p.add(PendingKey{Kind: m.Kind, ID: m.ID}); err != nil {
		return err
	}
	return p.add(Membership(group, m.ID))
}

func (p *pendingWriter) compact() {
	slices.SortFunc(p.keys, bytes.Compare)
	p.keys = slices.CompactFunc(p.keys, bytes.Equal)
}

// flush writes what was added, between two steps, when there is much of it.
func (p *pendingWriter) flush() error {
	if p.over || len(p.keys) < maxPended/2 {
		return nil
	}
	err := p.done()
	p.keys = p.keys[:0]
	return err
}

// done writes what was added.
func (p *pendingWriter) done() error {
	p.compact()
	for _, sync := range p.syncs {
		if p.over {
			if err := p.tx.Pending(sync).SetEverything(true); err != nil {
				return err
			}
			continue
		}
		if err := p.write(sync); err != nil {
			return err
		}
	}
	return nil
}

func (p *pendingWriter) write(sync string) error {
	if len(p.keys) == 0 {
		return nil
	}
	b, err := p.tx.kv.createBucket(bucketSyncs, sync, inPending)
	if err != nil {
		return err
	}
	added := 0
	b.Warm(slices.Values(p.keys))
	for _, key := range p.keys {
		if b.Get(key) != nil {
			continue
		}
		if err := b.Put(key, []byte{}); err != nil {
			return err
		}
		added++
	}
	p.tx.counts.add(syncCounter(sync, inPending), added)
	return nil
}
