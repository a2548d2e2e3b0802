package all

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"time"

	"entrasync/target"
	"entrasync/target/ldap"
)

// LDAP are the options of a directory that accounts are written into.
type LDAP struct {
	URL          string       `yaml:"url" required:"true" example:"ldaps://ldap.example.com" doc:"Address of the server, such as ldaps://ldap.example.com, or ldapi:///run/slapd/ldapi for a Unix socket. {tenant} stands for the tenant's name, or its id when it joined by consent."`
	StartTLS     bool         `yaml:"start_tls" doc:"true: a connection to ldap:// is secured before anything is sent."`
	CAFile       string       `yaml:"ca_file" doc:"Certificates (PEM) to trust in addition to the system's."`
	PlainLDAP    bool         `yaml:"plain_ldap" doc:"true: url may be ldap:// without start_tls beyond this machine. Anyone on the network path then reads the password and every account."`
	BindDN       string       `yaml:"bind_dn" example:"cn=entrasync,ou=services,dc=example,dc=com" doc:"Account that entrasync logs in with. Without it, over ldapi:// the account that the server sees at the socket's other end. {tenant} is replaced."`
	Password     string       `yaml:"password" oneof:"password" doc:"Password of bind_dn; better in a file."`
	PasswordFile string       `yaml:"password_file" oneof:"password" doc:"File with the password of bind_dn, read again when it changes."`
	Profile      string       `yaml:"profile" required:"true" enum:"openldap,ad" doc:"Which kind of server it is: openldap for OpenLDAP and servers like it, ad for Active Directory."`
	Users        ldap.Users   `yaml:"users" required:"true" doc:"The entries of users."`
	Groups       *ldap.Groups `yaml:"groups" doc:"The entries of groups. Without it the target keeps none."`

	PageSize    int           `yaml:"page_size" min:"0" doc:"Entries to ask for at once. Default: 500."`
	Timeout     time.Duration `yaml:"timeout" min:"0" doc:"Of one request. Default: 1m."`
	Rate        float64       `yaml:"rate" min:"0" doc:"Most requests a second, over all syncs and tenants into this target. Default: no limit."`
	Concurrency int           `yaml:"concurrency" min:"0" doc:"Most operations at a time, each with a connection. Default: 4."`
}

func (o *LDAP) config() ldap.Config {
	return ldap.Config{URL: o.URL, StartTLS: o.StartTLS, CAFile: o.CAFile, BindDN: o.BindDN, Password: secret(o.Password, o.PasswordFile), Profile: o.Profile, Users: o.Users, Groups: o.Groups,
		PageSize: o.PageSize, Timeout: o.Timeout, Rate: o.Rate, Concurrency: o.Concurrency}
}

// Validate implements [Options].
func (o *LDAP) Validate() []Fault {
	var c check
	for _, f := range o.config().Faults() {
		c = append(c, Fault{Key: f.Key, Message: f.Message, Hint: f.Hint})
	}
	u, err := url.Parse(expandTenant(o.URL, "tenant"))
	if err == nil && u.Scheme == "ldap" && !o.StartTLS && !o.PlainLDAP && !loopback(u.Hostname()) {
		c.fault("url", "is ldap without TLS, so that anyone on the network path reads the password and every account", "use ldaps://, or write start_tls: true or plain_ldap: true beside it")
	}
	if o.BindDN != "" && o.Password == "" && o.PasswordFile == "" {
		c.fault("password_file", "is missing", "write the password of bind_dn into a file, and name it")
	}
	return c
}

// For implements [Options].
func (o *LDAP) For(tenant string) Options {
	filled := *o
	fill := func(text string) string { return expandTenant(text, tenant) }
	fixed := func(values map[string]string) map[string]string {
		all := maps.Clone(values)
		for name, value := range all {
			all[name] = fill(value)
		}
		return all
	}
	filled.URL, filled.BindDN, filled.PasswordFile = fill(o.URL), fill(o.BindDN), fill(o.PasswordFile)
	filled.Users.Base, filled.Users.Fixed, filled.Users.Active.Base = fill(o.Users.Base), fixed(o.Users.Fixed), fill(o.Users.Active.Base)
	if o.Groups != nil {
		groups := *o.Groups
		groups.Base, groups.Fixed, groups.Placeholder = fill(groups.Base), fixed(groups.Fixed), fill(groups.Placeholder)
		filled.Groups = &groups
	}
	return &filled
}

// Accounts implements [Options]: a directory has the same entries for every account that logs in.
func (o *LDAP) Accounts() string { return o.Place() }

// Place implements [Options]: the server, the bases and what is fixed.
func (o *LDAP) Place() string { return o.config().Place() }

// SharesAccounts implements [Options].
func (o *LDAP) SharesAccounts() bool { return o.For("a").Place() == o.For("b").Place() }

// Trusts implements [Options].
func (o *LDAP) Trusts() []byte {
	if o.CAFile == "" {
		return nil
	}
	text, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil // Open names the file
	}
	return text
}

// Open implements [Options].
func (o *LDAP) Open(env Env) (target.Adapter, error) {
	cfg := o.config()
	cfg.Limiter = env.Limiter
	adapter, err := ldap.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("open ldap target: %w", err)
	}
	return adapter, nil
}
