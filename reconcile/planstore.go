package reconcile

import "entrasync/state"

// A planStore reads and writes the plan of a sync in the scratch spaces of its state, in chunks, so that no
// transaction stays open for long and a plan of any size is never in memory.
type planStore struct {
	sync   *Sync
	tenant *state.Tenant
}
