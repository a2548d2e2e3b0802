package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"entrasync/target/ldap/ldaptest"
)

// An ldapTarget is a directory on a real OpenLDAP. It is written to and read back by requests of the test's own. It holds
// entries of others too, which nothing may touch.
type ldapTarget struct {
	server *ldaptest.Server
	c      *ldap.Conn
	base   string
	others string // entries that are not the target's
	last   string // what the directory held when last looked at
}

// ldapSection is the target's section of a configuration, with quotes where scripts edit a key of the same name elsewhere.
const ldapSection = `  ldap: {type: ldap, url: "${LDAP_URL}", bind_dn: "cn=admin,dc=example", password_file: ldap-password, profile: openldap,
    "users": {base: "ou=people,${LDAP_BASE}", active: {attribute: pwdAccountLockedTime, false: "000001010000Z"},
      attributes: {userName: uid, externalId: employeeNumber, displayName: displayName, title: title, name.givenName: givenName, name.familyName: sn,
      'emails[type eq "work"].value': mail, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": departmentNumber}},
    "groups": {base: "ou=groups,${LDAP_BASE}", attributes: {displayName: cn, externalId: businessCategory}}}`

// ldapAttributes are those of users and groups, with the attribute of an entry.
var ldapAttributes = map[string][][2]string{
	"User": {{"uid", "userName"}, {"employeeNumber", "externalId"}, {"displayName", "displayName"}, {"title", "title"}, {"givenName", "name.givenName"}, {"sn", "name.familyName"},
		{"mail", `emails[type eq "work"].value`}, {"departmentNumber", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"}},
	"Group": {{"cn", "displayName"}, {"businessCategory", "externalId"}},
}

var (
	ldapUnits   = map[string]string{"User": "ou=people,", "Group": "ou=groups,"}
	ldapClasses = map[string]string{"User": "inetOrgPerson", "Group": "groupOfNames"}
)

// startLDAP makes a directory the application.
func startLDAP(w *world) {
	server, err := ldaptest.Start(ldaptest.Options{Database: "overlay ppolicy"})
	if err != nil {
		panic(err.Error())
	}
	w.tb.Cleanup(func() { _ = server.Stop() })
	a := &ldapTarget{server: server, c: server.Open(w.tb), base: server.Base(w.tb)}
	a.add("uid=ada@contoso.example,ou=strangers,"+a.base, "User", map[string]any{"userName": "ada@contoso.example", "title": "Stranger"})
	a.add("cn=Sales,ou=strangers,"+a.base, "Group", map[string]any{"displayName": "Sales"})
	a.others = a.content("ou=strangers," + a.base)
	w.target.ldap = a
	w.setenv("TARGET", "ldap")
	w.setenv("LDAP_URL", "ldap://"+server.Address())
	w.setenv("LDAP_BASE", a.base)
	if err := os.WriteFile(filepath.Join(w.dir, "ldap-password"), []byte(ldaptest.Password+"\n"), 0o600); err != nil {
		panic(err.Error())
	}
	a.last = a.content(a.base)
}

func (a *ldapTarget) must(err error) {
	if err != nil {
		panic(err.Error())
	}
}

func (a *ldapTarget) search(base, filter string) []*ldap.Entry {
	found, err := a.c.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, []string{"*", "entryUUID", "pwdAccountLockedTime"}, nil))
	a.must(err)
	return found.Entries
}

// resources reads back every resource of a kind as SCIM has it.
func (a *ldapTarget) resources(kind string) (all []map[string]any) {
	ids := map[string]string{}
	if kind == "Group" {
		for _, e := range a.search(ldapUnits["User"]+a.base, "(objectClass=inetOrgPerson)") {
			ids[strings.ToLower(e.DN)] = e.GetAttributeValue("entryUUID")
		}
	}
	for _, e := range a.search(ldapUnits[kind]+a.base, "(objectClass="+ldapClasses[kind]+")") {
		r := map[string]any{"id": e.GetAttributeValue("entryUUID")}
		for _, pair := range ldapAttributes[kind] {
			if value := e.GetAttributeValue(pair[0]); value != "" && value != "-" {
				scimPath(pair[1]).Set(r, value)
			}
		}
		if kind == "User" {
			r["active"] = e.GetAttributeValue("pwdAccountLockedTime") == ""
		} else {
			var members []any
			for _, name := range e.GetAttributeValues("member") {
				if id := ids[strings.ToLower(name)]; id != "" {
					members = append(members, map[string]any{"value": id})
				}
			}
			r["members"] = members
		}
		all = append(all, r)
	}
	return all
}

