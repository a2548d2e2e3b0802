package sql_test

import (
	stdsql "database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"

	"entrasync/target"
	"entrasync/target/sql/sqltest"
)

// BenchmarkCreate makes accounts as a first cycle does, eight at a time, each in a transaction. The floors are the same
// INSERT, one a transaction by as many connections, and the same rows 100 in a statement, which no application can be
// asked for one account at a time.
func BenchmarkCreate(b *testing.B) {
	for _, driver := range drivers {
		b.Run(driver, func(b *testing.B) {
			dsn := servers.Database(b, driver)
			a := open(b, sqltest.Config(driver, dsn))
			if _, err := a.Find(b.Context(), target.User, path(b, "userName"), "unknown"); err != nil { // it has begun
				b.Fatal(err)
			}
			b.ResetTimer()
			each(b, func(n int) error {
				name := fmt.Sprintf("user%d@example.com", n)
				_, err := a.Create(b.Context(), target.User, attributes(b, "userName", name, "externalId", fmt.Sprint("ext-", n), "active", true, "displayName", "Person "+name, `emails[type eq "work"].value`, name))
				return err
			})
		})
		b.Run(driver+"/floor", func(b *testing.B) {
			db := sqltest.Open(b, driver, servers.Database(b, driver))
			if driver == "sqlite" {
				db.SetMaxOpenConns(1)
			}
			st, err := db.PrepareContext(b.Context(), insertOf(driver, 1))
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			each(b, func(n int) error {
				_, err := st.ExecContext(b.Context(), rowsOf(n, 1)...)
				return err
			})
		})
		b.Run(driver+"/bulk", func(b *testing.B) {
			db := sqltest.Open(b, driver, servers.Database(b, driver))
			b.ResetTimer()
			for n := 0; n < b.N; n += 100 {
				if err := bulk(b, db, driver, n, min(100, b.N-n)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func bulk(b *testing.B, db *stdsql.DB, driver string, from, count int) error {
	b.Helper()
	_, err := db.ExecContext(b.Context(), insertOf(driver, count), rowsOf(from, count)...)
	return err
}

func insertOf(driver string, count int) string {
	var rows []string
	for i := range count {
		var marks []string
		for n := range 6 {
			mark := "?"
			if driver == "postgres" {
				mark = fmt.Sprint("$", i*6+n+1)
			}
			marks = append(marks, mark)
		}
		rows = append(rows, "("+strings.Join(marks, ", ")+")")
	}
	return "INSERT INTO people (tenant, login, entra_id, status, display, mail) VALUES " + strings.Join(rows, ", ")
}

func rowsOf(from, count int) (args []any) {
	for n := from; n < from+count; n++ {
		name := fmt.Sprintf("user%d@example.com", n)
		args = append(args, "ours", name, fmt.Sprint("ext-", n), "A", "Person "+name, name)
	}
	return args
}

// each calls do for every number, eight at a time.
func each(b *testing.B, do func(n int) error) {
	b.Helper()
	numbers := make(chan int)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for n := range numbers {
				if err := do(n); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for n := range b.N {
		numbers <- n
	}
	close(numbers)
	workers.Wait()
}
