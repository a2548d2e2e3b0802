package ldap_test

import (
	"testing"

	"entrasync/target"
	"entrasync/target/ldap"
	"entrasync/target/targettest"
)

// Every rule on a real OpenLDAP, in the forms that a directory may have.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(cfg *ldap.Config, base string){
		"attribute": func(*ldap.Config, string) {},
		"moved": func(cfg *ldap.Config, base string) { // entries of leavers are elsewhere
			cfg.Users.Active = ldap.Active{Base: "ou=left," + base}
		},
		"named": func(cfg *ldap.Config, base string) { // an entry's name is not its userName's attribute, and strangers are in the base
			cfg.Users.Base, cfg.Users.RDN, cfg.Users.Fixed = base, "cn", map[string]string{"ou": "ours"}
			cfg.Groups.Class = "groupOfUniqueNames"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			targettest.Run(t, targettest.Harness{Many: 620, New: func(tb testing.TB) targettest.App {
				base := server(tb).Base(tb)
				cfg := server(tb).Config(base)
				change(&cfg, base)
				reopen := func(tb testing.TB) target.Adapter { return open(tb, cfg) }
				return targettest.App{Adapter: reopen(tb), Reopen: reopen}
			}})
		})
	}
}
