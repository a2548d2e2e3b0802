package ldap_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entrasync/target"
	"entrasync/target/ldap"
	"entrasync/target/ldap/ldaptest"
	"entrasync/target/targettest"
)

// through is a directory that is reached by way of a proxy.
func through(tb testing.TB) (*ldap.Adapter, *ldaptest.Proxy, string) {
	tb.Helper()
	s := server(tb)
	base, proxy := s.Base(tb), s.NewProxy(tb)
	cfg := s.Config(base)
	cfg.URL, cfg.Timeout = "ldap://"+proxy.Address, 3*time.Second // of what is answered with something else
	return open(tb, cfg), proxy, base
}

// once has the first request of a kind go wrong.
func once(op ldaptest.Op, fate ldaptest.Fate) func(ldaptest.Op) ldaptest.Fate {
	var done atomic.Bool
	return func(got ldaptest.Op) ldaptest.Fate {
		if got == op && done.CompareAndSwap(false, true) {
			return fate
		}
		return ldaptest.Pass
	}
}

// A creation whose answer is lost is not sent again, and says that it may have happened, whether it has or not.
func TestCreationIsLost(t *testing.T) {
	t.Parallel()
	for fate, there := range map[ldaptest.Fate]int{ldaptest.Lose: 1, ldaptest.Drop: 0} {
		a, proxy, _ := through(t)
		proxy.Break(once(ldaptest.Add, fate))
		_, err := a.Create(t.Context(), target.User, attributes(t, "userName", "ada"))
		var is *target.Error
		if !errors.As(err, &is) || is.Code != target.Unavailable || !is.Indeterminate {
			t.Errorf("%d: %#v", fate, err)
		}
		if sent := proxy.Seen(ldaptest.Add); sent != 1 {
			t.Errorf("%d: sent %d times", fate, sent)
		}
		if found, err := a.Find(t.Context(), target.User, path(t, "userName"), "ada"); err != nil || len(found) != there {
			t.Errorf("%d: found %d (%v)", fate, len(found), err)
		}
		_, err = a.Create(t.Context(), target.User, attributes(t, "userName", "ada"))
		if (err != nil) != (there == 1) || err != nil && target.CodeOf(err) != target.Conflict {
			t.Errorf("%d: again: %v", fate, err)
		}
	}
	// The entry is made, and the connection breaks while it is read back.
	a, proxy, _ := through(t)
	create(t, a, target.User, "userName", "bob")
	before := proxy.Seen(ldaptest.Add)
	proxy.Break(func(op ldaptest.Op) ldaptest.Fate {
		if op == ldaptest.Search && proxy.Seen(ldaptest.Add) > before {
			return ldaptest.Drop
		}
		return ldaptest.Pass
	})
	_, err := a.Create(t.Context(), target.User, attributes(t, "userName", "ada"))
	var is *target.Error
	if !errors.As(err, &is) || is.Code != target.Unavailable || !is.Indeterminate {
		t.Errorf("while it is read back: %#v", err)
	}
}

