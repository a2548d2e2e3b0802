package graphtest_test

import (
	"strings"
	"testing"

	"entrasync/graphsync/graphtest"
)

func generated(t *testing.T, seed uint64, users int) (*bench, graphtest.Snapshot) {
	b := inProcess(t, graphtest.Options{})
	b.tenant.Populate(graphtest.GenerateOptions{Users: users, Seed: seed, App: b.app.ClientID})
	return b, b.tenant.Snapshot()
}

func TestGeneratedTenantIsDeterministic(t *testing.T) {
	t.Parallel()
	a, first := generated(t, 7, 300)
	_, second := generated(t, 7, 300)
	diff(t, first, second)
	_, third := generated(t, 8, 300)
	if first.Users[0].Properties["displayName"] == third.Users[0].Properties["displayName"] && first.Users[1].Properties["displayName"] == third.Users[1].Properties["displayName"] {
		t.Error("another seed gives the same people")
	}
	golden(t, "generated.json", a.get("/users/delta?$select=displayName,userPrincipalName,mail,department,jobTitle,officeLocation,accountEnabled,userType,manager&$filter="+
		"id+eq+'"+first.Users[0].ID.String()+"'+or+id+eq+'"+first.Users[1].ID.String()+"'+or+id+eq+'"+first.Users[2].ID.String()+"'"))
}

func TestGeneratedTenantIsBelievable(t *testing.T) {
	t.Parallel()
	b, all := generated(t, 1, 1000)
	diff(t, 1000, len(all.Users))
	counts := map[string]int{}
	names := map[any]bool{}
	for _, u := range all.Users {
		p := u.Properties
		upn := p["userPrincipalName"].(string)
		if names[upn] {
			t.Errorf("two people are %s", upn)
		}
		names[upn] = true
		for _, r := range upn {
			if r > '~' {
				t.Errorf("%s is no principal name", upn)
				break
			}
		}
		guest := p["userType"] == "Guest"
		if guest != strings.Contains(upn, "#EXT#@") {
			t.Errorf("%s is a %v", upn, p["userType"])
		}
		for what, is := range map[string]bool{"guest": guest, "disabled": p["accountEnabled"] == false, "no mail": p["mail"] == nil,
			"no given name": p["givenName"] == nil, "manager": !u.Manager.IsZero(), "attribute 1": p["onPremisesExtensionAttributes"] != nil} {
			if is {
				counts[what]++
			}
		}
	}
	for what, least := range map[string]int{"guest": 40, "disabled": 10, "no mail": 3, "no given name": 3, "manager": 800, "attribute 1": 20} {
		if counts[what] < least {
			t.Errorf("%d with %s, want %d or more", counts[what], what, least)
		}
	}
	nested, kinds := 0, map[string]int{}
	ids := map[string]bool{}
	for _, g := range all.Groups {
		ids[g.ID.String()] = true
	}
	for _, g := range all.Groups {
		for _, m := range g.Members {
			if ids[m.String()] {
				nested++
			}
		}
	}
	for _, a := range all.Assignments {
		kinds[a.Kind]++
	}
	if nested < 5 || kinds["User"] < 10 || kinds["Group"] < 5 {
		t.Errorf("%d nested groups, assignments %v", nested, kinds)
	}
	if found := b.tenant.Find("Sales"); len(found) != 1 || len(found[0].Members) < 100 {
		t.Errorf("Find(Sales): %d records", len(found))
	}
}
