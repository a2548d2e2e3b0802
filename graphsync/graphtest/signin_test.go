package graphtest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync/graphtest"
)

const verifier = "a-verifier-that-is-long-enough-for-rfc-7636-a"

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// signInLink leads to the sign-in of a tenant or of organizations. Pairs of parameters and values
// change it; a parameter without a value is left out.
func signInLink(tenant, clientID string, change ...string) string {
	q := url.Values{"client_id": {clientID}, "response_type": {"code"}, "redirect_uri": {callback}, "response_mode": {"query"},
		"scope": {"openid profile"}, "state": {"s+1&2"}, "nonce": {"n-1"},
		"code_challenge": {challenge()}, "code_challenge_method": {"S256"}}
	for i := 0; i+1 < len(change); i += 2 {
		if q.Set(change[i], change[i+1]); change[i+1] == "" {
			q.Del(change[i])
		}
	}
	return "/" + tenant + "/oauth2/v2.0/authorize?" + q.Encode()
}

// browse gives the client a browser's cookies, none at first.
func (b *bench) browse(t *testing.T) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b.http.Jar = jar
}

// signInBench has an app that two tenants have consented to.
func signInBench(t *testing.T, opts graphtest.Options) (*bench, *graphtest.Tenant, graphtest.AppSpec) {
	b, other, app := consentBench(t, opts)
	b.tenant.Consent(app.ClientID)
	other.Consent(app.ClientID)
	b.browse(t)
	return b, other, app
}

func page(t *testing.T, got *response, status int, contains string) {
	t.Helper()
	if got.status != status || got.header.Get("Location") != "" || !strings.Contains(string(got.body), contains) {
		t.Errorf("%d, Location %q, want a page with %q\n%s", got.status, got.header.Get("Location"), contains, got.body)
	}
}

func TestConsentSignsTheBrowserIn(t *testing.T) {
	t.Parallel()
	b, other, app := consentBench(t, graphtest.Options{ConsentDelay: 1})
	b.browse(t)
	page(t, b.get(b.base+signInLink(other.Domain(), app.ClientID)), 200, "<h1>Sign in</h1>")
	got := b.post(consentPath(b, "organizations", app.ClientID), decide(other, "stranger", "accept")) // of the other organization
	location(t, got)
	if cookie := got.header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "ESTSAUTH=") || !strings.HasSuffix(cookie, "; Path=/; HttpOnly; Secure; SameSite=None") {
		t.Errorf("cookie %q", cookie)
	}
	for _, tenant := range []string{"organizations", other.ID().String(), other.Domain()} {
		q := location(t, b.get(b.base+signInLink(tenant, app.ClientID, "prompt", "none")))
		if q.Get("code") == "" || q.Get("state") != "s+1&2" || len(q) != 2 {
			t.Errorf("%s: led back with %v", tenant, q)
		}
	}
	page(t, b.get(b.base+signInLink(b.tenant.Domain(), app.ClientID)), 400, "AADSTS50020:")
}

func TestSignInScreen(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	b, other, app := signInBench(t, graphtest.Options{Now: func() time.Time { return now }})
	link := signInLink("organizations", app.ClientID)
	screen := b.get(b.base + link)
	golden(t, "signin.html", screen)
	if screen.header.Get("X-Frame-Options") != "DENY" || screen.header.Get("Content-Security-Policy") == "" {
		t.Errorf("the screen's headers: %v", screen.header)
	}
	diff(t, url.Values{"error": {"access_denied"}, "error_subcode": {"cancel"}, "state": {"s+1&2"}}, location(t, b.post(link, url.Values{"decision": {"cancel"}})))
	for _, form := range []url.Values{decide(b.tenant, "global", "accept"), decide(other, "root", "accept"), decide(other, "global", "")} {
		page(t, b.post(signInLink(other.Domain(), app.ClientID), form), 400, "AADSTS900144:")
	}
	page(t, b.post(signInLink(other.Domain(), app.ClientID), decide(other, "stranger", "accept")), 400, "AADSTS50020:")
	silent := signInLink("organizations", app.ClientID, "prompt", "none")
	diff(t, "login_required", location(t, b.get(b.base+silent)).Get("error"))

	if q := location(t, b.post(link, decide(other, "employee", "accept"))); q.Get("code") == "" {
		t.Errorf("signed in: %v", q)
	}
	for name, c := range map[string]struct {
		change []string
		shows  string // "" for a code
	}{
		"at once":                   {nil, ""},
		"silently":                  {[]string{"prompt", "none"}, ""},
		"with the right hint":       {[]string{"login_hint", "Employee@fabrikam.onmicrosoft.com"}, ""},
		"with another hint":         {[]string{"login_hint", "cloudapp@contoso.onmicrosoft.com"}, `value="cloudapp" selected`},
		"and again":                 {[]string{"prompt", "login"}, "<h1>Sign in</h1>"},
		"with an account to choose": {[]string{"prompt", "select_account"}, "<h1>Sign in</h1>"},
		"with another's realm":      {[]string{"prompt", "login", "domain_hint", "fabrikam.onmicrosoft.com"}, ` selected>Fabrikam`},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.get(b.base + signInLink("organizations", app.ClientID, c.change...))
			if c.shows != "" {
				page(t, got, 200, c.shows)
			} else if location(t, got).Get("code") == "" {
				t.Errorf("led back without a code: %v", got.header)
			}
		})
	}
	q := location(t, b.get(b.base+signInLink("organizations", app.ClientID, "prompt", "none", "login_hint", "global@fabrikam.onmicrosoft.com")))
	if q.Get("error") != "login_required" || !description.MatchString(q.Get("error_description")) || q.Get("state") != "s+1&2" {
		t.Errorf("silently as another: %v", q)
	}
	diff(t, "login_required", location(t, b.get(b.base+signInLink(b.tenant.Domain(), app.ClientID, "prompt", "none"))).Get("error"))
	now = now.Add(24 * time.Hour)
	diff(t, "login_required", location(t, b.get(b.base+silent)).Get("error"))
}

