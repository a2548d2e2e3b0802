// Package mapping is Microsoft Entra's expression language for attribute mappings, and the
// attribute mappings themselves: an expression with its options (required, default, allowed,
// aliases, apply, ...), app roles, and mapping roles.
//
// It is not a scoping filter (reconcile/scope is), reads nothing from Graph and writes
// nothing to a target: it computes what an account's attributes should be and what of them
// differs. What a user has in the Entra portal means the same here; where Microsoft's pages
// leave a point open, the function's doc in the table says what was chosen.
//
// Expressions are compiled once, safe for concurrent use, and total: evaluation of anything
// that compiles ends in bounded time and memory with a value or an [*Error]. The same source,
// clock and random bytes give the same value.
package mapping

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A Source gives an object's attributes by the names expressions use.
type Source interface {
	// Attribute returns the value, null when it is absent.
	Attribute(name string) Value
}

// A Record is a Source in memory.
type Record map[string]Value

// Attribute returns the value, null when it is absent.
func (r Record) Attribute(name string) Value { return r[name] }

// An Env is all an evaluation depends on. The zero Env has no attributes, the machine's clock
// and cryptographic random bytes.
type Env struct {
	Source        Source
	Now           time.Time // zero: the machine's clock
	Random        io.Reader // nil: crypto/rand
	DefaultDomain string    // of the tenant, for DefaultDomain()

	// Taken tells whether the target has a value already, for SelectUniqueValue.
	// Nil: nothing is taken.
	Taken func(value string) (bool, error)

	// Priority orders app roles for SingleAppRoleAssignment; the first of them that a user
	// has wins. Attribute mappings set it from their own.
	Priority []string
}

// An Expr is a compiled expression.
type Expr struct {
	tree       *term
	root       node
	warnings   []string
	attributes []string
	volatile   bool
	clock      bool
	domain     bool
	redacted   bool
}

// Compile reads an expression. An error is an [*Error].
func Compile(text string) (*Expr, error) {
	tree, warnings, err := parse(text)
	if err != nil {
		return nil, err
	}
	c := compiler{expr: &Expr{tree: tree, warnings: warnings}}
	if c.expr.root, err = c.compile(tree, place{top: true, flows: true}); err != nil {
		return nil, err
	}
	slices.Sort(c.expr.attributes)
	c.expr.attributes = slices.Compact(c.expr.attributes)
	return c.expr, nil
}

// String returns the canonical text: functions in their documented spelling, one space after
// commas. It compiles to an equivalent expression with the same text.
func (e *Expr) String() string { return e.tree.String() }

// Attributes returns the names of the attributes it reads, sorted.
func (e *Expr) Attributes() []string { return e.attributes }

// Volatile reports whether the value may differ with every evaluation of an unchanged source:
// RandomString, Guid and SelectUniqueValue anywhere, or Now where its value becomes part of
// the result. Now in a comparison, as in IIF(DateDiff("d", Now(), ...) > 5, ...), is not: the
// result changes when the day comes, and should.
func (e *Expr) Volatile() bool { return e.volatile }

// ReadsClock reports whether it calls Now, so that its value can change though the source
// does not.
func (e *Expr) ReadsClock() bool { return e.clock }

// usesDefaultDomain reports whether it calls DefaultDomain, which only the tenant can answer.
func (e *Expr) usesDefaultDomain() bool { return e.domain }

// Redacts reports whether it calls Redact: its value must not be shown.
func (e *Expr) Redacts() bool { return e.redacted }

// Warnings returns what compiles but deserves a look, as sentences.
func (e *Expr) Warnings() []string { return e.warnings }

// direct returns the attribute's name if the expression is nothing but an [attribute].
func (e *Expr) direct() (string, bool) {
	return e.tree.text, e.tree.kind == attributeTerm
}

// Constant returns the value if the expression reads nothing.
func (e *Expr) Constant() (Value, bool) {
	c, ok := e.root.(*constant)
	if !ok {
		return Value{}, false
	}
	return c.value, true
}

// Eval returns the value for an object. A dropped flow is a value of type [IgnoreAttribute] or
// [IgnoreObject]. An error is an [*Error].
func (e *Expr) Eval(env *Env) (Value, error) {
	r := run{env: *env, fuel: maxFuel, work: maxWork, mask: e.redacted}
	return e.eval(&r)
}

func (e *Expr) eval(r *run) (Value, error) {
	v, err := e.root.eval(r)
	if err != nil {
		return Value{}, asError(err, e.tree.column)
	}
	if e.redacted {
		v.redacted = true
	}
	return v, nil
}

