package mapping

import (
	"fmt"
	"strconv"
	"strings"
)

// A call is a compiled function call. An omitted argument is a nil node.
type call struct {
	fn       *function
	args     []node
	of       *term
	top      bool
	prepared any // what the function's check made of constant arguments
}

func (n *call) eval(r *run) (Value, error) {
	v, err := n.fn.eval(r, n)
	if err == nil {
		err = r.spend(v.size()+1, n.of.column)
	}
	if r.trace != nil {
		r.note(n.of, v, err)
	}
	if err != nil {
		return Value{}, err
	}
	return v, nil
}

// has reports whether argument i was given.
func (n *call) has(i int) bool { return i >= 0 && i < len(n.args) && n.args[i] != nil }

// branch evaluates argument i, keeping the markers of a dropped flow.
func (n *call) branch(r *run, i int) (Value, error) {
	if !n.has(i) {
		return Value{}, nil
	}
	return n.args[i].eval(r)
}

// arg evaluates argument i. A dropped flow inside another function is null.
func (n *call) arg(r *run, i int) (Value, error) {
	v, err := n.branch(r, i)
	if v.typ >= IgnoreAttribute {
		v = Value{}
	}
	return v, err
}

// str evaluates argument i as one text; ok is false for null.
func (n *call) str(r *run, i int) (s string, ok bool, err error) {
	v, err := n.arg(r, i)
	if err != nil || v.typ == Null {
		return "", false, err
	}
	if !v.scalar() {
		return "", false, n.fail(TypeMismatch, "%s of %s is a list or a complex value where one text is needed", n.param(i), n.fn.name)
	}
	return v.Text(), true, nil
}

// integer evaluates argument i as a whole number; ok is false for null.
func (n *call) integer(r *run, i int) (number int64, ok bool, err error) {
	v, err := n.arg(r, i)
	if err != nil || v.typ == Null {
		return 0, false, err
	}
	if v.typ == Int {
		return v.num, true, nil
	}
	if v.typ == String {
		if number, err := strconv.ParseInt(strings.TrimSpace(v.text), 10, 64); err == nil {
			return number, true, nil
		}
	}
	return 0, false, n.fail(TypeMismatch, "%s of %s is %s, not a whole number", n.param(i), n.fn.name, r.quote(v.Text()))
}

// constantText returns argument i if it is a constant with a text.
func (n *call) constantText(i int) (string, bool) {
	if !n.has(i) {
		return "", false
	}
	c, ok := n.args[i].(*constant)
	if !ok || !c.value.scalar() {
		return "", false
	}
	return c.value.Text(), true
}

func (n *call) param(i int) string {
	if i < len(n.fn.params) {
		return n.fn.params[i]
	}
	return fmt.Sprintf("argument %d", i+1)
}

func (n *call) fail(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Column: n.of.column, Message: fmt.Sprintf(format, args...)}
}

// each applies a function of text to a value, or to every element of a list. Null stays null
// (open point 3 of the language).
func (n *call) each(r *run, v Value, f func(string) (Value, error)) (Value, error) {
	switch v.typ {
	case Null:
		return Value{}, nil
	case String:
		return f(v.text)
	case List:
		items := make([]Value, 0, len(v.more.list))
		for _, item := range v.more.list {
			got, err := n.each(r, item, f)
			if err != nil {
				return Value{}, err
			}
			if err := r.spend(got.size()+64, n.of.column); err != nil {
				return Value{}, err
			}
			if got.typ == List {
				items = append(items, got.more.list...)
			} else {
				items = append(items, got)
			}
		}
		return ListValue(items...), nil
	case Object:
		return Value{}, n.fail(TypeMismatch, "%s cannot work on a complex value", n.fn.name)
	}
	return f(v.Text())
}

// mapText is each for a function that cannot fail, over the first argument.
func (n *call) mapText(r *run, f func(string) string) (Value, error) {
	v, err := n.arg(r, 0)
	if err != nil {
		return Value{}, err
	}
	if v.typ == String {
		return StringValue(f(v.text)), nil
	}
	return n.each(r, v, func(s string) (Value, error) { return StringValue(f(s)), nil })
}
