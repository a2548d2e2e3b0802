// Package scope decides who is in scope of a sync by scoping filters: Microsoft Entra's groups
// of clauses over source attributes ("Scoping users or groups to be provisioned with scoping
// filters").
//
// It reads nothing and remembers nothing: attribute values come from a [Lookup]. It promises
// that a filter which compiles gives an answer for every object in time linear in the values
// (regular expressions run on RE2), and that an object a filter cannot judge is [Invalid]
// rather than out of scope, because leaving scope deactivates an account.
package scope

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Clause is one comparison as the configuration or an imported provisioning job writes it.
type Clause struct {
	Attribute string // source attribute by its Graph name: "department"
	Operator  string // any documented spelling: "EQUALS", "Greater_Than", "ENDS_WITH"
	Value     string // what to compare with; empty for IS TRUE, IS NULL and the like
}

// A Fault is something wrong with a clause. Group and Clause count from 0; Clause is -1 when
// the group itself is at fault. Field is "attribute", "operator", "value" or "".
type Fault struct {
	Group, Clause int
	Field         string
	Message       string
}

// Error returns the message with its place, counted from 1 as people do.
func (f Fault) Error() string {
	if f.Clause < 0 {
		return fmt.Sprintf("group %d: %s", f.Group+1, f.Message)
	}
	return fmt.Sprintf("group %d, clause %d: %s", f.Group+1, f.Clause+1, f.Message)
}

// A Filter is compiled clauses: AND inside a group, OR between groups. A nil Filter and one
// without groups let everything pass. Filters are immutable and safe for concurrent use.
type Filter struct {
	groups [][]clause
}

type clause struct {
	attribute string
	op        operator
	value     []byte         // of binary operators
	number    int64          // of GREATER_THAN and GREATER_THAN_OR_EQUALS
	pattern   *regexp.Regexp // of REGEX MATCH and NOT REGEX MATCH
	span      *span          // of BEFORE, AFTER and WITHIN
}

