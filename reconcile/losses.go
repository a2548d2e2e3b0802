package reconcile

import (
	"entrasync/graphsync"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// losses counts by kind what a plan makes again because it was gone from the application.
type losses map[graphsync.Kind]int

// add counts a create of the plan.
func (l losses) add(lost *state.Space, key []byte) {
	if lost.Count() == 0 {
		return
	}
	if k, err := plan.ParseKey(key); err == nil {
		if kind := k.PendingKey().Kind; lost.Has(lostKey(kind, k.ID)) {
			l[kind]++
		}
	}
}

// exceed reports whether more of a kind was lost than a limit lets pass, of all there were.
func (l losses) exceed(tx *state.Tx, sync string, limit guard.Limit, kind graphsync.Kind) bool {
	if l[kind] == 0 {
		return false
	}
	linked, _ := tx.Links(sync).Count(kind)
	return limit.Exceeds(l[kind], linked+l[kind])
}
