package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// A RolesSpec is a table from one directory value to roles in several scopes. As the source of
// a Spec, its Path is the attribute that takes the entitlements.
type RolesSpec struct {
	From    string // expression whose value, or values, name mapping roles exactly
	NoValue string // when it has none: "error" (default) | "skip" the object | "keep" the entitlements
	NoMatch string // when no mapping role has that name: the same words
	Several string // when values name several: "error" (default) | "union" | "first" in the table's order
	Roles   []MappingRole
}

// A MappingRole gives roles in scopes to those whose value is its name.
type MappingRole struct {
	Name   string
	Scopes []RoleScope
}

// A RoleScope is a kind of scope, with an id behind a colon where there are several:
// "account", "project:emea".
type RoleScope struct {
	Scope string
	Roles []string
}

type rolePolicy uint8

const (
	roleError rolePolicy = iota
	roleSkip
	roleKeep
)

// roles is a compiled RolesSpec.
type roles struct {
	from             *Expr
	noValue, noMatch rolePolicy
	several          int // index into severalWords
	names            []string
	table            map[string]mappingRole
	scopes           map[string]bool // every scope the table names, folded
}

type mappingRole struct {
	order        int
	entitlements []entitlement
}

type entitlement struct{ scope, role string }

var severalWords = []string{"error", "union", "first"}

// roles compiles a table. Each scope may be used once in a mapping role; "Account" and
// "account " are the same scope.
func (b *builder) roles(spec *RolesSpec) *roles {
	t := &roles{table: map[string]mappingRole{}, scopes: map[string]bool{}}
	if strings.TrimSpace(spec.From) == "" {
		b.fault("from", 0, "the expression is empty")
		t.from = constantExpr(Value{})
	} else if !strings.ContainsAny(spec.From, "[]()\"") {
		t.from = constantExpr(StringValue(spec.From))
	} else if t.from = b.compile("from", spec.From); t.from == nil {
		t.from = constantExpr(Value{})
	}
	policies := []string{"error", "skip", "keep"}
	b.choice("no_value", spec.NoValue, policies, func(i int) { t.noValue = rolePolicy(i) })
	b.choice("no_match", spec.NoMatch, policies, func(i int) { t.noMatch = rolePolicy(i) })
	b.choice("several", spec.Several, severalWords, func(i int) { t.several = i })
	if t.from.Volatile() {
		b.fault("from", 0, "the value would be another one in every cycle")
	}
	if len(spec.Roles) == 0 {
		b.fault("roles", 0, "there is no mapping role")
	}
	for i, role := range spec.Roles {
		if strings.TrimSpace(role.Name) == "" {
			b.fault("roles", 0, "mapping role %d has no name", i+1)
		}
		if _, twice := t.table[role.Name]; twice {
			b.fault("roles", 0, "mapping role %s is there twice", role.Name)
		}
		if len(role.Scopes) == 0 {
			b.fault("roles", 0, "mapping role %s has no scope", role.Name)
		}
		compiled, seen := mappingRole{order: i}, map[string]bool{}
		for _, scope := range role.Scopes {
			name := strings.TrimSpace(scope.Scope)
			switch folded := strings.ToLower(name); {
			case name == "" || strings.HasPrefix(name, ":") || strings.HasSuffix(name, ":"):
				b.fault("roles", 0, "mapping role %s: %q is not a scope such as account or project:emea", role.Name, scope.Scope)
			case seen[folded]:
				b.fault("roles", 0, "mapping role %s has the scope %s twice; a scope may be used once", role.Name, name)
			default:
				seen[folded], t.scopes[folded] = true, true
			}
			if len(scope.Roles) == 0 {
				b.fault("roles", 0, "mapping role %s has no role in the scope %s", role.Name, name)
			}
			for _, r := range scope.Roles {
				if strings.TrimSpace(r) == "" {
					b.fault("roles", 0, "mapping role %s has an empty role in the scope %s", role.Name, name)
				}
				compiled.entitlements = append(compiled.entitlements, entitlement{name, strings.TrimSpace(r)})
			}
		}
		t.table[role.Name] = compiled
		t.names = append(t.names, role.Name)
	}
	return t
}

