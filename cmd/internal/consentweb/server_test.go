package consentweb_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/cmd/internal/consentweb"
	"entrasync/graphsync"
	"entrasync/state"
)

// consents are the pages with an Entra that answers as a test says.
type consents struct {
	t       *testing.T
	store   *state.Store
	pages   *consentweb.Server
	handler http.Handler
	log     *lockedBuffer
	closed  atomic.Bool
	syncs   []consentweb.Sync
	brand   consentweb.Brand

	mu    sync.Mutex // protects what follows
	prove func(n int) error
	// proveTenant answers in place of prove where it is set.
	proveTenant func(graphsync.ID) error
	// provenAs is whose token is given, where that is another organization.
	provenAs graphsync.ID
	proofs   int
	joined   []graphsync.ID
	nonce    string // of the last sign-in that was asked for

	noSignIn atomic.Bool
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

var (
	fabrikam = graphsync.ID{0xfa}
	tailspin = graphsync.ID{0x7a}
)

func newConsents(t *testing.T) *consents {
	t.Helper()
	store, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	c := &consents{t: t, store: store, log: &lockedBuffer{}, prove: func(int) error { return nil }}
	c.pages = consentweb.New(consentweb.Server{
		Store: store, Log: slog.New(slog.NewTextHandler(c.log, nil)),
		Settings: func(graphsync.ID) (consentweb.Settings, bool) {
			return consentweb.Settings{Cloud: graphsync.Public, ClientID: "6a1e0000-0000-0000-0000-000000000001", PublicURL: "https://sync.example.com/join", Brand: c.brand,
				Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, SignIn: !c.noSignIn.Load()}, !c.closed.Load()
		},
		SignIn: func(_ context.Context, tenant graphsync.ID, _, _, _ string) (graphsync.SignedIn, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return graphsync.SignedIn{Tenant: tenant, Nonce: c.nonce, Username: "global@fabrikam.example"}, nil
		},
		Syncs: func() []consentweb.Sync { return c.syncs },
		Watch: time.Second,
		Prove: func(_ context.Context, tenant graphsync.ID) (graphsync.Organization, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.proofs++
			if !c.provenAs.IsZero() {
				tenant = c.provenAs
			}
			if c.proveTenant != nil {
				return graphsync.Organization{ID: tenant, Name: "Fabrikam"}, c.proveTenant(tenant)
			}
			return graphsync.Organization{ID: tenant, Name: "Fabrikam <b>Ltd</b>"}, c.prove(c.proofs)
		},
		Join: func(_ context.Context, o graphsync.Organization, _ state.Invitation) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.joined = append(c.joined, o.ID)
			return nil
		},
	})
	c.handler = c.pages.Handler()
	return c
}

// outcome returns who has joined so far and how many proofs were tried.
func (c *consents) outcome() (joined []graphsync.ID, proofs int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.joined), c.proofs
}

// invite returns the path of an invitation's link.
func (c *consents) invite(lasts time.Duration, tenant graphsync.ID) string {
	c.t.Helper()
	now := time.Now()
	link, _, err := consentweb.Invite(c.store, consentweb.Settings{PublicURL: "https://sync.example.com/join/", SignIn: true}, state.Invitation{Tenant: tenant, Note: "Fabrikam", Created: now, Expires: now.Add(lasts)})
	if err != nil {
		c.t.Fatal(err)
	}
	path, found := strings.CutPrefix(link, "https://sync.example.com")
	if !found || !strings.HasPrefix(path, "/join/consent/start?i=") {
		c.t.Fatalf("link %s", link)
	}
	return path
}

// A visitor is a browser.
type visitor struct {
	*consents
	cookie *http.Cookie
}

func (v *visitor) ask(method, path string, header ...string) *httptest.ResponseRecorder {
	v.t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if v.cookie != nil {
		r.AddCookie(v.cookie)
	}
	w := httptest.NewRecorder()
	v.handler.ServeHTTP(w, r)
	for _, cookie := range w.Result().Cookies() {
		v.cookie = cookie
	}
	return w
}

func (v *visitor) get(path string) *httptest.ResponseRecorder {
	v.t.Helper()
	return v.ask(http.MethodGet, path)
}

// leave opens an invitation and returns the state that Entra was given.
func (v *visitor) leave(link string) string {
	v.t.Helper()
	w := v.get(link)
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusFound || to.Host != "login.microsoftonline.com" {
		v.t.Fatalf("%s: %d to %q: %s", link, w.Code, to, w.Body)
	}
	if got := to.Query().Get("redirect_uri"); got != "https://sync.example.com/join/consent/callback" {
		v.t.Errorf("redirect_uri %s", got)
	}
	return to.Query().Get("state")
}

