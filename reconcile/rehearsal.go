package reconcile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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

// putBack undoes what a dry run has changed.
func (f *finalizer) putBack(context.Context) error {
	for {
		left := false
		err := f.tenant.Update(func(tx *state.Tx) error {
			var keys, records [][]byte
			for key, record := range tx.Space(f.sync.Name, undoSpace).All(nil) {
				if left = len(keys) == plan.DraftChunk; left {
					break
				}
				keys, records = append(keys, slices.Clone(key)), append(records, slices.Clone(record))
			}
			for n, key := range keys {
				if err := restore(tx, f.sync.Name, key[0], key[1:], records[n]); err != nil {
					return err
				}
				if err := tx.Space(f.sync.Name, undoSpace).Delete(key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("put back what a dry run of sync %s has changed: %w", f.sync.Name, err)
		}
		if !left {
			return nil
		}
	}
}

func restore(tx *state.Tx, sync string, what byte, key, before []byte) error {
	switch what {
	case undoLink:
		if len(before) == 0 {
			return tx.Links(sync).Delete(graphsync.Kind(key[0]), graphsync.ID(key[1:]))
		}
		var link state.Link
		if err := json.Unmarshal(before, &link); err != nil {
			return err
		}
		return tx.Links(sync).Put(link)
	case undoIntent:
		var intent state.Intent
		if err := json.Unmarshal(before, &intent); err != nil {
			return err
		}
		return tx.Intents(sync).Put(intent)
	default:
		space, key, _ := bytes.Cut(key, []byte{0})
		if len(before) == 0 {
			return tx.Space(sync, string(space)).Delete(key)
		}
		return tx.Space(sync, string(space)).Put(key, before[1:])
	}
}
