package sql_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"entrasync/state/postgres/pgtest"
	"entrasync/target"
	"entrasync/target/sql"
	"entrasync/target/sql/sqltest"
)

var servers sqltest.Servers

// The databases that users have are what is tested: without them nothing here says anything.
func TestMain(m *testing.M) {
	var begun sync.WaitGroup
	var noPostgres, noMariaDB error
	begun.Go(func() { servers.Postgres, noPostgres = pgtest.Start() })
	begun.Go(func() { servers.MariaDB, noMariaDB = sqltest.StartMariaDB() })
	begun.Wait()
	code := 1
	if noPostgres == nil && noMariaDB == nil {
		code = m.Run()
	}
	for _, err := range []error{noPostgres, noMariaDB} {
		if err != nil {
			fmt.Println("FAIL: a database to test with does not start:", err)
		}
	}
	if servers.Postgres != nil {
		_ = servers.Postgres.Stop()
	}
	if servers.MariaDB != nil {
		_ = servers.MariaDB.Stop()
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
