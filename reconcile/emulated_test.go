package reconcile_test

import (
	"errors"
	"net/http"
	"testing"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
)

// An emulated is a customer whose directory is the emulator, read in process: delta links, permissions and
// faults are the emulator's.
type emulated struct {
	*customer
	server *graphtest.Server
	tenant *graphtest.Tenant
	front  graphtest.AppSpec
}

func newEmulated(t *testing.T) *emulated {
	t.Helper()
	s := newService(t)
	server := graphtest.New(graphtest.Options{PageSize: 3, MembersPageSize: 2})
	tenant := server.AddTenant(graphtest.TenantSpec{})
	app, _ := tenant.App(graphtest.AppSpec{Name: "Front", Secret: "planted-secret", Roles: []graphtest.AppRole{{Value: "Editor", Name: "Editor"}}})
	c := s.customer("contoso")
	c.id = tenant.ID()
	c.reader = server.Source(tenant.ID(), app.ClientID, app.Secret)
	return &emulated{customer: c, server: server, tenant: tenant, front: app}
}

func (e *emulated) hire(name string) graphsync.ID {
	return e.tenant.AddUser(graphtest.Props{"userPrincipalName": name + "@" + e.tenant.Domain(), "displayName": name})
}

func (e *emulated) byAssignment(s *reconcile.Sync) {
	s.Scope = desired.Scope{Guests: true}
	s.AppID = e.front.ClientID
}

// A user's year: hired, renamed, disabled, enabled, deleted, restored, deleted for good. Each cycle reads what
// changed since the one before.
func TestEmulatedUser(t *testing.T) {
	t.Parallel()
	e := newEmulated(t)
	ada, bob := e.hire("ada"), e.hire("bob")
	want(t, "first cycle", e.cycle(), "2 created")
	want(t, "nothing happened", e.cycle(), "2 unchanged")
	e.tenant.Set(ada, "displayName", "Ada Lovelace")
	want(t, "renamed", e.cycle(), "1 updated, 1 unchanged")
	e.tenant.Set(ada, "accountEnabled", false)
	want(t, "disabled", e.cycle(), "1 deactivated, 1 unchanged")
	e.tenant.Set(ada, "accountEnabled", true)
	want(t, "enabled", e.cycle(), "1 reactivated, 1 unchanged")
	e.tenant.SoftDelete(ada)
	want(t, "deleted", e.cycle(), "1 deactivated, 1 unchanged")
	e.tenant.Restore(ada)
	want(t, "restored", e.cycle(), "1 reactivated, 1 unchanged")
	e.hire("cyd")
	want(t, "a colleague", e.cycle(), "1 created, 2 unchanged")
	e.tenant.SoftDelete(ada, bob)
	e.tenant.Purge(bob)
	want(t, "deleted, one for good", e.cycle(), "2 deactivated, 1 unchanged")
}

// Assignments give access, directly and through a group; an account follows when the last one is taken away.
func TestEmulatedAssignments(t *testing.T) {
	t.Parallel()
	e := newEmulated(t)
	e.change = configured(e.byAssignment)
	ada, bob, cyd := e.hire("ada"), e.hire("bob"), e.hire("cyd")
	sales := e.tenant.AddGroup(graphtest.Props{"displayName": "Sales"}, bob)
	direct := e.tenant.Assign(e.front.ClientID, ada, "Editor")
	e.tenant.Assign(e.front.ClientID, sales, "Editor")
	want(t, "assigned", e.cycle(), "2 created")
	e.tenant.AddMember(sales, ada, cyd)
	e.tenant.Unassign(direct)
	want(t, "a group instead of an assignment", e.cycle(), "1 created, 2 unchanged")
	e.tenant.RemoveMember(sales, ada, bob)
	want(t, "out of the group", e.cycle(), "2 deactivated, 1 unchanged")
}

// A delta link that Graph has dropped begins a new round, in which a user who was purged meanwhile does not
// appear: absence is confirmed by asking for the user.
func TestEmulatedLinkIsDropped(t *testing.T) {
	t.Parallel()
	e := newEmulated(t)
	for _, name := range []string{"ada", "bob", "cyd", "dan", "eve"} {
		e.hire(name)
	}
	want(t, "first cycle", e.cycle(), "5 created")
	gone := e.tenant.Find("eve@" + e.tenant.Domain())[0].ID
	e.tenant.SoftDelete(gone)
	e.tenant.Purge(gone)
	end := e.server.Fault(graphtest.Expired410().On("/v1.0/users/delta"))
	defer end()
	want(t, "resync", e.cycle(), "1 deactivated, 4 unchanged")
}

// Without the permission to read users nothing is changed, and the error names the class that check explains.
func TestEmulatedConsentIsWithdrawn(t *testing.T) {
	t.Parallel()
	e := newEmulated(t)
	e.hire("ada")
	want(t, "first cycle", e.cycle(), "1 created")
	e.hire("bob")
	end := e.server.Fault(graphtest.GraphFailure(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.").Always())
	_, err := e.run(reconcile.Options{Apply: true})
	refusal := (*graphsync.Error)(nil)
	if !errors.As(err, &refusal) || refusal.Class != graphsync.PermissionMissing {
		t.Errorf("a cycle without permission ends with %v", err)
	}
	if n := len(e.app().ids()); n != 1 {
		t.Errorf("%d accounts after a cycle without permission", n)
	}
	end()
	want(t, "granted again", e.cycle(), "1 created, 1 unchanged")
}
