package guard

import (
	"regexp"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// Customers that share an application must not take over or claim each other's accounts. The
// administrator of a tenant chooses every value of its users but the object id, and a verified domain
// is the only part of an address that Entra vouches for. So the account as a whole is judged, and not
// the value by which it was found.

// The causes under which the guard foreign_domain groups what it holds.
const (
	CauseForeignAccount = "accounts with addresses outside of the tenant's own domains"
	causeForeignAddress = "new addresses outside of the tenant's own domains"
	causeForeignGuest   = "guests with addresses outside of the tenant's own domains"
)

// ForeignHold holds what a tenant cannot prove to be its own.
func ForeignHold(cause string) *plan.StoredHold {
	return Hold(ForeignDomain, cause)
}

// Proves reports whether an account that no sync keeps is provably the tenant's: it carries the
// person's object id, or every address on it is in a domain of the tenant. An account that shows no
// address is not proven.
func (g *Guard) Proves(r *target.Resource, person graphsync.ID) bool {
	if g.Domains == nil || strings.EqualFold(target.Digits(r.Attributes["externalId"]), person.String()) {
		return true
	}
	addresses := addressesOf(r.Attributes)
	return len(addresses) > 0 && g.owns(addresses)
}

// ProvesCreation reports whether a resource may be taken for what an interrupted creation has made.
// Where accounts have to be proven, a matching value is not enough for that either: it is left for
// matching, which holds it.
func (g *Guard) ProvesCreation(r *target.Resource, intent state.Intent) bool {
	if intent.Kind == graphsync.Group {
		return !g.HoldGroups || strings.EqualFold(target.Digits(r.Attributes["externalId"]), intent.Source.String())
	}
	return g.Proves(r, intent.Source)
}

// owns reports whether all addresses are in domains of the tenant.
func (g *Guard) owns(addresses []string) bool {
	return g.Domains == nil || !slices.ContainsFunc(addresses, func(address string) bool {
		local, domain, whole := strings.Cut(strings.TrimSpace(address), "@")
		return !whole || local == "" || !slices.Contains(g.Domains, strings.ToLower(domain))
	})
}

// Claims holds an action that would give an account an address that the tenant cannot prove to be
// its own: it would be the account of the owner of that address. nil lets it pass.
func (g *Guard) Claims(changes []plan.Change, desired []mapping.Desired, guest bool) *plan.StoredHold {
	if g.Domains == nil || g.owns(addressesWritten(changes, desired)) {
		return nil
	}
	switch {
	case guest && g.GuestAddresses:
		return nil
	case guest:
		return ForeignHold(causeForeignGuest)
	}
	return ForeignHold(causeForeignAddress)
}

// addressesWritten are the addresses among the values that changes write. A plan does not show
// every value, so they are taken from what is desired.
func addressesWritten(changes []plan.Change, desired []mapping.Desired) []string {
	written := map[string]any{}
	for _, change := range changes {
		for _, d := range desired {
			if d.Do == mapping.Write && d.Value != nil && d.Attribute.Path.String() == change.Attribute {
				d.Attribute.Path.Set(written, d.Value)
			}
		}
	}
	return addressesOf(written)
}

// WholeAddress is a text that is an address and nothing else.
var WholeAddress = regexp.MustCompile(`^[^\s@]+@[^\s@]+$`)

// atSigns are what an application may read as the sign in an address: wide and small forms too.
const atSigns = "@\uff20\ufe6b"

// unjudged are attributes whose values say nothing of whose an account is: they are about the
// resource, or about others.
var unjudged = []string{"schemas", "meta", "id", "manager", "groups", "members", "password"}

// addressesOf are the addresses of an account: what it is called by, all its mail addresses, and
// every other text that is an address. A mail address is one in whatever form it has.
func addressesOf(attributes map[string]any) (addresses []string) {
	for name, value := range attributes {
		switch low := strings.ToLower(name); {
		case slices.Contains(unjudged, low):
		case low == "emails":
			addresses = append(addresses, mailAddresses(value)...)
		case low == "username" || low == "externalid":
			if text, ok := value.(string); ok && strings.ContainsAny(text, atSigns) {
				addresses = append(addresses, text)
			}
		default:
			addresses = append(addresses, otherAddresses(value)...)
		}
	}
	slices.Sort(addresses)
	return slices.Compact(addresses)
}

// mailAddresses are the values of emails: complex elements, or texts alone.
func mailAddresses(value any) (addresses []string) {
	switch value := value.(type) {
	case string:
		if value != "" {
			addresses = []string{value}
		}
	case []any:
		for _, element := range value {
			addresses = append(addresses, mailAddresses(element)...)
		}
	case map[string]any:
		for name, sub := range value {
			if strings.EqualFold(name, "value") {
				addresses = append(addresses, mailAddresses(sub)...)
			} else {
				addresses = append(addresses, otherAddresses(sub)...)
			}
		}
	}
	return addresses
}

// otherAddresses are the texts below any other attribute that are addresses. An address of a page
// is none.
func otherAddresses(value any) (addresses []string) {
	switch value := value.(type) {
	case string:
		if WholeAddress.MatchString(value) && !strings.Contains(value, "://") {
			addresses = []string{value}
		}
	case []any:
		for _, element := range value {
			addresses = append(addresses, otherAddresses(element)...)
		}
	case map[string]any:
		for name, sub := range value {
			if !slices.Contains(unjudged, strings.ToLower(name)) {
				addresses = append(addresses, otherAddresses(sub)...)
			}
		}
	}
	return addresses
}
