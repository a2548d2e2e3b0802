package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/target"
)

// An outcome is a value that an attribute may write, as far as the configuration and the
// application's app roles decide it.
type outcome struct {
	from  string // what in the configuration leads to it
	sub   string // the sub-attribute, "" for the attribute's own value
	value string
}

// ValueWarnings compares what the attribute may write with the canonical values of the target's
// schema, by path: constants, defaults, allowed values, what an expression names as its results,
// entitlements of mapping roles, and what each of the tenant's app roles leads to. It returns a
// sentence for each value that is none of them.
func (a *Attribute) ValueWarnings(canonical map[string]target.CanonicalValues, roles []graphsync.AppRole) (warnings []string) {
	sources := map[outcome][]string{} // by outcome without its source
	var odd []outcome                 // without their sources
	for _, o := range a.outcomes(roles) {
		if known, _ := canonicalAt(a.Path.String(), canonical, o.sub); len(known.Values) == 0 || known.Has(o.value) {
			continue
		}
		key := outcome{sub: o.sub, value: o.value}
		if len(sources[key]) == 0 {
			odd = append(odd, key)
		}
		if !slices.Contains(sources[key], o.from) {
			sources[key] = append(sources[key], o.from)
		}
	}
	for _, o := range odd {
		known, path := canonicalAt(a.Path.String(), canonical, o.sub)
		warning := fmt.Sprintf("%s has the value %q (%s), but the target's schemas name %s", path, a.shown(o.value), strings.Join(sources[o], ", "), oneOf(known.Values))
		if near := nearest(o.value, known.Values); near != "" && !a.Redact {
			warning += "; did you mean " + near + "?"
		}
		warnings = append(warnings, warning)
	}
	return warnings
}

// canonicalAt returns the canonical values of a sub-attribute, or of the attribute's own value, and
// its path. The value of a complex attribute is that of its sub-attribute value.
func canonicalAt(path string, by map[string]target.CanonicalValues, sub string) (target.CanonicalValues, string) {
	if known, ok := by[path]; ok && sub == "" {
		return known, path
	}
	path += "." + cmp.Or(sub, "value")
	return by[path], path
}

// outcomes returns the values that can be told without a user.
func (a *Attribute) outcomes(roles []graphsync.AppRole) (out []outcome) {
	add := func(from string, value any) { out = append(out, outcomesOf(from, value)...) }
	for _, value := range a.allowed {
		add("allowed", value)
	}
	if a.fallback != nil {
		add("default", a.fallback)
	}
	if a.roles != nil {
		for _, name := range a.roles.names {
			for _, e := range a.roles.table[name].entitlements {
				add("mapping_roles", map[string]any{"type": e.scope, "value": e.role})
			}
		}
		return out
	}
	for _, value := range a.expr.tree.results() {
		add("expr", value)
	}
	a.eachRole(roles, func(name string, got evaluated) {
		if got.problem == nil && got.do == Write {
			add("app role "+name, got.value)
		}
	})
	return out
}

// outcomesOf takes a written value apart.
func outcomesOf(from string, value any) (out []outcome) {
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			out = append(out, outcomesOf(from, element)...)
		}
	case map[string]any:
		for _, sub := range []string{"type", "value"} {
			if text, ok := value[sub].(string); ok && text != entraRoleType {
				out = append(out, outcome{from: from, sub: sub, value: text})
			}
		}
	case string:
		out = append(out, outcome{from: from, value: value})
	}
	return out
}

// results returns the texts that stand where an expression gives its value: a constant, and those
// that IIF, Switch and Coalesce choose from.
func (t *term) results() (texts []string) {
	if t == nil {
		return nil
	}
	var chosen []*term
	switch {
	case t.kind == textTerm && t.text != "":
		return []string{t.text}
	case t.kind != callTerm:
		return nil
	case t.text == "IIF":
		chosen = t.args[min(1, len(t.args)):]
	case t.text == "Coalesce":
		chosen = t.args
	case t.text == "Switch":
		for i := 1; i < len(t.args); i += 2 { // the default, then each value behind its key
			chosen = append(chosen, t.args[i])
		}
	}
	for _, argument := range chosen {
		texts = append(texts, argument.results()...)
	}
	return texts
}

// eachRole evaluates an attribute that comes from [appRoleAssignments] alone for a user with each
// enabled app role. It reports whether the attribute is one.
func (a *Attribute) eachRole(roles []graphsync.AppRole, visit func(name string, got evaluated)) bool {
	sources := a.source().Attributes()
	if len(sources) == 0 || slices.ContainsFunc(sources, func(name string) bool { return !strings.EqualFold(name, "appRoleAssignments") }) {
		return false
	}
	for _, role := range roles {
		if !role.Enabled {
			continue
		}
		source := Record{}
		for _, s := range sources {
			source[s] = ListValue(RoleValue(role.ID.String(), role.Value, role.Name))
		}
		r := run{env: Env{Source: source, Now: time.Unix(0, 0), Priority: a.priority}, fuel: maxFuel, work: maxWork, mask: a.Redact}
		visit(cmp.Or(role.Value, role.Name), a.evaluate(&r, true))
	}
	return true
}
