package main

import (
	"slices"
	"strings"

	"entrasync/cmd/internal/compile"
	"entrasync/state"
)

// boundJoined bounds what a tenant that joined by consent may do without an approval: whoever
// administers it is not somebody whom the operator knows.
func (w *worker) boundJoined(planned *compile.Sync, record state.TenantRecord) {
	// Its administrator was told that nobody is removed by the first synchronization.
	planned.Guard.FirstRunRemovals = false
	// A group is known by a name that anybody can choose, and may give rights.
	planned.Guard.HoldGroups = true
	if !compile.SharesAccounts(w.cfg, planned.TargetName) {
		return
	}
	// A tenant whose domains are not known has none of its own until they are: the list is never nil.
	domains := strings.Fields(strings.ToLower(record.Domains))
	if listed := planned.Guard.Domains; listed != nil {
		domains = slices.DeleteFunc(domains, func(domain string) bool { return !slices.Contains(listed, domain) })
	}
	planned.Guard.Domains = append([]string{}, domains...)
}
