package state

import (
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

// Doubts yields the doubtful objects of a kind by rising id, beginning behind after.
func (tx *Tx) Doubts(kind graphsync.Kind, after graphsync.ID) iter.Seq[Doubt] {
	return func(yield func(Doubt) bool) {
		for k, reason := range scan(tx.tree(bucketDoubts), []byte{byte(kind)}, objectKey(kind, after)) {
			if !yield(Doubt{Kind: kind, ID: parseID(k[1:]), Reason: string(reason)}) {
				return
			}
		}
	}
}

// PutDoubt remembers that an object has to be read directly.
func (tx *Tx) PutDoubt(d Doubt) error {
	key := objectKey(d.Kind, d.ID)
	if string(tx.get(key, bucketDoubts)) == d.Reason {
		return nil
	}
	return tx.put(key, []byte(d.Reason), bucketDoubts)
}

// EndDoubt says that an object has been understood.
func (tx *Tx) EndDoubt(kind graphsync.Kind, id graphsync.ID) error {
	_, err := tx.drop(objectKey(kind, id), bucketDoubts)
	return err
}

// KnownKind returns what the snapshot knows an id as, zero when it has no such object. Removed
// objects count.
func (tx *Tx) KnownKind(id graphsync.ID) graphsync.Kind {
	objects := tx.tree(bucketObjects)
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		if objects.Get(objectKey(kind, id)) != nil {
			return kind
		}
	}
	return 0
}

// PutObject applies what a direct reading of one object showed, as an entry of a round of changes
// would be: properties that came overwrite, others stay. What changed is pending for the syncs.
func (tx *Tx) PutObject(change *graphsync.Change, syncs []string) error {
	stream := streamOf(change.Kind)
	w := tx.pageWriter(stream, tx.Cursor(stream).Round, tx.pender(syncs, false))
	if err := w.change(change); err != nil {
		return fmt.Errorf("put %s %s: %w", change.Kind, change.ID, err)
	}
	tx.bump(liveCounter(change.Kind), w.live)
	return w.pending.done()
}

// Strangers returns the principals of an app's assignments that are of a type which is not known and
// which the snapshot does not have, with the reason in words.
func (tx *Tx) Strangers(appID string) map[graphsync.ID]string {
	out := map[graphsync.ID]string{}
	for k, reason := range scan(tx.tree(bucketAssignments, appID, inStrangers), nil, nil) {
		out[parseID(k)] = string(reason)
	}
	return out
}

// PutStrangers replaces what Strangers returns.
func (tx *Tx) PutStrangers(appID string, strangers map[graphsync.ID]string) error {
	if err := tx.fell(bucketAssignments, appID, inStrangers); err != nil {
		return err
	}
	for id, reason := range strangers {
		if err := tx.put(id[:], []byte(reason), bucketAssignments, appID, inStrangers); err != nil {
			return err
		}
	}
	return nil
}
