package graphtest

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"entrasync/graphsync"
)

// A servicePrincipal is an application in a tenant: what admin consent makes.
type servicePrincipal struct {
	clientID, name string

	object  *object
	granted []string
	pending int // token requests that still fail because consent spreads
	removed bool
	roles   []AppRole
	rows    []assignment
	made    int
}

// An assignment is a row of appRoleAssignedTo.
type assignment struct {
	id        string
	seq       int
	principal *object
	role      graphsync.ID
	created   int64
}

// App registers an app and consents to it in this tenant. It returns the registration, with
// defaults filled in, and the id of the service principal. The tenant is the app's home, unless
// the app has another.
func (t *Tenant) App(spec AppSpec) (AppSpec, graphsync.ID) {
	spec = t.s.register(spec, t.ID())
	return spec, t.Consent(spec.ClientID)
}

// Consent does what an administrator's consent does: it makes the service principal, unless
// there is one, and grants the permissions the registration asks for at this time, in place of
// those granted before. It returns the service principal's id.
func (t *Tenant) Consent(clientID string) graphsync.ID {
	app := t.s.registration(clientID)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dir.consent(app, 0)
}

func (d *directory) consent(app application, delay int) graphsync.ID {
	p := d.principal(app.ClientID)
	if p == nil {
		p = &servicePrincipal{clientID: app.ClientID, name: app.Name, roles: app.Roles, object: d.add(servicePrincipalSchema, Props{
			"id":                        newID(d.id.String(), "servicePrincipal", app.ClientID),
			"accountEnabled":            true,
			"appDisplayName":            app.Name,
			"appId":                     app.ClientID,
			"appRoleAssignmentRequired": false,
			"displayName":               app.Name,
			"servicePrincipalNames":     []string{app.ClientID},
			"servicePrincipalType":      "Application",
			"signInAudience":            "AzureADMultipleOrgs",
			"tags":                      []string{"WindowsAzureActiveDirectoryIntegratedApp"},
			"replyUrls":                 append([]string{}, app.RedirectURIs...),
		})}
		d.principals = append(d.principals, p)
	}
	p.removed, p.object.state = false, live
	p.granted, p.pending = slices.Clone(app.Permissions), delay
	return p.object.id
}

// principal returns the service principal of an app, also a removed one, or nil.
func (d *directory) principal(clientID string) *servicePrincipal {
	for _, p := range d.principals {
		if strings.EqualFold(p.clientID, clientID) {
			return p
		}
	}
	return nil
}

// enabled reports whether users may sign in, and the app itself.
func (p *servicePrincipal) enabled() bool {
	value, _ := p.object.get(servicePrincipalSchema.find("accountEnabled"))
	return value != "false"
}

func (d *directory) mustPrincipal(clientID string) *servicePrincipal {
	p := d.principal(clientID)
	if p == nil || p.removed {
		panic(fmt.Sprintf("graphtest: tenant %s has no service principal of app %s", d.name, clientID))
	}
	return p
}

// Grant replaces the permissions granted to an app. None at all is what revoking consent
// leaves: tokens are issued, without roles.
func (t *Tenant) Grant(clientID string, permissions ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dir.mustPrincipal(clientID).granted = permissions
}

// RemoveApp deletes the enterprise application from the tenant. Its assignments go with it.
func (t *Tenant) RemoveApp(clientID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.dir.mustPrincipal(clientID)
	p.removed, p.object.state, p.granted, p.rows = true, purged, nil, nil
}

// SetAppEnabled sets accountEnabled of the enterprise application: "Enabled for users to sign
// in". A disabled one gets no tokens.
func (t *Tenant) SetAppEnabled(clientID string, enabled bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dir.update(t.dir.mustPrincipal(clientID).object, Props{"accountEnabled": enabled})
}

// AddAppRole adds a role to the app, or replaces the one of that id or value, in this tenant.
func (t *Tenant) AddAppRole(clientID string, role AppRole) AppRole {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.dir.mustPrincipal(clientID)
	role = completeRoles(clientID, []AppRole{role})[0]
	p.roles = slices.DeleteFunc(slices.Clone(p.roles), func(r AppRole) bool { return r.ID == role.ID || r.Value == role.Value })
	p.roles = append(p.roles, role)
	return role
}

// RemoveAppRole removes a role and what was assigned with it.
func (t *Tenant) RemoveAppRole(clientID, value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.dir.mustPrincipal(clientID)
	id := p.role(value)
	p.roles = slices.DeleteFunc(slices.Clone(p.roles), func(r AppRole) bool { return r.ID == id })
	p.rows = slices.DeleteFunc(p.rows, func(a assignment) bool { return a.role == id })
}

// role finds a role by value, "" being default access.
func (p *servicePrincipal) role(value string) graphsync.ID {
	if value == "" {
		return graphsync.ID{}
	}
	for _, r := range p.roles {
		if r.Value == value {
			return r.ID
		}
	}
	panic(fmt.Sprintf("graphtest: app %s has no role %q", p.name, value))
}

// Assign gives a user, group or service principal a role of the app by its value, or default
// access for "", and returns the assignment's id. An assignment that exists is returned.
func (t *Tenant) Assign(clientID string, principal graphsync.ID, role string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.dir.mustPrincipal(clientID)
	return t.dir.assign(p, t.dir.existing(principal), p.role(role))
}

func (d *directory) assign(p *servicePrincipal, principal *object, role graphsync.ID) string {
	for _, a := range p.rows {
		if a.principal == principal && a.role == role {
			return a.id
		}
	}
	return d.appendRow(p, principal, role, d.now())
}

// appendRow is assign for those known to be new.
func (d *directory) appendRow(p *servicePrincipal, principal *object, role graphsync.ID, at time.Time) string {
	p.made++
	sum := sha256.Sum256([]byte(p.object.id.String() + principal.id.String() + role.String() + strconv.Itoa(p.made)))
	id := base64.RawURLEncoding.EncodeToString(sum[:])
	p.rows = append(p.rows, assignment{id, p.made, principal, role, at.Unix()})
	return id
}

// Unassign takes an assignment away by its id.
func (t *Tenant) Unassign(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.dir.principals {
		if at := slices.IndexFunc(p.rows, func(a assignment) bool { return a.id == id }); at >= 0 {
			p.rows = slices.Delete(p.rows, at, at+1)
			return
		}
	}
	panic("graphtest: there is no assignment " + id)
}
