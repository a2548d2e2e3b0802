package web_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"entrasync/cmd/internal/consentweb"
	"entrasync/cmd/internal/web"
	"entrasync/cmd/internal/webtest"
	"entrasync/state"
)

// inviting is the status page of a service with consent pages.
func inviting(t *testing.T) *bench {
	t.Helper()
	b := canned(t)
	b.signIn = true
	b.pages.Invite = func(i state.Invitation) (string, state.InvitationKey, error) {
		link, key, err := consentweb.Invite(b.store, consentweb.Settings{PublicURL: "https://sync.example.com", SignIn: b.signIn}, i)
		if errors.Is(err, consentweb.ErrOpenLink) {
			err = web.ErrOpenLink
		}
		return link, key, err
	}
	b.http = b.pages.Handler()
	return b
}

func (f form) with(values ...string) form {
	filled := form{values: url.Values{}, cookie: f.cookie}
	for name, value := range f.values {
		filled.values[name] = value
	}
	for i := 0; i < len(values); i += 2 {
		filled.values.Set(values[i], values[i+1])
	}
	return filled
}

func TestInvite(t *testing.T) {
	t.Parallel()
	b := inviting(t)
	page := b.get("/tenants")
	w := b.do(b.form("/tenants").with("note", "Contoso <Ltd>", "tenant", id(1).String(), "lasts", "7").post("/tenants", ""))
	at := strings.Index(w.Body.String(), "https://sync.example.com/consent/start?i=")
	if w.Code != 200 || at < 0 || !strings.Contains(w.Body.String(), "Contoso &lt;Ltd&gt;") {
		t.Fatalf("%d\n%s", w.Code, w.Body)
	}
	for _, body := range []string{page.Body.String(), w.Body.String()} {
		document, err := html.Parse(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range webtest.AccessFaults(document) {
			t.Error(fault)
		}
	}
	all, err := b.store.Invitations().All()
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	for _, i := range all {
		if i.Tenant != id(1) || i.Note != "Contoso <Ltd>" || i.Expires.Sub(now) < 7*24*time.Hour-time.Second || i.Expires.Sub(now) > 7*24*time.Hour {
			t.Errorf("%+v", i)
		}
	}
	link := w.Body.String()[at:]
	secret, _, _ := strings.Cut(link[strings.Index(link, "=")+1:], "<")
	if strings.Contains(b.log.String(), secret) {
		t.Errorf("the log has the link: %s", b.log)
	}
}

func TestInviteRefuses(t *testing.T) {
	t.Parallel()
	b := inviting(t)
	good := b.form("/tenants").with("note", "Contoso", "lasts", "7")
	foreign := good.post("/tenants", "")
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	for name, tt := range map[string]struct {
		request *http.Request
		status  int
	}{
		"another site":  {foreign, 403},
		"no token":      {form{cookie: good.cookie}.with("lasts", "7").post("/tenants", ""), 403},
		"no tenant id":  {good.with("tenant", "contoso").post("/tenants", ""), 400},
		"no such time":  {good.with("lasts", "365").post("/tenants", ""), 400},
		"a long note":   {good.with("note", strings.Repeat("x", 201)).post("/tenants", ""), 400},
		"without pages": {nil, 405},
	} {
		w := b
		if tt.request == nil {
			w, tt.request = canned(t), good.post("/tenants", "")
			if strings.Contains(w.get("/tenants").Body.String(), `method="post"`) {
				t.Errorf("%s: there is a form", name)
			}
		}
		got := w.do(tt.request)
		if got.Code != tt.status {
			t.Errorf("%s: status %d, want %d", name, got.Code, tt.status)
		}
		if body := got.Body.String(); tt.status == 400 && (!strings.Contains(body, "No link was made.") || !strings.Contains(body, `value="Contoso"`) && name != "a long note") {
			t.Errorf("%s: the form is lost: %s", name, body)
		}
	}
	b.signIn = false
	if w := b.do(good.post("/tenants", "")); w.Code != 400 || !strings.Contains(w.Body.String(), "Give the tenant ID: a link for any tenant needs consent.sign_in") {
		t.Errorf("a link for any tenant, without a sign-in: %d %s", w.Code, w.Body)
	}
	if all, err := b.store.Invitations().All(); err != nil || len(all) != 0 {
		t.Errorf("invitations %v, %v", all, err)
	}
	if w := b.do(good.with("tenant", id(1).String()).post("/tenants", "")); w.Code != 200 {
		t.Errorf("a link for one tenant: %d %s", w.Code, w.Body)
	}
}

// A link that went to the wrong place is taken back, with the token of the page alone; one that
// has been used is not.
func TestWithdraw(t *testing.T) {
	t.Parallel()
	b := inviting(t)
	b.invitations()
	good := b.form("/tenants")
	count := func(want int) {
		t.Helper()
		if all, err := b.store.Invitations().All(); err != nil || len(all) != want {
			t.Errorf("%d invitations, %v, want %d", len(all), err, want)
		}
	}
	count(7)
	for path, want := range map[string]int{"/invitations/05ab0000": 404, "/invitations/ffffffff": 404, "/invitations/01ab0000": 403} {
		request := good.post(path, "")
		if want == 403 {
			request = form{cookie: good.cookie}.post(path, "")
		}
		if w := b.do(request); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	count(7)
	w := b.do(good.post("/invitations/01ab0000", ""))
	if w.Code != 303 || w.Header().Get("Location") != "/tenants?withdrawn=1" || !strings.Contains(b.log.String(), "invitation withdrawn") {
		t.Errorf("%d to %s: %s", w.Code, w.Header().Get("Location"), b.log)
	}
	count(6)
}
