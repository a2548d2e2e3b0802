package reconcile

import (
	"entrasync/graphsync"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
)

// forgetDecisions drops decisions about an object whose action is no longer due: the same
// accident at another time asks again. What was rejected is counted again when it is reviewed.
func (d *drafter) forgetDecisions(kind graphsync.Kind, id graphsync.ID) error {
	given := guard.DecisionsIn(d.tx, d.sync.Name)
	refused := d.tx.Space(d.sync.Name, d.opts.rejectedSpace())
	if given.Count() == 0 && refused.Count() == 0 {
		return nil
	}
	for _, p := range []plan.Phase{plan.LeavePhase, plan.PhaseOf(kind)} {
		key := plan.Key{Phase: p, ID: id}.Bytes()
		if err := refused.Delete(key); err != nil {
			return err
		}
		if !d.opts.Apply || d.plan.Has(key) {
			continue
		}
		about := given.At(key)
		if about == nil {
			continue
		}
		if about.Verdict == guard.Approved && about.Hold != "" {
			d.ledger.note("the approval of hold %s is void for %s %s %s: that is no longer due", about.Hold, about.Action.Op, kind, about.Action.Key)
		}
		if err := given.Delete(key); err != nil {
			return err
		}
	}
	if kind == graphsync.User { // references are planned later, and their decisions kept
		return refused.Delete(plan.Key{Phase: plan.ReferencePhase, ID: id}.Bytes())
	}
	return nil
}
