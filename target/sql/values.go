package sql

import (
	stdsql "database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"entrasync/target"
)

// A refusal is an attribute that cannot be written, and why.
func refusal(op, attribute, message, hint string) *target.Error {
	return &target.Error{Op: op, Code: target.Rejected, Attribute: attribute, Message: message, Hint: hint}
}

// A change is what a write comes to: columns of the row, and values of lists.
type change struct {
	columns []assignment
	lists   []listChange
	paths   []target.Attribute // what is compared with the row afterwards
}

type listChange struct {
	list   list
	values []string
}

// changeOf translates attributes. creating leaves out what has no value. refused are attributes that have no column, or
// whose value has no form in it.
func (a *Adapter) changeOf(op string, t *table, d *described, attributes []target.Attribute, creating bool) (c change, refused []error) {
	for _, attribute := range attributes {
		if creating && attribute.Value == nil {
			continue
		}
		if err := a.translate(op, t, d, attribute, creating, &c); err != nil {
			refused = append(refused, err)
			continue
		}
		c.paths = append(c.paths, attribute)
	}
	return c, refused
}

func (a *Adapter) translate(op string, t *table, d *described, attribute target.Attribute, creating bool, c *change) error {
	path := attribute.Path
	if t.active != nil && path.Equal(activePath) {
		set, err := t.active.assign(op, a.engine.dialect(), d, attribute.Value, creating)
		if err == nil {
			c.columns = append(c.columns, set)
		}
		return err
	}
	if l, ok := t.listOf(path); ok {
		values, err := listValues(op, path, attribute.Value)
		if err == nil {
			c.lists = append(c.lists, listChange{l, values})
		}
		return err
	}
	if column, ok := t.columnOf(path); ok {
		value, err := a.columnValue(op, path, d.fact(column.name), attribute.Value)
		if err == nil {
			c.columns = append(c.columns, assignment{column: column.name, value: value})
		}
		return err
	}
	return a.parts(op, t, d, attribute, c)
}

// parts writes a complex attribute whose sub-attributes have columns.
func (a *Adapter) parts(op string, t *table, d *described, attribute target.Attribute, c *change) error {
	holder := map[string]any{}
	attribute.Path.Set(holder, attribute.Value)
	found := false
	for _, column := range t.columns {
		if column.path.Whole().Equal(attribute.Path) && !column.path.Equal(attribute.Path) {
			found = true
			value, err := a.columnValue(op, column.path, d.fact(column.name), column.path.Get(holder))
			if err != nil {
				return err
			}
			c.columns = append(c.columns, assignment{column: column.name, value: value})
		}
	}
	if !found {
		return refusal(op, attribute.Path.String(), fmt.Sprintf("the target's configuration names no column for %s", attribute.Path),
			fmt.Sprintf("add it to %ss.columns of the target, or take it out of the mapping", t.kind))
	}
	return nil
}

// columnValue is a value in the form that its column takes.
func (a *Adapter) columnValue(op string, path target.Path, f *fact, value any) (any, error) {
	switch v := value.(type) {
	case nil:
		if !f.nullable && f.textual {
			return "", nil // the column has no other form of nothing
		}
		return nil, nil
	case bool:
		return boolean(a.engine.dialect(), f, v), nil
	case string:
		if b, ok := truth(v); ok && f.boolean {
			return boolean(a.engine.dialect(), f, b), nil
		}
		return v, nil
	case float64, int64, int, json.Number:
		return digits(v), nil
	case []any:
		switch len(v) {
		case 0:
			return a.columnValue(op, path, f, nil)
		case 1:
			return a.columnValue(op, path, f, v[0])
		}
		return nil, refusal(op, path.String(), fmt.Sprintf("%s has %d values, and a column takes one", path, len(v)), "give the attribute a table of its own under users.lists")
	case map[string]any:
		if inner, ok := v["value"]; ok {
			return a.columnValue(op, path, f, inner)
		}
	}
	return nil, refusal(op, path.String(), fmt.Sprintf("a value of %s has no form in a column", path), "map its sub-attributes to columns")
}