// back comes from Entra, signs in where that is asked for, and returns the page at the end.
func (v *visitor) back(state string, tenant graphsync.ID) *httptest.ResponseRecorder {
	v.t.Helper()
	w := v.get("/join/consent/callback?admin_consent=True&tenant=" + tenant.String() + "&state=" + url.QueryEscape(state))
	if to, err := url.Parse(w.Header().Get("Location")); err == nil && w.Code == http.StatusFound && to.Path == "/"+tenant.String()+"/oauth2/v2.0/authorize" {
		v.mu.Lock()
		v.nonce = to.Query().Get("nonce")
		v.mu.Unlock()
		return v.signedIn(to.Query().Get("state"))
	}
	if w.Code == http.StatusSeeOther {
		return v.get(strings.TrimPrefix(w.Header().Get("Location"), "https://sync.example.com"))
	}
	return w
}

func shows(t *testing.T, w *httptest.ResponseRecorder, status int, title string) {
	t.Helper()
	if w.Code != status || !strings.Contains(w.Body.String(), "<h1>"+title+"</h1>") && !strings.Contains(w.Body.String(), "<h2>"+title+"</h2>") {
		t.Errorf("status %d, want %d and %q:\n%s", w.Code, status, title, w.Body)
	}
}

func TestConsentCookie(t *testing.T) {
	t.Parallel()
	v := &visitor{consents: newConsents(t)}
	link := v.invite(time.Hour, fabrikam)
	state := v.leave(link)
	c := v.cookie
	if c.Name != "__Host-entrasync-consent" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || len(c.Value) < 26 {
		t.Errorf("cookie %+v", c)
	}
	if len(state) < 64 {
		t.Errorf("state %q", state)
	}
	// Two tabs of one browser: either may come back.
	second := v.leave(link)
	if v.cookie.Value != c.Value || second == state {
		t.Error("another tab has another cookie, or the same state")
	}
	shows(t, v.back(state, fabrikam), 200, "Your consent has arrived")
}

// What is stored does not let in a person who reads it.
func TestConsentKeepsHashesAlone(t *testing.T) {
	t.Parallel()
	v := &visitor{consents: newConsents(t)}
	link := v.invite(time.Hour, graphsync.ID{})
	state := v.leave(link)
	all, err := v.store.Invitations().All()
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	secret := link[strings.Index(link, "=")+1:]
	_, random, _ := strings.Cut(state, ".")
	for key, invitation := range all {
		for _, text := range []string{string(key[:]), string(invitation.Begun[0].State), string(invitation.Begun[0].Cookie)} {
			for _, secret := range []string{secret, random, v.cookie.Value} {
				if strings.Contains(text, secret) {
					t.Errorf("%q is kept", secret)
				}
			}
		}
	}
	if strings.Contains(v.log.String(), secret) || strings.Contains(v.log.String(), random) {
		t.Errorf("the log has a secret: %s", v.log)
	}
}

func TestConsentStatesAndBrowsers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConsents(t)
		v := &visitor{consents: c}
		link := c.invite(3*time.Hour, graphsync.ID{})

		state := v.leave(link)
		thief := &visitor{consents: c}
		shows(t, thief.back(state, fabrikam), 403, "This answer belongs to another browser")
		shows(t, v.back(state+"…Sign in to your account", fabrikam), 403, "This answer cannot be used")
		shows(t, v.back(state[:len(state)-1]+"!", fabrikam), 403, "This answer cannot be used")
		shows(t, v.back("", fabrikam), 403, "This answer cannot be used")

		time.Sleep(61 * time.Minute)
		shows(t, v.back(state, fabrikam), 410, "This link has expired")
		state = v.leave(link)
		shows(t, v.get("/join/consent/callback?admin_consent=True&error=access_denied&error_description=%3Cscript%3EAADSTS65004&state="+state), 200, "The consent was not given")
		shows(t, v.back(state, fabrikam), 403, "This answer cannot be used") // used up by the refusal

		state = v.leave(link)
		shows(t, v.back(state, fabrikam), 200, "Your consent has arrived")
		shows(t, v.back(state, fabrikam), 200, "Your consent has arrived") // loaded again
		shows(t, v.back(state, tailspin), 200, "Your consent has arrived") // changes nothing
		shows(t, thief.back(state, tailspin), 403, "This answer cannot be used")
		shows(t, thief.get(link), 409, "This link is in use")
		shows(t, thief.get("/join/consent/progress?j="+strings.Split(state, ".")[0]), 403, "This answer belongs to another browser")

		ctx, cancel := context.WithCancel(t.Context())
		go c.pages.Run(ctx)
		synctest.Wait()
		if len(c.joined) != 1 || c.joined[0] != fabrikam {
			t.Errorf("joined %v", c.joined)
		}
		w := v.back(state, fabrikam)
		shows(t, w, 200, "Your organization is connected")
		if !strings.Contains(w.Body.String(), "Fabrikam &lt;b&gt;Ltd") {
			t.Errorf("the name: %s", w.Body)
		}
		shows(t, thief.get(link), 410, "This link has been used")
		short := c.invite(time.Minute, graphsync.ID{})
		state = v.leave(short)
		time.Sleep(2 * time.Minute)
		shows(t, v.back(state, fabrikam), 410, "This link has expired")
		shows(t, v.get(short), 410, "This link has expired")
		cancel()
		synctest.Wait()
	})
}

