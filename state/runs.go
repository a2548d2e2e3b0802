package state

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"entrasync/state/kv"
)

// A Run is one cycle of a sync. Ids sort by time.
type Run struct {
	ID      string          `json:"id"`
	Started time.Time       `json:"started"`
	Ended   time.Time       `json:"ended"` // zero while it runs
	Result  string          `json:"result"`
	Report  json.RawMessage `json:"report,omitempty"`
	Idle    bool            `json:"idle,omitempty"` // it did nothing
	// First and Times are of a row that stands for several runs which did nothing, of which it is the newest: the
	// oldest one's id, and how many there were.
	First string `json:"first,omitempty"`
	Times int    `json:"times,omitempty"`
}

// keptRuns is how many runs of a sync have a row of their own whatever they did.
const keptRuns = 200

// Put stores a run in place of the one with its id. Of the runs behind the newest 200, those that did nothing and
// ended alike are folded into one row when no other is between them. Rows are kept until Prune deletes them.
func (t Runs) Put(r Run) error {
	if err := t.tx.kv.putJSON([]byte(r.ID), r, bucketSyncs, t.sync, inRuns); err != nil {
		return err
	}
	var newer, older Run // the first behind the newest 200, and the one before it
	n := 0
	for k, text := range backward(t.tx.kv.bucket(bucketSyncs, t.sync, inRuns)) {
		if n++; n <= keptRuns {
			continue
		}
		run := fromJSON[Run]("run "+string(k), text)
		if n == keptRuns+1 {
			newer = run
			continue
		}
		older = run
		break
	}
	if older.ID == "" || !newer.Idle || !older.Idle || newer.Result != older.Result {
		return nil
	}
	newer.First, newer.Times = cmp.Or(older.First, older.ID), max(newer.Times, 1)+max(older.Times, 1)
	if err := t.delete(older.ID); err != nil {
		return err
	}
	return t.tx.kv.putJSON([]byte(newer.ID), newer, bucketSyncs, t.sync, inRuns)
}

// delete deletes a run with its lines.
func (t Runs) delete(id string) error {
	if _, err := t.tx.kv.delete([]byte(id), bucketSyncs, t.sync, inRuns); err != nil {
		return err
	}
	return t.tx.kv.deleteBucket(bucketSyncs, t.sync, inLines, id)
}

// pruneRuns bounds how many runs one transaction deletes.
const pruneRuns = 16

// Prune deletes the oldest runs that started before a time, some at once, but never the newest 200.
func (t Runs) Prune(before time.Time) error {
	var ids []string
	rows := 0
	for k, text := range scan(t.tx.kv.bucket(bucketSyncs, t.sync, inRuns), nil, nil) {
		if rows++; len(ids) < pruneRuns && len(ids) == rows-1 && fromJSON[Run]("run "+string(k), text).Started.Before(before) {
			ids = append(ids, string(k))
		}
		if rows > keptRuns+pruneRuns {
			break
		}
	}
	for _, id := range ids[:max(0, min(len(ids), rows-keptRuns))] {
		if err := t.delete(id); err != nil {
			return err
		}
	}
	return nil
}

// Newest yields the runs, newest first.
func (t Runs) Newest() iter.Seq[Run] {
	return func(yield func(Run) bool) {
		for k, text := range backward(t.tx.kv.bucket(bucketSyncs, t.sync, inRuns)) {
			if !yield(fromJSON[Run]("run "+string(k), text)) {
				return
			}
		}
	}
}

// Latest returns the newest runs, newest first.
func (t Runs) Latest(limit int) []Run {
	var runs []Run
	for k, text := range backward(t.tx.kv.bucket(bucketSyncs, t.sync, inRuns)) {
		if len(runs) >= limit {
			break
		}
		runs = append(runs, fromJSON[Run]("run "+string(k), text))
	}
	return runs
}

// Get returns the run of an id, or the row that it was folded into.
func (t Runs) Get(id string) (Run, bool) {
	if text := t.tx.kv.get([]byte(id), bucketSyncs, t.sync, inRuns); text != nil {
		return fromJSON[Run]("run "+id, text), true
	}
	for k, text := range scan(t.tx.kv.bucket(bucketSyncs, t.sync, inRuns), nil, []byte(id)) {
		run := fromJSON[Run]("run "+string(k), text)
		return run, run.First != "" && run.First <= id
	}
	return Run{}, false
}

// A SyncInfo is how a sync stands.
type SyncInfo struct {
	ConfigHash  string      `json:"config_hash"`
	FirstRun    time.Time   `json:"first_run"`
	LastRun     time.Time   `json:"last_run"`
	LastSuccess time.Time   `json:"last_success"`
	LastFull    time.Time   `json:"last_full"`
	Quarantine  *Quarantine `json:"quarantine,omitempty"`
	// Removals are those of the last cycles without an approval, oldest first, for a guard
	// that looks at more than one cycle.
	Removals []Removals `json:"removals,omitempty"`
	LastHold int        `json:"last_hold,omitempty"` // number of the newest hold: ids are not used twice
	Guard    string     `json:"guard,omitempty"`     // the guard's limits when it last held something
	// Location is where the linked accounts are. While Moving they are being looked for, because
	// the configuration has another.
	Location Location `json:"location,omitzero"`
	Moving   bool     `json:"moving,omitempty"`
	// Observed is the time that cycles have watched pass, and ObservedTo how far that reaches: an
	// account that is to be deleted after some time waits by it, not by the clock.
	Observed   time.Duration `json:"observed,omitempty"`
	ObservedTo time.Time     `json:"observed_to,omitzero"`
}