// What leads to the same when it is done again is sent again.
func TestOthersAreLost(t *testing.T) {
	t.Parallel()
	a, proxy, base := through(t)
	c := server(t).Open(t)
	group := create(t, a, target.Group, "displayName", "Sales")
	for _, fate := range []ldaptest.Fate{ldaptest.Lose, ldaptest.Drop} {
		ada := create(t, a, target.User, "userName", "ada")
		proxy.Break(once(ldaptest.Search, fate))
		if found, err := a.Find(t.Context(), target.User, path(t, "userName"), "ada"); err != nil || len(found) != 1 {
			t.Errorf("find: %v (%v)", found, err)
		}
		proxy.Break(once(ldaptest.Modify, fate))
		if after, err := a.Update(t.Context(), ada.Ref, attributes(t, "title", "Countess")); err != nil || after.Attributes["title"] != "Countess" {
			t.Errorf("update: %v (%v)", after, err)
		}
		proxy.Break(once(ldaptest.Modify, fate))
		if refused, err := a.ChangeMembers(t.Context(), group.Ref, []string{ada.ID}, nil); err != nil || len(refused) > 0 {
			t.Errorf("members: %v (%v)", refused, err)
		}
		proxy.Break(once(ldaptest.Rename, fate))
		if after, err := a.Update(t.Context(), ada.Ref, attributes(t, "userName", "lovelace")); err != nil || after.Attributes["userName"] != "lovelace" {
			t.Errorf("rename: %v (%v)", after, err)
		}
		if ids, _, err := a.Members(t.Context(), group.Ref); err != nil || !slices.Equal(ids, []string{ada.ID}) {
			t.Errorf("members after a renaming: %v (%v)", ids, err)
		}
		proxy.Break(once(ldaptest.Delete, fate))
		if err := a.Delete(t.Context(), ada.Ref); err != nil {
			t.Errorf("delete: %v", err)
		}
		if got := values(t, c, "cn=Sales,ou=groups,"+base, "member"); !slices.Contains(got, "cn=placeholder") || slices.Contains(got, "uid=lovelace,ou=people,"+base) {
			t.Errorf("members %v", got)
		}
	}
	proxy.Break(once(ldaptest.Search, ldaptest.Cross))
	if found, err := a.Find(t.Context(), target.User, path(t, "userName"), "ada"); err != nil || len(found) != 0 {
		t.Errorf("after what is no LDAP: %v (%v)", found, err)
	}
}

// A list that ends early is no list.
func TestListIsLost(t *testing.T) {
	t.Parallel()
	s := server(t)
	base, proxy := s.Base(t), s.NewProxy(t)
	cfg := s.Config(base)
	cfg.URL, cfg.PageSize, cfg.Timeout = "ldap://"+proxy.Address, 5, 3*time.Second
	a := open(t, cfg)
	for i := range 12 {
		create(t, a, target.User, "userName", fmt.Sprint("user", i))
	}
	for _, fate := range []ldaptest.Fate{ldaptest.Lose, ldaptest.Drop, ldaptest.Busy, ldaptest.Cross} {
		pages := 0
		err := a.List(t.Context(), target.User, func(page []target.Resource) error {
			if pages++; pages == 1 {
				proxy.Break(func(op ldaptest.Op) ldaptest.Fate { return fate })
			}
			return nil
		})
		proxy.Break(nil)
		if err == nil || target.CodeOf(err) != target.Unavailable || pages != 1 {
			t.Errorf("%d: %d pages, %v", fate, pages, err)
		}
	}
}

