package web

import (
	"fmt"
	"time"

	"entrasync/reconcile/plan"
	"entrasync/state"
)

// maxRetries is how many failed records are looked through for removals.
const maxRetries = 1000

// oldestRemoval returns when the oldest removal that has failed since, and is retried, first failed; zero when there is none.
func oldestRemoval(tx *state.Tx, sync string) (oldest time.Time) {
	n := 0
	for retry := range tx.Retries(sync).All() {
		if n++; n > maxRetries {
			break
		}
		if plan.Op(retry.Op).Removes() && !retry.Skipped && (oldest.IsZero() || retry.First.Before(oldest)) {
			oldest = retry.First
		}
	}
	return oldest
}

// Behind returns how old a change that takes access away may be at most; 0 before the first cycle is complete.
func (r *row) Behind(now time.Time) time.Duration {
	since := r.Info.LastSuccess
	if since.IsZero() {
		return 0
	}
	if r.AccessRead.After(since) {
		since = r.AccessRead
	}
	if !r.OldestRemoval.IsZero() && r.OldestRemoval.Before(since) {
		since = r.OldestRemoval
	}
	return max(0, now.Sub(since))
}

// A staleness is how a sync stands to its objective for freshness.
type staleness struct {
	Missed bool
	Text   string
}

// Staleness is nil for a sync without an objective.
func (p syncPage) Staleness() *staleness {
	if p.Freshness == 0 || p.Info.LastSuccess.IsZero() {
		return nil
	}
	behind := p.Behind(p.Now)
	return &staleness{Missed: behind > p.Freshness,
		Text: fmt.Sprintf("at most %s behind the directory for leavers; the objective is %s", span(behind), span(p.Freshness))}
}
