package worker

import (
	"slices"
	"strings"

	"entrasync/cmd/internal/compile"
	"entrasync/configs"
	"entrasync/state"
)

// boundJoined bounds what a tenant that joined by consent may do without an approval: its administrator is
// not known to the operator.
func boundJoined(cfg *configs.Config, planned *compile.Sync, record state.TenantRecord) {
	// The consent page says that the first synchronization removes no one.
	planned.Guard.FirstRunRemovals = false
	// Anyone can choose a group's name, and a group may give rights.
	planned.Guard.HoldGroups = true
	if !compile.SharesAccounts(cfg, planned.TargetName) {
		return
	}
	// A tenant whose domains are not known has none of its own until they are: the list is never nil.
	domains := strings.Fields(strings.ToLower(record.Domains))
	if listed := planned.Guard.Domains; listed != nil {
		domains = slices.DeleteFunc(domains, func(domain string) bool { return !slices.Contains(listed, domain) })
	}
	planned.Guard.Domains = append([]string{}, domains...)
}
