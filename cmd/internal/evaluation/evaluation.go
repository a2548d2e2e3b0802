// Package evaluation tries one expression on one object and tells what came of it: as the
// document that `entrasync eval --json` prints, or for people with every part's value and a
// caret under a mistake.
//
// It is not the language (reconcile/mapping is) and reads no directory: the caller brings the
// object. It promises that the steps and the value come from the same clock and the same
// random bytes.
package evaluation

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	chacha "math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"entrasync/cmd/internal/jsonfile"
	"entrasync/reconcile/mapping"
)

// Options are what an evaluation depends on in addition to the object.
type Options struct {
	Now           time.Time // zero: the machine's clock
	DefaultDomain string    // for DefaultDomain()
	Taken         []string  // what SelectUniqueValue finds taken
	Priority      []string  // which of several app roles wins, highest first
	Properties    []string  // Graph properties that the object was read with; nil: any name may be used
}

// An Outcome is what came of an expression.
type Outcome struct {
	Expression string
	Value      mapping.Value
	Err        *mapping.Error // nil when there is a value
	Steps      []mapping.Step // of each part, outermost first; none if it does not compile
	Warnings   []string       // what works but deserves a look
	Redacted   bool           // the value is not shown in logs and plans
}

// Try compiles and evaluates an expression; source may be nil, every attribute is null then.
func Try(expression string, source mapping.Source, o Options) *Outcome {
	out := &Outcome{Expression: expression}
	e, err := mapping.Compile(expression)
	if err != nil {
		out.Err = failure(err)
		return out
	}
	if out.Err = o.unread(e, source, expression); out.Err != nil {
		return out
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	var seed [32]byte
	rand.Read(seed[:])
	env := func() *mapping.Env {
		return &mapping.Env{
			Source: source, Now: o.Now, DefaultDomain: o.DefaultDomain, Priority: o.Priority, Random: chacha.NewChaCha8(seed),
			Taken: func(value string) (bool, error) { return slices.Contains(o.Taken, value), nil },
		}
	}
	out.Warnings, out.Redacted = e.Warnings(), e.Redacts()
	out.Value, err = e.Eval(env())
	out.Err = failure(err)
	out.Steps = e.Explain(env())
	return out
}

// unread returns the error of the first attribute that the object was not read with, or that a sample
// does not have and is a misspelled property. Without it a misspelled name would look like an empty value.
func (o *Options) unread(e *mapping.Expr, source mapping.Source, expression string) *mapping.Error {
	for _, name := range e.Attributes() {
		err := &mapping.Error{Kind: mapping.UnknownProperty, Column: 1 + utf8.RuneCountInString(expression[:max(0, strings.Index(expression, "["+name))])}
		property, computed := mapping.GraphProperty(name)
		near := mapping.MisspelledProperty(name)
		switch {
		case computed:
		case o.Properties == nil && (near == "" || has(source, name)):
		case o.Properties == nil:
			err.Message, err.Hint = fmt.Sprintf("users have no property %s", name), "did you mean "+near+"?"
			return err
		case slices.ContainsFunc(o.Properties, func(read string) bool { return strings.EqualFold(read, property) }):
		case mapping.IsUserProperty(property):
			err.Message = fmt.Sprintf("the snapshot does not hold %s: no mapping and no filter of this tenant's syncs reads it", property)
			err.Hint = "use it in the configuration, then run: entrasync plan"
			return err
		default:
			err.Message = fmt.Sprintf("users have no property %s", name)
			if near := mapping.NearestAttribute(name); near != "" {
				err.Hint = "did you mean " + near + "?"
			}
			return err
		}
	}
	return nil
}

// has reports whether a sample names an attribute.
func has(source mapping.Source, name string) bool {
	record, _ := source.(mapping.Record)
	_, ok := record[name]
	return ok
}

func failure(err error) *mapping.Error {
	var e *mapping.Error
	if err != nil && !errors.As(err, &e) {
		e = &mapping.Error{Kind: mapping.Custom, Message: err.Error(), Column: 1, Err: err}
	}
	return e
}

// ReadSource reads an object of attributes, by the names that expressions use.
func ReadSource(name string, text []byte) (mapping.Record, error) {
	var object map[string]any
	if err := jsonfile.Decode(name, text, &object); err != nil {
		return nil, fmt.Errorf("read attributes: %w", err)
	}
	if object == nil {
		return nil, fmt.Errorf(`read attributes: %s holds null; write an object such as {"givenName": "Ada"}`, jsonfile.Name(name))
	}
	record := make(mapping.Record, len(object))
	for attribute, value := range object {
		record[attribute] = mapping.FromAny(value)
	}
	return record, nil
}

// ParseTime reads a fixed clock: RFC 3339, a date (midnight), or the language's own form of
// dates, in UTC unless said.
func ParseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly, "1/2/2006 3:04:05 PM", "1/2/2006"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("read time %q: write it as 2026-07-02T15:33:38Z or 2026-07-02", text)
}

