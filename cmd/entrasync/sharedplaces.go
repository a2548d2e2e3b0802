package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"entrasync/cmd/internal/compile"
	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
)

// With {tenant} in a target's address every tenant has an application of its own, and accounts are
// claimed in each apart. Some applications take any path, or any query, and answer with the same
// accounts: then what one tenant keeps would be free for the others.

const sharedHint = "take {tenant} out of the target's options, so that the tenants share one application, or correct the address"

// checkSharedByClaims looks at the first accounts that a tenant is shown before its first cycle: none
// of them may be one that another tenant keeps through the same section.
func (w *worker) checkSharedByClaims(ctx context.Context, s *compile.Sync, key string, adapter target.Adapter, tenant *state.Tenant) error {
	first := false
	err := tenant.View(func(tx *state.Tx) error { first = tx.SyncInfo(s.Name).FirstRun.IsZero(); return nil })
	if err != nil || !first || key == s.TargetName {
		return err
	}
	others := w.othersOf(s)
	if len(others) == 0 {
		return nil
	}
	page, err := firstAccounts(ctx, adapter)
	if err != nil {
		return nil // the cycle says so
	}
	for _, other := range others {
		application, err := w.application(other)
		if err != nil {
			return err
		}
		location, err := w.locate(application)
		if err != nil {
			return err
		}
		for i := range page {
			owner, owned, err := w.store.OwnerOf(location.ID, page[i].ID, graphsync.User)
			if err != nil {
				return err
			}
			if owned && owner.Tenant == other.Tenant && w.shows(ctx, other, &page[i]) {
				return sharedError(s, other, &page[i])
			}
		}
	}
	return nil
}

func sharedError(s, other *compile.Sync, r *target.Resource) error {
	return withHint(fmt.Errorf("target %s: {tenant} in its options leads the tenants %s and %s to the same accounts, such as %s (%s)",
		s.TargetName, s.TenantName, other.TenantName, r.ID, target.Clean(target.Digits(r.Attributes["userName"]))), sharedHint)
}

// othersOf are the syncs of other tenants into the same section.
func (w *worker) othersOf(s *compile.Sync) (others []*compile.Sync) {
	seen := map[string]bool{s.Expansion: true}
	for _, other := range w.syncs {
		if other.TargetName == s.TargetName && !seen[other.Expansion] && len(other.Faults) == 0 {
			seen[other.Expansion] = true
			others = append(others, other)
		}
	}
	return others
}

// shows reports whether another tenant is shown the same account.
func (w *worker) shows(ctx context.Context, other *compile.Sync, r *target.Resource) bool {
	adapter, err := w.target(other)
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

// firstAccounts returns the first page of users.
func firstAccounts(ctx context.Context, adapter target.Adapter) (page []target.Resource, err error) {
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

// sharedPlaces compares what the tenants of targets with {tenant} are shown first. Two accounts that
// are the same, or one that was made at the same instant, are no coincidence.
func (c *checker) sharedPlaces(ctx context.Context, syncs []*compile.Sync) {
	tenants := map[string][]*compile.Sync{}
	for _, s := range syncs {
		if application, err := c.worker.application(s); err == nil && application.Key != s.TargetName {
			tenants[s.TargetName] = append(tenants[s.TargetName], s)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tenants)) {
		if len(tenants[name]) > 1 {
			c.each(ctx, 1, targetCheckTime, func(ctx context.Context, _ int, out *section) { c.sharedPlace(ctx, tenants[name], out) })
		}
	}
}

func (c *checker) sharedPlace(ctx context.Context, syncs []*compile.Sync, out *section) {
	pages := make([][]target.Resource, len(syncs))
	for i, s := range syncs {
		adapter, err := c.worker.target(s)
		if err != nil {
			continue // said elsewhere, as what follows is
		}
		if pages[i], err = firstAccounts(ctx, adapter); err != nil {
			continue
		}
		for j, other := range syncs[:i] {
			if r := sharedIn(pages[i], pages[j]); r != nil && other.Expansion != s.Expansion {
				out.fail("target "+s.TargetName, sharedError(s, other, r))
				return
			}
		}
	}
}

// sharedIn returns an account that is on both pages, nil when that may be chance.
func sharedIn(a, b []target.Resource) *target.Resource {
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

// madeAt is when an account was made, "" when the application does not say (RFC 7643, section 3.1).
func madeAt(r *target.Resource) string {
	meta, _ := r.Attributes["meta"].(map[string]any)
	return target.Digits(meta["created"])
}
