package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Do says what is to be done with an attribute.
type Do uint8

// What is to be done with an attribute.
const (
	Keep  Do = iota // leave it as it is
	Write           // it shall have the value
	Clear           // it shall have no value
)

// A Desired is what an attribute should be. Value is in the target's form: string, bool,
// int64, float64, []any or map[string]any. With Keep it is for information only.
type Desired struct {
	Attribute *Attribute
	Value     any
	Do        Do
}

// The codes of problems; the words are stable.
const (
	RequiredMissing = "required_missing"  // a required attribute has no value
	ValueNotAllowed = "value_not_allowed" // not among allowed
	ExpressionError = "expression_error"  // the expression failed
	AmbiguousRoles  = "ambiguous_roles"   // several app roles or mapping roles where one is expected
	SeveralValues   = "several_values"    // a list where the attribute takes one value
	RoleMissing     = "role_missing"      // mapping roles: the source has no value
	RoleUnknown     = "role_unknown"      // mapping roles: no role of that name
)

// A Problem is why an object cannot be provisioned as it is. Its message holds no redacted
// value.
type Problem struct {
	Code      string
	Attribute string
	Message   string
}

// Error returns the message.
func (p *Problem) Error() string { return p.Message }

// A Result is what a mapping makes of one object.
type Result struct {
	Attributes []Desired // in the mapping's order
	// Problem is nil, or the first problem with the messages of all.
	Problem *Problem
	// IgnoreObject: an expression or a policy says to leave the object out; Notes says which.
	IgnoreObject bool
	Notes        []string
}

// Evaluate computes what an object's attributes should be. An attribute that is written at
// creation only is Keep on update, and cannot be a problem then.
//
// "" and an empty list count as null, because targets do not tell them apart. Where the source
// is null, the default is written at creation, and on update with on_null "default"; else
// on_null decides between keeping and clearing.
func (m *Mapping) Evaluate(env *Env, creating bool) Result {
	r := run{env: *env}
	result := Result{Attributes: make([]Desired, len(m.attributes))}
	for i, a := range m.attributes {
		d := &result.Attributes[i]
		d.Attribute = a
		update := a.createOnly && !creating
		if update && a.Volatile() {
			continue
		}
		r.env.Priority = a.priority
		r.fuel, r.work, r.mask = maxFuel, maxWork, a.Redact
		got := a.evaluate(&r, creating)
		if update {
			got.do, got.problem, got.ignore = Keep, nil, false
		}
		d.Value, d.Do = got.value, got.do
		if got.ignore {
			result.IgnoreObject = true
			result.Notes = append(result.Notes, got.note)
		}
		if p := got.problem; p != nil {
			p.Attribute = a.Path.String()
			if result.Problem == nil {
				result.Problem = p
			} else {
				result.Problem.Message += "; " + p.Message
			}
		}
	}
	return result
}

// An evaluated is what one attribute came to.
type evaluated struct {
	value   any
	do      Do
	problem *Problem
	ignore  bool
	note    string
}

func (a *Attribute) evaluate(r *run, creating bool) evaluated {
	if a.roles != nil {
		return a.evaluateRoles(r)
	}
	v, err := a.expr.root.eval(r)
	if err != nil {
		return evaluated{problem: a.failed(err)}
	}
	switch v.typ {
	case String:
		if v.text != "" && !a.Multi && !a.boolean && a.allowed == nil { // nearly always
			return evaluated{value: v.text, do: Write}
		}
	case IgnoreAttribute:
		return evaluated{}
	case IgnoreObject:
		return evaluated{ignore: true, note: fmt.Sprintf("the expression of %s says to ignore this object", a.Path)}
	}
	value, problem := a.shape(v)
	if problem == nil && value == nil {
		return a.missing(creating)
	}
	if problem == nil {
		problem = a.check(value)
	}
	if problem != nil {
		return evaluated{problem: problem}
	}
	return evaluated{value: value, do: Write}
}

// failed turns an expression's error into a problem.
func (a *Attribute) failed(err error) *Problem {
	p := &Problem{Code: ExpressionError, Message: fmt.Sprintf("%s: %v", a.Path, err)}
	var failure *Error
	if errors.As(err, &failure) {
		p.Message = fmt.Sprintf("%s: %s", a.Path, failure.Message)
		if failure.Hint != "" {
			p.Message += " (" + failure.Hint + ")"
		}
	}
	if errors.Is(err, errSeveralRoles) {
		p.Code = AmbiguousRoles
	}
	return p
}

