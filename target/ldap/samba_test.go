package ldap_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"entrasync/target"
	"entrasync/target/ldap"
	"entrasync/target/ldap/ldaptest"
	"entrasync/target/targettest"
)

// domain is the Active Directory of all tests, as Samba has it. Where it is not installed, or may not be started, what is
// said of Active Directory is not tested, and the log says so.
var domain struct {
	once   sync.Once
	server *ldaptest.Samba
	err    error
}

func samba(tb testing.TB) *ldaptest.Samba {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("NOT TESTED: Active Directory: Samba's domain controller is started by root only")
	}
	domain.once.Do(func() { domain.server, domain.err = ldaptest.StartSamba() })
	if errors.Is(domain.err, ldaptest.ErrNoSamba) {
		tb.Skip("NOT TESTED: Active Directory: ", domain.err)
	}
	if domain.err != nil {
		tb.Fatal(domain.err)
	}
	return domain.server
}

func sambaBase(tb testing.TB) string {
	tb.Helper()
	base, err := samba(tb).Make()
	if err != nil {
		tb.Fatal(err)
	}
	return base
}

// Every rule on Active Directory as Samba has it.
func TestConformanceOfActiveDirectory(t *testing.T) {
	t.Parallel()
	samba(t)
	targettest.Run(t, targettest.Harness{Many: 60, New: func(tb testing.TB) targettest.App {
		cfg := samba(tb).Config(sambaBase(tb))
		reopen := func(tb testing.TB) target.Adapter { return open(tb, cfg) }
		return targettest.App{Adapter: reopen(tb), Reopen: reopen}
	}})
}

// An account of Active Directory: enabled with a password that is not kept, flags of others kept, no password without the
// configuration's word, names that do not fit refused, ids that are those of the domain's own tools.
func TestActiveDirectory(t *testing.T) {
	t.Parallel()
	s, base := samba(t), sambaBase(t)
	c, err := s.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cfg := s.Config(base)
	cfg.Users.Attributes["userName"] = "userPrincipalName"
	a := open(t, cfg)
	profile, err := a.Probe(t.Context(), nil)
	if err != nil || profile.Name != "Samba Active Directory" {
		t.Errorf("%+v (%v)", profile, err)
	}
	if name, err := a.Domain(t.Context()); err != nil || name != "example.test" {
		t.Errorf("domain %q (%v)", name, err)
	}
	ada := create(t, a, target.User, "userName", "ada@example.test", "active", true)
	name := "CN=ada@example.test,OU=people," + base
	if got := values(t, c, name, "userAccountControl"); !slices.Equal(got, []string{"512"}) {
		t.Errorf("userAccountControl %v", got)
	}
	if got := values(t, c, name, "pwdLastSet"); slices.Equal(got, []string{"0"}) {
		t.Error("the account has no password")
	}
	const never = "66048" // the password does not expire
	change(t, c, name, "userAccountControl", never)
	if _, err := a.Update(t.Context(), ada.Ref, attributes(t, "active", false)); err != nil {
		t.Error(err)
	}
	if got := values(t, c, name, "userAccountControl"); !slices.Equal(got, []string{"66050"}) {
		t.Errorf("userAccountControl %v", got)
	}
	for _, taken := range []string{"ada@example.test", "ADA@EXAMPLE.TEST"} {
		if _, err := a.Create(t.Context(), target.User, attributes(t, "userName", taken)); target.CodeOf(err) != target.Conflict {
			t.Errorf("%s again: %v", taken, err)
		}
	}
	left := create(t, a, target.User, "userName", "left@example.test", "active", false)
	if _, err := a.Update(t.Context(), left.Ref, attributes(t, "userName", "ada@example.test")); target.CodeOf(err) != target.Conflict {
		t.Errorf("renamed to a taken one: %v", err)
	}
	if r, err := a.Get(t.Context(), left.Ref); err != nil || r.Attributes["active"] != false {
		t.Errorf("%v (%v)", r, err)
	}

	cfg.Users.Password = ""
	plain := open(t, cfg)
	create(t, plain, target.User, "userName", "bob@example.test", "active", true) // Samba enables accounts without a password, too
	if got := values(t, c, "CN=bob@example.test,OU=people,"+base, "pwdLastSet"); !slices.Equal(got, []string{"0"}) {
		t.Errorf("a password was written at %v", got)
	}

	var is *target.Error
	cfg.Users.Attributes["nickName"] = "sAMAccountName"
	named := open(t, cfg)
	_, err = named.Update(t.Context(), ada.Ref, attributes(t, "nickName", "ada@example.test"))
	if !errors.As(err, &is) || is.Attribute != "nickName" || !strings.Contains(is.Message, "sAMAccountName") {
		t.Errorf("%#v", err)
	}
	if after, err := named.Update(t.Context(), ada.Ref, attributes(t, "nickName", "ada")); err != nil || after.Attributes["nickName"] != "ada" {
		t.Errorf("%v (%v)", after, err)
	}
	cfg.Profile, cfg.BindDN, cfg.Users.Password, cfg.Users.Active = "openldap", "cn=administrator,cn=users,dc=example,dc=test", "", ldap.Active{}
	if _, err := open(t, cfg).Probe(t.Context(), nil); target.CodeOf(err) != target.NotSCIM || !strings.Contains(fmt.Sprint(err), "Active Directory") {
		t.Errorf("by the other profile: %v", err)
	}
}

// A group with more members than are told at once is read in ranges, whose last may be full.
func TestRangesOfMembers(t *testing.T) {
	t.Parallel()
	s, base := samba(t), sambaBase(t)
	cfg := s.Config(base)
	cfg.PageSize = 10
	a := open(t, cfg)
	group := create(t, a, target.Group, "displayName", "All")
	const many = 90 // 30 at once
	var ids []string
	for i := range many {
		ids = append(ids, create(t, a, target.User, "userName", fmt.Sprint("user", i), "active", false).ID)
	}
	slices.Sort(ids)
	for _, n := range []int{0, 1, 29, 30, 31, 60, many} {
		if refused, err := a.ChangeMembers(t.Context(), group.Ref, ids[:n], nil); err != nil || len(refused) > 0 {
			t.Fatal(refused, err)
		}
		got, ok, err := a.Members(t.Context(), group.Ref)
		slices.Sort(got)
		if err != nil || !ok || !slices.Equal(got, ids[:n]) {
			t.Errorf("%d members of %d (%v)", len(got), n, err)
		}
	}
}
