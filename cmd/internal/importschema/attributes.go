package importschema

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"entrasync/reconcile/mapping"
	"entrasync/target"
)

// An attribute is one attribute mapping of the section.
type attribute struct {
	spec  mapping.Spec
	notes []string // shown above it
}

func (p *part) add(path, expression string) {
	p.attributes = append(p.attributes, attribute{spec: mapping.Spec{Path: path, Expr: expression}})
}

// convert fills in attributes, matching attributes and the filter.
func (c *converter) convert(p *part) {
	type matching struct {
		path     string
		priority int
	}
	var match []matching
	for _, m := range p.object.Attributes {
		a, ok := c.attribute(p, m)
		if !ok {
			if m.Priority > 0 {
				c.note(LeftOut, p.label+": "+m.Target, "it is matching attribute %d and cannot be matched by", m.Priority)
			}
			continue
		}
		if m.Priority > 0 {
			match = append(match, matching{a.spec.Path, m.Priority})
		}
		p.attributes = append(p.attributes, a)
	}
	sort.SliceStable(match, func(i, j int) bool { return match[i].priority < match[j].priority })
	for _, m := range match {
		p.match = append(p.match, m.path)
	}
	p.filter = c.filter(p.label, p.object.Scope)
}

// attribute converts one attribute mapping; ok is false for one that is left out, which is told.
func (c *converter) attribute(p *part, m attributeMapping) (a attribute, ok bool) {
	place := p.label + ": " + or(m.Target, "an attribute mapping")
	leave := func(format string, args ...any) (attribute, bool) {
		c.note(LeftOut, place, format, args...)
		return attribute{}, false
	}
	def := c.schema.definition(c.rule.Target, p.object.Target, m.Target)
	path, err := target.ParsePath(m.Target)
	switch {
	case m.Target == "":
		return leave("it names no target attribute")
	case err != nil:
		return leave("%v", err)
	case slices.ContainsFunc(p.attributes, func(a attribute) bool {
		other, err := target.ParsePath(a.spec.Path)
		return err == nil && other.Equal(path)
	}):
		return leave("the attribute is mapped twice; the first mapping counts")
	case p.kind == target.Group && strings.EqualFold(m.Target, "members"):
		c.note(Advice, place, "entrasync writes memberships without a mapping")
		return attribute{}, false
	case path.Schema() == "" && strings.EqualFold(path.Name(), "id"):
		return leave("the application gives its own ids")
	}
	fallback, err := scalarText(m.Default)
	if err != nil {
		return leave("its defaultValue %v", err)
	}
	var notes []Note
	tell := func(kind Kind, format string, args ...any) {
		notes = append(notes, Note{kind, oneLine(place), oneLine(fmt.Sprintf(format, args...))})
	}
	a.spec = mapping.Spec{Path: m.Target}
	if m.Source.none() {
		if fallback == "" {
			return leave("it has neither a source nor a default: it writes nothing")
		}
		a.spec.Expr, a.spec.Apply = constantText(fallback), "create"
		tell(Changed, "it has no source in Entra, which writes the default whenever the target has no value; here it is written when the account is created")
	} else {
		if a.spec.Expr, err = m.Source.final(); err != nil {
			if a.spec.Expr != "" {
				return leave("%s: %v", a.spec.Expr, err)
			}
			return leave("%v", err)
		}
		if fallback != "" {
			a.spec.Default = fallback
		}
		flow(&a.spec, m, tell)
	}
	list := multiple(a.spec.Expr)
	switch {
	case def != nil:
		a.spec.Required = def.Required && !def.Anchor
		a.spec.Multi = def.Multi && path.Sub() == "" && !path.Filtered()
	case list && path.Sub() == "" && !path.Filtered() && !corePlural(path):
		a.spec.Multi = true
		tell(Advice, "its expression gives a list, so multi is set")
	}
	compiled, faults := mapping.New(p.kind, []mapping.Spec{a.spec})
	if len(faults) > 0 {
		return leave("%s: %s", a.spec.Expr, faults[0].Message)
	}
	for _, warning := range compiled.Warnings() {
		tell(Advice, "%s", warning.Message)
	}
	if compiled.UsesDefaultDomain() {
		tell(Advice, "DefaultDomain() has no value until the first plan or sync has read it from the tenant; entrasync check shows it")
	}
	advise(a.spec.Expr, tell)
	for _, note := range notes {
		a.notes = append(a.notes, note.Message)
	}
	c.notes = append(c.notes, notes...)
	return a, true
}

