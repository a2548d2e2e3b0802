package reconcile

import (
	"errors"
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
)

// forgetLink drops the link of an account or group that is gone, with its memberships.
func (r records) forgetLink(kind graphsync.Kind, source graphsync.ID) error {
	if err := r.deleteLink(kind, source); err != nil {
		return err
	}
	for _, space := range []string{formerSpace, plan.MismatchSpace} {
		if err := r.delete(space, plan.LinkKey(kind, source)); err != nil {
			return err
		}
	}
	if r.dry { // what was written to its groups or members is not looked at in this run
		if kind == graphsync.User {
			return errors.Join(r.forgetOff(source), r.forgetStillActive(source))
		}
		return nil
	}
	tx, sync := r.tx, r.sync
	if kind == graphsync.User {
		if err := r.forgetOff(source); err != nil {
			return err
		}
		if err := r.forgetStillActive(source); err != nil {
			return err
		}
		for _, group := range slices.Collect(tx.Members().GroupsOf(source)) {
			if err := tx.AppliedMembers(sync).Delete(group, source); err != nil {
				return err
			}
		}
		return nil
	}
	var members []graphsync.ID
	for member := range tx.AppliedMembers(sync).Of(source) {
		members = append(members, member)
	}
	for _, member := range members {
		if err := tx.AppliedMembers(sync).Delete(source, member); err != nil {
			return err
		}
	}
	return nil
}

// forgetOff drops what was noted: the account is in use again, or gone.
func (r records) forgetOff(id graphsync.ID) error {
	return r.delete(offSpace, id[:])
}

func (r records) forgetStillActive(source graphsync.ID) error {
	return r.delete(stillActiveSpace, source[:])
}
