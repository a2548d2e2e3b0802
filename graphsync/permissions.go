package graphsync

import (
	"slices"
	"strings"
)

// HiddenMembers is the application permission without which the members of a group whose visibility
// is HiddenMembership are left out, without a word ("List group members": "To list the members of a
// group with hidden membership, the Member.Read.Hidden permission is required").
const HiddenMembers = "Member.Read.Hidden"

// HiddenMembership is the visibility of groups whose members need [HiddenMembers].
const HiddenMembership = "HiddenMembership"

// propertyPermissions are the application permissions that single properties of users take beyond
// User.Read.All. Without them Graph leaves the property out, sends null, or refuses the request
// (user resource type; "Configure the employeeLeaveDateTime property for a user").
var propertyPermissions = map[string]string{
	"employeeleavedatetime":    "User-LifeCycleInfo.Read.All",
	"employeehiredate":         "User-LifeCycleInfo.Read.All",
	"signinactivity":           "AuditLog.Read.All",
	"mailboxsettings":          "MailboxSettings.Read",
	"customsecurityattributes": "CustomSecAttributeAssignment.Read.All",
}

// PropertyPermission returns the application permission that a property of users takes besides
// User.Read.All, "" for none.
func PropertyPermission(property string) string {
	return propertyPermissions[strings.ToLower(property)]
}

// grants lists, for a permission that is needed, those that include it. From the permission
// tables of the Graph pages for the calls a Source makes (user: delta, group: delta, List
// appRoleAssignedTo), higher ones last.
var grants = map[string][]string{
	"User.Read.All":        {"User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
	"GroupMember.Read.All": {"Group.Read.All", "GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
	"Group.Read.All":       {"Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
	"Application.Read.All": {"Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},

	"User-LifeCycleInfo.Read.All":           {"User-LifeCycleInfo.ReadWrite.All"},
	"MailboxSettings.Read":                  {"MailboxSettings.ReadWrite"},
	"CustomSecAttributeAssignment.Read.All": {"CustomSecAttributeAssignment.ReadWrite.All"},
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
