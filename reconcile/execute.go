package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// An executor carries out single actions. It is safe for concurrent use.
type executor struct {
	sync       *Sync
	runID      string
	now        time.Time
	store      *state.Store
	tenant     *state.Tenant
	target     target.Adapter
	owners     *ownership.Accounts
	links      *linkBuilder
	successors *successorFinder
	matching   *matching
}

// carryOut makes the calls of one action. It returns nil when it was interrupted before
// anything was known.
func (x *executor) carryOut(ctx context.Context, key plan.Key, a *plan.StoredAction) *result {
	done := &result{key: key, action: a}
	ctx = withOperation(ctx, x.sync, x.tenant, a)
	if key.Phase == plan.ReferencePhase && a.TargetID == nil {
		if done.err = x.resolve(a); done.err != nil || a.TargetID == nil {
			done.void = done.err == nil // the account was not made: nothing can refer from it
			return done
		}
	}
	switch {
	case a.Orphan:
		x.removeOrphan(ctx, a, done)
	case a.Op == plan.Create:
		x.create(ctx, a, done)
	case a.Op == plan.Delete:
		x.remove(ctx, a, done)
	case a.Op == plan.Unlink:
		x.unlink(ctx, a, done)
	case a.Op == plan.Members:
		x.changeMembers(ctx, a, done)
	default:
		x.write(ctx, a, done, a.Op == plan.Adopt)
	}
	if done.err == nil {
		return done
	}
	if ctx.Err() != nil && errors.Is(done.err, ctx.Err()) {
		return nil
	}
	done.err = x.withoutRedacted(ctx, a, done.sent, done.err)
	if target.CodeOf(done.err).Stops() {
		done.stop = fmt.Errorf("%s %s %s in target %s: %w", a.Op, a.Kind, a.Key, x.sync.TargetName, done.err)
	}
	return done
}

// resolve finds the account that an action on one made in the same plan is about.
func (x *executor) resolve(a *plan.StoredAction) error {
	return x.tenant.View(func(tx *state.Tx) error {
		link, ok, err := tx.Links(x.sync.Name).Get(a.Kind, a.SourceID)
		if ok {
			a.TargetID = &link.TargetID
		}
		return err
	})
}