// A server that does not answer is waited for no longer than the timeout says, and a call that is stopped ends at once.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	s := server(t)
	base, proxy := s.Base(t), s.NewProxy(t)
	cfg := s.Config(base)
	cfg.URL, cfg.Timeout = "ldap://"+proxy.Address, 200*time.Millisecond
	a := open(t, cfg)
	create(t, a, target.User, "userName", "ada")
	proxy.Break(func(op ldaptest.Op) ldaptest.Fate {
		if op == ldaptest.Add {
			return ldaptest.Stall
		}
		return ldaptest.Pass
	})
	_, err := a.Create(t.Context(), target.User, attributes(t, "userName", "bob"))
	var is *target.Error
	if !errors.As(err, &is) || is.Code != target.Unavailable || !is.Indeterminate || !strings.Contains(err.Error(), "200ms") {
		t.Errorf("%#v", err)
	}
	cfg.Timeout = time.Hour
	a = open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	before := proxy.Seen(ldaptest.Add)
	go func() {
		for proxy.Seen(ldaptest.Add) == before {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	_, err = a.Create(ctx, target.User, attributes(t, "userName", "cleo"))
	if !errors.Is(err, context.Canceled) || !errors.As(err, &is) || !is.Indeterminate {
		t.Errorf("stopped: %#v", err)
	}
}

// The rules about quirks that a directory can have, each on a real server that has it.
func TestQuirks(t *testing.T) {
	t.Parallel()
	users := ldaptest.Options{
		Global: "", Database: "overlay ppolicy\naccess to attrs=title by dn.exact=\"cn=sync,dc=example\" =awzsd by * read\naccess to * by dn.exact=\"cn=sync,dc=example\" write by * read\n" +
			"limits dn.exact=\"cn=sync,dc=example\" size.soft=20 size.hard=20 size.pr=20 size.prtotal=unlimited",
	}
	var small *ldaptest.Server
	targettest.Run(t, targettest.Harness{
		Many: 20,
		New: func(tb testing.TB) targettest.App {
			return targettest.App{Adapter: open(tb, server(tb).Config(server(tb).Base(tb)))}
		},
		Quirky: func(tb testing.TB, quirk targettest.Quirk) targettest.App {
			switch quirk {
			case targettest.Busy:
				a, proxy, _ := through(tb)
				var n atomic.Int64
				proxy.Break(func(op ldaptest.Op) ldaptest.Fate {
					if op.Writes() && n.Add(1)%2 == 1 {
						return ldaptest.Busy
					}
					return ldaptest.Pass
				})
				return targettest.App{Adapter: a}
			case targettest.StrictMembers:
				a, proxy, _ := through(tb)
				proxy.Hide("1.2.840.113556.1.4.1413")
				return targettest.App{Adapter: a}
			case targettest.SmallPages:
				small = another(tb, users)
				base := small.Base(tb)
				cfg := small.Config(base)
				cfg.BindDN, cfg.PageSize = "cn=sync,dc=example", 20
				add(tb, small.Open(tb), cfg.BindDN, "objectClass", "organizationalRole|simpleSecurityObject", "userPassword", ldaptest.Password)
				return targettest.App{Adapter: open(tb, cfg)}
			}
			return targettest.App{}
		},
	})
}

// A limit that cuts a list short is an error that names it.
func TestSizeLimit(t *testing.T) {
	t.Parallel()
	s := another(t, ldaptest.Options{Database: "access to * by dn.exact=\"cn=sync,dc=example\" write by * read\nlimits dn.exact=\"cn=sync,dc=example\" size=5"})
	base := s.Base(t)
	cfg := s.Config(base)
	admin := open(t, cfg)
	for i := range 12 {
		create(t, admin, target.User, "userName", fmt.Sprint("user", i))
	}
	cfg.BindDN = "cn=sync,dc=example"
	add(t, s.Open(t), cfg.BindDN, "objectClass", "organizationalRole|simpleSecurityObject", "userPassword", ldaptest.Password)
	a := open(t, cfg)
	listed := 0
	err := a.List(t.Context(), target.User, func(page []target.Resource) error {
		listed += len(page)
		return nil
	})
	var is *target.Error
	if !errors.As(err, &is) || is.Code != target.Forbidden || !strings.Contains(is.Hint, "olcLimits") || listed >= 12 {
		t.Errorf("%d listed: %#v", listed, err)
	}
}

// A server that can only be read, a replica, and an account without rights: said by check and by each write.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	const root = "dn: dc=example\nobjectClass: dcObject\nobjectClass: organization\no: Example\n\ndn: ou=people,dc=example\nobjectClass: organizationalUnit\n\ndn: ou=groups,dc=example\nobjectClass: organizationalUnit\n"
	replica := another(t, ldaptest.Options{LDIF: root, Database: "syncrepl rid=001 provider=ldap://127.0.0.1:1 type=refreshOnly searchbase=\"dc=example\" bindmethod=simple retry=\"3600 +\"\nupdateref ldap://primary.example.com"})
	frozen := another(t, ldaptest.Options{LDIF: root})
	frozen.ReadOnly(t, true)
	for name, s := range map[string]*ldaptest.Server{"replica": replica, "read-only": frozen} {
		a := open(t, s.Config("dc=example"))
		_, probe := a.Probe(t.Context(), nil)
		_, made := a.Create(t.Context(), target.User, attributes(t, "userName", "ada"))
		for what, err := range map[string]error{"probe": probe, "create": made} {
			var is *target.Error
			if !errors.As(err, &is) || is.Code != target.Forbidden || is.Hint == "" || is.Indeterminate {
				t.Errorf("%s: %s: %#v", name, what, err)
			}
			if name == "replica" && !strings.Contains(fmt.Sprint(err), "ldap://primary.example.com") {
				t.Errorf("%s does not name the other server: %v", what, err)
			}
		}
	}
	frozen.ReadOnly(t, false)
	add(t, frozen.Open(t), "cn=reader,dc=example", "objectClass", "organizationalRole|simpleSecurityObject", "userPassword", ldaptest.Password)
	cfg := frozen.Config("dc=example")
	ada := create(t, open(t, cfg), target.User, "userName", "ada")
	cfg.BindDN = "cn=reader,dc=example"
	a := open(t, cfg)
	_, made := a.Create(t.Context(), target.User, attributes(t, "userName", "bob"))
	_, updated := a.Update(t.Context(), ada.Ref, attributes(t, "title", "x", "nickName", "y"))
	for what, err := range map[string]error{"create": made, "update": updated, "delete": a.Delete(t.Context(), ada.Ref)} {
		var is *target.Error
		if !errors.As(err, &is) || is.Code != target.Forbidden || !strings.Contains(is.Hint, "right") {
			t.Errorf("without rights: %s: %#v", what, err)
		}
	}
}