func TestSignInNeedsTheApplication(t *testing.T) {
	t.Parallel()
	b, other, app := signInBench(t, graphtest.Options{})
	path := signInLink(other.Domain(), app.ClientID)
	other.SetAppEnabled(app.ClientID, false)
	page(t, b.post(path, decide(other, "global", "accept")), 400, "AADSTS7000112:")
	other.RemoveApp(app.ClientID)
	page(t, b.post(path, decide(other, "global", "accept")), 400, "AADSTS90094:")
	page(t, b.get(b.base+path), 400, "AADSTS90094:")
	q := location(t, b.get(b.base+signInLink(other.Domain(), app.ClientID, "prompt", "none")))
	if q.Get("error") != "interaction_required" || !strings.HasPrefix(q.Get("error_description"), "AADSTS65001: ") {
		t.Errorf("silently: %v", q)
	}
}

func TestSignInLinkRefused(t *testing.T) {
	t.Parallel()
	b, _, app := signInBench(t, graphtest.Options{})
	for name, c := range map[string]struct{ path, number string }{
		"unknown app":           {signInLink("organizations", "unknown"), "AADSTS700016"},
		"no app":                {signInLink("organizations", ""), "AADSTS900144"},
		"unregistered redirect": {signInLink("organizations", app.ClientID, "redirect_uri", callback+"/x"), "AADSTS50011"},
		"no redirect":           {signInLink("organizations", app.ClientID, "redirect_uri", ""), "AADSTS900144"},
		"unknown tenant":        {signInLink("nowhere.example", app.ClientID), "AADSTS90002"},
		"common":                {signInLink("common", app.ClientID), "AADSTS50059"},
	} {
		t.Run(name, func(t *testing.T) { page(t, b.get(b.base+c.path), 400, c.number+":") })
	}
	for name, c := range map[string]struct {
		change        []string
		error, number string
	}{
		"no response type":      {[]string{"response_type", ""}, "invalid_request", "AADSTS900144"},
		"hybrid":                {[]string{"response_type", "code id_token"}, "unsupported_response_type", "AADSTS700054"},
		"form post":             {[]string{"response_mode", "form_post"}, "invalid_request", "AADSTS9002313"},
		"no scope":              {[]string{"scope", ""}, "invalid_request", "AADSTS900144"},
		"no openid":             {[]string{"scope", "profile"}, "invalid_scope", "AADSTS70011"},
		"more than OpenID":      {[]string{"scope", "openid Mail.Read"}, "invalid_scope", "AADSTS70011"},
		"plain challenge":       {[]string{"code_challenge_method", ""}, "invalid_request", "AADSTS9002313"},
		"short challenge":       {[]string{"code_challenge", "abc"}, "invalid_request", "AADSTS501491"},
		"method, no challenge":  {[]string{"code_challenge", ""}, "invalid_request", "AADSTS50147"},
		"an unknown prompt":     {[]string{"prompt", "hello"}, "invalid_request", "AADSTS90023"},
		"an unknown parameter":  {[]string{"login", "global"}, "invalid_request", "AADSTS9002313"},
		"hint and other prompt": {[]string{"prompt", "select_account", "login_hint", "x@y"}, "invalid_request", "AADSTS9002313"},
	} {
		t.Run(name, func(t *testing.T) {
			q := location(t, b.get(b.base+signInLink("organizations", app.ClientID, c.change...)))
			if q.Get("error") != c.error || !strings.HasPrefix(q.Get("error_description"), c.number+": ") || q.Get("state") != "s+1&2" || q.Has("code") {
				t.Errorf("led back with %v", q)
			}
		})
	}
	b.server.DisableApp(app.ClientID, true)
	page(t, b.get(b.base+signInLink("organizations", app.ClientID)), 400, "AADSTS7000112:")
	refused(t, b.post(strings.Replace(signInLink("organizations", app.ClientID), "authorize", "token", 1), nil), 400, 900144, "invalid_request")
}
