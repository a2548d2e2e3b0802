package reconcile

import (
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// keptOn keeps an account that is still active as switched off, and remembers it.
func (r *recorder) keptOn(tx *state.Tx, done *result) (known bool, err error) {
	link := done.still
	about, known := stillActiveOf(tx, r.sync.Name, link)
	if !about.InactiveSince.IsZero() {
		link.InactiveSince = about.InactiveSince
	}
	about = stillActive{TargetID: link.TargetID, InactiveSince: link.InactiveSince, Attempts: about.Attempts + 1}
	if err := tx.Links(r.sync.Name).Put(*link); err != nil {
		return false, err
	}
	return known && about.Attempts > 1, records{tx: tx, sync: r.sync.Name}.putStillActive(link.Source, about)
}

// remainsActive names a person whose account stays active also the second time, which was reported
// before: it is no new failure.
func (r *recorder) remainsActive(tx *state.Tx, done *result, line runLine) error {
	a := done.action
	known, _ := stillActiveOf(tx, r.sync.Name, done.still)
	if err := r.ledger.skip(tx, plan.Skipped{Kind: a.Kind, SourceID: a.SourceID, Key: a.Key, Code: string(target.Rejected), Why: stillActiveWhy(known, a.Why)}); err != nil {
		return err
	}
	line.Error = &plan.Failure{Kind: a.Kind, SourceID: a.SourceID, Key: a.Key, Op: a.Op, Code: string(target.Rejected), Message: done.err.Error()}
	if err := tx.Pending(r.sync.Name).Delete(done.key.PendingKey()); err != nil {
		return err
	}
	r.line(done, line)
	return nil
}
