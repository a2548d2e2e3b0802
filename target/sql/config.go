package sql

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"entrasync/target"
)

// Config says which database and how its tables hold users and groups. The tags of the types below are those that
// target/all describes: the configuration is decoded by them.
type Config struct {
	Driver      string        // postgres, mysql, sqlite or sqlserver
	DSN         target.Secret // connection string, in the form of the driver
	Folder      string        // what the path of a SQLite file is relative to
	Users       Users
	Groups      *Groups
	Statements  map[string]string // replace an operation's own, see statementNames
	Timeout     time.Duration     // of one operation; 0: a minute
	Concurrency int               // most connections; 0: 4
}

// Text is a value that may be written as text, number or boolean.
type Text string

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Text) UnmarshalText(text []byte) error {
	*t = Text(text)
	return nil
}

// Users say how a table holds users.
type Users struct {
	Table   string            `yaml:"table" required:"true" doc:"The table, such as app.people. {tenant} stands for the tenant's name, or its id when it joined by consent."`
	ID      ID                `yaml:"id" doc:"The column that identifies a row for good. Default: id, which the database generates."`
	Columns map[string]string `yaml:"columns" required:"true" doc:"Column of each attribute, such as userName: login."`
	Active  Active            `yaml:"active" doc:"How the table says that a user may sign in."`
	Lists   map[string]List   `yaml:"lists" doc:"Multi-valued attributes with a table of their own, a row for each value."`
	Fixed   map[string]Text   `yaml:"fixed" doc:"Columns with a value that never changes: written into each new row, and part of every condition. Rows with another value are not read or written. {tenant} is replaced."`
	Delete  Delete            `yaml:"delete" doc:"row (the default) deletes the row; column names one that gets the time instead, and rows with a time count as gone."`
}

// Groups say how a table holds groups.
type Groups struct {
	Table   string            `yaml:"table" required:"true" doc:"The table, such as app.team. {tenant} stands for the tenant's name, or its id when it joined by consent."`
	ID      ID                `yaml:"id" doc:"The column that identifies a row for good. Default: id, which the database generates."`
	Columns map[string]string `yaml:"columns" required:"true" doc:"Column of each attribute, such as displayName: name."`
	Fixed   map[string]Text   `yaml:"fixed" doc:"Columns with a value that never changes: written into each new row, and part of every condition. {tenant} is replaced."`
	Delete  Delete            `yaml:"delete" doc:"row (the default) deletes the row; column names one that gets the time instead."`
	Members *Members          `yaml:"members" doc:"The table of memberships. Without it groups have no members."`
}

// ID is the column that identifies a row.
type ID struct {
	Column    string `yaml:"column" doc:"Name of the column. Default: id."`
	Generated string `yaml:"generated" enum:"database" oneof:"origin" doc:"database: the database makes the value (the default)."`
	Value     string `yaml:"value" enum:"uuid" oneof:"origin" doc:"uuid: entrasync makes a random UUID."`
}

// Active is how a table says who may sign in.
type Active struct {
	Column string `yaml:"column" doc:"Name of the column."`
	True   Text   `yaml:"true" doc:"Value of users who may sign in; now writes the time. Default: true, or no value where false is now."`
	False  Text   `yaml:"false" doc:"Value of users who may not; now writes the time. Default: false, or no value where true is now."`
}

// List is a table with the values of one attribute.
type List struct {
	Table string `yaml:"table" required:"true" doc:"The table, a row for each value."`
	Owner string `yaml:"owner" required:"true" doc:"Column with the id of the user."`
	Value string `yaml:"value" required:"true" doc:"Column with the value."`
}

// Members is the table of memberships.
type Members struct {
	Table string `yaml:"table" required:"true" doc:"The table, a row for each membership."`
	Group string `yaml:"group" required:"true" doc:"Column with the id of the group."`
	User  string `yaml:"user" required:"true" doc:"Column with the id of the user."`
}

