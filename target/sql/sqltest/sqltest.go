// Package sqltest makes databases for tests of targets of type sql: on a real PostgreSQL, a real MariaDB and in a file of
// SQLite. Each has tables of an application with a stranger in them: rows of another owner, which nothing may touch.
package sqltest

import (
	stdsql "database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/state/postgres/pgtest"
	"entrasync/target/sql"
)

// Servers are the running databases of a test package. One that is nil is not started.
type Servers struct {
	Postgres *pgtest.Server
	MariaDB  *MariaDB
}

// Database makes a database with the application's tables, and returns its connection string.
func (s *Servers) Database(tb testing.TB, driver string) (dsn string) {
	tb.Helper()
	var err error
	switch driver {
	case "postgres":
		dsn = s.Postgres.Database(tb)
	case "mysql":
		dsn, err = s.MariaDB.Make()
	default:
		dsn = filepath.Join(tb.TempDir(), "app.db") + "?mode=rwc&_pragma=synchronous(OFF)"
	}
	if err != nil {
		tb.Fatal(err)
	}
	db := Open(tb, driver, dsn)
	for _, statement := range Schema(driver) {
		if _, err := db.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
	return dsn
}

// Open connects as an administrator of the application would.
func Open(tb testing.TB, driver, dsn string) *stdsql.DB {
	tb.Helper()
	name := map[string]string{"postgres": "pgx", "mysql": "mysql", "sqlite": "sqlite"}[driver]
	db, err := stdsql.Open(name, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// Strangers are the rows of another owner, as text.
func Strangers(tb testing.TB, db *stdsql.DB) string {
	tb.Helper()
	var all []string
	for _, question := range []string{
		"SELECT id, login, status, title FROM people WHERE tenant = 'stranger' ORDER BY id",
		"SELECT id, name, name, name FROM team WHERE tenant = 'stranger' ORDER BY id",
		"SELECT t.name, p.login, 'member', '' FROM team_person m JOIN team t ON t.id = m.team_id JOIN people p ON p.id = m.person_id WHERE p.tenant = 'stranger' ORDER BY 1, 2",
		"SELECT role, p.login, 'role', '' FROM person_role r JOIN people p ON p.id = r.person_id WHERE p.tenant = 'stranger' ORDER BY 1, 2",
	} {
		rows, err := db.QueryContext(tb.Context(), question)
		if err != nil {
			tb.Fatal(err)
		}
		for rows.Next() {
			var row [4]stdsql.NullString
			if err := rows.Scan(&row[0], &row[1], &row[2], &row[3]); err != nil {
				tb.Fatal(err)
			}
			all = append(all, fmt.Sprint(row[0].String, " ", row[1].String, " ", row[2].String, " ", row[3].String))
		}
		if err := rows.Err(); err != nil {
			tb.Fatal(err)
		}
		_ = rows.Close()
	}
	return strings.Join(all, "\n")
}

// Schema are the statements that make the application's tables, and the rows of a stranger.
func Schema(driver string) []string {
	id, text, login := "bigserial PRIMARY KEY", "text", "CREATE UNIQUE INDEX people_login ON people (tenant, lower(login))"
	switch driver {
	case "mysql":
		id, text, login = "bigint AUTO_INCREMENT PRIMARY KEY", "varchar(200)", "CREATE UNIQUE INDEX people_login ON people (tenant, login)"
	case "sqlite":
		id = "INTEGER PRIMARY KEY AUTOINCREMENT"
	}
	text50 := strings.Replace(text, "200", "50", 1)
	key := strings.Split(id, " ")[0]
	if key = strings.Replace(strings.ToLower(key), "bigserial", "bigint", 1); driver == "mysql" {
		key = "bigint"
	}
	all := []string{
		"CREATE TABLE people (id " + id + ", tenant " + text50 + " NOT NULL, login " + text + " NOT NULL, entra_id " + text + ", status char(1) NOT NULL DEFAULT 'A', display " + text +
			", given " + text + ", last_name " + text + ", title " + text + ", nick " + text + ", mail " + text + ", mobile " + text + ", town " + text + ", department " + text + ", number " + text + ")",
		login,
		"CREATE UNIQUE INDEX people_entra ON people (tenant, entra_id)",
		"CREATE TABLE person_role (person_id " + key + " NOT NULL REFERENCES people (id), role " + text + " NOT NULL)",
		"CREATE INDEX person_roles ON person_role (person_id)",
		"CREATE TABLE team (id " + id + ", tenant " + text50 + " NOT NULL, name " + text + " NOT NULL, entra_id " + text + ")",
		"CREATE UNIQUE INDEX team_entra ON team (tenant, entra_id)",
		"CREATE TABLE team_person (team_id " + key + " NOT NULL REFERENCES team (id), person_id " + key + " NOT NULL REFERENCES people (id), PRIMARY KEY (team_id, person_id))",
	}
	for _, name := range []string{"ada@example.com", "bob@example.com", "old@example.com"} {
		all = append(all, "INSERT INTO people (tenant, login, title) VALUES ('stranger', '"+name+"', 'Stranger')")
	}
	return append(all, "INSERT INTO team (tenant, name) VALUES ('stranger', 'Sales')", "INSERT INTO person_role SELECT id, 'Owner' FROM people WHERE tenant = 'stranger'",
		"INSERT INTO team_person SELECT t.id, p.id FROM team t CROSS JOIN people p WHERE p.tenant = 'stranger'")
}

// Config maps the tables for a tenant.
func Config(driver, dsn string) sql.Config {
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:"
	mine := map[string]sql.Text{"tenant": "ours"}
	return sql.Config{
		Driver: driver, DSN: func() (string, error) { return dsn, nil }, Concurrency: 8,
		Users: sql.Users{
			Table: "people", Fixed: mine, Active: sql.Active{Column: "status", True: "A", False: "L"},
			Columns: map[string]string{
				"userName": "login", "externalId": "entra_id", "displayName": "display", "name.givenName": "given", "name.familyName": "last_name", "title": "title", "nickName": "nick",
				`emails[type eq "work"].value`: "mail", `phoneNumbers[type eq "mobile"].value`: "mobile", `addresses[type eq "work"].locality`: "town",
				enterprise + "department": "department", enterprise + "employeeNumber": "number",
			},
			Lists: map[string]sql.List{"roles": {Table: "person_role", Owner: "person_id", Value: "role"}},
		},
		Groups: &sql.Groups{
			Table: "team", Fixed: mine, Columns: map[string]string{"displayName": "name", "externalId": "entra_id"},
			Members: &sql.Members{Table: "team_person", Group: "team_id", User: "person_id"},
		},
	}
}
