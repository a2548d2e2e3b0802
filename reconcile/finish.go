package reconcile

import (
	"log/slog"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
)

// A reporter ends a cycle with its report.
type reporter struct {
	sync         *Sync
	opts         Options
	now          time.Time
	clock        func() time.Time
	source       graphsync.Source
	tenant       *state.Tenant
	target       target.Adapter
	info         *state.SyncInfo
	log          *slog.Logger
	graphBefore  graphsync.Traffic
	targetBefore target.Traffic
	ledger       *ledger
	findings     *findings
	quarantine   *quarantine
	finalizer    *finalizer
}