func digits(v any) string {
	switch v := v.(type) {
	case int64, int:
		return fmt.Sprint(v)
	}
	return target.Digits(v)
}

func boolean(d *dialect, f *fact, value bool) any {
	switch {
	case d.booleans || f.textual:
		return fmt.Sprint(value)
	case value:
		return "1"
	}
	return "0"
}

// truth reads a text that is true or false.
func truth(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true", "t", "1":
		return true, true
	case "false", "f", "0":
		return false, true
	}
	return false, false
}

// assign is the state of a user in its column.
func (c *active) assign(op string, d *dialect, table *described, value any, creating bool) (assignment, error) {
	on, ok := value.(bool)
	if !ok {
		text, _ := value.(string)
		if on, ok = truth(text); !ok {
			return assignment{}, refusal(op, "active", "active is neither true nor false", "map active to true or false")
		}
	}
	state := c.off
	if on {
		state = c.on
	}
	set := assignment{column: c.column}
	switch {
	case state == nil:
	case c.now && creating:
		set.expr = now
	case c.now:
		set.expr = nowOnce
	case c.natural:
		set.value = boolean(d, table.fact(c.column), on)
	default:
		set.value = *state
	}
	return set, nil
}

// read tells whether a user is active; nil where the column has neither of the two values.
func (c *active) read(text stdsql.NullString) any {
	if c.now {
		return text.Valid == (c.on != nil)
	}
	if c.natural {
		if value, ok := truth(text.String); ok && text.Valid {
			return value
		}
		return nil
	}
	switch shown := strings.TrimRight(text.String, " "); {
	case !text.Valid:
		return nil
	case shown == *c.on:
		return true
	case shown == *c.off:
		return false
	}
	return nil
}

// listValues are the values of a multi-valued attribute.
func listValues(op string, path target.Path, value any) (values []string, err error) {
	var elements []any
	switch v := value.(type) {
	case nil:
	case []any:
		elements = v
	default:
		elements = []any{v}
	}
	seen := map[string]bool{}
	for _, element := range elements {
		if complex, ok := element.(map[string]any); ok {
			element = complex["value"]
		}
		var text string
		switch v := element.(type) {
		case string:
			text = v
		case bool:
			text = fmt.Sprint(v)
		case float64, int64, int, json.Number:
			text = digits(v)
		default:
			return nil, refusal(op, path.String(), fmt.Sprintf("a value of %s is neither a text nor a number", path), "map the attribute to texts")
		}
		if !seen[text] {
			seen[text] = true
			values = append(values, text)
		}
	}
	return values, nil
}

// resource makes a resource of a row's texts, in the order of [dialect.shown].
func (t *table) resource(d *described, row []stdsql.NullString) target.Resource {
	attributes := map[string]any{"id": row[0].String}
	for i, c := range t.columns {
		text := row[1+i]
		if !text.Valid {
			continue
		}
		if value, ok := truth(text.String); ok && d.fact(c.name).boolean {
			c.path.Set(attributes, value)
			continue
		}
		c.path.Set(attributes, text.String)
	}
	if t.active != nil {
		if state := t.active.read(row[len(row)-1]); state != nil {
			attributes["active"] = state
		}
	}
	return target.Resource{Ref: target.Ref{Kind: t.kind, ID: row[0].String}, Attributes: attributes}
}

// show adds the values of a list to a resource, in the form that SCIM has for such an attribute.
func (l list) show(attributes map[string]any, values []string) {
	elements := make([]any, len(values))
	for i, v := range values {
		if l.path.Schema() == "" {
			elements[i] = map[string]any{"value": v}
		} else {
			elements[i] = v
		}
	}
	l.path.Set(attributes, elements)
}
