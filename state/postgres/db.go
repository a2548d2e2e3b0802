package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"entrasync/state/kv"
)

// A DB is the database of a tenant, or of the registry. It is a [kv.DB].
type DB struct {
	server    *Server
	pool      *pgxpool.Pool
	id        string
	no        int32
	committed func()
	own       *lease // nil: writes do not depend on who owns the tenant

	ctx    context.Context // ends when the database is closed or the tenant is lost
	cancel context.CancelCauseFunc

	writing sync.Mutex // one writer of this process asks the server at a time
	buckets atomic.Pointer[bucketList]
}

// A bucketList is which buckets there are as of a commit. It is not changed once it is shared.
type bucketList struct {
	seq    int64
	byPath map[string]bucketRow
}

type bucketRow struct {
	no  int64
	seq uint64
}

func (d *DB) name() string {
	if d.id == "" {
		return "the registry in the state's database"
	}
	return "the state of tenant " + d.id + " in the database"
}

// settings are those that a transaction needs whatever the server has. Tables without statistics make the planner
// read all of a partition for a list of keys.
const settings = `set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)`

// View runs fn on the content as it stands. It begins with one message to the server, and does not wait for the end.
func (d *DB) View(fn func(kv.Tx) error) error {
	conn, err := d.pool.Acquire(d.ctx)
	if err != nil {
		return d.fail("open", err)
	}
	defer func() {
		go func() { // a connection that cannot end its transaction is given up
			ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), connectTimeout)
			defer cancel()
			_, _ = conn.Exec(ctx, `ROLLBACK`)
			conn.Release()
		}()
	}()
	t := &tx{db: d, ctx: d.ctx, tx: conn, open: map[int64]*bucket{}}
	batch := &pgx.Batch{}
	batch.Queue(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`)
	batch.Queue(`SELECT seq, `+settings+` FROM tenant WHERE no = $1`, d.no)
	begun := conn.SendBatch(d.ctx, batch)
	_, err = begun.Exec()
	if err == nil {
		err = begun.QueryRow().Scan(&t.seq, nil, nil, nil)
	}
	switch err = errors.Join(err, begun.Close()); {
	case errors.Is(err, pgx.ErrNoRows):
		return d.removed()
	case err != nil:
		return d.fail("read", err)
	}
	t.base = t.seq
	return d.guarded(func() error { return fn(t) })
}

// guarded returns what fn raises of a record that cannot be read, or of a read that failed, as an error.
func (d *DB) guarded(fn func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case kv.Fault:
			err = p.Err
		case kv.BadRecord:
			err = d.Damaged(p)
		default:
			panic(p)
		}
	}()
	return fn()
}

// Update runs fn and commits what it changed. The first statement locks the tenant's row, so that one writes at a
// time; an owner's asks for its token, so that one that has lost the tenant writes nothing.
func (d *DB) Update(fn func(kv.Tx) error) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	return d.run(func(t *tx, commit func(context.Context) error) error {
		if err := d.fence(t); err != nil {
			return err
		}
		t.base, t.write = t.seq-1, true
		if err := fn(t); err != nil || !t.changed {
			return err
		}
		if err := t.flush(); err != nil {
			return d.fail("write", err)
		}
		if err := commit(t.ctx); err != nil {
			return d.fail("write", err)
		}
		t.publish()
		if d.own != nil {
			d.own.renewed(t.began)
		}
		if d.committed != nil {
			d.committed()
		}
		return nil
	})
}

// fence locks the tenant's row.
func (d *DB) fence(t *tx) error {
	t.began = d.server.clock()
	statement, args := `UPDATE tenant SET seq = seq+1 WHERE no = $1 RETURNING seq, `+settings, []any{d.no}
	if d.own != nil {
		statement = `UPDATE tenant SET seq = seq+1, until = clock_timestamp() + $3
			WHERE no = $1 AND token = $2 AND until > clock_timestamp() RETURNING seq, ` + settings
		args = append(args, d.own.token, d.own.term)
	}
	switch err := t.tx.QueryRow(t.ctx, statement, args...).Scan(&t.seq, nil, nil, nil); {
	case errors.Is(err, pgx.ErrNoRows) && d.own != nil:
		return d.own.lose()
	case errors.Is(err, pgx.ErrNoRows):
		return d.removed()
	case err != nil:
		return d.fail("write", err)
	}
	return nil
}

// run runs a transaction. It is rolled back unless fn committed it.
func (d *DB) run(fn func(t *tx, commit func(context.Context) error) error) error {
	began, err := d.pool.BeginTx(d.ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return d.fail("open", err)
	}
	// A transaction that has ended is not rolled back. The connection of one that cannot be is given up.
	defer func() { _ = began.Rollback(context.WithoutCancel(d.ctx)) }()
	return d.guarded(func() error { return fn(&tx{db: d, ctx: d.ctx, tx: began, open: map[int64]*bucket{}}, began.Commit) })
}

// fail says which tenant an error is of. One that the loss of the tenant caused is that loss.
func (d *DB) fail(verb string, err error) error {
	var lost *LostError
	if cause := context.Cause(d.ctx); errors.As(cause, &lost) {
		return lost
	}
	return explain(fmt.Errorf("%s %s: %w", verb, d.name(), err))
}

func (d *DB) removed() error { return fmt.Errorf("open %s: it was removed", d.name()) }

// Damaged returns the error that says what cannot be read.
func (d *DB) Damaged(cause error) error { return &DamagedError{Name: d.name(), Cause: cause} }

// IsFault reports whether a panic is that of a record that cannot be read.
func (d *DB) IsFault(p any) bool {
	_, bad := p.(kv.BadRecord)
	return bad
}

// Check verifies that each row is of a bucket.
func (d *DB) Check() error {
	var stray int
	err := d.pool.QueryRow(d.ctx, `SELECT count(*) FROM kv WHERE tenant = $1
		AND NOT EXISTS (SELECT FROM bucket b WHERE b.no = kv.bucket AND b.tenant = $1)`, d.no).Scan(&stray)
	switch {
	case err != nil:
		return d.fail("check", err)
	case stray > 0:
		return d.Damaged(fmt.Errorf("%d rows are of no bucket", stray))
	}
	return nil
}

// Close ends the ownership, if there is one, so that the next worker need not wait.
func (d *DB) Close() (err error) {
	if d.own != nil {
		err = d.own.release()
	}
	d.cancel(errors.New("it is closed"))
	return err
}
