package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationLock is the key of the advisory lock that is held while the tables are changed.
const migrationLock = 0x656e747261 // "entra"

// migrate brings the tables to the present version: each numbered file once, all in one transaction, one process at
// a time.
func (s *Server) migrate(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted by name
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(migrationLock)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS entrasync_version (version integer NOT NULL)`); err != nil {
			return err
		}
		var has int
		if err := tx.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM entrasync_version`).Scan(&has); err != nil {
			return err
		}
		if has > len(files) {
			return fmt.Errorf("its tables have version %d and this entrasync knows up to %d: use the newer entrasync that made them", has, len(files))
		}
		for n, name := range files[has:] {
			text, err := fs.ReadFile(migrations, name)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, string(text)); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if _, err := tx.Exec(ctx, `INSERT INTO entrasync_version VALUES ($1)`, has+n+1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("prepare the tables of the state's database: %w", err)
	}
	return nil
}
