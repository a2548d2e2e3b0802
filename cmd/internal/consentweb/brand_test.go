package consentweb_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"entrasync/cmd/internal/consentweb"
	"entrasync/cmd/internal/webtest"
)

const logoSVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 32"><rect width="96" height="32" rx="6" fill="#1f6468"/></svg>`

var branded = consentweb.Brand{
	Name: "Proseware <Sync>", Support: "mailto:help@example.com", Privacy: "https://www.example.com/privacy#sync",
	Logo: func() ([]byte, string, error) { return []byte(logoSVG), "image/svg+xml", nil },
}

// Each page shows whom the administrator connects to, and its policy allows the logo and no other image.
func TestConsentBrand(t *testing.T) {
	t.Parallel()
	c := newConsents(t)
	v := &visitor{consents: c}
	used, refused := v.leave(v.invite(time.Hour, fabrikam)), v.leave(v.invite(time.Hour, fabrikam))
	for name, tt := range map[string]struct {
		brand        consentweb.Brand
		image, allow string
	}{
		"none":      {consentweb.Brand{}, "", "'none'"},
		"served":    {branded, "/join/consent/logo", "https://sync.example.com/join/consent/logo"},
		"elsewhere": {consentweb.Brand{Name: branded.Name, LogoURL: "https://cdn.example.com:8443/a;b,c/logo.png?v=2"}, "https://cdn.example.com:8443/a;b,c/logo.png?v=2", "https://cdn.example.com:8443/a%3Bb%2Cc/logo.png"},
	} {
		c.brand = tt.brand
		pages := map[string]string{
			"/join/":                      "There is no such page",
			"/join/consent/start?i=guess": "This link is not valid",
			"/join/consent/callback?error=access_denied&state=" + refused: "",
		}
		progress := v.back(used, fabrikam)
		for path := range pages {
			w := v.get(path)
			if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "img-src "+tt.allow+";") {
				t.Errorf("%s: %s has the policy %s", name, path, policy)
			}
			body := w.Body.String()
			if named := strings.Contains(body, " · Proseware &lt;Sync&gt;</title>"); named != (tt.brand.Name != "") {
				t.Errorf("%s: %s", name, body)
			}
			if tt.image == "" && (strings.Contains(body, "<img") || strings.Contains(body, "<header")) || tt.image != "" && !strings.Contains(body, `<img class="logo" src="`+tt.image+`"`) {
				t.Errorf("%s: no image %s: %s", name, tt.image, body)
			}
		}
		if policy := progress.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "img-src "+tt.allow+";") {
			t.Errorf("%s: the progress page has the policy %s", name, policy)
		}
		if body := progress.Body.String(); strings.Contains(body, "Connecting your organization to <bdi>Proseware &lt;Sync&gt;</bdi></h1>") != (tt.brand.Name != "") {
			t.Errorf("%s: %s", name, body)
		}
	}
	c.brand = branded
	w := v.get("/join/")
	for _, link := range []string{`<a href="mailto:help@example.com" rel="noopener noreferrer">Support</a>`, `<a href="https://www.example.com/privacy#sync" rel="noopener noreferrer">Privacy</a>`} {
		if !strings.Contains(w.Body.String(), link) {
			t.Errorf("no %s in %s", link, w.Body)
		}
	}
	document, err := html.Parse(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range webtest.AccessFaults(document) {
		t.Error(fault)
	}
	c.closed.Store(true)
	if w := v.get("/join/"); w.Code != 503 || strings.Contains(w.Body.String(), "Proseware") {
		t.Errorf("closed: %d %s", w.Code, w.Body)
	}
}

// The logo is served from one path, with its type, and cannot act as a document of these pages.
func TestConsentLogo(t *testing.T) {
	t.Parallel()
	c := newConsents(t)
	v := &visitor{consents: c}
	shows(t, v.get("/join/consent/logo"), 404, "There is no such page")
	c.brand = branded
	for _, path := range []string{"/join/consent/logo", "/consent/logo"} {
		w := v.get(path)
		h := w.Header()
		if w.Code != 200 || w.Body.String() != logoSVG || h.Get("Content-Type") != "image/svg+xml" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v %s", path, w.Code, h, w.Body)
		}
		if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "; sandbox;") || strings.Contains(policy, "script") || strings.Contains(policy, "allow-") {
			t.Errorf("%s: policy %s", path, policy)
		}
	}
	c.brand.Logo = func() ([]byte, string, error) { return nil, "", errors.New("cannot read /etc/logo.svg") }
	if w := v.get("/join/consent/logo"); w.Code != 404 || strings.Contains(w.Body.String(), "/etc") || !strings.Contains(c.log.String(), "cannot read /etc/logo.svg") {
		t.Errorf("%d %s, log %s", w.Code, w.Body, c.log)
	}
	c.brand = branded
	v.pages.Now = func() time.Time { return now }
	limited := 0
	for range 100 {
		if v.get("/join/consent/logo").Code == 429 {
			limited++
		}
	}
	if limited < 30 {
		t.Errorf("%d of 100 requests were limited", limited)
	}
}
