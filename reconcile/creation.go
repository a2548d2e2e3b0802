package reconcile

import (
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// Between the request that makes an account and the claim on it, the account is there without an owner.
// What a sync is making is therefore noted before the request, by the values the account will have,
// and no other sync takes over an account with one of them.

// creationValues are the values by which an account that is being made can be found.
func creationValues(a *plan.StoredAction) []string {
	values := slices.Clone(a.Match)
	for _, change := range a.Changes {
		if text, ok := change.New.(string); ok && namesResource(change.Attribute) && !desired.MadeOnApply(text) {
			values = append(values, text)
		}
	}
	return values
}

// namesResource reports whether an attribute names an account or group wherever it is found.
func namesResource(attribute string) bool {
	return slices.Contains([]string{"username", "externalid", "displayname"}, plan.AttributeName(attribute))
}

// creator returns who else is making a resource that was found by a value. It has to be asked before
// who owns it.
func (m *matcher) creator(a *plan.StoredAction, r *target.Resource, value string) (state.Owner, bool, error) {
	values := []string{value, textAttribute(r, "userName"), textAttribute(r, "externalId")}
	if m.kind == graphsync.Group {
		values = append(values, textAttribute(r, "displayName"))
	}
	return m.store.Accounts().CreatorOf(m.sync.application(), m.owners.Owner(m.kind, a.SourceID), values)
}

// made reports whether a resource that was found after a creation without an answer is what the
// creation has made: it has the externalId that was sent.
func (m *matcher) made(a *plan.StoredAction, r *target.Resource) bool {
	id := m.externalID(a)
	return id != "" && textAttribute(r, "externalId") == id
}
