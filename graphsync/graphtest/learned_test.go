package graphtest_test

import (
	"net/http"
	"strings"
	"testing"

	"entrasync/graphsync/graphtest"
)

func TestOneAssignment(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	b.tenant.AddUser(graphtest.Props{"id": u1})
	row := b.tenant.Assign(b.app.ClientID, u1, "AdminUser")
	path := "/servicePrincipals/" + b.sp.String() + "/appRoleAssignedTo/"
	if got := b.get(path + row); got.status != 200 || got.text(t, "principalId") != u1.String() || got.text(t, "id") != row {
		t.Errorf("%d %s", got.status, got.body)
	}
	for _, gone := range []string{"another", row + "x"} {
		if got := b.get(path + gone); got.status != 404 || !strings.Contains(string(got.body), "Request_ResourceNotFound") {
			t.Errorf("%s: %d %s", gone, got.status, got.body)
		}
	}
	if got := b.get(path + row + "?$expand=x"); got.status != 400 {
		t.Errorf("$expand: %d %s", got.status, got.body)
	}
	b.tenant.SoftDelete(u1)
	if got := b.get(path + row); got.status != 404 {
		t.Errorf("of a deleted principal: %d %s", got.status, got.body)
	}
	b.tenant.Grant(b.app.ClientID, "User.Read.All")
	b.login()
	if got := b.get(path + row); got.status != http.StatusForbidden {
		t.Errorf("without the permission: %d %s", got.status, got.body)
	}
}

// The members of a group with a hidden membership are left out without a word.
func TestHiddenMembership(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	b.tenant.AddUser(graphtest.Props{"id": u1})
	b.tenant.AddGroup(graphtest.Props{"id": g1, "visibility": "HiddenMembership"}, u1)
	shown := func() (delta bool, listed int) {
		return strings.Contains(string(b.get("/groups/delta?$select=members").body), u1.String()), len(b.get("/groups/" + g1.String() + "/members").value(t))
	}
	if delta, listed := shown(); delta || listed != 0 {
		t.Errorf("hidden members are shown: %v, %d", delta, listed)
	}
	b.tenant.Grant(b.app.ClientID, "User.Read.All", "GroupMember.Read.All", "Member.Read.Hidden")
	b.login()
	if delta, listed := shown(); !delta || listed != 1 {
		t.Errorf("with the permission: %v, %d", delta, listed)
	}
}

// A type derived from user is told wherever a type is, and in the collection of users.
func TestSubtype(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	b.tenant.AddUser(graphtest.Props{"id": u1})
	b.tenant.AddGroup(graphtest.Props{"id": g1}, u1)
	b.tenant.SetSubtype(u1, "agentUser")
	for _, path := range []string{"/users/delta?$select=id", "/groups/delta?$select=members", "/groups/" + g1.String() + "/members"} {
		if got := b.get(path); !strings.Contains(string(got.body), `"@odata.type":"#microsoft.graph.agentUser"`) {
			t.Errorf("%s: %s", path, got.body)
		}
	}
}

// A date of the employee's life cycle takes a permission of its own, and is null without.
func TestWithheldProperty(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	b.tenant.AddUser(graphtest.Props{"id": u1, "employeeLeaveDateTime": "2027-01-31T00:00:00Z"})
	const path = "/users/delta?$select=employeeLeaveDateTime"
	if got := b.get(path); !strings.Contains(string(got.body), `"employeeLeaveDateTime":null`) {
		t.Errorf("%s", got.body)
	}
	b.tenant.Grant(b.app.ClientID, "User.Read.All", "User-LifeCycleInfo.Read.All")
	b.login()
	if got := b.get(path); !strings.Contains(string(got.body), `"employeeLeaveDateTime":"2027-01-31T00:00:00Z"`) {
		t.Errorf("%s", got.body)
	}
}
