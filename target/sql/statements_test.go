package sql

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/statements.golden")

// named is a configuration with everything in it, whose names and values begin with a text.
func named(driver, name string) Config {
	n := func(s string) string { return name + s }
	mine := map[string]Text{n("tenant"): Text(n("ours"))}
	return Config{
		Driver: driver, DSN: func() (string, error) { return "", nil },
		Users: Users{
			Table: n("people"), ID: ID{Column: n("id"), Value: "uuid"}, Columns: map[string]string{"userName": n("login"), "externalId": n("entra"), "name.familyName": n("last")},
			Active: Active{Column: n("disabled"), False: "now"}, Fixed: mine, Lists: map[string]List{"roles": {Table: n("role"), Owner: n("person"), Value: n("value")}}, Delete: Delete{Column: n("gone")},
		},
		Groups: &Groups{Table: n("team"), Columns: map[string]string{"displayName": n("name")}, Fixed: mine, Members: &Members{Table: n("member"), Group: n("team"), User: n("person")}},
	}
}

// all are the statements of every operation.
func (a *Adapter) all(id, value string) (all []sample) {
	d := a.engine.dialect()
	add := func(name string, st statement) { all = append(all, sample{name, st}) }
	for _, t := range a.tables() {
		k := string(t.kind)
		set := []assignment{{column: t.columns[0].name, value: value}}
		if t.active != nil {
			set = append(set, assignment{column: t.active.column, expr: nowOnce})
		}
		add(k+" get", d.get(t, id))
		add(k+" find", d.find(t, t.columns[0].name, value, false))
		add(k+" find in any case", d.find(t, t.columns[0].name, value, true))
		add(k+" first page", d.page(t, nil, 500))
		add(k+" next page", d.page(t, id, 500))
		add(k+" count", d.count(t))
		add(k+" insert", d.insert(t, set[:1]))
		add(k+" update", d.update(t, id, set))
		add(k+" remove", d.remove(t, id))
		add(k+" ours", d.ours(t, []string{id, value}, true))
		add(k+" detach", d.detach(a.members.Table, a.members.User, t, id))
	}
	add("members add", d.addMembers(a.members, a.groups, a.users, id, []string{id, value}))
	add("members remove", d.removeMembers(a.members, a.groups, a.users, id, []string{id, value}))
	add("members read", d.readMembers(a.members, a.groups, a.users, id))
	l := a.users.lists[0]
	add("list read", d.values(l, []string{id}))
	add("list add", d.addValue(l, id, value))
	add("list remove", d.removeValue(l, a.users, id, value))
	return all
}

func built(tb testing.TB, driver, name string) *Adapter {
	tb.Helper()
	a, err := New(named(driver, name))
	if err != nil {
		tb.Skip(err) // names that Faults refuses never get here
	}
	return a
}

var allDrivers = []string{"postgres", "mysql", "sqlite", "sqlserver"}

func TestStatements(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	for _, driver := range allDrivers {
		fmt.Fprintf(&got, "== %s\n", driver)
		for _, s := range built(t, driver, "").all("17", "ada") {
			fmt.Fprintf(&got, "%s:\n  %s\n  %q\n", s.name, s.text, s.args)
		}
	}
	const golden = "testdata/statements.golden"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got), -update rewrites it:\n%s", diff)
	}
}

// Every statement about a row of users or groups holds the fixed column once for each table that it reads or writes rows
// of, so that no row of another owner can be meant.
func TestEveryStatementHoldsTheFixedColumn(t *testing.T) {
	t.Parallel()
	for _, driver := range allDrivers {
		a := built(t, driver, "")
		for _, s := range a.all("17", "ada") {
			want := 0
			for _, table := range []string{"people", "team"} {
				quoted := a.engine.dialect().table(table)
				want += strings.Count(s.text, "FROM "+quoted) + strings.Count(s.text, "UPDATE "+quoted) + strings.Count(s.text, "JOIN "+quoted) + strings.Count(s.text, "INTO "+quoted)
			}
			got := 0
			for _, arg := range s.args {
				if arg == "ours" {
					got++
				}
			}
			if driver == "mysql" && !strings.HasPrefix(s.text, "INSERT INTO `people`") && !strings.HasPrefix(s.text, "INSERT INTO `team`") {
				want *= 2 // it is compared as text, too
			}
			if got != want {
				t.Errorf("%s, %s: the fixed value is bound %d times, want %d:\n%s", driver, s.name, got, want, s.text)
			}
		}
	}
}