// evaluateRoles looks the source's values up. The value is a sorted list of SCIM entitlements,
// each {"type": scope, "value": role} (RFC 7643, section 4.1.2).
func (a *Attribute) evaluateRoles(r *run) evaluated {
	v, err := a.roles.from.eval(r)
	if err != nil {
		return evaluated{problem: a.failed(err)}
	}
	switch v.typ {
	case IgnoreAttribute:
		return evaluated{}
	case IgnoreObject:
		return evaluated{ignore: true, note: fmt.Sprintf("the expression of %s says to ignore this object", a.Path)}
	}
	var values, matched []string
	for _, item := range v.items() {
		text := item.Text()
		if text == "" || slices.Contains(values, text) {
			continue
		}
		values = append(values, text)
		if _, ok := a.roles.table[text]; ok {
			matched = append(matched, text)
		}
	}
	switch {
	case len(values) == 0:
		return a.withoutRole(a.roles.noValue, RoleMissing, "no mapping role can be chosen: "+a.source().emptyWords())
	case len(matched) == 0:
		why := "there is no mapping role " + a.shown(oneOf(values))
		if near := nearest(values[0], a.roles.names); near != "" && !a.Redact {
			why += "; did you mean " + near + "?"
		}
		return a.withoutRole(a.roles.noMatch, RoleUnknown, why)
	}
	slices.SortFunc(matched, func(x, y string) int { return a.roles.table[x].order - a.roles.table[y].order })
	if len(matched) > 1 {
		switch severalWords[a.roles.several] {
		case "first":
			matched = matched[:1]
		case "error":
			return evaluated{problem: a.problem(AmbiguousRoles, "the values name several mapping roles: %s (set several to union or first)", a.shown(oneOf(matched)))}
		}
	}
	var all []entitlement
	for _, name := range matched {
		all = append(all, a.roles.table[name].entitlements...)
	}
	slices.SortFunc(all, func(x, y entitlement) int {
		if order := strings.Compare(x.scope, y.scope); order != 0 {
			return order
		}
		return strings.Compare(x.role, y.role)
	})
	all = slices.Compact(all)
	items := make([]any, len(all))
	for i, e := range all {
		items[i] = map[string]any{"type": e.scope, "value": e.role}
	}
	return evaluated{value: items, do: Write}
}

func (a *Attribute) withoutRole(policy rolePolicy, code, why string) evaluated {
	switch policy {
	case roleSkip:
		return evaluated{ignore: true, note: a.Path.String() + ": " + why}
	case roleKeep:
		return evaluated{}
	}
	return evaluated{problem: a.problem(code, "%s", why)}
}

// KeepsOthers reports whether the attribute shares its list with others: mapping roles own the
// scopes their table names, and entitlements in any other scope are left alone.
func (a *Attribute) KeepsOthers() bool { return a.roles != nil }

// Merge returns want with the elements of got that are in scopes the table does not name.
func (a *Attribute) Merge(want, got any) any {
	merged, _ := want.([]any)
	return append(slices.Clone(merged), a.roles.split(got, false)...)
}

// Own returns the elements of got that are in scopes the table names.
func (a *Attribute) Own(got any) any {
	if !a.KeepsOthers() {
		return got
	}
	if own := a.roles.split(got, true); len(own) > 0 {
		return own
	}
	return nil
}

func (t *roles) split(got any, own bool) (out []any) {
	items, _ := got.([]any)
	for _, item := range items {
		complex, _ := item.(map[string]any)
		scope, _ := complex["type"].(string)
		if t.scopes[strings.ToLower(strings.TrimSpace(scope))] == own {
			out = append(out, item)
		}
	}
	return out
}
