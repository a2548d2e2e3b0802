package reconcile

import (
	"entrasync/graphsync"
	guards "entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A holdHistory knows what the last plan held.
type holdHistory struct {
	sync *Sync
	opts Options
	info *state.SyncInfo
}

// counts reports whether what the last plan held stays held: it is judged again when the limits are not
// the same since.
func (h *holdHistory) counts() bool {
	return !h.opts.partial() && h.info.Guard == h.sync.Guard.Text()
}

// before returns why an action was held by the last plan, if it was and the limits are the
// same since.
func (h *holdHistory) before(tx *state.Tx, key []byte, a *plan.StoredAction) (guard, cause string) {
	raw := tx.Space(h.sync.Name, h.opts.heldSpace()).Get(key)
	if raw == nil || !h.counts() {
		return "", ""
	}
	last, err := plan.DecodeAction(raw)
	if err != nil || last.Held == nil || last.Held.Guard == guards.Drift || last.Divergence(a) != "" {
		return "", "" // what differs from the application is known, and judged by what is said of it now
	}
	return last.Held.Guard, last.Held.Cause
}

// leavers returns the users whose leaving a group the last plan held, and why. Holds of members are kept by
// user, as decisions are: they do not depend on who else leaves or joins, nor on the part of the plan.
func (h *holdHistory) leavers(tx *state.Tx, group graphsync.ID) (map[graphsync.ID]*plan.StoredHold, error) {
	if !h.counts() {
		return nil, nil
	}
	found := map[graphsync.ID]*plan.StoredHold{}
	for _, raw := range tx.Space(h.sync.Name, h.opts.heldSpace()).Prefix(append([]byte{byte(plan.MemberPhase)}, group[:]...)) {
		last, err := plan.DecodeAction(raw)
		if err != nil {
			return nil, err
		}
		if last.Held == nil || last.Held.Guard == guards.Drift {
			continue
		}
		for _, member := range last.Remove {
			found[member] = last.Held
		}
	}
	return found, nil
}
