package sql

import (
	"fmt"
	"strconv"
	"strings"
)

// A statement is ready to be sent.
type statement struct {
	text string
	args []any
}

// A build makes a statement. Every value that it is given becomes a parameter.
type build struct {
	d    *dialect
	text strings.Builder
	args []any
}

func (d *dialect) build(words ...string) *build {
	b := &build{d: d}
	b.add(words...)
	return b
}

func (b *build) add(words ...string) *build {
	for _, w := range words {
		b.text.WriteString(w)
	}
	return b
}

// bind returns the mark of a parameter.
func (b *build) bind(value any) string {
	b.args = append(b.args, value)
	return b.d.mark(len(b.args))
}

func (b *build) done() statement { return statement{b.text.String(), b.args} }

// An assignment is a value for a column: a parameter, or an expression that this package wrote.
type assignment struct {
	column string
	value  any
	expr   func(d *dialect, column string) string
}

// nowOnce gives a column the time unless it has one: applied twice it is the same as once.
func nowOnce(_ *dialect, column string) string {
	return "COALESCE(" + column + ", CURRENT_TIMESTAMP)"
}

// now is for a new row, which has no time yet.
func now(*dialect, string) string { return "CURRENT_TIMESTAMP" }

// shown are the expressions that a row is read by: its id, then its columns and who is active, all as text.
func (d *dialect) shown(t *table, alias string) []string {
	all := []string{d.text(alias + d.quote(t.id))}
	for _, c := range t.columns {
		all = append(all, d.text(alias+d.quote(c.name)))
	}
	if t.active != nil {
		all = append(all, d.text(alias+d.quote(t.active.column)))
	}
	return all
}

// owned adds the conditions of every statement: only rows that the configuration's fixed columns make ours, and, where
// living is set, no row that counts as deleted.
func (b *build) owned(t *table, alias string, living bool) *build {
	for _, f := range t.fixed {
		column := alias + b.d.quote(f.name)
		b.add(" AND ", column, " = ", b.bind(f.value))
		if b.d.coerces {
			b.add(" AND ", b.d.exact(column, b.bind(f.value)))
		}
	}
	if living && t.deleted != "" {
		b.add(" AND ", alias, b.d.quote(t.deleted), " IS NULL")
	}
	return b
}

// row adds the conditions of one row: its id is exactly this text.
func (b *build) row(t *table, id string, living bool) *build {
	column := b.d.quote(t.id)
	b.add(" WHERE ", column, " = ", b.bind(id), " AND ", b.d.exact(column, b.bind(id)))
	return b.owned(t, "", living)
}

// get reads a row.
func (d *dialect) get(t *table, id string) statement {
	return d.build("SELECT ", strings.Join(d.shown(t, ""), ", "), " FROM ", d.table(t.name)).row(t, id, true).done()
}

// find reads the rows whose column has a value, in any case where folded is set.
func (d *dialect) find(t *table, column, value string, folded bool) statement {
	b := d.build("SELECT ", strings.Join(d.shown(t, ""), ", "), " FROM ", d.table(t.name), " WHERE ")
	if folded {
		b.add("lower(", d.quote(column), ") = ", d.fold(b.bind(value)))
	} else {
		b.add(d.quote(column), " = ", b.bind(value))
	}
	return b.owned(t, "", true).done()
}

// page reads at most n rows behind the one with an id; after is nil for the first.
func (d *dialect) page(t *table, after any, n int) statement {
	top, tail := "", " LIMIT "+strconv.Itoa(n)
	if d.output {
		top, tail = fmt.Sprintf("TOP (%d) ", n), ""
	}
	// Qualified, because a database may name the text of a column as the column. The id as it is, too: a text would not
	// be compared as the database orders its ids.
	id := "r." + d.quote(t.id)
	b := d.build("SELECT ", top, id, ", ", strings.Join(d.shown(t, "r."), ", "), " FROM ", d.table(t.name), " r WHERE ", id, " IS NOT NULL")
	if after != nil {
		b.add(" AND ", id, " > ", b.bind(after))
	}
	return b.owned(t, "r.", true).add(" ORDER BY ", id, tail).done()
}

// count counts the rows that pages list.
func (d *dialect) count(t *table) statement {
	return d.build("SELECT count(*) FROM ", d.table(t.name), " WHERE ", d.quote(t.id), " IS NOT NULL").owned(t, "", true).done()
}

// insert makes a row. The fixed columns are added.
func (d *dialect) insert(t *table, values []assignment) statement {
	b := d.build("INSERT INTO ", d.table(t.name))
	var names, marks []string
	for _, v := range values {
		names = append(names, d.quote(v.column))
		if v.expr != nil {
			marks = append(marks, v.expr(d, d.quote(v.column)))
		} else {
			marks = append(marks, b.bind(v.value))
		}
	}
	for _, f := range t.fixed {
		names, marks = append(names, d.quote(f.name)), append(marks, b.bind(f.value))
	}
	output := ""
	if d.output {
		output = " OUTPUT " + strings.Join(d.shown(t, "INSERTED."), ", ")
	}
	if len(names) == 0 {
		b.add(output, " ", d.emptyRow)
	} else {
		b.add(" (", strings.Join(names, ", "), ")", output, " VALUES (", strings.Join(marks, ", "), ")")
	}
	if d.returning {
		b.add(" RETURNING ", strings.Join(d.shown(t, ""), ", "))
	}
	return b.done()
}

