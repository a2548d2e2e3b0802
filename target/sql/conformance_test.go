package sql_test

import (
	"strings"
	"testing"

	"entrasync/target"
	"entrasync/target/sql"
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

// The same with the other forms that a table may have: ids of entrasync's own, times for who is switched off and who is
// deleted, columns that must have a value, and statements of the configuration.
func TestConformanceOfOtherForms(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"postgres", "sqlite"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			targettest.Run(t, targettest.Harness{Many: 20, New: func(tb testing.TB) targettest.App {
				dsn := servers.Database(tb, driver)
				stamp, id := "timestamptz", "uuid PRIMARY KEY"
				if driver == "sqlite" {
					stamp, id = "TEXT", "TEXT PRIMARY KEY"
				}
				db := sqltest.Open(tb, driver, dsn)
				do(tb, db,
					"CREATE TABLE staff (id "+id+", tenant text NOT NULL, login text NOT NULL, entra_id text, disabled_at "+stamp+", deleted_at "+stamp+", display text, given text, last_name text,"+
						" title text NOT NULL DEFAULT '', nick text, mail text, mobile text, town text, department text, number text)",
					"CREATE UNIQUE INDEX staff_login ON staff (tenant, lower(login)) WHERE deleted_at IS NULL",
					"CREATE TABLE staff_role (person_id "+strings.TrimSuffix(id, " PRIMARY KEY")+" NOT NULL REFERENCES staff (id), role text NOT NULL)",
					"CREATE TABLE team_staff (team_id bigint NOT NULL REFERENCES team (id), person_id "+strings.TrimSuffix(id, " PRIMARY KEY")+" NOT NULL REFERENCES staff (id), note text, PRIMARY KEY (team_id, person_id))",
				)
				cfg := sqltest.Config(driver, dsn)
				cfg.Users.Table, cfg.Users.ID, cfg.Users.Delete = "staff", sql.ID{Column: "id", Value: "uuid"}, sql.Delete{Column: "deleted_at"}
				cfg.Users.Active = sql.Active{Column: "disabled_at", False: "now"}
				cfg.Users.Lists = map[string]sql.List{"roles": {Table: "staff_role", Owner: "person_id", Value: "role"}}
				cfg.Groups.Members = &sql.Members{Table: "team_staff", Group: "team_id", User: "person_id"}
				cfg.Statements = map[string]string{
					"member.add":   "INSERT INTO team_staff (team_id, person_id, note) VALUES (:group, :user, 'it''s :user') ON CONFLICT DO NOTHING",
					"group.create": "INSERT INTO team (tenant, name, entra_id) VALUES (:tenant, :displayName, :externalId) RETURNING id",
					"group.update": "UPDATE team SET name = :name, entra_id = :externalId WHERE id = :id AND tenant = :tenant",
				}
				reopen := func(tb testing.TB) target.Adapter { return open(tb, cfg) }
				return targettest.App{Adapter: reopen(tb), Reopen: reopen}
			}})
		})
	}
}
