package graphtest_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"entrasync/graphsync/graphtest"
)

// code signs an account in and returns the authorization code.
func (b *bench) code(t *testing.T, path string, form url.Values) string {
	t.Helper()
	q := location(t, b.post(path, form))
	if q.Get("code") == "" {
		t.Fatalf("no code: %v", q)
	}
	return q.Get("code")
}

func redemption(app graphtest.AppSpec, code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "client_id": {app.ClientID}, "client_secret": {app.Secret}, "code": {code},
		"redirect_uri": {callback}, "code_verifier": {verifier}, "scope": {"openid profile offline_access"}, "client_info": {"1"}}
}

func TestCodeIsRedeemedOnce(t *testing.T) {
	t.Parallel()
	b, other, app := signInBench(t, graphtest.Options{})
	endpoint := "/organizations/oauth2/v2.0/token"
	form := redemption(app, b.code(t, signInLink("organizations", app.ClientID), decide(other, "global", "accept")))
	got := b.post(endpoint, form)
	tokens := got.fields(t)
	if got.status != 200 || tokens["token_type"] != "Bearer" || tokens["scope"] != "openid profile" || tokens["expires_in"] != 3600.0 || tokens["refresh_token"] != nil {
		t.Fatalf("%d %s", got.status, got.body)
	}
	refused(t, b.post(endpoint, form), 400, 54005, "invalid_grant")

	raw, err := base64.RawURLEncoding.DecodeString(got.text(t, "client_info"))
	if err != nil {
		t.Fatal(err)
	}
	var info struct{ UID, UTID string }
	if err := json.Unmarshal(raw, &info); err != nil || info.UTID != other.ID().String() {
		t.Errorf("client_info %s: %v", raw, err)
	}
	claims := b.verify(t, other, got.text(t, "id_token"), app.ClientID)
	for _, name := range []string{"iat", "nbf", "exp", "sub", "uti"} {
		if claims[name] == nil {
			t.Errorf("the ID token has no %s", name)
		}
		delete(claims, name)
	}
	diff(t, jwt.MapClaims{"aud": app.ClientID, "iss": b.base + "/" + other.ID().String() + "/v2.0", "tid": other.ID().String(), "oid": info.UID,
		"name": "Global Administrator", "preferred_username": "global@fabrikam.onmicrosoft.com", "nonce": "n-1", "ver": "2.0"}, claims)

	b.token = got.text(t, "access_token")
	if got := b.get("/users/delta"); got.status != 403 || got.code(t) != "Authorization_RequestDenied" {
		t.Errorf("users with a person's token: %d %s", got.status, got.body)
	}
}

// verify checks an ID token as a client would, with the key its issuer publishes.
func (b *bench) verify(t *testing.T, tenant *graphtest.Tenant, raw, audience string) jwt.MapClaims {
	t.Helper()
	configuration := b.get(b.base + "/" + tenant.ID().String() + "/v2.0/.well-known/openid-configuration").fields(t)
	keys, _ := b.get(configuration["jwks_uri"].(string)).fields(t)["keys"].([]any)
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(raw, claims, func(token *jwt.Token) (any, error) {
		for _, key := range keys {
			if key := key.(object); key["kid"] == token.Header["kid"] {
				return rsaKey(t, key), nil
			}
		}
		return nil, jwt.ErrTokenUnverifiable
	}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(configuration["issuer"].(string)), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	if err != nil {
		t.Fatalf("ID token: %v", err)
	}
	return claims
}

// Without the scope profile a client learns who it is in pairwise form only.
func TestScopesOfASignIn(t *testing.T) {
	t.Parallel()
	b, other, app := signInBench(t, graphtest.Options{})
	second := b.server.Register(graphtest.AppSpec{Name: "second", RedirectURIs: []string{callback}})
	other.Consent(second.ClientID)
	subjects := map[any]bool{}
	for _, app := range []graphtest.AppSpec{app, second, app} {
		path := signInLink(other.Domain(), app.ClientID, "scope", "openid", "nonce", "", "code_challenge", "", "code_challenge_method", "")
		form := redemption(app, b.code(t, path, decide(other, "global", "accept")))
		for _, name := range []string{"scope", "code_verifier", "client_info"} {
			form.Del(name)
		}
		got := b.post("/"+other.Domain()+"/oauth2/v2.0/token", form)
		claims := b.verify(t, other, got.text(t, "id_token"), app.ClientID)
		if claims["oid"] != nil || claims["name"] != nil || claims["nonce"] != nil || got.fields(t)["client_info"] != nil || got.text(t, "scope") != "openid" {
			t.Errorf("claims %v in %s", claims, got.body)
		}
		subjects[claims["sub"]] = true
	}
	diff(t, 2, len(subjects))
}

func TestCodesRefused(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	b, other, app := signInBench(t, graphtest.Options{Now: func() time.Time { return now }})
	second := b.server.Register(graphtest.AppSpec{Name: "second", RedirectURIs: []string{callback}})
	other.Consent(second.ClientID)
	id := other.ID().String()
	code := b.code(t, signInLink(id, app.ClientID), decide(other, "global", "accept"))
	for name, c := range map[string]struct {
		tenant, key, value string
		status, number     int
		error              string
	}{
		"another verifier":      {id, "code_verifier", verifier + "x", 400, 501481, "invalid_grant"},
		"no verifier":           {id, "code_verifier", "", 400, 501481, "invalid_grant"},
		"another redirect":      {id, "redirect_uri", callback + "/x", 401, 500112, "invalid_client"},
		"no redirect":           {id, "redirect_uri", "", 400, 900144, "invalid_request"},
		"unknown code":          {id, "code", "0.AAAA", 400, 70008, "invalid_grant"},
		"no code":               {id, "code", "", 400, 900144, "invalid_request"},
		"another app":           {id, "client_id", second.ClientID, 400, 70000, "invalid_grant"},
		"another tenant":        {b.tenant.ID().String(), "", "", 400, 700005, "invalid_grant"},
		"organizations":         {"organizations", "", "", 400, 700005, "invalid_grant"},
		"unknown tenant":        {"nowhere.example", "", "", 400, 90002, "invalid_request"},
		"wrong secret":          {id, "client_secret", "nope", 401, 7000215, "invalid_client"},
		"no credential":         {id, "client_secret", "", 401, 7000218, "invalid_client"},
		"more than OpenID":      {id, "scope", "openid Mail.Read", 400, 70011, "invalid_scope"},
		"refresh_token instead": {id, "grant_type", "refresh_token", 400, 70003, "unsupported_grant_type"},
	} {
		t.Run(name, func(t *testing.T) {
			form := redemption(app, code)
			if c.key != "" {
				form.Set(c.key, c.value)
			}
			refused(t, b.post("/"+c.tenant+"/oauth2/v2.0/token", form), c.status, c.number, c.error)
		})
	}
	b.server.SetSecret(app.ClientID, app.Secret, now)
	refused(t, b.post("/"+id+"/oauth2/v2.0/token", redemption(app, code)), 401, 7000222, "invalid_client")
	b.server.SetSecret(app.ClientID, app.Secret, time.Time{})
	late := b.code(t, signInLink(id, app.ClientID), decide(other, "global", "accept"))
	now = now.Add(10*time.Minute - time.Second)
	if got := b.post("/"+other.Domain()+"/oauth2/v2.0/token", redemption(app, code)); got.status != 200 {
		t.Errorf("after all that the code is refused: %d %s", got.status, got.body)
	}
	now = now.Add(time.Second)
	refused(t, b.post("/"+id+"/oauth2/v2.0/token", redemption(app, late)), 400, 70008, "invalid_grant")
}
