package guard_test

import (
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

var ada = graphsync.ID{0xad, 0xa0}

// An account that no sync keeps is the tenant's when it carries the object id, or when every address on it
// is in a domain that the tenant has verified.
func TestProves(t *testing.T) {
	t.Parallel()
	own := guard.Guard{Domains: []string{"contoso.example"}}
	for _, tt := range []struct {
		name       string
		guard      guard.Guard
		attributes map[string]any
		want       bool
	}{
		{"no domains: no bound", guard.Guard{}, map[string]any{"userName": "ceo@fabrikam.example"}, true},
		{"the object id", own, map[string]any{"externalId": ada.String(), "userName": "ceo@fabrikam.example"}, true},
		{"the object id in capitals", own, map[string]any{"externalId": "ADA00000-0000-0000-0000-000000000000"}, true},
		{"another object id", own, map[string]any{"externalId": graphsync.ID{9}.String()}, false},
		{"an own address", own, map[string]any{"userName": "ada@contoso.example"}, true},
		{"an own address in capitals", own, map[string]any{"userName": "Ada@CONTOSO.example"}, true},
		{"a subdomain is another domain", own, map[string]any{"userName": "ada@sub.contoso.example"}, false},
		{"a domain with the same end", own, map[string]any{"userName": "ada@evil-contoso.example"}, false},
		{"no local part", own, map[string]any{"userName": "@contoso.example"}, false},
		{"a wide sign", own, map[string]any{"userName": "ada\uff20contoso.example"}, false},
		{"no address at all", own, map[string]any{"userName": "ada"}, false},
		{"one foreign mail address", own, map[string]any{"userName": "ada@contoso.example", "emails": []any{map[string]any{"value": "ada@fabrikam.example"}}}, false},
		{"a mail address without a sign", own, map[string]any{"userName": "ada@contoso.example", "emails": []any{map[string]any{"value": "ada"}}}, false},
		{"mail addresses as texts", own, map[string]any{"emails": []any{"ada@contoso.example", "a@contoso.example"}}, true},
		{"an address in an extension", own, map[string]any{"userName": "ada@contoso.example",
			"urn:example:User": map[string]any{"login": "ada@fabrikam.example"}}, false},
		{"the manager's address is not the account's", own, map[string]any{"userName": "ada@contoso.example",
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": map[string]any{"manager": map[string]any{"value": "bob@fabrikam.example"}}}, true},
		{"a text with an address in it is none", own, map[string]any{"userName": "ada@contoso.example", "title": "see bob@fabrikam.example please"}, true},
		{"no verified domain", guard.Guard{Domains: []string{}}, map[string]any{"userName": "ada@contoso.example"}, false},
	} {
		if got := tt.guard.Proves(&target.Resource{Attributes: tt.attributes}, ada); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A group has no address: where groups are held, only the object id shows that it was made here.
func TestProvesCreation(t *testing.T) {
	t.Parallel()
	made := target.Resource{Attributes: map[string]any{"externalId": ada.String(), "displayName": "Sales"}}
	other := target.Resource{Attributes: map[string]any{"displayName": "Sales"}}
	group := state.Intent{Kind: graphsync.Group, Source: ada}
	held, free := guard.Guard{HoldGroups: true}, guard.Guard{}
	if !held.ProvesCreation(&made, group) || held.ProvesCreation(&other, group) || !free.ProvesCreation(&other, group) {
		t.Error("a group is proven by its externalId where groups are held, and by nothing else there")
	}
	user := state.Intent{Kind: graphsync.User, Source: ada}
	if own := (guard.Guard{Domains: []string{"contoso.example"}}); own.ProvesCreation(&target.Resource{Attributes: map[string]any{"userName": "ada@fabrikam.example"}}, user) {
		t.Error("a user with a foreign address is taken for what was made here")
	}
}

// Addresses that an action writes must be the tenant's own. Only what changes is judged.
func TestClaims(t *testing.T) {
	t.Parallel()
	m, problems := mapping.New(target.User, []mapping.Spec{{Path: "userName", Expr: "[userPrincipalName]"}, {Path: `emails[type eq "work"].value`, Expr: "[mail]"}, {Path: "title", Expr: "[jobTitle]"}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	desired := func(userName, mail, title any) (all []mapping.Desired) {
		for i, value := range []any{userName, mail, title} {
			all = append(all, mapping.Desired{Attribute: m.Attributes()[i], Do: mapping.Write, Value: value})
		}
		return all
	}
	changes := func(attributes ...string) (all []plan.Change) {
		for _, attribute := range attributes {
			all = append(all, plan.Change{Attribute: attribute})
		}
		return all
	}
	own := guard.Guard{Domains: []string{"contoso.example"}}
	guests := guard.Guard{Domains: own.Domains, GuestAddresses: true}
	foreign := desired("ada@contoso.example", "ada@fabrikam.example", "boss")
	for _, tt := range []struct {
		name    string
		guard   guard.Guard
		changes []plan.Change
		desired []mapping.Desired
		guest   bool
		cause   string
	}{
		{"no domains: no bound", guard.Guard{}, changes(`emails[type eq "work"].value`), foreign, false, ""},
		{"own addresses", own, changes("userName"), foreign, false, ""},
		{"a foreign address", own, changes("userName", `emails[type eq "work"].value`), foreign, false, "new addresses outside of the tenant's own domains"},
		{"a foreign address that stays", own, changes("title"), foreign, false, ""},
		{"of a guest", own, changes(`emails[type eq "work"].value`), foreign, true, "guests with addresses outside of the tenant's own domains"},
		{"of a guest, allowed", guests, changes(`emails[type eq "work"].value`), foreign, true, ""},
		{"of a member, where guests are allowed", guests, changes(`emails[type eq "work"].value`), foreign, false, "new addresses outside of the tenant's own domains"},
		{"a title that is an address", own, changes("title"), desired("ada@contoso.example", nil, "ceo@fabrikam.example"), false, "new addresses outside of the tenant's own domains"},
		{"a cleared address", own, changes(`emails[type eq "work"].value`), desired("ada@contoso.example", nil, "boss"), false, ""},
	} {
		cause := ""
		if hold := tt.guard.Claims(tt.changes, tt.desired, tt.guest); hold != nil {
			if cause = hold.Cause; hold.Guard != "foreign_domain" {
				t.Errorf("%s: held by %s", tt.name, hold.Guard)
			}
		}
		if cause != tt.cause {
			t.Errorf("%s: %q, want %q", tt.name, cause, tt.cause)
		}
	}
}
