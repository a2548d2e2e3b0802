package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"entrasync/state/kv"
)

// Replace puts another content in the place of that of a tenant, or of the registry when id is "", in one transaction.
// fill is given an empty database, and closeOld is called when it is filled. The rows get another number: a process that
// knows the former one is told that the tenant was removed, and writes nothing. An error says that the content was
// changed meanwhile.
func (s *Server) Replace(ctx context.Context, id string, schema *kv.Schema, fill func(kv.DB) error, closeOld func() error) error {
	pool := s.reserved
	if id == "" {
		pool = s.pool // the reserved connections are used to read the registry
	}
	return pgx.BeginFunc(ctx, pool, func(began pgx.Tx) error {
		var former int32
		var seq, token int64
		if err := began.QueryRow(ctx, `SELECT no, seq, token FROM tenant WHERE id = $1`, id).Scan(&former, &seq, &token); err != nil {
			return explain(fmt.Errorf("read the number of %q from the state's database: %w", id, err))
		}
		d := &DB{server: s, pool: pool, id: id, ctx: ctx, cancel: func(error) {}}
		err := began.QueryRow(ctx, `INSERT INTO tenant (kind, id, schema, token, seq) VALUES ($1, $2, $3, $4, $5) RETURNING no`,
			schema.Kind, id+"#next", schema.Version(), token+1, seq+1).Scan(&d.no)
		for _, name := range append([]string{kv.Meta}, schema.Buckets...) {
			if err == nil {
				_, err = began.Exec(ctx, `INSERT INTO bucket (tenant, path) VALUES ($1, $2)`, d.no, []byte(name))
			}
		}
		if err != nil {
			return d.fail("write", err)
		}
		made := &within{DB: d, t: &tx{db: d, ctx: ctx, tx: began, open: map[int64]*bucket{}, seq: seq + 1, base: seq, write: true}}
		if err := errors.Join(fill(made), closeOld()); err != nil {
			return err
		}
		return d.takePlace(ctx, began, former, seq)
	})
}

// takePlace removes what a tenant had and gives the tenant's id to this one.
func (d *DB) takePlace(ctx context.Context, began pgx.Tx, former int32, seq int64) error {
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM kv WHERE tenant = $1`, former)
	batch.Queue(`UPDATE cycle SET tenant = $2 WHERE tenant = $1`, former, d.no)
	if err := began.SendBatch(ctx, batch).Close(); err != nil {
		return d.fail("write", err)
	}
	gone, err := began.Exec(ctx, `DELETE FROM tenant WHERE no = $1 AND seq = $2`, former, seq)
	switch {
	case err != nil:
		return d.fail("write", err)
	case gone.RowsAffected() == 0:
		return fmt.Errorf("write %s: another process changed it meanwhile; stop all workers and run again", d.name())
	}
	if _, err := began.Exec(ctx, `UPDATE tenant SET id = $2 WHERE no = $1`, d.no, d.id); err != nil {
		return d.fail("write", err)
	}
	return nil
}

// within is a database of which all transactions are parts of one.
type within struct {
	*DB
	t *tx
}

// View implements [kv.DB].
func (w *within) View(fn func(kv.Tx) error) error {
	return w.guarded(func() error { return fn(w.t) })
}

// Update implements [kv.DB]. What fn wrote is sent to the server.
func (w *within) Update(fn func(kv.Tx) error) error {
	return w.guarded(func() error {
		if err := fn(w.t); err != nil {
			return err
		}
		if err := w.t.flush(); err != nil {
			return w.fail("write", err)
		}
		return nil
	})
}
