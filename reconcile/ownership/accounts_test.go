package ownership_test

import (
	"path/filepath"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

const application = "https://one"

var contoso, fabrikam = graphsync.ID{1}, graphsync.ID{2}

func openStore(t *testing.T) *state.Store {
	t.Helper()
	store, err := state.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// An account is taken from an owner that offered it or whose sync is no longer configured, and from no other.
func TestTransfer(t *testing.T) {
	t.Parallel()
	mine := func(store *state.Store) *ownership.Accounts {
		return &ownership.Accounts{Store: store, Application: application, Tenant: fabrikam, Sync: "people", TenantSyncs: []string{"people", "staff"}}
	}
	of := func(tenant graphsync.ID, sync string) state.Owner {
		return state.Owner{Tenant: tenant, Sync: sync, Kind: graphsync.User, Source: graphsync.ID{9}}
	}
	for name, test := range map[string]struct {
		owner        state.Owner
		offered      bool
		transferable bool
	}{
		"of another tenant":                              {of(contoso, "people"), false, false},
		"of another tenant, which offers it":             {of(contoso, "people"), true, true},
		"of another sync of the tenant":                  {of(fabrikam, "staff"), false, false},
		"of a sync that is no longer configured":         {of(fabrikam, "visitors"), false, true},
		"of another sync of the tenant, which offers it": {of(fabrikam, "staff"), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := openStore(t)
			if _, err := store.Accounts().Claim(application, "42", test.owner); err != nil {
				t.Fatal(err)
			}
			if test.offered {
				theirs := ownership.Accounts{Store: store, Application: application, Tenant: test.owner.Tenant, Sync: test.owner.Sync}
				if err := theirs.OfferTransfer(map[string]state.Owner{"42": test.owner}); err != nil {
					t.Fatal(err)
				}
			}
			accounts := mine(store)
			cause, transferable, err := accounts.Transferable(test.owner, "42")
			if err != nil || transferable != test.transferable {
				t.Errorf("transferable: %t (%s), %v", transferable, cause, err)
			}
			if !transferable {
				return
			}
			action := &plan.StoredAction{Action: plan.Action{Kind: graphsync.User, SourceID: graphsync.ID{7}}, FormerOwner: test.owner}
			owner, err := accounts.Claim(action, "42")
			if err != nil || owner != accounts.Owner(graphsync.User, graphsync.ID{7}) {
				t.Errorf("claimed, and owned by %+v: %v", owner, err)
			}
			link := &state.Link{Kind: graphsync.User, Source: test.owner.Source, TargetID: "42"}
			former := ownership.Accounts{Store: store, Application: application, Tenant: test.owner.Tenant, Sync: test.owner.Sync}
			if now, lost, err := former.Lost(link); err != nil || !lost || now != owner {
				t.Errorf("the former owner's link: lost %t to %+v, %v", lost, now, err)
			}
		})
	}
}

// An account that no plan says to take over stays with the owner it has.
func TestClaimOfAnOwnedAccount(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	theirs := state.Owner{Tenant: contoso, Sync: "people", Kind: graphsync.User, Source: graphsync.ID{9}}
	if _, err := store.Accounts().Claim(application, "42", theirs); err != nil {
		t.Fatal(err)
	}
	accounts := ownership.Accounts{Store: store, Application: application, Tenant: fabrikam, Sync: "people"}
	owner, err := accounts.Claim(&plan.StoredAction{Action: plan.Action{Kind: graphsync.User, SourceID: graphsync.ID{7}}}, "42")
	if err != nil || owner != theirs {
		t.Errorf("owned by %+v: %v", owner, err)
	}
	if _, lost, err := accounts.Lost(&state.Link{Kind: graphsync.User, Source: graphsync.ID{8}, TargetID: "43"}); lost || err != nil {
		t.Errorf("an account without an owner counts as lost: %v", err)
	}
}
