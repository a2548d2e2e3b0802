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
	Since time.Duration `json:"since"` // the time that was observed when it was switched off
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

// offRecords keep, by source id, under which on_remove accounts were switched off.
type offRecords struct {
	tx    *state.Tx
	sync  *Sync
	info  *state.SyncInfo
	apply bool // not a dry run, which keeps nothing
}

// note keeps that an account is being removed under the present on_remove.
func (o offRecords) note(id graphsync.ID) error {
	if !o.apply {
		return nil
	}
	rec := offRecord{After: deleteAfter(o.sync.Users.OnRemove), Since: o.info.Observed}
	return o.tx.Space(o.sync.Name, offSpace).Put(id[:], plan.Encode(&rec))
}

// of returns what is known of an account that is switched off. What was not noted is as the
// configuration says, unless that has changed since the last cycle.
func (o offRecords) of(id graphsync.ID) (rec offRecord, err error) {
	space := o.tx.Space(o.sync.Name, offSpace)
	if raw := space.Get(id[:]); raw != nil {
		return rec, plan.Decode(raw, &rec)
	}
	rec = offRecord{After: deleteAfter(o.sync.Users.OnRemove), Since: o.info.Observed}
	if o.info.ConfigHash != o.sync.Hash() {
		rec.After = never
	}
	if !o.apply {
		return rec, nil
	}
	return rec, space.Put(id[:], plan.Encode(&rec))
}
