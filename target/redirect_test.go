package target_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"entrasync/target"
)

func TestTransportRedirects(t *testing.T) {
	t.Parallel()
	var leaked atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Store(true) }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/kept":
			w.Header().Set("Location", "/end?x=1")
			w.WriteHeader(308)
		case "/lossy":
			http.Redirect(w, r, "/login", http.StatusFound)
		case "/moved":
			http.Redirect(w, r, "/end", http.StatusMovedPermanently)
		case "/moved-away":
			http.Redirect(w, r, elsewhere.URL, http.StatusMovedPermanently)
		case "/moved-off-tls":
			w.Header().Set("Location", "ftp://"+r.Host+"/end")
			w.WriteHeader(301)
		case "/away":
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(307)
		case "/loop":
			w.Header().Set("Location", "/loop")
			w.WriteHeader(307)
		case "/nowhere":
			w.WriteHeader(307)
		case "/end":
			io.WriteString(w, r.Method+" "+string(body)+" "+r.Header.Get("Authorization"))
		}
	}))
	defer server.Close()
	tr := transport(t, target.TransportConfig{Auth: target.Auth{Basic: &target.Basic{Username: "u", Password: secret("p")}}})
	answer, err := tr.RoundTrip(request(t, "POST", server.URL+"/kept", "{}"))
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(answer.Body); string(body) != "POST {} Basic dTpw" {
		t.Errorf("the redirected request was %s", body)
	}
	answer, err = tr.RoundTrip(request(t, "GET", server.URL+"/moved", ""))
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(answer.Body); string(body) != "GET  Basic dTpw" {
		t.Errorf("the read that was moved for good was %s", body)
	}
	for where, want := range map[string]string{"/moved-away": "to another host", "/moved-off-tls": "away from TLS"} {
		if _, err := tr.RoundTrip(request(t, "GET", server.URL+where, "")); target.CodeOf(err) != target.NotSCIM || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", where, err)
		}
	}
	for where, want := range map[string]string{
		"/moved":   "it redirects (301) to \"" + server.URL + "/end\", which would lose",
		"/lossy":   "it redirects (302) to \"" + server.URL + "/login\", which would lose",
		"/away":    "to another host, \"" + elsewhere.URL,
		"/loop":    "more than 5 times",
		"/nowhere": "leads nowhere",
	} {
		_, err := tr.RoundTrip(request(t, "POST", server.URL+where, "{}"))
		if target.CodeOf(err) != target.NotSCIM || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", where, err)
		}
	}
	if leaked.Load() {
		t.Error("the other host was asked")
	}
}

func TestTransportProxy(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.URL.String()) // a proxy is asked for the whole URL
	}))
	defer proxy.Close()
	answer, err := transport(t, target.TransportConfig{Proxy: proxy.URL}).RoundTrip(request(t, "GET", "http://scim.invalid/v2/Users", ""))
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(answer.Body); string(body) != "http://scim.invalid/v2/Users" {
		t.Errorf("the proxy was asked for %q", body)
	}
}
