package sql_test

import (
	stdsql "database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"entrasync/target"
	"entrasync/target/sql"
	"entrasync/target/sql/sqltest"
)

func attributes(tb testing.TB, pairs ...any) (all []target.Attribute) {
	tb.Helper()
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, target.Attribute{Path: path(tb, pairs[i].(string)), Value: pairs[i+1]})
	}
	return all
}

func create(tb testing.TB, a *sql.Adapter, pairs ...any) *target.Resource {
	tb.Helper()
	r, err := a.Create(tb.Context(), target.User, attributes(tb, pairs...))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func do(tb testing.TB, db *stdsql.DB, statements ...string) {
	tb.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(tb.Context(), s); err != nil {
			tb.Fatalf("%s: %v", s, err)
		}
	}
}

// fails checks an error's code, whether the write may have happened, and words in what it says.
func fails(tb testing.TB, err error, code target.Code, unsure bool, words ...string) {
	tb.Helper()
	var e *target.Error
	if !errors.As(err, &e) || e.Code != code || e.Indeterminate != unsure {
		tb.Errorf("got %#v, want code %s, unsure %v", err, code, unsure)
		return
	}
	text := e.Error() + " → " + e.Hint
	for _, word := range words {
		if !strings.Contains(text, word) {
			tb.Errorf("%q does not say %q", text, word)
		}
	}
}

// on runs a test on each database.
func on(t *testing.T, test func(t *testing.T, driver, dsn string, db *stdsql.DB)) {
	t.Helper()
	for _, driver := range drivers {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			dsn := servers.Database(t, driver)
			test(t, driver, dsn, sqltest.Open(t, driver, dsn))
		})
	}
}

// Every value and configured name is an attack: the tables are there afterwards, and hold what was written.
func TestHostileTextsAreTexts(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, driver, dsn string, db *stdsql.DB) {
		hostile := []string{
			`'; DROP TABLE people; --`, `"; DROP TABLE people; --`, "`; DROP TABLE people; --", `\'; DROP TABLE people; -- `, `%' OR '1'='1`, `$1`, `?`, `:userName`, `@p1`,
			`x' OR tenant = 'stranger`, `\`, `/*`, `ada@example.com'/**/OR/**/1=1`,
		}
		strangers := sqltest.Strangers(t, db)
		cfg := sqltest.Config(driver, dsn)
		a := open(t, cfg)
		for i, name := range hostile {
			r := create(t, a, "userName", name, "externalId", fmt.Sprint(i, name), "title", name, "roles", []any{map[string]any{"value": name}})
			found, err := a.Find(t.Context(), target.User, path(t, "userName"), name)
			if err != nil || len(found) != 1 || found[0].ID != r.ID {
				t.Errorf("%q was found %d times: %v", name, len(found), err)
			}
			if _, err := a.Update(t.Context(), r.Ref, attributes(t, "title", name+name, "roles", []any{name, name + "2"})); err != nil {
				t.Errorf("%q: %v", name, err)
			}
			for _, id := range []string{name, r.ID + " OR 1=1", r.ID + "x", "0x" + r.ID, " " + r.ID, r.ID + ".0"} {
				if _, err := a.Get(t.Context(), target.Ref{Kind: target.User, ID: id}); target.CodeOf(err) != target.NotFound {
					t.Errorf("the id %q: %v", id, err)
				}
				if _, err := a.Update(t.Context(), target.Ref{Kind: target.User, ID: id}, attributes(t, "title", "taken over")); target.CodeOf(err) != target.NotFound {
					t.Errorf("the id %q was written to: %v", id, err)
				}
				if err := a.Delete(t.Context(), target.Ref{Kind: target.User, ID: id}); err != nil {
					t.Errorf("the id %q: %v", id, err)
				}
			}
			if got, err := a.Get(t.Context(), r.Ref); err != nil || got.Value(path(t, "title")) != name+name {
				t.Errorf("%q was left as %v: %v", name, got, err)
			}
		}
		if after := sqltest.Strangers(t, db); after != strangers {
			t.Errorf("the rows of a stranger were\n%s\nand are\n%s", strangers, after)
		}
	})
}

// Names of tables and columns may hold anything: they are quoted.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, driver, dsn string, db *stdsql.DB) {
		quote := func(name string) string {
			if driver == "postgres" {
				return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
			}
			return "`" + strings.ReplaceAll(name, "`", "``") + "`"
		}
		const table, login, tenant = "peo\"ple`; drop table people; --", `lo"g'in`, "select`"
		id := map[string]string{"postgres": "bigserial PRIMARY KEY", "mysql": "bigint AUTO_INCREMENT PRIMARY KEY", "sqlite": "INTEGER PRIMARY KEY"}[driver]
		do(t, db, "CREATE TABLE "+quote(table)+" (id "+id+", "+quote(login)+" varchar(100), "+quote(tenant)+" varchar(100))")
		a := open(t, sql.Config{Driver: driver, DSN: func() (string, error) { return dsn, nil }, Users: sql.Users{
			Table: table, Columns: map[string]string{"userName": login}, Fixed: map[string]sql.Text{tenant: `it's "ours"`}}})
		r := create(t, a, "userName", "ada")
		if _, err := a.Probe(t.Context(), nil); err != nil {
			t.Error(err)
		}
		if n, _, err := a.Size(t.Context(), target.User); err != nil || n != 1 {
			t.Errorf("%d rows: %v", n, err)
		}
		if err := a.Delete(t.Context(), r.Ref); err != nil {
			t.Error(err)
		}
		var left int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM people").Scan(&left); err != nil || left != 3 {
			t.Errorf("%d people are left: %v", left, err)
		}
	})
}

