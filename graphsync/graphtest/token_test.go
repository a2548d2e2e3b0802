package graphtest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"entrasync/graphsync/graphtest"
)

// description is the form every error_description has.
var description = regexp.MustCompile(`^AADSTS\d+: .+ Trace ID: [0-9a-f-]{36} Correlation ID: [0-9a-f-]{36} Timestamp: \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$`)

func refused(t *testing.T, got *response, status, number int, name string) {
	t.Helper()
	body := got.fields(t)
	codes, _ := body["error_codes"].([]any)
	text, _ := body["error_description"].(string)
	if got.status != status || body["error"] != name || len(codes) != 1 || codes[0] != float64(number) ||
		!strings.HasPrefix(text, fmt.Sprintf("AADSTS%d: ", number)) || !description.MatchString(text) {
		t.Errorf("%d %s, want %d %s AADSTS%d", got.status, got.body, status, name, number)
	}
	for _, key := range []string{"timestamp", "trace_id", "correlation_id"} {
		if body[key] == nil {
			t.Errorf("the body has no %s: %s", key, got.body)
		}
	}
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	b := overTLS(t, graphtest.Options{})
	home := b.tenant.ID().String()
	other := b.server.AddTenant(graphtest.TenantSpec{Name: "Fabrikam"})
	for name, c := range map[string]struct {
		tenant, key, value string
		status, number     int
		error              string
	}{
		"wrong secret":     {home, "client_secret", "nope", 401, 7000215, "invalid_client"},
		"no credential":    {home, "client_secret", "", 401, 7000216, "invalid_client"},
		"unknown app":      {home, "client_id", "00000000-0000-0000-0000-00000000dead", 400, 700016, "unauthorized_client"},
		"not consented":    {other.ID().String(), "", "", 400, 700016, "unauthorized_client"},
		"unknown tenant":   {"nowhere.example", "", "", 400, 90002, "invalid_request"},
		"common":           {"common", "", "", 400, 9001023, "invalid_request"},
		"organizations":    {"organizations", "", "", 400, 50059, "invalid_request"},
		"no .default":      {home, "scope", b.base + "/User.Read.All", 400, 1002012, "invalid_scope"},
		"bad scope":        {home, "scope", "a/.default b/.default", 400, 70011, "invalid_scope"},
		"another resource": {home, "scope", "https://graph.microsoft.us/.default", 400, 500011, "invalid_resource"},
		"no scope":         {home, "scope", "", 400, 900144, "invalid_request"},
		"another grant":    {home, "grant_type", "password", 400, 70003, "unsupported_grant_type"},
	} {
		t.Run(name, func(t *testing.T) {
			form := b.credentials()
			if c.key != "" {
				form.Set(c.key, c.value)
			}
			refused(t, b.post("/"+c.tenant+"/oauth2/v2.0/token", form), c.status, c.number, c.error)
		})
	}
}

func TestMethodsRefused(t *testing.T) {
	t.Parallel()
	b, _, app := signInBench(t, graphtest.Options{})
	refused(t, b.get(b.base+"/"+b.tenant.Domain()+"/oauth2/v2.0/token"), 400, 900561, "invalid_request")
	for _, path := range []string{signInLink("organizations", app.ClientID), consentPath(b, "organizations", app.ClientID)} {
		r := b.request(b.base + path)
		r.Method = http.MethodPut
		refused(t, b.must(r), 400, 900561, "invalid_request")
	}
}

func TestTokenFollowsTheAppsFortunes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	b := inProcess(t, graphtest.Options{Now: func() time.Time { return now }})
	token := func() *response { return b.post("/"+b.tenant.Domain()+"/oauth2/v2.0/token", b.credentials()) }

	b.server.SetSecret(b.app.ClientID, "secret", now.Add(time.Hour))
	if got := token(); got.status != 200 {
		t.Fatalf("by domain: %d %s", got.status, got.body)
	}
	now = now.Add(time.Hour)
	refused(t, token(), 401, 7000222, "invalid_client")
	b.server.SetSecret(b.app.ClientID, "secret", time.Time{})
	b.server.DisableApp(b.app.ClientID, true)
	refused(t, token(), 400, 7000112, "unauthorized_client")
	b.server.DisableApp(b.app.ClientID, false)
	b.tenant.SetAppEnabled(b.app.ClientID, false)
	refused(t, token(), 400, 7000112, "unauthorized_client")
	b.tenant.SetAppEnabled(b.app.ClientID, true)
	b.login()

	if now = now.Add(59 * time.Minute); b.get("/organization").status != 200 {
		t.Error("a token of 59 minutes is refused")
	}
	now = now.Add(time.Minute)
	if got := b.get("/organization"); got.status != 401 || got.code(t) != "InvalidAuthenticationToken" {
		t.Errorf("an expired token: %d %s", got.status, got.body)
	}

	b.tenant.Grant(b.app.ClientID) // consent revoked, service principal left
	b.login()
	if got := b.get("/users/delta"); got.status != 403 || got.code(t) != "Authorization_RequestDenied" {
		t.Errorf("without permissions: %d %s", got.status, got.body)
	}
	b.tenant.RemoveApp(b.app.ClientID)
	if got := b.get("/users/delta"); got.status != 401 || got.code(t) != "Authorization_IdentityNotFound" {
		t.Errorf("without a service principal: %d %s", got.status, got.body)
	}
	refused(t, token(), 400, 7000229, "unauthorized_client")
}

