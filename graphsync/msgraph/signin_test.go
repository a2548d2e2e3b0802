package msgraph_test

import (
	"crypto/x509"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/graphsync/msgraph"
)

const callback = "https://sync.example.com/consent/callback"

// signIn goes to the sign-in page as the global administrator of a tenant, and returns the code.
func (w *world) signIn(t *testing.T, tenant *graphtest.Tenant, verifier string) string {
	t.Helper()
	client := &http.Client{Transport: w.config().HTTP, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	link := w.cloud.SignInURL(graphsync.SignInRequest{Tenant: tenant.ID(), ClientID: w.app.ClientID, Redirect: callback, State: "s", Nonce: "n", Verifier: verifier})
	response, err := client.PostForm(link, url.Values{"decision": {"accept"}, "tenant": {tenant.ID().String()}, "account": {"global"}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	back, err := url.Parse(response.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	code, refusal := graphsync.ReadSignInResponse(back.Query())
	if refusal != nil || back.Query().Get("state") != "s" {
		t.Fatalf("%d to %s: %v", response.StatusCode, back, refusal)
	}
	return code
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	key, cert := certify(t, time.Now().Add(time.Hour))
	w := newWorld(t, graphtest.Options{}, graphtest.AppSpec{RedirectURIs: []string{callback}, Certificates: []*x509.Certificate{cert}})
	verifier := strings.Repeat("v", 43)
	certificate := func(c *msgraph.Config) {
		c.Credential = msgraph.Credential{ClientID: w.app.ClientID, Certificate: &msgraph.Certificate{File: inFile(t, "app.pem", asPEM(t, key, cert))}}
	}
	for name, edit := range map[string]func(*msgraph.Config){"secret": func(*msgraph.Config) {}, "certificate": certificate} {
		cfg := w.config()
		edit(&cfg)
		who, err := msgraph.SignIn(t.Context(), cfg, msgraph.Redemption{Code: w.signIn(t, w.tenant, verifier), Redirect: callback, Verifier: verifier})
		if err != nil || who.Tenant != w.tenant.ID() || who.Nonce != "n" || !strings.HasPrefix(who.Username, "global@") {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	used := w.signIn(t, w.tenant, verifier)
	if _, err := msgraph.SignIn(t.Context(), w.config(), msgraph.Redemption{Code: used, Redirect: callback, Verifier: verifier}); err != nil {
		t.Fatal(err)
	}
	wrong := w.config()
	wrong.Credential.Secret = func() (string, error) { return "planted-and-wrong", nil }
	for name, tt := range map[string]struct {
		cfg    msgraph.Config
		redeem msgraph.Redemption
		class  graphsync.Class
	}{
		"used before":      {w.config(), msgraph.Redemption{Code: used, Redirect: callback, Verifier: verifier}, graphsync.Configuration},
		"another verifier": {w.config(), msgraph.Redemption{Code: w.signIn(t, w.tenant, verifier), Redirect: callback, Verifier: strings.Repeat("x", 43)}, graphsync.Configuration},
		"a made-up code":   {w.config(), msgraph.Redemption{Code: "made-up", Redirect: callback, Verifier: verifier}, graphsync.Configuration},
		"the wrong secret": {wrong, msgraph.Redemption{Code: w.signIn(t, w.tenant, verifier), Redirect: callback, Verifier: verifier}, graphsync.CredentialInvalid},
		"no certificate": {w.with(func(c *msgraph.Config) {
			c.Credential.Secret = nil
			c.Credential.ManagedIdentity = &msgraph.ManagedIdentity{}
		}), msgraph.Redemption{}, graphsync.CredentialInvalid},
	} {
		_, err := msgraph.SignIn(t.Context(), tt.cfg, tt.redeem)
		e := explained(t, err, tt.class)
		for _, secret := range []string{w.app.Secret, "planted-and-wrong", tt.redeem.Code} {
			if len(secret) > 10 && strings.Contains(e.Error()+e.Hint, secret) {
				t.Errorf("%s: the error has a secret: %v", name, e)
			}
		}
	}
}

func (w *world) with(edit func(*msgraph.Config)) msgraph.Config {
	cfg := w.config()
	edit(&cfg)
	return cfg
}
