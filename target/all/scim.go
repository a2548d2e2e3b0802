package all

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"entrasync/target"
	"entrasync/target/scim"
)

// SCIM are the options of an application that speaks SCIM 2.0.
type SCIM struct {
	URL  string   `yaml:"url" format:"url" required:"true" doc:"Base address, as the application's provisioning page names it. {tenant} stands for the tenant's name, or its id when it joined by consent."`
	Auth SCIMAuth `yaml:"auth" doc:"The credential: bearer_token, basic or oauth2."`

	CAFile                string `yaml:"ca_file" doc:"Certificates (PEM) to trust in addition to the system's."`
	ClientCertificateFile string `yaml:"client_certificate_file" doc:"Certificate (PEM) to show to the application."`
	ClientKeyFile         string `yaml:"client_key_file" doc:"Private key (PEM) of the client certificate."`
	PlainHTTP             bool   `yaml:"plain_http" doc:"true: url and auth.oauth2.token_url may be http beyond this machine. Anyone on the network path then reads the credential and every account."`
	Proxy                 string `yaml:"proxy" doc:"Address of an HTTP proxy. Default: $HTTPS_PROXY and $NO_PROXY."`

	Timeout     time.Duration `yaml:"timeout" min:"0" doc:"Of one request. Default: 1m."`
	Rate        float64       `yaml:"rate" min:"0" doc:"Most requests a second, over all syncs and tenants into this target. Default: no limit."`
	Concurrency int           `yaml:"concurrency" min:"0" doc:"Most requests at a time; with {tenant} in the url, for each tenant. Default: 4."`

	MaxResponseMiB int `yaml:"max_response_mib" min:"0" max:"64" doc:"Largest response in MiB, for applications that ignore page_size or have groups of 100,000 members. The most values of one, 62,500 a MiB, go with it. At most 64. Default: 8."`

	Dialect         string   `yaml:"dialect" enum:"rfc,entra-legacy,entra-062020,okta" doc:"The form in which changes are sent. Default: rfc."`
	PageSize        int      `yaml:"page_size" min:"0" doc:"Resources to ask for at once. Default: what the application announces (maxResults), at most 1000; 100 where it announces nothing."`
	MembersPerPatch int      `yaml:"members_per_patch" min:"0" doc:"Most membership changes in one request. Default: 100."`
	VerifyWrites    bool     `yaml:"verify_writes" doc:"Read back what was written when the answer does not show it."`
	Replace         bool     `yaml:"replace" doc:"Write whole resources with PUT, for applications without PATCH."`
	NoFilter        bool     `yaml:"no_filter" doc:"Never search by filter: read every account once a cycle."`
	GroupSchemas    []string `yaml:"group_schemas" doc:"URNs to name in a new group's schemas in addition to the core one."`
}

// SCIMAuth is at most one way to authorize.
type SCIMAuth struct {
	BearerToken     string      `yaml:"bearer_token" oneof:"kind" doc:"Secret token; better in a file."`
	BearerTokenFile string      `yaml:"bearer_token_file" oneof:"kind" doc:"File with the secret token, read again when it changes."`
	Basic           *SCIMBasic  `yaml:"basic" oneof:"kind" doc:"User name and password."`
	OAuth2          *SCIMOAuth2 `yaml:"oauth2" oneof:"kind" doc:"OAuth 2.0 client credentials."`
}

// SCIMBasic is a user name and password.
type SCIMBasic struct {
	Username     string `yaml:"username" required:"true" doc:"User name."`
	Password     string `yaml:"password" oneof:"password" doc:"Password; better in a file."`
	PasswordFile string `yaml:"password_file" oneof:"password" doc:"File with the password, read again when it changes."`
}

// SCIMOAuth2 gets a token by client credentials.
type SCIMOAuth2 struct {
	TokenURL         string `yaml:"token_url" format:"url" required:"true" doc:"Where tokens are issued."`
	ClientID         string `yaml:"client_id" required:"true" doc:"The client's id."`
	ClientSecret     string `yaml:"client_secret" oneof:"secret" doc:"The client's secret; better in a file."`
	ClientSecretFile string `yaml:"client_secret_file" oneof:"secret" doc:"File with the client's secret, read again when it changes."`
	Scope            string `yaml:"scope" doc:"Scopes to ask for, separated by spaces."`
}

// Validate implements [Options].
func (o *SCIM) Validate() []Fault {
	var c check
	o.plainHTTP(&c, "url", o.URL)
	if a := o.Auth.OAuth2; a != nil {
		o.plainHTTP(&c, "auth.oauth2.token_url", a.TokenURL)
	}
	if b := o.Auth.Basic; b != nil && b.Password == "" && b.PasswordFile == "" {
		c.fault("auth.basic", "has no password", "add password_file")
	}
	if a := o.Auth.OAuth2; a != nil && a.ClientSecret == "" && a.ClientSecretFile == "" {
		c.fault("auth.oauth2", "has no secret", "add client_secret_file")
	}
	switch {
	case o.ClientCertificateFile != "" && o.ClientKeyFile == "":
		c.fault("client_certificate_file", "has no key beside it", "add client_key_file")
	case o.ClientKeyFile != "" && o.ClientCertificateFile == "":
		c.fault("client_key_file", "has no certificate beside it", "add client_certificate_file")
	}
	if o.Proxy != "" {
		if u, err := url.Parse(o.Proxy); err != nil || u.Host == "" || u.Scheme == "" {
			c.fault("proxy", "is not an address", "write proxy: http://proxy.example.com:3128") // may hold a password
		}
	}
	for i, urn := range o.GroupSchemas {
		if !strings.Contains(urn, ":") {
			c.fault("group_schemas", fmt.Sprintf("number %d, %q, is not a URN", i+1, urn), `write group_schemas: ["http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"]`)
		}
	}
	return c
}

