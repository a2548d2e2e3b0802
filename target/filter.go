package target

import (
	"encoding/json"
	"strings"
)

// A Filter is a SCIM filter (RFC 7644, section 3.4.2.2) over resources in memory, such as
// userType eq "service" and active eq true. The zero Filter matches nothing.
type Filter struct {
	text string
	node node
}

// ParseFilter reads a filter: eq, ne, co, sw, ew, gt, ge, lt, le, pr, and, or, not,
// parentheses, and value filters in brackets. An error names the column.
func ParseFilter(text string) (Filter, error) {
	p := parser{text: text, what: "filter"}
	n, err := p.filter()
	if err != nil {
		return Filter{}, err
	}
	return Filter{text: text, node: n}, nil
}

// String returns the filter as it was written.
func (f Filter) String() string { return f.text }

// Match reports whether a resource, as decoded from JSON, satisfies the filter. Texts are
// compared in any case, but for id, externalId and the like, as RFC 7643 has it. A list
// satisfies a comparison when one of its elements does.
func (f Filter) Match(attrs map[string]any) bool {
	return f.node != nil && f.node.match(attrs)
}

// A node is part of a filter. match takes a resource, or an element of a list.
type node interface {
	match(value any) bool
	equals() []comparison // the eq comparisons that all must hold
	references(visit func(reference))
	String() string // canonical form
}

type conjunction struct{ left, right node }

func (n conjunction) match(v any) bool { return n.left.match(v) && n.right.match(v) }
func (n conjunction) equals() []comparison {
	return append(n.left.equals(), n.right.equals()...)
}
func (n conjunction) String() string { return n.left.String() + " and " + n.right.String() }

func (n conjunction) references(visit func(reference)) {
	n.left.references(visit)
	n.right.references(visit)
}

type disjunction struct{ left, right node }

func (n disjunction) match(v any) bool     { return n.left.match(v) || n.right.match(v) }
func (n disjunction) equals() []comparison { return nil }
func (n disjunction) String() string {
	return "(" + n.left.String() + " or " + n.right.String() + ")"
}

func (n disjunction) references(visit func(reference)) {
	n.left.references(visit)
	n.right.references(visit)
}

type negation struct{ of node }

func (n negation) match(v any) bool                 { return !n.of.match(v) }
func (n negation) equals() []comparison             { return nil }
func (n negation) String() string                   { return "not (" + n.of.String() + ")" }
func (n negation) references(visit func(reference)) { n.of.references(visit) }

// A comparison holds an attribute against a value: a string, bool, float64 or nil. Its
// operator is lower case; pr has no value.
type comparison struct {
	ref   reference
	op    string
	value any
}

func (n comparison) equals() []comparison {
	if n.op == "eq" {
		return []comparison{n}
	}
	return nil
}

func (n comparison) references(visit func(reference)) { visit(n.ref) }

func (n comparison) String() string {
	if n.op == "pr" {
		return n.ref.key() + " pr"
	}
	value, _ := json.Marshal(n.emitted()) // one of four plain types
	return n.ref.key() + " " + n.op + " " + string(value)
}

// emitted returns the value as an element made from the filter carries it. Entra writes the
// boolean of primary eq "True" as a string.
func (n comparison) emitted() any {
	if s, ok := n.value.(string); ok {
		if b, ok := boolOf(s); ok {
			return b
		}
	}
	return n.value
}

func (n comparison) match(v any) bool {
	attrs, ok := v.(map[string]any)
	if !ok {
		attrs = map[string]any{"value": v} // a list of bare values (RFC 7643, section 2.4)
	}
	got := n.ref.get(attrs)
	switch n.op {
	case "pr":
		return !empty(got) && got != ""
	case "ne":
		return !n.any(got, "eq")
	}
	return n.any(got, n.op)
}

func (n comparison) any(got any, op string) bool {
	if list, ok := got.([]any); ok {
		for _, element := range list {
			if n.any(element, op) {
				return true
			}
		}
		return len(list) == 0 && n.value == nil
	}
	if complex, ok := got.(map[string]any); ok {
		got = lookup(complex, "value")
	}
	return compare(op, got, n.value, n.ref.caseExact())
}

// compare holds a resource's value against a filter's.
func compare(op string, got, want any, exact bool) bool {
	if got == nil || want == nil {
		return op == "eq" && got == nil && want == nil
	}
	if b, ok := asBool(got); ok {
		if w, ok := asBool(want); ok {
			return op == "eq" && b == w
		}
	}
	if g, ok := asNumber(got); ok {
		if w, ok := asNumber(want); ok {
			return ordered(op, compareNumbers(g, w))
		}
	}
	if _, isText := want.(string); isText && op == "eq" { // an id that a server writes as a number
		if digits := Digits(got); digits != "" {
			got = digits
		}
	}
	g, ok1 := got.(string)
	w, ok2 := want.(string)
	if !ok1 || !ok2 {
		return false
	}
	if !exact {
		g, w = strings.ToLower(g), strings.ToLower(w)
	}
	switch op {
	case "co":
		return strings.Contains(g, w)
	case "sw":
		return strings.HasPrefix(g, w)
	case "ew":
		return strings.HasSuffix(g, w)
	}
	return ordered(op, strings.Compare(g, w))
}

func compareNumbers(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func ordered(op string, c int) bool {
	switch op {
	case "eq":
		return c == 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	case "le":
		return c <= 0
	}
	return false
}