// final returns the expression in the form that a configuration takes, or why there is none.
func (s *source) final() (string, error) {
	text, err := s.text()
	if err != nil || strings.EqualFold(s.Type, "Constant") {
		if err == nil && s.constant() == "" {
			err = errors.New("its constant is empty: it writes nothing")
		}
		return text, err
	}
	e, err := mapping.Compile(text)
	if err != nil {
		return text, explained(err)
	}
	for _, name := range e.Attributes() {
		if slices.ContainsFunc(references, func(r string) bool { return strings.EqualFold(r, name) }) {
			return text, fmt.Errorf("%s is a reference to other objects, which entrasync does not write", name)
		}
	}
	if strings.ContainsAny(text, "[]()") || strings.HasPrefix(text, `"`) {
		return text, nil
	}
	// A configuration would take such text for a constant, which it must be then.
	v, ok := e.Constant()
	if !ok || v.IsEmpty() {
		return text, errors.New("it never gives a value")
	}
	return constantText(v.Text()), nil
}

// references are source attributes that hold other objects and are not written. The manager is:
// as the manager's account in the target.
var references = []string{"directReports", "members", "owners"}

// flow carries over when a mapping applies.
func flow(spec *mapping.Spec, m attributeMapping, tell func(Kind, string, ...any)) {
	switch strings.ToLower(m.FlowType) {
	case "", "always":
	case "objectaddonly":
		spec.Apply = "create"
	case "attributeaddonly":
		spec.Apply = "create"
		tell(Changed, "Entra writes it as long as the target has no value (AttributeAddOnly); here it is written when the account is created")
	case "multivalueaddonly":
		spec.Apply = "create"
		tell(Changed, "Entra adds values and takes none away (MultiValueAddOnly); a list is written as a whole here, so it is written when the account is created only")
	case "valueaddonly":
		tell(Changed, "Entra writes values and never clears them (ValueAddOnly); here an empty source leaves the value too, and the elements of a list that are gone are taken away")
	default:
		tell(Changed, "its flowType %s is not known; it is written always", quote(m.FlowType))
	}
	if strings.EqualFold(m.FlowBehavior, "FlowAlways") {
		tell(Advice, "Entra writes it in every cycle (FlowAlways); here it is written when it differs")
	}
}

// outermost returns the function that makes an expression's value.
func outermost(expression string) string {
	name, _, ok := strings.Cut(canonical(expression), "(")
	if !ok || !word.MatchString(name) {
		return ""
	}
	return name
}

func canonical(expression string) string {
	e, err := mapping.Compile(expression)
	if err != nil {
		return ""
	}
	return e.String()
}

// multiple reports whether an expression gives a list.
func multiple(expression string) bool {
	switch outermost(expression) {
	case "Split", "RemoveDuplicates", "AppRoleAssignments", "AppRoleAssignmentsComplex", "AssertiveAppRoleAssignmentsComplex":
		return true
	}
	return false
}

// corePlural reports an attribute that mappings know to be a list.
func corePlural(path target.Path) bool {
	return path.Schema() == "" && slices.Contains([]string{"emails", "phonenumbers", "ims", "photos", "addresses", "groups", "entitlements", "roles", "x509certificates"},
		strings.ToLower(path.Name()))
}

// advise tells where a mapping that is carried over behaves better when written another way.
func advise(expression string, tell func(Kind, string, ...any)) {
	switch canonical(expression) {
	case `Switch([IsSoftDeleted], , "False", "True", "True", "False")`:
		tell(Advice, "Not([IsSoftDeleted]) means the same and is easier to read")
	case "[appRoleAssignments]":
		tell(Advice, "mapped directly, app roles are written as they are; SingleAppRoleAssignment or AppRoleAssignmentsComplex is probably meant")
	}
	switch outermost(expression) {
	case "SingleAppRoleAssignment":
		tell(Advice, "of several app roles Entra takes any one; here such a user is reported, unless priority says which role wins")
	case "AppRoleAssignmentsComplex":
		tell(Changed, "a role that is taken away in Entra stays in the target; here it is taken away")
	}
}

// scalarText returns a value that an administrator typed.
func scalarText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		if v {
			return "True", nil
		}
		return "False", nil
	case json.Number:
		return v.String(), nil
	}
	return "", errors.New("is neither text, a number nor a boolean")
}
