package graphtest

import (
	"bytes"
	"strings"
	"time"
)

// findPrincipal returns a service principal by object id, or by appId=… as in
// servicePrincipals(appId='…').
func (d *directory) findPrincipal(key string) *servicePrincipal {
	appID, byApp := strings.CutPrefix(key, "appId=")
	for _, p := range d.principals {
		if !p.removed && (byApp && strings.EqualFold(p.clientID, appID) || !byApp && strings.EqualFold(p.object.id.String(), key)) {
			return p
		}
	}
	return nil
}

// show puts what is kept elsewhere into the object before it is shown.
func (t *Tenant) show(p *servicePrincipal) {
	app := t.s.registration(p.clientID)
	t.dir.update(p.object, Props{"appRoles": appRoles(p.roles), "appOwnerOrganizationId": app.home().String()})
}

func appRoles(roles []AppRole) []any {
	type appRole struct {
		AllowedMemberTypes []string `json:"allowedMemberTypes"`
		Description        string   `json:"description"`
		DisplayName        string   `json:"displayName"`
		ID                 string   `json:"id"`
		IsEnabled          bool     `json:"isEnabled"`
		Origin             string   `json:"origin"`
		Value              *string  `json:"value"`
	}
	out := []any{}
	for _, r := range roles {
		shown := appRole{[]string{"User"}, r.Name, r.Name, r.ID.String(), !r.Disabled, "Application", &r.Value}
		if r.Value == "" {
			shown.Value = nil
		}
		out = append(out, shown)
	}
	return out
}

func (ar applicationReads) getServicePrincipal() (*Response, *graphError) {
	if err := ar.call.options("$select"); err != nil {
		return nil, err
	}
	t := ar.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.dir.findPrincipal(ar.call.args[0])
	if p == nil {
		return nil, notFound(strings.TrimPrefix(ar.call.args[0], "appId="))
	}
	t.show(p)
	return ar.call.one(p.object, ar.call.args[0], "servicePrincipals")
}

func (ar applicationReads) listServicePrincipals() (*Response, *graphError) {
	t := ar.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	l, cur, err := ar.call.list("servicePrincipals", "servicePrincipals", 100, 999, "$select", "$top", "$filter", "$count")
	if err != nil {
		return nil, err
	}
	if l.filter == nil {
		if l.filter, err = ar.call.filter([]string{"appId", "displayName", "id"}, []string{"displayName"}); err != nil {
			return nil, err
		}
	}
	counting, err := ar.call.counting()
	if err != nil {
		return nil, err
	}
	sel, err := t.dir.selection(servicePrincipalSchema, l.names, false)
	if err != nil {
		return nil, err
	}
	if counting {
		l.count = 0
	}
	for i, p := range t.dir.principals {
		if p.removed || l.filter != nil && !l.filter.holds(p.object.column(l.filter.Property)) {
			continue
		}
		if counting {
			l.count++
		}
		if i < int(cur.At) || l.full {
			continue
		}
		if out := l.row(i + 1); out != nil {
			t.show(p)
			t.dir.write(out, p.object, sel, "")
		}
	}
	return l.response(), nil
}

// listAppRoleAssignedTo answers who holds roles on a service principal. Rows of users and
// groups in deletedItems are not shown.
func (ar applicationReads) listAppRoleAssignedTo() (*Response, *graphError) {
	t := ar.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.dir.findPrincipal(ar.call.args[0])
	if p == nil {
		return nil, notFound(strings.TrimPrefix(ar.call.args[0], "appId="))
	}
	path := "servicePrincipals/" + p.object.id.String() + "/appRoleAssignedTo"
	context := "servicePrincipals('" + p.object.id.String() + "')/appRoleAssignedTo"
	return ar.assignments(path, context, []*servicePrincipal{p}, func(assignment) bool { return true })
}

// getAppRoleAssignedTo answers one assignment by its id (Get appRoleAssignment).
func (ar applicationReads) getAppRoleAssignedTo() (*Response, *graphError) {
	if err := ar.call.options("$select"); err != nil {
		return nil, err
	}
	names, err := ar.call.selected()
	if err != nil {
		return nil, err
	}
	t := ar.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.dir.findPrincipal(ar.call.args[0])
	if p == nil {
		return nil, notFound(strings.TrimPrefix(ar.call.args[0], "appId="))
	}
	sel, err := t.dir.selection(assignmentSchema, names, false)
	if err != nil {
		return nil, err
	}
	for _, a := range p.rows {
		if a.id != ar.call.args[1] || a.principal.state != live {
			continue
		}
		var out bytes.Buffer
		a.write(&out, p, sel)
		context := encodeJSON(ar.call.base + "/v1.0/$metadata#servicePrincipals('" + p.object.id.String() + "')/appRoleAssignedTo/$entity")
		return bodyResponse(append([]byte(`{"@odata.context":`+string(context)+`,`), out.Bytes()[1:]...)), nil
	}
	return nil, notFound(ar.call.args[1])
}

