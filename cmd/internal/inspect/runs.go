package inspect

import (
	"encoding/json"
	"slices"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// Latest names the newest run of a sync.
const Latest = "latest"

// A PastRun is one entry of `runs --json`: a report, and how many runs the entry stands for.
type PastRun struct {
	reconcile.Report
	First string `json:"first_run,omitempty"` // the oldest of several that did nothing
	Times int    `json:"times,omitempty"`     // how many they are

	TenantName string `json:"-"`
}

// A RunQuery chooses runs.
type RunQuery struct {
	Limit  int       // of each sync; 0: all
	Since  time.Time // that started at this time or later; zero: whenever
	Failed bool      // those that could not run or in which records failed
}

// chooses reports whether a run is asked for, and whether older ones can be.
func (q *RunQuery) chooses(run *state.Run) (wanted, more bool) {
	if run.Started.Before(q.Since) {
		return false, false
	}
	failed := run.Result == string(reconcile.Failed) || run.Result == string(reconcile.Partial)
	return failed || !q.Failed, true
}

// Runs returns the runs of a sync that are asked for, newest first.
func Runs(w *worker.Worker, s *compile.Sync, q RunQuery) (runs []PastRun, err error) {
	err = w.View(s.Tenant, func(tx *state.Tx) error {
		for run := range tx.Runs(s.Name).Newest() {
			wanted, more := q.chooses(&run)
			if !more || q.Limit > 0 && len(runs) == q.Limit {
				return nil
			}
			if !wanted {
				continue
			}
			past := PastRun{First: run.First, Times: run.Times, TenantName: s.TenantName}
			if err := json.Unmarshal(run.Report, &past.Report); err != nil {
				return err
			}
			runs = append(runs, past)
		}
		return nil
	})
	return runs, err
}

// ByTime sorts the runs of several syncs, newest first, and cuts them to a limit; 0 is none.
func ByTime(runs []PastRun, limit int) []PastRun {
	slices.SortStableFunc(runs, func(a, b PastRun) int { return b.Started.Compare(a.Started) })
	if limit > 0 {
		return runs[:min(limit, len(runs))]
	}
	return runs
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
