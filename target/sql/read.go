package sql

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"
	"strings"

	"entrasync/target"
)

// Bounds of one statement.
const (
	pageSize   = 500
	mostParams = 900 // of ids; with what else a statement holds, no more than 1,000 parameters
)

// Find implements [target.Adapter]. What the database calls equal is compared again.
func (a *Adapter) Find(ctx context.Context, kind target.Kind, by target.Path, value string) ([]target.Resource, error) {
	op := opName("find", kind)
	t, err := a.table(op, kind)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(by.Canonical(), "id") {
		return target.FindByID(ctx, a, kind, value)
	}
	c, ok := t.columnOf(by)
	switch {
	case value == "":
		return nil, &target.Error{Op: op, Code: target.Rejected, Message: "nothing can be found by an empty " + by.String()}
	case !ok:
		return nil, &target.Error{Op: op, Code: target.Unsupported, Message: fmt.Sprintf("the target's configuration names no column for %s, so that nothing can be found by it", by),
			Hint: fmt.Sprintf("add it to %ss.columns of the target, or take it out of match", kind)}
	}
	found := []target.Resource{}
	err = reading(ctx, a, op, func(s *session) error {
		d, err := s.described(t)
		if err != nil {
			return err
		}
		exact := strings.EqualFold(by.Canonical(), "externalId") || d.fact(c.name).anyCase
		rows, err := s.rows(s.dialect().find(t, c.name, value, !exact))
		if a.is(err, malformed) {
			return nil // no value of the column's type: none has it
		}
		if err != nil {
			return err
		}
		found, err = s.resources(t, d, rows)
		found = slices.DeleteFunc(found, func(r target.Resource) bool { return !by.Holds(r.Attributes, value) })
		return err
	})
	return found, err
}

// Get implements [target.Getter].
func (a *Adapter) Get(ctx context.Context, ref target.Ref) (r *target.Resource, err error) {
	op := opName("read", ref.Kind)
	t, err := a.table(op, ref.Kind)
	if err != nil {
		return nil, err
	}
	err = reading(ctx, a, op, func(s *session) error {
		d, err := s.described(t)
		if err == nil {
			r, err = s.get(op, t, d, ref)
		}
		return err
	})
	return r, err
}

// get reads one row.
func (s *session) get(op string, t *table, d *described, ref target.Ref) (*target.Resource, error) {
	rows, err := s.rows(s.dialect().get(t, ref.ID))
	if s.a.is(err, malformed) || err == nil && len(rows) == 0 {
		return nil, missing(op, ref)
	}
	if err != nil {
		return nil, err
	}
	found, err := s.resources(t, d, rows)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, &target.Error{Op: op, Code: target.Rejected, Message: fmt.Sprintf("%d rows have the id %.100q", len(found), target.Clean(ref.ID)), Hint: "id of the target must name a column that is unique"}
	}
	return &found[0], nil
}

// resources makes resources of rows, with the values of lists.
func (s *session) resources(t *table, d *described, rows [][]stdsql.NullString) ([]target.Resource, error) {
	all := make([]target.Resource, 0, len(rows))
	var ids []string
	for _, row := range rows {
		r := t.resource(d, row)
		if r.ID == "" {
			return nil, &target.Error{Code: target.Rejected, Message: "a row has no id", Hint: "id of the target must name a column that every row has"}
		}
		all, ids = append(all, r), append(ids, r.ID)
	}
	for _, l := range t.lists {
		values, err := s.values(l, ids)
		if err != nil {
			return nil, err
		}
		for i := range all {
			if of := values[all[i].ID]; len(of) > 0 {
				l.show(all[i].Attributes, of)
			}
		}
	}
	return all, nil
}

// values reads a list's values by the id of their owner.
func (s *session) values(l list, owners []string) (map[string][]string, error) {
	all := map[string][]string{}
	for chunk := range slices.Chunk(owners, mostParams) {
		rows, err := s.rows(s.dialect().values(l, chunk))
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if row[1].Valid {
				all[row[0].String] = append(all[row[0].String], row[1].String)
			}
		}
	}
	return all, nil
}

// List implements [target.Lister]: pages behind the last id, all of one state of the database.
func (a *Adapter) List(ctx context.Context, kind target.Kind, yield func([]target.Resource) error) error {
	op := opName("list", kind) + "s"
	t, err := a.table(op, kind)
	if err != nil {
		return err
	}
	if err := ended(ctx, op); err != nil {
		return err
	}
	h, err := a.handle(op)
	if err != nil {
		return err
	}
	tx, err := h.db.BeginTx(ctx, a.engine.snapshot())
	if err != nil {
		return a.failed(op, stopped(ctx, err), false)
	}
	defer func() { _ = tx.Rollback() }() // it has only read
	var after any
	for listed := int64(0); ; {
		page, last, err := readPage(ctx, a, h, tx, t, after)
		if err != nil {
			return a.failed(op, stopped(ctx, err), false)
		}
		if len(page) > 0 {
			if err := yield(page); err != nil {
				return err
			}
		}
		if err := ended(ctx, op); err != nil {
			return err
		}
		if listed += int64(len(page)); len(page) < pageSize {
			return a.failed(op, complete(ctx, a, h, tx, t, listed), false)
		}
		after = last
	}
}

// readPage reads a page, and the id of its last row as the database has it.
func readPage(ctx context.Context, a *Adapter, h *handle, tx runner, t *table, after any) (page []target.Resource, last any, err error) {
	timeout, cancel := within(ctx, a.cfg.Timeout)
	defer cancel()
	s := &session{a, h, tx, timeout}
	d, err := s.described(t)
	if err != nil {
		return nil, nil, err
	}
	st := s.dialect().page(t, after, pageSize)
	a.sent.Add(1)
	rows, err := tx.QueryContext(timeout, st.text, st.args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	var texts [][]stdsql.NullString
	for rows.Next() {
		row := make([]stdsql.NullString, len(s.dialect().shown(t, "")))
		into := []any{&last}
		for i := range row {
			into = append(into, &row[i])
		}
		last = nil
		if err := rows.Scan(into...); err != nil {
			return nil, nil, err
		}
		texts = append(texts, row)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, err
	}
	if bytes, ok := last.([]byte); ok { // compared as a text is, and not byte by byte
		last = string(bytes)
	}
	page, err = s.resources(t, d, texts)
	return page, last, err
}

// complete holds the length of a list against a count: an order of ids in which pages skip some would go unnoticed.
func complete(ctx context.Context, a *Adapter, h *handle, tx runner, t *table, listed int64) error {
	timeout, cancel := within(ctx, a.cfg.Timeout)
	defer cancel()
	counted, err := (&session{a, h, tx, timeout}).number(a.engine.dialect().count(t))
	if err == nil && counted != listed {
		err = &target.Error{Code: target.Rejected, Message: fmt.Sprintf("the list has %d rows of %d", listed, counted), Hint: "id of the target must name a column that is unique, such as the primary key"}
	}
	return err
}

// number reads a count.
func (s *session) number(st statement) (n int64, err error) {
	s.a.sent.Add(1)
	err = each(s.timeout, s.runner, st.text, st.args, func(scan func(...any) error) error { return scan(&n) })
	return n, err
}

// Size implements [target.Sized].
func (a *Adapter) Size(ctx context.Context, kind target.Kind) (n int, known bool, err error) {
	op := "count " + string(kind) + "s"
	t, err := a.table(op, kind)
	if err != nil {
		return 0, false, err
	}
	err = reading(ctx, a, op, func(s *session) error {
		counted, err := s.number(s.dialect().count(t))
		n = int(counted)
		return err
	})
	return n, err == nil, err
}