// Rows of another owner are not there, by any way of asking.
func TestRowsOfOthersAreNotThere(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, driver, dsn string, db *stdsql.DB) {
		strangers := sqltest.Strangers(t, db)
		a := open(t, sqltest.Config(driver, dsn))
		var person, team string
		if err := errors.Join(db.QueryRowContext(t.Context(), "SELECT id FROM people WHERE login = 'bob@example.com'").Scan(&person), db.QueryRowContext(t.Context(), "SELECT id FROM team").Scan(&team)); err != nil {
			t.Fatal(err)
		}
		theirs, group := target.Ref{Kind: target.User, ID: person}, target.Ref{Kind: target.Group, ID: team}
		if found, err := a.Find(t.Context(), target.User, path(t, "userName"), "bob@example.com"); err != nil || len(found) != 0 {
			t.Errorf("found %v: %v", found, err)
		}
		_, err := a.Update(t.Context(), theirs, attributes(t, "active", false, "roles", []any{}))
		fails(t, err, target.NotFound, false)
		_, err = a.Update(t.Context(), theirs, attributes(t, "roles", []any{"Admin"}))
		fails(t, err, target.NotFound, false)
		if err := errors.Join(a.Delete(t.Context(), theirs), a.Delete(t.Context(), group)); err != nil {
			t.Error(err)
		}
		ours, err := a.Create(t.Context(), target.Group, attributes(t, "displayName", "Sales"))
		if err != nil {
			t.Fatal(err)
		}
		me := create(t, a, "userName", "ada@example.com")
		refused, err := a.ChangeMembers(t.Context(), ours.Ref, []string{person, me.ID + "x", me.ID}, nil)
		if err != nil || len(refused) != 2 || refused[0].ID != person || refused[1].ID != me.ID+"x" {
			t.Errorf("refused %v: %v", refused, err)
		}
		if ids, ok, err := a.Members(t.Context(), ours.Ref); err != nil || !ok || len(ids) != 1 || ids[0] != me.ID {
			t.Errorf("the members are %v, %v: %v", ids, ok, err)
		}
		_, err = a.ChangeMembers(t.Context(), group, []string{me.ID}, []string{person})
		fails(t, err, target.NotFound, false)
		if after := sqltest.Strangers(t, db); after != strangers {
			t.Errorf("the rows of a stranger were\n%s\nand are\n%s", strangers, after)
		}
	})
}

