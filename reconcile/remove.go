package reconcile

import (
	"context"
	"errors"
	"fmt"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// remove deletes an account or group. When the application answers with an error, a user who may
// be switched off is switched off instead, because no one without a right keeps an active
// account. The deletion stays an error and is tried again.
func (x *executor) remove(ctx context.Context, a *plan.StoredAction, done *result) {
	done.err = x.target.Delete(ctx, target.Ref{Kind: targetKind(a.Kind), ID: *a.TargetID})
	done.drop = done.err == nil
	var refusal *target.Error
	if done.drop || !errors.As(done.err, &refusal) || refusal.Status < 400 || refusal.Code.Stops() || ctx.Err() != nil {
		return
	}
	if a.Kind != graphsync.User || !x.sync.Users.May(plan.Deactivate) || !x.linkedActive(a) {
		return
	}
	off := plan.StoredAction{Action: a.Action}
	off.Op, off.Changes = plan.Deactivate, []plan.Change{{Attribute: "active", Old: true, New: false}}
	var second result
	x.write(ctx, &off, &second, false)
	switch {
	case second.err != nil:
		done.err = fmt.Errorf("%w; switching the account off instead failed too: %w", done.err, second.err)
	case second.drop: // it is gone after all
		done.err, done.drop = nil, true
	default:
		done.off = second.link
		done.err = fmt.Errorf("%w; the account was switched off instead, and the deletion is tried again", done.err)
	}
}

// linkedActive reports whether the account of an action is active, as far as is known.
func (x *executor) linkedActive(a *plan.StoredAction) (active bool) {
	_ = x.tenant.View(func(tx *state.Tx) error {
		link, linked, err := tx.Links(x.sync.Name).Get(a.Kind, a.SourceID)
		active = err == nil && linked && link.Active
		return nil
	})
	return active
}
