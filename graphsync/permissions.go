package graphsync

import "slices"

// grants lists, for a permission that is needed, those that include it. From the permission
// tables of the Graph pages for the calls a Source makes (user: delta, group: delta, List
// appRoleAssignedTo), higher ones last.
var grants = map[string][]string{
	"User.Read.All":        {"User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
	"GroupMember.Read.All": {"Group.Read.All", "GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
	"Application.Read.All": {"Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
}

// ComparePermissions compares the application permissions a token holds with those needed:
// which are missing, and which could be taken away without anything missing them.
func ComparePermissions(needed, held []string) (missing, superfluous []string) {
	useful := map[string]bool{}
	for _, need := range needed {
		if slices.Contains(held, need) {
			useful[need] = true
			continue
		}
		covered := false
		for _, wider := range grants[need] {
			if slices.Contains(held, wider) {
				useful[wider], covered = true, true
				break
			}
		}
		if !covered {
			missing = append(missing, need)
		}
	}
	for _, name := range held {
		if !useful[name] {
			superfluous = append(superfluous, name)
		}
	}
	return missing, superfluous
}
