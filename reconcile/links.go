package reconcile

import (
	"time"

	"entrasync/state"
	"entrasync/target"
)

// A linkBuilder works out what is written for an action and the link that is kept afterwards. It is safe for
// concurrent use.
type linkBuilder struct {
	sync   *Sync
	now    time.Time
	store  *state.Store
	tenant *state.Tenant
	target target.Adapter
	owners *ownership
}
