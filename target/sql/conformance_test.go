package sql_test

import (
	"testing"

	"entrasync/target"
	"entrasync/target/sql/sqltest"
	"entrasync/target/targettest"
)

// Every rule, on every database that can be run here, with a stranger's rows in the same tables.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, driver := range drivers {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			targettest.Run(t, targettest.Harness{Many: 620, New: func(tb testing.TB) targettest.App {
				dsn := servers.Database(tb, driver)
				db := sqltest.Open(tb, driver, dsn)
				before := sqltest.Strangers(tb, db)
				reopen := func(tb testing.TB) target.Adapter { return open(tb, sqltest.Config(driver, dsn)) }
				tb.Cleanup(func() {
					if after := sqltest.Strangers(wait{tb}, db); after != before {
						tb.Errorf("the rows of a stranger were\n%s\nand are\n%s", before, after)
					}
				})
				return targettest.App{Adapter: reopen(tb), Reopen: reopen}
			}})
		})
	}
}