// missing is what a null source comes to.
func (a *Attribute) missing(creating bool) evaluated {
	switch {
	case a.fallback != nil && (creating || a.onNull == defaultOnNull):
		return evaluated{value: a.fallback, do: Write}
	case a.Required && a.fallback == nil:
		return evaluated{problem: &Problem{Code: RequiredMissing, Message: fmt.Sprintf("%s is required and %s", a.Path, a.source().emptyWords())}}
	case a.onNull == clearOnNull && !creating:
		return evaluated{do: Clear}
	}
	return evaluated{}
}

// emptyWords names what was empty.
func (x *Expr) emptyWords() string {
	if name, ok := x.direct(); ok {
		return name + " is empty"
	}
	switch names := x.Attributes(); len(names) {
	case 0:
		return "its expression has no value"
	case 1:
		return "its expression over " + names[0] + " has no value"
	default:
		return "its expression over " + oneOf(names) + " has no value"
	}
}

// shape brings a value into the target's form; nil stands for null, "" and an empty list.
func (a *Attribute) shape(v Value) (any, *Problem) {
	if v.typ == String && !a.Multi { // the usual case
		if v.text == "" {
			return nil, nil
		}
		if a.boolean {
			if b, ok := textBool(v.text); ok {
				return b, nil
			}
		}
		return v.text, nil
	}
	if v.IsEmpty() {
		return nil, nil
	}
	if a.Multi || v.typ == List && a.plural {
		var items []any
		for _, item := range v.items() {
			if items = addItem(items, item); len(items) > maxItems {
				return nil, a.problem(SeveralValues, "it has more than %d values", maxItems)
			}
		}
		if len(items) == 0 {
			return nil, nil
		}
		return items, nil
	}
	if v.typ == List {
		return a.choose(v)
	}
	return v.Any(), nil
}

// maxItems bounds the values of one attribute.
const maxItems = 10_000

// addItem adds an element: text trimmed, nothing empty, nothing twice.
func addItem(items []any, v Value) []any {
	value := asRole(v.Any())
	switch v.typ {
	case Null, IgnoreAttribute, IgnoreObject:
		return items
	case String:
		text := strings.TrimSpace(v.text)
		if text == "" {
			return items
		}
		value = text
	}
	if slices.ContainsFunc(items, func(item any) bool { return same(item, value) }) {
		return items
	}
	return append(items, value)
}

// asRole gives an app role in Entra's shape the sub-attribute that SCIM has for its name: display
// (RFC 7643, section 2.4). Strict servers refuse displayName, or drop it.
func asRole(value any) any {
	role, ok := value.(map[string]any)
	if !ok || role["type"] != entraRoleType || role["displayName"] == nil || role["display"] != nil {
		return value
	}
	role["display"] = role["displayName"] // Any has made a copy
	delete(role, "displayName")
	return role
}

// choose takes the one value of a list that priority names first.
func (a *Attribute) choose(v Value) (any, *Problem) {
	var found []string
	for _, item := range v.more.list {
		if text := strings.TrimSpace(item.Text()); text != "" && !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	for _, wanted := range a.priority {
		if slices.Contains(found, wanted) {
			return wanted, nil
		}
	}
	if len(a.priority) > 0 && len(found) == 1 {
		return found[0], nil
	}
	if len(a.priority) > 0 {
		return nil, a.problem(SeveralValues, "it has the values %s and priority names none of them", a.shown(oneOf(found)))
	}
	return nil, a.problem(SeveralValues, "the expression yields a list (%s) and the attribute takes one value; use Item or Join, give priority, or set multi: true",
		a.shown(oneOf(found)))
}

func (a *Attribute) problem(code, format string, args ...any) *Problem {
	return &Problem{Code: code, Message: a.Path.String() + ": " + fmt.Sprintf(format, args...)}
}

// shown masks a value that must not be seen.
func (a *Attribute) shown(text string) string {
	if a.Redact {
		return redactedText
	}
	return shorten(text)
}

// check looks whether a value in the target's form is allowed.
func (a *Attribute) check(value any) *Problem {
	if len(a.allowed) == 0 {
		return nil
	}
	items, ok := value.([]any)
	if !ok {
		return a.checkOne(value)
	}
	for _, item := range items {
		if problem := a.checkOne(item); problem != nil {
			return problem
		}
	}
	return nil
}

func (a *Attribute) checkOne(value any) *Problem {
	text := FromAny(value).Text()
	if slices.Contains(a.allowed, text) {
		return nil
	}
	if is, ok := a.aliases[text]; ok && slices.Contains(a.allowed, is) {
		return nil
	}
	near := nearest(text, a.allowed)
	if near == "" || a.Redact {
		return a.problem(ValueNotAllowed, "the value %s is not allowed; allowed are %s", a.shown(text), oneOf(a.allowed))
	}
	return a.problem(ValueNotAllowed, "the value %s is not allowed; did you mean %s?", a.shown(text), near)
}
