package reconcile

import (
	"time"

	"entrasync/state"
)

// A Wait is how long some changes may have waited between the directory and the application.
//
// Graph does not tell when something was changed. What a cycle finds was not there yet when
// the last complete one began to read, so that the wait is at most the time since then; what had
// failed before has waited since it first failed. How long a person took to approve a hold is not
// in it, and an initial cycle, before which nothing was kept in step, has no waits.
type Wait struct {
	For     time.Duration // in whole seconds
	Changes int
}

// tookEffect counts a change that is in the application now. keys are what it was pending as.
func (r *recorder) tookEffect(tx *state.Tx, keys ...state.PendingKey) {
	since := r.info.LastSuccess
	if since.IsZero() {
		return
	}
	for _, key := range keys {
		if retry, failed := tx.Retries(r.sync.Name).Get(key); failed && !retry.Skipped && retry.First.Before(since) {
			since = retry.First
		}
	}
	r.ledger.tookEffect(r.clock().Sub(since))
}
