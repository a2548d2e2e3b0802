package reconcile

import (
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

// stillActiveSpace holds, by source id, the accounts that the application shows as active although
// they were switched off. It is kept over cycles.
const stillActiveSpace = "still-active"
