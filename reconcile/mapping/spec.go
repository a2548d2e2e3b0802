package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"entrasync/target"
)

// A Spec is one attribute mapping as it is configured.
type Spec struct {
	Path string // SCIM path of the target attribute

	// Expr is an expression; text without brackets, parentheses and a leading double quote is
	// a constant. Constant is used instead when it is set: a string, bool or number.
	// Roles is used instead of both when it is set.
	Expr     string
	Constant any
	Roles    *RolesSpec

	Required bool              // without a value the object is not provisioned
	Default  any               // when the source is null: at creation, on update only with on_null "default"
	Allowed  []string          // the only values, in exact case; none: any
	Aliases  map[string]string // another spelling → the value it is the same as
	Priority []string          // which of several app roles or values wins, highest first
	Apply    string            // "always" (default) | "create"
	OnNull   string            // "keep" (default) | "clear" | "default"
	Owner    string            // "sync" (default) | "login": written at creation only
	Multi    bool              // the attribute is a list
	Redact   bool              // its value is shown nowhere
}

// A Fault is a mistake, or a warning, in a Spec.
type Fault struct {
	Path    string // the Spec's
	Field   string // the Spec's field as the configuration calls it: "path", "expr", "apply", ...
	Message string
	Column  int // 1-based within the field's text, 0 when it concerns all of it
}

// Error returns path, field and message.
func (f Fault) Error() string { return f.Path + ": " + f.Field + ": " + f.Message }

type nullPolicy uint8

const (
	keepOnNull nullPolicy = iota
	clearOnNull
	defaultOnNull
)

// An Attribute is a compiled attribute mapping.
type Attribute struct {
	Path     target.Path
	Redact   bool
	Multi    bool
	Required bool

	expr       *Expr  // nil with roles
	roles      *roles // nil with expr
	fallback   any    // default, in the target's form
	allowed    []string
	aliases    map[string]string
	priority   []string
	onNull     nullPolicy
	createOnly bool
	boolean    bool // a SCIM boolean
	plural     bool // the path ends in a list by SCIM's schema
}

// OnCreateOnly reports whether the attribute is written at creation only: apply "create",
// owner "login", or a volatile expression, which would otherwise change with every cycle.
func (a *Attribute) OnCreateOnly() bool { return a.createOnly }

// Volatile reports whether the value differs with every evaluation.
func (a *Attribute) Volatile() bool { return a.expr != nil && a.expr.Volatile() }

// Expression returns the canonical text of what computes the value; of mapping roles, their
// source's.
func (a *Attribute) Expression() string { return a.source().String() }

// Unique reports whether the value is chosen so that no other user has it (SelectUniqueValue).
func (a *Attribute) Unique() bool {
	return a.expr != nil && strings.HasPrefix(a.expr.String(), "SelectUniqueValue(")
}

// GivesRoleTexts reports whether the value is the list of app roles as texts, which no complex
// attribute can hold.
func (a *Attribute) GivesRoleTexts() bool {
	return a.expr != nil && strings.HasPrefix(a.expr.String(), "AppRoleAssignments(")
}

// RoleTexts says why app roles as texts cannot be written to a complex attribute, and what to do.
func RoleTexts(path target.Path) string {
	return fmt.Sprintf("AppRoleAssignments gives texts, but %s holds objects (RFC 7643, section 2.4); use AppRoleAssignmentsComplex, or AssertiveAppRoleAssignmentsComplex, with the same argument", path)
}

// Direct returns the directory attribute of a direct mapping, [name] alone.
func (a *Attribute) Direct() (name string, ok bool) { return a.source().direct() }

func (a *Attribute) source() *Expr {
	if a.roles != nil {
		return a.roles.from
	}
	return a.expr
}

// Explain returns the steps of the attribute's expression for an object, redacted when the
// attribute is.
func (a *Attribute) Explain(env *Env) []Step {
	local := *env
	local.Priority = a.priority
	return a.source().explain(&local, a.Redact)
}

// A Mapping is all attribute mappings of one kind of object. It is immutable and safe for
// concurrent use.
type Mapping struct {
	kind       target.Kind
	attributes []*Attribute
	sources    []string
	warnings   []Fault
	clock      bool
	domain     bool
}

