package reconcile

import (
	"entrasync/graphsync"
	"entrasync/target"
)

// RoleWarnings compares the values that the configuration names for app roles (allowed, priority,
// aliases, mapping_roles) with the enabled app roles that the application declares. Each warning is
// a sentence: which users are skipped because of which role, or which name is no role.
func (s *Sync) RoleWarnings(roles []graphsync.AppRole) (warnings []string) {
	for _, a := range s.Users.Mapping.Attributes() {
		warnings = append(warnings, a.RoleWarnings(roles)...)
	}
	return warnings
}

// ValueWarnings compares what the attribute mappings may write with the canonical values of the
// target's schemas, by kind and path (see [target.Profile]). roles are the app roles of the
// application whose assignments count, nil when they are not known. Each warning is a sentence.
func (s *Sync) ValueWarnings(canonical map[target.Kind]map[string]target.CanonicalValues, roles []graphsync.AppRole) (warnings []string) {
	for _, a := range s.Users.Mapping.Attributes() {
		warnings = append(warnings, a.ValueWarnings(canonical[target.User], roles)...)
	}
	if s.Groups.Enabled {
		for _, a := range s.Groups.Mapping.Attributes() {
			warnings = append(warnings, a.ValueWarnings(canonical[target.Group], nil)...)
		}
	}
	return warnings
}
