package reconcile

import (
	"context"
	"fmt"

	"entrasync/reconcile/undo"
	"entrasync/state"
)

// LatestRun stands for the newest run of a sync that did something.
const LatestRun = "latest"

// FindUndo completes what is asked to be undone in one sync, and reports whether the audit log has it. [LatestRun]
// becomes that run's id. An object without a run and a time is about the newest run that changed it.
func FindUndo(ctx context.Context, s *Sync, tenant *state.Tenant, r undo.Request) (undo.Request, bool, error) {
	newest := r.Run == "" && r.Since.IsZero()
	found := false
	err := tenant.View(func(tx *state.Tx) error {
		if r.Run == LatestRun {
			r.Run = ""
			for run := range tx.Runs(s.Name).Newest() {
				if !run.Idle {
					r.Run = run.ID
					break
				}
			}
			if r.Run == "" {
				return nil
			}
		}
		last := ""
		for stored := range tx.Audit().Lines(state.AuditQuery{Run: r.Run, Object: r.Object, Since: r.Since}) {
			if err := ctx.Err(); err != nil {
				return err
			}
			line, err := undo.ParseLine(stored.JSON())
			if err != nil {
				return fmt.Errorf("line %d of the audit log: %w", stored.Seq, err)
			}
			if line == nil || line.Sync != s.Name || !r.Chosen(line) || newest && (line.Run == "" || line.Result != outcomeDone) {
				continue
			}
			if found, last = true, line.Run; !newest {
				return nil
			}
		}
		if newest {
			r.Run = last
		}
		return nil
	})
	return r, found, err
}
