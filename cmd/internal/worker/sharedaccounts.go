package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
)

// With {tenant} in a target's address every tenant has an application of its own, and accounts are claimed
// in each separately. Some applications accept any path, or any query, and answer with the same accounts:
// then an account that one tenant keeps would be unclaimed for the others.

const sharedHint = "take {tenant} out of the target's options, so that the tenants share one application, or correct the address"

// sharedAccounts find the applications of a section that have the same accounts.
type sharedAccounts struct{ worker *Worker }

// check reads the first page of accounts before a tenant's first cycle: none of them may be
// one that another tenant keeps through the same section.
func (a sharedAccounts) check(ctx context.Context, s *compile.Sync, key string, adapter target.Adapter, tenant *state.Tenant) error {
	first := false
	err := tenant.View(func(tx *state.Tx) error { first = tx.SyncInfo(s.Name).FirstRun.IsZero(); return nil })
	if err != nil || !first || key == s.TargetName {
		return err
	}
	others := a.othersOf(s)
	if len(others) == 0 {
		return nil
	}
	page, err := FirstAccounts(ctx, adapter)
	if err != nil {
		return nil // the cycle reports it
	}
	for _, other := range others {
		application, err := a.worker.Application(other)
		if err != nil {
			return err
		}
		location, err := a.worker.locate(application)
		if err != nil {
			return err
		}
		for i := range page {
			owner, owned, err := a.worker.Store.Accounts().OwnerOf(location.ID, page[i].ID, graphsync.User)
			if err != nil {
				return err
			}
			if owned && owner.Tenant == other.Tenant && a.shows(ctx, other, &page[i]) {
				return SharedError(s, other, &page[i])
			}
		}
	}
	return nil
}

// SharedError says that two tenants of a target with {tenant} in its options reach the same account.
func SharedError(s, other *compile.Sync, r *target.Resource) error {
	return advice.With(fmt.Errorf("target %s: {tenant} in its options leads the tenants %s and %s to the same accounts, such as %s (%s)",
		s.TargetName, s.TenantName, other.TenantName, r.ID, target.Clean(target.Digits(r.Attributes["userName"]))), sharedHint)
}

// othersOf are the syncs of other tenants into the same section.
func (a sharedAccounts) othersOf(s *compile.Sync) (others []*compile.Sync) {
	seen := map[string]bool{s.Expansion: true}
	for _, other := range a.worker.Syncs {
		if other.TargetName == s.TargetName && !seen[other.Expansion] && len(other.Faults) == 0 {
			seen[other.Expansion] = true
			others = append(others, other)
		}
	}
	return others
}

// shows reports whether another tenant is shown the same account.
func (a sharedAccounts) shows(ctx context.Context, other *compile.Sync, r *target.Resource) bool {
	adapter, err := a.worker.Target(other)
	if err != nil {
		return false
	}
	getter, ok := adapter.(target.Getter)
	if !ok {
		return false
	}
	shown, err := getter.Get(ctx, r.Ref)
	return err == nil && sameAccount(shown, r)
}

// sameAccount reports whether two answers show one account.
func sameAccount(a, b *target.Resource) bool {
	name := target.Digits(a.Attributes["userName"])
	return a.ID == b.ID && name != "" && strings.EqualFold(name, target.Digits(b.Attributes["userName"])) &&
		target.Digits(a.Attributes["externalId"]) == target.Digits(b.Attributes["externalId"])
}

// FirstAccounts returns the first page of users.
func FirstAccounts(ctx context.Context, adapter target.Adapter) (page []target.Resource, err error) {
	lister, ok := adapter.(target.Lister)
	if !ok {
		return nil, nil
	}
	enough := errors.New("enough")
	err = lister.List(ctx, target.User, func(first []target.Resource) error {
		page = first
		return enough
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return page, err
}

// SharedAccount returns an account that is on both pages, nil when that may be chance. Two accounts that
// are the same, or one that was created at the same instant, are no coincidence.
func SharedAccount(a, b []target.Resource) *target.Resource {
	known := make(map[string]*target.Resource, len(b))
	for i := range b {
		known[b[i].ID] = &b[i]
	}
	var found []*target.Resource
	for i := range a {
		other := known[a[i].ID]
		if other == nil || !sameAccount(&a[i], other) {
			continue
		}
		if made := madeAt(&a[i]); made != "" && made == madeAt(other) || len(found) > 0 {
			return &a[i]
		}
		found = append(found, &a[i])
	}
	return nil
}

// madeAt is when an account was created, "" when the application does not say (RFC 7643, section 3.1).
func madeAt(r *target.Resource) string {
	meta, _ := r.Attributes["meta"].(map[string]any)
	return target.Digits(meta["created"])
}