// A part of the base that another server keeps is named by check, and the rest is listed.
func TestReferral(t *testing.T) {
	t.Parallel()
	s := server(t)
	base, c := s.Base(t), s.Open(t)
	a := open(t, s.Config(base))
	create(t, a, target.User, "userName", "ada")
	add(t, c, "ou=elsewhere,ou=people,"+base, "objectClass", "referral|extensibleObject", "ref", "ldap://127.0.0.1:1/ou=elsewhere")
	profile, err := a.Probe(t.Context(), nil)
	if err != nil || !slices.ContainsFunc(profile.Notes, func(n string) bool { return strings.Contains(n, "ldap://127.0.0.1:1/ou=elsewhere") }) {
		t.Errorf("%+v (%v)", profile, err)
	}
	listed := 0
	if err := a.List(t.Context(), target.User, func(page []target.Resource) error { listed += len(page); return nil }); err != nil || listed != 1 {
		t.Errorf("listed %d (%v)", listed, err)
	}
}

// Ways to connect, and what is said of those that fail. No error has the password.
func TestConnections(t *testing.T) {
	t.Parallel()
	s := server(t)
	base := s.Base(t)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(cfg *ldap.Config)
		want   target.Code // "": it works
		text   string
	}{
		"socket":                  {func(*ldap.Config) {}, "", ""},
		"plain":                   {func(cfg *ldap.Config) { cfg.URL = "ldap://" + s.Address() }, "", ""},
		"StartTLS":                {func(cfg *ldap.Config) { cfg.URL, cfg.StartTLS, cfg.CAFile = "ldap://"+s.Address(), true, s.CAFile() }, "", ""},
		"ldaps":                   {func(cfg *ldap.Config) { cfg.URL, cfg.CAFile = "ldaps://"+s.Secure(), s.CAFile() }, "", ""},
		"StartTLS not trusted":    {func(cfg *ldap.Config) { cfg.URL, cfg.StartTLS = "ldap://"+s.Address(), true }, target.Untrusted, "ca_file"},
		"ldaps not trusted":       {func(cfg *ldap.Config) { cfg.URL = "ldaps://" + s.Secure() }, target.Untrusted, "ca_file"},
		"ldaps at the wrong port": {func(cfg *ldap.Config) { cfg.URL, cfg.Timeout = "ldaps://"+s.Address(), 2*time.Second }, target.Unavailable, ""},
		"another name": {func(cfg *ldap.Config) {
			cfg.URL, cfg.CAFile = strings.Replace("ldaps://"+s.Secure(), "127.0.0.1", "127.0.0.2", 1), s.CAFile()
		}, target.Unavailable, ""},
		"no server": {func(cfg *ldap.Config) { cfg.URL = "ldap://127.0.0.1:1" }, target.Unavailable, "no connection"},
		"no socket": {func(cfg *ldap.Config) { cfg.URL = "ldapi:///nowhere" }, target.Unavailable, "no connection"},
		"wrong password": {func(cfg *ldap.Config) {
			cfg.Password = func() (string, error) { return "wrong-" + ldaptest.Password, nil }
		}, target.Unauthorized, "password_file"},
		"empty password":   {func(cfg *ldap.Config) { cfg.Password = func() (string, error) { return "", nil } }, target.Unauthorized, "empty"},
		"no password file": {func(cfg *ldap.Config) { cfg.Password = func() (string, error) { return "", os.ErrNotExist } }, target.Unauthorized, "password_file"},
		"socket's user":    {func(cfg *ldap.Config) { cfg.BindDN = "" }, target.Forbidden, "right"},
		"ad":               {func(cfg *ldap.Config) { cfg.Profile, cfg.Users.Active = "ad", ldap.Active{} }, target.NotSCIM, "openldap"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := s.Config(base)
			c.change(&cfg)
			a := open(t, cfg)
			_, err := a.Probe(t.Context(), nil)
			if err == nil {
				_, err = a.Create(t.Context(), target.User, attributes(t, "userName", name))
			}
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var is *target.Error
			if !errors.As(err, &is) || is.Code != c.want || !strings.Contains(err.Error()+is.Hint, c.text) {
				t.Errorf("%v: %#v", err, is)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, is), ldaptest.Password) {
				t.Errorf("the password is in %v", err)
			}
		})
	}
	cfg := s.Config(base)
	cfg.CAFile = empty
	if _, err := ldap.New(cfg); err == nil || !strings.Contains(err.Error(), "ca_file") {
		t.Errorf("without a certificate: %v", err)
	}
}

