package all

import (
	"fmt"
	"time"

	"entrasync/target"
	"entrasync/target/wire"
)

// Webhook are the options of an application that receives webhooks.
type Webhook struct {
	URL        string `yaml:"url" format:"url" required:"true" doc:"Where messages are sent. {tenant} stands for the tenant's name, or its id when it joined by consent."`
	Secret     string `yaml:"secret" oneof:"secret" doc:"Signing secret, such as whsec_ and base64 of 32 random bytes; better in a file."`
	SecretFile string `yaml:"secret_file" oneof:"secret" doc:"File with the signing secret, read again when it changes. During a rotation it holds two, each on a line."`
	EventsOnly bool   `yaml:"events_only" doc:"true: the receiver gets changes and answers no questions. Existing accounts are then not found or adopted, and a full cycle compares nothing."`

	CAFile                string `yaml:"ca_file" doc:"Certificates (PEM) to trust in addition to the system's."`
	ClientCertificateFile string `yaml:"client_certificate_file" doc:"Certificate (PEM) to show to the receiver."`
	ClientKeyFile         string `yaml:"client_key_file" doc:"Private key (PEM) of the client certificate."`
	PlainHTTP             bool   `yaml:"plain_http" doc:"true: url may be http beyond this machine. Anyone on the network path then reads every account."`
	Proxy                 string `yaml:"proxy" doc:"Address of an HTTP proxy. Default: $HTTPS_PROXY and $NO_PROXY."`

	Timeout     time.Duration `yaml:"timeout" min:"0" doc:"Of one message. Default: 1m."`
	Rate        float64       `yaml:"rate" min:"0" doc:"Most messages a second, over all syncs and tenants into this target. Default: no limit."`
	Concurrency int           `yaml:"concurrency" min:"0" doc:"Most messages at a time; with {tenant} in the url, for each tenant. Default: 4."`

	MaxResponseMiB int `yaml:"max_response_mib" min:"0" max:"64" doc:"Largest answer in MiB. Default: 8."`
}

// asSCIM are the options that reach an application by HTTP, in the type that they are shared with.
func (o *Webhook) asSCIM() *SCIM {
	return &SCIM{URL: o.URL, CAFile: o.CAFile, ClientCertificateFile: o.ClientCertificateFile, ClientKeyFile: o.ClientKeyFile, PlainHTTP: o.PlainHTTP, Proxy: o.Proxy}
}

// Validate implements [Options].
func (o *Webhook) Validate() []Fault {
	c := check(o.asSCIM().Validate())
	if o.Secret == "" && o.SecretFile == "" {
		c.fault("secret_file", "is missing: messages are signed", `make a secret: printf 'whsec_%s\n' "$(openssl rand -base64 32)"`)
	}
	return c
}

// For implements [Options].
func (o *Webhook) For(tenant string) Options {
	filled := *o
	filled.URL, filled.SecretFile = expandTenant(o.URL, tenant), expandTenant(o.SecretFile, tenant)
	return &filled
}

// Accounts implements [Options]. The signing secret is not part of it: a receiver knows it for one application only.
func (o *Webhook) Accounts() string { return o.asSCIM().Accounts() }

// Place implements [Options].
func (o *Webhook) Place() string { return o.URL }

// SharesAccounts implements [Options].
func (o *Webhook) SharesAccounts() bool { return o.asSCIM().SharesAccounts() }

// Trusts implements [Options].
func (o *Webhook) Trusts() []byte { return o.asSCIM().Trusts() }

// Open implements [Options].
func (o *Webhook) Open(env Env) (target.Adapter, error) {
	transport, err := target.NewTransport(target.TransportConfig{
		Version: env.Version, Base: env.Base, CAFile: o.CAFile, CertFile: o.ClientCertificateFile, KeyFile: o.ClientKeyFile, Proxy: o.Proxy,
		Timeout: o.Timeout, Rate: o.Rate, Concurrency: o.Concurrency, Limiter: env.Limiter, MaxBody: int64(o.MaxResponseMiB) << 20, NoRedirects: true,
	})
	if err != nil {
		return nil, fmt.Errorf("open webhook target: %w", err)
	}
	var adapter target.Adapter
	cfg := wire.WebhookConfig{URL: o.URL, Secret: secret(o.Secret, o.SecretFile), Version: env.Version}
	if o.EventsOnly {
		adapter, err = wire.WebhookEvents(cfg, transport)
	} else {
		adapter, err = wire.Webhook(cfg, transport)
	}
	if err != nil {
		return nil, fmt.Errorf("open webhook target: %w", err)
	}
	return adapter, nil
}
