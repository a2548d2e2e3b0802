package sql

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"entrasync/target"
)

// Probe implements [target.Adapter]. It looks whether tables, columns and privileges are there, and has the database
// read every statement without running it.
func (a *Adapter) Probe(ctx context.Context, paths map[target.Kind][]target.Path) (*target.Profile, error) {
	const op = "probe"
	profile := &target.Profile{Kinds: map[target.Kind]bool{}, Patch: true, Filter: true, PageSize: pageSize, Unknown: map[string]bool{}, Name: a.engine.dialect().name}
	err := reading(ctx, a, op, func(s *session) error {
		tables := map[*table]*described{}
		var lacking []string
		for _, t := range a.tables() {
			profile.Kinds[t.kind] = true
			d, err := s.described(t)
			if err != nil {
				return err
			}
			tables[t] = d
			lacking = append(lacking, lacks(t, d)...)
		}
		more, err := s.lacksElsewhere()
		if err != nil {
			return err
		}
		if lacking = append(lacking, more...); len(lacking) > 0 {
			a.forget() // it may have been made when this is asked again
			return &target.Error{Op: op, Code: target.NotSCIM, Message: "the database does not fit the target's configuration: " + strings.Join(lacking, "; "), Hint: "correct the names in the configuration, which are those of the database letter by letter, or the connection's database and schema"}
		}
		if err := s.privileges(op); err != nil {
			return err
		}
		for _, t := range a.tables() {
			profile.Notes = append(profile.Notes, remarks(t, tables[t], a.engine.dialect(), a.overrides[string(t.kind)+".create"] != nil)...)
			for _, path := range paths[t.kind] {
				if !t.has(path) {
					profile.Unknown[path.String()] = true
					profile.Notes = append(profile.Notes, fmt.Sprintf("%ss.columns names no column for %s: no %s can be created until it does, or until the mapping leaves it out", t.kind, path, t.kind))
				}
			}
		}
		profile.Statements = a.statements()
		return s.prepared(op)
	})
	if err != nil {
		return nil, err
	}
	return profile, nil
}

func (a *Adapter) tables() []*table {
	if a.groups == nil {
		return []*table{a.users}
	}
	return []*table{a.users, a.groups}
}

// forget drops what is known of tables.
func (a *Adapter) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open != nil {
		a.open.mu.Lock()
		clear(a.open.tables)
		a.open.mu.Unlock()
	}
}

// has reports whether an attribute can be written.
func (t *table) has(path target.Path) bool {
	if t.active != nil && path.Equal(activePath) {
		return true
	}
	if _, ok := t.listOf(path); ok {
		return true
	}
	return slices.ContainsFunc(t.columns, func(c column) bool { return c.path.Equal(path) || c.path.Whole().Equal(path) })
}

// lacks names what a table does not have.
func lacks(t *table, d *described) (all []string) {
	if len(d.columns) == 0 {
		return []string{fmt.Sprintf("there is no table %s that can be read", t.name)}
	}
	for _, name := range t.names() {
		if d.columns[name] == nil {
			text := fmt.Sprintf("%s has no column %s", t.name, name)
			if near := target.Near(name, slices.Sorted(maps.Keys(d.columns))); near != "" {
				text += " (did you mean " + near + "?)"
			} else if i := slices.IndexFunc(slices.Sorted(maps.Keys(d.columns)), func(other string) bool { return strings.EqualFold(other, name) }); i >= 0 {
				text += " (the database writes it " + slices.Sorted(maps.Keys(d.columns))[i] + ")"
			}
			all = append(all, text)
		}
	}
	return all
}