// A row that the fixed columns do not show after it was made is not kept.
func TestARowThatIsNotOursIsNotKept(t *testing.T) {
	t.Parallel()
	dsn := servers.Database(t, "mysql")
	db := sqltest.Open(t, "mysql", dsn)
	do(t, db, "ALTER TABLE people ADD COLUMN owner int NOT NULL DEFAULT 0")
	cfg := sqltest.Config("mysql", dsn)
	cfg.Users.Fixed = map[string]sql.Text{"owner": "007"} // which a number is not shown as
	_, err := open(t, cfg).Create(t.Context(), target.User, attributes(t, "userName", "ada"))
	fails(t, err, target.Rejected, false, "tenant") // has no value
	cfg.Users.Fixed["tenant"] = "ours"
	_, err = open(t, cfg).Create(t.Context(), target.User, attributes(t, "userName", "ada"))
	fails(t, err, target.Rejected, false, "not one of this target's", "fixed")
	cfg.Users.Fixed["owner"] = "abc"
	_, err = open(t, cfg).Create(t.Context(), target.User, attributes(t, "userName", "ada"))
	fails(t, err, target.Rejected, false)
	var left int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM people").Scan(&left); err != nil || left != 3 {
		t.Errorf("%d people are left: %v", left, err)
	}
}

// The connection dies while the database commits: nothing says whether it did.
func TestLostAtCommit(t *testing.T) {
	t.Parallel()
	dsn := servers.Database(t, "postgres")
	db := sqltest.Open(t, "postgres", dsn)
	a := open(t, sqltest.Config("postgres", dsn))
	before := create(t, a, "userName", "ada@example.com")
	do(t, db, `CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$`,
		`CREATE CONSTRAINT TRIGGER die AFTER INSERT OR UPDATE ON people DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.title = 'deadly') EXECUTE FUNCTION die()`)
	_, err := a.Create(t.Context(), target.User, attributes(t, "userName", "bob@example.com", "title", "deadly"))
	fails(t, err, target.Unavailable, true, "connection broke")
	_, err = a.Create(t.Context(), target.User, attributes(t, "userName", "cleo@example.com", "title", "deadly", "roles", []any{"Viewer"}))
	fails(t, err, target.Unavailable, true, "connection broke")
	_, err = a.Update(t.Context(), before.Ref, attributes(t, "title", "deadly"))
	fails(t, err, target.Unavailable, true, "connection broke")
	if r, err := a.Get(t.Context(), before.Ref); err != nil || r.Value(path(t, "title")) != nil { // and the adapter works again
		t.Errorf("afterwards: %v, %v", r, err)
	}
}

// A connection that dies before the commit leaves nothing to doubt, where the driver can tell.
func TestLostBeforeCommit(t *testing.T) {
	t.Parallel()
	dsn := servers.Database(t, "postgres")
	db := sqltest.Open(t, "postgres", dsn)
	a := open(t, sqltest.Config("postgres", dsn))
	do(t, db, `CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NEW; END $$`,
		`CREATE TRIGGER die BEFORE INSERT ON person_role FOR EACH ROW EXECUTE FUNCTION die()`)
	_, err := a.Create(t.Context(), target.User, attributes(t, "userName", "bob@example.com", "roles", []any{"Viewer"}))
	fails(t, err, target.Unavailable, false, "connection broke")
	if found, err := a.Find(t.Context(), target.User, path(t, "userName"), "bob@example.com"); err != nil || len(found) != 0 {
		t.Errorf("half an account is left: %v, %v", found, err)
	}
}

