package state

import (
	"context"
	"sync"
	"time"

	"entrasync/graphsync"
	"entrasync/state/postgres"
	"entrasync/state/sealed"
)

type (
	// A Tick says how the latest cycle of a kind stands, by the clock of the database.
	Tick = postgres.Tick
	// A Fleet is what a worker learns of the others.
	Fleet = postgres.Fleet
	// A Capacity says how many connections a database allows.
	Capacity = postgres.Capacity
)

// A Cycle is one that was begun by a worker and has not ended.
type Cycle struct {
	Tenant graphsync.ID
	Sync   string
	Kind   string
	Began  time.Time
	Worker string // "" when it was stopped in good order
}

// Workers are the processes that share a state in a database. Of a state in files there is one, and the methods do nothing.
// They may be called concurrently.
type Workers struct{ shared *postgres.Server }

// Workers returns the processes that share the state.
func (s *Store) Workers() Workers { return Workers{s.shared} }

// Shared reports whether other workers may use the state at the same time.
func (w Workers) Shared() bool { return w.shared != nil }

// Name is that of this process among those that share the state, "" when it is not shared.
func (w Workers) Name() string {
	if w.shared == nil {
		return ""
	}
	return w.shared.Holder()
}

// Tick returns how the latest cycle of a sync stands, whichever worker ran it. One of the kind that it covers counts as
// unfinished too when it was interrupted.
func (w Workers) Tick(ctx context.Context, id graphsync.ID, sync, kind, covers string) (Tick, error) {
	if w.shared == nil {
		return Tick{Never: true, Now: time.Now()}, nil
	}
	return w.shared.Tick(ctx, id.String(), sync, kind, covers)
}

// Unfinished returns the cycles that were interrupted and that no worker has resumed.
func (w Workers) Unfinished(ctx context.Context) ([]Cycle, error) {
	if w.shared == nil {
		return nil, nil
	}
	found, err := w.shared.Unfinished(ctx)
	return cyclesOf(found), err
}

func cyclesOf(found []postgres.Cycle) []Cycle {
	cycles := make([]Cycle, 0, len(found))
	for _, c := range found {
		if id, err := graphsync.ParseID(c.Tenant); err == nil { // the registry has no cycles
			cycles = append(cycles, Cycle{id, c.Sync, c.Kind, c.Began, c.Holder})
		}
	}
	return cycles
}

// Beat notes that this worker runs with a configuration, by its hash, and returns what there is beside it. The first worker of
// a database activates its configuration.
func (w Workers) Beat(ctx context.Context, hash []byte) (Fleet, error) {
	if w.shared == nil {
		return Fleet{Workers: 1}, nil
	}
	return w.shared.Beat(ctx, hash)
}

// Fleet returns which workers run and which configuration is active.
func (w Workers) Fleet(ctx context.Context) (Fleet, error) {
	if w.shared == nil {
		return Fleet{Workers: 1}, nil
	}
	return w.shared.Fleet(ctx)
}

// Leave notes that this worker has ended.
func (w Workers) Leave(ctx context.Context) error {
	if w.shared == nil {
		return nil
	}
	return w.shared.Leave(ctx)
}

// Activate makes a configuration the one that cycles run with. changed is false when it was.
func (w Workers) Activate(ctx context.Context, hash []byte) (generation int64, changed bool, err error) {
	return w.shared.Activate(ctx, hash)
}

// Capacity returns how many connections the database allows.
func (w Workers) Capacity(ctx context.Context) (Capacity, error) { return w.shared.Capacity(ctx) }

// Pooled reports whether a pooler such as PgBouncer is before the database.
func (w Workers) Pooled() bool { return w.shared != nil && w.shared.Pooled }

// An InactiveError says that another configuration is the active one.
type InactiveError = postgres.InactiveError

// BeginCycle notes that a cycle begins, of a tenant that is owned. With the hash of a configuration that is not the active one
// the error is an *[InactiveError].
func (t *Tenant) BeginCycle(sync, kind string, hash []byte) error {
	if db := t.owned(); db != nil {
		return db.BeginCycle(sync, kind, hash)
	}
	return nil
}

// EndCycle notes that a cycle has ended, with an interrupted one of the kind that it covers, or that it was stopped in good order and is to be resumed.
func (t *Tenant) EndCycle(sync, kind, covers string, finished bool) error {
	if db := t.owned(); db != nil {
		return db.EndCycle(sync, kind, covers, finished)
	}
	return nil
}

// Interrupted returns the cycles of the tenant that were begun and have not ended. The caller owns the tenant and runs none.
func (t *Tenant) Interrupted() ([]Cycle, error) {
	db := t.owned()
	if db == nil {
		return nil, nil
	}
	found, err := db.Interrupted()
	cycles := cyclesOf(found)
	return cycles, err
}

// ReportedCycle notes that an interrupted cycle was reported. It is to be resumed all the same.
func (t *Tenant) ReportedCycle(c Cycle) error {
	if db := t.owned(); db != nil {
		return db.ReportedCycle(postgres.Cycle{Tenant: c.Tenant.String(), Sync: c.Sync, Kind: c.Kind, Began: c.Began, Holder: c.Worker})
	}
	return nil
}

// owned returns the database of a tenant that this process owns, nil for one in files.
func (t *Tenant) owned() *postgres.DB {
	if !t.opened.at.own {
		return nil
	}
	db, _ := sealed.Inner(t.file.db).(*postgres.DB)
	return db
}

// sequences are the numbers of the last commits in a shared state, for a moment: pages ask for one tenant after another.
type sequences struct {
	mu   sync.Mutex // guards the fields below
	at   time.Time
	of   map[string]int64
	fail uint64 // counts the times that they could not be read: what was read before is then old
}

// sequencesLast is for how long they are used.
const sequencesLast = time.Second

func (q *sequences) last(db *postgres.Server, id graphsync.ID) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if time.Since(q.at) > sequencesLast {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		found, err := db.Sequences(ctx)
		if err != nil {
			q.fail++
			return 1<<63 + q.fail
		}
		q.at, q.of = time.Now(), found
	}
	return uint64(q.of[id.String()])
}

// DescribeDatabase names the database of a connection string for people, without its password.
func DescribeDatabase(dsn string) string { return postgres.Describe(dsn) }