// Removals counts the accounts one cycle deactivated or deleted.
type Removals struct {
	At    time.Time `json:"at"`
	Count int       `json:"count"`
}

// A Quarantine says why a sync is paused and when it tries its target again.
type Quarantine struct {
	Since     time.Time `json:"since"`
	Code      string    `json:"code"`
	Message   string    `json:"message"`
	NextProbe time.Time `json:"next_probe"`
	Probes    int       `json:"probes"`
}

var keySyncInfo = []byte("info")

// SyncInfo returns how a sync stands, zero when it never ran.
func (tx *Tx) SyncInfo(sync string) SyncInfo {
	if text := tx.infoOf(sync, keySyncInfo); text != nil {
		return fromJSON[SyncInfo]("info of sync "+sync, text)
	}
	if len(tx.Runs(sync).Latest(1)) > 0 { // each run is stored together with it
		panic(kv.BadRecord{What: "how sync " + sync + " stands is missing, and its runs are there"})
	}
	return SyncInfo{}
}

// infoOf reads a record of how a sync stands. These few records are read by their keys alone: where one is missing, a
// key that is none of theirs is one that was damaged, and the record is there.
func (tx *Tx) infoOf(sync string, key []byte) []byte {
	if value := tx.kv.get(key, bucketSyncs, sync, inInfo); value != nil {
		return value
	}
	for known := range scan(tx.kv.bucket(bucketSyncs, sync, inInfo), nil, nil) {
		if !bytes.Equal(known, keySyncInfo) && !bytes.Equal(known, keyPendingAll) {
			panic(kv.BadRecord{What: "how sync " + sync + " stands cannot be read"})
		}
	}
	return nil
}

// PutSyncInfo records how a sync stands.
func (tx *Tx) PutSyncInfo(sync string, info SyncInfo) error {
	return tx.kv.putJSON(keySyncInfo, info, bucketSyncs, sync, inInfo)
}

// Syncs returns the names of the syncs that have state, sorted.
func (tx *Tx) Syncs() []string {
	var names []string
	for name := range tx.kv.tx.Buckets(bucketSyncs) {
		names = append(names, name)
	}
	return names
}

// DropSync forgets everything of a sync. The accounts it owned stay claimed in the registry.
func (tx *Tx) DropSync(sync string) error {
	tx.counts.reset(syncCounter(sync, ""))
	return tx.kv.deleteBucket(bucketSyncs, sync)
}

// A Space is an ordered key/value space that one cycle works in, such as for the plan it
// makes. It shares the transactions, but nothing here depends on what is in it. Keys and values
// given must not be changed until the transaction ends; those yielded are valid as long.
type Space struct {
	tx   *Tx
	path []string
}

// Space returns a sync's space of that name; it need not exist.
func (tx *Tx) Space(sync, name string) *Space {
	return &Space{tx: tx, path: []string{bucketSyncs, sync, inSpaces, name}}
}

// Put stores a value. Keys are 1 to 32768 bytes.
func (s *Space) Put(key, value []byte) error {
	b, err := s.tx.kv.createBucket(s.path...)
	if err != nil {
		return err
	}
	if value == nil {
		value = []byte{}
	}
	put := b.Put
	if b.Get(key) == nil {
		s.tx.counts.add(s.counter(), 1)
		put = b.Append
	}
	if err := put(key, value); err != nil {
		return fmt.Errorf("put into space %s of sync %s: %w", s.path[3], s.path[1], err)
	}
	return nil
}

// Get returns the value of a key, nil when there is none.
func (s *Space) Get(key []byte) []byte { return s.tx.kv.get(key, s.path...) }

// Has reports whether a key is there.
func (s *Space) Has(key []byte) bool { return s.Get(key) != nil }

// Delete removes a key; none is fine.
func (s *Space) Delete(key []byte) error {
	found, err := s.tx.kv.delete(key, s.path...)
	if found {
		s.tx.counts.add(s.counter(), -1)
	}
	return err
}

// All yields the entries by rising key, beginning behind after.
func (s *Space) All(after []byte) iter.Seq2[[]byte, []byte] { return scan(s.tree(), nil, after) }

// Prefix yields the entries whose key begins with p, by rising key.
func (s *Space) Prefix(p []byte) iter.Seq2[[]byte, []byte] { return scan(s.tree(), p, nil) }

// Clear empties the space.
func (s *Space) Clear() error {
	s.tx.counts.add(s.counter(), -s.Count())
	return s.tx.kv.deleteBucket(s.path...)
}

// Count returns the number of entries.
func (s *Space) Count() int { return int(s.tx.counts.get(s.counter())) }

func (s *Space) tree() kv.Bucket { return s.tx.kv.bucket(s.path...) }

func (s *Space) counter() string { return syncCounter(s.path[1], inSpaces+"\x00"+s.path[3]) }
