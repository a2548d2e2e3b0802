package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// remove deletes an account or group. When the application answers with an error, a user who may
// be switched off is switched off instead, because no one without a right keeps an active
// account. The deletion stays an error and is tried again.
func (x *executor) remove(ctx context.Context, a *plan.StoredAction, done *result) {
	ref := target.Ref{Kind: targetKind(a.Kind), ID: *a.TargetID}
	if done.err = x.target.Delete(ctx, ref); done.err == nil && a.Kind == graphsync.User {
		done.err = x.confirmDeleted(ctx, ref, done)
	}
	done.drop = done.err == nil
	var refusal *target.Error
	if done.drop || !errors.As(done.err, &refusal) || refusal.Status < 400 && !errors.Is(done.err, errNotDeleted) || refusal.Code.Stops() || ctx.Err() != nil {
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

var errNotDeleted = errors.New("the account is still there")

// deletionWaits is how long an application that still shows a deleted account is waited for.
var deletionWaits = []time.Duration{250 * time.Millisecond, time.Second}

// confirmDeleted reads an account that was deleted: some applications keep it. That it is kept and
// switched off is a remark. That it is kept and active is an error, because the user can still sign in.
// Where it cannot be read nothing contradicts the application.
func (x *executor) confirmDeleted(ctx context.Context, ref target.Ref, done *result) error {
	getter, ok := x.target.(target.Getter)
	if !ok {
		return nil
	}
	for i := 0; ; i++ {
		shown, err := getter.Get(ctx, ref)
		if err != nil {
			return nil
		}
		off, err := switchedOff(ctx, x.target, shown)
		switch active, told := activity(shown); {
		case err != nil:
			return fmt.Errorf("the application keeps the account, and it could not be found out whether it is off: %w", err)
		case off || told && !active:
			done.remarks = append(done.remarks, &target.Error{Op: "delete user", Code: target.Unverified, Remark: target.Kept,
				Message: "the application keeps accounts that it was told to delete, switched off"})
			return nil
		case !told:
			return nil
		}
		if i == len(deletionWaits) {
			return &target.Error{Op: "delete user", Code: target.Rejected, Err: errNotDeleted,
				Message: "the application answered that it deleted the account, and it is still there and active"}
		}
		select {
		case <-time.After(deletionWaits[i]):
		case <-ctx.Done():
			return nil
		}
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
