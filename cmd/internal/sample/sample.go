// Package sample is the emulated tenant and the configuration that the demo and the emulator start with.
//
// It runs nothing and prints nothing. The same numbers give the same people.
package sample

import (
	"fmt"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
)

// The tenant and app of the emulator when nothing else is said.
const (
	TenantID     = "11111111-1111-1111-1111-111111111111"
	ClientID     = "6a1e0000-0000-0000-0000-000000000001"
	ClientSecret = "emulated-secret"
)

// Server is an emulator with tenants in which the sample app is consented to and people
// are assigned to it.
func Server(users int, seed uint64, tenants int, redirects ...string) (*graphtest.Server, []*graphtest.Tenant) {
	server := graphtest.New(graphtest.Options{})
	home, err := graphsync.ParseID(TenantID)
	if err != nil {
		panic(err) // it is a constant
	}
	server.Register(graphtest.AppSpec{ClientID: ClientID, Name: "entrasync", Secret: ClientSecret, Roles: graphtest.DefaultRoles(), Home: home, RedirectURIs: redirects})
	var made []*graphtest.Tenant
	for i := range tenants {
		spec := graphtest.TenantSpec{}
		if i == 0 {
			spec.ID = TenantID
		}
		tenant := server.AddTenant(spec)
		tenant.Consent(ClientID)
		tenant.Populate(graphtest.GenerateOptions{Users: users, Seed: seed + uint64(i), App: ClientID})
		made = append(made, tenant)
	}
	return server, made
}

// TenantName is what a configuration calls the tenants of [Server], by their number.
func TenantName(i int) string {
	if i == 0 {
		return "contoso"
	}
	return fmt.Sprintf("contoso%d", i+1)
}

// demonstration is the configuration of the demo, with the addresses to fill in.
const demonstration = `state: %[1]q
schedule: "@every 1m"
http: {listen: "127.0.0.1:0"}
cloud: {authority: %[2]q, graph: %[2]q}
app: {client_id: %[3]s, client_secret: %[4]q}
tenants:
  contoso: {id: %[5]s}
targets:
  people: {type: file, path: %[6]q}
syncs:
  people:
    from: contoso
    to: people
    users:
      match: [externalId, userName]
      attributes:
        externalId: "[objectId]"
        userName: {expr: "ToLower([userPrincipalName])", required: true}
        active: "Not([IsSoftDeleted])"
        displayName: "[displayName]"
        name.givenName: "[givenName]"
        name.familyName: "[surname]"
        title: "[jobTitle]"
        'emails[type eq "work"].value': "[mail]"
        urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department: "[department]"
        'roles[primary eq "True"].value':
          expr: "SingleAppRoleAssignment([appRoleAssignments])"
          priority: [AdminUser, SuperUser, GeneralUser, Viewer]
    groups:
      enabled: true
      attributes:
        displayName: "[displayName]"
    guard: {creations: off}   # a first cycle of thousands is no accident here
`

// Configuration is that of the demo: the state and the accounts are in a folder, Graph is at a URL.
func Configuration(graph, state, accounts string) []byte {
	return fmt.Appendf(nil, demonstration, state, graph, ClientID, ClientSecret, TenantID, accounts)
}

// Change makes the three edits an administrator makes most: a user joins, one moves and one leaves. It returns the one
// who joins, and the address that user has.
func Change(tenant *graphtest.Tenant, mover, leaver graphsync.ID) (joiner graphsync.ID, address string) {
	address = "ada.lovelace@" + tenant.Domain()
	joiner = tenant.AddUser(graphtest.Props{"displayName": "Ada Lovelace", "givenName": "Ada", "surname": "Lovelace",
		"userPrincipalName": address, "mail": address,
		"accountEnabled": true, "userType": "Member", "department": "Research", "jobTitle": "Analyst"})
	tenant.Assign(ClientID, joiner, "SuperUser")
	tenant.Update(mover, graphtest.Props{"department": "Strategy", "jobTitle": "Director"})
	tenant.SoftDelete(leaver)
	return joiner, address
}
