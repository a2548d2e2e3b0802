package safety

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/target"
	"entrasync/target/sql"
)

// A database is an application whose accounts are rows of SQLite, written by a target of type sql and read back by
// statements of the test's own.
type database struct {
	t    *testing.T
	file string
	db   *stdsql.DB
}

func newDatabase(t *testing.T) *database {
	t.Helper()
	d := &database{t: t, file: filepath.Join(t.TempDir(), "app.db")}
	var err error
	if d.db, err = stdsql.Open("sqlite", d.file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(20000)&_pragma=foreign_keys(1)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.db.Close() })
	for _, statement := range []string{
		`CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, userName TEXT NOT NULL, externalId TEXT, active TEXT, displayName TEXT, title TEXT, userType TEXT, email TEXT)`,
		`CREATE UNIQUE INDEX people_name ON people (tenant, lower(userName))`,
		`CREATE TABLE team (id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, displayName TEXT, externalId TEXT)`,
		`INSERT INTO sqlite_sequence VALUES ('team', 1000)`, // no group has the id of a user
		`CREATE TABLE member (team INTEGER NOT NULL REFERENCES team (id), person INTEGER NOT NULL REFERENCES people (id), PRIMARY KEY (team, person))`,
	} {
		if _, err := d.db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// databaseConfig is the target's configuration for the tables of newDatabase.
func databaseConfig(file string) sql.Config {
	mine := map[string]sql.Text{"tenant": "ours"}
	return sql.Config{
		Driver: "sqlite", DSN: func() (string, error) { return file + "?_pragma=synchronous(OFF)", nil }, // the machine lives, only the process dies
		Users: sql.Users{Table: "people", Fixed: mine, Active: sql.Active{Column: "active", True: "yes", False: "no"}, Columns: map[string]string{
			"userName": "userName", "externalId": "externalId", "displayName": "displayName", "title": "title", "userType": "userType", `emails[type eq "work"].value`: "email",
		}},
		Groups: &sql.Groups{Table: "team", Fixed: mine, Columns: map[string]string{"displayName": "displayName", "externalId": "externalId"},
			Members: &sql.Members{Table: "member", Group: "team", User: "person"}},
	}
}

func (d *database) seed(tb testing.TB, user map[string]any) string {
	tb.Helper()
	result, err := d.db.Exec("INSERT INTO people (tenant, userName, displayName, active) VALUES ('ours', ?, ?, 'yes')", user["userName"], user["displayName"])
	if err != nil {
		tb.Fatal(err)
	}
	id, err := result.LastInsertId()
	if err != nil {
		tb.Fatal(err)
	}
	return fmt.Sprint(id)
}

// rows reads a question's answer as objects.
func (d *database) rows(question string) (all []map[string]any) {
	rows, err := d.db.Query(question)
	if err != nil {
		d.t.Fatal(err)
	}
	defer rows.Close()
	names, _ := rows.Columns()
	for rows.Next() {
		values, into := make([]stdsql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			d.t.Fatal(err)
		}
		row := map[string]any{}
		for i, v := range values {
			if v.Valid {
				row[names[i]] = v.String
			}
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		d.t.Fatal(err)
	}
	return all
}

// An other application takes the place of the SCIM server in some stories. It shows its resources as SCIM has them.
type other interface {
	seed(tb testing.TB, user map[string]any) string
	users() []map[string]any
	groups() []map[string]any
}

// usersShown are the application's users as SCIM has them.
func (w *world) usersShown() []map[string]any {
	if w.other == nil {
		return w.front.Users(w.t)
	}
	return w.other.users()
}

// groupsShown are its groups.
func (w *world) groupsShown() []map[string]any {
	if w.other == nil {
		return w.front.Groups(w.t)
	}
	return w.other.groups()
}

func (d *database) users() []map[string]any {
	all := d.rows("SELECT * FROM people ORDER BY id")
	for _, u := range all {
		if u["active"] = u["active"] == "yes"; u["email"] != nil && u["email"] != "" {
			u["emails"] = []any{map[string]any{"type": "work", "value": u["email"]}}
		}
	}
	return all
}

func (d *database) groups() []map[string]any {
	all := d.rows("SELECT * FROM team ORDER BY id")
	for _, g := range all {
		var members []any
		for _, m := range d.rows(fmt.Sprintf("SELECT person FROM member WHERE team = %v ORDER BY person", g["id"])) {
			members = append(members, map[string]any{"value": m["person"]})
		}
		g["members"] = members
	}
	return all
}

// hearing serves the process under test, which says when it begins and ends a call of its database: there it may die.
func (st *stage) hearing() (address string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st.watch.look()
		number := st.heard(strings.HasPrefix(r.URL.Path, "/begin"), r.URL.Query().Get("write") == "true", r.URL.Query().Get("call"))
		_, _ = io.WriteString(w, fmt.Sprint(number))
	}))
	st.t.Cleanup(server.Close)
	return server.URL
}

// heard counts a call that begins, and kills the process when its time has come.
func (st *stage) heard(begins, write bool, call string) (number int) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.kill == nil {
		return 0 // of a process that is dead by now
	}
	if begins {
		st.calls++
		st.write = append(st.write, write)
		call = fmt.Sprint(st.calls)
	}
	if call == fmt.Sprint(st.at.call) && st.at.after != begins {
		st.kill()
		st.kill = nil
	}
	return st.calls
}

// A tellingAdapter says when a call of the database begins and ends.
type tellingAdapter struct {
	*sql.Adapter
	to string
}

// tell says it, and does not return in a process that is killed for it.
func (a *tellingAdapter) tell(write bool, do func() error) error {
	number, err := say(fmt.Sprintf("%s/begin?write=%v", a.to, write))
	if err != nil {
		return err
	}
	err = do()
	if _, told := say(fmt.Sprintf("%s/end?call=%s", a.to, number)); told != nil {
		return told
	}
	return err
}

func say(url string) (string, error) {
	response, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if string(text) == "0" { // the process is being killed
		select {}
	}
	return string(text), err
}

func (a *tellingAdapter) Find(ctx context.Context, kind target.Kind, by target.Path, value string) (found []target.Resource, err error) {
	err = a.tell(false, func() (err error) {
		found, err = a.Adapter.Find(ctx, kind, by, value)
		return err
	})
	return found, err
}

func (a *tellingAdapter) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (made *target.Resource, err error) {
	err = a.tell(true, func() (err error) {
		made, err = a.Adapter.Create(ctx, kind, attributes)
		return err
	})
	return made, err
}

func (a *tellingAdapter) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (after *target.Resource, err error) {
	err = a.tell(true, func() (err error) {
		after, err = a.Adapter.Update(ctx, ref, attributes)
		return err
	})
	return after, err
}

func (a *tellingAdapter) Delete(ctx context.Context, ref target.Ref) error {
	return a.tell(true, func() error { return a.Adapter.Delete(ctx, ref) })
}

func (a *tellingAdapter) ChangeMembers(ctx context.Context, group target.Ref, add, remove []string) (refused []target.MemberError, err error) {
	err = a.tell(true, func() (err error) {
		refused, err = a.Adapter.ChangeMembers(ctx, group, add, remove)
		return err
	})
	return refused, err
}
