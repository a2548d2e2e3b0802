package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"entrasync/state/kv"
)

// A Term is for how long a tenant is owned without renewal.
type Term struct {
	// Lease is for how long no other worker may take the tenant.
	Lease time.Duration
	// Margin is how long before the end of the lease the owner stops asking others for anything: as long as a
	// request that was begun may still take effect.
	Margin time.Duration
}

// DefaultTerm suits workers in one data centre.
var DefaultTerm = Term{Lease: 15 * time.Second, Margin: 5 * time.Second}

// A HeldError says that another worker owns a tenant.
type HeldError struct {
	Tenant, Holder string
	Until          time.Time
}

// Error names the owner.
func (e *HeldError) Error() string {
	return fmt.Sprintf("tenant %s is in use: worker %s (host:process) works on it, for which the state's database has its word until %s; wait for it to end, and try again", e.Tenant, e.Holder, e.Until.UTC().Format(time.RFC3339))
}

// A LostError says that a worker no longer owns a tenant: it did not renew its lease in time, or the tenant was
// removed. What it had begun is resumed by the worker that has the tenant next.
type LostError struct{ Tenant, Why string }

// Error says what happened and that nothing is to be done.
func (e *LostError) Error() string {
	return fmt.Sprintf("tenant %s is no longer owned by this worker: %s; nothing more is written, and the worker that takes the tenant resumes its work", e.Tenant, e.Why)
}

// A lease is the ownership of a tenant.
type lease struct {
	db    *DB
	token int64
	term  time.Duration

	mu    sync.Mutex // guards the fields below
	ends  time.Time  // by the monotonic clock of this process: when to stop asking others
	timer *time.Timer
	whole Term
}

// Own is Tenant for a worker that works on the tenant alone. It raises the fencing token: whatever an earlier owner
// writes from then on is refused. While another one's lease lasts, the error is a *[HeldError]. The context of the
// result ends with a *[LostError] before the lease does: requests to others must be made with it.
func (s *Server) Own(ctx context.Context, id string, schema *kv.Schema, term Term, committed func()) (*DB, error) {
	d, err := s.Tenant(ctx, id, schema, committed)
	if err != nil {
		return nil, err
	}
	l := &lease{db: d, term: term.Lease, whole: term}
	asked := s.clock()
	err = s.reserved.QueryRow(ctx, `UPDATE tenant SET token = token+1, holder = $2, until = clock_timestamp() + $3
		WHERE no = $1 AND until <= clock_timestamp() RETURNING token`, d.no, s.holder, term.Lease).Scan(&l.token)
	if errors.Is(err, pgx.ErrNoRows) {
		held := &HeldError{Tenant: id}
		err = s.reserved.QueryRow(ctx, `SELECT holder, greatest(until, 'epoch') FROM tenant WHERE no = $1`, d.no).Scan(&held.Holder, &held.Until)
		if err == nil {
			err = held
		}
	}
	if err != nil {
		d.cancel(err)
		if held := (*HeldError)(nil); errors.As(err, &held) {
			return nil, err
		}
		return nil, d.fail("own", err)
	}
	d.own = l
	l.ends = asked.Add(term.Lease - term.Margin)
	l.timer = time.AfterFunc(l.ends.Sub(s.clock()), l.expire)
	go l.keep()
	return d, nil
}

// Context ends when the database is closed, or with a *[LostError] as its cause when the tenant is lost.
func (d *DB) Context() context.Context { return d.ctx }

// Token is the fencing token of the owner, 0 for a handle that does not own the tenant.
func (d *DB) Token() int64 {
	if d.own == nil {
		return 0
	}
	return d.own.token
}

// renewed notes that the lease was renewed by a statement that was begun at a time.
func (l *lease) renewed(begun time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ends := begun.Add(l.whole.Lease - l.whole.Margin); ends.After(l.ends) {
		l.ends = ends
	}
}

// expire ends the context when the time has come, and looks again later when the lease was renewed meanwhile.
func (l *lease) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := l.ends.Sub(l.db.server.clock()); left > 0 {
		l.timer = time.AfterFunc(left, l.expire)
		return
	}
	l.db.cancel(&LostError{l.db.id, "its lease could not be renewed in time"})
}

// lose ends the context: the database says that the tenant is not ours.
func (l *lease) lose() error {
	lost := &LostError{l.db.id, "another worker has taken it, or its lease ended"}
	l.db.cancel(lost)
	return lost
}

// keep renews the lease while nothing is written.
func (l *lease) keep() {
	every := time.NewTicker(l.whole.Lease / 5)
	defer every.Stop()
	for {
		select {
		case <-l.db.ctx.Done():
			return
		case <-every.C:
		}
		l.mu.Lock()
		left := l.ends.Sub(l.db.server.clock())
		l.mu.Unlock()
		if left > l.whole.Lease/2 {
			continue
		}
		begun := l.db.server.clock()
		done, err := l.db.server.reserved.Exec(l.db.ctx, `UPDATE tenant SET until = clock_timestamp() + $3
			WHERE no = $1 AND token = $2 AND until > clock_timestamp()`, l.db.no, l.token, l.term)
		switch {
		case err != nil: // the timer decides: a lost connection may come back
		case done.RowsAffected() == 0:
			_ = l.lose()
			return
		default:
			l.renewed(begun)
		}
	}
}

// release ends the lease, unless it is lost.
func (l *lease) release() error {
	l.mu.Lock()
	l.timer.Stop()
	l.mu.Unlock()
	if l.db.ctx.Err() != nil {
		return nil
	}
	_, err := l.db.server.reserved.Exec(l.db.ctx, `UPDATE tenant SET until = clock_timestamp(), holder = '' WHERE no = $1 AND token = $2`, l.db.no, l.token)
	// A write of this worker that comes behind the release is refused and ends the context, which may be before the
	// response to the release is read: the tenant is free all the same.
	if lost := (*LostError)(nil); err == nil || errors.As(context.Cause(l.db.ctx), &lost) {
		return nil
	}
	return l.db.fail("release", err)
}
