package main

import (
	stdsql "database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entrasync/target"
)

// A sqlTarget is an application that is provisioned by its database, a file of SQLite. It is written to and read back
// by statements of the test's own. Its tables hold rows of another owner too, which nothing may touch.
type sqlTarget struct {
	file string
	db   *stdsql.DB
	last string // what the tables held when last looked at
}

// sqlSection is the target's section of a configuration, with quotes where scripts edit a key of the same name elsewhere.
const sqlSection = `  sql: {type: sql, driver: sqlite, dsn: people.db, "users": {table: people, fixed: {tenant: ours}, active: {column: status, true: A, false: L},
    columns: {userName: login, externalId: entra_id, displayName: display, title: title, name.givenName: given, name.familyName: family,
      'emails[type eq "work"].value': mail, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": department}},
    "groups": {table: team, fixed: {tenant: ours}, columns: {displayName: name, externalId: entra_id}, members: {table: team_person, group: team_id, user: person_id}}}`

var sqlSchema = []string{
	`CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, login TEXT NOT NULL, entra_id TEXT, status TEXT NOT NULL DEFAULT 'A',
		display TEXT, title TEXT, given TEXT, family TEXT, mail TEXT, department TEXT)`,
	`CREATE UNIQUE INDEX people_login ON people (tenant, lower(login))`,
	`CREATE INDEX people_entra_id ON people (tenant, entra_id)`,
	`CREATE TABLE team (id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, name TEXT NOT NULL, entra_id TEXT)`,
	`CREATE UNIQUE INDEX team_entra_id ON team (tenant, entra_id)`,
	`CREATE TABLE team_person (team_id INTEGER NOT NULL REFERENCES team (id), person_id INTEGER NOT NULL REFERENCES people (id), PRIMARY KEY (team_id, person_id))`,
	`INSERT INTO people (tenant, login, title) VALUES ('stranger', 'ada@contoso.example', 'Stranger'), ('stranger', 'bob@contoso.example', 'Stranger')`,
	`INSERT INTO team (tenant, name) VALUES ('stranger', 'Sales')`,
	`INSERT INTO team_person SELECT t.id, p.id FROM team t CROSS JOIN people p`,
}

