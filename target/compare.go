package target

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Holds reports whether a resource has a value at the path: the question a filter asks, and
// the proof that its answer is one. Texts are compared in any case but for id, externalId and
// references (RFC 7643, section 7); one element of a list is enough.
func (p Path) Holds(attrs map[string]any, value string) bool {
	return p.ref.name != "" && comparison{ref: p.ref, op: "eq", value: value}.match(attrs)
}

// Same reports whether an application that holds got needs no write to hold want. Absent,
// null, "" and an empty list are one; so are true and "True", a number and its digits, a list
// and the same in another order, and a complex value with sub-attributes the application
// added. User names and mail addresses are compared in any case, telephone numbers by
// their digits.
func (p Path) Same(want, got any) bool { return p.ref.same(want, got) }

func (r reference) same(want, got any) bool {
	switch w := want.(type) {
	case []any:
		return r.sameList(w, asList(got))
	case map[string]any:
		return r.sameComplex(w, got)
	}
	if list, ok := got.([]any); ok {
		switch len(list) {
		case 0:
			return blank(want)
		case 1:
			return r.same(want, list[0])
		}
		return false
	}
	if complex, ok := got.(map[string]any); ok {
		got = lookup(complex, "value")
	}
	if blank(want) || blank(got) {
		return blank(want) && blank(got)
	}
	if w, ok := asBool(want); ok {
		if g, ok := asBool(got); ok {
			return w == g
		}
	}
	if w, ok := asNumber(want); ok {
		if g, ok := asNumber(got); ok {
			return w == g
		}
	}
	w, g := textOf(want), textOf(got)
	switch {
	case w == g:
		return true
	case r.anyCase():
		return strings.EqualFold(w, g)
	case strings.EqualFold(r.name, "phoneNumbers"):
		return digits(w) != "" && digits(w) == digits(g)
	}
	return false
}

func (r reference) sameList(want, got []any) bool {
	if len(want) != len(got) {
		return false
	}
	used := make([]bool, len(got))
next:
	for _, w := range want {
		for i, g := range got {
			if !used[i] && r.same(w, g) {
				used[i] = true
				continue next
			}
		}
		return false
	}
	return true
}

func (r reference) sameComplex(want map[string]any, got any) bool {
	complex, ok := got.(map[string]any)
	if list, isList := got.([]any); isList && len(list) == 1 {
		complex, ok = list[0].(map[string]any)
	}
	if !ok {
		if empty(got) {
			return len(want) == 0
		}
		complex = map[string]any{"value": got}
	}
	for name, w := range want {
		sub := reference{schema: r.schema, name: r.name, sub: name}
		if strings.EqualFold(name, "$ref") && w == nil {
			continue
		}
		if !sub.same(w, lookup(complex, name)) {
			return false
		}
	}
	return true
}

// caseExact reports whether the attribute's texts differ by case (RFC 7643, section 7 and 3.1).
func (r reference) caseExact() bool {
	switch strings.ToLower(r.name) {
	case "id", "externalid", "$ref", "meta":
		return r.schema == ""
	}
	return strings.EqualFold(r.sub, "$ref")
}

// anyCase reports whether an application may well store the attribute in another case than
// it was sent in.
func (r reference) anyCase() bool {
	switch strings.ToLower(r.name) {
	case "username", "emails":
		return r.schema == ""
	}
	return strings.EqualFold(r.sub, "type")
}

func blank(value any) bool { return empty(value) || value == "" }

func boolOf(s string) (value, ok bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}

func asBool(value any) (b, ok bool) {
	switch value := value.(type) {
	case bool:
		return value, true
	case string:
		return boolOf(value)
	}
	return false, false
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

func asNumber(value any) (float64, bool) {
	switch value := value.(type) {
	case float64:
		return value, true
	case int64:
		return float64(value), true
	case int:
		return float64(value), true
	}
	return 0, false // also of a json.Number: one that is left is more exact than a float64
}

func textOf(value any) string {
	switch value := value.(type) {
	case string, float64, json.Number:
		return Digits(value)
	}
	return fmt.Sprint(value)
}