// Two transactions in each other's way: the one that the database ends is tried again.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, driver, dsn string, db *stdsql.DB) {
		if driver == "sqlite" {
			return // one writer at a time: none can be in another's way
		}
		a := open(t, sqltest.Config(driver, dsn))
		ada := create(t, a, "userName", "ada@example.com")
		first, err := a.Create(t.Context(), target.Group, attributes(t, "displayName", "First"))
		if err != nil {
			t.Fatal(err)
		}
		do(t, db, "CREATE TABLE crossing (n int PRIMARY KEY, v int)", "INSERT INTO crossing VALUES (1, 0), (2, 0)")
		cfg := sqltest.Config(driver, dsn)
		cfg.Statements = map[string]string{"member.add": "UPDATE crossing SET v = v + 1 WHERE n = 1", "member.remove": "UPDATE crossing SET v = v + 1 WHERE n = 2"}
		a = open(t, cfg)
		// Both orders at once: adds first, and the other way round by a hand of the application's, which is in the way fewer
		// times than an operation is tried.
		const rounds = 3
		deadlocks := 0
		for range rounds {
			tx, err := db.BeginTx(t.Context(), nil)
			if err == nil {
				_, err = tx.ExecContext(t.Context(), "UPDATE crossing SET v = v + 1 WHERE n = 2")
			}
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				_, err := a.ChangeMembers(t.Context(), first.Ref, []string{ada.ID}, []string{ada.ID})
				done <- err
			}()
			time.Sleep(200 * time.Millisecond) // it has the first row now and waits for the second, or comes too late to be in the way
			if _, err = tx.ExecContext(t.Context(), "UPDATE crossing SET v = v + 1 WHERE n = 1"); err != nil {
				deadlocks++
				_ = tx.Rollback()
			} else if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		var sum, want int
		if err := db.QueryRowContext(t.Context(), "SELECT sum(v) FROM crossing").Scan(&sum); err != nil {
			t.Fatal(err)
		}
		if want = 2*rounds + 2*(rounds-deadlocks); sum != want {
			t.Errorf("%d changes were made, want %d", sum, want)
		}
	})
}

// A lock that is not given is an error in time, and nothing is left half done.
func TestLocked(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, driver, dsn string, db *stdsql.DB) {
		cfg := sqltest.Config(driver, dsn)
		cfg.Timeout = time.Second
		a := open(t, cfg)
		ada := create(t, a, "userName", "ada@example.com", "title", "Before")
		tx, err := db.BeginTx(t.Context(), nil)
		if err == nil {
			_, err = tx.ExecContext(t.Context(), "UPDATE people SET title = 'Locked' WHERE tenant = 'ours'")
		}
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		_, err = a.Update(t.Context(), ada.Ref, attributes(t, "title", "After"))
		if target.CodeOf(err) != target.Unavailable || time.Since(begun) > 10*time.Second {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Update(t.Context(), ada.Ref, attributes(t, "title", "After")); err != nil {
			t.Error(err)
		}
	})
}