// An error that no visit of this browser brings is no refusal: nothing of it is shown, and
// no operator is told that a customer refused.
func TestConsentUnasked(t *testing.T) {
	t.Parallel()
	v := &visitor{consents: newConsents(t)}
	state := v.leave(v.invite(time.Hour, graphsync.ID{}))
	stranger := &visitor{consents: v.consents}
	for _, w := range []*httptest.ResponseRecorder{
		v.get("/consent/callback?error=call+0123+456&error_description=AADSTS65004"),
		v.get("/consent/callback?error=call+0123+456&state=made-up"),
		stranger.get("/consent/callback?error=call+0123+456&state=" + state),
	} {
		if w.Code != 403 || strings.Contains(w.Body.String(), "0123") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if w := v.get("/consent/callback?error=call+0123+456&state=" + state); w.Code != 200 || strings.Contains(w.Body.String(), "0123") {
		t.Errorf("a visitor's own words on our page: %d %s", w.Code, w.Body)
	}
	if n := strings.Count(v.log.String(), "consent was not given"); n != 1 {
		t.Errorf("%d refusals in the log: %s", n, v.log)
	}
}

func TestConsentLooksAheadUseUpNothing(t *testing.T) {
	t.Parallel()
	v := &visitor{consents: newConsents(t)}
	link := v.invite(time.Hour, graphsync.ID{})
	for _, w := range []*httptest.ResponseRecorder{
		v.ask(http.MethodHead, link), v.ask(http.MethodGet, link, "Sec-Purpose", "prefetch;prerender"), v.ask(http.MethodGet, link, "Purpose", "prefetch"),
	} {
		if w.Code != http.StatusNoContent || w.Header().Get("Location") != "" || len(w.Result().Cookies()) > 0 {
			t.Errorf("%d, %v", w.Code, w.Header())
		}
	}
	if w := v.ask(http.MethodPost, link); w.Code == http.StatusFound {
		t.Errorf("POST: %d", w.Code)
	}
	// A scanner that follows links leaves the invitation good, however often it comes.
	for range 30 {
		(&visitor{consents: v.consents}).get(link)
	}
	all, err := v.store.Invitations().All()
	if err != nil {
		t.Fatal(err)
	}
	for _, invitation := range all {
		if len(invitation.Begun) > 16 {
			t.Errorf("%d visits are kept", len(invitation.Begun))
		}
	}
	v.leave(link)
}

func TestConsentIsLimited(t *testing.T) {
	t.Parallel()
	v := &visitor{consents: newConsents(t)}
	v.pages.Now = func() time.Time { return now } // however busy the machine is
	refused := 0
	for range 100 {
		if w := v.get("/consent/start?i=guess"); w.Code == http.StatusTooManyRequests {
			refused++
			if w.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		} else {
			shows(t, w, 404, "This link is not valid")
		}
	}
	if refused < 30 {
		t.Errorf("%d of 100 were refused", refused)
	}
	r := httptest.NewRequest(http.MethodGet, "/consent/start?i=guess", nil)
	r.RemoteAddr = "198.51.100.7:4711"
	w := httptest.NewRecorder()
	v.handler.ServeHTTP(w, r)
	shows(t, w, 404, "This link is not valid")
}

// Nothing of the request decides where a browser is sent.
func TestConsentRedirectsNowhereElse(t *testing.T) {
	t.Parallel()
	v := &visitor{consents: newConsents(t)}
	link := v.invite(time.Hour, graphsync.ID{})
	r := httptest.NewRequest(http.MethodGet, link+"&redirect_uri=https://evil.example/&state=x", nil)
	r.Host = "evil.example"
	r.Header.Set("X-Forwarded-Host", "evil.example")
	w := httptest.NewRecorder()
	v.handler.ServeHTTP(w, r)
	if to := w.Header().Get("Location"); !strings.HasPrefix(to, "https://login.microsoftonline.com/organizations/v2.0/adminconsent?") || strings.Contains(to, "evil") {
		t.Errorf("to %s", to)
	}
	for _, path := range []string{"//evil.example/consent/start", "/join//evil.example", "/consent/../consent/start", "/", "/healthz", "/assets/style.css", "/consent/"} {
		w := v.get(path)
		if to, err := url.Parse(w.Header().Get("Location")); err != nil || to.Host != "" {
			t.Errorf("%s: %d to %s", path, w.Code, to)
		}
	}
	if w := v.get("/join/consent/style.css"); w.Code != 200 || w.Header().Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("style sheet: %d %v", w.Code, w.Header())
	}
}
