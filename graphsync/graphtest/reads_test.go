package graphtest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
)

// postJSON sends a body to a path under /v1.0, compressed as the SDK does.
func (c *client) postJSON(path string, body any) *response {
	c.t.Helper()
	plain, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(plain); err != nil {
		c.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		c.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, c.base+"/v1.0"+path, &zipped)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Content-Encoding", "gzip")
	return c.must(r)
}

func ids(rows []map[string]any) []string {
	out := []string{}
	for _, row := range rows {
		id, _ := row["id"].(string)
		out = append(out, id)
	}
	return out
}

func TestSingleObjects(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	b := inProcess(t, graphtest.Options{Now: func() time.Time { return now }})
	b.tenant.AddUser(graphtest.Props{"id": u1, "displayName": "Ada", "userPrincipalName": "ada#EXT#@contoso.onmicrosoft.com"})
	b.tenant.AddUser(graphtest.Props{"id": u9, "displayName": "Mo"})
	b.tenant.SetManager(u1, u9)
	b.tenant.AddGroup(graphtest.Props{"id": g1, "displayName": "Sales"})

	golden(t, "user.json", b.get("/users/"+u1.String()))
	golden(t, "organization.json", b.get("/organization?$select=id,displayName,verifiedDomains"))
	if got := b.get("/users/ada%23EXT%23@contoso.onmicrosoft.com?$select=accountEnabled"); got.fields(t)["accountEnabled"] != true {
		t.Errorf("by principal name: %s", got.body)
	}
	diff(t, "Mo", b.get("/users/"+u1.String()+"/manager").text(t, "displayName"))
	diff(t, "Sales", b.get("/groups/"+g1.String()+"?$select=displayName").text(t, "displayName"))
	for _, path := range []string{"/users/" + u2.String(), "/users/" + g1.String(), "/users/unknown@x", "/users/" + u9.String() + "/manager",
		"/groups/" + u1.String(), "/directory/deletedItems/" + u1.String(), "/organization/" + u1.String(), "/servicePrincipals(appId='x')"} {
		if got := b.get(path); got.status != 404 || got.code(t) != "Request_ResourceNotFound" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}

	b.tenant.SoftDelete(u1)
	if got := b.get("/users/" + u1.String()); got.status != 404 {
		t.Errorf("a deleted user: %d %s", got.status, got.body)
	}
	golden(t, "deleted-user.json", b.get("/directory/deletedItems/"+u1.String()+"?$select=displayName,userPrincipalName,deletedDateTime"))
	diff(t, []string{u1.String()}, ids(b.get("/directory/deletedItems/microsoft.graph.user?$select=id").value(t)))
	diff(t, []string{}, ids(b.get("/directory/deletedItems/microsoft.graph.group").value(t)))
	now = now.Add(30 * 24 * time.Hour)
	b.login()
	if got := b.get("/directory/deletedItems/" + u1.String()); got.status != 404 {
		t.Errorf("after 30 days: %d %s", got.status, got.body)
	}
}

func TestListsPageAndFilter(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	var people []graphsync.ID
	for range 7 {
		people = append(people, b.tenant.AddUser(nil))
	}
	b.tenant.AddUser(graphtest.Props{"displayName": "Zoë O'Neill", "department": "Sales"})
	b.tenant.AddGroup(graphtest.Props{"id": g1}, people...)
	b.tenant.SoftDelete(people[6])

	var got []string
	link := "/groups/" + g1.String() + "/members?$select=id&$top=4"
	for pages := 0; link != ""; pages++ {
		page := b.get(link)
		got = append(got, ids(page.value(t))...)
		link = page.text(t, "@odata.nextLink")
	}
	want := []string{}
	for _, id := range people[:6] {
		want = append(want, id.String())
	}
	diff(t, want, got)
	page := b.get("/users?$count=true&$top=2&$select=displayName", "ConsistencyLevel", "eventual")
	if page.fields(t)["@odata.count"] != 7.0 || len(page.value(t)) != 2 || page.text(t, "@odata.nextLink") == "" {
		t.Errorf("users: %s", page.body)
	}
	diff(t, 1, len(b.get("/users?$filter=displayName+eq+'Zo%C3%AB+O''Neill'").value(t)))
	diff(t, 1, len(b.get("/users?$filter=startswith(department,'Sal')").value(t)))
	for _, path := range []string{"/users?$filter=city+eq+'x'", "/users?$count=true", "/users?$orderby=displayName", "/users?$top=1000", "/groups/" + g1.String() + "/members?$filter=id+eq+'x'"} {
		if got := b.get(path); got.status != 400 {
			t.Errorf("%s: %d, want 400", path, got.status)
		}
	}
}