const format = "entrasync/eval/1"

// Document returns the outcome as `eval --json` prints it.
func (o *Outcome) Document() any {
	type failed struct {
		Kind    mapping.Kind `json:"kind"`
		Message string       `json:"message"`
		Column  int          `json:"column"`
		Hint    string       `json:"hint,omitempty"`
	}
	ignored := func(what string) any {
		return struct {
			Format string `json:"format"`
			Ignore string `json:"ignore"`
		}{format, what}
	}
	switch {
	case o.Err != nil:
		return struct {
			Format string `json:"format"`
			Error  failed `json:"error"`
		}{format, failed{o.Err.Kind, o.Err.Message, o.Err.Column, o.Err.Hint}}
	case o.Value.Type() == mapping.IgnoreAttribute:
		return ignored("attribute")
	case o.Value.Type() == mapping.IgnoreObject:
		return ignored("object")
	}
	return struct {
		Format string `json:"format"`
		Value  any    `json:"value"`
	}{format, o.Value.Any()}
}

// Text returns the value on one line: text as it is, everything else as JSON.
func (o *Outcome) Text() string {
	switch o.Value.Type() {
	case mapping.String, mapping.Date:
		return o.Value.Shown()
	case mapping.IgnoreAttribute:
		return "(ignored: the attribute is left as it is)"
	case mapping.IgnoreObject:
		return "(ignored: the object is left out)"
	}
	return shown(o.Value)
}

// WriteSteps writes each part of the expression with its value, indented by its depth.
func (o *Outcome) WriteSteps(w io.Writer) error {
	for _, step := range o.Steps {
		came := shown(step.Value)
		switch {
		case step.Unused:
			came = "(not evaluated)"
		case step.Err != nil:
			came = "error: " + step.Err.Message
		}
		if _, err := fmt.Fprintf(w, "  %s%s  →  %s\n", strings.Repeat("  ", step.Depth), shortened(oneLine(step.Text), 100), oneLine(came)); err != nil {
			return fmt.Errorf("write steps: %w", err)
		}
	}
	return nil
}

// WriteError writes what is wrong, with a caret under the place and what to do.
func (o *Outcome) WriteError(w io.Writer) error {
	line, caret := excerpt(o.Expression, o.Err.Column)
	text := fmt.Sprintf("%s (%s, column %d)\n    %s\n    %s\n", oneLine(o.Err.Message), o.Err.Kind, o.Err.Column, line, caret)
	if o.Err.Hint != "" {
		text += "  → " + oneLine(o.Err.Hint) + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// excerpt returns the line of the expression that a column, counted over the whole text, is
// on, cut to what fits a terminal, and the caret that goes below it.
func excerpt(expression string, column int) (line, caret string) {
	const around = 50
	runes := []rune(expression)
	at := min(max(column-1, 0), len(runes))
	from, to := at, at
	for from > 0 && runes[from-1] != '\n' && at-from < around {
		from--
	}
	for to < len(runes) && runes[to] != '\n' && to-at < around {
		to++
	}
	before, after := "", ""
	if from > 0 && runes[from-1] != '\n' {
		before = "…"
	}
	if to < len(runes) && runes[to] != '\n' {
		after = "…"
	}
	return before + oneLine(string(runes[from:to])) + after, strings.Repeat(" ", at-from+utf8.RuneCountInString(before)) + "^"
}

// shown returns a value in one line, masked where it must be.
func shown(v mapping.Value) string {
	switch {
	case v.Redacted():
		return v.Shown()
	case v.Type() == mapping.IgnoreAttribute:
		return "(ignore this attribute)"
	case v.Type() == mapping.IgnoreObject:
		return "(ignore this object)"
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v.Any()); err != nil {
		return fmt.Sprint(v.Any())
	}
	return shortened(oneLine(strings.TrimSuffix(b.String(), "\n")), 500)
}

// oneLine replaces each character that is not printable, so that columns stay.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !strconv.IsPrint(r):
			return utf8.RuneError
		}
		return r
	}, s)
}

func shortened(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