// What does not fit is named before anything is written.
func TestTablesThatDoNotFit(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, driver, dsn string, db *stdsql.DB) {
		for name, c := range map[string]struct {
			change func(cfg *sql.Config)
			words  []string
		}{
			"a table":        {func(c *sql.Config) { c.Users.Table = "peple" }, []string{"no table peple"}},
			"a column":       {func(c *sql.Config) { c.Users.Columns["title"] = "titel" }, []string{"people has no column titel", "did you mean title"}},
			"letters":        {func(c *sql.Config) { c.Users.Columns["title"] = "TITLE" }, []string{"people has no column TITLE"}},
			"a fixed column": {func(c *sql.Config) { c.Users.Fixed["owner"] = "1" }, []string{"people has no column owner"}},
			"memberships":    {func(c *sql.Config) { c.Groups.Members.User = "who" }, []string{"team_person has no column who"}},
			"two things": {func(c *sql.Config) {
				c.Users.Lists["roles"] = sql.List{Table: "r", Owner: "o", Value: "v"}
				c.Users.Active.Column = "on"
			}, []string{"no table r", "no column on"}},
			"a statement": {func(c *sql.Config) {
				c.Statements = map[string]string{"user.delete": "DELETE FROM nowhere WHERE id = :id"}
			}, []string{"delete a user", "nowhere"}},
		} {
			cfg := sqltest.Config(driver, dsn)
			c.change(&cfg)
			_, err := open(t, cfg).Probe(t.Context(), nil)
			fails(t, err, target.NotSCIM, false, c.words...)
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		cfg := sqltest.Config(driver, dsn)
		a := open(t, cfg)
		profile, err := a.Probe(t.Context(), map[target.Kind][]target.Path{target.User: {path(t, "userName"), path(t, "locale")}})
		if err != nil {
			t.Fatal(err)
		}
		if !profile.Unknown["locale"] || len(profile.Notes) != 1 || !strings.Contains(profile.Notes[0], "locale") {
			t.Errorf("the notes are %q", profile.Notes)
		}
		if all := strings.Join(profile.Statements, "\n"); strings.Count(all, "tenant") < len(profile.Statements)-1 {
			t.Errorf("a statement without the fixed column:\n%s", all)
		}
		do(t, db, "ALTER TABLE people ADD COLUMN payroll int NOT NULL DEFAULT 0", "DROP INDEX people_login"+map[string]string{"mysql": " ON people"}[driver])
		if driver == "postgres" {
			do(t, db, "ALTER TABLE people ALTER COLUMN payroll DROP DEFAULT")
		}
		profile, err = open(t, cfg).Probe(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		notes := strings.Join(profile.Notes, "\n")
		if !strings.Contains(notes, "people.login has no unique index") || !strings.Contains(notes, "CREATE UNIQUE INDEX") || driver == "postgres" && !strings.Contains(notes, "people.payroll must have a value") {
			t.Errorf("the notes are %s", notes)
		}
	})
}

// A user of the database who may not write is told by check, with what to grant.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	dsn := servers.Database(t, "postgres")
	db := sqltest.Open(t, "postgres", dsn)
	var schema string
	if err := db.QueryRowContext(t.Context(), "SELECT current_schema()").Scan(&schema); err != nil {
		t.Fatal(err)
	}
	role := "reader_" + schema
	do(t, db, "CREATE ROLE "+role+" LOGIN", "GRANT USAGE ON SCHEMA "+schema+" TO "+role, "GRANT SELECT ON ALL TABLES IN SCHEMA "+schema+" TO "+role)
	t.Cleanup(func() { do(wait{t}, db, "DROP OWNED BY "+role, "DROP ROLE "+role) })
	a := open(t, sqltest.Config("postgres", strings.Replace(dsn, "user=entrasync", "user="+role, 1)))
	_, err := a.Probe(t.Context(), nil)
	fails(t, err, target.Forbidden, false, "lacks INSERT, UPDATE, DELETE on people", "GRANT INSERT, UPDATE, DELETE ON people TO")
	_, err = a.Create(t.Context(), target.User, attributes(t, "userName", "ada"))
	fails(t, err, target.Forbidden, false, "grant it")

	// A replica, or a database that is closed for writing.
	a = open(t, sqltest.Config("postgres", dsn+"&default_transaction_read_only=on"))
	_, err = a.Create(t.Context(), target.User, attributes(t, "userName", "ada"))
	fails(t, err, target.Forbidden, false, "can only be read", "primary")
	file := servers.Database(t, "sqlite")
	a = open(t, sqltest.Config("sqlite", strings.Replace(file, "mode=rwc", "mode=ro", 1)))
	_, err = a.Create(t.Context(), target.User, attributes(t, "userName", "ada"))
	fails(t, err, target.Forbidden, false, "can only be read")
	_, err = a.Probe(t.Context(), nil)
	fails(t, err, target.Forbidden, false, "can only be read")
}

