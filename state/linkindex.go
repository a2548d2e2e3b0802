package state

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"entrasync/graphsync"
)

// The indexes of links, by target id and by matching value, have keys in no order: writing the entries of some
// links rewrites nearly as many pages. So a link is stored with a mark, in the same transaction, and its entries
// are written later, many at once and in the order of their keys.
//
// Until then it is found by a hint in memory, which is checked against the link before it counts: a hint may be
// of a transaction that was rolled back, or of a link that has changed. After a crash the hints are made again
// from the marks.

// maxHints is how many hints there are before the entries of their links are written. It bounds their memory.
const maxHints = 100_000

// indexChunk is how many entries share a commit, and so bounds the pages that one holds.
const indexChunk = 8192

// A hint names an entry of an index.
type hint [16]byte

func hintOf(sync, index string, key []byte) (h hint) {
	sum := sha256.New()
	sum.Write([]byte(sync + "\x00" + index + "\x00"))
	sum.Write(key)
	copy(h[:], sum.Sum(nil))
	return h
}

// linkHints lead to links whose index entries are not written yet. It is safe for concurrent use.
type linkHints struct {
	mu     sync.RWMutex // guards the maps
	first  map[hint]graphsync.ID
	others map[hint][]graphsync.ID // where there are more

	// before are the hints whose entries are being written since these were begun, and written is the
	// transaction from which on the entries are there; 0: they are not all.
	before  atomic.Pointer[linkHints]
	written atomic.Uint64
}

func newLinkHints(before *linkHints) *linkHints {
	h := &linkHints{first: map[hint]graphsync.ID{}, others: map[hint][]graphsync.ID{}}
	h.before.Store(before)
	return h
}

func (h *linkHints) add(key hint, source graphsync.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first, known := h.first[key]
	switch {
	case !known:
		h.first[key] = source
	case first != source && !slices.Contains(h.others[key], source):
		h.others[key] = append(h.others[key], source)
	}
}

func (h *linkHints) get(key hint) (sources []graphsync.ID) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if first, known := h.first[key]; known {
		sources = append(append(sources, first), h.others[key]...)
	}
	return sources
}

func (h *linkHints) size() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.first)
}

// take adds the hints of another.
func (h *linkHints) take(other *linkHints) {
	other.mu.RLock()
	defer other.mu.RUnlock()
	for key, source := range other.first {
		h.add(key, source)
		for _, source := range other.others[key] {
			h.add(key, source)
		}
	}
}

// hintedSources returns the objects whose links may have an entry that is not in its index yet.
func hintedSources(tx *Tx, key hint) []graphsync.ID {
	if tx.hints == nil {
		return nil
	}
	sources := tx.hints.get(key)
	if before := tx.hints.before.Load(); before != nil {
		if written := tx.hints.written.Load(); written == 0 || tx.kv.tx.Number() < written {
			sources = append(sources, before.get(key)...)
		}
	}
	return sources
}

// mark notes that index entries of a link are to be written, with that of its target or without. The value begins with
// the transaction, so that a link which changes while its former entries are written stays marked.
func (t Links) mark(kind graphsync.Kind, source graphsync.ID, target bool) error {
	key := objectKey(kind, source)
	value := append(binary.BigEndian.AppendUint64(nil, t.tx.kv.tx.Number()), 0)
	if target || marksTarget(t.tx.kv.get(key, bucketSyncs, t.sync, inUnindexed)) {
		value[8] = 1
	}
	return t.tx.kv.put(key, value, bucketSyncs, t.sync, inUnindexed)
}

// marksTarget reports whether a mark is of a link whose entry by target is to be written. Another link may have had the
// entry of a target since: a mark for keys alone does not take it back.
func marksTarget(mark []byte) bool { return len(mark) == 9 && mark[8] == 1 }

func (t Links) hintTarget(l *Link) {
	t.tx.hints.add(hintOf(t.sync, inTargets, targetKey(l.Kind, l.TargetID)), l.Source)
}

func (t Links) hintKey(l *Link, k MatchKey) {
	t.tx.hints.add(hintOf(t.sync, inKeys, matchKey(l.Kind, k)), l.Source)
}

// isSourceID reports whether a key is the id of its source, which needs no entry: the value leads to the link.
func isSourceID(k MatchKey, source graphsync.ID) bool { return k.Value == source.String() }

// An indexEntry is to be written.
type indexEntry struct {
	sync, index string
	key         []byte
	kind        graphsync.Kind
	source      graphsync.ID
	value       MatchKey // of the index of keys
}

// loadHints makes the hints of what is marked.
func (d *database) loadHints() error {
	hints := newLinkHints(nil)
	d.hints.Store(hints)
	return d.view(func(tx *Tx) error {
		entries, err := unindexedLinks(tx)
		for _, e := range entries {
			hints.add(hintOf(e.sync, e.index, e.key), e.source)
		}
		return err
	})
}

