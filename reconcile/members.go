package reconcile

import (
	"context"
	"fmt"
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// markMemberships marks the memberships of a user whose account appears, changes its state or goes.
func (d *drafter) markMemberships(user graphsync.ID, linked bool) error {
	if !d.sync.Groups.Enabled || d.findings.all && linked {
		return nil // when everybody is evaluated, groups mark their members themselves
	}
	space := d.tx.Space(d.sync.Name, membershipSpace)
	for _, group := range slices.Collect(d.tx.Members().GroupsOf(user)) {
		if err := space.Put(membershipKey(group, user), nil); err != nil {
			return err
		}
	}
	return nil
}

// markMembers marks every membership a group has, or had when it was last written.
func markMembers(tx *state.Tx, sync string, group graphsync.ID) error {
	space := tx.Space(sync, membershipSpace)
	for member := range tx.Members().Of(group) {
		if member.Kind != graphsync.User {
			continue
		}
		if err := space.Put(membershipKey(group, member.ID), nil); err != nil {
			return err
		}
	}
	for member := range tx.AppliedMembers(sync).Of(group) {
		if err := space.Put(membershipKey(group, member), nil); err != nil {
			return err
		}
	}
	return nil
}

// draftMembers plans memberships, when it is known who has or will have an account: for each
// marked pair whether it should be, against whether it was last written.
func (p *planner) draftMembers(ctx context.Context) error {
	if !p.sync.Groups.Enabled {
		return nil
	}
	var after []byte
	part := &memberPart{}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var pairs [][]byte
		err := p.tenant.Update(func(tx *state.Tx) error {
			for pair := range tx.Space(p.sync.Name, membershipSpace).All(after) {
				if pairs = append(pairs, slices.Clone(pair)); len(pairs) == plan.DraftChunk {
					break
				}
			}
			d := memberDrafter{sync: p.sync, opts: p.opts, ledger: p.ledger, tx: tx, eval: p.eval.In(tx), plan: plan.In(tx, p.sync.Name)}
			for _, pair := range pairs {
				if err := d.pair(part, graphsync.ID(pair[:16]), graphsync.ID(pair[16:])); err != nil {
					return err
				}
			}
			if len(pairs) < plan.DraftChunk {
				return d.flush(part)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("plan memberships: %w", err)
		}
		if len(pairs) < plan.DraftChunk {
			return nil
		}
		after = pairs[len(pairs)-1]
	}
}

// A memberPart gathers the membership changes of one group.
type memberPart struct {
	group       graphsync.ID
	number      uint32
	live        bool // in scope, with a resource that exists or will
	detached    bool // its resource is another one: members of before count for nothing
	unconfirmed bool // in scope through assignments alone that Graph's last list lacked: no one is added
	name        string
	target      *string
	add, remove []graphsync.ID
	depart      []graphsync.ID // of remove, those whose account is switched off or deleted in this plan

	driftAdd, driftRemove []graphsync.ID // what was changed in the application and waits for an approval
}

// A memberDrafter plans memberships within one transaction.
type memberDrafter struct {
	sync   *Sync
	opts   Options
	ledger *ledger
	tx     *state.Tx
	eval   *desired.Evaluator
	plan   plan.Actions
}

// pair plans one membership.
func (d *memberDrafter) pair(part *memberPart, group, member graphsync.ID) error {
	if part.group != group {
		if err := d.flush(part); err != nil {
			return err
		}
		if err := d.open(part, group); err != nil {
			return err
		}
	}
	if !part.live {
		return nil
	}
	wanted, account, blocked, err := d.wantsMember(group, member)
	if err != nil {
		return err
	}
	if blocked { // whose account it is waits for an answer
		if !d.opts.Apply {
			return nil
		}
		return requeue(d.tx, d.sync.Name, state.Membership(group, member))
	}
	leaves := d.plan.Has(plan.Key{Phase: plan.LeavePhase, ID: member}.Bytes())
	last, applied, err := d.asShown(part, group, member, account, wanted, leaves)
	if err != nil {
		return err
	}
	if (part.unconfirmed || d.opts.Removals) && wanted && !applied {
		if !d.opts.Apply {
			return nil
		}
		return requeue(d.tx, d.sync.Name, state.Membership(group, member))
	}
	held := d.heldAsDrift(group, member)
	switch {
	case held && wanted && applied && last == unsure:
		part.driftAdd = append(part.driftAdd, member)
	case held && !wanted && applied && !leaves:
		part.driftRemove = append(part.driftRemove, member)
	case wanted && (!applied || last == unsure || last != account):
		part.add = append(part.add, member)
	case !wanted && applied && leaves:
		part.depart = append(part.depart, member)
	case !wanted && applied:
		part.remove = append(part.remove, member)
	}
	if len(part.add)+len(part.remove)+len(part.depart)+len(part.driftAdd)+len(part.driftRemove) < plan.MaxMembers {
		return nil
	}
	number := part.number + 1
	if err := d.flush(part); err != nil {
		return err
	}
	part.number = number
	return nil
}

// asShown returns under which account a membership was last written, corrected by what the group
// shows where it was looked at. What is corrected and leads to no action is recorded with the seeds.
func (d *memberDrafter) asShown(part *memberPart, group, member graphsync.ID, account string, wanted, leaves bool) (last string, applied bool, err error) {
	last, applied = d.tx.AppliedMembers(d.sync.Name).Get(group, member)
	applied = applied && !part.detached
	seeds := d.tx.Space(d.sync.Name, existingMemberSpace)
	switch {
	case !applied && account != "" && d.tx.Space(d.sync.Name, shownMemberSpace).Has(append(slices.Clone(group[:]), account...)):
		if leaves && !wanted { // removed before the seeds are recorded
			return account, true, nil
		}
		return account, true, seeds.Put(membershipKey(group, member), []byte(account))
	case applied && d.tx.Space(d.sync.Name, absentSpace).Has(membershipKey(group, member)):
		if wanted {
			return unsure, true, nil
		}
		return "", false, seeds.Put(membershipKey(group, member), nil)
	}
	return last, applied, nil
}

// open looks up what is known of a group: memberships of one that is out of scope, or has no
// resource and gets none, wait.
func (d *memberDrafter) open(part *memberPart, id graphsync.ID) error {
	*part = memberPart{group: id}
	object, ok := d.tx.Objects().Get(graphsync.Group, id)
	if !ok {
		return nil
	}
	if _, in, _ := d.eval.GroupInScope(&object); !in {
		return nil
	}
	part.name = desired.KeyOf(&object, nil)
	part.unconfirmed = d.sync.Groups.ByAssignment() && d.eval.Group(id).Unconfirmed()
	link, linked, blocked, err := plan.PlannedLink(d.tx, d.sync.Name, graphsync.Group, id)
	if err != nil {
		return err
	}
	if linked {
		part.live, part.target = !blocked, &link.TargetID
		return nil
	}
	part.detached = d.tx.Space(d.sync.Name, plan.DetachedSpace).Has(plan.LinkKey(graphsync.Group, id))
	key := plan.Key{Phase: plan.GroupPhase, ID: id}.Bytes()
	a, err := d.plan.Get(key)
	if a == nil {
		return err
	}
	// Members of a group that waits for a decision wait with it.
	part.live = a.Held == nil
	if given := guard.DecisionsIn(d.tx, d.sync.Name).At(key); given != nil && a.Held != nil {
		part.live = given.Verdict == guard.Approved && given.Lapse(a) == ""
	}
	return nil
}

// wantsMember tells whether a person should be a member in the application: a member in Entra
// who is not deleted and has, or will have, an account. It returns the account where it exists.
// blocked means that the linked account is another one now.
func (d *memberDrafter) wantsMember(group, member graphsync.ID) (wanted bool, account string, blocked bool, err error) {
	link, linked, blocked, err := plan.PlannedLink(d.tx, d.sync.Name, graphsync.User, member)
	if err != nil || blocked {
		return false, "", blocked, err
	}
	if linked {
		account = link.TargetID
	}
	exists := linked
	for _, p := range []plan.Phase{plan.LeavePhase, plan.UserPhase} {
		a, err := d.plan.Get(plan.Key{Phase: p, ID: member}.Bytes())
		if err != nil {
			return false, "", false, err
		}
		if a == nil {
			continue
		}
		switch a.Op {
		case plan.Delete:
			exists = false
		case plan.Create, plan.Adopt:
			exists = true
			if a.TargetID != nil {
				account = *a.TargetID
			}
		}
	}
	if !exists || !d.tx.Members().Has(group, member) {
		return false, account, false, nil
	}
	object, ok := d.tx.Objects().Get(graphsync.User, member)
	return ok && object.Removed == graphsync.NotRemoved, account, false, nil
}

// flush stores what was gathered as actions: the memberships of leavers apart from the others.
func (d *memberDrafter) flush(part *memberPart) error {
	add, remove, depart := part.add, part.remove, part.depart
	part.add, part.remove, part.depart = nil, nil, nil
	if err := d.flushDrift(part); err != nil {
		return err
	}
	if len(depart) > 0 {
		if err := d.putMembers(part, true, nil, depart); err != nil {
			return err
		}
	}
	if len(add)+len(remove) == 0 {
		return nil
	}
	return d.putMembers(part, false, add, remove)
}

func (d *memberDrafter) putMembers(part *memberPart, early bool, add, remove []graphsync.ID) error {
	a := plan.StoredAction{Action: plan.Action{Op: plan.Members, Kind: graphsync.Group, SourceID: part.group, TargetID: part.target, Key: part.name,
		Add: add, Remove: remove, Why: plan.MembersWhy(add, remove), Cause: "members left group " + part.name}}
	d.ledger.planned(graphsync.Group, plan.Members, 1)
	key := plan.Key{Phase: plan.MemberPhase, ID: part.group, Part: part.number}.Bytes()
	if len(add) == 0 {
		key = plan.PartKey(key, plan.LeavesBit)
	}
	if early {
		key = plan.PartKey(key, plan.EarlyBit)
	}
	return d.plan.Put(key, &a)
}
