package all_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/target/all"
	"entrasync/target/ldap"
	"entrasync/target/sql"
)

// addressed are options of each type for an address of it: what is not told apart here would make
// every application of a type one place, so that a moved target goes unnoticed.
var addressed = map[string]func(address string) all.Options{
	"file": func(address string) all.Options { return &all.File{Path: "/data/" + address + ".jsonl"} },
	"exec": func(address string) all.Options {
		return &all.Exec{Command: []string{"/opt/acme/provision", address}, Secrets: map[string]all.ExecSecret{"password": {File: "pw"}}}
	},
	"ldap": func(address string) all.Options {
		return &all.LDAP{URL: "ldaps://" + address + ".example.com", BindDN: "cn=" + address, Password: "of " + address, Profile: "openldap", Users: ldap.Users{Base: "ou=people,dc=example"}}
	},
	"sql": func(address string) all.Options {
		return &all.SQL{Driver: "postgres", DSN: "postgres://user:secret@" + address + ".example.com/app", Users: sql.Users{Table: "people"}}
	},
	"webhook": func(address string) all.Options {
		return &all.Webhook{URL: "https://" + address + ".example.com/hooks", Secret: "of " + address}
	},
	"scim": func(address string) all.Options {
		return &all.SCIM{URL: "https://" + address + ".example.com/v2", Auth: all.SCIMAuth{BearerToken: "of " + address}}
	},
}

func TestPlaceTellsApplicationsApart(t *testing.T) {
	t.Parallel()
	for name := range all.Types {
		options, ok := addressed[name]
		if !ok {
			t.Errorf("type %s is not tried here; add options of it for an address", name)
			continue
		}
		one, other := options("one"), options("other")
		if one.Place() == "" || one.Place() == other.Place() {
			t.Errorf("%s: the places are %q and %q", name, one.Place(), other.Place())
		}
		if again := options("one"); one.Place() != again.Place() {
			t.Errorf("%s: one address has the places %q and %q", name, one.Place(), again.Place())
		}
		if options("one").SharesAccounts() != true || options("{tenant}").SharesAccounts() {
			t.Errorf("%s: an address without {tenant} is shared, one with it is not", name)
		}
	}
	// A credential is no place: one that is renewed leads to the same accounts.
	if a, b := (&all.SCIM{URL: "https://a.example", Auth: all.SCIMAuth{BearerToken: "1"}}), (&all.SCIM{URL: "https://a.example"}); a.Place() != b.Place() {
		t.Errorf("a credential makes the places %q and %q", a.Place(), b.Place())
	}
}

func TestSharesAccounts(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"https://app.example.com/v2":                  true,
		"https://{tenant}.example.com/v2":             false,
		"https://app.example.com/{tenant}/v2":         false,
		"https://app.example.com/v2?tenant={tenant}":  true, // a server may ignore a query
		"https://app.example.com/v2#{tenant}":         true,
		"https://{tenant}@app.example.com/v2":         true, // a user name is no address
		"https://app.example.com/{tenant}?x={tenant}": false,
	} {
		if got := (&all.SCIM{URL: address}).SharesAccounts(); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}

