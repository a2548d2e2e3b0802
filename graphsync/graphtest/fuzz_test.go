package graphtest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"entrasync/graphsync/graphtest"
)

// Whatever is asked, Graph's side answers JSON: a result, or an error with code and message.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][2]string{
		{"/v1.0/users/delta", "$select=id,mail&$filter=id eq 'x'"},
		{"/v1.0/users/delta()", "$deltatoken=AAAA"},
		{"/v1.0/servicePrincipals(appId='x')/appRoleAssignedTo", "$top=5&$count=true"},
		{"/v1.0/applications(appId='x')", "$select=keyCredentials"},
		{"/v1.0/groups/{}/members", "$skiptoken=x"},
		{"/v1.0/users('a%2Fb')", "%24select=%00"},
		{"/v1.0//", "$filter=startswith(displayName,'"},
	} {
		f.Add(seed[0], seed[1])
	}
	s := graphtest.New(graphtest.Options{})
	tenant := s.AddTenant(graphtest.TenantSpec{})
	app, _ := tenant.App(graphtest.AppSpec{})
	tenant.AddGroup(nil, tenant.AddUser(nil))
	h := &http.Client{Transport: s.Transport()}
	resp, err := h.PostForm(s.URL()+"/"+tenant.Domain()+"/oauth2/v2.0/token", url.Values{"grant_type": {"client_credentials"},
		"client_id": {app.ClientID}, "client_secret": {app.Secret}, "scope": {s.URL() + "/.default"}})
	if err != nil {
		f.Fatal(err)
	}
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		u, err := url.Parse(s.URL() + "/v1.0/")
		if err != nil {
			t.Fatal(err)
		}
		u.Path, u.RawQuery = u.Path+path, query
		r := &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{"Authorization": {"Bearer " + token.Access}, "Consistencylevel": {"eventual"}}}
		resp, err := h.Do(r)
		if err != nil {
			return // not a request net/http would send
		}
		var body struct {
			Error *struct{ Code, Message string }
		}
		if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
			t.Fatalf("%d: %v", resp.StatusCode, err)
		}
		if failed := resp.StatusCode >= 400; failed != (body.Error != nil) || failed && (body.Error.Code == "" || body.Error.Message == "") {
			t.Fatalf("%d with error %+v", resp.StatusCode, body.Error)
		}
	})
}