func TestGraphChecksTheToken(t *testing.T) {
	t.Parallel()
	b := overTLS(t, graphtest.Options{})
	good := b.token
	parts := strings.Split(good, ".")
	stranger := inProcess(t, graphtest.Options{})
	for name, token := range map[string]string{
		"none": "", "no JWT": "abc", "another server's": stranger.token,
		"no signature": parts[0] + "." + parts[1] + ".", "other claims": parts[0] + "." + parts[1][:len(parts[1])-2] + "fQ." + parts[2],
	} {
		b.token = token
		got := b.get("/users/delta")
		if got.status != 401 || got.code(t) != "InvalidAuthenticationToken" || got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

func TestPermissionsPerPath(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	user := b.tenant.AddUser(nil)
	group := b.tenant.AddGroup(nil)
	paths := map[string][]string{
		"/users/delta":                                    {"User.Read.All", "Directory.Read.All"},
		"/users/" + user.String():                         {"User.Read.All"},
		"/groups/delta?$select=displayName":               {"Group.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All"},
		"/groups/delta":                                   {"GroupMember.Read.All", "Group.Read.All"},
		"/groups/" + group.String() + "/members":          {"GroupMember.Read.All"},
		"/servicePrincipals/" + b.sp.String():             {"Application.Read.All"},
		"/applications(appId='" + b.app.ClientID + "')":   {"Application.Read.All", "Directory.Read.All"},
		"/users/" + user.String() + "/appRoleAssignments": {"Directory.Read.All"},
		"/organization":                                   {"User.Read.All", "Organization.Read.All"},
	}
	for path, granted := range paths {
		for _, permission := range []string{"User.Read.All", "Group.ReadBasic.All", "GroupMember.Read.All", "Group.Read.All", "Application.Read.All", "Directory.Read.All", "Organization.Read.All", "Mail.Read"} {
			b.tenant.Grant(b.app.ClientID, permission)
			b.login()
			got := b.get(path)
			named := false
			for _, g := range granted {
				named = named || g == permission
			}
			if named && got.status != 200 {
				t.Errorf("%s with %s: %d %s", path, permission, got.status, got.body)
			}
			if permission == "Mail.Read" && got.status != 403 {
				t.Errorf("%s with %s: %d, want 403", path, permission, got.status)
			}
		}
	}
	b.tenant.Grant(b.app.ClientID, "User.Read.All")
	b.login()
	if got := b.get("/groups/delta"); got.status != 403 {
		t.Errorf("groups with User.Read.All: %d", got.status)
	}
}

// A certificate for signing assertions.
func certificate(t *testing.T) (*rsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "app"}, NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

func TestClientAssertions(t *testing.T) {
	t.Parallel()
	key, cert := certificate(t)
	otherKey, otherCert := certificate(t)
	b := overTLS(t, graphtest.Options{})
	issuerKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	app, _ := b.tenant.App(graphtest.AppSpec{Name: "by certificate", Certificates: []*x509.Certificate{cert},
		Federations: []graphtest.Federation{{Issuer: "https://cluster.example", Subject: "system:serviceaccount:sync:worker", Key: issuerKey.Public()}}})
	endpoint := b.base + "/" + b.tenant.ID().String() + "/oauth2/v2.0/token"
	sha256Of := func(c *x509.Certificate) string {
		sum := sha256.Sum256(c.Raw)
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	sha1Sum := sha1.Sum(cert.Raw)
	now := time.Now()
	claims := func(change func(jwt.MapClaims)) jwt.MapClaims {
		c := jwt.MapClaims{"aud": endpoint, "iss": app.ClientID, "sub": app.ClientID, "jti": "1",
			"nbf": now.Unix() - 5, "exp": now.Unix() + 600}
		if change != nil {
			change(c)
		}
		return c
	}
	federated := func(subject string) jwt.MapClaims {
		return claims(func(c jwt.MapClaims) {
			c["iss"], c["sub"], c["aud"] = "https://cluster.example", subject, "api://AzureADTokenExchange"
		})
	}
	for name, c := range map[string]struct {
		method jwt.SigningMethod
		key    crypto.Signer
		header map[string]any
		claims jwt.MapClaims
		number int // 0: a token
	}{
		"PS256 by x5t#S256":   {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": sha256Of(cert)}, claims(nil), 0},
		"RS256 by x5t":        {jwt.SigningMethodRS256, key, map[string]any{"x5t": base64.RawURLEncoding.EncodeToString(sha1Sum[:])}, claims(nil), 0},
		"by x5c":              {jwt.SigningMethodPS256, key, map[string]any{"x5c": []string{base64.StdEncoding.EncodeToString(cert.Raw)}}, claims(nil), 0},
		"unknown certificate": {jwt.SigningMethodPS256, otherKey, map[string]any{"x5t#S256": sha256Of(otherCert)}, claims(nil), 700027},
		"another key":         {jwt.SigningMethodPS256, otherKey, map[string]any{"x5t#S256": sha256Of(cert)}, claims(nil), 700027},
		"expired":             {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": sha256Of(cert)}, claims(func(c jwt.MapClaims) { c["exp"] = now.Unix() - 60 }), 700024},
		"not yet valid":       {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": sha256Of(cert)}, claims(func(c jwt.MapClaims) { c["nbf"] = now.Unix() + 300 }), 700024},
		"another audience":    {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": sha256Of(cert)}, claims(func(c jwt.MapClaims) { c["aud"] = "https://elsewhere.example" }), 700023},
		"another subject":     {jwt.SigningMethodPS256, key, map[string]any{"x5t#S256": sha256Of(cert)}, claims(func(c jwt.MapClaims) { c["sub"] = "me" }), 700021},
		"federated":           {jwt.SigningMethodES256, issuerKey, nil, federated("system:serviceaccount:sync:worker"), 0},
		"federated stranger":  {jwt.SigningMethodES256, issuerKey, nil, federated("system:serviceaccount:default:x"), 700213},
		"unknown issuer":      {jwt.SigningMethodES256, issuerKey, nil, claims(func(c jwt.MapClaims) { c["iss"] = "https://x.example" }), 700211},
	} {
		t.Run(name, func(t *testing.T) {
			token := jwt.NewWithClaims(c.method, c.claims)
			for k, v := range c.header {
				token.Header[k] = v
			}
			signed, err := token.SignedString(c.key)
			if err != nil {
				t.Fatal(err)
			}
			form := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "scope": {b.base + "/.default openid profile"},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {signed}}
			got := b.post("/"+b.tenant.ID().String()+"/oauth2/v2.0/token", form)
			if c.number == 0 {
				if got.status != 200 || got.text(t, "access_token") == "" {
					t.Errorf("%d %s", got.status, got.body)
				}
				return
			}
			refused(t, got, 401, c.number, "invalid_client")
		})
	}
}

// What MSAL asks for before its first token request, with instance discovery off and on.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	b := overTLS(t, graphtest.Options{})
	id := b.tenant.ID().String()
	got := b.get(b.base + "/" + id + "/v2.0/.well-known/openid-configuration").fields(t)
	for key, want := range map[string]string{
		"issuer":                 b.base + "/" + id + "/v2.0",
		"token_endpoint":         b.base + "/" + id + "/oauth2/v2.0/token",
		"authorization_endpoint": b.base + "/" + id + "/oauth2/v2.0/authorize",
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %s", key, got[key], want)
		}
	}
	refused(t, b.get(b.base+"/nowhere.example/v2.0/.well-known/openid-configuration"), 400, 90002, "invalid_request")
	keys, _ := b.get(b.base + "/" + id + "/discovery/v2.0/keys").fields(t)["keys"].([]any)
	if len(keys) != 2 || keys[0].(object)["alg"] != "ES256" || keys[1].(object)["alg"] != "RS256" {
		t.Errorf("keys: %v", keys)
	}
	instance := b.get(b.base + "/common/discovery/instance?api-version=1.1").fields(t)
	if instance["tenant_discovery_endpoint"] == nil {
		t.Errorf("instance discovery: %v", instance)
	}
	var claims jwt.MapClaims
	if _, _, err := jwt.NewParser().ParseUnverified(b.token, &claims); err != nil {
		t.Fatal(err)
	}
	if claims["tid"] != id || claims["appid"] != b.app.ClientID || claims["aud"] != b.base {
		t.Errorf("claims: %v", claims)
	}
	diff(t, []any{"User.Read.All", "GroupMember.Read.All", "Application.Read.All"}, claims["roles"].([]any))
}

func TestManagedIdentity(t *testing.T) {
	t.Parallel()
	b := overTLS(t, graphtest.Options{})
	endpoint := b.base + "/" + b.tenant.Domain() + "/msi/token?api-version=2019-08-01&resource=" + url.QueryEscape(b.base)
	got := b.get(endpoint, "X-IDENTITY-HEADER", b.app.Secret)
	if b.token = got.text(t, "access_token"); b.get("/users/delta").status != 200 {
		t.Errorf("token of a managed identity: %d %s", got.status, got.body)
	}
	for name, refused := range map[string]*response{
		"no header":    b.get(endpoint),
		"no resource":  b.get(b.base+"/"+b.tenant.Domain()+"/msi/token?api-version=2019-08-01", "X-IDENTITY-HEADER", b.app.Secret),
		"another app":  b.get(endpoint+"&client_id=x", "X-IDENTITY-HEADER", b.app.Secret),
		"other tenant": b.get(strings.Replace(endpoint, "contoso", "fabrikam", 1), "X-IDENTITY-HEADER", b.app.Secret),
	} {
		if refused.status == 200 {
			t.Errorf("%s: %s", name, refused.body)
		}
	}
}
