package ldap_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"entrasync/target"
	"entrasync/target/ldap"
	"entrasync/target/ldap/ldaptest"
)

func attributes(tb testing.TB, pairs ...any) (all []target.Attribute) {
	tb.Helper()
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, target.Attribute{Path: path(tb, pairs[i].(string)), Value: pairs[i+1]})
	}
	return all
}

func create(tb testing.TB, a *ldap.Adapter, kind target.Kind, pairs ...any) *target.Resource {
	tb.Helper()
	r, err := a.Create(tb.Context(), kind, attributes(tb, pairs...))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// content is every entry below a base, as text.
func content(tb testing.TB, c *goldap.Conn, base string) string {
	tb.Helper()
	found, err := c.Search(goldap.NewSearchRequest(base, goldap.ScopeWholeSubtree, goldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"*", "entryUUID"}, nil))
	if err != nil {
		tb.Fatal(err)
	}
	var all []string
	for _, e := range found.Entries {
		var lines []string
		for _, a := range e.Attributes {
			lines = append(lines, a.Name+": "+strings.Join(a.Values, " | "))
		}
		slices.Sort(lines)
		all = append(all, e.DN+"\n  "+strings.Join(lines, "\n  "))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// values are those of an attribute of an entry.
func values(tb testing.TB, c *goldap.Conn, name, attribute string) []string {
	tb.Helper()
	found, err := c.Search(goldap.NewSearchRequest(name, goldap.ScopeBaseObject, goldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{attribute}, nil))
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return slices.Sorted(slices.Values(found.Entries[0].GetAttributeValues(attribute)))
}

func add(tb testing.TB, c *goldap.Conn, name string, pairs ...string) {
	tb.Helper()
	request := goldap.NewAddRequest(name, nil)
	for i := 0; i < len(pairs); i += 2 {
		request.Attribute(pairs[i], strings.Split(pairs[i+1], "|"))
	}
	if err := c.Add(request); err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
}

func change(tb testing.TB, c *goldap.Conn, name, attribute, value string) {
	tb.Helper()
	request := goldap.NewModifyRequest(name, nil)
	request.Replace(attribute, []string{value})
	if err := c.Modify(request); err != nil {
		tb.Fatal(err)
	}
}

var hostile = []string{
	`*`, `*)(uid=*`, `ada)(|(uid=*`, `a\2a`, `\`, `\\`, `a,ou=strangers`, `a+cn=b`, `a=b`, `#a`, ` a`, `a `, `"a"`, `<a>`, `a;b`, `żółć`, `李小龍 🦊`, "a\nb", "a\tb", `ou=people`, `(objectClass=*)`, strings.Repeat("x", 200), `'; DROP TABLE people; --`,
}

// Whatever a value holds: an account is made, found, renamed, a member and deleted, and entries of others are not touched.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	s := server(t)
	base, c := s.Base(t), s.Open(t)
	add(t, c, "uid=ada,ou=strangers,"+base, "objectClass", "inetOrgPerson", "cn", "Ada", "sn", "Stranger", "employeeNumber", "1")
	strangers := content(t, c, "ou=strangers,"+base)
	a := open(t, s.Config(base))
	group := create(t, a, target.Group, "displayName", "Sales")
	for i, value := range hostile {
		made, err := a.Create(t.Context(), target.User, attributes(t, "userName", value, "externalId", value, "displayName", value, "active", true))
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		for _, by := range []string{"userName", "externalId", "displayName"} {
			found, err := a.Find(t.Context(), target.User, path(t, by), value)
			if err != nil || len(found) != 1 || found[0].ID != made.ID {
				t.Errorf("%q by %s: found %v (%v)", value, by, found, err)
			}
		}
		if refused, err := a.ChangeMembers(t.Context(), group.Ref, []string{made.ID}, nil); err != nil || len(refused) > 0 {
			t.Errorf("%q as a member: %v, %v", value, refused, err)
		}
		if ids, _, err := a.Members(t.Context(), group.Ref); err != nil || !slices.Equal(ids, []string{made.ID}) {
			t.Errorf("%q as a member: %v (%v)", value, ids, err)
		}
		other := hostile[(i+1)%len(hostile)] + "2"
		if _, err := a.Update(t.Context(), made.Ref, attributes(t, "userName", other)); err != nil {
			t.Errorf("%q to %q: %v", value, other, err)
		}
		if ids, _, err := a.Members(t.Context(), group.Ref); err != nil || !slices.Equal(ids, []string{made.ID}) {
			t.Errorf("%q renamed, as a member: %v (%v)", value, ids, err)
		}
		if err := a.Delete(t.Context(), made.Ref); err != nil {
			t.Errorf("%q: %v", value, err)
		}
		if members := values(t, c, "cn=Sales,ou=groups,"+base, "member"); !slices.Equal(members, []string{"cn=placeholder"}) {
			t.Errorf("%q left the members %v", value, members)
		}
	}
	if got := content(t, c, "ou=strangers,"+base); got != strangers {
		t.Errorf("the entries of others were\n%s\nand are\n%s", strangers, got)
	}
}

// Entries without a class or a fixed value of the target do not exist for it, whatever leads to them.
func TestEntriesOfOthers(t *testing.T) {
	t.Parallel()
	s := server(t)
	base, c := s.Base(t), s.Open(t)
	cfg := s.Config(base)
	cfg.Users.Fixed = map[string]string{"ou": "ours"}
	a := open(t, cfg)
	add(t, c, "uid=theirs,ou=people,"+base, "objectClass", "inetOrgPerson", "cn", "Ada", "sn", "A", "ou", "theirs", "employeeNumber", "7")
	add(t, c, "uid=device,ou=people,"+base, "objectClass", "account", "ou", "ours")
	before := content(t, c, base)
	for _, name := range []string{"theirs", "device"} {
		if found, err := a.Find(t.Context(), target.User, path(t, "userName"), name); err != nil || len(found) != 0 {
			t.Errorf("found %v (%v)", found, err)
		}
		id := values(t, c, "uid="+name+",ou=people,"+base, "entryUUID")[0]
		ref := target.Ref{Kind: target.User, ID: id}
		if _, err := a.Update(t.Context(), ref, attributes(t, "title", "x")); target.CodeOf(err) != target.NotFound {
			t.Errorf("update %s: %v", name, err)
		}
		if err := a.Delete(t.Context(), ref); err != nil {
			t.Errorf("delete %s: %v", name, err)
		}
		if _, err := a.Create(t.Context(), target.User, attributes(t, "userName", name)); target.CodeOf(err) != target.Conflict {
			t.Errorf("create %s: %v", name, err)
		}
	}
	if got := content(t, c, base); got != before {
		t.Errorf("was\n%s\nis\n%s", before, got)
	}
}

// An entry that others rename and move below the base stays the same account.
func TestRenamedByOthers(t *testing.T) {
	t.Parallel()
	s := server(t)
	base, c := s.Base(t), s.Open(t)
	a := open(t, s.Config(base))
	ada := create(t, a, target.User, "userName", "ada", "title", "Engineer")
	add(t, c, "ou=berlin,ou=people,"+base, "objectClass", "organizationalUnit")
	if err := c.ModifyDN(goldap.NewModifyDNRequest("uid=ada,ou=people,"+base, "cn=-", false, "ou=berlin,ou=people,"+base)); err != nil {
		t.Fatal(err)
	}
	after, err := a.Update(t.Context(), ada.Ref, attributes(t, "title", "Countess", "userName", "lovelace"))
	if err != nil || after.Attributes["title"] != "Countess" || after.Attributes["userName"] != "lovelace" {
		t.Errorf("%v (%v)", after, err)
	}
	if got := values(t, c, "cn=-,ou=berlin,ou=people,"+base, "uid"); !slices.Equal(got, []string{"lovelace"}) { // the name that others chose stays
		t.Errorf("uid %v", got)
	}
	// Somewhere below the base is a userName that is taken, too.
	if _, err := a.Create(t.Context(), target.User, attributes(t, "userName", "Lovelace")); target.CodeOf(err) != target.Conflict {
		t.Errorf("a second account: %v", err)
	}
	if err := a.Delete(t.Context(), ada.Ref); err != nil {
		t.Error(err)
	}
	if found, err := a.Find(t.Context(), target.User, path(t, "userName"), "lovelace"); err != nil || len(found) != 0 {
		t.Errorf("found %v (%v)", found, err)
	}
}

// Between the look-up of an entry and the write another one may get its name: that is not touched.
func TestNameOfAnotherEntry(t *testing.T) {
	t.Parallel()
	s := server(t)
	for _, op := range []ldaptest.Op{ldaptest.Modify, ldaptest.Rename, ldaptest.Delete} {
		base, c := s.Base(t), s.Open(t)
		proxy := s.NewProxy(t)
		cfg := s.Config(base)
		cfg.URL = "ldap://" + proxy.Address
		a := open(t, cfg)
		ada := create(t, a, target.User, "userName", "ada", "title", "Engineer")
		name, swapped := "uid=ada,ou=people,"+base, false
		proxy.Break(func(got ldaptest.Op) ldaptest.Fate {
			if got == op && !swapped {
				swapped = true
				if err := c.Del(goldap.NewDelRequest(name, nil)); err != nil {
					t.Error(err)
				}
				add(t, c, name, "objectClass", "inetOrgPerson", "cn", "Another", "sn", "Ada", "title", "Other")
			}
			return ldaptest.Pass
		})
		var err error
		switch op {
		case ldaptest.Modify:
			_, err = a.Update(t.Context(), ada.Ref, attributes(t, "title", "Countess"))
		case ldaptest.Rename:
			_, err = a.Update(t.Context(), ada.Ref, attributes(t, "userName", "lovelace"))
		default:
			if err = a.Delete(t.Context(), ada.Ref); err == nil {
				err = &target.Error{Code: target.NotFound}
			}
		}
		if target.CodeOf(err) != target.NotFound || !swapped {
			t.Errorf("%x: %v (the entry was exchanged: %v)", op, err, swapped)
		}
		if got := values(t, c, name, "title"); !slices.Equal(got, []string{"Other"}) {
			t.Errorf("%x: the other entry has the title %v", op, got)
		}
	}
}

// A mapped attribute is written as a whole: of several values it could not be told which one is meant. That which names
// the entry can be.
func TestSeveralValues(t *testing.T) {
	t.Parallel()
	s := server(t)
	base, c := s.Base(t), s.Open(t)
	a := open(t, s.Config(base))
	name := "uid=ada,ou=people," + base
	ada := create(t, a, target.User, "userName", "ada", `emails[type eq "work"].value`, "zoe@example.com")
	change := goldap.NewModifyRequest(name, nil)
	change.Add("mail", []string{"aa@example.com"})
	change.Add("uid", []string{"aa"})
	if err := c.Modify(change); err != nil {
		t.Fatal(err)
	}
	if r, err := a.Get(t.Context(), ada.Ref); err != nil || r.Attributes["userName"] != "ada" {
		t.Errorf("shown as %v (%v)", r, err)
	}
	if found, err := a.Find(t.Context(), target.User, path(t, "userName"), "AA"); err != nil || len(found) != 1 || found[0].Attributes["userName"] != "aa" {
		t.Errorf("by its other name: %v (%v)", found, err)
	}
	after, err := a.Update(t.Context(), ada.Ref, attributes(t, `emails[type eq "work"].value`, "zz@example.com", "userName", "lovelace"))
	if err != nil || after.Attributes["userName"] != "lovelace" {
		t.Fatal(after, err)
	}
	name = "uid=lovelace,ou=people," + base
	if mail, uid := values(t, c, name, "mail"), values(t, c, name, "uid"); !slices.Equal(mail, []string{"zz@example.com"}) || !slices.Equal(uid, []string{"aa", "lovelace"}) {
		t.Errorf("mail %v, uid %v", mail, uid)
	}
}

// What the schema demands and nothing has a value for is filled in, and not shown.
func TestSchemaDemands(t *testing.T) {
	t.Parallel()
	s := server(t)
	base, c := s.Base(t), s.Open(t)
	a := open(t, s.Config(base))
	ada := create(t, a, target.User, "userName", "ada", "name.familyName", "Lovelace")
	name := "uid=ada,ou=people," + base
	after, err := a.Update(t.Context(), ada.Ref, attributes(t, "name.familyName", nil))
	if err != nil || after.Value(path(t, "name.familyName")) != nil {
		t.Errorf("%v (%v)", after, err)
	}
	if sn, cn := values(t, c, name, "sn"), values(t, c, name, "cn"); !slices.Equal(sn, []string{"-"}) || !slices.Equal(cn, []string{"-"}) {
		t.Errorf("sn %v, cn %v", sn, cn)
	}
	_, err = a.Update(t.Context(), ada.Ref, attributes(t, "userName", nil))
	if target.CodeOf(err) != target.Rejected {
		t.Errorf("without its name: %v", err)
	}
}

// Attributes that are refused are named, and the others are written.
func TestRefusedAttribute(t *testing.T) {
	t.Parallel()
	s := server(t)
	base := s.Base(t)
	a := open(t, s.Config(base))
	ada := create(t, a, target.User, "userName", "ada")
	after, err := a.Update(t.Context(), ada.Ref, attributes(t, "title", "Countess", `emails[type eq "work"].value`, "ü@example.com", "nickName", "a", "userType", "x"))
	var refused []string
	for _, e := range split(err) {
		var is *target.Error
		if errors.As(e, &is) {
			refused = append(refused, is.Attribute+" "+string(is.Code))
		}
	}
	slices.Sort(refused)
	if want := []string{`emails[type eq "work"].value target_rejected`, "userType target_rejected"}; !slices.Equal(refused, want) {
		t.Errorf("refused %q, want %q (%v)", refused, want, err)
	}
	if after == nil || after.Attributes["title"] != "Countess" || after.Attributes["nickName"] != "a" {
		t.Errorf("the others: %v", after)
	}
	if _, err := a.Create(t.Context(), target.User, attributes(t, "userName", "bob", "userType", "x")); target.CodeOf(err) != target.Rejected {
		t.Errorf("create with what is not mapped: %v", err)
	}
	_, err = a.Create(t.Context(), target.User, attributes(t, "userName", "bob", `emails[type eq "work"].value`, "ü@example.com"))
	var is *target.Error
	if !errors.As(err, &is) || is.Code != target.Rejected || is.Attribute != `emails[type eq "work"].value` {
		t.Errorf("create: %v", err)
	}
	if found, _ := a.Find(t.Context(), target.User, path(t, "userName"), "bob"); len(found) != 0 {
		t.Error("half an account was made")
	}
}

func split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// A group that others have made holds no placeholder; its members that are no users of the target stay.
func TestMembersOfOthers(t *testing.T) {
	t.Parallel()
	s := server(t)
	base, c := s.Base(t), s.Open(t)
	a := open(t, s.Config(base))
	ada := create(t, a, target.User, "userName", "ada")
	bob := create(t, a, target.User, "userName", "bob")
	name := "cn=Old,ou=groups," + base
	add(t, c, name, "objectClass", "groupOfNames", "cn", "Old", "member", "uid=ada,ou=people,"+base)
	found, err := a.Find(t.Context(), target.Group, path(t, "displayName"), "Old")
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if refused, err := a.ChangeMembers(t.Context(), found[0].Ref, nil, []string{ada.ID}); err != nil || len(refused) > 0 {
		t.Errorf("the last member: %v, %v", refused, err)
	}
	if got := values(t, c, name, "member"); !slices.Equal(got, []string{"cn=placeholder"}) {
		t.Errorf("members %v", got)
	}
	change := goldap.NewModifyRequest(name, nil)
	change.Add("member", []string{"cn=robot,ou=strangers," + base})
	if err := c.Modify(change); err != nil {
		t.Fatal(err)
	}
	if _, err := a.ChangeMembers(t.Context(), found[0].Ref, []string{bob.ID}, nil); err != nil {
		t.Error(err)
	}
	if ids, ok, err := a.Members(t.Context(), found[0].Ref); err != nil || !ok || !slices.Equal(ids, []string{bob.ID}) {
		t.Errorf("members %v (%v)", ids, err)
	}
	if got := values(t, c, name, "member"); len(got) != 3 {
		t.Errorf("members %v", got)
	}
}

// A new account is in no group that an earlier entry of its name was in.
func TestNoInheritedMemberships(t *testing.T) {
	t.Parallel()
	s := server(t)
	base, c := s.Base(t), s.Open(t)
	a := open(t, s.Config(base))
	name := "cn=Admins,ou=groups," + base
	add(t, c, name, "objectClass", "groupOfNames", "cn", "Admins", "member", "uid=ada,ou=people,"+base) // left behind by a deletion
	create(t, a, target.User, "userName", "ada")
	if got := values(t, c, name, "member"); !slices.Equal(got, []string{"cn=placeholder"}) {
		t.Errorf("members %v", got)
	}
	// A renaming to a name that is taken changes no membership either, also not that of the entry which has the name.
	ada, err := a.Find(t.Context(), target.User, path(t, "userName"), "ada")
	if err != nil || len(ada) != 1 {
		t.Fatal(ada, err)
	}
	add(t, c, "uid=device,ou=people,"+base, "objectClass", "account")
	group, _ := a.Find(t.Context(), target.Group, path(t, "displayName"), "Admins")
	if _, err := a.ChangeMembers(t.Context(), group[0].Ref, []string{ada[0].ID}, nil); err != nil {
		t.Fatal(err)
	}
	device := "uid=device,ou=people," + base
	member := goldap.NewModifyRequest(name, nil)
	member.Add("member", []string{device})
	if err := c.Modify(member); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Update(t.Context(), ada[0].Ref, attributes(t, "userName", "device")); target.CodeOf(err) != target.Conflict {
		t.Errorf("to a taken name: %v", err)
	}
	if got, want := values(t, c, name, "member"), []string{"cn=placeholder", "uid=ada,ou=people," + base, device}; !slices.Equal(got, want) {
		t.Errorf("members %v", got)
	}
}

// A base that is not there is no empty list: all accounts would seem to be gone.
func TestBaseIsGone(t *testing.T) {
	t.Parallel()
	s := server(t)
	base := s.Base(t)
	cfg := s.Config(base)
	cfg.Users.Base = "ou=gone," + base
	a := open(t, cfg)
	for name, err := range map[string]error{
		"list": a.List(t.Context(), target.User, func([]target.Resource) error { return nil }),
		"find": func() error { _, err := a.Find(t.Context(), target.User, path(t, "userName"), "ada"); return err }(),
		"get": func() error {
			_, err := a.Get(t.Context(), target.Ref{Kind: target.User, ID: "6b1d2e8b-4f3c-4d5a-9e0f-a1b2c3d4e5f6"})
			return err
		}(),
		"delete": a.Delete(t.Context(), target.Ref{Kind: target.User, ID: "6b1d2e8b-4f3c-4d5a-9e0f-a1b2c3d4e5f6"}),
		"create": func() error {
			_, err := a.Create(t.Context(), target.User, attributes(t, "userName", "ada"))
			return err
		}(),
		"probe": func() error { _, err := a.Probe(t.Context(), nil); return err }(),
	} {
		if code := target.CodeOf(err); err == nil || !code.Stops() || !strings.Contains(fmt.Sprint(err), "ou=gone") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