// Compile checks and prepares a filter. All faults are returned at once; with any, the filter
// is nil.
//
// Regular expressions must match the whole value, as Entra's documented examples imply
// (`[1-9][0-9]` is said to match 10 to 99): write `.*text.*` to search. They are .NET's
// and run on RE2: what RE2 has not, or would read with another meaning, is a fault.
//
// Differing from Entra, userType may be used, and dates are compared by BEFORE, AFTER and WITHIN: with a day, an
// instant, or the time itself ("now + 3d"). A day begins at midnight in zone; nil is UTC. Attributes with several
// values and references may not be used.
func Compile(groups [][]Clause, zone *time.Location) (*Filter, []Fault) {
	if zone == nil {
		zone = time.UTC
	}
	f := &Filter{}
	var faults []Fault
	for g, clauses := range groups {
		if len(clauses) == 0 {
			faults = append(faults, Fault{g, -1, "", "has no clauses and would let everybody pass; leave out the whole filter if that is meant"})
		}
		compiled := make([]clause, 0, len(clauses))
		for c, in := range clauses {
			out, field, err := compile(in, zone)
			if err != nil {
				faults = append(faults, Fault{g, c, field, err.Error()})
				continue
			}
			compiled = append(compiled, out)
		}
		f.groups = append(f.groups, compiled)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return f, nil
}

func compile(in Clause, zone *time.Location) (out clause, field string, err error) {
	op, err := parseOperator(in.Operator)
	if err != nil {
		return out, "operator", err
	}
	if err := checkAttribute(in.Attribute, op); err != nil {
		return out, "attribute", err
	}
	switch {
	case op.unary() && in.Value != "":
		return out, "value", fmt.Errorf("%s takes no value, found %q", op, shorten(in.Value))
	case !op.unary() && in.Value == "":
		return out, "value", fmt.Errorf("%s needs a value; to ask for an empty attribute write IS NULL", op)
	}
	out = clause{attribute: in.Attribute, op: op, value: []byte(in.Value)}
	switch op {
	case greaterThan, greaterThanOrEquals:
		if out.number, err = strconv.ParseInt(in.Value, 10, 64); err != nil {
			return out, "value", fmt.Errorf("%s compares integers, and %q is none", op, shorten(in.Value))
		}
	case before, after, within:
		out.span = new(span)
		var canonical string
		if *out.span, canonical, err = parseSpan(op, in.Value, zone); err != nil {
			return out, "value", err
		}
		out.value = []byte(canonical)
	case regexMatch, notRegexMatch:
		if out.pattern, err = compilePattern(in.Value); err != nil {
			return out, "value", err
		}
	}
	return out, "", nil
}

// Match judges one object at a time. Why is empty unless the verdict is Out or Invalid; without clauses on dates
// nothing is allocated for an object that is in scope. lookup may be asked twice for an attribute.
func (f *Filter) Match(lookup Lookup, now time.Time) (Verdict, Why) {
	if f == nil || len(f.groups) == 0 {
		return In, Why{}
	}
	result := Out
	for _, clauses := range f.groups {
		switch matchAll(clauses, lookup, now) {
		case In:
			return In, Why{}
		case Invalid:
			result = Invalid
		}
	}
	return result, f.explain(lookup, now)
}

// matchAll: one false clause decides a group, whatever the others cannot judge.
func matchAll(clauses []clause, lookup Lookup, now time.Time) Verdict {
	result := In
	for i := range clauses {
		switch clauses[i].match(lookup(clauses[i].attribute), now) {
		case Out:
			return Out
		case Invalid:
			result = Invalid
		}
	}
	return result
}

// explain collects every clause that does not hold. It runs apart from matching, which is the
// hot path of a directory.
func (f *Filter) explain(lookup Lookup, now time.Time) Why {
	var why Why
	for g, clauses := range f.groups {
		for _, c := range clauses {
			v := lookup(c.attribute)
			if got := c.match(v, now); got != In {
				v.Text = bytes.Clone(v.Text)
				why.Failures = append(why.Failures, Failure{
					Group:   g,
					Clause:  Clause{c.attribute, string(c.op), string(c.value)},
					Value:   v,
					Verdict: got,
				})
			}
		}
	}
	return why
}

// match applies Entra's null rule: with a null or empty value every operator but IS NULL is
// false, NOT EQUALS and NOT REGEX MATCH included.
func (c *clause) match(v Value, now time.Time) Verdict {
	if v.empty() {
		return in(c.op == isNull)
	}
	switch c.op {
	case isNull:
		return Out
	case isNotNull:
		return In
	}
	if v.Kind == List {
		return Invalid
	}
	switch c.op {
	case equals:
		return in(c.equal(v))
	case notEquals:
		return in(!c.equal(v))
	case isTrue:
		return in(v.Kind == Bool && v.Text[0] == 'T')
	case isFalse:
		return in(v.Kind == Bool && v.Text[0] == 'F')
	case regexMatch:
		return in(c.pattern.Match(v.Text))
	case notRegexMatch:
		return in(!c.pattern.Match(v.Text))
	case includes:
		return in(bytes.Contains(v.Text, c.value))
	case endsWith:
		return in(bytes.HasSuffix(v.Text, c.value))
	case before, after, within:
		return c.span.match(c.op, v, now)
	case greaterThan, greaterThanOrEquals:
		n, err := strconv.ParseInt(string(v.Text), 10, 64)
		if err != nil {
			return Invalid
		}
		return in(n > c.number || n == c.number && c.op == greaterThanOrEquals)
	}
	return Invalid // an operator without a case decides nothing
}

// equal compares exactly, but for booleans, which people write in either case.
func (c *clause) equal(v Value) bool {
	if v.Kind == Bool {
		return bytes.EqualFold(v.Text, c.value)
	}
	return bytes.Equal(v.Text, c.value)
}

// Dated reports whether the filter compares with the time, so that its verdict on an object can change though the
// object does not.
func (f *Filter) Dated() bool {
	if f == nil {
		return false
	}
	return slices.ContainsFunc(f.groups, func(clauses []clause) bool {
		return slices.ContainsFunc(clauses, func(c clause) bool { return c.span != nil && !(c.span.from.fixed && c.span.to.fixed) })
	})
}

// Next returns the first time after now at which the verdict on an object may change while the object stays as it is;
// zero when it cannot. Until then [Filter.Match] gives the verdict of now.
func (f *Filter) Next(lookup Lookup, now time.Time) (next time.Time) {
	if f == nil {
		return next
	}
	for _, clauses := range f.groups {
		for i := range clauses {
			if c := &clauses[i]; c.span != nil {
				next = earlier(next, c.span.next(lookup(c.attribute), now))
			}
		}
	}
	return next
}

// Attributes returns the attributes the filter asks for, sorted, each once.
func (f *Filter) Attributes() []string {
	if f == nil {
		return nil
	}
	var names []string
	for _, clauses := range f.groups {
		for _, c := range clauses {
			names = append(names, c.attribute)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// String returns the filter in one canonical line: filters that differ only in spelling, order
// or repetition of clauses give the same text. Without groups it is empty.
func (f *Filter) String() string {
	if f == nil {
		return ""
	}
	var groups []string
	for _, clauses := range f.groups {
		var texts []string
		for _, c := range clauses {
			text := c.attribute + " " + string(c.op)
			if !c.op.unary() {
				text += " " + strconv.Quote(string(c.value))
			}
			if c.span != nil && c.span.zone != time.UTC {
				text += " IN " + c.span.zone.String()
			}
			texts = append(texts, text)
		}
		slices.Sort(texts)
		groups = append(groups, "("+strings.Join(slices.Compact(texts), " AND ")+")")
	}
	slices.Sort(groups)
	return strings.Join(slices.Compact(groups), " OR ")
}
