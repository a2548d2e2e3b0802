package reconcile

import (
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// An account that another sync claims between the look at it and our claim is not linked: the intent
// stays open, and the next cycle looks again.
func TestResolvedIntentOfAClaimedAccount(t *testing.T) {
	t.Parallel()
	store, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ours, other := state.Owner{Tenant: graphsync.ID{1}, Sync: "people", Kind: graphsync.User, Source: graphsync.ID{2}}, state.Owner{Tenant: graphsync.ID{3}, Sync: "people", Kind: graphsync.User, Source: graphsync.ID{4}}
	tenant, err := store.Tenant(ours.Tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer tenant.Close()
	users, faults := mapping.New(target.User, []mapping.Spec{{Path: "userName", Expr: "[userPrincipalName]"}})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	sync := &Sync{Name: ours.Sync, TargetName: "front", Tenant: ours.Tenant, Users: desired.Rules{Mapping: users}}
	opts := Options{Apply: true}
	r := &recovery{sync: sync, opts: opts, now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), store: store, tenant: tenant,
		owners: &ownership.Accounts{Store: store, Application: sync.application(), Tenant: sync.Tenant, Sync: sync.Name}}
	for account, owner := range map[string]state.Owner{"1": other, "2": ours} {
		intent := state.Intent{Kind: graphsync.User, Source: ours.Source, Op: string(plan.Create), At: r.now, Keys: []state.MatchKey{{Attribute: "userName", Value: "ada@example.com"}}}
		if err := tenant.Update(func(tx *state.Tx) error { return tx.Intents(sync.Name).Put(intent) }); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Accounts().Claim(sync.application(), account, owner); err != nil {
			t.Fatal(err)
		}
		if err := r.resolveIntent(intent, &target.Resource{Ref: target.Ref{Kind: target.User, ID: account}}); err != nil {
			t.Fatal(err)
		}
		err = tenant.Update(func(tx *state.Tx) error {
			link, linked, err := tx.Links(sync.Name).Get(graphsync.User, ours.Source)
			if linked != (owner == ours) || linked && link.TargetID != account {
				t.Errorf("account %s of %v: linked %t to %q", account, owner.Source, linked, link.TargetID)
			}
			if _, open := tx.Intents(sync.Name).Get(graphsync.User, ours.Source); open != (owner != ours) {
				t.Errorf("account %s of %v: the intent is open: %t", account, owner.Source, open)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := tenant.Update(func(tx *state.Tx) error { return tx.Links(sync.Name).Delete(graphsync.User, ours.Source) }); err != nil {
			t.Fatal(err)
		}
	}
}
