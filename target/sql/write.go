package sql

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"entrasync/target"
)

// Create implements [target.Adapter].
func (a *Adapter) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (made *target.Resource, err error) {
	op := opName("create", kind)
	t, err := a.table(op, kind)
	if err != nil {
		return nil, err
	}
	in := changing
	if own := a.overrides[string(kind)+".create"]; own == nil && a.engine.dialect().alone && !writesLists(t, attributes) {
		in = alone
	}
	err = in(ctx, a, op, func(s *session) error {
		d, err := s.described(t)
		if err != nil {
			return err
		}
		c, refused := a.changeOf(op, t, d, attributes, true)
		if len(refused) > 0 {
			return refused[0] // half an account helps no one
		}
		made, err = s.create(op, t, d, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

func writesLists(t *table, attributes []target.Attribute) bool {
	return slices.ContainsFunc(attributes, func(a target.Attribute) bool {
		_, ok := t.listOf(a.Path)
		return ok && a.Value != nil
	})
}

func (s *session) create(op string, t *table, d *described, c change) (*target.Resource, error) {
	id := ""
	if t.uuid {
		id = uuid.NewString()
		c.columns = append(c.columns, assignment{column: t.id, value: id})
	}
	made, err := s.insert(op, t, d, c, id)
	if err != nil {
		return nil, err
	}
	for _, l := range c.lists {
		for _, value := range l.values {
			if _, err := s.exec(s.dialect().addValue(l.list, made.ID, value)); err != nil {
				return nil, err
			}
		}
		if len(l.values) > 0 {
			l.list.show(made.Attributes, l.values)
		}
	}
	return made, nil
}

// insert makes a row and returns it as it is then. One that the target's own conditions do not show is not kept: its
// account would be made again in every cycle.
func (s *session) insert(op string, t *table, d *described, c change, id string) (*target.Resource, error) {
	dialect := s.dialect()
	if own := s.a.overrides[string(t.kind)+".create"]; own != nil {
		row := map[string]any{}
		for _, set := range c.columns {
			row[set.column] = set.value
		}
		rows, err := s.rows(own.fill(dialect, func(name string) any { return t.value(name, map[string]any{"id": orNil(id)}, row) }))
		if err != nil {
			return nil, err
		}
		if id == "" {
			if len(rows) != 1 || !rows[0][0].Valid {
				return nil, &target.Error{Op: op, Code: target.Rejected, Message: fmt.Sprintf("statements.%s.create returned no id", t.kind), Hint: "its first column is the id of the new row: end it with RETURNING id"}
			}
			id = rows[0][0].String
		}
		return s.visible(op, t, d, id)
	}
	st := dialect.insert(t, c.columns)
	if !dialect.returning && !dialect.output {
		result, err := s.send(st)
		if err != nil {
			return nil, err
		}
		if id == "" {
			number, err := result.LastInsertId()
			if err != nil || number == 0 {
				return nil, &target.Error{Op: op, Code: target.Rejected, Message: "the database made no id", Hint: "make " + t.id + " an AUTO_INCREMENT column, or write id: {column: " + t.id + ", value: uuid}"}
			}
			id = fmt.Sprint(number)
		}
		return s.visible(op, t, d, id)
	}
	rows, err := s.rows(st)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		return nil, &target.Error{Op: op, Code: target.Rejected, Message: "the database made no row", Hint: "look for a trigger or rule on " + t.name + " that takes it away"}
	}
	r := t.resource(d, rows[0])
	if r.ID == "" {
		return nil, &target.Error{Op: op, Code: target.Rejected, Message: "the database made no id", Hint: "give " + t.id + " a default, or write id: {column: " + t.id + ", value: uuid}"}
	}
	return &r, nil
}

func orNil(id string) any {
	if id == "" {
		return nil
	}
	return id
}

// visible reads a new row by the conditions of every statement.
func (s *session) visible(op string, t *table, d *described, id string) (*target.Resource, error) {
	r, err := s.get(op, t, d, target.Ref{Kind: t.kind, ID: id})
	if target.CodeOf(err) == target.NotFound {
		return nil, &target.Error{Op: op, Code: target.Rejected, Message: fmt.Sprintf("the new row is not one of this target's: read back by its id %.100q and the fixed columns, it is not there", id),
			Hint: "see that the values under fixed are written as the database shows them, and that no trigger changes them"}
	}
	return r, err
}

// Update implements [target.Adapter]. Where several attributes are refused together, each is written alone, so that those
// that can be are.
func (a *Adapter) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	op := opName("update", ref.Kind)
	t, err := a.table(op, ref.Kind)
	if err != nil || len(attributes) == 0 {
		return nil, err
	}
	after, err := a.update(ctx, op, t, ref, attributes)
	code := target.CodeOf(err)
	if err == nil || len(attributes) == 1 || code != target.Rejected && code != target.Conflict || after != nil {
		return after, err
	}
	var errs []error
	for _, one := range attributes {
		shown, err := a.update(ctx, op, t, ref, []target.Attribute{one})
		if shown != nil {
			after = shown
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return after, joined(errs)
}

func joined(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// update writes attributes in one transaction. With a resource the error is about attributes that the row does not show
// as they were written.
func (a *Adapter) update(ctx context.Context, op string, t *table, ref target.Ref, attributes []target.Attribute) (after *target.Resource, err error) {
	in := changing
	if a.overrides[string(t.kind)+".update"] == nil && a.engine.dialect().alone && len(t.lists) == 0 {
		in = alone
	}
	var c change
	err = in(ctx, a, op, func(s *session) error {
		d, err := s.described(t)
		if err != nil {
			return err
		}
		var refused []error
		if c, refused = a.changeOf(op, t, d, attributes, false); len(refused) > 0 {
			return joined(refused)
		}
		after, err = s.update(op, t, d, ref, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return after, joined(target.Doubts(op, "the database", "look for a trigger on the table, or a column whose type changes the value", after, c.paths))
}

func (s *session) update(op string, t *table, d *described, ref target.Ref, c change) (*target.Resource, error) {
	dialect := s.dialect()
	own := s.a.overrides[string(t.kind)+".update"]
	if len(c.columns) > 0 && own == nil && (dialect.returning || dialect.output) {
		rows, err := s.rows(dialect.update(t, ref.ID, c.columns))
		if s.a.is(err, malformed) && !s.exists(t, ref) || err == nil && len(rows) == 0 {
			return nil, missing(op, ref)
		}
		if err != nil {
			return nil, err
		}
		if len(rows) > 1 {
			return nil, &target.Error{Op: op, Code: target.Rejected, Message: fmt.Sprintf("%d rows have the id %.100q", len(rows), target.Clean(ref.ID)), Hint: "id of the target must name a column that is unique"}
		}
		if len(t.lists) == 0 {
			r := t.resource(d, rows[0])
			return &r, nil
		}
	} else if err := s.updateColumns(op, t, d, ref, c, own); err != nil {
		return nil, err
	}
	for _, l := range c.lists {
		if err := s.writeList(t, l, ref.ID); err != nil {
			return nil, err
		}
	}
	return s.get(op, t, d, ref)
}

// exists reports whether a row is there whose id has the form of the table's ids.
func (s *session) exists(t *table, ref target.Ref) bool {
	rows, err := (&session{s.a, s.h, s.h.db, s.timeout}).rows(s.dialect().get(t, ref.ID))
	return err != nil && !s.a.is(err, malformed) || len(rows) > 0
}

func (s *session) updateColumns(op string, t *table, d *described, ref target.Ref, c change, own *override) error {
	if own == nil && len(c.columns) > 0 {
		n, err := s.exec(s.dialect().update(t, ref.ID, c.columns))
		if s.a.is(err, malformed) || err == nil && n == 0 {
			return missing(op, ref)
		}
		return err
	}
	r, err := s.get(op, t, d, ref) // that the row is ours is proved before a statement of the configuration runs
	if err != nil || own == nil || len(c.columns) == 0 {
		return err
	}
	row := map[string]any{}
	for _, column := range t.columns {
		row[column.name] = column.path.Get(r.Attributes)
	}
	if t.active != nil {
		if set, err := t.active.assign(op, s.dialect(), d, r.Attributes["active"], false); err == nil {
			row[t.active.column] = set.value
		}
	}
	for _, set := range c.columns {
		row[set.column] = set.value
	}
	_, err = s.exec(own.fill(s.dialect(), func(name string) any { return t.value(name, map[string]any{"id": ref.ID}, row) }))
	return err
}

// writeList makes a user's values those of a change, and leaves the rows of values that stay.
func (s *session) writeList(t *table, l listChange, owner string) error {
	all, err := s.values(l.list, []string{owner})
	if err != nil {
		return err
	}
	has := all[owner]
	for _, value := range has {
		if !slices.Contains(l.values, value) {
			if _, err := s.exec(s.dialect().removeValue(l.list, t, owner, value)); err != nil {
				return err
			}
		}
	}
	for _, value := range l.values {
		if !slices.Contains(has, value) {
			if _, err := s.exec(s.dialect().addValue(l.list, owner, value)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Delete implements [target.Adapter].
func (a *Adapter) Delete(ctx context.Context, ref target.Ref) error {
	op := opName("delete", ref.Kind)
	t, err := a.table(op, ref.Kind)
	if err != nil {
		return err
	}
	err = changing(ctx, a, op, func(s *session) error {
		if own := a.overrides[string(ref.Kind)+".delete"]; own != nil {
			d, err := s.described(t)
			if err == nil {
				_, err = s.get(op, t, d, ref) // only a row that is ours
			}
			if err != nil {
				return err
			}
			_, err = s.exec(own.fill(s.dialect(), func(name string) any { return t.value(name, map[string]any{"id": ref.ID}, nil) }))
			return err
		}
		for _, st := range a.detachments(t, ref) {
			if _, err := s.exec(st); err != nil {
				return gone(a, op, ref, err)
			}
		}
		_, err := s.exec(s.dialect().remove(t, ref.ID))
		return gone(a, op, ref, err)
	})
	if err != nil && target.CodeOf(err) == target.NotFound {
		return nil
	}
	return err
}

// gone turns the complaint about an id that no row can have into that of a row that is missing.
func gone(a *Adapter, op string, ref target.Ref, err error) error {
	if a.is(err, malformed) {
		return missing(op, ref)
	}
	return err
}

// detachments delete what refers to a row that is deleted: memberships and values of lists.
func (a *Adapter) detachments(t *table, ref target.Ref) (all []statement) {
	d := a.engine.dialect()
	if m := a.members; m != nil {
		column := m.User
		if ref.Kind == target.Group {
			column = m.Group
		}
		all = append(all, d.detach(m.Table, column, t, ref.ID))
	}
	if t.deleted == "" {
		for _, l := range t.lists {
			all = append(all, d.detach(l.Table, l.Owner, t, ref.ID))
		}
	}
	return all
}
