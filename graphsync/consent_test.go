package graphsync_test

import (
	"net/url"
	"strings"
	"testing"

	"entrasync/graphsync"
)

func TestConsentURL(t *testing.T) {
	t.Parallel()
	tenant, err := graphsync.ParseID("11111111-1111-1111-1111-111111111111")
	if err != nil {
		t.Fatal(err)
	}
	request := graphsync.ConsentRequest{ClientID: "6a1e0000-0000-0000-0000-000000000001", Redirect: "https://sync.example.com/consent/callback", State: "a.b"}
	for _, tt := range []struct {
		cloud  graphsync.Cloud
		tenant graphsync.ID
		path   string
		scope  string
	}{
		{graphsync.Public, graphsync.ID{}, "https://login.microsoftonline.com/organizations/v2.0/adminconsent", "https://graph.microsoft.com/.default"},
		{graphsync.Public, tenant, "https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/v2.0/adminconsent", "https://graph.microsoft.com/.default"},
		{graphsync.USGov, graphsync.ID{}, "https://login.microsoftonline.us/organizations/v2.0/adminconsent", "https://graph.microsoft.us/.default"},
		{graphsync.USGovDoD, graphsync.ID{}, "https://login.microsoftonline.us/organizations/v2.0/adminconsent", "https://dod-graph.microsoft.us/.default"},
		{graphsync.China, graphsync.ID{}, "https://login.chinacloudapi.cn/organizations/v2.0/adminconsent", "https://microsoftgraph.chinacloudapi.cn/.default"},
	} {
		request.Tenant = tt.tenant
		got, err := url.Parse(tt.cloud.ConsentURL(request))
		if err != nil {
			t.Fatal(err)
		}
		q := got.Query()
		got.RawQuery = ""
		if got.String() != tt.path || q.Get("scope") != tt.scope || q.Get("client_id") != request.ClientID || q.Get("redirect_uri") != request.Redirect || q.Get("state") != "a.b" {
			t.Errorf("%s: %s with %v", tt.cloud.Name, got, q)
		}
	}
}

func TestReadConsentResponse(t *testing.T) {
	t.Parallel()
	const id = "11111111-1111-1111-1111-111111111111"
	for _, tt := range []struct {
		query, tenant string
		class         graphsync.Class
		says          string
	}{
		{"admin_consent=True&tenant=" + id + "&state=s&scope=x", id, "", ""},
		{"admin_consent=True&error=access_denied&error_description=AADSTS65004%3A+User+declined&state=s&tenant=" + id, "", graphsync.ConsentMissing, "declined"},
		{"admin_consent=True&error=consent_required&error_description=AADSTS90094%3A+admin&state=s", "", graphsync.ConsentMissing, "may not consent"},
		{"error=server_error&state=s", "", graphsync.ConsentMissing, "did not give"},
		{"error=unauthorized_client&error_description=AADSTS7000112&state=s", "", graphsync.AppDisabled, "disabled"},
		{"admin_consent=True&tenant=contoso.example&state=s", "", graphsync.BadResponse, "names no tenant"},
		{"admin_consent=True&state=s", "", graphsync.BadResponse, "names no tenant"},
		{"admin_consent=False&state=s&tenant=" + id, "", graphsync.BadResponse, "no consent"},
		{"state=s&tenant=" + id, "", graphsync.BadResponse, "no consent"},
	} {
		query, err := url.ParseQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		a := graphsync.ReadConsentResponse(query)
		switch {
		case a.State != "s":
			t.Errorf("%s: state %q", tt.query, a.State)
		case tt.class == "" && (a.Err != nil || a.Tenant.String() != tt.tenant):
			t.Errorf("%s: %+v", tt.query, a)
		case tt.class != "" && (a.Err == nil || a.Err.Class != tt.class || !strings.Contains(a.Err.Message, tt.says) || a.Err.Hint == "" || !a.Tenant.IsZero()):
			t.Errorf("%s: %+v, %v", tt.query, a, a.Err)
		}
	}
}

func TestSignInURL(t *testing.T) {
	t.Parallel()
	tenant := graphsync.ID{0xfa}
	got, err := url.Parse(graphsync.USGov.SignInURL(graphsync.SignInRequest{
		Tenant: tenant, ClientID: "6a1e0000-0000-0000-0000-000000000001", Redirect: "https://sync.example.com/consent/callback", State: "a.b", Nonce: "n",
		Verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", // RFC 7636 appendix B
	}))
	if err != nil {
		t.Fatal(err)
	}
	q := got.Query()
	got.RawQuery = ""
	if got.String() != "https://login.microsoftonline.us/"+tenant.String()+"/oauth2/v2.0/authorize" ||
		q.Get("code_challenge") != "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" ||
		q.Get("response_type") != "code" || q.Get("scope") != "openid profile" || q.Get("state") != "a.b" || q.Get("nonce") != "n" {
		t.Errorf("%s with %v", got, q)
	}
}

func TestReadSignInResponse(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]struct {
		code  string
		class graphsync.Class
		says  string
	}{
		"code=abc&state=s":                                              {"abc", "", ""},
		"code=abc&error=access_denied":                                  {"", graphsync.ConsentMissing, "the sign-in was not completed"},
		"error=login_required&error_description=AADSTS50058":            {"", graphsync.ConsentMissing, "the sign-in was not completed"},
		"error=access_denied&error_description=AADSTS50105%3A+assigned": {"", graphsync.Policy, "requires assignment"},
		"error=call+0123":                                               {"", graphsync.ConsentMissing, "the sign-in was not completed"},
		"state=s":                                                       {"", graphsync.ConsentMissing, "the sign-in was not completed"},
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		code, e := graphsync.ReadSignInResponse(values)
		if code != want.code || (e == nil) != (want.class == "") {
			t.Errorf("%s: %q, %v", query, code, e)
		}
		if e != nil && (e.Class != want.class || !strings.Contains(e.Message, want.says) || e.Hint == "" || strings.Contains(e.Error(), "0123")) {
			t.Errorf("%s: %+v", query, e)
		}
	}
}

// Whatever a browser brings is read without harm: an answer is a consent or an error, never both.
func FuzzReadConsentResponse(f *testing.F) {
	f.Add("admin_consent=True&tenant=11111111-1111-1111-1111-111111111111&state=s")
	f.Add("error=access_denied&error_description=AADSTS65004&state=s")
	f.Add("code=abc&state=s")
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		response := graphsync.ReadConsentResponse(values)
		if response.Tenant.IsZero() == (response.Err == nil) || values.Get("error") != "" && response.Err == nil {
			t.Errorf("%q: %+v", query, response)
		}
		if code, refusal := graphsync.ReadSignInResponse(values); (code == "") == (refusal == nil) || values.Get("error") != "" && refusal == nil {
			t.Errorf("%q: %q, %v", query, code, refusal)
		}
	})
}
