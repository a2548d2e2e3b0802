package reconcile

import (
	"fmt"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// putOff notes that an account is being removed under the present on_remove.
func (d *drafter) putOff(id graphsync.ID) error {
	if !d.opts.Apply {
		return nil
	}
	rec := offRecord{After: deleteAfter(d.sync.Users.OnRemove), Since: d.info.Observed}
	return d.tx.Space(d.sync.Name, offSpace).Put(id[:], plan.Encode(&rec))
}

// off returns what is known of an account that is switched off. What was not noted is as the
// configuration says, unless that has changed since the last cycle.
func (d *drafter) off(id graphsync.ID) (rec offRecord, err error) {
	space := d.tx.Space(d.sync.Name, offSpace)
	if raw := space.Get(id[:]); raw != nil {
		return rec, plan.Decode(raw, &rec)
	}
	rec = offRecord{After: deleteAfter(d.sync.Users.OnRemove), Since: d.info.Observed}
	if d.info.ConfigHash != d.sync.Hash() {
		rec.After = never
	}
	if !d.opts.Apply {
		return rec, nil
	}
	return rec, space.Put(id[:], plan.Encode(&rec))
}

// removeInactive plans the deletion of an account that is switched off, when it is due.
func (d *drafter) removeInactive(link *state.Link, stand *desired.Eligibility, key string) error {
	after := deleteAfter(d.sync.Users.OnRemove)
	if d.sync.Users.OnRemove.Do == "" {
		return nil
	}
	rec, err := d.off(link.Source)
	if err != nil || after == never {
		return err
	}
	if d.info.Observed-rec.Since < after {
		return d.keepLater(link.Source)
	}
	if after > 0 {
		if !link.InactiveSince.IsZero() {
			stand.Why += fmt.Sprintf("; inactive since %s", link.InactiveSince.Format("2006-01-02"))
		}
		if d.findings.untimely != "" {
			if err := d.keepLater(link.Source); err != nil {
				return err
			}
			return d.skip(graphsync.User, link.Source, key, "clock_differs", fmt.Sprintf("the account is due for deletion (%s), but %s", stand.Why, d.findings.untimely))
		}
	}
	var hold *plan.StoredHold
	if sooner(after, rec.After) {
		hold = guard.Hold(guard.OnRemove, fmt.Sprintf("on_remove was changed from %s to %s", onRemoveText(rec.After), onRemoveText(after)))
	}
	return d.putRemoval(plan.Delete, link, stand, key, hold)
}
