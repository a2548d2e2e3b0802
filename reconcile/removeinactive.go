package reconcile

import (
	"fmt"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

func (d *drafter) offRecords(reason desired.LeaveReason) offRecords {
	return offRecords{tx: d.tx, sync: d.sync, info: d.info, reason: reason, apply: d.opts.Apply}
}

// removeInactive plans the deletion of an account that is switched off, when it is due.
func (d *drafter) removeInactive(link *state.Link, stand *desired.Eligibility, key string) error {
	records := d.offRecords(stand.Reason)
	after := records.after()
	rec, err := records.of(link.Source)
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
		hold = guard.Hold(guard.OnRemove, fmt.Sprintf("%s was changed from %s to %s", d.sync.Users.RemovalKey(stand.Reason), onRemoveText(rec.After), onRemoveText(after)))
	}
	return d.putRemoval(plan.Delete, link, stand, key, hold)
}
