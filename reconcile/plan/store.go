package plan

import (
	"context"
	"slices"

	"entrasync/state"
)

// A Store reads and writes the plan of a sync in the scratch spaces of its state, in chunks, so that no
// transaction stays open for long and a plan of any size is never in memory.
type Store struct {
	sync   string
	Tenant *state.Tenant
}

// NewStore returns the store of a sync's plan in the state of its tenant.
func NewStore(tenant *state.Tenant, sync string) *Store { return &Store{sync: sync, Tenant: tenant} }

// Actions reads a phase of the stored plan in chunks, each in a transaction of its own, so
// that no transaction stays open during calls to the application.
func (s *Store) Actions(p Phase, visit func(keys [][]byte, actions []StoredAction) error) error {
	return s.ActionsBut(p, "", visit)
}

// ActionsBut reads a phase without the actions of one operation, which are not decoded.
func (s *Store) ActionsBut(p Phase, skipped Op, visit func(keys [][]byte, actions []StoredAction) error) error {
	size := ActionChunk
	return s.chunks(p, skipped, &size, visit)
}

func (s *Store) chunks(p Phase, skipped Op, size *int, visit func(keys [][]byte, actions []StoredAction) error) error {
	after := []byte{byte(p)}
	for {
		var keys [][]byte
		var actions []StoredAction
		err := s.Tenant.View(func(tx *state.Tx) error {
			for key, raw := range In(tx, s.sync).From(after) {
				if key[0] != byte(p) || len(keys) >= *size {
					break
				}
				if skipped != "" && OpOf(raw) == skipped {
					continue
				}
				a, err := DecodeAction(raw)
				if err != nil {
					return err
				}
				keys, actions = append(keys, append([]byte(nil), key...)), append(actions, a)
			}
			return nil
		})
		if err != nil || len(keys) == 0 {
			return err
		}
		after = keys[len(keys)-1]
		if err := visit(keys, actions); err != nil {
			return err
		}
	}
}

// ActionChunk is how many actions are read from the stored plan at once.
const ActionChunk = 256

// Entries visits a scratch space, some entries per transaction.
func (s *Store) Entries(ctx context.Context, space string, visit func(tx *state.Tx, key, value []byte) error) error {
	var after []byte
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := 0
		err := s.Tenant.Update(func(tx *state.Tx) error {
			n = 0
			var keys, values [][]byte
			for key, value := range tx.Space(s.sync, space).All(after) {
				keys, values = append(keys, slices.Clone(key)), append(values, slices.Clone(value))
				if n++; n == DraftChunk {
					break
				}
			}
			for i := range keys {
				if err := visit(tx, keys[i], values[i]); err != nil {
					return err
				}
			}
			if n > 0 {
				after = keys[n-1]
			}
			return nil
		})
		if err != nil || n < DraftChunk {
			return err
		}
	}
}

// DraftChunk is how many objects are evaluated between two commits of the draft.
const DraftChunk = 2000