func TestGetByIDs(t *testing.T) {
	t.Parallel()
	b := overTLS(t, graphtest.Options{})
	b.tenant.AddUser(graphtest.Props{"id": u1, "displayName": "Ada"})
	b.tenant.AddUser(graphtest.Props{"id": u2})
	b.tenant.AddGroup(graphtest.Props{"id": g1, "displayName": "Sales"})
	b.tenant.SoftDelete(u2)
	all := []string{u1.String(), u2.String(), u9.String(), g1.String(), u1.String()}

	got := b.postJSON("/directoryObjects/getByIds?$select=id,displayName", map[string]any{"ids": all, "types": []string{"user", "group"}})
	diff(t, []object{
		{"@odata.type": "#microsoft.graph.user", "id": u1.String(), "displayName": "Ada"},
		{"@odata.type": "#microsoft.graph.group", "id": g1.String(), "displayName": "Sales"},
	}, got.value(t))
	diff(t, []string{u1.String()}, ids(b.postJSON("/directoryObjects/microsoft.graph.getByIds", map[string]any{"ids": all, "types": []string{"user"}}).value(t)))

	b.tenant.Grant(b.app.ClientID, "User.Read.All")
	b.login()
	got = b.postJSON("/directoryObjects/getByIds", map[string]any{"ids": []string{g1.String()}})
	diff(t, []object{{"@odata.type": "#microsoft.graph.group", "id": g1.String()}}, got.value(t)) // limited information

	for name, body := range map[string]any{
		"none": map[string]any{"ids": []string{}}, "too many": map[string]any{"ids": make([]string, 1001)},
		"no GUID": map[string]any{"ids": []string{"x"}}, "type": map[string]any{"ids": all, "types": []string{"person"}},
		"unknown key": map[string]any{"ids": all, "kinds": 1}, "no object": 5,
	} {
		if got := b.postJSON("/directoryObjects/getByIds", body); got.status != 400 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

func TestEnterpriseAppAndAssignments(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	b := inProcess(t, graphtest.Options{Now: func() time.Time { return now }})
	app, sp := b.app.ClientID, b.sp.String()
	b.tenant.AddUser(graphtest.Props{"id": u1, "displayName": "Ada"})
	b.tenant.AddUser(graphtest.Props{"id": u2, "displayName": "Bob"})
	b.tenant.AddGroup(graphtest.Props{"id": g1, "displayName": "Sales"}, u2)
	a1 := b.tenant.Assign(app, u1, "AdminUser")
	b.tenant.Assign(app, g1, "")
	if b.tenant.Assign(app, u1, "AdminUser") != a1 {
		t.Error("assigning twice makes two rows")
	}
	golden(t, "servicePrincipal.json", b.get("/servicePrincipals(appId='"+app+"')?$select=id,appId,displayName,accountEnabled,appRoleAssignmentRequired,appRoles"))
	golden(t, "appRoleAssignedTo.json", b.get("/servicePrincipals/"+sp+"/appRoleAssignedTo?$top=999&$count=true", "ConsistencyLevel", "eventual"))
	diff(t, []string{sp}, ids(b.get("/servicePrincipals?$filter=appId+eq+'"+app+"'&$select=id").value(t)))
	diff(t, []string{}, ids(b.get("/servicePrincipals?$filter=appId+eq+'"+u1.String()+"'").value(t)))

	rows := func() []string {
		return ids(b.get("/servicePrincipals(appId='" + app + "')/appRoleAssignedTo").value(t))
	}
	b.tenant.SoftDelete(u1)
	diff(t, 1, len(rows()))
	b.tenant.Restore(u1)
	diff(t, 2, len(rows()))
	b.tenant.Unassign(a1)
	diff(t, 1, len(rows()))
	if a := b.tenant.Assign(app, u1, "AdminUser"); a == a1 {
		t.Error("a new assignment has the id of the old one")
	}
	b.tenant.RemoveAppRole(app, "AdminUser")
	diff(t, 1, len(rows()))
	b.tenant.AddAppRole(app, graphtest.AppRole{Value: "Auditor"})
	b.tenant.Assign(app, u1, "Auditor")
	b.tenant.Purge(u1)
	diff(t, 1, len(rows()))

	filter := "/servicePrincipals/" + sp + "/appRoleAssignedTo?$filter="
	diff(t, 1, len(b.get(filter+"principalDisplayName+eq+'Sales'").value(t)))
	diff(t, 0, len(b.get(filter+"startswith(principalDisplayName,'Q')").value(t)))
	for _, path := range []string{filter + "appRoleId+eq+'x'", "/servicePrincipals/" + sp + "/appRoleAssignedTo?$count=true",
		"/servicePrincipals/" + sp + "/appRoleAssignedTo?$top=1000", "/servicePrincipals/" + sp + "/appRoleAssignedTo?$expand=x",
		"/servicePrincipals/" + sp + "?$select=members"} {
		if got := b.get(path); got.status != 400 {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	b.tenant.Grant(app, "Directory.Read.All")
	b.login()
	got := b.get("/users/" + u2.String() + "/appRoleAssignments?$filter=resourceId+eq+" + sp).value(t)
	if len(got) != 1 || got[0]["principalId"] != g1.String() {
		t.Errorf("assignments of a member of an assigned group: %v", got)
	}
}

// Rows that go away while a client pages must not hide others.
func TestAssignmentPagingIsStable(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	var rows []string
	for range 250 {
		rows = append(rows, b.tenant.Assign(b.app.ClientID, b.tenant.AddUser(nil), "GeneralUser"))
	}
	first := b.get("/servicePrincipals/" + b.sp.String() + "/appRoleAssignedTo")
	got := ids(first.value(t))
	diff(t, 100, len(got)) // the default page
	b.tenant.Unassign(rows[0])
	b.tenant.Unassign(rows[50])
	for link := first.text(t, "@odata.nextLink"); link != ""; {
		page := b.get(link)
		got = append(got, ids(page.value(t))...)
		link = page.text(t, "@odata.nextLink")
	}
	diff(t, rows, got)
	if strings.Contains(string(first.body), "@odata.count") {
		t.Error("a count that was not asked for")
	}
}