func asError(err error, column int) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Custom, Message: err.Error(), Column: column, Err: err}
}

// A Step is what one sub-expression came to.
type Step struct {
	Text   string
	Column int
	Depth  int   // 0 for the whole expression
	Value  Value // as of the evaluation; Redacted when it must not be shown
	Err    *Error
	Unused bool // not evaluated: a branch that was not taken
}

// Explain evaluates the expression and returns every attribute and call in it, outermost
// first. When the expression calls Redact, all values are redacted.
func (e *Expr) Explain(env *Env) []Step { return e.explain(env, e.redacted) }

func (e *Expr) explain(env *Env, mask bool) []Step {
	r := run{env: *env, fuel: maxFuel, work: maxWork, mask: mask, trace: map[*term]result{}}
	e.eval(&r)
	var steps []Step
	var walk func(t *term, depth int)
	walk = func(t *term, depth int) {
		if t == nil || t.kind == textTerm || t.kind == numberTerm || t.kind == wordTerm {
			return
		}
		step := Step{Text: t.String(), Column: t.column, Depth: depth}
		got, ok := r.trace[t]
		switch {
		case !ok:
			step.Unused = true
		case got.err != nil:
			step.Err = asError(got.err, t.column)
		default:
			step.Value = got.value
			step.Value.redacted = mask
		}
		steps = append(steps, step)
		for _, arg := range t.args {
			walk(arg, depth+1)
		}
	}
	walk(e.tree, 0)
	return steps
}

// Limits of one evaluation. They are far above what directory data needs and far below what
// would trouble a process.
const (
	maxFuel = 8 << 20  // bytes that may be read from attributes and produced by functions
	maxWork = 20 << 20 // steps that regular expressions may take: characters times program size
)

type result struct {
	value Value
	err   error
}

// A run is one evaluation.
type run struct {
	env   Env
	fuel  int
	work  int
	mask  bool // messages must not quote values
	trace map[*term]result
}

// spend charges n bytes.
func (r *run) spend(n, column int) error {
	if r.fuel -= n; r.fuel < 0 {
		return exhausted(column)
	}
	return nil
}

func exhausted(column int) error {
	return &Error{Kind: Range, Column: column, Message: fmt.Sprintf("the expression handles more than %d bytes", maxFuel)}
}

func (r *run) now() time.Time {
	if r.env.Now.IsZero() {
		return time.Now()
	}
	return r.env.Now
}

func (r *run) random() io.Reader {
	if r.env.Random == nil {
		return rand.Reader
	}
	return r.env.Random
}

// quote returns a value for a message: shortened, or masked where Redact is in play.
func (r *run) quote(s string) string {
	if r.mask {
		return redactedText
	}
	return fmt.Sprintf("%.60q", s)
}

// note records what a term came to.
func (r *run) note(t *term, v Value, err error) {
	if r.trace != nil {
		r.trace[t] = result{v, err}
	}
}

// A node is a compiled term.
type node interface {
	eval(r *run) (Value, error)
}

type constant struct {
	value Value
	of    *term
}

func (n *constant) eval(r *run) (Value, error) {
	r.note(n.of, n.value, nil)
	return n.value, nil
}

type attribute struct {
	name string
	of   *term
}

func (n *attribute) eval(r *run) (Value, error) {
	if r.env.Source == nil {
		r.note(n.of, Value{}, nil)
		return Value{}, nil
	}
	v := r.env.Source.Attribute(n.name)
	err := r.spend(v.size(), n.of.column)
	if r.trace != nil {
		r.note(n.of, v, err)
	}
	return v, err
}

// A concat is "&": as in Visual Basic, null counts as "", and nothing but nulls is null.
type concat struct {
	parts []node
	of    *term
}

func (n *concat) eval(r *run) (v Value, err error) {
	defer func() { r.note(n.of, v, err) }()
	var b strings.Builder
	some := false
	for _, part := range n.parts {
		v, err := part.eval(r)
		if err != nil {
			return Value{}, err
		}
		if v.typ == List || v.typ == Object {
			return Value{}, &Error{Kind: TypeMismatch, Column: n.of.column, Message: "& joins single values, not lists or complex values", Hint: "use Join for a list"}
		}
		some = some || v.typ != Null
		b.WriteString(v.Text())
	}
	if err := r.spend(b.Len(), n.of.column); err != nil || !some {
		return Value{}, err
	}
	return StringValue(b.String()), nil
}