// lacksElsewhere names what the tables of lists and memberships do not have.
func (s *session) lacksElsewhere() (all []string, err error) {
	look := func(name string, columns ...string) error {
		d, err := s.a.engine.describe(s.timeout, s.runner, name)
		if err != nil {
			return err
		}
		if len(d.columns) == 0 {
			all = append(all, fmt.Sprintf("there is no table %s that can be read", name))
			return nil
		}
		for _, column := range columns {
			if d.columns[column] == nil {
				all = append(all, fmt.Sprintf("%s has no column %s", name, column))
			}
		}
		return nil
	}
	for _, l := range s.a.users.lists {
		if err := look(l.Table, l.Owner, l.Value); err != nil {
			return nil, err
		}
	}
	if m := s.a.members; m != nil {
		err = look(m.Table, m.Group, m.User)
	}
	return all, err
}

// privileges refuses a database user who may not do what statements need.
func (s *session) privileges(op string) error {
	all := []string{"SELECT", "INSERT", "UPDATE", "DELETE"}
	wanted := map[string][]string{}
	for _, t := range s.a.tables() {
		wanted[t.name] = all
		if t.deleted != "" {
			wanted[t.name] = all[:3]
		}
	}
	rows := []string{"SELECT", "INSERT", "DELETE"}
	for _, l := range s.a.users.lists {
		wanted[l.Table] = rows
	}
	if m := s.a.members; m != nil {
		wanted[m.Table] = rows
	}
	var lacking, grants []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		missing, err := s.a.engine.denied(s.timeout, s.runner, name, wanted[name])
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			lacking = append(lacking, strings.Join(missing, ", ")+" on "+name)
			grants = append(grants, "GRANT "+strings.Join(missing, ", ")+" ON "+name+" TO …")
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return &target.Error{Op: op, Code: target.Forbidden, Message: "the database user lacks " + strings.Join(lacking, "; "), Hint: "have its administrator run: " + strings.Join(grants, "; ")}
}

