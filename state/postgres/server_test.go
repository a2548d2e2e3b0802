package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"entrasync/state/kv"
	"entrasync/state/kv/kvtest"
	"entrasync/state/postgres"
	"entrasync/state/postgres/pgtest"
)

var server *pgtest.Server

func TestMain(m *testing.M) {
	if dsn := os.Getenv("POSTGRES_TEST_OWNER"); dsn != "" {
		paused(dsn)
		os.Exit(0)
	}
	var err error
	if server, err = pgtest.Start(); errors.Is(err, pgtest.ErrMissing) {
		fmt.Println("NOT TESTED: the state in PostgreSQL:", err)
		os.Exit(0)
	} else if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

func optionsOf(dsn, holder string) postgres.Options {
	return postgres.Options{DSN: func() (string, error) { return dsn, nil }, Holder: holder}
}

func connect(t testing.TB, dsn, holder string) *postgres.Server {
	t.Helper()
	s, err := postgres.Connect(context.Background(), optionsOf(dsn, holder))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestTenantKeepsWhatTheSeamPromises(t *testing.T) {
	t.Parallel()
	s, n := connect(t, server.Database(t), "one"), 0
	open := func() kv.DB {
		db, err := s.Tenant(context.Background(), fmt.Sprint("t-", n), kvtest.Schema, nil)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	kvtest.Run(t, func() kv.DB { n++; return open() }, func(db kv.DB) kv.DB {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return open()
	})
}
