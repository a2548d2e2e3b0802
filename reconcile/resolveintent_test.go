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

// An adoption that did not reach the account left it as it was: without the externalId it is anyone's of that name. A
// creation may have been stored without one.
func TestWasIntended(t *testing.T) {
	t.Parallel()
	const source = "00000002-0000-0000-0000-000000000000"
	mapped := func(specs ...mapping.Spec) *desired.Rules {
		m, faults := mapping.New(target.User, append(specs, mapping.Spec{Path: "userName", Expr: "[userPrincipalName]"}))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		return &desired.Rules{Mapping: m}
	}
	withID, withoutID := mapped(mapping.Spec{Path: "externalId", Expr: "[objectId]"}), mapped()
	byID := []state.MatchKey{{Attribute: "externalId", Value: source}, {Attribute: "userName", Value: "ada@example.com"}}
	for name, test := range map[string]struct {
		rules *desired.Rules
		op    plan.Op
		keys  []state.MatchKey
		shown map[string]any
		want  bool
	}{
		"adopted":                            {withID, plan.Adopt, byID, map[string]any{"externalId": source, "userName": "ada@example.com"}, true},
		"not reached":                        {withID, plan.Adopt, byID, map[string]any{"userName": "ada@example.com"}, false},
		"adopted by another":                 {withID, plan.Adopt, byID, map[string]any{"externalId": "x", "userName": "ada@example.com"}, false},
		"created, the application hides ids": {withID, plan.Create, byID, map[string]any{"userName": "ada@example.com"}, true},
		"created by another":                 {withID, plan.Create, byID, map[string]any{"externalId": "x", "userName": "ada@example.com"}, false},
		"adopted without ids":                {withoutID, plan.Adopt, byID[1:], map[string]any{"userName": "ada@example.com"}, true},
	} {
		intent := state.Intent{Kind: graphsync.User, Source: graphsync.ID{3: 2}, Op: string(test.op), Keys: test.keys}
		if got := wasIntended(test.rules, intent, &target.Resource{Attributes: test.shown}); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
