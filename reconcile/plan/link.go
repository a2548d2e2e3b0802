package plan

import (
	"entrasync/graphsync"
	"entrasync/state"
)

// PlannedLink returns the link that a plan may rely on: none when the plan drops it. blocked
// means that its account is another one and nothing is done about it until an operator decides.
func PlannedLink(tx *state.Tx, sync string, kind graphsync.Kind, id graphsync.ID) (link state.Link, linked, blocked bool, err error) {
	link, linked, err = tx.Links(sync).Get(kind, id)
	if err != nil || !linked {
		return link, false, false, err
	}
	key := LinkKey(kind, id)
	if tx.Space(sync, DetachedSpace).Has(key) {
		return state.Link{}, false, false, nil
	}
	return link, true, tx.Space(sync, MismatchSpace).Has(key), nil
}
