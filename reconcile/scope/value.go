package scope

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Verdict says whether an object passes.
type Verdict byte

// The verdicts. Invalid: a clause cannot be applied to the object's value (GREATER_THAN or BEFORE on a
// text, any comparison on a list). Entra calls that an invalid scoping rule. It is a fault of
// this record and no reason to remove an account.
const (
	Out Verdict = iota
	In
	Invalid
)

// String returns "out", "in" or "invalid".
func (v Verdict) String() string { return [...]string{"out", "in", "invalid"}[v] }

func in(ok bool) Verdict {
	if ok {
		return In
	}
	return Out
}

// A Kind is the type of a value.
type Kind byte

// The kinds of values.
const (
	Null   Kind = iota // null or absent
	Text               // a JSON string
	Number             // a JSON number, in its digits
	Bool               // "True" or "False", as .NET writes them
	List               // several values, or an object: no clause but IS NULL can judge it
)

// A Value is an attribute's value. The zero Value is null. Text belongs to the caller that made the
// value and is not changed or kept.
type Value struct {
	Kind Kind
	Text []byte
}

// A Lookup returns an object's value of an attribute; one the object does not have is null.
type Lookup func(attribute string) Value

// JSON returns the value of a property as Graph sent it. The text of a string without escapes
// is part of raw, not a copy. Text that is no JSON value is null.
func JSON(raw []byte) Value {
	if len(raw) == 0 {
		return Value{}
	}
	switch c := raw[0]; {
	case c == '"':
		return jsonString(raw)
	case c == 't':
		return Boolean(true)
	case c == 'f':
		return Boolean(false)
	case c == '-' || '0' <= c && c <= '9':
		return Value{Number, raw}
	case c == '{' || c == '[' && string(raw) != "[]":
		return Value{List, raw}
	}
	return Value{}
}

func jsonString(raw []byte) Value {
	for i, c := range raw[1:] {
		switch c {
		case '"':
			return Value{Text, raw[1 : i+1]}
		case '\\':
			var s string
			if json.Unmarshal(raw, &s) != nil {
				return Value{}
			}
			return Value{Text, []byte(s)}
		}
	}
	return Value{}
}

// String returns a text value.
func String(s string) Value { return Value{Text, []byte(s)} }

// Boolean returns a truth value.
func Boolean(b bool) Value {
	if b {
		return Value{Bool, textTrue}
	}
	return Value{Bool, textFalse}
}

var textTrue, textFalse = []byte("True"), []byte("False")

func (v Value) empty() bool { return v.Kind == Null || len(v.Text) == 0 }

func (v Value) phrase() string {
	switch {
	case v.empty():
		return "empty"
	case v.Kind == List:
		return "a list"
	case v.Kind == Text:
		return fmt.Sprintf("%q", shorten(string(v.Text)))
	}
	return shorten(string(v.Text))
}

// A Why names the clauses that kept an object out, of every group, in the filter's order.
type Why struct {
	Failures []Failure
}

// A Failure is a clause that was false, or could not be applied (Verdict Invalid), and the
// value it met. Set Hidden to keep the value out of the words.
type Failure struct {
	Group   int // counted from 0
	Clause  Clause
	Value   Value
	Verdict Verdict
	Hidden  bool
}

// String puts the failures into words: `department is "HR", not "Sales"`. Clauses of a group
// are joined by "and", groups by "; or".
func (w Why) String() string {
	var b strings.Builder
	for i, f := range w.Failures {
		switch {
		case i == 0:
		case f.Group == w.Failures[i-1].Group:
			b.WriteString(" and ")
		default:
			b.WriteString("; or ")
		}
		b.WriteString(f.String())
	}
	return b.String()
}

// String puts one failure into words.
func (f Failure) String() string {
	is := f.Clause.Attribute + " is " + f.Value.phrase()
	if f.Hidden {
		is = f.Clause.Attribute + " is hidden"
	}
	want := fmt.Sprintf("%q", shorten(f.Clause.Value))
	if f.Verdict == Invalid {
		if f.Value.Kind == List {
			return is + ", which a filter cannot compare"
		}
		if operator(f.Clause.Operator).onDates() {
			return is + ", not a date"
		}
		return is + ", not an integer"
	}
	switch op := operator(f.Clause.Operator); op {
	case isNotNull:
		return is
	case isNull:
		return is + ", not empty"
	case isTrue:
		return is + ", not true"
	case isFalse:
		return is + ", not false"
	case notEquals, notRegexMatch:
		if f.Value.empty() {
			return is + ", and " + string(op) + " is false for an empty value"
		}
		if op == notRegexMatch {
			return is + ", which matches " + want
		}
		return is
	case regexMatch:
		return is + ", which does not match " + want
	case includes:
		return is + ", which does not include " + want
	case endsWith:
		return is + ", which does not end with " + want
	case before, after, within:
		return is + ", not " + strings.ToLower(string(op)) + " " + f.Clause.Value
	case greaterThan:
		return is + ", not greater than " + f.Clause.Value
	case greaterThanOrEquals:
		return is + ", less than " + f.Clause.Value
	}
	return is + ", not " + want
}

// shorten keeps messages readable when a value is not.
func shorten(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
