package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Fleet is what a worker learns of the others.
type Fleet struct {
	Workers    int       // that run, this one included
	Generation int64     // of the active configuration; 0: none is
	Hash       []byte    // of the active configuration
	By         string    // the worker or command that activated it
	Since      time.Time // when
	Sequence   int64     // counts the changes of the registry
}

// Active reports whether cycles may run with a configuration.
func (f Fleet) Active(hash []byte) bool { return f.Generation == 0 || bytes.Equal(f.Hash, hash) }

// aliveFor is for how long a worker counts among those that run after it was last seen.
const aliveFor = 15 * time.Second

// Beat notes that this worker runs with a configuration, and returns what there is beside it. The first worker of a database
// activates its configuration.
func (s *Server) Beat(ctx context.Context, hash []byte) (Fleet, error) {
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM worker WHERE seen < clock_timestamp() - interval '1 day'`)
	batch.Queue(`INSERT INTO worker (holder, hash, seen) VALUES ($1, $2, clock_timestamp())
		ON CONFLICT (holder) DO UPDATE SET hash = excluded.hash, seen = excluded.seen`, s.holder, hash)
	batch.Queue(`INSERT INTO config (generation, hash, holder, activated) VALUES (1, $1, $2, clock_timestamp()) ON CONFLICT DO NOTHING`, hash, s.holder)
	if err := s.reserved.SendBatch(ctx, batch).Close(); err != nil {
		return Fleet{}, explain(fmt.Errorf("register this worker in the state's database: %w", err))
	}
	return s.Fleet(ctx)
}

// Fleet returns which workers run and which configuration is active.
func (s *Server) Fleet(ctx context.Context) (f Fleet, err error) {
	err = s.reserved.QueryRow(ctx, `SELECT coalesce(c.generation, 0), coalesce(c.hash, ''), coalesce(c.holder, ''), coalesce(c.activated, 'epoch'),
		(SELECT count(*) FROM worker WHERE seen > clock_timestamp() - $1::interval), (SELECT coalesce(max(seq), 0) FROM tenant WHERE id = '')
		FROM (SELECT 1) one LEFT JOIN config c ON true`, aliveFor).Scan(&f.Generation, &f.Hash, &f.By, &f.Since, &f.Workers, &f.Sequence)
	if err != nil {
		return f, explain(fmt.Errorf("read which workers use the state's database: %w", err))
	}
	return f, nil
}

// Leave notes that this worker has ended.
func (s *Server) Leave(ctx context.Context) error {
	if _, err := s.reserved.Exec(ctx, `DELETE FROM worker WHERE holder = $1`, s.holder); err != nil {
		return explain(fmt.Errorf("take this worker out of the state's database: %w", err))
	}
	return nil
}

// Activate makes a configuration the one that cycles run with. changed is false when it was.
func (s *Server) Activate(ctx context.Context, hash []byte) (generation int64, changed bool, err error) {
	err = s.reserved.QueryRow(ctx, `INSERT INTO config (generation, hash, holder, activated) VALUES (1, $1, $2, clock_timestamp())
		ON CONFLICT (one) DO UPDATE SET generation = config.generation + 1, hash = excluded.hash, holder = excluded.holder, activated = excluded.activated
		WHERE config.hash <> excluded.hash RETURNING generation`, hash, s.holder).Scan(&generation)
	if errors.Is(err, pgx.ErrNoRows) {
		f, err := s.Fleet(ctx)
		return f.Generation, false, err
	}
	if err != nil {
		return 0, false, explain(fmt.Errorf("activate the configuration in the state's database: %w", err))
	}
	return generation, true, nil
}

// Sequences returns the numbers of the last commits, by tenant.
func (s *Server) Sequences(ctx context.Context) (map[string]int64, error) {
	rows, _ := s.reserved.Query(ctx, `SELECT id, seq FROM tenant`)
	found := map[string]int64{}
	var id string
	var seq int64
	_, err := pgx.ForEachRow(rows, []any{&id, &seq}, func() error { found[id] = seq; return nil })
	if err != nil {
		return nil, explain(fmt.Errorf("read what changed in the state's database: %w", err))
	}
	return found, nil
}

// Capacity is how many connections the server allows, and how many a worker takes.
type Capacity struct{ Allowed, Used, Takes int }

// Capacity returns how many connections this user may have in all, of all processes.
func (s *Server) Capacity(ctx context.Context) (c Capacity, err error) {
	c.Takes = int(s.pool.Config().MaxConns + s.reserved.Config().MaxConns)
	err = s.reserved.QueryRow(ctx, `SELECT least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
			coalesce((SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user), 2147483647),
			coalesce((SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()), 2147483647)),
		(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = current_database() AND usename = current_user)`).Scan(&c.Allowed, &c.Used)
	if err != nil {
		return c, explain(fmt.Errorf("read how many connections the state's database allows: %w", err))
	}
	return c, nil
}