func TestNoDatabase(t *testing.T) {
	t.Parallel()
	const secret = "the-password-of-no-output"
	for dsn, want := range map[[2]string]target.Code{
		{"postgres", "postgres://me:" + secret + "@127.0.0.1:1/app"}: target.Unavailable,
		{"mysql", "me:" + secret + "@tcp(127.0.0.1:1)/app"}:          target.Unavailable,
		{"sqlserver", "sqlserver://me:" + secret + "@127.0.0.1:1"}:   target.Unavailable,
		{"sqlite", t.TempDir() + "/app.db"}:                          target.Unavailable,
		{"postgres", "postgres://me:" + secret + "@host:port/app"}:   target.Unauthorized,
		{"mysql", "me:" + secret + "@nonsense"}:                      target.Unauthorized,
		{"sqlite", ":memory:"}:                                       target.Unauthorized,
	} {
		a := open(t, sqltest.Config(dsn[0], dsn[1]))
		_, err := a.Probe(t.Context(), nil)
		fails(t, err, want, false)
		_, err = a.Create(t.Context(), target.User, attributes(t, "userName", "ada"))
		fails(t, err, want, false)
		if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, errors.Unwrap(err)), secret) {
			t.Errorf("%s: the error holds the password: %v", dsn[0], err)
		}
	}
}

// A value that does not fit its column is refused with the attribute's name; the others are written.
func TestARefusedValueLeavesTheOthers(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, driver, dsn string, db *stdsql.DB) {
		if driver == "postgres" {
			do(t, db, "ALTER TABLE people ADD CONSTRAINT short CHECK (length(title) < 20)")
		}
		if driver == "sqlite" {
			do(t, db, "CREATE TRIGGER short BEFORE UPDATE ON people WHEN length(NEW.title) > 200 BEGIN SELECT RAISE(ABORT, 'the title is too long'); END")
		}
		a := open(t, sqltest.Config(driver, dsn))
		ada := create(t, a, "userName", "ada@example.com", "title", "Analyst")
		_, err := a.Update(t.Context(), ada.Ref, attributes(t, "title", strings.Repeat("x", 300), "displayName", "Ada"))
		fails(t, err, target.Rejected, false)
		if r, err := a.Get(t.Context(), ada.Ref); err != nil || r.Value(path(t, "displayName")) != "Ada" || r.Value(path(t, "title")) != "Analyst" {
			t.Errorf("left %v: %v", r, err)
		}
		_, err = a.Update(t.Context(), ada.Ref, attributes(t, "locale", "nl"))
		fails(t, err, target.Rejected, false, "no column for locale")
		_, err = a.Create(t.Context(), target.User, attributes(t, "userName", "bob@example.com", "locale", "nl"))
		fails(t, err, target.Rejected, false, "no column for locale")
	})
}

// Pages behind the last id skip rows where two have one id: the list says so, since it would pass for everything.
func TestAListThatSkipsRows(t *testing.T) {
	t.Parallel()
	on(t, func(t *testing.T, driver, dsn string, db *stdsql.DB) {
		do(t, db, "CREATE TABLE crowd (number int, login varchar(50))")
		for n := range 502 {
			do(t, db, fmt.Sprintf("INSERT INTO crowd VALUES (%d, 'user%d')", min(n, 499), n))
		}
		a := open(t, sql.Config{Driver: driver, DSN: func() (string, error) { return dsn, nil }, Users: sql.Users{
			Table: "crowd", ID: sql.ID{Column: "number"}, Columns: map[string]string{"userName": "login"}}})
		err := a.List(t.Context(), target.User, func([]target.Resource) error { return nil })
		fails(t, err, target.Rejected, false, "500 rows of 502", "unique")
	})
}
