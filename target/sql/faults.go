package sql

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"entrasync/target"
)

// A Fault is something wrong with a configuration.
type Fault struct {
	Key     []string // path of the key
	Message string   // begins with the key
	Hint    string
}

// statementNames are the operations that a statement may replace, and the parameters that each has besides attributes and
// columns.
var statementNames = map[string][]string{
	"user.create": {"id"}, "user.update": {"id"}, "user.delete": {"id"},
	"group.create": {"id"}, "group.update": {"id"}, "group.delete": {"id"},
	"member.add": {"group", "user"}, "member.remove": {"group", "user"},
}

type faults []Fault

func (f *faults) add(key []string, message, hint string) {
	*f = append(*f, Fault{key, strings.Join(key, ".") + " " + message, hint})
}

// Faults returns what is wrong, in the order of keys. It reads no file and asks no database.
func (c Config) Faults() []Fault {
	var f faults
	f.table("users", c.Users.table(target.User), c.Users.Columns, c.Users.Delete)
	a := c.Users.Active
	switch {
	case a.Column == "" && (a.True != "" || a.False != ""):
		f.add([]string{"users", "active", "column"}, "is missing", "name the column: active: {column: status, true: A, false: L}")
	case a.True == "now" && a.False != "", a.False == "now" && a.True != "":
		f.add([]string{"users", "active"}, "has the time for one state and a value for the other", "leave the other out: it is the state without a time")
	case a.True == a.False && a.True != "":
		f.add([]string{"users", "active"}, fmt.Sprintf("has %q for both states", a.True), "give each its own value")
	case a.True != "now" && a.False != "now" && (a.True == "") != (a.False == ""):
		f.add([]string{"users", "active"}, "says the value of one state only", "give both: active: {column: status, true: A, false: L}")
	}
	for _, path := range slices.Sorted(maps.Keys(c.Users.Lists)) {
		key, l := []string{"users", "lists", path}, c.Users.Lists[path]
		f.path(key, path)
		f.tableName(append(slices.Clone(key), "table"), l.Table)
		f.name(append(slices.Clone(key), "owner"), l.Owner)
		f.name(append(slices.Clone(key), "value"), l.Value)
		if _, both := c.Users.table(target.User).columnOf(pathOf(path)); both {
			f.add(key, "is under users.columns too", "keep one of them")
		}
	}
	if g := c.Groups; g != nil {
		f.table("groups", g.table(), g.Columns, g.Delete)
		if m := g.Members; m != nil {
			f.tableName([]string{"groups", "members", "table"}, m.Table)
			f.name([]string{"groups", "members", "group"}, m.Group)
			f.name([]string{"groups", "members", "user"}, m.User)
		}
	}
	f.statements(c)
	return f
}

func pathOf(text string) target.Path {
	p, _ := target.ParsePath(text)
	return p
}

func (f *faults) table(section string, t *table, columns map[string]string, remove Delete) {
	f.tableName([]string{section, "table"}, t.name)
	f.name([]string{section, "id", "column"}, t.id)
	paths := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(columns)) {
		key := []string{section, "columns", path}
		f.path(key, path)
		f.name(key, columns[path])
		canonical := strings.ToLower(pathOf(path).Canonical())
		if other, twice := paths[canonical]; twice && canonical != "" {
			f.add(key, "is the same attribute as "+other, "keep one of them")
		}
		paths[canonical] = path
		if canonical == "active" || canonical == "id" {
			f.add(key, "has a key of its own", "write "+section+"."+canonical+": {column: "+columns[path]+"}")
		}
	}
	for _, column := range t.fixed {
		f.name([]string{section, "fixed", column.name}, column.name)
	}
	seen := map[string]bool{}
	for _, name := range t.names() {
		if seen[name] && name != "" {
			f.add([]string{section}, fmt.Sprintf("uses the column %q twice", name), "each column has one meaning")
		}
		seen[name] = true
	}
	if remove.Column != "" {
		f.name([]string{section, "delete", "column"}, remove.Column)
	}
}

func (f *faults) path(key []string, path string) {
	if _, err := target.ParsePath(path); err != nil {
		f.add(key, "cannot be read: "+err.Error(), "such as userName, name.familyName or emails[type eq \"work\"].value")
	}
}

// tableName checks a name of at most three parts: database, schema and table.
func (f *faults) tableName(key []string, name string) {
	parts := strings.Split(name, ".")
	if len(parts) > 3 {
		f.add(key, "has more parts than database, schema and table", "write app.people")
		return
	}
	for _, part := range parts {
		f.name(key, part)
	}
}

// name checks an identifier. Any other text is quoted, and is a name for the database to know or not.
func (f *faults) name(key []string, name string) {
	switch {
	case name == "":
		f.add(key, "is no name: it is empty", "")
	case strings.ContainsRune(name, 0):
		f.add(key, "is no name: it has a NUL character", "")
	case len(name) > 256:
		f.add(key, "is longer than a database's names", "")
	}
}

func (f *faults) statements(c Config) {
	e, ok := engines[c.Driver]
	if !ok {
		return // the tags report it
	}
	for _, name := range slices.Sorted(maps.Keys(c.Statements)) {
		key := []string{"statements", name}
		own, ok := statementNames[name]
		if !ok {
			f.add(key, "is no operation", "known: "+strings.Join(slices.Sorted(maps.Keys(statementNames)), ", "))
			continue
		}
		parsed, err := parseOverride(c.Statements[name], e.dialect())
		if err != nil {
			f.add(key, err.Error(), "")
			continue
		}
		t := c.Users.table(target.User)
		if strings.HasPrefix(name, "group.") {
			if c.Groups == nil {
				f.add(key, "is about groups, and there is no section groups", "")
				continue
			}
			t = c.Groups.table()
		}
		for _, p := range parsed.names() {
			if !slices.Contains(own, p) && (strings.HasPrefix(name, "member.") || !t.knows(p)) {
				f.add(key, fmt.Sprintf("has the parameter :%s, which stands for nothing", p),
					"parameters are :"+strings.Join(own, ", :")+", attributes of the section's columns, and their columns")
			}
		}
	}
}
