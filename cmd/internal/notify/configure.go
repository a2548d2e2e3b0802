package notify

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"

	"entrasync/configs"
	"entrasync/target/wire"
)

// Channels makes the channels that a configuration names; nil has none.
func Channels(section *configs.Notify) (all []Channel, err error) {
	if section == nil {
		return nil, nil
	}
	for _, entry := range section.Channels {
		sender, err := senderOf(&entry.Value)
		if err != nil {
			return nil, fmt.Errorf("notify.channels.%s: %w", entry.Name, err)
		}
		all = append(all, Channel{Sender: sender, Window: section.Window,
			Route: Route{Name: entry.Name, Events: entry.Value.Events, Severity: entry.Value.Severity, Tenants: entry.Value.Tenants}})
	}
	return all, nil
}

// Routes are those of some channels.
func Routes(channels []Channel) (routes []Route) {
	for _, c := range channels {
		routes = append(routes, c.Route)
	}
	return routes
}

func senderOf(c *configs.Channel) (Sender, error) {
	trusted, err := tlsOf(c.CAFile)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = trusted
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	switch c.Type {
	case "slack":
		return &Slack{URL: c.URL.Read, Client: client}, nil
	case "teams":
		return &Teams{URL: c.URL.Read, Client: client}, nil
	case "smtp":
		return &Mail{Address: c.Host, Mode: cmp.Or(c.TLS, "starttls"), From: c.From, To: c.To, Username: c.Username, Password: c.Password.Read, TLS: trusted}, nil
	}
	hook := &Webhook{URL: c.URL.Read, Client: client}
	if !c.Secret.IsZero() {
		hook.Sign = func(id string, at int64, body []byte) (string, error) { return wire.Sign(c.Secret.Read, id, at, body) }
	}
	return hook, nil
}

func tlsOf(file string) (*tls.Config, error) {
	if file == "" {
		return &tls.Config{MinVersion: tls.VersionTLS12}, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("ca_file: has no certificate in PEM")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
