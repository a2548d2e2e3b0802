package state

import (
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"entrasync/graphsync"
)

// A Retry is a record that failed, or was skipped, and when to try it again.
type Retry struct {
	Key      PendingKey `json:"-"`
	Code     string     `json:"code"`
	Op       string     `json:"op"`
	Message  string     `json:"message"`
	Name     string     `json:"name"` // how people know the record
	First    time.Time  `json:"first"`
	Next     time.Time  `json:"next"`
	Attempts int        `json:"attempts"`
	Skipped  bool       `json:"skipped"` // nothing was tried: the record cannot be provisioned as it is
}

// Put stores a retry in place of the one its key had.
func (t Retries) Put(r Retry) error {
	if r.Key.bytes() == nil {
		return fmt.Errorf("put retry: %s has no kind", r.Key.ID)
	}
	if err := t.Delete(r.Key); err != nil {
		return err
	}
	t.tx.counts.add(retryCounter(t.sync, r.Skipped), 1)
	return t.tx.kv.putJSON(r.Key.bytes(), r, bucketSyncs, t.sync, inRetries)
}

// Get returns the retry of a key.
func (t Retries) Get(key PendingKey) (Retry, bool) {
	text := t.tx.kv.get(key.bytes(), bucketSyncs, t.sync, inRetries)
	if text == nil {
		return Retry{}, false
	}
	r := fromJSON[Retry]("a retry", text)
	r.Key = parsePendingKey(key.bytes())
	return r, true
}

// Delete forgets the retry of a key; none is fine.
func (t Retries) Delete(key PendingKey) error {
	r, ok := t.Get(key)
	if !ok {
		return nil
	}
	t.tx.counts.add(retryCounter(t.sync, r.Skipped), -1)
	_, err := t.tx.kv.delete(key.bytes(), bucketSyncs, t.sync, inRetries)
	return err
}

// All yields all retries in the order of their keys.
func (t Retries) All() iter.Seq[Retry] { return t.After(PendingKey{}) }

// After yields the retries behind a key; the zero key is before all.
func (t Retries) After(after PendingKey) iter.Seq[Retry] {
	return func(yield func(Retry) bool) {
		for k, text := range scan(t.tx.kv.bucket(bucketSyncs, t.sync, inRetries), nil, after.bytes()) {
			r := fromJSON[Retry]("a retry", text)
			if r.Key = parsePendingKey(k); !yield(r) {
				return
			}
		}
	}
}

// Count returns how many records failed and how many were skipped.
func (t Retries) Count() (failed, skipped int) {
	return int(t.tx.counts.get(retryCounter(t.sync, false))), int(t.tx.counts.get(retryCounter(t.sync, true)))
}

func retryCounter(sync string, skipped bool) string {
	if skipped {
		return syncCounter(sync, inRetries+"\x00skipped")
	}
	return syncCounter(sync, inRetries+"\x00failed")
}

// An Intent says that a call is about to be made which must not be made twice, such as a
// create. One that is left over after a crash: look whether it happened, by its keys.
type Intent struct {
	Kind   graphsync.Kind `json:"kind"`
	Source graphsync.ID   `json:"source"`
	Op     string         `json:"op"`
	At     time.Time      `json:"at"`
	Keys   []MatchKey     `json:"keys"`
}

// Put stores an intent in place of the one the object had.
func (t Intents) Put(i Intent) error {
	return t.tx.kv.putJSON(objectKey(i.Kind, i.Source), i, bucketSyncs, t.sync, inIntents)
}

// Delete forgets an intent: its call has been made and its outcome recorded.
func (t Intents) Delete(kind graphsync.Kind, id graphsync.ID) error {
	_, err := t.tx.kv.delete(objectKey(kind, id), bucketSyncs, t.sync, inIntents)
	return err
}

// Get returns the intent of an object.
func (t Intents) Get(kind graphsync.Kind, id graphsync.ID) (Intent, bool) {
	text := t.tx.kv.get(objectKey(kind, id), bucketSyncs, t.sync, inIntents)
	if text == nil {
		return Intent{}, false
	}
	return fromJSON[Intent]("an intent", text), true
}

// All yields all intents, by kind and id.
func (t Intents) All() iter.Seq[Intent] {
	return all[Intent](t.tx.kv, "an intent", bucketSyncs, t.sync, inIntents)
}

// A Hold is what a guard held back for one cause, until it is approved or goes away.
type Hold struct {
	ID       string          `json:"id"`
	Guard    string          `json:"guard"`
	Cause    string          `json:"cause"`
	Code     string          `json:"code"`
	Since    time.Time       `json:"since"`
	Count    int             `json:"count"`
	Sample   []string        `json:"sample"`
	Approved bool            `json:"approved"`
	Data     json.RawMessage `json:"data,omitempty"` // the caller's
}

// Put stores a hold in place of the one with its id.
func (t Holds) Put(h Hold) error {
	return t.tx.kv.putJSON([]byte(h.ID), h, bucketSyncs, t.sync, inHolds)
}

// Get returns the hold of an id.
func (t Holds) Get(id string) (Hold, bool) {
	text := t.tx.kv.get([]byte(id), bucketSyncs, t.sync, inHolds)
	if text == nil {
		return Hold{}, false
	}
	return fromJSON[Hold]("a hold", text), true
}

// All yields all holds by id.
func (t Holds) All() iter.Seq[Hold] {
	return all[Hold](t.tx.kv, "a hold", bucketSyncs, t.sync, inHolds)
}

// Delete forgets a hold; none is fine.
func (t Holds) Delete(id string) error {
	_, err := t.tx.kv.delete([]byte(id), bucketSyncs, t.sync, inHolds)
	return err
}

// all yields the JSON records of a bucket in the order of their keys.
func all[T any](kv *buckets, what string, path ...string) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, text := range scan(kv.bucket(path...), nil, nil) {
			if !yield(fromJSON[T](what, text)) {
				return
			}
		}
	}
}
