package sql_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"entrasync/state/postgres/pgtest"
	"entrasync/target"
	"entrasync/target/sql"
	"entrasync/target/sql/sqltest"
)

// servers are the databases that users have, started when the first test needs one. A test without them fails: it would
// say nothing.
var servers databases

type databases struct {
	once    sync.Once
	running sqltest.Servers
	err     error
}

// Database makes a database with the application's tables, and returns its connection string. With -short there are no
// servers, and SQLite alone is tested.
func (d *databases) Database(tb testing.TB, driver string) string {
	tb.Helper()
	if testing.Short() {
		if driver != "sqlite" {
			tb.Skip("with servers: make test")
		}
		return d.running.Database(tb, driver)
	}
	d.once.Do(func() {
		var begun sync.WaitGroup
		var noPostgres, noMariaDB error
		begun.Go(func() { d.running.Postgres, noPostgres = pgtest.Start() })
		begun.Go(func() { d.running.MariaDB, noMariaDB = sqltest.StartMariaDB() })
		begun.Wait()
		d.err = errors.Join(noPostgres, noMariaDB)
	})
	if d.err != nil {
		tb.Fatal("a database to test with does not start: ", d.err)
	}
	return d.running.Database(tb, driver)
}

func TestMain(m *testing.M) {
	code := m.Run()
	if s := servers.running.Postgres; s != nil {
		_ = s.Stop()
	}
	if s := servers.running.MariaDB; s != nil {
		_ = s.Stop()
	}
	os.Exit(code)
}

var drivers = []string{"postgres", "mysql", "sqlite"}

func path(tb testing.TB, text string) target.Path {
	tb.Helper()
	p, err := target.ParsePath(text)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func open(tb testing.TB, cfg sql.Config) *sql.Adapter {
	tb.Helper()
	a, err := sql.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = a.Close(tb.Context()) })
	return a
}

// wait is a test whose context has not ended yet when it cleans up.
type wait struct{ testing.TB }

func (wait) Context() context.Context { return context.Background() }
