package graphtest_test

import (
	"crypto/x509"
	"encoding/base64"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
)

// tokenFor logs the bench in at another tenant that has its app.
func (b *bench) tokenFor(t *testing.T, tenant *graphtest.Tenant) {
	t.Helper()
	got := b.post("/"+tenant.Domain()+"/oauth2/v2.0/token", b.credentials())
	if got.status != 200 {
		t.Fatalf("token of %s: %d %s", tenant.Name(), got.status, got.body)
	}
	b.token = got.text(t, "access_token")
}

func TestApplicationIsInItsHomeTenant(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	b := inProcess(t, graphtest.Options{Now: func() time.Time { return now }})
	home, other := b.tenant.ID(), b.server.AddTenant(graphtest.TenantSpec{Name: "Fabrikam"})
	if app, _ := other.App(graphtest.AppSpec{Roles: graphtest.DefaultRoles()}); app.Home != home {
		t.Errorf("the home is %s, not the first tenant", app.Home)
	}
	vendor, _ := b.tenant.App(graphtest.AppSpec{Name: "by a vendor", Home: other.ID()})
	unknown := b.server.Register(graphtest.AppSpec{Name: "of no tenant here"})
	b.tenant.Consent(unknown.ClientID)

	golden(t, "application.json", b.get("/applications(appId='"+b.app.ClientID+"')?$select=id,appId,displayName,createdDateTime,signInAudience,passwordCredentials,keyCredentials,web"))
	id := b.get("/applications(appId='"+b.app.ClientID+"')").text(t, "id")
	diff(t, b.app.ClientID, b.get("/applications/"+id+"?$select=appId").text(t, "appId"))
	owner := func(clientID string) string {
		return b.get("/servicePrincipals(appId='"+clientID+"')?$select=appOwnerOrganizationId").text(t, "appOwnerOrganizationId")
	}
	diff(t, home.String(), owner(b.app.ClientID))
	diff(t, other.ID().String(), owner(vendor.ClientID))
	if elsewhere, err := graphsync.ParseID(owner(unknown.ClientID)); err != nil || b.server.Tenant(elsewhere.String()) != nil {
		t.Errorf("an app of no tenant here is at home in %s, %v", elsewhere, err)
	}
	listed := b.get("/servicePrincipals?$select=appOwnerOrganizationId&$filter=appId+eq+'" + vendor.ClientID + "'").value(t)
	found := b.postJSON("/directoryObjects/getByIds?$select=appOwnerOrganizationId", map[string]any{"ids": []any{listed[0]["id"]}}).value(t)
	diff(t, other.ID().String(), listed[0]["appOwnerOrganizationId"].(string))
	diff(t, other.ID().String(), found[0]["appOwnerOrganizationId"].(string))

	for _, key := range []string{"(appId='" + vendor.ClientID + "')", "(appId='" + unknown.ClientID + "')", "(appId='x')", "/" + b.sp.String()} {
		if got := b.get("/applications" + key); got.status != 404 || got.code(t) != "Request_ResourceNotFound" {
			t.Errorf("%s: %d %s", key, got.status, got.body)
		}
	}
	for _, query := range []string{"$select=secret", "$expand=owners", "$select=logo"} {
		if got := b.get("/applications(appId='" + b.app.ClientID + "')?" + query); got.status != 400 {
			t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}
	b.tokenFor(t, other)
	if got := b.get("/applications(appId='" + b.app.ClientID + "')"); got.status != 404 || owner(b.app.ClientID) != home.String() {
		t.Errorf("in a customer's tenant: %d %s", got.status, got.body)
	}
	diff(t, vendor.ClientID, b.get("/applications(appId='"+vendor.ClientID+"')").text(t, "appId"))
}

func TestApplicationShowsWhenSecretsEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	b := inProcess(t, graphtest.Options{Now: func() time.Time { return now }})
	shown := func() (out []string) {
		b.login()
		list, _ := b.get("/applications(appId='" + b.app.ClientID + "')?$select=passwordCredentials").fields(t)["passwordCredentials"].([]any)
		for _, credential := range list {
			out = append(out, credential.(object)["hint"].(string)+" "+credential.(object)["endDateTime"].(string))
		}
		return out
	}
	token := func(secret string) *response {
		form := b.credentials()
		form.Set("client_secret", secret)
		return b.post("/"+b.tenant.Domain()+"/oauth2/v2.0/token", form)
	}
	diff(t, []string{"sec 2028-03-01T09:00:00Z"}, shown())

	b.server.SetSecret(b.app.ClientID, "secret", now.Add(time.Hour))
	b.server.AddSecret(b.app.ClientID, "newer", time.Time{})
	diff(t, []string{"sec 2026-03-01T10:00:00Z", "new 2028-03-01T09:00:00Z"}, shown())
	now = now.Add(time.Hour)
	refused(t, token("secret"), 401, 7000222, "invalid_client")
	refused(t, token("new"), 401, 7000215, "invalid_client")
	b.app.Secret = "newer"
	diff(t, []string{"sec 2026-03-01T10:00:00Z", "new 2028-03-01T09:00:00Z"}, shown())
	b.server.SetSecret(b.app.ClientID, "third", time.Time{})
	refused(t, token("newer"), 401, 7000215, "invalid_client")
	b.app.Secret = "third"
	diff(t, []string{"thi 2028-03-01T10:00:00Z"}, shown())

	ends := now.Add(72 * time.Hour)
	app, _ := b.tenant.App(graphtest.AppSpec{ClientID: b.app.ClientID, Secret: "of the spec", SecretExpires: ends})
	diff(t, ends, app.SecretExpires)
	b.app.Secret = app.Secret
	diff(t, []string{"of  2026-03-04T10:00:00Z"}, shown())
	now = ends
	refused(t, token(app.Secret), 401, 7000222, "invalid_client")
}

func TestApplicationShowsCertificates(t *testing.T) {
	t.Parallel()
	b := inProcess(t, graphtest.Options{})
	_, cert := certificate(t)
	app, _ := b.tenant.App(graphtest.AppSpec{Name: "by certificate", Certificates: []*x509.Certificate{cert}})
	path := "/applications(appId='" + app.ClientID + "')"
	only := func(got *response) object {
		t.Helper()
		list, _ := got.fields(t)["keyCredentials"].([]any)
		if len(list) != 1 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		return list[0].(object)
	}
	got := only(b.get(path))
	if id, _ := got["customKeyIdentifier"].(string); len(id) != 40 || got["keyId"] == "" || got["startDateTime"] == "" {
		t.Errorf("credential: %v", got)
	}
	for name, want := range map[string]any{"displayName": "CN=app", "endDateTime": "2100-01-01T00:00:00Z", "key": nil, "type": "AsymmetricX509Cert", "usage": "Verify"} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	diff(t, base64.StdEncoding.EncodeToString(cert.Raw), only(b.get(path + "?$select=keyCredentials"))["key"].(string))
	diff(t, 0, len(b.get(path).fields(t)["passwordCredentials"].([]any)))
}
