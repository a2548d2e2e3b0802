package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationLock is the key of the advisory lock that is held while the tables are changed.
const migrationLock = 0x656e747261 // "entra"

// An OldTablesError says that the tables are of an earlier version.
type OldTablesError struct{ Has, Knows int }

// Error says how they are brought to the present version.
func (e *OldTablesError) Error() string {
	return fmt.Sprintf("the tables of the state's database have version %d and this entrasync needs %d: stop the workers of the earlier entrasync, back up, and run: entrasync state migrate", e.Has, e.Knows)
}

// prepare verifies that a database can hold the state and brings its tables to the present version. pooled is whether a
// pooler is between: the server's process is then not the one that answered.
func prepare(ctx context.Context, c *pgx.Conn, older bool) (pooled bool, err error) {
	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted by name
	if err != nil {
		return false, err
	}
	var process uint32
	var replica bool
	if err := c.QueryRow(ctx, `SELECT pg_backend_pid(), pg_is_in_recovery() OR current_setting('transaction_read_only')::bool`).Scan(&process, &replica); err != nil {
		return false, fmt.Errorf("ask the state's database how it is: %w", err)
	}
	if replica {
		return false, &RefusedError{Why: "the state's database is read-only, such as a replica: name the primary in the connection string"}
	}
	pooled = process != c.PgConn().PID()
	has, err := versionOf(ctx, c)
	switch {
	case err != nil:
		return pooled, fmt.Errorf("read the version of the state's database: %w", err)
	case has == len(files):
		return pooled, nil
	case has > 0 && has < len(files) && !older:
		return pooled, &OldTablesError{Has: has, Knows: len(files)}
	}
	if err := migrate(ctx, c, files); err != nil {
		return pooled, fmt.Errorf("prepare the tables of the state's database: %w", err)
	}
	return pooled, nil
}

// versionOf returns the version of the tables, 0 when there are none.
func versionOf(ctx context.Context, c *pgx.Conn) (has int, err error) {
	err = c.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM entrasync_version`).Scan(&has)
	if missing := (*pgconn.PgError)(nil); errors.As(err, &missing) && missing.Code == "42P01" {
		return 0, nil
	}
	return has, err
}

// TablesVersion reads the version of the tables in a database, 0 when there are none, and the one that this program knows.
// It changes nothing.
func TablesVersion(ctx context.Context, dsn string) (has, knows int, err error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, 0, err
	}
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return 0, len(files), explain(err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	has, err = versionOf(ctx, c)
	return has, len(files), err
}

// migrate brings the tables to the present version: each numbered file once, all in one transaction, one process at
// a time.
func migrate(ctx context.Context, c *pgx.Conn, files []string) error {
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
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
			if _, err := tx.Exec(ctx, string(text), pgx.QueryExecModeSimpleProtocol); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if _, err := tx.Exec(ctx, `INSERT INTO entrasync_version VALUES ($1)`, has+n+1); err != nil {
				return err
			}
		}
		return nil
	})
}
