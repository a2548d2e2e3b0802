package reconcile

import (
	"context"
	"fmt"

	"entrasync/reconcile/plan"
	"entrasync/target"
)

// seenOff is what a deactivation came to, given the application's answer to it.
func (x *executor) seenOff(ctx context.Context, a *plan.StoredAction, ref target.Ref, after *target.Resource, err error, done *result) error {
	if err == nil {
		return x.confirmOff(ctx, ref, after, a.Again, done)
	}
	if active, told := activity(after); told && active { // the adapter has seen that it did not take
		if off, failure := switchedOff(ctx, x.target, after); off || failure != nil {
			return failure
		}
		return notKeptOff(err)
	}
	return err
}

// confirmOff makes sure that an account is off after the application answered that it is. The
// answer is enough when it shows the account; otherwise the account is read. Where it cannot be
// read, or is hidden because it is inactive, nothing contradicts the answer.
func (x *executor) confirmOff(ctx context.Context, ref target.Ref, after *target.Resource, again bool, done *result) error {
	if active, told := activity(after); told {
		switch {
		case active:
			return x.unlessOff(ctx, after)
		case !again:
			return nil
		}
	}
	getter, ok := x.target.(target.Getter)
	if !ok {
		return nil
	}
	shown, err := getter.Get(ctx, ref)
	if err == nil {
		if active, told := activity(shown); told && active {
			return x.unlessOff(ctx, shown)
		}
		return nil
	}
	switch code := target.CodeOf(err); {
	case code == target.NotFound:
		return nil
	case code == target.Unavailable, code.Stops(), ctx.Err() != nil:
		return fmt.Errorf("the account was switched off, but could not be read to make sure: %w", err)
	}
	done.notes = append(done.notes, fmt.Sprintf("accounts were switched off and cannot be read to make sure of it: %v", err))
	return nil
}

// unlessOff is the error of an account that is shown as active after it was switched off, nil for one
// that is off all the same.
func (x *executor) unlessOff(ctx context.Context, shown *target.Resource) error {
	off, err := switchedOff(ctx, x.target, shown)
	switch {
	case err != nil:
		return fmt.Errorf("the account was switched off, but it could not be found out whether it is: %w", err)
	case off:
		return nil
	}
	return notKeptOff(nil)
}
