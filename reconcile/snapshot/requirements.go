package snapshot

import (
	"slices"
	"strings"

	"entrasync/graphsync"
)

// Requirements are what a set of syncs reads from Graph: nothing more is asked for.
type Requirements struct {
	UserProperties  []string // $select of users/delta, sorted
	GroupProperties []string // $select of groups/delta, sorted; empty when groups are not read
	App             bool     // the enterprise application and its assignments
	// Deletes: a sync deletes accounts or groups because a user or a group is absent, so that an
	// assignment must be missed by two cycles.
	Deletes      bool
	Organization bool // the tenant's default domain
	GroupNotices bool // change notifications of groups, which take more than reading their members does
}

// Permissions are the application permissions these requirements take, least first.
func (r Requirements) Permissions() []string {
	p := []string{"User.Read.All"}
	switch {
	case r.GroupNotices:
		p = append(p, graphsync.SubscriptionPermission(graphsync.Groups))
	case len(r.GroupProperties) > 0:
		p = append(p, "GroupMember.Read.All")
	}
	if r.App {
		p = append(p, "Application.Read.All")
	}
	for _, property := range r.UserProperties {
		// Without it the value is null for everybody, so that mappings would clear it. Of the
		// hire date no page says so; check warns.
		if need := graphsync.PropertyPermission(property); need != "" && !strings.EqualFold(property, "employeeHireDate") && !slices.Contains(p, need) {
			p = append(p, need)
		}
	}
	return p
}

// of are the properties that a delta stream selects.
func (r Requirements) of(stream graphsync.Stream) []string {
	if stream == graphsync.Groups {
		return r.GroupProperties
	}
	return r.UserProperties
}
