package check

import (
	"context"
	"fmt"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/worker"
)

// State reports how the state in a database is: whether it has connections for one more worker, and whose configuration is the
// active one. A state in files needs nothing more than that it could be opened.
func (s *Section) State(w *worker.Worker) {
	workers := w.Store.Workers()
	if !workers.Shared() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	const what = "state database"
	room, err := workers.Capacity(ctx)
	if err != nil {
		s.Fail(what, err)
		return
	}
	if room.Allowed < room.Takes {
		s.Fail(what, advice.With(fmt.Errorf("it allows %d connections, and a worker takes up to %d", room.Allowed, room.Takes),
			"raise max_connections or the limit of the role or database, or lower pool_max_conns in the connection string"))
	}
	fleet, err := workers.Fleet(ctx)
	if err != nil {
		s.Fail(what, err)
		return
	}
	if need := room.Takes * max(fleet.Workers, 1); room.Allowed >= room.Takes && room.Allowed < need {
		s.warn(what, fmt.Sprintf("it allows %d connections, and %d workers take up to %d", room.Allowed, fleet.Workers, need), "raise max_connections, or lower pool_max_conns in the connection string")
	}
	if workers.Pooled() {
		s.Pass(what, "reached through a pooler, without prepared statements that outlive a transaction")
	}
	hash, err := w.ConfigHash()
	switch {
	case err != nil:
		s.Fail(what, err)
	case !fleet.Active(hash):
		s.warn(what, fmt.Sprintf("this configuration is not the active one, which is generation %d by %s: its cycles do not run", fleet.Generation, fleet.By), "make it the active one: entrasync config activate")
	case fleet.Generation > 0:
		s.Pass(what, "%d workers, configuration generation %d", fleet.Workers, fleet.Generation)
	default:
		s.Pass(what, "no worker has used it yet")
	}
}