// Delete is what happens to the row of what is deleted.
type Delete struct {
	Column string `yaml:"column" required:"true" doc:"Column that gets the time of the deletion; rows with a time count as gone."`
}

// UnmarshalText implements encoding.TextUnmarshaler, for the form that is one word.
func (d *Delete) UnmarshalText(text []byte) error {
	if string(text) != "row" {
		return errors.New("write row, or {column: deleted_at}")
	}
	return nil
}

// A table is a mapping that is ready for use.
type table struct {
	kind    target.Kind
	name    string
	id      string
	uuid    bool     // entrasync makes ids
	columns []column // shorter paths first
	active  *active
	lists   []list
	fixed   []fixed
	deleted string // column; "": rows are deleted
}

type column struct {
	path target.Path
	name string
}

type fixed struct{ name, value string }

type list struct {
	path target.Path
	List
}

// An active column. A state whose text is nil is that of a column without a value.
type active struct {
	column  string
	on, off *string
	now     bool // the state that has a value has the time
	natural bool // true and false of the database
}

func (u Users) table(kind target.Kind) *table {
	t := &table{kind: kind, name: u.Table, id: u.ID.name(), uuid: u.ID.Value == "uuid", columns: columnsOf(u.Columns), fixed: fixedOf(u.Fixed), deleted: u.Delete.Column}
	t.active = u.Active.compile()
	for _, path := range slices.Sorted(maps.Keys(u.Lists)) {
		if p, err := target.ParsePath(path); err == nil {
			t.lists = append(t.lists, list{p, u.Lists[path]})
		}
	}
	return t
}

func (g Groups) table() *table {
	return Users{Table: g.Table, ID: g.ID, Columns: g.Columns, Fixed: g.Fixed, Delete: g.Delete}.table(target.Group)
}

func (i ID) name() string {
	if i.Column == "" {
		return "id"
	}
	return i.Column
}

func (c Active) compile() *active {
	if c.Column == "" {
		return nil
	}
	a := &active{column: c.Column}
	text := func(t Text) *string {
		s := string(t)
		return &s
	}
	switch {
	case c.False == "now":
		a.now, a.off = true, text(c.False)
	case c.True == "now":
		a.now, a.on = true, text(c.True)
	default:
		a.natural = c.True == "" && c.False == ""
		a.on, a.off = text(c.True), text(c.False)
	}
	return a
}

func columnsOf(columns map[string]string) (all []column) {
	for path, name := range columns {
		if p, err := target.ParsePath(path); err == nil {
			all = append(all, column{p, name})
		}
	}
	slices.SortFunc(all, func(a, b column) int {
		if n := len(a.path.Canonical()) - len(b.path.Canonical()); n != 0 {
			return n
		}
		return strings.Compare(a.path.Canonical(), b.path.Canonical())
	})
	return all
}

func fixedOf(values map[string]Text) (all []fixed) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, fixed{name, string(values[name])})
	}
	return all
}

func (t *table) fixedWords() (words []string) {
	for _, f := range t.fixed {
		words = append(words, f.name+"="+f.value)
	}
	return words
}

// names are all columns that statements name.
func (t *table) names() []string {
	all := []string{t.id}
	for _, c := range t.columns {
		all = append(all, c.name)
	}
	if t.active != nil {
		all = append(all, t.active.column)
	}
	for _, f := range t.fixed {
		all = append(all, f.name)
	}
	if t.deleted != "" {
		all = append(all, t.deleted)
	}
	return all
}

// columnOf returns the column of an attribute.
func (t *table) columnOf(path target.Path) (column, bool) {
	i := slices.IndexFunc(t.columns, func(c column) bool { return c.path.Equal(path) })
	if i < 0 {
		return column{}, false
	}
	return t.columns[i], true
}

// listOf returns the list of an attribute.
func (t *table) listOf(path target.Path) (list, bool) {
	i := slices.IndexFunc(t.lists, func(l list) bool { return l.path.Equal(path) })
	if i < 0 {
		return list{}, false
	}
	return t.lists[i], true
}
