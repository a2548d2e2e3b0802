package reconcile

import (
	"encoding/json"
	"fmt"
	"time"

	"entrasync/state"
)

// runIDFormat makes the id of a run of the time at which it starts: ids sort by time.
const runIDFormat = "20060102T150405.000Z"

// ReportInterrupted puts a cycle into the history of its sync that a worker began and did not end. What it did is in the state,
// and the next cycle resumes there.
func ReportInterrupted(tenant *state.Tenant, sync, worker string, began, now time.Time) error {
	began = began.UTC().Truncate(time.Millisecond)
	report := Report{
		Format: "entrasync/report/1", Sync: sync, Tenant: tenant.ID(), Run: began.Format(runIDFormat), Cycle: Incremental, Result: Failed,
		Started: began, DurationMS: max(0, now.Sub(began).Milliseconds()),
		Failure: &CycleFailure{Code: "interrupted", Message: fmt.Sprintf("interrupted (worker %s)", worker), Hint: "the next cycle resumes where this one ended"},
	}
	text, err := json.Marshal(report)
	if err != nil {
		return err
	}
	return tenant.Update(func(tx *state.Tx) error {
		if _, known := tx.Runs(sync).Get(report.Run); known {
			return nil
		}
		if err := tx.PutSyncInfo(sync, tx.SyncInfo(sync)); err != nil { // each run is stored together with it
			return err
		}
		return tx.Runs(sync).Put(state.Run{ID: report.Run, Started: began, Ended: now.UTC(), Result: string(Failed), Report: text})
	})
}