// unindexedLinks returns the entries that marked links need.
func unindexedLinks(tx *Tx) (entries []indexEntry, err error) {
	for _, name := range tx.Syncs() {
		links := tx.Links(name)
		for k, mark := range scan(tx.kv.bucket(bucketSyncs, name, inUnindexed), nil, nil) {
			link, ok, err := links.Get(graphsync.Kind(k[0]), parseID(k[1:]))
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			if marksTarget(mark) {
				entries = append(entries, indexEntry{sync: name, index: inTargets, key: targetKey(link.Kind, link.TargetID), kind: link.Kind, source: link.Source})
			}
			for _, key := range link.Keys {
				if !isSourceID(key, link.Source) {
					entries = append(entries, indexEntry{sync: name, index: inKeys, key: matchKey(link.Kind, key), kind: link.Kind, source: link.Source, value: key})
				}
			}
		}
	}
	return entries, nil
}

// indexWhenDue writes index entries when there are many hints. The transaction that made them is committed: an
// error is none of its own, and the next attempt writes what this one has not.
func (d *database) indexWhenDue() {
	if hints := d.hints.Load(); hints != nil && hints.size() >= maxHints {
		_ = d.writeIndexes()
	}
}

// writeIndexes writes the index entries of all marked links. Others may write meanwhile.
func (d *database) writeIndexes() error {
	hints := d.hints.Load()
	if hints == nil || hints.size() == 0 && (hints.before.Load() == nil || hints.written.Load() != 0) {
		return nil // nothing is marked
	}
	d.indexing.Lock()
	defer d.indexing.Unlock()
	var entries []indexEntry
	var begun uint64
	err := d.update(func(tx *Tx) (err error) {
		// A transaction after this one, of the same number or a later one, makes marks and hints of its own.
		if entries, err = unindexedLinks(tx); err != nil || len(entries) == 0 {
			return err
		}
		begun = tx.kv.tx.Number()
		if before := tx.hints.before.Load(); before != nil && tx.hints.written.Load() == 0 {
			tx.hints.take(before) // the last attempt did not end
		}
		tx.hints.before.Store(nil)
		d.hints.Store(newLinkHints(tx.hints))
		return nil
	})
	if err != nil || len(entries) == 0 {
		return err
	}
	slices.SortFunc(entries, func(a, b indexEntry) int {
		return cmp.Or(strings.Compare(a.sync, b.sync), strings.Compare(a.index, b.index), bytes.Compare(a.key, b.key), bytes.Compare(a.source[:], b.source[:]))
	})
	for chunk := range slices.Chunk(entries, indexChunk) {
		err := d.update(func(tx *Tx) error {
			for i := range chunk {
				if err := writeIndexEntry(tx, &chunk[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	var ended uint64
	if err := d.update(func(tx *Tx) error { ended = tx.kv.tx.Number(); return unmarkLinks(tx, begun) }); err != nil {
		return err
	}
	d.hints.Load().written.Store(ended)
	return nil
}

// writeIndexEntry writes an entry that its link still needs. An entry by target id that is there already is of a
// later link.
func writeIndexEntry(tx *Tx, e *indexEntry) error {
	link, ok, err := tx.Links(e.sync).Get(e.kind, e.source)
	if err != nil || !ok {
		return err
	}
	key, value := e.key, e.source[:]
	switch e.index {
	case inTargets:
		if !bytes.Equal(targetKey(link.Kind, link.TargetID), e.key) {
			return nil
		}
	default:
		if !slices.Contains(link.Keys, e.value) {
			return nil
		}
		key, value = append(slices.Clone(key), e.source[:]...), []byte{}
	}
	if tx.kv.get(key, bucketSyncs, e.sync, e.index) != nil {
		return nil
	}
	return tx.kv.put(key, value, bucketSyncs, e.sync, e.index)
}

// unmarkLinks removes the marks that transactions before one have made.
func unmarkLinks(tx *Tx, before uint64) error {
	for _, name := range tx.Syncs() {
		var done [][]byte
		all := true
		for k, v := range scan(tx.kv.bucket(bucketSyncs, name, inUnindexed), nil, nil) {
			if len(v) < 8 || binary.BigEndian.Uint64(v) < before {
				done = append(done, slices.Clone(k))
			} else {
				all = false
			}
		}
		if all {
			if err := tx.kv.deleteBucket(bucketSyncs, name, inUnindexed); err != nil {
				return err
			}
			continue
		}
		var errs []error
		for _, k := range done {
			errs = append(errs, tx.kv.bucket(bucketSyncs, name, inUnindexed).Delete(k))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}