// plainHTTP refuses an http address that leads beyond this machine.
func (o *SCIM) plainHTTP(c *check, key, address string) {
	u, err := url.Parse(expandTenant(address, "tenant"))
	if err != nil || !strings.EqualFold(u.Scheme, "http") || o.PlainHTTP || loopback(u.Hostname()) {
		return
	}
	c.fault(key, "is http, so that anyone on the network path reads the credential and every account", "use https, or write plain_http: true beside it")
}

func loopback(host string) bool {
	if host = strings.ToLower(strings.TrimSuffix(host, ".")); host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761, section 6.3
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// For implements [Options].
func (o *SCIM) For(tenant string) Options {
	filled := *o
	filled.URL = expandTenant(o.URL, tenant)
	return &filled
}

// Accounts implements [Options].
func (o *SCIM) Accounts() string {
	address := o.URL
	if u, err := url.Parse(strings.TrimSpace(o.URL)); err == nil {
		u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
		u.Host = strings.TrimSuffix(u.Host, map[string]string{"https": ":443", "http": ":80"}[u.Scheme])
		u.Path = strings.TrimRight(u.Path, "/")
		address = u.String()
	}
	return strings.Join(append([]string{address, o.ClientCertificateFile}, o.Auth.identity()...), "\x00")
}

// Place implements [Options]: the address as it is written.
func (o *SCIM) Place() string { return o.URL }

// SharesAccounts implements [Options]. A query does not tell applications apart, as a server may
// ignore it.
func (o *SCIM) SharesAccounts() bool { return o.resource("a") == o.resource("b") }

// resource is the host and path that a tenant's address leads to.
func (o *SCIM) resource(tenant string) string {
	address, _, _ := strings.Cut(expandTenant(o.URL, tenant), "#")
	address, _, _ = strings.Cut(address, "?")
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return strings.ToLower(u.Host) + u.Path
}

// Trusts implements [Options]: the certificates of ca_file.
func (o *SCIM) Trusts() []byte {
	if o.CAFile == "" {
		return nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil // Open names the file
	}
	return pem
}

// identity is who the credential says is asking: the organization, for most applications.
func (a SCIMAuth) identity() []string {
	switch {
	case a.Basic != nil:
		return []string{"basic", a.Basic.Username}
	case a.OAuth2 != nil:
		return []string{"oauth2", a.OAuth2.TokenURL, a.OAuth2.ClientID}
	case a.BearerTokenFile != "":
		token, err := secret("", a.BearerTokenFile)()
		if err != nil {
			return []string{"file", a.BearerTokenFile}
		}
		return []string{"bearer", token}
	}
	return []string{"bearer", a.BearerToken}
}

// Open implements [Options].
func (o *SCIM) Open(env Env) (target.Adapter, error) {
	transport, err := target.NewTransport(target.TransportConfig{
		Version: env.Version, Base: env.Base, Auth: o.Auth.auth(),
		CAFile: o.CAFile, CertFile: o.ClientCertificateFile, KeyFile: o.ClientKeyFile, Proxy: o.Proxy,
		Timeout: o.Timeout, Rate: o.Rate, Concurrency: o.Concurrency, Limiter: env.Limiter, MaxBody: int64(o.MaxResponseMiB) << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("open scim target: %w", err)
	}
	adapter, err := scim.New(o.config(), transport)
	if err != nil {
		return nil, fmt.Errorf("open scim target: %w", err)
	}
	return adapter, nil
}

func (o *SCIM) config() scim.Config {
	return scim.Config{
		URL: o.URL, Dialect: scim.Dialect(o.Dialect), PageSize: o.PageSize, MembersPerPatch: o.MembersPerPatch,
		VerifyWrites: o.VerifyWrites, Replace: o.Replace, NoFilter: o.NoFilter, GroupSchemas: o.GroupSchemas,
	}
}

func (a SCIMAuth) auth() target.Auth {
	switch {
	case a.Basic != nil:
		return target.Auth{Basic: &target.Basic{Username: a.Basic.Username, Password: secret(a.Basic.Password, a.Basic.PasswordFile)}}
	case a.OAuth2 != nil:
		return target.Auth{OAuth2: &target.OAuth2{
			TokenURL: a.OAuth2.TokenURL, ClientID: a.OAuth2.ClientID, Scopes: strings.Fields(a.OAuth2.Scope),
			ClientSecret: secret(a.OAuth2.ClientSecret, a.OAuth2.ClientSecretFile),
		}}
	case a.BearerToken != "" || a.BearerTokenFile != "":
		return target.Auth{Bearer: secret(a.BearerToken, a.BearerTokenFile)}
	}
	return target.Auth{}
}
