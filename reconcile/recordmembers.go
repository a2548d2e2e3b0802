package reconcile

import (
	"fmt"

	"entrasync/graphsync"
	"entrasync/reconcile/drift"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// memberKeys are the memberships that an action has changed.
func memberKeys(done *result) (keys []state.PendingKey) {
	for member := range done.added {
		keys = append(keys, state.Membership(done.action.SourceID, member))
	}
	for _, member := range done.removed {
		keys = append(keys, state.Membership(done.action.SourceID, member))
	}
	return keys
}

func (r *recorder) recordMembers(tx *state.Tx, done *result) error {
	group := done.action.SourceID
	recordMember := func(member graphsync.ID) error {
		key := state.PendingKey{Kind: graphsync.Group, ID: group, Member: member}
		if err := tx.Retries(r.sync.Name).Delete(key); err != nil {
			return err
		}
		if err := drift.In(tx, r.sync.Name).ForgetMember(group, member); err != nil {
			return err
		}
		return tx.Pending(r.sync.Name).Delete(key)
	}
	for member, account := range done.added {
		if err := tx.AppliedMembers(r.sync.Name).Put(group, member, account); err != nil {
			return err
		}
		if err := recordMember(member); err != nil {
			return err
		}
	}
	if r.findings.kind == RemovalsOnly && !done.action.Approved {
		if err := rememberMembersRemoved(tx, r.sync.Name, group, len(done.removed)); err != nil {
			return err
		}
	}
	for _, member := range done.removed {
		if err := tx.AppliedMembers(r.sync.Name).Delete(group, member); err != nil {
			return err
		}
		if err := recordMember(member); err != nil {
			return err
		}
	}
	for _, member := range done.waiting {
		if account, _ := tx.AppliedMembers(r.sync.Name).Get(group, member); account == unsure {
			if err := tx.AppliedMembers(r.sync.Name).Delete(group, member); err != nil { // nothing was sent
				return err
			}
		}
		key := state.PendingKey{Kind: graphsync.Group, ID: group, Member: member}
		err := tx.Retries(r.sync.Name).Put(state.Retry{Key: key, Code: "unknown_reference", Op: string(plan.Members), Name: done.action.Key,
			Message: fmt.Sprintf("member %s of group %s has no account yet", member, done.action.Key), First: r.now, Next: r.now, Skipped: true})
		if err != nil {
			return err
		}
	}
	for _, refused := range done.refused {
		key := state.PendingKey{Kind: graphsync.Group, ID: group, Member: refused.member}
		if _, again := tx.Retries(r.sync.Name).Get(key); !again { // the account may be gone: it is read once, not in each cycle
			if err := markForCheck(tx, r.sync.Tenant, r.owners.Owner(graphsync.User, refused.member)); err != nil {
				return err
			}
		}
		r.ledger.fail(tx, key, done.action, refused.err)
	}
	return nil
}