// sqlColumns are the attributes that the tables have, by column.
var sqlColumns = map[string][][2]string{
	"User": {{"login", "userName"}, {"entra_id", "externalId"}, {"display", "displayName"}, {"title", "title"}, {"given", "name.givenName"}, {"family", "name.familyName"},
		{"mail", `emails[type eq "work"].value`}, {"department", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"}},
	"Group": {{"name", "displayName"}, {"entra_id", "externalId"}},
}

var sqlTables = map[string]string{"User": "people", "Group": "team"}

// startSQL makes a database the application.
func (w *world) startSQL() {
	a := &sqlTarget{file: filepath.Join(w.dir, "people.db")}
	db, err := stdsql.Open("sqlite", a.file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)")
	if err != nil {
		panic(err.Error())
	}
	w.tb.Cleanup(func() { _ = db.Close() })
	a.db = db
	for _, statement := range sqlSchema {
		a.do(statement)
	}
	w.target.sql = a
	w.setenv("TARGET", "sql")
	a.last = a.content()
	if err := os.Chmod(a.file, 0o600); err != nil {
		panic(err.Error())
	}
}

func (a *sqlTarget) do(statement string, args ...any) int64 {
	result, err := a.db.Exec(statement, args...)
	if err != nil {
		panic(statement + ": " + err.Error())
	}
	id, err := result.LastInsertId()
	if err != nil {
		panic(err.Error())
	}
	return id
}

// rows returns what a question is answered with, as texts; what has no value is not in the row.
func (a *sqlTarget) rows(question string, args ...any) (all []map[string]string) {
	rows, err := a.db.Query(question, args...)
	if err != nil {
		panic(question + ": " + err.Error())
	}
	defer rows.Close()
	names, err := rows.Columns()
	for err == nil && rows.Next() {
		values, into := make([]stdsql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		err = rows.Scan(into...)
		row := map[string]string{}
		for i, v := range values {
			if v.Valid {
				row[names[i]] = v.String
			}
		}
		all = append(all, row)
	}
	if err != nil || rows.Err() != nil {
		panic(fmt.Sprint(question, ": ", err, rows.Err()))
	}
	return all
}

// resources reads back every resource of a kind as SCIM has it.
func (a *sqlTarget) resources(kind string) (all []map[string]any) {
	for _, row := range a.rows("SELECT * FROM " + sqlTables[kind] + " WHERE tenant = 'ours' ORDER BY id") {
		r := map[string]any{"id": row["id"]}
		for _, c := range sqlColumns[kind] {
			if value, ok := row[c[0]]; ok && value != "" {
				scimPath(c[1]).Set(r, value)
			}
		}
		if kind == "User" {
			r["active"] = row["status"] == "A"
		} else {
			var members []any
			for _, m := range a.rows("SELECT person_id FROM team_person WHERE team_id = ?", row["id"]) {
				members = append(members, map[string]any{"value": m["person_id"]})
			}
			r["members"] = members
		}
		all = append(all, r)
	}
	return all
}

func scimPath(text string) target.Path {
	p, err := target.ParsePath(text)
	if err != nil {
		panic(err.Error())
	}
	return p
}

func (a *sqlTarget) seed(kind string, resource map[string]any) {
	id := a.do("INSERT INTO "+sqlTables[kind]+" (tenant, "+sqlColumns[kind][0][0]+") VALUES ('ours', ?)", resource[sqlColumns[kind][0][1]])
	a.set(kind, fmt.Sprint(id), resource)
	list, _ := resource["members"].([]any)
	for _, m := range list {
		a.do("INSERT INTO team_person VALUES (?, ?)", id, m.(map[string]any)["value"])
	}
}

// set gives a row values, and takes away what is not among them.
func (a *sqlTarget) set(kind, id string, resource map[string]any) {
	for _, c := range sqlColumns[kind] {
		a.do("UPDATE "+sqlTables[kind]+" SET "+c[0]+" = ? WHERE id = ?", scimPath(c[1]).Get(resource), id)
	}
	if active, ok := resource["active"].(bool); ok {
		a.do("UPDATE people SET status = ? WHERE id = ?", map[bool]string{true: "A", false: "L"}[active], id)
	}
}

// replace gives the id of a resource to another one.
func (a *sqlTarget) replace(kind string, before, other map[string]any) {
	a.set(kind, before["id"].(string), other)
	if kind == "Group" {
		a.do("DELETE FROM team_person WHERE team_id = ?", before["id"])
	}
}

func (a *sqlTarget) remove(id string) {
	a.do("DELETE FROM team_person WHERE person_id = ?", id)
	a.do("DELETE FROM people WHERE id = ?", id)
}

// content is everything that the tables hold.
func (a *sqlTarget) content() string {
	var all []string
	for _, table := range []string{"people", "team", "team_person"} {
		for _, row := range a.rows("SELECT * FROM " + table) {
			all = append(all, fmt.Sprint(table, " ", row))
		}
	}
	return strings.Join(all, "\n")
}

// touched returns what the tables hold when that has changed.
func (a *sqlTarget) touched() string {
	before := a.last
	if a.last = a.content(); a.last == before {
		return ""
	}
	return a.last
}

// strangers fails a test whose program touched the rows of another owner.
func (a *sqlTarget) strangers(tb testing.TB) {
	got := a.rows("SELECT login, title, status FROM people WHERE tenant = 'stranger' ORDER BY login")
	got = slices.Concat(got, a.rows("SELECT count(*) AS memberships FROM team_person m JOIN people p ON p.id = m.person_id WHERE p.tenant = 'stranger'"))
	want := "[map[login:ada@contoso.example status:A title:Stranger] map[login:bob@contoso.example status:A title:Stranger] map[memberships:2]]"
	if fmt.Sprint(got) != want {
		tb.Errorf("the rows of a stranger are %v", got)
	}
}