func TestTrusts(t *testing.T) {
	t.Parallel()
	file := write(t, filepath.Join(t.TempDir(), "ca.pem"), "first")
	o := &all.SCIM{URL: "https://app.example.com", CAFile: file}
	if got := string(o.Trusts()); got != "first" {
		t.Errorf("got %q", got)
	}
	write(t, file, "second")
	if got := string(o.Trusts()); got != "second" {
		t.Errorf("after a change got %q", got)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if got := o.Trusts(); got != nil {
		t.Errorf("without the file got %q", got)
	}
}

// One database has the accounts of many owners: what tells them apart is the table and the columns that are fixed.
func TestPlaceOfADatabase(t *testing.T) {
	t.Parallel()
	dsn := write(t, filepath.Join(t.TempDir(), "dsn"), "postgres://me:secret@db.example.com/app")
	base := all.SQL{Driver: "postgres", DSNFile: dsn, Users: sql.Users{Table: "people", Fixed: map[string]sql.Text{"tenant": "{tenant}"}}, Folder: "/etc/entrasync"}
	place := func(change func(o *all.SQL)) string {
		o := *base.For("contoso").(*all.SQL)
		change(&o)
		return o.Place()
	}
	same := place(func(*all.SQL) {})
	if strings.Contains(same, "secret") || strings.Contains(same, "me") {
		t.Errorf("the place %q holds a credential", same)
	}
	for name, c := range map[string]struct {
		change func(o *all.SQL)
		moved  bool
	}{
		"another password": {func(o *all.SQL) {
			o.DSNFile, o.DSN = "", "postgres://you:other@db.example.com:5432/app?sslmode=require"
		}, false},
		"another host":            {func(o *all.SQL) { o.DSNFile, o.DSN = "", "postgres://me@other.example.com/app" }, true},
		"another database":        {func(o *all.SQL) { o.DSNFile, o.DSN = "", "postgres://me@db.example.com/other" }, true},
		"another search path":     {func(o *all.SQL) { o.DSNFile, o.DSN = "", "postgres://me@db.example.com/app?search_path=other" }, true},
		"another table":           {func(o *all.SQL) { o.Users.Table = "staff" }, true},
		"another tenant":          {func(o *all.SQL) { o.Users.Fixed = map[string]sql.Text{"tenant": "fabrikam"} }, true},
		"another column":          {func(o *all.SQL) { o.Users.Columns = map[string]string{"title": "job"} }, false},
		"another table of groups": {func(o *all.SQL) { o.Groups = &sql.Groups{Table: "team"} }, true},
	} {
		if got := place(c.change); (got != same) != c.moved {
			t.Errorf("%s: %q and %q", name, same, got)
		}
	}
	if base.SharesAccounts() {
		t.Error("rows with a tenant's name are shared by tenants")
	}
	file := func(dsn, folder string) string {
		return (&all.SQL{Driver: "sqlite", DSN: dsn, Folder: folder, Users: sql.Users{Table: "people"}}).Place()
	}
	if a, b := file("app.db", "/srv/a"), file("file:/srv/a/app.db?mode=rw", "/elsewhere"); a != b || a == file("app.db", "/srv/b") {
		t.Errorf("one file is at %q and %q", a, b)
	}
}

// One server has the entries of many owners: what tells them apart is the base and what is fixed. How a connection is
// secured and who logs in does not.
func TestPlaceOfADirectory(t *testing.T) {
	t.Parallel()
	base := all.LDAP{URL: "ldaps://ldap.example.com", BindDN: "cn=me", Password: "secret", Profile: "openldap", Users: ldap.Users{Base: "ou={tenant},dc=example", Fixed: map[string]string{"o": "ours"}}}
	place := func(change func(o *all.LDAP)) string {
		o := *base.For("contoso").(*all.LDAP)
		change(&o)
		return o.Place()
	}
	same := place(func(*all.LDAP) {})
	if strings.Contains(same, "secret") || strings.Contains(same, "me\x00") {
		t.Errorf("the place %q holds a credential", same)
	}
	for name, c := range map[string]struct {
		change func(o *all.LDAP)
		moved  bool
	}{
		"StartTLS":           {func(o *all.LDAP) { o.URL, o.StartTLS = "ldap://LDAP.example.com:389", true }, false},
		"another password":   {func(o *all.LDAP) { o.BindDN, o.Password = "cn=you", "other" }, false},
		"the base otherwise": {func(o *all.LDAP) { o.Users.Base = "OU=Contoso, DC=example" }, false},
		"another attribute":  {func(o *all.LDAP) { o.Users.Attributes = map[string]string{"title": "title"} }, false},
		"another host":       {func(o *all.LDAP) { o.URL = "ldaps://other.example.com" }, true},
		"another port":       {func(o *all.LDAP) { o.URL = "ldaps://ldap.example.com:1636" }, true},
		"another base":       {func(o *all.LDAP) { o.Users.Base = "ou=fabrikam,dc=example" }, true},
		"another fixed":      {func(o *all.LDAP) { o.Users.Fixed = map[string]string{"o": "theirs"} }, true},
		"groups elsewhere":   {func(o *all.LDAP) { o.Groups = &ldap.Groups{Base: "ou=groups,dc=example"} }, true},
	} {
		if got := place(c.change); (got != same) != c.moved {
			t.Errorf("%s: %q and %q", name, same, got)
		}
	}
	if base.SharesAccounts() {
		t.Error("entries below a base with a tenant's name are shared by tenants")
	}
}
