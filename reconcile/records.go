package reconcile

import (
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A dry run plans with what it finds, such as an account that is gone or a link that shows other
// values, and for that changes records that outlive it. Each is remembered as it was and put back when
// the dry run ends. What a dry run that was killed has changed is put back by the next run.

// undoSpace holds what a dry run has changed: what it is, key → the record before, empty for none.
const undoSpace = "undo"

const (
	undoLink   = 'l' // kind, source id
	undoIntent = 'i' // kind, source id
	undoRecord = 'r' // name of a space, NUL, key
)

// records changes a sync's records that outlive a cycle.
type records struct {
	tx   *state.Tx
	sync string
	dry  bool // they are put back when the run ends
}

func (o Options) records(tx *state.Tx, sync *Sync) records {
	return records{tx: tx, sync: sync.Name, dry: !o.Apply}
}

func (r records) putLink(link *state.Link) error {
	if err := r.rememberLink(link.Kind, link.Source); err != nil {
		return err
	}
	return r.tx.Links(r.sync).Put(*link)
}

func (r records) deleteLink(kind graphsync.Kind, source graphsync.ID) error {
	if err := r.rememberLink(kind, source); err != nil {
		return err
	}
	return r.tx.Links(r.sync).Delete(kind, source)
}

func (r records) deleteIntent(kind graphsync.Kind, source graphsync.ID) error {
	if intent, found := r.tx.Intents(r.sync).Get(kind, source); found && r.dry {
		if err := r.remember(undoKey(undoIntent, plan.LinkKey(kind, source)), plan.Encode(intent)); err != nil {
			return err
		}
	}
	return r.tx.Intents(r.sync).Delete(kind, source)
}

func (r records) put(space string, key, value []byte) error {
	if err := r.rememberRecord(space, key); err != nil {
		return err
	}
	return r.tx.Space(r.sync, space).Put(key, value)
}

func (r records) delete(space string, key []byte) error {
	of := r.tx.Space(r.sync, space)
	if !of.Has(key) {
		return nil
	}
	if err := r.rememberRecord(space, key); err != nil {
		return err
	}
	return of.Delete(key)
}

func undoKey(what byte, key []byte) []byte { return append([]byte{what}, key...) }

func (r records) rememberLink(kind graphsync.Kind, source graphsync.ID) error {
	if !r.dry {
		return nil
	}
	link, linked, err := r.tx.Links(r.sync).Get(kind, source)
	if err != nil {
		return err
	}
	var before []byte
	if linked {
		before = plan.Encode(link)
	}
	return r.remember(undoKey(undoLink, plan.LinkKey(kind, source)), before)
}

func (r records) rememberRecord(space string, key []byte) error {
	if !r.dry {
		return nil
	}
	of := r.tx.Space(r.sync, space)
	var before []byte
	if of.Has(key) { // with a mark before it, as a record may be empty
		before = append([]byte{1}, of.Get(key)...)
	}
	return r.remember(undoKey(undoRecord, slices.Concat([]byte(space), []byte{0}, key)), before)
}

// remember keeps the first record of a key in a dry run: that of before the run.
func (r records) remember(key, before []byte) error {
	undo := r.tx.Space(r.sync, undoSpace)
	if undo.Has(key) {
		return nil
	}
	return undo.Put(key, before)
}