// prepared has the database read all statements, in a transaction that can write and is rolled back.
func (s *session) prepared(op string) error {
	tx, err := s.h.db.BeginTx(s.timeout, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, st := range s.a.samples() {
		s.a.sent.Add(1)
		prepared, err := tx.PrepareContext(s.timeout, st.text)
		if err == nil {
			err = prepared.Close()
		}
		if err == nil {
			continue
		}
		failed := s.a.failed(op, err, false)
		if e, ok := failed.(*target.Error); ok && e.Code != target.Unavailable {
			named := *e
			named.Message = fmt.Sprintf("the database does not take the statement to %s: %s", st.name, e.Message)
			return &named
		}
		return failed
	}
	return nil
}

// A sample is a statement as it would be sent for some values.
type sample struct {
	name string
	statement
}

// samples are the statements of every operation, as they look when all columns are written.
func (a *Adapter) samples() (all []sample) {
	d := a.engine.dialect()
	add := func(name string, st statement) { all = append(all, sample{name, st}) }
	for _, t := range a.tables() {
		kind := string(t.kind)
		var set []assignment
		for _, c := range t.columns {
			set = append(set, assignment{column: c.name, value: ""})
		}
		if t.active != nil {
			off := assignment{column: t.active.column, value: ""}
			if t.active.now {
				off.expr = nowOnce
			}
			set = append(set, off)
		}
		create := slices.Clone(set)
		for i := range create {
			if create[i].expr != nil {
				create[i].expr = now
			}
		}
		if t.uuid {
			create = append(create, assignment{column: t.id, value: ""})
		}
		own := func(operation string, st statement) {
			if o := a.overrides[kind+"."+operation]; o != nil {
				st = o.fill(d, func(string) any { return nil })
			}
			add(operation+" a "+kind, st)
		}
		for _, name := range []string{"userName", "displayName"} {
			if c, ok := t.columnOf(pathOf(name)); ok {
				add("find a "+kind+" by "+name, d.find(t, c.name, "", true))
			}
		}
		add("list "+kind+"s", d.page(t, "", pageSize))
		own("create", d.insert(t, create))
		own("update", d.update(t, "", set))
		own("delete", d.remove(t, ""))
	}
	if m := a.members; m != nil {
		for name, st := range map[string]statement{"member.add": d.addMembers(m, a.groups, a.users, "", []string{""}), "member.remove": d.removeMembers(m, a.groups, a.users, "", []string{""})} {
			if o := a.overrides[name]; o != nil {
				st = o.fill(d, func(string) any { return nil })
			}
			_, verb, _ := strings.Cut(name, ".")
			add(verb+" a member", st)
		}
		add("read members", d.readMembers(m, a.groups, a.users, ""))
	}
	for _, l := range a.users.lists {
		add("add a value of "+l.path.String(), d.addValue(l, "", ""))
	}
	return all
}

// statements are the samples for people.
func (a *Adapter) statements() (all []string) {
	for _, st := range a.samples() {
		all = append(all, st.name+": "+st.text)
	}
	slices.Sort(all)
	return all
}

// remarks are what works and deserves a look.
func remarks(t *table, d *described, dialect *dialect, ownCreate bool) (notes []string) {
	var fixed []string
	for _, f := range t.fixed {
		fixed = append(fixed, f.name)
	}
	for _, c := range t.columns {
		folded := false
		switch strings.ToLower(c.path.Canonical()) {
		case "username":
			folded = true
		case "externalid":
		default:
			continue
		}
		wanted := c.name
		if folded {
			wanted = "lower(" + c.name + ")"
		}
		if !d.unique(c.name, fixed) {
			notes = append(notes, fmt.Sprintf("%s.%s has no unique index, so that two programs may create one account twice; run: %s", t.name, c.name, createIndex(dialect, t.name, fixed, wanted)))
		} else if folded && !d.unique(wanted, fixed) {
			notes = append(notes, fmt.Sprintf("the unique index on %s.%s takes upper and lower case for two names, and each look-up reads the whole table; run: %s", t.name, c.name, createIndex(dialect, t.name, fixed, wanted)))
		}
	}
	known := t.names()
	for _, name := range slices.Sorted(maps.Keys(d.columns)) {
		if f := d.columns[name]; !ownCreate && !f.nullable && !f.filled && !slices.Contains(known, name) {
			notes = append(notes, fmt.Sprintf("%s.%s must have a value and has no default, and the configuration writes none: no row can be created until it is under columns or fixed", t.name, name))
		}
	}
	if f := d.columns[t.id]; f != nil && !d.unique(t.id, nil) && !d.unique(t.id, fixed) {
		notes = append(notes, fmt.Sprintf("%s.%s, the id, has no unique index", t.name, t.id))
	}
	return notes
}

func createIndex(d *dialect, table string, fixed []string, key string) string {
	var keys []string
	for _, name := range fixed {
		keys = append(keys, d.quote(name))
	}
	if inner, ok := strings.CutPrefix(key, "lower("); ok && (d.returning) {
		keys = append(keys, "lower("+d.quote(strings.TrimSuffix(inner, ")"))+")")
	} else {
		keys = append(keys, d.quote(strings.TrimSuffix(inner, ")")))
	}
	_, short := schemaAndTable(table)
	name := short + "_" + strings.NewReplacer("lower(", "", ")", "").Replace(key) + "_key"
	return "CREATE UNIQUE INDEX " + d.quote(name) + " ON " + d.table(table) + " (" + strings.Join(keys, ", ") + ")"
}

// unique reports whether no two rows with the same fixed columns can have a key twice, in any case where the index
// compares so.
func (d *described) unique(key string, fixed []string) bool {
	return slices.ContainsFunc(d.indexes, func(i index) bool {
		if !i.unique {
			return false
		}
		found := false
		for _, k := range i.keys {
			switch {
			case strings.EqualFold(k, key), strings.EqualFold(k, "lower("+key+")"):
				found = true
			case !slices.Contains(fixed, strings.TrimSuffix(strings.TrimPrefix(k, "lower("), ")")):
				return false
			}
		}
		return found
	})
}