// What does not fit is named, with what was probably meant.
func TestProbe(t *testing.T) {
	t.Parallel()
	s := server(t)
	base := s.Base(t)
	for name, c := range map[string]struct {
		change func(cfg *ldap.Config)
		text   string // of an error
		note   string
	}{
		"class":         {func(cfg *ldap.Config) { cfg.Users.Classes = []string{"inetOrgPersson"} }, "did you mean inetOrgPerson?", ""},
		"attribute":     {func(cfg *ldap.Config) { cfg.Users.Attributes["title"] = "titel" }, "there is no attribute titel (did you mean title?)", ""},
		"of no class":   {func(cfg *ldap.Config) { cfg.Users.Attributes["title"] = "gidNumber" }, "do not have the attribute gidNumber", ""},
		"another class": {func(cfg *ldap.Config) { cfg.Users.Attributes["title"] = "host" }, "do not have the attribute host", ""},
		"any attribute": {func(cfg *ldap.Config) {
			cfg.Users.Attributes["title"], cfg.Users.Classes = "host", []string{"inetOrgPerson", "extensibleObject"}
		}, "", ""},
		"no search":    {func(cfg *ldap.Config) { cfg.Users.Attributes["photo"] = "jpegPhoto" }, "", "cannot search for values of jpegPhoto"},
		"no state":     {func(cfg *ldap.Config) { cfg.Users.Active = ldap.Active{} }, "", "users.active is not set"},
		"not mapped":   {func(cfg *ldap.Config) {}, "", "names no attribute for userType"},
		"placeholder":  {func(cfg *ldap.Config) { cfg.Groups.Class = "groupOfUniqueNames" }, "", ""},
		"wrong member": {func(cfg *ldap.Config) { cfg.Groups.Member = "uniqueMember" }, "do not have the attribute uniqueMember", ""},
	} {
		cfg := s.Config(base)
		c.change(&cfg)
		profile, err := open(t, cfg).Probe(t.Context(), map[target.Kind][]target.Path{target.User: {path(t, "userType"), path(t, "active")}})
		if c.text != "" {
			if target.CodeOf(err) != target.NotSCIM || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || profile.Name != "OpenLDAP" || !profile.Kinds[target.Group] || !profile.Unknown["userType"] || len(profile.Statements) == 0 {
			t.Errorf("%s: %+v (%v)", name, profile, err)
			continue
		}
		if !slices.ContainsFunc(profile.Notes, func(n string) bool { return strings.Contains(n, c.note) }) {
			t.Errorf("%s: the notes are %q", name, profile.Notes)
		}
	}
}
