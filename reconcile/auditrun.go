package reconcile

import (
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// auditConfiguration reports that a cycle was the first with another configuration of the sync.
func (f *finalizer) auditConfiguration(tx *state.Tx) error {
	before, now := f.info.ConfigHash, f.sync.Hash()
	if before == now {
		return nil
	}
	entry := f.opts.auditEntry(f.sync, f.runID, configEvent, outcomeDone)
	entry.At = f.clock()
	entry.About = plan.Encode(struct {
		Changes []plan.Change `json:"changes"`
	}{[]plan.Change{{Attribute: "configuration", Old: before, New: now}}})
	return tx.Audit().Append(entry)
}

// auditRun reports the end of a run. One that did nothing on schedule is not worth a line.
func (f *finalizer) auditRun(tx *state.Tx) error {
	report := &f.ledger.report
	if f.opts.Scheduled && f.quiet() && report.Failure == nil {
		return nil
	}
	entry := f.opts.auditEntry(f.sync, f.runID, runEvent, string(report.Result))
	entry.At = f.clock()
	entry.About = plan.Encode(struct {
		Cycle   Cycle         `json:"cycle"`
		Summary Summary       `json:"summary"`
		Errors  int           `json:"errors,omitempty"`
		Failure *CycleFailure `json:"failure,omitempty"`
	}{report.Cycle, report.Summary, f.ledger.failures, report.Failure})
	return tx.Audit().Append(entry)
}

// quiet reports whether the run did nothing: it carried out no action, and none failed.
func (f *finalizer) quiet() bool {
	return f.ledger.done.Changes() == 0 && f.ledger.attempted == 0 && f.ledger.failures == 0 && f.ledger.unlinked == 0
}
