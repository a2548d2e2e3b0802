package scim_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"entrasync/target"
	"entrasync/target/scim"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestDialects pins what goes over the wire for the same changes in each dialect.
func TestDialects(t *testing.T) {
	t.Parallel()
	for _, dialect := range []scim.Dialect{scim.RFC, scim.EntraLegacy, scim.Entra2020, scim.Okta} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.quiet = true
			uid := f.seed("Users", `{"userName":"a","emails":[{"type":"work","value":"w"}],"active":true}`)
			gid := f.seed("Groups", `{"displayName":"g","members":[{"value":"m"}]}`)
			f.noop = func(string) bool { return true }
			f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
				if r.Method == "PATCH" {
					w.WriteHeader(204)
				}
				return r.Method == "PATCH"
			}
			a := f.adapter(scim.Config{Dialect: dialect})
			for _, step := range [][]target.Attribute{
				attributes(t, "active", false),
				attributes(t, "name.givenName", "Ada", "title", nil, `emails[type eq "work"].value`, "new", `phoneNumbers[type eq "fax"].value`, nil,
					`roles[primary eq "True"].value`, "Admin", enterprise+":department", "Sales", enterprise+":manager", "m1", "nickNames", []any{"x", "y"}, "locale", []any{}),
			} {
				if _, err := a.Update(t.Context(), user(uid), step); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := a.Update(t.Context(), group(gid), attributes(t, "displayName", "renamed")); err != nil {
				t.Fatal(err)
			}
			if _, err := a.ChangeMembers(t.Context(), group(gid), []string{"n"}, []string{"m"}); err != nil {
				t.Fatal(err)
			}
			for kind, made := range map[target.Kind][]target.Attribute{
				target.User: attributes(t, "userName", "b", "active", true, `emails[type eq "work"].value`, "b@x", `roles[primary eq "True"].value`, "Admin",
					enterprise+":manager", "m1", "urn:ietf:params:scim:schemas:extension:2.0:Acme:folders", []any{"a", "b"}, "title", nil),
			} {
				if _, err := a.Create(t.Context(), kind, made); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := a.Create(t.Context(), target.Group, attributes(t, "displayName", "h", "externalId", "x")); err != nil {
				t.Fatal(err)
			}
			var writes []string
			for _, line := range f.sent("") {
				if !strings.HasPrefix(line, "GET") {
					writes = append(writes, strings.ReplaceAll(line, `{"op"`, "\n    {\"op\""))
				}
			}
			golden(t, filepath.Join("testdata", "wire-"+string(dialect)+".txt"), strings.Join(writes, "\n")+"\n")
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-update writes it): %s", file, diff)
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{"", "/", "?aadOptscim062020", "/?tenant=a%20b&flag"} {
		f := newFake(t)
		odd := f.seed("Users", `{"id":"a/b c?d#e%2F../é","userName":"x"}`)
		a := f.adapter(scim.Config{URL: f.url + suffix})
		if r, err := a.Get(t.Context(), user(odd)); err != nil || r.ID != odd {
			t.Errorf("%s: %v", suffix, err)
		}
		_, query, _ := strings.Cut(suffix, "?")
		want := "GET /Users/a%2Fb%20c%3Fd%23e%252F..%2F%C3%A9"
		if query != "" {
			want += "?" + query
		}
		if got := f.sent(""); got[0] != want {
			t.Errorf("%s: got %s, want %s", suffix, got[0], want)
		}
	}
	for _, id := range []string{"", ".", ".."} {
		f := newFake(t)
		if err := f.adapter(scim.Config{}).Delete(t.Context(), user(id)); err == nil || len(f.sent("")) != 0 {
			t.Errorf("id %q: %v, sent %v", id, err, f.sent(""))
		}
	}
}

