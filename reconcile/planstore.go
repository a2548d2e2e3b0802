package reconcile

import (
	"context"
	"slices"

	"entrasync/state"
)

// A planStore reads and writes the plan of a sync in the scratch spaces of its state, in chunks, so that no
// transaction stays open for long and a plan of any size is never in memory.
type planStore struct {
	sync   *Sync
	tenant *state.Tenant
}

// actions reads a phase of the stored plan in chunks, each in a transaction of its own, so
// that no transaction stays open during calls to the application.
func (s *planStore) actions(p phase, visit func(keys [][]byte, actions []storedAction) error) error {
	after := []byte{byte(p)}
	for {
		var keys [][]byte
		var actions []storedAction
		err := s.tenant.View(func(tx *state.Tx) error {
			for key, raw := range planIn(tx, s.sync.Name).from(after) {
				if key[0] != byte(p) || len(keys) == applyChunk {
					break
				}
				a, err := decodeAction(raw)
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

// applyChunk is how many actions are read from the stored plan at once.
const applyChunk = 256

// entries visits a scratch space, some entries per transaction.
func (s *planStore) entries(ctx context.Context, space string, visit func(tx *state.Tx, key, value []byte) error) error {
	var after []byte
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := 0
		err := s.tenant.Update(func(tx *state.Tx) error {
			n = 0
			var keys, values [][]byte
			for key, value := range tx.Space(s.sync.Name, space).All(after) {
				keys, values = append(keys, slices.Clone(key)), append(values, slices.Clone(value))
				if n++; n == draftChunk {
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
		if err != nil || n < draftChunk {
			return err
		}
	}
}

// draftChunk is how many objects are evaluated between two commits of the draft.
const draftChunk = 2000

// inChunks reads items in a View, at most size of them, and visits them when it has ended, so that no transaction
// stays open while they are worked on. It repeats that until nothing is read. read continues where it was and stops
// when add returns false.
func inChunks[T any](tenant *state.Tenant, size int, read func(tx *state.Tx, add func(T) bool) error, visit func([]T) error) error {
	for {
		var chunk []T
		err := tenant.View(func(tx *state.Tx) error {
			return read(tx, func(item T) bool {
				chunk = append(chunk, item)
				return len(chunk) < size
			})
		})
		if err != nil || len(chunk) == 0 {
			return err
		}
		if err := visit(chunk); err != nil {
			return err
		}
	}
}
