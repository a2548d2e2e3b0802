package inspect

import (
	"encoding/json"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// Latest names the newest run of a sync.
const Latest = "latest"

// Runs returns the reports of the newest runs of a sync, newest first.
func Runs(w *worker.Worker, s *compile.Sync, limit int) (reports []reconcile.Report, err error) {
	err = w.View(s.Tenant, func(tx *state.Tx) error {
		for _, run := range tx.Runs(s.Name).Latest(limit) {
			var report reconcile.Report
			if err := json.Unmarshal(run.Report, &report); err != nil {
				return err
			}
			reports = append(reports, report)
		}
		return nil
	})
	return reports, err
}

// A Run is what `show --json` prints of one run of one sync.
type Run struct {
	Format  string            `json:"format"`
	Report  reconcile.Report  `json:"report"`
	Actions []json.RawMessage `json:"actions"` // each a [RunAction]
}

// A RunAction is one action of a run with what came of it.
type RunAction struct {
	plan.Action
	Outcome string
	Error   *plan.Failure
}

// RunOf reads a run of a sync by its id, or [Latest]; nil when there is none.
func RunOf(w *worker.Worker, s *compile.Sync, id string) (found *Run, err error) {
	err = w.View(s.Tenant, func(tx *state.Tx) error {
		run, ok := tx.Runs(s.Name).Get(id)
		if newest := tx.Runs(s.Name).Latest(1); id == Latest && len(newest) == 1 {
			run, ok = newest[0], true
		}
		if !ok {
			return nil
		}
		found = &Run{Format: "entrasync/run/1", Actions: []json.RawMessage{}}
		if err := json.Unmarshal(run.Report, &found.Report); err != nil {
			return err
		}
		for line := range tx.Runs(s.Name).Lines(run.ID) {
			found.Actions = append(found.Actions, append(json.RawMessage(nil), line...))
		}
		return nil
	})
	return found, err
}