// At most 1,000 parameters go with one statement.
func TestFewEnoughParameters(t *testing.T) {
	t.Parallel()
	ids := make([]string, mostParams)
	for _, driver := range allDrivers {
		a := built(t, driver, "")
		d := a.engine.dialect()
		for _, st := range []statement{d.addMembers(a.members, a.groups, a.users, "", ids), d.removeMembers(a.members, a.groups, a.users, "", ids), d.values(a.users.lists[0], ids), d.ours(a.users, ids, true)} {
			if len(st.args) > 1000 {
				t.Errorf("%s: %d parameters", driver, len(st.args))
			}
		}
	}
}

// skeleton is a statement without its quoted names: what of it the database takes for SQL.
func skeleton(d *dialect, text string) string {
	var out strings.Builder
	for len(text) > 0 {
		if !strings.HasPrefix(text, d.open) {
			out.WriteByte(text[0])
			text = text[1:]
			continue
		}
		text = text[len(d.open):]
		for {
			end := strings.Index(text, d.close)
			if end < 0 {
				return out.String() + "<a name without an end>"
			}
			if text = text[end+len(d.close):]; !strings.HasPrefix(text, d.close) {
				break
			}
			text = text[len(d.close):]
		}
		out.WriteString("<name>")
	}
	return out.String()
}

// Whatever names and values are, what the database takes for SQL is the same.
func FuzzNothingIsInjected(f *testing.F) {
	for _, seed := range []string{"", "a", `"`, `""`, "`", "[x]]", "'; DROP TABLE people; --", "a\\", "$1", "?", "\x00", "é", ".", "*/"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		for _, driver := range allDrivers {
			plain, hostile := built(t, driver, "").all("id", "value"), built(t, driver, strings.ReplaceAll(name, ".", "_")).all(value, value)
			d := engines[driver].dialect()
			for i := range plain {
				if want, got := skeleton(d, plain[i].text), skeleton(d, hostile[i].text); got != want {
					t.Errorf("%s, %s:\n%s\n%s", driver, plain[i].name, want, got)
				}
				if len(plain[i].args) != len(hostile[i].args) {
					t.Errorf("%s, %s: %d parameters and %d", driver, plain[i].name, len(plain[i].args), len(hostile[i].args))
				}
			}
		}
	})
}

func TestOverrides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		driver, text, want string
		params             []string
	}{
		{"postgres", "select app.make(:userName, :externalId::text, ':no', \":no\", $$ :no $$, $q$ :no $q$) -- :no", "select app.make($1, $2::text, ':no', \":no\", $$ :no $$, $q$ :no $q$) -- :no", []string{"userName", "externalId"}},
		{"postgres", "update a set b = :name.familyName /* :no */ where id = :id;", "update a set b = $1 /* :no */ where id = $2", []string{"name.familyName", "id"}},
		{"mysql", `insert into a values (:userName, 'it\'s :no', "\" :no", :userName) # :no`, `insert into a values (?, 'it\'s :no', "\" :no", ?) # :no`, []string{"userName", "userName"}},
		{"sqlite", "insert into a values (:{emails[type eq \"work\"].value}, 'it''s :no')", "insert into a values (?, 'it''s :no')", []string{`emails[type eq "work"].value`}},
		{"sqlserver", "exec make :userName, [a:no]", "exec make @p1, [a:no]", []string{"userName"}},
	} {
		d := engines[c.driver].dialect()
		o, err := parseOverride(c.text, d)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		st := o.fill(d, func(name string) any { return name })
		if st.text != c.want || !slices.Equal(o.params, c.params) || len(st.args) != len(c.params) {
			t.Errorf("got %q with %q, want %q with %q", st.text, st.args, c.want, c.params)
		}
	}
	for text, want := range map[string]string{
		"": "empty", "select 1; drop table a": "more than one", "select 'x": "without an end", "select /* x": "without an end", "select $1": "without a name", "select \x00": "no text",
	} {
		if _, err := parseOverride(text, postgresDialect); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// What a statement is taken apart into is the statement.
func FuzzOverride(f *testing.F) {
	for _, seed := range []string{"select :a", "a ':b' \":c\" -- :d", "$x$ :a $x$", ":{x}", "::a", ":=", "/* */", "\\'", ";"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, driver := range allDrivers {
			o, err := parseOverride(text, engines[driver].dialect())
			if err != nil {
				continue
			}
			rest := text
			for i, piece := range o.pieces {
				at := strings.Index(rest, piece)
				if at < 0 || i < len(o.params) && !strings.Contains(rest[at+len(piece):], o.params[i]) {
					t.Fatalf("%q: the piece %q is not part of it", text, piece)
				}
				rest = rest[at+len(piece):]
			}
			if strings.Contains(o.pieces[len(o.pieces)-1], "\x00") {
				t.Fatalf("%q holds a NUL", text)
			}
		}
	})
}
