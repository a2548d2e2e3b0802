package worker

import (
	"context"
	"errors"
	"fmt"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/words"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/scope"
	"entrasync/state"
)

// DeactivateAll deactivates every account that the syncs of a tenant keep, and returns how many. Graph is not asked: the
// consent may be gone already. failed is called with each account that its application refused to deactivate.
func DeactivateAll(ctx context.Context, w *Worker, t Tenant, by state.Actor, failed func(plan.Failure)) (deactivated int, err error) {
	known := false
	for _, planned := range w.Syncs {
		if planned.Tenant != t.ID {
			continue
		}
		known = true
		leaving, err := emptied(planned)
		if err != nil {
			return deactivated, err
		}
		syncer, release, err := w.Syncer(ctx, leaving, nil)
		if err != nil {
			return deactivated, err
		}
		report, err := syncer.Run(ctx, reconcile.Options{Apply: true, NoRefresh: true, Actor: by})
		release()
		if err != nil {
			return deactivated, RunError(planned, report, err)
		}
		deactivated += report.Summary.Deactivate
		if left := len(report.Errors) + len(report.Skipped) + report.Summary.Held; left > 0 {
			for _, failure := range report.Errors {
				failed(failure)
			}
			for _, s := range report.Skipped {
				failed(plan.Failure{Kind: s.Kind, SourceID: s.SourceID, Key: s.Key, Op: plan.Deactivate, Code: s.Code, Message: s.Why})
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

// emptied is a sync without a user in its scope, which only deactivates. The command that asks for it is the approval, so that
// no guard holds it.
func emptied(planned *compile.Sync) (*compile.Sync, error) {
	none, faults := scope.Compile([][]scope.Clause{{{Attribute: "objectId", Operator: "IS NULL"}}}, nil)
	if len(faults) > 0 {
		return nil, faults[0]
	}
	sync := *planned.Sync
	sync.Scope = desired.Scope{All: true, Guests: true, Filter: none, Protect: sync.Scope.Protect}
	sync.Guard = guard.Guard{FirstRunRemovals: true}
	sync.Users.OnRemove, sync.Users.OnUnassign, sync.Users.OnDelete = desired.OnRemove{Do: plan.Deactivate}, nil, nil
	sync.Users.Actions = map[plan.Op]bool{plan.Deactivate: true}
	sync.Groups.Enabled = false
	sync.Text += "\x00the tenant is removed"
	leaving := *planned
	leaving.Sync = &sync
	return &leaving, nil
}

// RunError adds to the error of a run the tenant's name, where the run knows the id alone, and
// the advice that its report carries.
func RunError(s *compile.Sync, report *reconcile.Report, err error) error {
	if report == nil || report.Failure == nil {
		return err
	}
	if cause := errors.Unwrap(err); cause != nil {
		err = fmt.Errorf("sync %s, tenant %s (%s): %w", s.Name, s.TenantName, s.Tenant, cause)
	}
	if errors.As(err, new(advice.Error)) {
		return err
	}
	return advice.With(err, report.Failure.Hint)
}
