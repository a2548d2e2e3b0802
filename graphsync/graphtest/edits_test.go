package graphtest_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"entrasync/graphsync/graphtest"
)

// An edit no directory could hold is a mistake in a test, and is named.
func TestImpossibleEditsPanic(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	b.tenant.AddUser(graphtest.Props{"id": u1})
	b.tenant.AddGroup(graphtest.Props{"id": g1})
	app := b.app.ClientID
	for name, c := range map[string]struct {
		edit func()
		says string
	}{
		"unknown property":    {func() { b.tenant.Set(u1, "displayname", "x") }, `has no property "displayname"`},
		"a user's on a group": {func() { b.tenant.Set(g1, "jobTitle", "x") }, `has no property "jobTitle"`},
		"wrong type":          {func() { b.tenant.Set(u1, "accountEnabled", "yes") }, "is no value of property accountEnabled"},
		"no date":             {func() { b.tenant.Set(u1, "employeeHireDate", "soon") }, "is no value of property employeeHireDate"},
		"extension attribute": {func() {
			b.tenant.Set(u1, "onPremisesExtensionAttributes", map[string]string{"extensionAttribute16": "x"})
		}, "extensionAttribute16"},
		"unknown object":   {func() { b.tenant.SoftDelete(u2) }, "has no object"},
		"taken id":         {func() { b.tenant.AddUser(graphtest.Props{"id": u1}) }, "already"},
		"no GUID":          {func() { b.tenant.AddUser(graphtest.Props{"id": "x"}) }, "not an object id"},
		"member of a user": {func() { b.tenant.AddMember(u1, g1) }, "is not a group"},
		"group's manager":  {func() { b.tenant.SetManager(g1, u1) }, "is not a user"},
		"restore the live": {func() { b.tenant.Restore(u1) }, "not in deletedItems"},
		"unknown role":     {func() { b.tenant.Assign(app, u1, "King") }, `no role "King"`},
		"unknown app":      {func() { b.tenant.Assign(u2.String(), u1, "") }, "no service principal"},
		"unknown grant":    {func() { b.tenant.Unassign("x") }, "no assignment x"},
		"unregistered":     {func() { b.tenant.Consent(u2.String()) }, "no app is registered"},
		"taken tenant":     {func() { b.server.AddTenant(graphtest.TenantSpec{ID: b.tenant.ID().String(), Domain: "x"}) }, "already"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.HasPrefix(said, "graphtest: ") || !strings.Contains(said, c.says) {
					t.Errorf("panic %q, want …%s…", said, c.says)
				}
			}()
			c.edit()
		})
	}
	if got := b.get("/users/delta"); got.status != 200 {
		t.Errorf("the server after panics: %d", got.status)
	}
}

func TestValuesOfEveryKind(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	hired := time.Date(2024, 5, 1, 10, 0, 0, 0, time.FixedZone("", 7200))
	ext := "extension_" + strings.Repeat("0123456789abcdef", 2) + "_"
	b.tenant.AddUser(graphtest.Props{"id": u1, "displayName": "\"Q\" & <Ünal>\n", "employeeHireDate": hired, "otherMails": []string{"a@x", "b@x"},
		"onPremisesExtensionAttributes": map[string]string{"extensionAttribute1": "one"}, "employeeOrgData": map[string]any{"division": "North"},
		ext + "level": 3, ext + "since": hired, ext + "tags": []string{"x"}})
	b.tenant.Set(u1, "onPremisesExtensionAttributes", map[string]any{"extensionAttribute15": "last"})
	got := b.get("/users/" + u1.String() + "?$select=displayName,employeeHireDate,otherMails,proxyAddresses,onPremisesExtensionAttributes,employeeOrgData," +
		ext + "level," + ext + "since," + ext + "tags").fields(t)
	attributes := got["onPremisesExtensionAttributes"].(object)
	diff(t, 15, len(attributes))
	diff(t, "one", attributes["extensionAttribute1"])
	diff(t, "last", attributes["extensionAttribute15"])
	diff(t, nil, attributes["extensionAttribute2"])
	delete(got, "onPremisesExtensionAttributes")
	delete(got, "@odata.context")
	diff(t, object{"id": u1.String(), "displayName": "\"Q\" & <Ünal>\n", "employeeHireDate": "2024-05-01T08:00:00Z", "otherMails": []any{"a@x", "b@x"},
		"proxyAddresses": []any{}, "employeeOrgData": object{"division": "North"}, ext + "level": 3.0, ext + "since": "2024-05-01T08:00:00Z", ext + "tags": []any{"x"}}, got)
}

// Edits and reads at the same time: the last round has it all.
func TestEditsWhileServing(t *testing.T) {
	t.Parallel()
	b := overTLS(t, graphtest.Options{PageSize: 7, MembersPageSize: 5})
	group := b.tenant.AddGroup(nil)
	var edits sync.WaitGroup
	for range 4 {
		edits.Go(func() {
			for range 100 {
				id := b.tenant.AddUser(nil)
				b.tenant.AddMember(group, id)
				b.tenant.Assign(b.app.ClientID, id, "Viewer")
				b.tenant.Set(id, "department", "Sales")
			}
		})
	}
	seen := map[any]bool{}
	members := map[any]bool{}
	read := func(users, groups string) (string, string) {
		entries, users, _ := b.round(users)
		for _, e := range entries {
			seen[e["id"]] = true
		}
		entries, groups, _ = b.round(groups)
		for _, e := range entries {
			list, _ := e["members@delta"].([]any)
			for _, m := range list {
				members[m.(object)["id"]] = true
			}
		}
		return users, groups
	}
	users, groups := read("/users/delta?$select=department", "/groups/delta?$select=members")
	edits.Wait()
	read(users, groups)
	diff(t, 400, len(seen))
	diff(t, 400, len(members))
	diff(t, 400, len(b.tenant.Snapshot().Assignments))
}
