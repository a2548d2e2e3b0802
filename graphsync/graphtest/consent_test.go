package graphtest_test

import (
	"net/url"
	"strings"
	"testing"

	"entrasync/graphsync/graphtest"
)

const callback = "https://sync.example.com/consent/callback"

// consentBench has an app that no tenant has consented to, and two tenants.
func consentBench(t *testing.T, opts graphtest.Options) (*bench, *graphtest.Tenant, graphtest.AppSpec) {
	b := overTLS(t, opts)
	other := b.server.AddTenant(graphtest.TenantSpec{Name: "Fabrikam & Söhne", Domain: "fabrikam.onmicrosoft.com"})
	app := b.server.Register(graphtest.AppSpec{Name: "entrasync SaaS", RedirectURIs: []string{callback}})
	return b, other, app
}

func consentPath(b *bench, tenant, clientID string, change ...string) string {
	q := url.Values{"client_id": {clientID}, "scope": {b.base + "/.default"}, "redirect_uri": {callback}, "state": {"s+1&2"}}
	for i := 0; i+1 < len(change); i += 2 {
		q.Set(change[i], change[i+1])
	}
	return "/" + tenant + "/v2.0/adminconsent?" + q.Encode()
}

func decide(tenant *graphtest.Tenant, account, decision string) url.Values {
	return url.Values{"tenant": {tenant.ID().String()}, "account": {account}, "decision": {decision}}
}

func location(t *testing.T, got *response) url.Values {
	t.Helper()
	u, err := url.Parse(got.header.Get("Location"))
	if err != nil || got.status != 302 || !strings.HasPrefix(u.String(), callback+"?") {
		t.Fatalf("%d, Location %q\n%s", got.status, got.header.Get("Location"), got.body)
	}
	return u.Query()
}

func TestConsentAccepted(t *testing.T) {
	t.Parallel()
	b, other, app := consentBench(t, graphtest.Options{ConsentDelay: 2})
	path := consentPath(b, "organizations", app.ClientID)
	screen := b.get(b.base + path)
	golden(t, "consent.html", screen)
	if screen.header.Get("X-Frame-Options") != "DENY" || screen.header.Get("Content-Security-Policy") == "" {
		t.Errorf("the screen's headers: %v", screen.header)
	}
	q := location(t, b.post(path, decide(other, "privileged", "accept")))
	diff(t, url.Values{"admin_consent": {"True"}, "state": {"s+1&2"}, "tenant": {other.ID().String()},
		"scope": {b.base + "/User.Read.All " + b.base + "/GroupMember.Read.All " + b.base + "/Application.Read.All"}}, q)

	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {app.Secret}, "scope": {b.base + "/.default"}}
	endpoint := "/" + other.ID().String() + "/oauth2/v2.0/token"
	refused(t, b.post(endpoint, form), 400, 700016, "unauthorized_client") // consent spreads
	refused(t, b.post(endpoint, form), 400, 700016, "unauthorized_client")
	token := b.post(endpoint, form)
	if token.status != 200 {
		t.Fatalf("token after consent: %d %s", token.status, token.body)
	}
	b.token = token.text(t, "access_token")
	diff(t, "Fabrikam & Söhne", b.get("/organization?$select=id,displayName").value(t)[0]["displayName"])
	refused(t, b.post("/"+b.tenant.ID().String()+"/oauth2/v2.0/token", form), 400, 700016, "unauthorized_client")
}

func TestConsentNotGiven(t *testing.T) {
	t.Parallel()
	b, other, app := consentBench(t, graphtest.Options{})
	path := consentPath(b, other.Domain(), app.ClientID)
	q := location(t, b.post(path, decide(other, "global", "cancel")))
	if q.Get("error") != "access_denied" || q.Get("admin_consent") != "True" || q.Get("state") != "s+1&2" || q.Has("tenant") ||
		!strings.HasPrefix(q.Get("error_description"), "AADSTS65004") {
		t.Errorf("cancelled: %v", q)
	}
	for name, c := range map[string]struct {
		form   url.Values
		number string
	}{
		"no administrator":     {decide(other, "employee", "accept"), "AADSTS90094"},
		"too little":           {decide(other, "cloudapp", "accept"), "AADSTS90094"},
		"wrong administrator":  {decide(other, "stranger", "accept"), "AADSTS50020"},
		"a tenant not offered": {decide(b.tenant, "global", "accept"), "AADSTS900144"},
		"an account made up":   {decide(other, "root", "accept"), "AADSTS900144"},
		"nothing decided":      {decide(other, "global", ""), "AADSTS900144"},
	} {
		got := b.post(path, c.form)
		if got.status != 400 || got.header.Get("Location") != "" || !strings.Contains(string(got.body), c.number+":") {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {app.Secret}, "scope": {b.base + "/.default"}}
	refused(t, b.post("/"+other.Domain()+"/oauth2/v2.0/token", form), 400, 700016, "unauthorized_client")
}

func TestConsentLinkRefused(t *testing.T) {
	t.Parallel()
	b, _, app := consentBench(t, graphtest.Options{})
	for name, c := range map[string]struct{ path, number string }{
		"unregistered redirect": {consentPath(b, "organizations", app.ClientID, "redirect_uri", callback+"/x"), "AADSTS50011"},
		"unknown app":           {consentPath(b, "organizations", "unknown"), "AADSTS700016"},
		"unknown tenant":        {consentPath(b, "nowhere.example", app.ClientID), "AADSTS90002"},
		"common":                {consentPath(b, "common", app.ClientID), "AADSTS50059"},
		"no scope":              {consentPath(b, "organizations", app.ClientID, "scope", ""), "AADSTS900144"},
		"another cloud's scope": {consentPath(b, "organizations", app.ClientID, "scope", "https://graph.microsoft.us/.default"), "AADSTS70011"},
		"no .default":           {consentPath(b, "organizations", app.ClientID, "scope", b.base+"/User.Read.All"), "AADSTS70011"},
	} {
		got := b.get(b.base + c.path)
		if got.status != 400 || got.header.Get("Location") != "" || !strings.Contains(string(got.body), c.number+":") {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}
