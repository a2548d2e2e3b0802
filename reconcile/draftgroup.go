package reconcile

import (
	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// group plans one group, without its members.
func (d *drafter) group(id graphsync.ID) error {
	object, known := d.tx.Objects().Get(graphsync.Group, id)
	link, linked, _, err := plan.PlannedLink(d.tx, d.sync.Name, graphsync.Group, id)
	switch {
	case err != nil:
		return err
	case !known:
		return d.noteDue(&state.Object{Kind: graphsync.Group, ID: id}, false)
	}
	var last *state.Link
	if linked {
		last = &link
	}
	key := desired.KeyOf(&object, last)
	why, in, problem := d.eval.GroupInScope(&object)
	if err := d.noteDue(&object, true); err != nil {
		return err
	}
	if problem != "" {
		return d.skip(graphsync.Group, id, key, "filter_invalid", "the filter for groups cannot judge it: "+problem)
	}
	if done, err := d.untimely(judgement{filter: d.sync.Groups.Filter, kind: graphsync.Group, id: id, key: key, linked: linked, active: linked && link.Active, in: in}); done {
		return err
	}
	if !in {
		if !linked {
			return nil
		}
		if !d.sync.Groups.May(plan.Delete) {
			return d.mark(&link, false)
		}
		return d.put(plan.GroupPhase, plan.StoredAction{Action: plan.Action{Op: plan.Delete, Kind: graphsync.Group, SourceID: id, TargetID: &link.TargetID, Key: key, Why: why, Cause: why}})
	}
	if linked {
		// A failed change of members is kept as one retry of the group: who it was about is worked
		// out again, as it is when a group comes back, because its changes were not followed meanwhile.
		failed, _ := d.tx.Retries(d.sync.Name).Get(state.PendingKey{Kind: graphsync.Group, ID: id})
		if d.findings.all || failed.Op == string(plan.Members) || !link.Active {
			if err := markMembers(d.tx, d.sync.Name, id); err != nil {
				return err
			}
		}
		if err := d.mark(&link, true); err != nil {
			return err
		}
	}
	stand := desired.Eligibility{Known: true, InScope: true, Enabled: true, Why: why}
	result := d.eval.Evaluate(&object, &stand, d.sync.Groups.Mapping, !linked)
	if done, err := d.refused(graphsync.Group, id, key, result); done {
		return err
	}
	unconfirmed := d.sync.Groups.ByAssignment() && d.eval.Group(id).Unconfirmed()
	if !linked {
		if unconfirmed {
			return d.unconfirmed(graphsync.Group, id, key)
		}
		if err := d.create(graphsync.Group, id, key, &stand, result); err != nil {
			return err
		}
		return markMembers(d.tx, d.sync.Name, id)
	}
	shown := d.asShown(&link)
	changes := desired.AppliedChanges(d.sync.Groups.Mapping, result.Attributes, shown.link)
	if len(changes) == 0 {
		return nil
	}
	if unconfirmed {
		return d.unconfirmed(graphsync.Group, id, key)
	}
	if !d.sync.Groups.May(plan.Update) {
		return d.skip(graphsync.Group, id, key, "action_not_allowed", "update is not among the actions for groups")
	}
	op, changes, held, err := d.partDrift(&link, shown, plan.Update, changes)
	if err != nil {
		return err
	}
	return d.put(plan.GroupPhase, plan.StoredAction{Action: plan.Action{Op: op, Kind: graphsync.Group, SourceID: id, TargetID: &link.TargetID, Key: key,
		Changes: changes, Why: why, Notes: result.Notes}, Held: held})
}

// mark notes with a group's link whether the group is in scope.
func (d *drafter) mark(link *state.Link, inScope bool) error {
	if !d.opts.Apply || link.Active == inScope {
		return nil
	}
	link.Active = inScope
	return d.tx.Links(d.sync.Name).Put(*link)
}
