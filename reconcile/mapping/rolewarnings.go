package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"entrasync/graphsync"
)

// RoleWarnings compares what the attribute does with the enabled app roles of an application. It
// evaluates the attribute for a user with each role alone, and looks for configured names that are
// no app role. It returns a sentence for each thing that does not fit, and nothing for an attribute
// that does not come from [appRoleAssignments] alone.
func (a *Attribute) RoleWarnings(roles []graphsync.AppRole) (warnings []string) {
	var names []string
	only := a.eachRole(roles, func(name string, got evaluated) {
		names = append(names, name)
		if got.problem != nil {
			warnings = append(warnings, fmt.Sprintf("users with the app role %s are skipped: %s", name, got.problem.Message))
		}
	})
	if !only || len(names) == 0 {
		return nil
	}
	for _, named := range a.roleNames() {
		warnings = append(warnings, named.unknown(a.Path.String(), names)...)
	}
	return warnings
}

// roleNames are the words of one field that stand for app roles.
type roleNames struct {
	field  string
	names  []string
	strict bool // each should be an app role; else only what comes near one is worth a word
}

func (a *Attribute) roleNames() []roleNames {
	named := []roleNames{
		{"allowed", a.allowed, false}, // it may also hold what an alias or the default leads to
		{"priority", a.priority, true},
		{"aliases", slices.Sorted(maps.Keys(a.aliases)), false}, // it may also hold spellings of the target
	}
	if a.roles != nil {
		named = append(named, roleNames{"mapping_roles", a.roles.names, true})
	}
	return named
}

// unknown returns a sentence for each name that comes near an app role, and one for all others.
func (n roleNames) unknown(path string, roles []string) (warnings []string) {
	var far []string
	for _, name := range n.names {
		if slices.Contains(roles, name) {
			continue
		}
		near := nearest(name, slices.DeleteFunc(slices.Clone(roles), func(role string) bool { return slices.Contains(n.names, role) }))
		switch {
		case near != "":
			warnings = append(warnings, fmt.Sprintf("%s of %s names %q, which is no enabled app role of the application; did you mean %s?", n.field, path, name, near))
		case n.strict:
			far = append(far, fmt.Sprintf("%q", name))
		}
	}
	if len(far) > 0 {
		warnings = append(warnings, fmt.Sprintf("%s of %s names what is no enabled app role of the application: %s", n.field, path, strings.Join(far, ", ")))
	}
	return warnings
}
