package reconcile

import (
	"entrasync/state"
)

// tookEffect counts a change that is in the application now. keys are what it was pending as.
func (r *recorder) tookEffect(tx *state.Tx, keys ...state.PendingKey) {
	since := r.info.LastSuccess
	if since.IsZero() {
		return
	}
	// A cycle on schedule also acts on direct assignments, which no removals cycle reads.
	if r.opts.Removals && r.opts.AccessRead.After(since) {
		since = r.opts.AccessRead
	}
	for _, key := range keys {
		if retry, failed := tx.Retries(r.sync.Name).Get(key); failed && !retry.Skipped && retry.First.Before(since) {
			since = retry.First
		}
	}
	r.ledger.tookEffect(r.clock().Sub(since))
}
