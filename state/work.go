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

// PutRetry stores a retry in place of the one its key had.
func (tx *Tx) PutRetry(sync string, r Retry) error {
	if r.Key.bytes() == nil {
		return fmt.Errorf("put retry: %s has no kind", r.Key.ID)
	}
	if err := tx.DeleteRetry(sync, r.Key); err != nil {
		return err
	}
	tx.bump(retryCounter(sync, r.Skipped), 1)
	return tx.putJSON(r.Key.bytes(), r, bucketSyncs, sync, inRetries)
}

// Retry returns the retry of a key.
func (tx *Tx) Retry(sync string, key PendingKey) (Retry, bool) {
	text := tx.get(key.bytes(), bucketSyncs, sync, inRetries)
	if text == nil {
		return Retry{}, false
	}
	r := fromJSON[Retry]("a retry", text)
	r.Key = parsePendingKey(key.bytes())
	return r, true
}

// DeleteRetry forgets the retry of a key; none is fine.
func (tx *Tx) DeleteRetry(sync string, key PendingKey) error {
	r, ok := tx.Retry(sync, key)
	if !ok {
		return nil
	}
	tx.bump(retryCounter(sync, r.Skipped), -1)
	_, err := tx.drop(key.bytes(), bucketSyncs, sync, inRetries)
	return err
}

// Retries yields all retries in the order of their keys.
func (tx *Tx) Retries(sync string) iter.Seq[Retry] { return tx.RetriesAfter(sync, PendingKey{}) }

// RetriesAfter yields the retries behind a key; the zero key is before all.
func (tx *Tx) RetriesAfter(sync string, after PendingKey) iter.Seq[Retry] {
	return func(yield func(Retry) bool) {
		for k, text := range scan(tx.tree(bucketSyncs, sync, inRetries), nil, after.bytes()) {
			r := fromJSON[Retry]("a retry", text)
			if r.Key = parsePendingKey(k); !yield(r) {
				return
			}
		}
	}
}

// CountRetries returns how many records failed and how many were skipped.
func (tx *Tx) CountRetries(sync string) (failed, skipped int) {
	return int(tx.count(retryCounter(sync, false))), int(tx.count(retryCounter(sync, true)))
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

// PutIntent stores an intent in place of the one the object had.
func (tx *Tx) PutIntent(sync string, i Intent) error {
	return tx.putJSON(objectKey(i.Kind, i.Source), i, bucketSyncs, sync, inIntents)
}

// DeleteIntent forgets an intent: its call has been made and its outcome recorded.
func (tx *Tx) DeleteIntent(sync string, kind graphsync.Kind, id graphsync.ID) error {
	_, err := tx.drop(objectKey(kind, id), bucketSyncs, sync, inIntents)
	return err
}

// Intent returns the intent of an object.
func (tx *Tx) Intent(sync string, kind graphsync.Kind, id graphsync.ID) (Intent, bool) {
	text := tx.get(objectKey(kind, id), bucketSyncs, sync, inIntents)
	if text == nil {
		return Intent{}, false
	}
	return fromJSON[Intent]("an intent", text), true
}

// Intents yields all intents, by kind and id.
func (tx *Tx) Intents(sync string) iter.Seq[Intent] {
	return all[Intent](tx, "an intent", bucketSyncs, sync, inIntents)
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

// PutHold stores a hold in place of the one with its id.
func (tx *Tx) PutHold(sync string, h Hold) error {
	return tx.putJSON([]byte(h.ID), h, bucketSyncs, sync, inHolds)
}

// Hold returns the hold of an id.
func (tx *Tx) Hold(sync, id string) (Hold, bool) {
	text := tx.get([]byte(id), bucketSyncs, sync, inHolds)
	if text == nil {
		return Hold{}, false
	}
	return fromJSON[Hold]("a hold", text), true
}

// Holds yields all holds by id.
func (tx *Tx) Holds(sync string) iter.Seq[Hold] {
	return all[Hold](tx, "a hold", bucketSyncs, sync, inHolds)
}

// DeleteHold forgets a hold; none is fine.
func (tx *Tx) DeleteHold(sync, id string) error {
	_, err := tx.drop([]byte(id), bucketSyncs, sync, inHolds)
	return err
}

// all yields the JSON records of a bucket in the order of their keys.
func all[T any](tx *Tx, what string, path ...string) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, text := range scan(tx.tree(path...), nil, nil) {
			if !yield(fromJSON[T](what, text)) {
				return
			}
		}
	}
}
