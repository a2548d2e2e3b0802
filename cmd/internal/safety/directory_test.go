package safety

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"entrasync/target"
	ldaptarget "entrasync/target/ldap"
	"entrasync/target/ldap/ldaptest"
)

// An ldapDirectory is an application whose accounts are entries of a real OpenLDAP, written by a target of type ldap and read
// back by requests of the test's own.
type ldapDirectory struct {
	t    *testing.T
	c    *ldap.Conn
	base string
}

func startDirectories(t *testing.T) *ldaptest.Server {
	t.Helper()
	server, err := ldaptest.Start(ldaptest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	return server
}

func newDirectory(t *testing.T, server *ldaptest.Server) *ldapDirectory {
	t.Helper()
	return &ldapDirectory{t, server.Open(t), server.Base(t)}
}

// directoryConfig is the target's configuration for the entries of newDirectory.
func directoryConfig(address, base string) ldaptarget.Config {
	return ldaptarget.Config{
		URL: "ldap://" + address, BindDN: ldaptest.Admin, Password: func() (string, error) { return ldaptest.Password, nil }, Profile: "openldap",
		Users: ldaptarget.Users{Base: "ou=people," + base, Active: ldaptarget.Active{Attribute: "carLicense", True: "yes", False: "no"}, Attributes: map[string]string{
			"userName": "uid", "externalId": "employeeNumber", "displayName": "displayName", "title": "title", "userType": "employeeType", `emails[type eq "work"].value`: "mail",
		}},
		Groups: &ldaptarget.Groups{Base: "ou=groups," + base, Attributes: map[string]string{"displayName": "cn", "externalId": "businessCategory"}},
	}
}

func (j job) ldapTarget() (target.Adapter, error) {
	address, base, _ := strings.Cut(j.LDAP, "|")
	return ldaptarget.New(directoryConfig(address, base))
}

// between passes the requests of the process under test on, which may die at each.
func (st *stage) between(server *ldaptest.Server) (address string) {
	proxy := server.NewProxy(st.t)
	proxy.Break(func(op ldaptest.Op) ldaptest.Fate {
		st.watch.look()
		if st.called(op.Writes()) {
			return ldaptest.Drop
		}
		return ldaptest.Pass
	})
	return proxy.Address
}

func (d *ldapDirectory) seed(tb testing.TB, user map[string]any) string {
	tb.Helper()
	name := fmt.Sprintf("uid=%s,ou=people,%s", user["userName"], d.base)
	request := ldap.NewAddRequest(name, nil)
	for attribute, value := range map[string]string{"objectClass": "inetOrgPerson", "cn": "-", "sn": "-", "carLicense": "yes", "displayName": fmt.Sprint(user["displayName"])} {
		request.Attribute(attribute, []string{value})
	}
	if err := d.c.Add(request); err != nil {
		tb.Fatal(err)
	}
	return d.search(name, "(objectClass=*)")[0].GetAttributeValue("entryUUID")
}

func (d *ldapDirectory) search(base, filter string) []*ldap.Entry {
	found, err := d.c.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, []string{"*", "entryUUID"}, nil))
	if err != nil {
		d.t.Error(err)
		return nil
	}
	return found.Entries
}

func (d *ldapDirectory) users() (all []map[string]any) {
	for _, e := range d.search("ou=people,"+d.base, "(objectClass=inetOrgPerson)") {
		u := map[string]any{"id": e.GetAttributeValue("entryUUID"), "active": e.GetAttributeValue("carLicense") == "yes"}
		for attribute, path := range map[string]string{"uid": "userName", "employeeNumber": "externalId", "displayName": "displayName", "title": "title", "employeeType": "userType"} {
			if value := e.GetAttributeValue(attribute); value != "" {
				u[path] = value
			}
		}
		if mail := e.GetAttributeValue("mail"); mail != "" {
			u["emails"] = []any{map[string]any{"type": "work", "value": mail}}
		}
		all = append(all, u)
	}
	return all
}

func (d *ldapDirectory) groups() (all []map[string]any) {
	ids := map[string]string{}
	for _, e := range d.search("ou=people,"+d.base, "(objectClass=inetOrgPerson)") {
		ids[strings.ToLower(e.DN)] = e.GetAttributeValue("entryUUID")
	}
	for _, e := range d.search("ou=groups,"+d.base, "(objectClass=groupOfNames)") {
		g := map[string]any{"id": e.GetAttributeValue("entryUUID"), "displayName": e.GetAttributeValue("cn"), "externalId": e.GetAttributeValue("businessCategory")}
		var members []any
		for _, name := range e.GetAttributeValues("member") {
			if id := ids[strings.ToLower(name)]; id != "" {
				members = append(members, map[string]any{"value": id})
			}
		}
		g["members"] = members
		all = append(all, g)
	}
	return all
}
