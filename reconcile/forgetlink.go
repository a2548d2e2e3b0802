package reconcile

import (
	"slices"

	"entrasync/graphsync"
	"entrasync/state"
)

// forgetLink drops the link of an account or group that is gone, with its memberships.
func forgetLink(tx *state.Tx, sync string, kind graphsync.Kind, source graphsync.ID) error {
	if err := tx.DeleteLink(sync, kind, source); err != nil {
		return err
	}
	for _, space := range []string{formerSpace, mismatchSpace} {
		if err := tx.Space(sync, space).Delete(linkKey(kind, source)); err != nil {
			return err
		}
	}
	if kind == graphsync.User {
		if err := forgetOff(tx, sync, source); err != nil {
			return err
		}
		if err := forgetStillActive(tx, sync, source); err != nil {
			return err
		}
		for _, group := range slices.Collect(tx.GroupsOf(source)) {
			if err := tx.DeleteAppliedMember(sync, group, source); err != nil {
				return err
			}
		}
		return nil
	}
	var members []graphsync.ID
	for member := range tx.AppliedMembers(sync, source) {
		members = append(members, member)
	}
	for _, member := range members {
		if err := tx.DeleteAppliedMember(sync, source, member); err != nil {
			return err
		}
	}
	return nil
}
