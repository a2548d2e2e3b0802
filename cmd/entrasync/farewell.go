package main

import (
	"context"
	"fmt"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/scope"
)

// farewell deactivates every account that the syncs of a tenant keep. Graph is not asked: the
// consent may be gone already.
func (a *app) farewell(ctx context.Context, w *worker.Worker, t worker.Tenant) (deactivated int, err error) {
	known := false
	for _, planned := range w.Syncs {
		if planned.Tenant != t.ID {
			continue
		}
		known = true
		leaving, err := withoutAnybody(planned)
		if err != nil {
			return deactivated, err
		}
		syncer, release, err := w.Syncer(ctx, leaving, nil)
		if err != nil {
			return deactivated, err
		}
		report, err := syncer.Run(ctx, reconcile.Options{Apply: true, NoRefresh: true})
		release()
		if err != nil {
			return deactivated, explained(planned, report, err)
		}
		deactivated += report.Summary.Deactivate
		if left := len(report.Errors) + len(report.Skipped) + report.Summary.Held; left > 0 {
			for _, failure := range report.Errors {
				fmt.Fprintf(a.err, "  failed: %s: %s (%s)\n", printable(failure.Key), printable(failure.Message), failure.Code)
			}
			return deactivated, advice.With(fmt.Errorf("sync %s: %s of tenant %s not deactivated", planned.Name, words.Count(left, "account", "accounts"), t.Name),
				"the tenant is paused and not forgotten: run this again, or keep the accounts with --accounts keep")
		}
	}
	if !known {
		return 0, advice.With(fmt.Errorf("no sync of the configuration reads from tenant %s, so its accounts cannot be reached", t.Name), "remove it with --accounts keep")
	}
	return deactivated, nil
}

// withoutAnybody is a sync in whose scope nobody is, and which only deactivates. The person who
// asks for it is the approval, so that no guard holds it.
func withoutAnybody(planned *compile.Sync) (*compile.Sync, error) {
	nobody, faults := scope.Compile([][]scope.Clause{{{Attribute: "objectId", Operator: "IS NULL"}}})
	if len(faults) > 0 {
		return nil, faults[0]
	}
	sync := *planned.Sync
	sync.Scope = reconcile.Scope{All: true, Guests: true, Filter: nobody, Protect: sync.Scope.Protect}
	sync.Guard = reconcile.Guard{FirstRunRemovals: true}
	sync.Users.OnRemove = reconcile.OnRemove{Do: plan.Deactivate}
	sync.Users.Actions = map[plan.Op]bool{plan.Deactivate: true}
	sync.Groups.Enabled = false
	sync.Text += "\x00the tenant is removed"
	leaving := *planned
	leaving.Sync = &sync
	return &leaving, nil
}
