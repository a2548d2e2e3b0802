package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"entrasync/state/kv"
	"entrasync/state/kv/kvtest"
	"entrasync/state/postgres"
)

func query(t testing.TB, dsn, statement string, args ...any) (lines []string) {
	t.Helper()
	c, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	rows, _ := c.Query(context.Background(), statement, args...)
	if lines, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		t.Fatal(err)
	}
	return lines
}

// Workers that start at once on an empty database make its tables, and a tenant, once.
func TestTablesAreMadeOnce(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	var workers sync.WaitGroup
	for n := range 6 {
		workers.Go(func() {
			s, err := postgres.Connect(context.Background(), optionsOf(dsn, fmt.Sprint(n)))
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			db, err := s.Tenant(context.Background(), "contoso", kvtest.Schema, nil)
			if err == nil {
				err = put(db, "x")
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	if got := query(t, dsn, `SELECT version::text FROM entrasync_version`); fmt.Sprint(got) != "[1 2]" {
		t.Errorf("versions %v", got)
	}
	if got := query(t, dsn, `SELECT seq::text FROM tenant`); fmt.Sprint(got) != "[6]" {
		t.Errorf("commits of tenants: %v", got)
	}
}

// What a newer entrasync has made, or another program, is refused in words.
func TestOtherVersionsAreRefused(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	s := connect(t, dsn, "one")
	open := func(schema *kv.Schema) error {
		_, err := s.Tenant(context.Background(), "contoso", schema, nil)
		return err
	}
	two := &kv.Schema{Kind: "fake", Migrations: []func(kv.Tx) error{func(tx kv.Tx) error {
		b, err := tx.CreateBucket("plain")
		if err != nil {
			return err
		}
		return b.Put([]byte("k"), []byte("migrated"))
	}}}
	fail := errors.New("fail")
	broken := &kv.Schema{Kind: "fake", Migrations: []func(kv.Tx) error{func(tx kv.Tx) error { return errors.Join(two.Migrations[0](tx), fail) }}}
	if err := errors.Join(open(kvtest.Schema)); err != nil {
		t.Fatal(err)
	}
	if err := open(broken); !errors.Is(err, fail) {
		t.Errorf("a migration that fails: %v", err)
	}
	db, err := s.Tenant(context.Background(), "contoso", kvtest.Schema, nil)
	if err != nil {
		t.Fatalf("the version before it: %v", err)
	}
	err = db.View(func(tx kv.Tx) error {
		if tx.Bucket("plain") != nil {
			t.Error("a migration that failed has changed something")
		}
		return nil
	})
	if err := errors.Join(err, open(two), open(two)); err != nil {
		t.Fatal(err)
	}
	if got(t, db) != "migrated" {
		t.Error("not migrated")
	}
	newer := (*postgres.VersionError)(nil)
	if err := open(kvtest.Schema); !errors.As(err, &newer) || newer.Has != 2 || newer.Knows != 1 {
		t.Errorf("an older entrasync: %v", err)
	}
	if err := open(&kv.Schema{Kind: "other"}); err == nil || !strings.Contains(err.Error(), "of the kind \"fake\", not \"other\"") {
		t.Errorf("another kind: %v", err)
	}
	query(t, dsn, `INSERT INTO entrasync_version VALUES (999) RETURNING ''`)
	if _, err := postgres.Connect(context.Background(), optionsOf(dsn, "two")); err == nil || !strings.Contains(err.Error(), "have version 999 and this entrasync knows up to 2") {
		t.Errorf("newer tables: %v", err)
	}
}

// Tables without statistics are read by their keys, not as a whole. On this server they are so without the settings of a
// transaction, too: those are for planners that decide otherwise.
func TestRowsAreReadByKey(t *testing.T) {
	t.Parallel()
	dsn := server.Database(t)
	key := func(n int) []byte { return fmt.Appendf(nil, "key %06d", n) }
	during := func(run func(kv.DB) error) {
		t.Helper()
		s := connect(t, dsn, "one")
		db, err := s.Tenant(context.Background(), "contoso", kvtest.Schema, nil)
		if err == nil {
			err = errors.Join(run(db), db.Close(), s.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	during(func(db kv.DB) error {
		return db.Update(func(tx kv.Tx) error {
			b, err := tx.CreateBucket("plain")
			for n := 0; n < 20_000 && err == nil; n++ {
				err = b.Put(key(n), key(n))
			}
			return err
		})
	})
	before := completeReads(t, dsn) // making an index reads its table
	during(func(db kv.DB) error {
		return db.View(func(tx kv.Tx) error {
			b := tx.Bucket("plain")
			b.Warm(func(yield func([]byte) bool) {
				for n := 0; n < 20_000 && yield(key(n)); n += 7 {
				}
			})
			for range b.Scan([]byte("key 0001"), nil) {
			}
			for range b.Backward() {
				break
			}
			if string(b.Get(key(12_345))) != string(key(12_345)) || string(b.Floor(key(12_345))) != string(key(12_344)) {
				t.Error("rows are not found")
			}
			return nil
		})
	})
	if after := completeReads(t, dsn); after != before {
		t.Errorf("complete reads of the table: %s before, %s after", before, after)
	}
}

// completeReads counts the sequential scans of the tables of rows. A server process reports its scans when it ends at the
// latest, before it leaves pg_stat_activity; so this waits until every connection to the database has ended.
func completeReads(t testing.TB, dsn string) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); query(t, dsn, `SELECT count(*)::text FROM pg_stat_activity
		WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`)[0] != "0"; {
		if time.Now().After(end) {
			t.Fatal("connections of a closed store are still open")
		}
	}
	return query(t, dsn, `SELECT coalesce(sum(seq_scan), 0)::text FROM pg_stat_user_tables WHERE relname LIKE 'kv%' AND schemaname = current_schema()`)[0]
}

// A record that cannot be read is an error that names the tenant, and a panic of the caller stays one.
func TestPanics(t *testing.T) {
	t.Parallel()
	db, err := connect(t, server.Database(t), "one").Tenant(context.Background(), "contoso", kvtest.Schema, nil)
	if err != nil {
		t.Fatal(err)
	}
	damaged := (*postgres.DamagedError)(nil)
	err = db.Update(func(tx kv.Tx) error {
		_, _ = tx.CreateBucket("plain")
		panic(kv.BadRecord{What: "a link cannot be read"})
	})
	if !errors.As(err, &damaged) || !strings.Contains(err.Error(), "contoso") || !strings.Contains(err.Error(), "a link cannot be read") {
		t.Errorf("got %v", err)
	}
	func() {
		defer func() {
			if p := recover(); p != "the caller's" {
				t.Errorf("the panic is %v", p)
			}
		}()
		_ = db.Update(func(tx kv.Tx) error { _, _ = tx.CreateBucket("plain"); panic("the caller's") })
	}()
	err = db.View(func(tx kv.Tx) error {
		if tx.Bucket("plain") != nil {
			t.Error("what panicked was written")
		}
		return nil
	})
	if err := errors.Join(err, put(db, "works")); err != nil || got(t, db) != "works" {
		t.Errorf("it does not work any more: %v", err)
	}
}
