package mapping

import (
	"fmt"
	"strings"
)

// A comparison is numeric when both sides are numbers, by time when both are dates, else
// ordinal by text. With null it is false, whatever the operator (open points 6 and 7).
type comparison struct {
	op          string
	left, right node
	of          *term
}

func (n *comparison) eval(r *run) (Value, error) {
	v, err := n.compare(r)
	r.note(n.of, v, err)
	return v, err
}

func (n *comparison) compare(r *run) (Value, error) {
	left, err := n.left.eval(r)
	if err != nil {
		return Value{}, err
	}
	right, err := n.right.eval(r)
	if err != nil {
		return Value{}, err
	}
	switch {
	case left.scalar() && right.scalar():
	case left.typ == List || left.typ == Object || right.typ == List || right.typ == Object:
		return Value{}, &Error{Kind: TypeMismatch, Column: n.of.column, Message: "a list or a complex value cannot be compared",
			Hint: "take one element with Item, or compare Count or Join of the list"}
	default:
		return BoolValue(false), nil
	}
	order := compareScalars(left, right)
	switch n.op {
	case "=":
		return BoolValue(order == 0), nil
	case "<>":
		return BoolValue(order != 0), nil
	case ">":
		return BoolValue(order > 0), nil
	case ">=":
		return BoolValue(order >= 0), nil
	case "<":
		return BoolValue(order < 0), nil
	}
	return BoolValue(order <= 0), nil
}

func compareScalars(a, b Value) int {
	if a.typ == String && b.typ == String && a.text == b.text {
		return 0
	}
	if a.typ == b.typ && (a.typ == Int || a.typ == Date) {
		switch {
		case a.num < b.num:
			return -1
		case a.num > b.num:
			return 1
		}
		return 0
	}
	if x, ok := a.number(); ok {
		if y, ok := b.number(); ok {
			return compareNumbers(x, y)
		}
	}
	return strings.Compare(a.Text(), b.Text())
}

func evalIIF(r *run, n *call) (Value, error) {
	condition, err := n.arg(r, 0)
	if err != nil {
		return Value{}, err
	}
	yes, ok := truth(condition)
	if !ok && !condition.IsEmpty() {
		return Value{}, n.fail(TypeMismatch, "the condition of IIF is %s, neither True nor False", r.quote(condition.Text()))
	}
	if yes {
		return n.branch(r, 1)
	}
	return n.branch(r, 2)
}

// truth reads a boolean, its text in any case, or a number.
func truth(v Value) (value, ok bool) {
	switch v.typ {
	case Bool, Int:
		return v.num != 0, true
	case Float:
		return v.float() != 0, true
	case String:
		s := strings.TrimSpace(v.text)
		if strings.EqualFold(s, "true") || strings.EqualFold(s, "false") {
			return len(s) == len("true"), true
		}
		if isNumber(s) {
			return compareNumbers(s, "0") != 0, true
		}
	}
	return false, false
}

func evalSwitch(r *run, n *call) (Value, error) {
	source, _, err := n.str(r, 0)
	if err != nil {
		return Value{}, err
	}
	for i := 2; i+1 < len(n.args); i += 2 {
		key, _, err := n.str(r, i)
		if err != nil {
			return Value{}, err
		}
		if key == source {
			return n.branch(r, i+1)
		}
	}
	return n.branch(r, 1)
}

func evalCoalesce(r *run, n *call) (Value, error) {
	last := len(n.args) - 1
	for i := range last {
		v, err := n.branch(r, i)
		if err != nil {
			return Value{}, err
		}
		if !v.IsEmpty() {
			return v, nil
		}
	}
	return n.branch(r, last)
}

func evalNot(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	if err != nil {
		return Value{}, err
	}
	return BoolValue(!v.scalar() || v.Text() != "True"), nil
}

func evalCBool(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	if err != nil || v.typ == Null {
		return Value{}, err
	}
	value, ok := truth(v)
	if !ok {
		return Value{}, n.fail(TypeMismatch, "%s is neither a boolean nor a number", r.quote(v.Text()))
	}
	return BoolValue(value), nil
}

func evalBitAnd(r *run, n *call) (Value, error) {
	a, ok, err := n.integer(r, 0)
	if err != nil || !ok {
		return Value{}, err
	}
	b, ok, err := n.integer(r, 1)
	if err != nil || !ok {
		return Value{}, err
	}
	return IntValue(a & b), nil
}

func evalIsNull(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	return BoolValue(v.typ == Null), err
}

func evalIsNullOrEmpty(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	return BoolValue(v.IsEmpty()), err
}

func evalIsPresent(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	return BoolValue(!v.IsEmpty()), err
}

func evalIsString(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	return BoolValue(v.scalar()), err
}

func evalError(r *run, n *call) (Value, error) {
	message, _, err := n.str(r, 0)
	if err != nil {
		return Value{}, err
	}
	if r.mask {
		message = redactedText
	}
	return Value{}, n.fail(Custom, "%.500s", message)
}

func evalIgnoreFlow(r *run, n *call) (Value, error) {
	v, err := n.branch(r, 0)
	switch {
	case err != nil:
		return Value{}, err
	case v.typ == IgnoreObject || !v.IsEmpty():
		return v, nil
	case n.top:
		return Value{typ: IgnoreAttribute}, nil
	}
	return Value{}, nil
}

// evalRedact passes the value on: an expression that calls Redact is redacted as a whole,
// because what it computes from the value may tell the value.
func evalRedact(r *run, n *call) (Value, error) { return n.branch(r, 0) }

func evalDefaultDomain(r *run, n *call) (Value, error) {
	if r.env.DefaultDomain == "" {
		return Value{}, n.fail(TypeMismatch, "the tenant's default domain is not known yet; a plan or sync reads it")
	}
	return StringValue(r.env.DefaultDomain), nil
}

func evalSelectUnique(r *run, n *call) (Value, error) {
	some := false
	for i := range n.args {
		v, err := n.arg(r, i)
		if err != nil {
			return Value{}, err
		}
		if v.IsEmpty() {
			continue
		}
		if !v.scalar() {
			return Value{}, n.fail(TypeMismatch, "rule %d of SelectUniqueValue is a list or a complex value", i+1)
		}
		some = true
		if r.env.Taken == nil {
			return v, nil
		}
		taken, err := r.env.Taken(v.Text())
		if err != nil {
			return Value{}, &Error{Kind: NotUnique, Column: n.of.column, Err: err,
				Message: fmt.Sprintf("cannot tell whether %s is taken: %v", r.quote(v.Text()), err)}
		}
		if !taken {
			return v, nil
		}
	}
	if !some {
		return Value{}, nil
	}
	return Value{}, n.fail(NotUnique, "every value of SelectUniqueValue is taken already")
}
