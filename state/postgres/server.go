// Package postgres keeps databases in PostgreSQL: rows of one table by tenant, bucket and key. Any number of processes
// may read a tenant and, one at a time, write to it. One of them may own it for a while: then the writes of earlier
// owners are refused, see [Server.Own].
package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"entrasync/state/kv"
)

// A Server is a connection to the database that holds the tenants. Its methods may be called concurrently.
type Server struct {
	// Pooled says that a pooler such as PgBouncer is between: nothing is kept in the server between transactions.
	Pooled bool

	pool     *pgxpool.Pool // for tenants
	reserved *pgxpool.Pool // for leases and the registry, inside transactions of tenants too
	holder   string        // names this process among the owners
	clock    func() time.Time
}

// Close ends all connections, after the transactions that are under way.
func (s *Server) Close() error { s.pool.Close(); s.reserved.Close(); return nil }

// Holder is the name of this process among the owners.
func (s *Server) Holder() string { return s.holder }

// Tenant returns the database of a tenant, or of the registry when id is "", and makes it when there is none. What it
// writes is serialised with the writes of all others, and does not ask who owns the tenant. committed is called after
// each commit.
func (s *Server) Tenant(ctx context.Context, id string, schema *kv.Schema, committed func()) (*DB, error) {
	d := &DB{server: s, pool: s.pool, id: id, committed: committed}
	if id == "" {
		d.pool = s.reserved
	}
	d.ctx, d.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := d.open(ctx, schema); err != nil {
		d.cancel(err)
		return nil, err
	}
	return d, nil
}

// open finds or makes the row of a tenant and brings its content to the schema's version.
func (d *DB) open(ctx context.Context, schema *kv.Schema) error {
	var kind string
	var version int
	find := func() error {
		return d.pool.QueryRow(ctx, `SELECT no, kind, schema FROM tenant WHERE id = $1`, d.id).Scan(&d.no, &kind, &version)
	}
	err := find()
	if errors.Is(err, pgx.ErrNoRows) {
		if err = d.create(ctx, schema); err == nil {
			err = find()
		}
	}
	switch {
	case err != nil:
		return d.fail("open", err)
	case kind != schema.Kind:
		return fmt.Errorf("open %s: it is of the kind %q, not %q; use another database", d.name(), kind, schema.Kind)
	case version > schema.Version():
		return &VersionError{Name: d.name(), Has: version, Knows: schema.Version()}
	}
	for ; version < schema.Version(); version++ {
		if err := d.upgrade(schema, version); err != nil {
			return err
		}
	}
	return nil
}

// create makes the row of a tenant and its buckets. Another process may do so at the same time.
func (d *DB) create(ctx context.Context, schema *kv.Schema) error {
	return pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		made, err := tx.Exec(ctx, `INSERT INTO tenant (kind, id, schema) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, schema.Kind, d.id, schema.Version())
		if err != nil || made.RowsAffected() == 0 {
			return err
		}
		for _, name := range append([]string{kv.Meta}, schema.Buckets...) {
			_, err := tx.Exec(ctx, `INSERT INTO bucket (tenant, path) SELECT no, $2 FROM tenant WHERE id = $1`, d.id, []byte(name))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// upgrade brings the content from a version to the next, unless another process has done so.
func (d *DB) upgrade(schema *kv.Schema, version int) error {
	return d.Update(func(raw kv.Tx) error {
		tx := raw.(*tx)
		done, err := tx.tx.Exec(tx.ctx, `UPDATE tenant SET schema = $2 WHERE no = $1 AND schema = $3`, d.no, version+1, version)
		if err != nil || done.RowsAffected() == 0 {
			return err
		}
		tx.changed = true
		if migrate := schema.Migrations[version-1]; migrate != nil {
			return migrate(tx)
		}
		return nil
	})
}

// Tenants returns the ids of the tenants that have a state, sorted.
func (s *Server) Tenants(ctx context.Context) ([]string, error) {
	rows, _ := s.pool.Query(ctx, `SELECT id FROM tenant WHERE id <> '' ORDER BY id COLLATE "C"`)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list the tenants of the state's database: %w", err)
	}
	return ids, nil
}

// Has reports whether a tenant has a state.
func (s *Server) Has(ctx context.Context, id string) (has bool, err error) {
	if err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tenant WHERE id = $1)`, id).Scan(&has); err != nil {
		err = fmt.Errorf("look for tenant %s in the state's database: %w", id, err)
	}
	return has, err
}

// Remove forgets a tenant with all it has; none is fine. The writes of its owner are refused from then on.
func (s *Server) Remove(ctx context.Context, id string) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM kv WHERE tenant = (SELECT no FROM tenant WHERE id = $1 FOR UPDATE)`, id)
		if err == nil {
			_, err = tx.Exec(ctx, `DELETE FROM tenant WHERE id = $1`, id)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("remove the state of tenant %s from the database: %w", id, err)
	}
	return nil
}

// A VersionError names what a newer entrasync wrote.
type VersionError struct {
	Name       string
	Has, Knows int
}

// Error says which version is needed.
func (e *VersionError) Error() string {
	return fmt.Sprintf("open %s: it has schema version %d and this entrasync knows up to %d: use the newer entrasync that wrote it", e.Name, e.Has, e.Knows)
}

// A DamagedError says that a record cannot be read.
type DamagedError struct {
	Name  string
	Cause error
}

// Error says what is broken and how to continue without it.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is damaged: %v; restore the database from a backup, or remove the tenant: its state is rebuilt by an initial cycle that finds existing accounts by their matching attributes", e.Name, e.Cause)
}

// Unwrap returns the cause.
func (e *DamagedError) Unwrap() error { return e.Cause }
