package reconcile

import (
	"time"

	"entrasync/state"
	"entrasync/target"
)

// An executor carries out single actions. It is safe for concurrent use.
type executor struct {
	sync       *Sync
	runID      string
	now        time.Time
	store      *state.Store
	tenant     *state.Tenant
	target     target.Adapter
	owners     *ownership
	links      *linkBuilder
	successors *successorFinder
	matching   *matching
}
