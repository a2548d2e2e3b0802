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
	"errors"
	"fmt"
	chacha "math/rand/v2"
	"slices"
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
