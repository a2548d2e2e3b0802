package reconcile

import (
	"context"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/links"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/undo"
	"entrasync/state"
)

// addMembers adds a line about the members of a group to what is known of each membership.
func (u *undoer) addMembers(tx *state.Tx, line *undo.Line, chosen bool) error {
	if line.Result != outcomeDone {
		return nil
	}
	space := tx.Space(u.sync.Name, undoneMembersSpace)
	for _, side := range []struct {
		ids []graphsync.ID
		in  bool
	}{{line.Add, true}, {line.Remove, false}} {
		for _, member := range side.ids {
			if of := u.opts.Undo; chosen && !of.Object.IsZero() && of.Kind == graphsync.User && of.Object != member {
				continue
			}
			key := membershipKey(line.SourceID, member)
			raw := space.Get(key)
			m := undo.Membership{Before: !side.in}
			if raw != nil {
				if err := plan.Decode(raw, &m); err != nil {
					return err
				}
			}
			switch {
			case chosen:
				m.After = side.in
			case raw == nil:
				continue
			default:
				m.Later = true
			}
			if err := space.Put(key, plan.Encode(&m)); err != nil {
				return err
			}
		}
	}
	return nil
}

// draftMemberships plans that members join or leave again.
func (u *undoer) draftMemberships(ctx context.Context) error {
	var a *plan.StoredAction
	part := uint32(0)
	flush := func(tx *state.Tx) error {
		if a == nil || len(a.Add)+len(a.Remove) == 0 {
			return nil
		}
		key := plan.Key{Phase: plan.MemberPhase, ID: a.SourceID, Part: part}
		u.ledger.planned(graphsync.Group, plan.Members, 1)
		a.Notes = append(a.Notes, plan.MembersWhy(a.Add, a.Remove))
		return plan.In(tx, u.sync.Name).Put(key.Bytes(), a)
	}
	err := u.plans.Entries(ctx, undoneMembersSpace, func(tx *state.Tx, key, raw []byte) error {
		var m undo.Membership
		if err := plan.Decode(raw, &m); err != nil {
			return err
		}
		group, member := graphsync.ID(key[:16]), graphsync.ID(key[16:])
		link, linked, err := tx.Links(u.sync.Name).Get(graphsync.Group, group)
		if err != nil {
			return err
		}
		switch {
		case a == nil || a.SourceID != group:
			if err := flush(tx); err != nil {
				return err
			}
			next := u.action(plan.Members, links.Object{Kind: graphsync.Group, ID: group}, &link)
			a, part = &next, 0
		case len(a.Add)+len(a.Remove) == plan.MaxMembers:
			if err := flush(tx); err != nil {
				return err
			}
			a.Add, a.Remove, a.Notes = nil, nil, nil
			part++
		}
		if !linked {
			a.Add, a.Remove = nil, nil
			return u.leave(tx, links.Object{Kind: graphsync.Group, ID: group}, group.String(), changedSinceCode, "the group is no longer linked")
		}
		return u.draftMembership(tx, a, member, &m)
	})
	if err != nil {
		return err
	}
	return u.tenant.Update(flush)
}

// draftMembership adds one member to what joins or leaves.
func (u *undoer) draftMembership(tx *state.Tx, a *plan.StoredAction, member graphsync.ID, m *undo.Membership) error {
	applied, in := tx.AppliedMembers(u.sync.Name).Get(a.SourceID, member)
	if m.Before == m.After || in == m.Before && applied != unsure {
		return nil // what an interrupted run was writing is written again
	}
	of := links.Object{Kind: graphsync.User, ID: member}
	object, _ := tx.Objects().Get(graphsync.User, member)
	account, linked, err := tx.Links(u.sync.Name).Get(graphsync.User, member)
	if err != nil {
		return err
	}
	key := desired.KeyOf(&object, &account)
	switch {
	case m.Later:
		return u.leave(tx, of, key, changedSinceCode, "the membership of group "+a.Key+" has changed since")
	case m.Before && !linked:
		return u.leave(tx, of, key, cannotUndoCode, "no account is linked that could join group "+a.Key)
	case m.Before:
		a.Add = append(a.Add, member)
	default:
		a.Remove = append(a.Remove, member)
	}
	return nil
}
