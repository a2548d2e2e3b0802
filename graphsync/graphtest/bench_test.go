package graphtest_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"entrasync/graphsync/graphtest"
)

func BenchmarkPopulate100k(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		tenant := graphtest.New(graphtest.Options{}).AddTenant(graphtest.TenantSpec{})
		tenant.Populate(graphtest.GenerateOptions{Users: 100_000})
	}
}

var link = regexp.MustCompile(`"@odata\.(?:next|delta)Link":"([^"]+)"`)

// The server's side alone: in process, bodies found but not decoded.
func BenchmarkDelta100k(b *testing.B) {
	s := graphtest.New(graphtest.Options{})
	tenant := s.AddTenant(graphtest.TenantSpec{})
	app, _ := tenant.App(graphtest.AppSpec{})
	tenant.Populate(graphtest.GenerateOptions{Users: 100_000})
	h := &http.Client{Transport: s.Transport()}
	resp, err := h.PostForm(s.URL()+"/"+tenant.Domain()+"/oauth2/v2.0/token", url.Values{"grant_type": {"client_credentials"},
		"client_id": {app.ClientID}, "client_secret": {app.Secret}, "scope": {s.URL() + "/.default"}})
	if err != nil {
		b.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	token := string(regexp.MustCompile(`"access_token":"([^"]+)"`).FindSubmatch(body)[1])
	get := func(address string) string {
		r, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := h.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			b.Fatal(err)
		}
		return string(link.FindSubmatch(body)[1])
	}
	const first = "/v1.0/users/delta?$select=displayName,userPrincipalName,mail,department,jobTitle,accountEnabled"
	latest := get(s.URL() + first + "&$deltatoken=latest")
	b.Run("page", func(b *testing.B) {
		at := s.URL() + first
		for b.Loop() {
			if at = get(at); regexp.MustCompile(`deltatoken`).MatchString(at) {
				at = s.URL() + first
			}
		}
		b.ReportMetric(200*float64(b.N)/b.Elapsed().Seconds(), "users/s")
	})
	b.Run("nothing changed", func(b *testing.B) {
		for b.Loop() {
			get(latest)
		}
	})
}
