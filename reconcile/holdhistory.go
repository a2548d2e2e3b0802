package reconcile

import "entrasync/state"

// A holdHistory knows what the last plan held.
type holdHistory struct {
	sync *Sync
	opts Options
	info *state.SyncInfo
}

// before returns why an action was held by the last plan, if it was and the limits are the
// same since.
func (h *holdHistory) before(tx *state.Tx, key []byte, a *storedAction) (guard, cause string) {
	raw := tx.Space(h.sync.Name, h.opts.heldSpace()).Get(key)
	if raw == nil || h.opts.partial() || h.info.Guard != guardText(&h.sync.Guard) {
		return "", ""
	}
	last, err := decodeAction(raw)
	if err != nil || last.Held == nil || last.divergence(a) != "" {
		return "", ""
	}
	return last.Held.Guard, last.Held.Cause
}
