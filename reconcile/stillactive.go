package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// An application may answer that it switched an account off and not do it, or show every account
// as active whatever it does. A deactivation therefore counts once the account is seen inactive.
// One that is not is an error once. From then on the account is remembered: it is named in every
// cycle, is not switched off again and again, and does not count for a guard, so that people who
// really leave are not held because of it.

// offAttempts is how often an account is switched off that stays active: the second time is for
// applications that were merely late.
const offAttempts = 2

// A stillActive account was switched off and is shown as active.
type stillActive struct {
	TargetID      string    `json:"target_id"`
	InactiveSince time.Time `json:"inactive_since"` // when it was first switched off
	Attempts      int       `json:"attempts"`       // 0 when a compare has found it and nothing was tried
}

var errStillActive = errors.New("the account is still active")

// notKeptOff is the error of an account that the application does not switch off.
func notKeptOff(cause error) error {
	return &target.Error{Code: target.Rejected, Op: "deactivate user", Err: errors.Join(errStillActive, cause),
		Message: "the target does not keep the account off: it answered success, and the account is still active",
		Hint:    "switch the account off or remove it in the target, or set on_remove to delete"}
}

// stillActiveOf returns what is remembered about a linked account.
func stillActiveOf(tx *state.Tx, sync string, link *state.Link) (stillActive, bool) {
	var known stillActive
	if link.Kind != graphsync.User {
		return known, false
	}
	raw := tx.Space(sync, stillActiveSpace).Get(link.Source[:])
	if raw == nil || plan.Decode(raw, &known) != nil {
		return stillActive{}, false
	}
	return known, known.TargetID == link.TargetID
}

func (r records) putStillActive(source graphsync.ID, known stillActive) error {
	return r.put(stillActiveSpace, source[:], plan.Encode(&known))
}

func (r records) forgetStillActive(source graphsync.ID) error {
	return r.delete(stillActiveSpace, source[:])
}

// activity is what an application shows of an account: told is false when it does not say.
func activity(r *target.Resource) (active, told bool) {
	if r == nil {
		return false, false
	}
	for name, value := range r.Attributes {
		if strings.EqualFold(name, "active") && value != nil {
			return !strings.EqualFold(fmt.Sprint(value), "false"), true
		}
	}
	return false, false
}

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

// keptOn keeps an account that is still active as switched off, and remembers it.
func (r *recorder) keptOn(tx *state.Tx, done *result) (known bool, err error) {
	link := done.still
	about, known := stillActiveOf(tx, r.sync.Name, link)
	if !about.InactiveSince.IsZero() {
		link.InactiveSince = about.InactiveSince
	}
	about = stillActive{TargetID: link.TargetID, InactiveSince: link.InactiveSince, Attempts: about.Attempts + 1}
	if err := tx.Links(r.sync.Name).Put(*link); err != nil {
		return false, err
	}
	return known && about.Attempts > 1, records{tx: tx, sync: r.sync.Name}.putStillActive(link.Source, about)
}

// remainsActive names a person whose account stays active also the second time, which was reported
// before: it is no new failure.
func (r *recorder) remainsActive(tx *state.Tx, done *result, line runLine) error {
	a := done.action
	known, _ := stillActiveOf(tx, r.sync.Name, done.still)
	if err := r.ledger.skip(tx, plan.Skipped{Kind: a.Kind, SourceID: a.SourceID, Key: a.Key, Code: string(target.Rejected), Why: stillActiveWhy(known, a.Why)}); err != nil {
		return err
	}
	line.Error = &plan.Failure{Kind: a.Kind, SourceID: a.SourceID, Key: a.Key, Op: a.Op, Code: string(target.Rejected), Message: done.err.Error()}
	if err := tx.Pending(r.sync.Name).Delete(done.key.PendingKey()); err != nil {
		return err
	}
	r.line(line)
	return nil
}

// stillActiveWhy says about a person without a right that the account is still active.
func stillActiveWhy(known stillActive, why string) string {
	return fmt.Sprintf("the target does not keep the account off: it was switched off on %s and is still shown as active (%s); switch it off or remove it there, or set on_remove to delete",
		known.InactiveSince.Format("2006-01-02"), why)
}

// compareActivity brings what is remembered in line with what a compare shows of an account, and
// reports whether the account is to be left as switched off.
func (r records) compareActivity(link *state.Link, shown *target.Resource) (leave bool, err error) {
	if link.Kind != graphsync.User || link.Active {
		return false, nil
	}
	active, told := activity(shown)
	known, remembered := stillActiveOf(r.tx, r.sync, link)
	switch {
	case told && !active:
		return false, r.forgetStillActive(link.Source)
	case !told:
		return false, nil
	case remembered && known.Attempts > 0:
		return true, nil
	}
	return false, r.putStillActive(link.Source, stillActive{TargetID: link.TargetID, InactiveSince: link.InactiveSince})
}
