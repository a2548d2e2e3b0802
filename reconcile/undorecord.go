package reconcile

import (
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/links"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// afterUndo has the next cycle look at what was put back: while the source says otherwise, it does the same again. An
// account whose adoption was undone is adopted again only with an approval. With [Options.Pin] what was put back is pinned
// in the same transaction, so that no cycle comes in between.
func (r *recorder) afterUndo(tx *state.Tx, done *result) error {
	a := done.action
	if !a.Undo {
		return nil
	}
	by := plan.Decision{By: r.opts.Actor.Name, Via: r.opts.Actor.Kind, Reason: a.Why, At: r.now}
	of := links.Object{Kind: a.Kind, ID: a.SourceID}
	var keys []state.PendingKey
	pinned := []links.Object{of}
	switch {
	case a.Op == plan.Members:
		keys, pinned = memberKeys(done), nil
		for _, key := range keys {
			pinned = append(pinned, links.Object{Kind: graphsync.User, ID: key.Member})
		}
	case a.Op == plan.Unlink:
		if err := links.In(tx, r.sync.Name).PutBroken(links.Record{Object: of, Decision: by, Key: a.Key, Account: *a.TargetID}); err != nil {
			return err
		}
		keys = append(membershipsOf(tx, r.sync.Name, of), state.PendingKey{Kind: a.Kind, ID: a.SourceID})
	default:
		keys = []state.PendingKey{{Kind: a.Kind, ID: a.SourceID}}
	}
	for _, key := range keys {
		if err := tx.Pending(r.sync.Name).Add(key); err != nil {
			return err
		}
	}
	if r.opts.Pin == "" {
		return nil
	}
	by.Reason = r.opts.Pin
	slices.SortFunc(pinned, compareObjects)
	for _, of := range slices.Compact(pinned) {
		if err := r.pin(tx, of, by); err != nil {
			return err
		}
	}
	return nil
}

// pin pins an object that is not pinned yet.
func (r *recorder) pin(tx *state.Tx, of links.Object, by plan.Decision) error {
	if links.In(tx, r.sync.Name).Pin(of) != nil {
		return nil
	}
	_, err := pinIn(tx, r.sync, of, by)
	return err
}
