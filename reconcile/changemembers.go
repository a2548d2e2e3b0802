package reconcile

import (
	"context"
	"errors"
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// changeMembers writes one part of a group's memberships.
func (x *executor) changeMembers(ctx context.Context, a *plan.StoredAction, done *result) {
	writer, ok := x.target.(target.MemberWriter)
	if !ok {
		done.err = &target.Error{Code: target.Unsupported, Op: "change members", Message: "the target does not keep members of groups"}
		return
	}
	var group string
	var add, remove, off []string
	done.added = map[graphsync.ID]string{}
	byTarget := map[string]graphsync.ID{}
	done.err = x.tenant.View(func(tx *state.Tx) error {
		link, ok, err := tx.Links(x.sync.Name).Get(graphsync.Group, a.SourceID)
		if err != nil {
			return err
		}
		if !ok {
			return errGroupMissing
		}
		group = link.TargetID
		for _, member := range a.Add {
			account, ok, err := tx.Links(x.sync.Name).Get(graphsync.User, member)
			if err != nil {
				return err
			}
			if !ok {
				done.waiting = append(done.waiting, member)
				continue
			}
			if id, ok := x.inactiveLink(tx, member); ok {
				off = append(off, id)
			}
			add = append(add, account.TargetID)
			done.added[member] = account.TargetID
			byTarget[account.TargetID] = member
		}
		for _, member := range a.Remove {
			done.removed = append(done.removed, member)
			if id, ok := x.inactiveLink(tx, member); ok {
				off = append(off, id)
			}
			if account, ok := tx.AppliedMembers(x.sync.Name).Get(a.SourceID, member); ok && account != unsure {
				remove = append(remove, account)
				byTarget[account] = member
			} else if link, ok, err := tx.Links(x.sync.Name).Get(graphsync.User, member); err == nil && ok {
				remove = append(remove, link.TargetID)
				byTarget[link.TargetID] = member
			}
		}
		return nil
	})
	if errors.Is(done.err, errGroupMissing) {
		done.err, done.added, done.removed = nil, nil, nil
		done.waiting = append(append([]graphsync.ID(nil), a.Add...), a.Remove...)
		return
	}
	if done.err != nil || len(add)+len(remove) == 0 {
		return
	}
	refused, err := writer.ChangeMembers(ctx, target.Ref{Kind: target.Group, ID: group}, add, remove)
	if err != nil {
		done.err = err
		if target.CodeOf(err) == target.NotFound { // the group was deleted: it is created again
			done.drop, a.TargetID = true, &group
		}
		return
	}
	for _, r := range refused {
		member, ok := byTarget[r.ID]
		if !ok {
			continue
		}
		delete(done.added, member)
		done.removed = slices.DeleteFunc(done.removed, func(id graphsync.ID) bool { return id == member })
		done.refused = append(done.refused, refusedMember{member: member, err: r.Err})
	}
	done.err = x.keepOff(ctx, off, done)
}

var errGroupMissing = errors.New("the group has no resource yet")
