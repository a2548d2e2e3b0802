package reconcile

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// A protector keeps the plan away from accounts that the configuration protects.
type protector struct {
	sync    *Sync
	opts    Options
	workers int
	tenant  *state.Tenant
	target  target.Adapter
	breaker *breaker
	ledger  *ledger
	plans   *plan.Store
}

// protect takes out of the plan what would change accounts that scope.protect names. They are
// looked at as they are now: an administrator, or a user switched to the application's own
// login, may have been made one long after the account was linked. Without such filters it
// costs no request.
func (pr *protector) protect(ctx context.Context) error {
	if len(pr.sync.Scope.Protect) == 0 {
		return nil
	}
	for _, p := range []plan.Phase{plan.LeavePhase, plan.UserPhase} {
		if err := pr.plans.Actions(p, func(keys [][]byte, actions []plan.StoredAction) error { return pr.dropProtected(ctx, keys, actions) }); err != nil {
			return err
		}
	}
	return nil
}

// An inspection is what looking at the account of one planned action found.
type inspection struct {
	protected bool
	unseen    error // why the account could not be looked at
}

// dropProtected takes those of some actions out of the plan whose account is protected, or cannot be
// looked at: the latter fail with what the application said, and are tried again.
func (pr *protector) dropProtected(ctx context.Context, keys [][]byte, actions []plan.StoredAction) error {
	found := make([]inspection, len(actions))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(pr.workers)
	for i := range actions {
		if a := &actions[i]; a.Op != plan.Create && a.Op != plan.Adopt && !a.Seen { // match and identify have looked at those
			group.Go(func() (err error) {
				found[i], err = pr.inspect(gctx, *a.TargetID)
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return pr.tenant.Update(func(tx *state.Tx) error {
		for i := range actions {
			if err := pr.dropInspected(tx, keys[i], &actions[i], found[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// inspect looks at one account. Its error ends the cycle.
func (pr *protector) inspect(ctx context.Context, id string) (inspection, error) {
	protected, err := pr.protectedAccount(ctx, id)
	if pr.breaker.open(ctx, err) {
		return inspection{}, &breakerOpenError{target: pr.sync.TargetName, last: err}
	}
	var failure *target.Error
	if err == nil || ctx.Err() != nil || !errors.As(err, &failure) || failure.Code.Stops() {
		return inspection{protected: protected}, err
	}
	return inspection{unseen: err}, nil
}

// dropInspected takes an action out of the plan whose account is protected or was not seen.
func (pr *protector) dropInspected(tx *state.Tx, key []byte, a *plan.StoredAction, found inspection) error {
	if !found.protected && found.unseen == nil {
		return nil
	}
	pr.ledger.planned(a.Kind, a.Op, -1)
	if err := plan.In(tx, pr.sync.Name).Delete(key); err != nil {
		return err
	}
	skipped := plan.Skipped{Kind: graphsync.User, SourceID: a.SourceID, Key: a.Key, Code: "protected",
		Why: fmt.Sprintf("it was due to %s (%s), but the account is protected by the configuration", a.Op, a.Why)}
	switch {
	case found.unseen != nil && pr.opts.Apply:
		pr.ledger.attempt()
		pr.ledger.fail(tx, state.PendingKey{Kind: a.Kind, ID: a.SourceID}, a, found.unseen)
		return nil
	case found.unseen != nil:
		skipped.Code = codeOf(found.unseen)
		skipped.Why = fmt.Sprintf("it is due to %s (%s), but the account cannot be looked at: %v", a.Op, a.Why, found.unseen)
	}
	return pr.ledger.skip(tx, skipped)
}

func (pr *protector) protectedAccount(ctx context.Context, id string) (bool, error) {
	getter, ok := pr.target.(target.Getter)
	if !ok {
		return false, fmt.Errorf("scope.protect: target %s cannot show an account, so no account can be protected", pr.sync.TargetName)
	}
	r, err := getter.Get(ctx, target.Ref{Kind: target.User, ID: id})
	switch {
	case err != nil && target.CodeOf(err) == target.NotFound:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look whether account %s of target %s is protected: %w", id, pr.sync.TargetName, err)
	}
	return pr.sync.Scope.Protects(r), nil
}
