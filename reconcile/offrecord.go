package reconcile

import (
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// An offRecord says when an account that was switched off was to be deleted.
type offRecord struct {
	After time.Duration `json:"after"` // of observed time; 0 at once, or never
	Since time.Duration `json:"since"` // the observed time from which After counts
	// Why the user had no right to an active account. It is empty in records of earlier releases.
	Reason desired.LeaveReason `json:"reason,omitempty"`
}

// under returns the record for a user who has another reason to have no active account now, such as one who was unassigned
// and is deleted. The account is due for deletion when the policy of either reason says, whichever comes first.
func (r offRecord) under(reason desired.LeaveReason, after, now time.Duration) offRecord {
	if r.Reason == reason {
		return r
	}
	if r.Reason == "" {
		r.Reason = reason
		return r
	}
	since := now
	if r.After != never && after != never {
		since = min(now, r.Since+r.After-after)
	}
	return offRecord{After: after, Since: since, Reason: reason}
}

// never is the deletion time of accounts that are only switched off.
const never = time.Duration(-1)

// deleteAfter is when the account of a leaver is deleted.
func deleteAfter(r desired.OnRemove) time.Duration {
	switch {
	case r.Do == plan.Delete:
		return 0
	case r.After > 0:
		return r.After
	}
	return never
}

// onRemoveText says in the configuration's words when an account is deleted.
func onRemoveText(after time.Duration) string {
	switch after {
	case never:
		return "deactivate"
	case 0:
		return "delete"
	}
	return "delete after " + days(after)
}

// sooner reports whether accounts are deleted sooner by one on_remove than by another.
func sooner(after, than time.Duration) bool {
	return after != never && (than == never || after < than)
}

// days is a duration in whole days where it has some.
func days(d time.Duration) string {
	switch n := int(d / (24 * time.Hour)); {
	case d%(24*time.Hour) != 0 && n < 3:
		return d.Round(time.Minute).String()
	case n == 1:
		return "1 day"
	default:
		return fmt.Sprintf("%d days", n)
	}
}

// offSpace remembers of accounts that were switched off which on_remove was in force then: source
// id → offRecord.
const offSpace = "off"

// offRecords keep, by source id, under which policy accounts were switched off.
type offRecords struct {
	tx     *state.Tx
	sync   *Sync
	info   *state.SyncInfo
	reason desired.LeaveReason // of the user in question
	apply  bool                // not a dry run, which keeps nothing
}

// after is when the accounts of users who left for the reason are deleted.
func (o offRecords) after() time.Duration { return deleteAfter(o.sync.Users.Removal(o.reason)) }

func (o offRecords) put(id graphsync.ID, rec offRecord) error {
	if !o.apply {
		return nil
	}
	return o.tx.Space(o.sync.Name, offSpace).Put(id[:], plan.Encode(&rec))
}

// note keeps that an account is being removed under the present policy.
func (o offRecords) note(id graphsync.ID) error {
	return o.put(id, offRecord{After: o.after(), Since: o.info.Observed, Reason: o.reason})
}

// of returns what is known of an account that is switched off. What was not noted is as the
// configuration says, unless that has changed since the last cycle.
func (o offRecords) of(id graphsync.ID) (rec offRecord, err error) {
	if raw := o.tx.Space(o.sync.Name, offSpace).Get(id[:]); raw != nil {
		if err := plan.Decode(raw, &rec); err != nil {
			return rec, err
		}
		renewed := rec.under(o.reason, o.after(), o.info.Observed)
		if renewed == rec {
			return rec, nil
		}
		return renewed, o.put(id, renewed)
	}
	rec = offRecord{After: o.after(), Since: o.info.Observed, Reason: o.reason}
	if o.info.ConfigHash != o.sync.Hash() {
		rec.After = never
	}
	return rec, o.put(id, rec)
}
