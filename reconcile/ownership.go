package reconcile

import (
	"context"
	"fmt"
	"slices"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// Somebody who moves from one tenant to another has an account in an application that both share.
// The former tenant gives it up when its person is deleted for good and it is switched off: it
// says so in the registry, because no cycle reads the state of another tenant. The new tenant is
// offered it then, and somebody has to say yes. From there on the former tenant's link is dead: it
// is dropped the first time anything would come of it.

// ownership knows which sync of which tenant an account of the application belongs to, claims accounts and
// offers those that are no longer needed to other tenants.
type ownership struct {
	sync   *Sync
	opts   Options
	peers  []string
	store  *state.Store
	tenant *state.Tenant
	ledger *ledger
}

// offerTransfers tells the registry, before what was looked at is settled.
func (o *ownership) offerTransfers(ctx context.Context) error {
	var after []byte
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := 0
		claims := map[string]state.Owner{}
		err := o.tenant.View(func(tx *state.Tx) error {
			for key := range tx.Space(o.sync.Name, transferOfferSpace).All(after) {
				after = slices.Clone(key)
				link, linked, err := tx.Links(o.sync.Name).Get(graphsync.User, graphsync.ID(key))
				if err != nil {
					return err
				}
				if linked && !link.Active {
					claims[link.TargetID] = o.owner(graphsync.User, link.Source)
				}
				if n++; n == plan.DraftChunk {
					break
				}
			}
			return nil
		})
		if err == nil {
			err = o.store.Accounts().GiveUp(o.sync.application(), claims)
		}
		if err != nil || n < plan.DraftChunk {
			return err
		}
	}
}

// dropLost reports whether a linked account is somebody else's by now. Its link is dropped then, and
// nothing is done to it.
func (o *ownership) dropLost(tx *state.Tx, link *state.Link) (owner state.Owner, lost bool, err error) {
	owner, owned, err := o.store.Accounts().OwnerOf(o.sync.application(), link.TargetID, link.Kind)
	if err != nil || !owned || owner == o.owner(link.Kind, link.Source) {
		return owner, false, err
	}
	o.ledger.note("account %s is %s by now: the link of %s to it was dropped", link.TargetID, o.describe(owner), link.Key)
	return owner, true, o.opts.records(tx, o.sync).forgetLink(link.Kind, link.Source)
}

// transferable reports whether the owner of an account lets it go to this sync, and why in words that
// holds are grouped by.
func (o *ownership) transferable(owner state.Owner, account string) (cause string, yields bool, err error) {
	if owner.Tenant == o.sync.Tenant {
		if slices.Contains(o.peers, owner.Sync) {
			return "", false, nil
		}
		return fmt.Sprintf("accounts of sync %s, which is no longer configured", owner.Sync), true, nil
	}
	yields, err = o.store.Accounts().Yields(o.sync.application(), account, owner)
	return "accounts that tenant " + o.store.TenantRecords().NameOf(owner.Tenant) + " has no use for any more", yields, err
}

// describe says whose an account is.
func (o *ownership) describe(owner state.Owner) string {
	if owner.Tenant == o.sync.Tenant && owner.Sync == o.sync.Name {
		return fmt.Sprintf("of %s %s of this sync", owner.Kind, owner.Source)
	}
	return fmt.Sprintf("of sync %s of tenant %s", owner.Sync, o.store.TenantRecords().NameOf(owner.Tenant))
}

// howToRelease says what gives an account free that somebody else has.
func (o *ownership) howToRelease(owner state.Owner) string {
	if owner.Tenant == o.sync.Tenant {
		return "two syncs of a tenant cannot keep one account"
	}
	name := o.store.TenantRecords().NameOf(owner.Tenant)
	if owner.Kind == graphsync.Group {
		return fmt.Sprintf("a group is not offered to another tenant, and is free when the tenant is removed (entrasync tenants remove %s)", name)
	}
	return fmt.Sprintf("it is offered here once its person is deleted there for good and it is switched off, and is free when the tenant is removed (entrasync tenants remove %s)", name)
}

// claim claims an account, from whoever the plan found to let it go, and returns who has it now.
func (o *ownership) claim(a *plan.StoredAction, account string) (state.Owner, error) {
	former := a.FormerOwner
	if !a.Former.IsZero() {
		former = o.owner(a.Kind, a.Former)
	}
	if former.Source.IsZero() {
		return o.store.Accounts().Claim(o.sync.application(), account, o.owner(a.Kind, a.SourceID))
	}
	return o.store.Accounts().Succeed(o.sync.application(), account, former, o.owner(a.Kind, a.SourceID))
}

func (o *ownership) owner(kind graphsync.Kind, id graphsync.ID) state.Owner {
	return state.Owner{Tenant: o.sync.Tenant, Sync: o.sync.Name, Kind: kind, Source: id}
}
