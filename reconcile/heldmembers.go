package reconcile

import (
	"entrasync/graphsync"

	"entrasync/reconcile/plan"
)

// reviewMembers reviews a change of members. Decisions about users who leave count first. Users whose leaving
// the last plan held stay held, and no one else waits with them. Users who join never wait.
func (r *reviewer) reviewMembers(planned plan.Actions, key []byte, a *plan.StoredAction) error {
	if r.opts.Undo == nil {
		if done, err := r.decideLeaving(planned, key, a); done || err != nil {
			return err
		}
	}
	passes, waits, parted, err := r.stayHeld(a)
	if err != nil {
		return err
	}
	if !parted {
		passes, waits, parted = r.split(a)
	}
	switch {
	case !parted:
		return r.reviewAction(planned, key, a)
	case len(passes.Add)+len(passes.Remove) == 0:
		return r.reviewAction(planned, key, &waits)
	}
	at := key
	if key = plan.PartKey(key, plan.LeavesBit); len(a.Add) == 0 {
		at = plan.PartKey(key, plan.PassingBit)
	}
	r.made[string(at)], r.made[string(key)] = true, true
	r.ledger.planned(graphsync.Group, plan.Members, 1)
	if err := planned.Put(at, &passes); err != nil {
		return err
	}
	return r.reviewAction(planned, key, &waits)
}

// split parts a change of members of which a guard would hold those who leave.
func (r *reviewer) split(a *plan.StoredAction) (joins, leaves plan.StoredAction, ok bool) {
	if a.Op != plan.Members || len(a.Add) == 0 || len(a.Remove) == 0 {
		return joins, leaves, false
	}
	joins, leaves = *a, *a
	joins.Remove, joins.Why, joins.Held = nil, plan.MembersWhy(a.Add, nil), nil
	leaves.Add, leaves.Why = nil, plan.MembersWhy(nil, a.Remove)
	guard, _ := r.evaluate(&leaves)
	return joins, leaves, guard != ""
}

// stayHeld parts a change of members of which no guard would hold those who leave now: waits are those
// whose leaving the last plan held, with its hold.
func (r *reviewer) stayHeld(a *plan.StoredAction) (passes, waits plan.StoredAction, ok bool, err error) {
	if len(a.Remove) == 0 || r.facts.heldBefore == 0 {
		return passes, waits, false, nil
	}
	before, err := r.heldLeavers(a.SourceID)
	if err != nil {
		return passes, waits, false, err
	}
	passes, waits = *a, *a
	waits.Add, passes.Remove = nil, nil
	if guard, _ := r.evaluate(&waits); guard != "" {
		return passes, waits, false, nil
	}
	waits.Remove = nil
	for _, member := range a.Remove {
		hold, held := before[member]
		if !held {
			passes.Remove = append(passes.Remove, member)
			continue
		}
		waits.Remove = append(waits.Remove, member)
		if waits.Held == nil {
			waits.Held = hold
		}
	}
	passes.Why, waits.Why = plan.MembersWhy(passes.Add, passes.Remove), plan.MembersWhy(nil, waits.Remove)
	return passes, waits, waits.Held != nil, nil
}

// heldLeavers returns whose leaving a group the last plan held, kept for the parts of a large group.
func (r *reviewer) heldLeavers(group graphsync.ID) (before map[graphsync.ID]*plan.StoredHold, err error) {
	if r.heldOf != group || r.heldBefore == nil {
		r.heldBefore, err = r.lastHolds.leavers(r.tx, group)
		r.heldOf = group
	}
	return r.heldBefore, err
}
