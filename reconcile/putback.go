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
