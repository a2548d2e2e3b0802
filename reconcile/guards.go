package reconcile

import (
	"entrasync/reconcile/drift"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
)

// evaluate names the guard that holds an action, and the cause it is grouped under.
func (r *reviewer) evaluate(a *plan.StoredAction) (name, cause string) {
	if a.Held != nil {
		return a.Held.Guard, a.Held.Cause
	}
	g := &r.sync.Guard
	f := &r.facts
	switch {
	case f.losing[a.SourceID] && len(f.losing) >= f.administrators:
		return guard.Administrator, "the last administrators would be lost"
	case a.Op.Removes() && a.Again:
	case a.Op.Removes():
		if f.emptyRead != "" {
			return guard.EmptyRead, f.emptyRead
		}
		if f.unverified || r.info.FirstRun.IsZero() && !g.FirstRunRemovals {
			return guard.FirstRun, a.Cause
		}
		if g.Removals.Exceeds(f.removals+f.before, f.linked+f.before) {
			return guard.Removals, a.Cause
		}
		if g.RemovalsPerDay.Exceeds(f.removals+f.recent, f.linked+f.recent) {
			return guard.RemovalsPerDay, a.Cause
		}
		if loss := f.access[a.Left]; loss != nil && g.MembersRemoved.Exceeds(loss.leaving, loss.had) {
			return guard.MembersRemoved, a.Cause
		}
	case r.lost(a):
		return guard.Lost, lostCause
	case r.heldAsGone(a):
		return guard.Drift, driftGone
	case a.Op == plan.Create && g.Creations.Exceeds(f.creations, f.linked):
		return guard.Creations, "many new accounts at once"
	case a.Op == plan.Update && g.Updates.OfUpdates(f.linked).Exceeds(f.updates, f.linked+f.adopted),
		changesAccess(&a.Action) && g.Updates.OfUpdates(f.linked+f.adopted).Exceeds(f.updates, f.linked+f.adopted):
		return guard.Updates, "many accounts change at once"
	case a.Op == plan.Members && len(a.Remove) > 0:
		if f.unverified || r.info.FirstRun.IsZero() && !g.FirstRunRemovals {
			return guard.FirstRun, a.Cause // of a group that existed: its members lose what it gives
		}
		before := f.membersBefore[a.SourceID]
		removed, total := f.groupMembers[a.SourceID]+before, r.tx.AppliedMembers(r.sync.Name).Count(a.SourceID)+before
		if g.MembersRemoved.Exceeds(removed, total) {
			return guard.MembersRemoved, a.Cause
		}
		if removed >= guard.Smallest && removed == total {
			return guard.EmptiesGroup, "group " + a.Key + " would be emptied"
		}
	}
	return "", ""
}

// lost reports whether an action makes an account again that a guard holds for being lost.
func (r *reviewer) lost(a *plan.StoredAction) bool {
	return a.Op == plan.Create && r.facts.lost.exceed(r.tx, r.sync.Name, r.sync.Guard.Lost, a.Kind) &&
		r.tx.Space(r.sync.Name, lostSpace).Has(lostKey(a.Kind, a.SourceID))
}

// heldAsGone reports whether an action makes an account again that is gone, where the configuration holds that.
func (r *reviewer) heldAsGone(a *plan.StoredAction) bool {
	return a.Op == plan.Create && r.sync.Drift.Gone() == drift.Hold && r.tx.Space(r.sync.Name, lostSpace).Has(lostKey(a.Kind, a.SourceID))
}

// lostCause groups the holds of guard.lost.
const lostCause = "accounts that are gone from the application"