func TestNewErrors(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]scim.Config{
		"not the base address":       {URL: "scim.example.com/v2"},
		"put them under auth":        {URL: "https://u:hunter2@x.example"},
		"behind #":                   {URL: "https://x.example/#/scim"},
		`dialect: "azure" is none`:   {URL: "https://x.example", Dialect: "azure"},
		"page_size and members_per_": {URL: "https://x.example", PageSize: -1},
	} {
		if _, err := scim.New(cfg, nil); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.intercept = func(_ http.ResponseWriter, r *http.Request, body []byte) bool {
		if got := r.Header.Get("Accept"); got != "application/scim+json, application/json" {
			t.Errorf("Accept: %s", got)
		}
		if got := r.Header.Get("Content-Type"); len(body) > 0 && got != "application/scim+json" {
			t.Errorf("Content-Type: %s", got)
		}
		if !strings.HasPrefix(r.Header.Get("User-Agent"), "entrasync/") || r.Header.Get("Idempotency-Key") != "" {
			t.Errorf("headers %v", r.Header)
		}
		return false
	}
	a := f.adapter(scim.Config{})
	r, err := a.Create(t.Context(), target.User, attributes(t, "userName", "a<b>&"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Update(t.Context(), r.Ref, attributes(t, "title", "x")); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(f.sent("POST")[0], `"a<b>&"`) {
		t.Error(f.sent("POST"))
	}
}

// Ids come from the body, from Location, or have to be looked up.
func TestCreatedID(t *testing.T) {
	t.Parallel()
	for name, answered := range map[string]func(w http.ResponseWriter, object map[string]any){
		"body 200":          func(w http.ResponseWriter, o map[string]any) { response(w, 200, o) },
		"Location absolute": func(w http.ResponseWriter, o map[string]any) { locate(w, "https://x.example/scim/v2/Users/u%2D1") },
		"Location relative": func(w http.ResponseWriter, o map[string]any) { locate(w, "Users/u-1/") },
		"text/plain": func(w http.ResponseWriter, o map[string]any) {
			w.Header().Set("Content-Type", "text/plain")
			json.NewEncoder(w).Encode(o)
		},
		"nothing":              func(w http.ResponseWriter, o map[string]any) { w.WriteHeader(204) },
		"empty object":         func(w http.ResponseWriter, o map[string]any) { response(w, 201, map[string]any{}) },
		"Location of the list": func(w http.ResponseWriter, o map[string]any) { locate(w, "/scim/v2/Users") },
	} {
		f := newFake(t)
		f.intercept = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
			if r.Method != "POST" {
				return false
			}
			var object map[string]any
			json.Unmarshal(body, &object)
			f.add("Users", object)
			answered(w, object)
			return true
		}
		r, err := f.adapter(scim.Config{}).Create(t.Context(), target.User, attributes(t, "userName", "ada"))
		if err != nil || r.ID != "u-1" || len(f.sent("POST")) != 1 {
			t.Errorf("%s: %v %v", name, r, err)
		}
	}
	// Of several with the value none is known to be the one.
	f := newFake(t)
	f.seed("Users", `{"userName":"ada","externalId":"e"}`)
	f.seed("Users", `{"userName":"other","externalId":"e"}`)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == "POST" {
			w.WriteHeader(201)
		}
		return r.Method == "POST"
	}
	r, err := f.adapter(scim.Config{}).Create(t.Context(), target.User, attributes(t, "externalId", "e"))
	if e := errorOf(t, err); r != nil || !e.Indeterminate {
		t.Errorf("created without an id, two have the externalId: %v, %v", r, err)
	}

	f = newFake(t)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == "POST" {
			w.WriteHeader(202)
		}
		return r.Method == "POST"
	}
	_, err = f.adapter(scim.Config{}).Create(t.Context(), target.User, attributes(t, "userName", "ada"))
	if e := errorOf(t, err); !e.Indeterminate {
		t.Errorf("accepted and not to be found: %v", err)
	}
}

func locate(w http.ResponseWriter, where string) {
	w.Header().Set("Location", where)
	w.WriteHeader(201)
}

func TestLostCreation(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.intercept = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if r.Method == "POST" {
			panic(http.ErrAbortHandler)
		}
		return false
	}
	_, err := f.adapter(scim.Config{}).Create(t.Context(), target.User, attributes(t, "userName", "ada"))
	if e := errorOf(t, err); !e.Indeterminate || e.Code != target.Unavailable || len(f.sent("POST")) != 1 || e.Op != "create user" {
		t.Errorf("%+v after %d POSTs", e, len(f.sent("POST")))
	}
}

