package reconcile

import "entrasync/graphsync"

// RoleWarnings compares the values that the configuration names for app roles (allowed, priority,
// aliases, mapping_roles) with the enabled app roles that the application declares. Each warning is
// a sentence: which users are skipped because of which role, or which name is no role.
func (s *Sync) RoleWarnings(roles []graphsync.AppRole) (warnings []string) {
	for _, a := range s.Users.Mapping.Attributes() {
		warnings = append(warnings, a.RoleWarnings(roles)...)
	}
	return warnings
}
