package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Cycle is one of a sync that was begun and, as far as the database knows, has not ended.
type Cycle struct {
	Tenant string
	Sync   string
	Kind   string
	Began  time.Time
	Holder string // the worker; "" when it was stopped in good order
}

// A Tick is how the latest cycle of a kind stands, by the clock of the database.
type Tick struct {
	Never      bool // there was none
	Began      time.Time
	Unfinished bool
	Now        time.Time
}

// Tick returns how the latest cycle of a sync of a tenant stands. One of another kind that was interrupted counts as unfinished
// too when covers names that kind.
func (s *Server) Tick(ctx context.Context, id, sync, kind, covers string) (t Tick, err error) {
	err = s.pool.QueryRow(ctx, `SELECT clock_timestamp(), coalesce(max(c.began) FILTER (WHERE c.kind = $3), '-infinity') = '-infinity',
			coalesce(max(c.began) FILTER (WHERE c.kind = $3), 'epoch'), coalesce(bool_or(c.ended IS NULL), false)
		FROM cycle c JOIN tenant t ON t.no = c.tenant WHERE t.id = $1 AND c.sync = $2 AND c.kind IN ($3, $4)`, id, sync, kind, covers).Scan(&t.Now, &t.Never, &t.Began, &t.Unfinished)
	if err != nil {
		return t, explain(fmt.Errorf("read when sync %s of tenant %s ran last from the state's database: %w", sync, id, err))
	}
	return t, nil
}

// Unfinished returns the cycles that were begun in the last seven days and have not ended, of tenants that no worker owns now.
func (s *Server) Unfinished(ctx context.Context) ([]Cycle, error) {
	rows, _ := s.reserved.Query(ctx, `SELECT t.id, c.sync, c.kind, c.began, c.holder FROM cycle c JOIN tenant t ON t.no = c.tenant
		WHERE c.ended IS NULL AND t.until <= clock_timestamp() AND c.began > clock_timestamp() - interval '7 days' ORDER BY c.began LIMIT 1000`)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Cycle])
	if err != nil {
		return nil, explain(fmt.Errorf("look in the state's database for cycles that were interrupted: %w", err))
	}
	return found, nil
}

var errNotOwned = errors.New("begin a cycle: the tenant is not owned")

// An InactiveError says that another configuration is the active one, so that a cycle did not begin.
type InactiveError struct {
	Generation int64
	By         string
	Since      time.Time
}

// Error says who activated the other one, and how this one becomes active.
func (e *InactiveError) Error() string {
	return fmt.Sprintf("the configuration of this process is not the active one, which is generation %d (activated by %s at %s): run cycles with that one, or activate this one with: entrasync config activate", e.Generation, e.By, e.Since.UTC().Format(time.RFC3339))
}

// BeginCycle notes that the owner begins a cycle with a configuration, by its hash.
func (d *DB) BeginCycle(sync, kind string, hash []byte) error {
	if d.own == nil {
		return errNotOwned
	}
	done, err := d.pool.Exec(d.ctx, `INSERT INTO cycle (tenant, sync, kind, began, holder)
		SELECT no, $3, $4, clock_timestamp(), $5 FROM tenant WHERE no = $1 AND token = $2 AND until > clock_timestamp()
			AND NOT EXISTS (SELECT FROM config WHERE hash <> $6)
		ON CONFLICT (tenant, sync, kind) DO UPDATE SET began = excluded.began, ended = NULL, holder = excluded.holder`, d.no, d.own.token, sync, kind, d.server.holder, hash)
	switch {
	case err != nil:
		return d.fail("begin a cycle in", err)
	case done.RowsAffected() == 1:
		return nil
	}
	f, err := d.server.Fleet(d.ctx)
	switch {
	case err != nil:
		return err
	case !f.Active(hash):
		return &InactiveError{f.Generation, f.By, f.Since}
	}
	return d.own.lose()
}

// EndCycle notes that a cycle has ended, and with it an interrupted one of the kind that it covers; or that it was stopped in
// good order and is to be resumed.
func (d *DB) EndCycle(sync, kind, covers string, finished bool) error {
	_, err := d.pool.Exec(d.ctx, `UPDATE cycle SET ended = CASE WHEN $6 THEN clock_timestamp() END, holder = CASE WHEN $6 THEN holder ELSE '' END
		WHERE tenant = $1 AND sync = $2 AND ended IS NULL AND (kind = $3 AND holder = $5 OR kind = $4 AND holder = '')`, d.no, sync, kind, covers, d.server.holder, finished)
	if err != nil {
		return d.fail("end a cycle in", err)
	}
	return nil
}

// Interrupted returns the cycles of the tenant that have not ended. The caller owns the tenant, so that none of them runs.
func (d *DB) Interrupted() ([]Cycle, error) {
	rows, _ := d.pool.Query(d.ctx, `SELECT $2::text, sync, kind, began, holder FROM cycle WHERE tenant = $1 AND ended IS NULL ORDER BY began`, d.no, d.id)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Cycle])
	if err != nil {
		return nil, d.fail("read", err)
	}
	return found, nil
}

// ReportedCycle notes that an interrupted cycle was reported. It is to be resumed all the same.
func (d *DB) ReportedCycle(c Cycle) error {
	_, err := d.pool.Exec(d.ctx, `UPDATE cycle SET holder = '' WHERE tenant = $1 AND sync = $2 AND kind = $3 AND began = $4 AND ended IS NULL`, d.no, c.Sync, c.Kind, c.Began)
	if err != nil {
		return d.fail("report a cycle in", err)
	}
	return nil
}
