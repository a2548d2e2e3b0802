package reconcile

import (
	"fmt"

	"entrasync/state"
)

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

// errStop ends a walk that the caller has had enough of.
var errStop = fmt.Errorf("stop")

func stopUnless(more bool) error {
	if more {
		return nil
	}
	return errStop
}
