package state

import (
	"errors"
	"fmt"
	"iter"

	"entrasync/graphsync"
)

// A Doubt is an object of which Graph sent something that could not be understood, or could not be
// placed. What was known of it stays until it has been read directly.
type Doubt struct {
	Kind   graphsync.Kind
	ID     graphsync.ID
	Reason string
}

// All yields the doubtful objects of a kind by rising id, beginning behind after.
func (t Doubts) All(kind graphsync.Kind, after graphsync.ID) iter.Seq[Doubt] {
	return func(yield func(Doubt) bool) {
		for k, reason := range scan(t.tx.kv.bucket(bucketDoubts), []byte{byte(kind)}, objectKey(kind, after)) {
			if !yield(Doubt{Kind: kind, ID: parseID(k[1:]), Reason: string(reason)}) {
				return
			}
		}
	}
}

// Put remembers that an object has to be read directly.
func (t Doubts) Put(d Doubt) error {
	key := objectKey(d.Kind, d.ID)
	if string(t.tx.kv.get(key, bucketDoubts)) == d.Reason {
		return nil
	}
	return t.tx.kv.put(key, []byte(d.Reason), bucketDoubts)
}

// End says that an object has been understood.
func (t Doubts) End(kind graphsync.Kind, id graphsync.ID) error {
	_, err := t.tx.kv.delete(objectKey(kind, id), bucketDoubts)
	return err
}

// KindOf returns what the snapshot knows an id as, zero when it has no such object. Removed
// objects count.
func (t Objects) KindOf(id graphsync.ID) graphsync.Kind {
	objects := t.tx.kv.bucket(bucketObjects)
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		if objects.Get(objectKey(kind, id)) != nil {
			return kind
		}
	}
	return 0
}

// Put applies what a direct reading of one object showed, as an entry of a round of changes
// would be: properties that came overwrite, others stay. What changed is pending for the syncs.
func (t Objects) Put(change *graphsync.Change, syncs []string) error {
	stream := streamOf(change.Kind)
	w := newPageWriter(t.tx, stream, t.tx.Cursors().Get(stream).Round, newPendingWriter(t.tx, syncs, false))
	if err := w.change(change); err != nil {
		return fmt.Errorf("put %s %s: %w", change.Kind, change.ID, err)
	}
	t.tx.counts.add(liveCounter(change.Kind), w.live)
	return errors.Join(w.pending.done(), w.putMemberOf())
}

// Strangers returns the principals of an app's assignments that are of a type which is not known and
// which the snapshot does not have, with the reason in words.
func (t Assignments) Strangers() map[graphsync.ID]string {
	out := map[graphsync.ID]string{}
	for k, reason := range scan(t.tx.kv.bucket(bucketAssignments, t.app, inStrangers), nil, nil) {
		out[parseID(k)] = string(reason)
	}
	return out
}

// PutStrangers replaces what Strangers returns.
func (t Assignments) PutStrangers(strangers map[graphsync.ID]string) error {
	if err := t.tx.kv.deleteBucket(bucketAssignments, t.app, inStrangers); err != nil {
		return err
	}
	for id, reason := range strangers {
		if err := t.tx.kv.put(id[:], []byte(reason), bucketAssignments, t.app, inStrangers); err != nil {
			return err
		}
	}
	return nil
}
