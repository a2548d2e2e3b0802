package state

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	"entrasync/graphsync"
)

// Everything of one sync lies in syncs/NAME/: the following buckets and spaces.
const (
	inPending = "pending" // PendingKey → nothing
	inInfo    = "info"    // pendingAll, SyncInfo
	inLinks   = "links"   // kind, source → Link
	inTargets = "targets" // kind, target id → source
	inKeys    = "keys"    // kind, hash of attribute and value, source → nothing
	inApplied = "applied" // group, member → target id
	inRetries = "retries" // PendingKey → Retry as JSON
	inIntents = "intents" // kind, source → Intent as JSON
	inHolds   = "holds"   // id → Hold as JSON
	inRuns    = "runs"    // id → Run as JSON
	inLines   = "lines"   // run id/ → number uint64 → line
	inSpaces  = "spaces"  // name/ → what the caller puts there
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
	panic(badRecord{"a pending key cannot be read"})
}

// AddPending makes something pending for a sync. Adding it twice is adding it once.
func (tx *Tx) AddPending(sync string, key PendingKey) error {
	p := tx.pender([]string{sync}, false)
	if err := p.add(key); err != nil {
		return err
	}
	return p.done()
}

// Pending yields what is pending, beginning behind after (zero: at the start): users, then
// groups, then memberships, each sorted by id.
func (tx *Tx) Pending(sync string, after PendingKey) iter.Seq[PendingKey] {
	return func(yield func(PendingKey) bool) {
		for k := range scan(tx.tree(bucketSyncs, sync, inPending), nil, after.bytes()) {
			if !yield(parsePendingKey(k)) {
				return
			}
		}
	}
}

// DeletePending says that something has been looked at.
func (tx *Tx) DeletePending(sync string, key PendingKey) error {
	found, err := tx.drop(key.bytes(), bucketSyncs, sync, inPending)
	if found {
		tx.bump(syncCounter(sync, inPending), -1)
	}
	return err
}

// ClearPending drops all single keys. PendingAll stays as it is.
func (tx *Tx) ClearPending(sync string) error {
	tx.bump(syncCounter(sync, inPending), -tx.CountPending(sync))
	return tx.fell(bucketSyncs, sync, inPending)
}

// CountPending returns the number of single keys.
func (tx *Tx) CountPending(sync string) int { return int(tx.count(syncCounter(sync, inPending))) }

var keyPendingAll = []byte("pending-all")

// PendingAll reports whether everything is to be looked at, whatever the single keys say. It
// is set by the caller, and by this package in place of more than maxPended keys at once.
func (tx *Tx) PendingAll(sync string) bool {
	return tx.get(keyPendingAll, bucketSyncs, sync, inInfo) != nil
}

// SetPendingAll sets or clears that everything is pending. Single keys stay as they are.
func (tx *Tx) SetPendingAll(sync string, all bool) error {
	if !all {
		_, err := tx.drop(keyPendingAll, bucketSyncs, sync, inInfo)
		return err
	}
	return tx.put(keyPendingAll, []byte{1}, bucketSyncs, sync, inInfo)
}

// syncCounter names a sync's counter. DropSync removes those that begin with the sync's name.
func syncCounter(sync, what string) string { return "sync\x00" + sync + "\x00" + what }

// maxPended bounds how many single keys one step adds, and so its memory: a group of a million
// members that is removed makes everything pending instead.
const maxPended = 50_000

// A pender collects pending keys for several syncs. They are written together and sorted,
// because an unsorted mass of them is slow: bbolt splits a page only at the commit.
type pender struct {
	tx    *Tx
	syncs []string
	keys  [][]byte
	over  bool // there were too many keys
}

// pender prepares adding. With sparing, a sync that has everything pending gets no keys.
func (tx *Tx) pender(syncs []string, sparing bool) *pender {
	p := &pender{tx: tx}
	for _, name := range syncs {
		if !sparing || !tx.PendingAll(name) {
			p.syncs = append(p.syncs, name)
		}
	}
	return p
}

func (p *pender) add(key PendingKey) error {
	raw := key.bytes()
	if raw == nil {
		return fmt.Errorf("add pending: %s has no kind", key.ID)
	}
	if p.over || len(p.syncs) == 0 {
		return nil
	}
	if p.keys = append(p.keys, raw); len(p.keys) > maxPended {
		p.compact()
		p.over = len(p.keys) > maxPended
	}
	return nil
}

// member adds a membership and the member itself.
func (p *pender) member(group graphsync.ID, m Member) error {
	if err := p.add(PendingKey{Kind: m.Kind, ID: m.ID}); err != nil {
		return err
	}
	return p.add(Membership(group, m.ID))
}

func (p *pender) compact() {
	slices.SortFunc(p.keys, bytes.Compare)
	p.keys = slices.CompactFunc(p.keys, bytes.Equal)
}

// done writes what was added.
func (p *pender) done() error {
	p.compact()
	for _, sync := range p.syncs {
		if p.over {
			if err := p.tx.SetPendingAll(sync, true); err != nil {
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

func (p *pender) write(sync string) error {
	if len(p.keys) == 0 {
		return nil
	}
	b, err := p.tx.grow(bucketSyncs, sync, inPending)
	if err != nil {
		return err
	}
	added := 0
	for _, key := range p.keys {
		if b.Get(key) != nil {
			continue
		}
		if err := b.Put(key, []byte{}); err != nil {
			return err
		}
		added++
	}
	p.tx.bump(syncCounter(sync, inPending), added)
	return nil
}