// update writes columns of a row.
func (d *dialect) update(t *table, id string, values []assignment) statement {
	b := d.build("UPDATE ", d.table(t.name), " SET ")
	for i, v := range values {
		if i > 0 {
			b.add(", ")
		}
		name := d.quote(v.column)
		if v.expr != nil {
			b.add(name, " = ", v.expr(d, name))
		} else {
			b.add(name, " = ", b.bind(v.value))
		}
	}
	if d.output {
		b.add(" OUTPUT ", strings.Join(d.shown(t, "INSERTED."), ", "))
	}
	b.row(t, id, true)
	if d.returning {
		b.add(" RETURNING ", strings.Join(d.shown(t, ""), ", "))
	}
	return b.done()
}

// remove deletes a row, or gives it the time of its deletion.
func (d *dialect) remove(t *table, id string) statement {
	if t.deleted == "" {
		return d.build("DELETE FROM ", d.table(t.name)).row(t, id, true).done()
	}
	name := d.quote(t.deleted)
	return d.build("UPDATE ", d.table(t.name), " SET ", name, " = CURRENT_TIMESTAMP").row(t, id, true).done()
}

// chosen adds a sub-select of one row's id, where it is ours.
func (b *build) chosen(t *table, id string, living bool) *build {
	return b.add("(SELECT ", b.d.quote(t.id), " FROM ", b.d.table(t.name)).row(t, id, living).add(")")
}

// detach deletes the rows of another table that belong to one row of ours: memberships, or values of a list.
func (d *dialect) detach(from, column string, t *table, id string) statement {
	return d.build("DELETE FROM ", d.table(from), " WHERE ", d.quote(column), " IN ").chosen(t, id, true).done()
}

// in adds a list of parameters.
func (b *build) in(values []string) *build {
	for i, v := range values {
		if i == 0 {
			b.add("(")
		} else {
			b.add(", ")
		}
		b.add(b.bind(v))
	}
	return b.add(")")
}

// ours reads which of the ids are those of our rows, as the database writes them.
func (d *dialect) ours(t *table, ids []string, living bool) statement {
	return d.build("SELECT ", d.text(d.quote(t.id)), " FROM ", d.table(t.name), " WHERE ", d.quote(t.id), " IN ").in(ids).owned(t, "", living).done()
}

// addMembers makes memberships of users that are ours in a group that is ours, but for those that are there.
func (d *dialect) addMembers(m *Members, groups, users *table, group string, ids []string) statement {
	g, u := d.quote(m.Group), d.quote(m.User)
	b := d.build("INSERT INTO ", d.table(m.Table), " (", g, ", ", u, ") SELECT g.", d.quote(groups.id), ", u.", d.quote(users.id),
		" FROM ", d.table(groups.name), " g CROSS JOIN ", d.table(users.name), " u WHERE g.", d.quote(groups.id), " = ")
	b.add(b.bind(group)).owned(groups, "g.", true).add(" AND u.", d.quote(users.id), " IN ").in(ids).owned(users, "u.", true)
	return b.add(" AND NOT EXISTS (SELECT 1 FROM ", d.table(m.Table), " m WHERE m.", g, " = g.", d.quote(groups.id),
		" AND m.", u, " = u.", d.quote(users.id), ")").done()
}

// removeMembers deletes memberships of users that are ours.
func (d *dialect) removeMembers(m *Members, groups, users *table, group string, ids []string) statement {
	b := d.build("DELETE FROM ", d.table(m.Table), " WHERE ", d.quote(m.Group), " IN ").chosen(groups, group, true)
	b.add(" AND ", d.quote(m.User), " IN (SELECT ", d.quote(users.id), " FROM ", d.table(users.name), " WHERE ", d.quote(users.id), " IN ").in(ids)
	return b.owned(users, "", false).add(")").done()
}

// readMembers reads the ids of a group's members that are ours.
func (d *dialect) readMembers(m *Members, groups, users *table, group string) statement {
	b := d.build("SELECT ", d.text("u."+d.quote(users.id)), " FROM ", d.table(m.Table), " m JOIN ", d.table(users.name), " u ON u.", d.quote(users.id),
		" = m.", d.quote(m.User), " WHERE m.", d.quote(m.Group), " IN ").chosen(groups, group, true)
	return b.owned(users, "u.", true).done()
}

// values reads the values of a list for some users.
func (d *dialect) values(l list, owners []string) statement {
	return d.build("SELECT ", d.text(d.quote(l.Owner)), ", ", d.text(d.quote(l.Value)), " FROM ", d.table(l.Table), " WHERE ", d.quote(l.Owner), " IN ").in(owners).done()
}

// addValue and removeValue change one value of a list.
func (d *dialect) addValue(l list, owner, value string) statement {
	b := d.build("INSERT INTO ", d.table(l.Table), " (", d.quote(l.Owner), ", ", d.quote(l.Value), ") VALUES (")
	return b.add(b.bind(owner), ", ", b.bind(value), ")").done()
}

func (d *dialect) removeValue(l list, t *table, owner, value string) statement {
	b := d.build("DELETE FROM ", d.table(l.Table), " WHERE ", d.quote(l.Owner), " IN ").chosen(t, owner, true)
	return b.add(" AND ", d.quote(l.Value), " = ", b.bind(value)).done()
}