func (a *ldapTarget) seed(kind string, resource map[string]any) {
	a.add(a.name(kind, resource), kind, resource)
}

// name is that of an entry with a resource's userName or displayName.
func (a *ldapTarget) name(kind string, resource map[string]any) string {
	first := ldapAttributes[kind][0]
	return first[0] + "=" + ldap.EscapeDN(fmt.Sprint(resource[first[1]])) + "," + ldapUnits[kind] + a.base
}

func (a *ldapTarget) add(name, kind string, resource map[string]any) {
	request := ldap.NewAddRequest(name, nil)
	request.Attribute("objectClass", []string{ldapClasses[kind]})
	for attribute, values := range a.values(kind, resource) {
		if len(values) > 0 {
			request.Attribute(attribute, values)
		}
	}
	a.must(a.c.Add(request))
}

// values are what an entry holds of a resource; none for what it does not have.
func (a *ldapTarget) values(kind string, resource map[string]any) map[string][]string {
	values := map[string][]string{}
	for _, pair := range ldapAttributes[kind] {
		values[pair[0]] = nil
		if value := scimPath(pair[1]).Get(resource); value != nil && value != "" {
			values[pair[0]] = []string{fmt.Sprint(value)}
		}
	}
	if kind == "Group" {
		values["member"] = []string{"cn=placeholder"}
		list, _ := resource["members"].([]any)
		for _, m := range list {
			values["member"] = append(values["member"], a.entry(fmt.Sprint(m.(map[string]any)["value"])).DN)
		}
		return values
	}
	if len(values["sn"]) == 0 {
		values["sn"] = []string{"-"}
	}
	values["cn"], values["pwdAccountLockedTime"] = []string{"-"}, nil
	if active, ok := resource["active"].(bool); ok && !active {
		values["pwdAccountLockedTime"] = []string{"000001010000Z"}
	}
	return values
}

// entry returns that of an id.
func (a *ldapTarget) entry(id string) *ldap.Entry {
	found := a.search(a.base, "(entryUUID="+ldap.EscapeFilter(id)+")")
	if len(found) != 1 {
		panic(fmt.Sprintf("%d entries have the id %s", len(found), id))
	}
	return found[0]
}

// replace gives the id of a resource to another one.
func (a *ldapTarget) replace(kind string, before, other map[string]any) {
	old, name := a.entry(before["id"].(string)).DN, a.name(kind, other)
	rdn, _, _ := strings.Cut(name, ","+ldapUnits[kind])
	a.must(a.c.ModifyDN(ldap.NewModifyDNRequest(old, rdn, true, "")))
	a.set(name, kind, other)
}

// set gives an entry values, and takes away what is not among them.
func (a *ldapTarget) set(name, kind string, resource map[string]any) {
	request := ldap.NewModifyRequest(name, nil)
	for attribute, values := range a.values(kind, resource) {
		if attribute != ldapAttributes[kind][0][0] { // which names it
			request.Replace(attribute, values)
		}
	}
	a.must(a.c.Modify(request))
}

func (a *ldapTarget) remove(id string) {
	name := a.entry(id).DN
	for _, group := range a.search(a.base, "(member="+ldap.EscapeFilter(name)+")") {
		request := ldap.NewModifyRequest(group.DN, nil)
		request.Delete("member", []string{name})
		a.must(a.c.Modify(request))
	}
	a.must(a.c.Del(ldap.NewDelRequest(name, nil)))
}

// content is everything that the directory holds below a base.
func (a *ldapTarget) content(base string) string {
	var all []string
	for _, e := range a.search(base, "(objectClass=*)") {
		for _, attribute := range e.Attributes {
			all = append(all, e.DN+" "+attribute.Name+" "+strings.Join(slices.Sorted(slices.Values(attribute.Values)), "|"))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// touched returns what the directory holds when that has changed.
func (a *ldapTarget) touched() string {
	before := a.last
	if a.last = a.content(a.base); a.last == before {
		return ""
	}
	return a.last
}

// strangers fails a test whose program touched the entries of others.
func (a *ldapTarget) strangers(tb testing.TB) {
	if now := a.content("ou=strangers," + a.base); now != a.others {
		tb.Errorf("the entries of others were\n%s\nand are\n%s", a.others, now)
	}
}
