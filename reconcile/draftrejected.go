package reconcile

import (
	"slices"

	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// prepareRejected readies what was rejected for a new draft: what a what-if does not look at is
// shown as it stands, changes of members and removals of accounts without a link are worked out again,
// and rejections that have ended are asked about again.
func (p *planner) prepareRejected(tx *state.Tx) error {
	kept := tx.Space(p.sync.Name, plan.RejectedSpace)
	space := tx.Space(p.sync.Name, p.opts.rejectedSpace())
	var members, ended [][]byte
	var expired []plan.StoredAction
	for key, raw := range kept.All(nil) {
		a, err := plan.DecodeAction(raw)
		if err != nil {
			return err
		}
		if k, err := plan.ParseKey(key); err == nil && (k.Phase == plan.MemberPhase || a.Orphan) {
			members = append(members, slices.Clone(key))
		} else if p.opts.NoRefresh && p.opts.Subject == nil {
			if err := space.Put(key, raw); err != nil {
				return err
			}
		}
		if d := guard.DecisionsIn(tx, p.sync.Name).At(key); d != nil && d.Expired(p.now, p.sync.Guard.Rejections) {
			ended, expired = append(ended, slices.Clone(key)), append(expired, a)
		}
	}
	if p.opts.Subject != nil {
		return nil
	}
	for i, key := range ended {
		if err := guard.PendAction(tx, p.sync.Name, key, &expired[i]); err != nil {
			return err
		}
	}
	for _, key := range members {
		if err := space.Delete(key); err != nil {
			return err
		}
	}
	return nil
}
