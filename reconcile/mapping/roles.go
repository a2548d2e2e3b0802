package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// defaultAccess is the role id Graph gives an assignment without a role.
const defaultAccess = "00000000-0000-0000-0000-000000000000"

// entraRoleType is the type Entra gives an app role that it provisions.
const entraRoleType = "WindowsAzureActiveDirectoryRole"

// roles evaluates the argument as app roles: distinct, in the order they come, without default
// access. null is false for ok.
func (n *call) roles(r *run) (roles []role, ok bool, err error) {
	v, err := n.arg(r, 0)
	if err != nil || v.typ == Null {
		return nil, false, err
	}
	for _, item := range v.items() {
		var found role
		switch {
		case item.typ == Object && item.more.object == nil:
			found = item.more.role
		case item.typ == Object:
			found = role{item.member("id").Text(), item.member("value").Text(), item.member("displayName").Text()}
		case item.typ == String:
			found = role{value: item.text}
		default:
			return nil, false, n.fail(TypeMismatch, "%s needs app roles, not %s", n.fn.name, r.quote(item.Text()))
		}
		if found.id == defaultAccess && found.value == "" || found.name() == "" {
			continue
		}
		if !slices.ContainsFunc(roles, func(other role) bool {
			return other.name() == found.name() || found.id != "" && other.id == found.id
		}) {
			roles = append(roles, found)
		}
	}
	return roles, true, nil
}

func evalSingleRole(r *run, n *call) (Value, error) {
	roles, _, err := n.roles(r)
	if err != nil || len(roles) == 0 {
		return Value{}, err
	}
	if len(roles) == 1 {
		return StringValue(roles[0].name()), nil
	}
	for _, wanted := range r.env.Priority {
		for _, role := range roles {
			if role.name() == wanted {
				return StringValue(wanted), nil
			}
		}
	}
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = role.name()
	}
	slices.Sort(names)
	hint := "list the roles under priority, the one that should win first"
	if len(r.env.Priority) > 0 {
		hint = "add one of them to priority"
	}
	return Value{}, &Error{Kind: TypeMismatch, Column: n.of.column, Hint: hint, Err: errSeveralRoles,
		Message: fmt.Sprintf("the user has %d app roles where one is expected: %s", len(roles), r.list(names))}
}

// list returns names for a message, masked where Redact is in play.
func (r *run) list(names []string) string {
	if r.mask {
		return redactedText
	}
	return strings.Join(names, ", ")
}

func evalRoles(r *run, n *call) (Value, error) {
	roles, ok, err := n.roles(r)
	if err != nil || !ok {
		return Value{}, err
	}
	items := make([]Value, len(roles))
	for i, role := range roles {
		items[i] = StringValue(role.name())
	}
	return ListValue(items...), nil
}

func evalRolesComplex(r *run, n *call) (Value, error) { return n.complexRoles(r, "displayName") }

func evalRolesAssertive(r *run, n *call) (Value, error) { return n.complexRoles(r, "display") }

// complexRoles returns the roles in the shape Entra posts them, the display name under the
// given member.
func (n *call) complexRoles(r *run, display string) (Value, error) {
	roles, ok, err := n.roles(r)
	if err != nil || !ok {
		return Value{}, err
	}
	items := make([]Value, len(roles))
	for i, role := range roles {
		name := role.displayName
		if name == "" {
			name = role.value
		}
		items[i] = ObjectValue(map[string]any{
			"primary": false, "type": entraRoleType, display: name, "value": role.name(),
		})
	}
	return ListValue(items...), nil
}