// listAppRoleAssignments answers which roles a user holds, directly or by a group the user is
// a direct member of (List appRoleAssignments granted to a user).
func (ar applicationReads) listAppRoleAssignments() (*Response, *graphError) {
	t := ar.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	user := t.dir.lookup(userSchema, ar.call.args[0])
	if user == nil {
		return nil, notFound(ar.call.args[0])
	}
	path := "users/" + user.id.String() + "/appRoleAssignments"
	return ar.assignments(path, "appRoleAssignments", t.dir.principals, func(a assignment) bool {
		return a.principal == user || a.principal.members != nil && a.principal.members.has(user)
	})
}

func (ar applicationReads) assignments(path, context string, principals []*servicePrincipal, of func(assignment) bool) (*Response, *graphError) {
	l, cur, err := ar.call.list(path, context, 100, 999, "$select", "$top", "$filter", "$count")
	if err != nil {
		return nil, err
	}
	if l.filter == nil {
		if l.filter, err = ar.call.filter([]string{"id", "resourceId", "principalDisplayName"}, []string{"principalDisplayName"}); err != nil {
			return nil, err
		}
	}
	counting, err := ar.call.counting()
	if err != nil {
		return nil, err
	}
	sel, err := ar.call.tenant.dir.selection(assignmentSchema, l.names, false)
	if err != nil {
		return nil, err
	}
	if counting {
		l.count = 0
	}
	number := 0
	for _, p := range principals {
		base := number
		for _, a := range p.rows {
			// By the row's own number, so that rows going away while a client pages hide no others.
			number = base + a.seq
			if a.principal.state != live || !of(a) || l.filter != nil && !l.filter.holds(a.column(p, l.filter.Property)) {
				continue
			}
			if counting {
				l.count++
			}
			if number <= int(cur.At) || l.full {
				if l.full && !counting {
					return l.response(), nil
				}
				continue
			}
			if out := l.row(number); out != nil {
				a.write(out, p, sel)
			}
		}
		number = base + p.made
	}
	return l.response(), nil
}

func (a assignment) column(p *servicePrincipal, name string) string {
	switch name {
	case "id":
		return a.id
	case "resourceId":
		return p.object.id.String()
	}
	return a.principal.text("displayName")
}

func (a assignment) write(out *bytes.Buffer, p *servicePrincipal, sel *selection) {
	types := map[*schema]string{userSchema: "User", groupSchema: "Group", servicePrincipalSchema: "ServicePrincipal"}
	out.WriteString(`{"id":"` + a.id + `"`)
	for index, wanted := range sel.wanted {
		if !wanted {
			continue
		}
		name := assignmentSchema.properties[index].name
		value := "null"
		switch name {
		case "appRoleId":
			value = `"` + a.role.String() + `"`
		case "createdDateTime":
			value = `"` + time.Unix(a.created, 0).UTC().Format(time.RFC3339) + `"`
		case "principalId":
			value = `"` + a.principal.id.String() + `"`
		case "principalType":
			value = `"` + types[a.principal.schema] + `"`
		case "principalDisplayName":
			value, _ = a.principal.get(a.principal.schema.find("displayName"))
		case "resourceDisplayName":
			value, _ = p.object.get(servicePrincipalSchema.find("displayName"))
		case "resourceId":
			value = `"` + p.object.id.String() + `"`
		}
		writeProp(out, name, value)
	}
	out.WriteByte('}')
}

// organization makes the object that describes the tenant.
func (d *directory) organization() *object {
	o := &object{id: d.id, schema: organizationSchema}
	d.update(o, Props{
		"displayName": d.name,
		"tenantType":  "AAD",
		"verifiedDomains": []any{map[string]any{
			"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": true, "isInitial": true, "name": d.domain, "type": "Managed"}},
	})
	return o
}

func (ar applicationReads) listOrganization() (*Response, *graphError) {
	t := ar.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	l, _, err := ar.call.list("organization", "organization", 100, 999, "$select", "$top")
	if err != nil {
		return nil, err
	}
	sel, err := t.dir.selection(organizationSchema, l.names, false)
	if err != nil {
		return nil, err
	}
	t.dir.write(l.row(1), t.dir.organization(), sel, "")
	return l.response(), nil
}

func (ar applicationReads) getOrganization() (*Response, *graphError) {
	if err := ar.call.options("$select"); err != nil {
		return nil, err
	}
	t := ar.call.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	if !strings.EqualFold(ar.call.args[0], t.ID().String()) {
		return nil, notFound(ar.call.args[0])
	}
	return ar.call.one(t.dir.organization(), ar.call.args[0], "organization")
}
