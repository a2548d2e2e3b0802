package ownership

import (
	"fmt"
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// Accounts are the accounts of one application as one sync of a tenant sees them. It is safe for concurrent use.
type Accounts struct {
	Store       *state.Store
	Application string // what accounts are claimed under
	Tenant      graphsync.ID
	Sync        string
	TenantSyncs []string // names of all configured syncs of the tenant
}

// Owner is the owner that an account of an object of this sync has.
func (a *Accounts) Owner(kind graphsync.Kind, id graphsync.ID) state.Owner {
	return state.Owner{Tenant: a.Tenant, Sync: a.Sync, Kind: kind, Source: id}
}

// Lost reports whether a linked account has another owner by now, and which.
func (a *Accounts) Lost(link *state.Link) (owner state.Owner, lost bool, err error) {
	owner, owned, err := a.Store.Accounts().OwnerOf(a.Application, link.TargetID, link.Kind)
	return owner, err == nil && owned && owner != a.Owner(link.Kind, link.Source), err
}

// Transferable reports whether the owner of an account lets it go to this sync, and why, in words that
// holds are grouped by.
func (a *Accounts) Transferable(owner state.Owner, account string) (cause string, transferable bool, err error) {
	if owner.Tenant == a.Tenant {
		if slices.Contains(a.TenantSyncs, owner.Sync) {
			return "", false, nil
		}
		return fmt.Sprintf("accounts of sync %s, which is no longer configured", owner.Sync), true, nil
	}
	transferable, err = a.Store.Accounts().Transferable(a.Application, account, owner)
	return "accounts that tenant " + a.Store.TenantRecords().NameOf(owner.Tenant) + " has no use for any more", transferable, err
}

// Claim claims an account for an action, from the owner whom the plan found to let it go, and returns the owner it
// has now.
func (a *Accounts) Claim(action *plan.StoredAction, account string) (state.Owner, error) {
	former := action.FormerOwner
	if !action.Former.IsZero() {
		former = a.Owner(action.Kind, action.Former)
	}
	if former.Source.IsZero() {
		return a.Store.Accounts().Claim(a.Application, account, a.Owner(action.Kind, action.SourceID))
	}
	return a.Store.Accounts().Transfer(a.Application, account, former, a.Owner(action.Kind, action.SourceID))
}

// OfferTransfer offers accounts to other tenants, each with the owner that gives it up.
func (a *Accounts) OfferTransfer(accounts map[string]state.Owner) error {
	return a.Store.Accounts().OfferTransfer(a.Application, accounts)
}

// Describe says whose an account is.
func (a *Accounts) Describe(owner state.Owner) string {
	if owner.Tenant == a.Tenant && owner.Sync == a.Sync {
		return fmt.Sprintf("of %s %s of this sync", owner.Kind, owner.Source)
	}
	return fmt.Sprintf("of sync %s of tenant %s", owner.Sync, a.Store.TenantRecords().NameOf(owner.Tenant))
}

// HowToRelease says what releases an account that has another owner.
func (a *Accounts) HowToRelease(owner state.Owner) string {
	if owner.Tenant == a.Tenant {
		return "two syncs of a tenant cannot keep one account"
	}
	name := a.Store.TenantRecords().NameOf(owner.Tenant)
	if owner.Kind == graphsync.Group {
		return fmt.Sprintf("a group is not offered to another tenant, and is free when the tenant is removed (entrasync tenants remove %s)", name)
	}
	return fmt.Sprintf("it is offered here once its person is deleted there for good and it is switched off, and is free when the tenant is removed (entrasync tenants remove %s)", name)
}
