package reconcile

import (
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// orphanRemovals are the places in a plan of removals of accounts without a link, by account.
func orphanRemovals(planned plan.Actions) (map[string][]byte, error) {
	places := map[string][]byte{}
	for place, raw := range planned.Below([]byte{byte(plan.LeavePhase)}) {
		a, err := plan.DecodeAction(raw)
		if err != nil {
			return nil, err
		}
		if a.Orphan {
			places[*a.TargetID] = slices.Clone(place)
		}
	}
	return places, nil
}

// keepAdopted takes the removal of an account out of the plan that the plan has another user adopt:
// both approved, the account would be switched off and adopted in one cycle. It stays when the adoption
// was rejected.
func (m *matcher) keepAdopted(tx *state.Tx, planned plan.Actions, place []byte, a *plan.StoredAction) error {
	if m.kind != graphsync.User {
		return nil
	}
	if m.removals == nil {
		var err error
		if m.removals, err = orphanRemovals(planned); err != nil {
			return err
		}
	}
	removal, found := m.removals[*a.TargetID]
	if !found {
		return nil
	}
	if d := guard.DecisionsIn(tx, m.sync.Name).At(place); d != nil && d.Verdict == guard.Rejected && d.Lapse(a) == "" && !d.Expired(m.now, m.sync.Guard.Rejections) {
		return nil
	}
	delete(m.removals, *a.TargetID)
	m.ledger.planned(m.kind, planned.Op(removal), -1)
	return planned.Delete(removal)
}