func TestCancellation(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	id := f.seed("Users", `{"userName":"a"}`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := f.adapter(scim.Config{})
	_, err := a.Update(ctx, user(id), attributes(t, "title", "x", "nickName", "n"))
	if !errors.Is(err, context.Canceled) || len(f.sent("")) != 0 {
		t.Errorf("%v, sent %v", err, f.sent(""))
	}
	if _, err := a.ChangeMembers(ctx, group("g"), []string{"a"}, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		switch strings.TrimPrefix(r.URL.Path, "/scim/v2/") {
		case "ServiceProviderConfigs":
			response(w, 200, json.RawMessage(`{"patch":{"supported":true},"filter":{"supported":true,"maxResults":77}}`))
		case "Groups":
			refuseWith(w, 501, "")
		case "Schemas":
			response(w, 200, json.RawMessage(`{"Resources":[{"id":"urn:ietf:params:scim:schemas:core:2.0:User","attributes":[{"name":"userName"},{"name":"emails"}]}]}`))
		default:
			return false
		}
		return true
	}
	profile, err := f.adapter(scim.Config{}).Probe(t.Context(), map[target.Kind][]target.Path{
		target.User:  {path(t, "USERNAME"), path(t, "externalId"), path(t, `emails[type eq "work"].value`), path(t, "shoeSize"), path(t, enterprise+":department")},
		target.Group: {path(t, "displayName")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &target.Profile{
		Kinds: map[target.Kind]bool{target.User: true, target.Group: false}, Patch: true, Filter: true, PageSize: 77,
		Unknown: map[string]bool{"shoeSize": true, enterprise + ":department": true}, Complex: map[string]bool{}, Values: map[target.Kind]map[string]target.CanonicalValues{},
		Notes: []string{
			"it does not offer groups: probe: the application cannot do this (501) (the target says: no)",
			"its schemas do not have the attribute shoeSize",
			"its schemas do not have " + enterprise + ", which " + enterprise + ":department belongs to",
		},
	}
	if diff := cmp.Diff(want, profile); diff != "" {
		t.Error(diff)
	}
	for _, line := range f.sent("") {
		if !strings.HasPrefix(line, "GET") {
			t.Errorf("the probe sent %s", line)
		}
	}
}

func TestProbeWithoutFilters(t *testing.T) {
	t.Parallel()
	for _, turn := range []func(*fake){func(f *fake) { f.ignoreFilter = true }, func(f *fake) { f.refuseFilter = 400 }} {
		f := newFake(t)
		turn(f)
		f.seed("Users", `{"userName":"a"}`)
		profile, err := f.adapter(scim.Config{}).Probe(t.Context(), nil)
		if err != nil || profile.Filter || len(profile.Notes) != 2 {
			t.Errorf("%+v %v", profile, err)
		}
	}
}

// A wrong address, credential or plan is one sentence what, and one what to do.
func TestProbeErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		status  int
		body    string
		code    target.Code
		message string
	}{
		{"web page", 200, "<!DOCTYPE html><html><head><title>Sign in · Acme</title></head></html>", target.NotSCIM, "a web page answers there (200), not SCIM"},
		{"404 page", 404, "<html><body>nope</body></html>", target.NotSCIM, "there is no SCIM service at this address (404)"},
		{"404 JSON", 404, `{}`, target.NotSCIM, "there is no SCIM service at this address (404)"},
		{"other JSON", 200, `{"hello":"world"}`, target.NotSCIM, "JSON answers there (200), but not SCIM's"},
		{"a list", 200, `[]`, target.NotSCIM, "what answers there (200) is not SCIM"},
		{"nothing", 200, ``, target.NotSCIM, "what answers there (200) is not SCIM"},
		{"wrong token", 401, "", target.Unauthorized, "the application refuses the credential (401)"},
		{"wrong token at Casdoor", 200, `{"status":"error","msg":"Unauthorized operation"}`, target.Unauthorized, "the application refuses the credential, with status 200"},
		{"plan", 403, `{"detail":"SCIM is not enabled for this organization"}`, target.Forbidden, "the application's plan does not include provisioning (403)"},
		{"plan", 402, ``, target.Forbidden, "the application's plan does not include provisioning (402)"},
		{"scope", 403, ``, target.Forbidden, "the credential may not do this (403)"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(tt.status)
			fmt.Fprint(w, tt.body)
		}))
		_, err := adapter(t, scim.Config{URL: server.URL}, target.TransportConfig{}).Probe(t.Context(), nil)
		server.Close()
		if e := errorOf(t, err); e.Code != tt.code || e.Message != tt.message || e.Hint == "" || e.Op != "probe" {
			t.Errorf("%s: %+v", tt.name, e)
		}
	}
}

// Over TLS, behind a redirect that keeps method and body.
func TestTLSAndRedirect(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/scim/v2/") {
			w.Header().Set("Location", "/scim/v2"+r.URL.RequestURI())
			w.WriteHeader(http.StatusPermanentRedirect)
			return
		}
		if r.Header.Get("Authorization") != "Bearer planted-secret-token" {
			refuseWith(w, 401, "")
			return
		}
		f.ServeHTTP(w, r)
	}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	a := adapter(t, scim.Config{URL: server.URL}, target.TransportConfig{CAFile: ca, Auth: bearer("planted-secret-token")})
	r, err := a.Create(t.Context(), target.User, attributes(t, "userName", "ada"))
	if err != nil || f.held("Users", r.ID)["userName"] != "ada" {
		t.Fatal(r, err)
	}
	if traffic := a.Traffic(); traffic.Requests != 2 {
		t.Errorf("%+v", traffic)
	}
}

// The bound of values grows with the bound of bytes: a group of 300,000 members is read where it was raised.
func TestValuesGrowWithTheBody(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.seed("Groups", fmt.Sprintf(`{"displayName":"g","members":[%s{"value":"x"}]}`, strings.Repeat(`{"value":"x"},`, 300_000)))
	for mib, want := range map[int64]int{8: 0, 16: 1} {
		a := adapter(t, scim.Config{URL: f.url}, target.TransportConfig{MaxBody: mib << 20})
		groups := 0
		err := a.List(t.Context(), target.Group, func(page []target.Resource) error { groups += len(page); return nil })
		if groups != want || (err == nil) != (want == 1) {
			t.Errorf("%d MiB: %d groups, %v", mib, groups, err)
		}
	}
}

// A page too large for the bound is asked for again, smaller.
func TestPageTooLarge(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	for i := range 40 {
		f.seed("Groups", fmt.Sprintf(`{"displayName":"g%d","members":[{"value":"%s"}]}`, i, strings.Repeat("x", 1000)))
	}
	a := adapter(t, scim.Config{URL: f.url}, target.TransportConfig{MaxBody: 16 << 10})
	if got := listed(t, a, target.Group); len(got) != 40 {
		t.Errorf("%d groups", len(got))
	}
}