// New compiles attribute mappings, kept in their order. All faults are returned at once; with
// a fault the Mapping is nil.
func New(kind target.Kind, specs []Spec) (*Mapping, []Fault) {
	m := &Mapping{kind: kind}
	var faults []Fault
	for i := range specs {
		b := builder{kind: kind, spec: &specs[i], a: &Attribute{}}
		b.build()
		faults = append(faults, b.faults...)
		for j := range i {
			other, err := target.ParsePath(specs[j].Path)
			switch {
			case err != nil || b.a.Path.String() == "":
			case other.Equal(b.a.Path):
				faults = append(faults, Fault{Path: specs[i].Path, Field: "path", Message: "the attribute is mapped twice, first as " + specs[j].Path})
			case other.Whole().Equal(b.a.Path) || b.a.Path.Whole().Equal(other):
				b.warn("path", "%s and %s write the same attribute; the application may take one for the other's change", specs[j].Path, specs[i].Path)
			}
		}
		m.warnings = append(m.warnings, b.warnings...)
		if len(b.faults) == 0 {
			m.attributes = append(m.attributes, b.a)
			m.sources = append(m.sources, b.a.source().Attributes()...)
			m.clock = m.clock || b.a.source().ReadsClock()
			m.domain = m.domain || b.a.source().usesDefaultDomain()
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	slices.Sort(m.sources)
	m.sources = slices.Compact(m.sources)
	return m, nil
}

// Attributes returns the compiled attribute mappings. The caller must not change the slice.
func (m *Mapping) Attributes() []*Attribute { return m.attributes }

// Sources returns the names of the attributes that expressions read, sorted.
func (m *Mapping) Sources() []string { return m.sources }

// Redacts reports whether a property of the source decides a value that must not be shown.
func (m *Mapping) Redacts(source string) bool {
	for _, a := range m.attributes {
		if a.Redact && slices.ContainsFunc(a.source().Attributes(), func(name string) bool { return strings.EqualFold(name, source) }) {
			return true
		}
	}
	return false
}

// ReadsClock reports whether a value can change with time alone.
func (m *Mapping) ReadsClock() bool { return m.clock }

// UsesDefaultDomain reports whether a value depends on the tenant's default domain.
func (m *Mapping) UsesDefaultDomain() bool { return m.domain }

// Warnings returns what works but deserves a look.
func (m *Mapping) Warnings() []Fault { return m.warnings }

// A builder compiles one Spec.
type builder struct {
	kind             target.Kind
	spec             *Spec
	a                *Attribute
	faults, warnings []Fault
}

func (b *builder) fault(field string, column int, format string, args ...any) {
	b.faults = append(b.faults, Fault{b.spec.Path, field, fmt.Sprintf(format, args...), column})
}

func (b *builder) warn(field, format string, args ...any) {
	b.warnings = append(b.warnings, Fault{b.spec.Path, field, fmt.Sprintf(format, args...), 0})
}

func (b *builder) build() {
	s, a := b.spec, b.a
	var err error
	if a.Path, err = target.ParsePath(s.Path); err != nil {
		b.fault("path", 0, "%v", err)
	} else if m, ok := a.Path.Misspelled(b.kind); ok {
		b.warn("path", "SCIM has no attribute %s, which many applications ignore; did you mean %s?", m.Name, m.Near)
	}
	a.Required, a.Multi, a.Redact = s.Required, s.Multi, s.Redact
	a.allowed, a.aliases, a.priority = s.Allowed, s.Aliases, s.Priority
	a.boolean, a.plural = isBoolean(a.Path), isPlural(a.Path)
	if s.Roles != nil {
		a.Multi = true
		a.roles = b.roles(s.Roles)
	} else {
		b.expression()
	}
	b.choice("apply", s.Apply, []string{"always", "create"}, func(i int) { a.createOnly = a.createOnly || i == 1 })
	b.choice("owner", s.Owner, []string{"sync", "login"}, func(i int) { a.createOnly = a.createOnly || i == 1 })
	b.choice("on_null", s.OnNull, []string{"keep", "clear", "default"}, func(i int) { a.onNull = nullPolicy(i) })
	switch {
	case a.onNull == defaultOnNull && s.Default == nil:
		b.fault("on_null", 0, "it is default, but there is no default")
	case a.onNull == clearOnNull && s.Default != nil:
		b.fault("on_null", 0, "clear would take away the default as soon as it was written; use keep or default, or drop the default")
	}
	for alias, value := range s.Aliases {
		switch _, chained := s.Aliases[value]; {
		case alias == value:
			b.fault("aliases", 0, "%q is an alias of itself", alias)
		case chained:
			b.fault("aliases", 0, "%q is an alias of %q, which is an alias too", alias, value)
		case len(s.Allowed) > 0 && !slices.Contains(s.Allowed, value) && !slices.Contains(s.Allowed, alias):
			b.fault("aliases", 0, "neither %q nor %q is among the allowed values", alias, value)
		}
	}
	slices.SortFunc(b.faults, func(x, y Fault) int { return strings.Compare(x.Field+x.Message, y.Field+y.Message) })
	b.fallback()
}

// choice reads a word out of a few.
func (b *builder) choice(field, value string, words []string, set func(i int)) {
	if value == "" {
		return
	}
	if i := slices.Index(words, value); i >= 0 {
		set(i)
		return
	}
	message := fmt.Sprintf("%q is not one of %s", value, strings.Join(words, ", "))
	if near := nearest(value, words); near != "" {
		message += "; did you mean " + near + "?"
	}
	b.fault(field, 0, "%s", message)
}

// expression compiles the constant or the expression.
func (b *builder) expression() {
	s, a := b.spec, b.a
	switch {
	case s.Constant != nil && s.Expr != "":
		b.fault("expr", 0, "there are both an expression and a constant")
		return
	case s.Constant != nil:
		a.expr = constantExpr(FromAny(s.Constant))
	case strings.TrimSpace(s.Expr) == "":
		b.fault("expr", 0, "the expression is empty")
		return
	case !strings.ContainsAny(s.Expr, "[]()") && !strings.HasPrefix(strings.TrimSpace(s.Expr), `"`):
		a.expr = constantExpr(StringValue(s.Expr))
	default:
		if a.expr = b.compile("expr", s.Expr); a.expr == nil {
			return
		}
	}
	a.Redact = a.Redact || a.expr.Redacts()
	if a.GivesRoleTexts() && a.plural {
		b.fault("expr", 0, "%s", RoleTexts(a.Path))
	}
	if name, ok := a.expr.direct(); ok && holdsObjects(a.Path) && IsUserProperty(name) {
		b.warn("expr", "%s holds objects (RFC 7643, section 2.4) and [%s] gives text, which applications refuse or drop; map a value in it, such as %s", a.Path, name, valueIn(a.Path))
	}
	if a.expr.Volatile() {
		a.createOnly = true
		if s.Apply == "always" || s.Apply == "" {
			b.warn("apply", "the value would be another one in every cycle, so it is written at creation only, as with apply: create")
		}
	}
	if v, ok := a.expr.Constant(); ok && !v.IsEmpty() {
		if value, problem := a.shape(v); problem != nil {
			b.fault("expr", 0, "%s", problem.Message)
		} else if problem := a.check(value); problem != nil {
			b.fault("expr", 0, "%s", problem.Message)
		}
	}
	if len(s.Priority) > 0 && a.Multi {
		b.fault("priority", 0, "a list has no one value that wins; leave out priority or multi")
	}
}

// compile compiles an expression and looks at the attributes it reads.
func (b *builder) compile(field, text string) *Expr {
	e, err := Compile(text)
	var failure *Error
	if errors.As(err, &failure) {
		message := failure.Message
		if failure.Hint != "" {
			message += " (" + failure.Hint + ")"
		}
		b.fault(field, failure.Column, "%s", message)
		return nil
	}
	for _, warning := range e.Warnings() {
		b.warn(field, "%s", warning)
	}
	e.tree.attributes(func(t *term) {
		if strings.ContainsAny(t.text, "[]\": ") {
			b.fault(field, t.column, "[%s] is no property of Graph", t.text)
		} else if right := misspelled(b.kind, t.text); right != "" {
			b.fault(field, t.column, "Graph has no property %s; did you mean [%s]?", t.text, right)
		}
	})
	return e
}

// attributes calls found with each attribute reference, from left to right.
func (t *term) attributes(found func(*term)) {
	if t == nil {
		return
	}
	if t.kind == attributeTerm {
		found(t)
	}
	for _, arg := range t.args {
		arg.attributes(found)
	}
}

func constantExpr(v Value) *Expr {
	t := &term{kind: textTerm, text: v.Text(), column: 1}
	return &Expr{tree: t, root: &constant{v, t}}
}

// fallback brings the default into the target's form.
func (b *builder) fallback() {
	s, a := b.spec, b.a
	if s.Default == nil {
		return
	}
	v := FromAny(s.Default)
	if v.IsEmpty() {
		return // Entra allows an empty default; it writes nothing
	}
	value, problem := a.shape(v)
	if problem == nil {
		problem = a.check(value)
	}
	if problem != nil {
		b.fault("default", 0, "%s", problem.Message)
		return
	}
	a.fallback = value
}

// isBoolean reports whether SCIM's core schema has a boolean there (RFC 7643, section 4.1.1 and
// 2.4).
func isBoolean(p target.Path) bool {
	return p.Schema() == "" && strings.EqualFold(p.Name(), "active") && p.Sub() == "" || strings.EqualFold(p.Sub(), "primary")
}

// isPlural reports whether SCIM's core schema has a list there.
func isPlural(p target.Path) bool {
	if p.Schema() != "" || p.Sub() != "" || p.Filtered() {
		return false
	}
	switch strings.ToLower(p.Name()) {
	case "emails", "phonenumbers", "ims", "photos", "addresses", "groups", "entitlements", "roles", "x509certificates", "schemas", "members":
		return true
	}
	return false
}

// holdsObjects reports whether SCIM's core schema has a list of objects there.
func holdsObjects(p target.Path) bool {
	return isPlural(p) && !strings.EqualFold(p.Name(), "schemas") && !strings.EqualFold(p.Name(), "members")
}

// valueIn is an example of a path to a value in a list of objects.
func valueIn(p target.Path) string {
	switch strings.ToLower(p.Name()) {
	case "roles", "entitlements", "x509certificates":
		return p.Name() + `[primary eq "True"].value`
	}
	return p.Name() + `[type eq "work"].value`
}

// oneOf lists values for a message, shortened.
func oneOf(values []string) string {
	const most = 10
	if len(values) > most {
		return strings.Join(values[:most], ", ") + fmt.Sprintf(" and %d more", len(values)-most)
	}
	return strings.Join(values, ", ")
}

// shorten keeps messages readable.
func shorten(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
