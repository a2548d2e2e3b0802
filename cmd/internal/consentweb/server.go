// Package consentweb is the pages on which the administrator of another tenant joins: an invitation's link leads to
// Entra's consent page, and what comes back from there is a claim that counts only once it has been proven.
//
// It is not the operator's page, package web: anyone who has a link is served, on an address of its own, and sees figures of
// their own tenant and nothing of the application or of other tenants. The two packages share the ground they stand on,
// webserver, and nothing else.
//
// It promises that of invitations and their visits only hashes are kept, and that nothing a browser says is believed: a
// claim is accepted from the browser that made the visit, once, and [Server.Run] then proves it by reading the tenant.
package consentweb

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"entrasync/cmd/internal/webserver"
	"entrasync/graphsync"
	"entrasync/state"
)

// The addresses below the public URL. The callback is the redirect URI to register with the app.
const (
	startPath    = "/consent/start"
	callbackPath = "/consent/callback"
	progressPath = "/consent/progress"
	stylePath    = "/consent/style.css"
	logoPath     = "/consent/logo"
	noticePath   = "/consent/notifications"
)

const (
	visitTime   = time.Hour // to sign in, read and accept
	visitsKept  = 16        // of one invitation, the newest
	rememberFor = 7 * 24 * time.Hour
)

// A Sync is one sync of one tenant, as far as the progress page shows its first cycle.
type Sync struct {
	Name   string
	Tenant graphsync.ID
	Paused bool // no cycle is planned for it
}

// A Server answers the administrators of other tenants.
type Server struct {
	Store *state.Store
	// Settings are those of the present configuration for a tenant, zero for one that is not
	// known yet; ok is false when the configuration has no consent pages any more.
	Settings func(graphsync.ID) (settings Settings, ok bool)
	// Prove reads the organization with a new token of the app in that tenant, and fails unless
	// the token is the tenant's and has every permission that is needed.
	Prove func(context.Context, graphsync.ID) (graphsync.Organization, error)
	// SignIn redeems what the sign-in page of a tenant led back with; nil where Settings never ask for
	// a sign-in.
	SignIn func(ctx context.Context, tenant graphsync.ID, code, redirect, verifier string) (graphsync.SignedIn, error)
	// Join makes a proven tenant one of those that are synced. It may be called again.
	Join func(context.Context, graphsync.Organization, state.Invitation) error
	// Syncs are all syncs there are, of which the progress page shows those of the tenant; may be nil.
	Syncs func() []Sync
	// Notifications receives change notifications at [NotificationsURL]; nil for none.
	Notifications http.Handler
	Log           *slog.Logger
	Now           func() time.Time

	FirstWait  time.Duration // between the first two proofs, twice as long after each; default 2 s
	MaxElapsed time.Duration // how long a consent may take to be seen everywhere; default 15 minutes
	Watch      time.Duration // how long one progress page stays open, default 25 s: proxies cut longer responses off

	wake     chan struct{}
	limits   *webserver.Visitors
	watchers chan struct{} // has a place for each answer that still tells
}

// New returns a server with defaults for what c leaves out.
func New(c Server) *Server {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.FirstWait <= 0 {
		c.FirstWait = 2 * time.Second
	}
	if c.MaxElapsed <= 0 {
		c.MaxElapsed = 15 * time.Minute
	}
	if c.Watch <= 0 {
		c.Watch = 25 * time.Second
	}
	c.wake, c.limits, c.watchers = make(chan struct{}, 1), &webserver.Visitors{}, make(chan struct{}, watchersAtOnce)
	return &c
}

// Settings are what links are made of.
type Settings struct {
	Cloud     graphsync.Cloud
	ClientID  string
	PublicURL string         // how browsers reach the pages
	Proxies   []netip.Prefix // whose X-Forwarded-For is believed, in addition to this machine's
	Brand     Brand          // what the pages show of whom an administrator connects to
	SignIn    bool           // a link for any tenant takes a sign-in there; without it there are no such links
}

// ErrOpenLink says that an invitation would be for any tenant, without a sign-in. Anyone with
// such a link could claim an organization that consented earlier, by its id.
var ErrOpenLink = errors.New("a link for any tenant needs consent.sign_in, which is switched off")

// allows reports whether an invitation may be used.
func (s *Settings) allows(i *state.Invitation) bool { return s.SignIn || !i.Tenant.IsZero() }

// Invite makes an invitation and returns its link. Only who has the link can use it, once. The error
// is [ErrOpenLink] where the invitation has to be for one tenant.
func Invite(store *state.Store, settings Settings, invitation state.Invitation) (link string, key state.InvitationKey, err error) {
	if !settings.allows(&invitation) {
		return "", key, ErrOpenLink
	}
	secret := rand.Text() // 130 bits
	key = sha256.Sum256([]byte(secret))
	if err := store.Invitations().Put(key, invitation); err != nil {
		return "", key, fmt.Errorf("keep invitation: %w", err)
	}
	return settings.at(startPath) + "?i=" + secret, key, nil
}

// RedirectURI is the redirect URI that the app registration must have.
func RedirectURI(publicURL string) string {
	return strings.TrimSuffix(publicURL, "/") + callbackPath
}

// NotificationsURL is where Graph posts change notifications: on these pages' address, as Graph reaches no other.
func NotificationsURL(publicURL string) string {
	return strings.TrimSuffix(publicURL, "/") + noticePath
}

// Serve answers requests until ctx ends and then returns nil, after those under way. The listener is closed.
func (c *Server) Serve(ctx context.Context, listener net.Listener) error {
	return webserver.Serve(ctx, listener, c.Handler(), c.Log)
}

// Handler returns the pages.
func (c *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+startPath, c.visit(c.start))
	mux.HandleFunc("GET "+callbackPath, c.visit(c.callback))
	mux.HandleFunc("GET "+progressPath, c.visit(c.progress))
	mux.HandleFunc("GET "+stylePath, webserver.Style)
	mux.HandleFunc("GET "+logoPath, c.logo)
	if c.Notifications != nil {
		mux.Handle("POST "+noticePath, c.Notifications)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { c.write(w, noticeNothing) })
	return webserver.Headers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		settings, open := c.Settings(graphsync.ID{})
		if !open {
			c.write(w, noticeClosed)
			return
		}
		// A proxy may pass on the path of the public URL or leave it out.
		if u, err := url.Parse(settings.PublicURL); err == nil && len(u.Path) > 1 {
			if rest, found := strings.CutPrefix(r.URL.Path, strings.TrimSuffix(u.Path, "/")); found && strings.HasPrefix(rest, "/consent/") {
				r.URL.Path, r.URL.RawPath = rest, ""
			}
		}
		if settings.secure() {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		mux.ServeHTTP(w, r)
	}))
}

func (s *Settings) secure() bool { return strings.HasPrefix(s.PublicURL, "https://") }

// at is the address of a page.
func (s *Settings) at(path string) string { return strings.TrimSuffix(s.PublicURL, "/") + path }

// visit answers only what a person at a browser asks: what looks ahead must not use up anything.
func (c *Server) visit(page func(http.ResponseWriter, *http.Request, Settings)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		settings, _ := c.Settings(graphsync.ID{})
		ahead := r.Header.Get("Sec-Purpose") + r.Header.Get("Purpose") + r.Header.Get("X-Moz")
		switch {
		case r.Method == http.MethodHead || strings.Contains(strings.ToLower(ahead), "prefetch"):
			w.WriteHeader(http.StatusNoContent)
		case !c.limits.Allow(webserver.VisitorOf(r, settings.Proxies), c.Now()):
			w.Header().Set("Retry-After", "10")
			w.Header().Set("Connection", "close") // it keeps no place
			c.write(w, noticeTooMany)
		default:
			page(w, r, settings)
		}
	}
}

// start sends the administrator to Entra.
func (c *Server) start(w http.ResponseWriter, r *http.Request, settings Settings) {
	key := state.InvitationKey(sha256.Sum256([]byte(r.URL.Query().Get("i"))))
	cookie, fresh := cookieOf(r, settings)
	text := base64.RawURLEncoding.EncodeToString(key[:]) + "." + rand.Text()
	now := c.Now().UTC()
	var invitation state.Invitation
	err := c.change(key, func(i *state.Invitation) error {
		invitation = *i
		switch {
		case i.Claim != nil && i.Claim.Joined:
			return errUsed
		case !now.Before(i.Expires):
			return errExpired
		case i.Claim.Proving():
			return errProving
		case !settings.allows(i):
			return ErrOpenLink
		}
		i.Begun = slices.DeleteFunc(i.Begun, func(v state.ConsentVisit) bool { return !now.Before(v.Expires) })
		i.Begun = append(i.Begun, state.ConsentVisit{State: hash(text), Cookie: hash(cookie), Expires: now.Add(visitTime)})
		i.Begun = i.Begun[max(0, len(i.Begun)-visitsKept):]
		i.Declined = nil
		return nil
	})
	if claimedBy(&invitation, cookie, err) {
		toProgress(w, settings, key)
		return
	}
	if err != nil {
		c.refuse(w, r, err, "note", invitation.Note)
		return
	}
	if fresh != nil {
		http.SetCookie(w, fresh)
	}
	// A tenant of the configuration may have an app and a cloud of its own.
	own, _ := c.Settings(invitation.Tenant)
	w.Header().Set("Location", own.Cloud.ConsentURL(graphsync.ConsentRequest{
		Tenant: invitation.Tenant, ClientID: own.ClientID, Redirect: RedirectURI(settings.PublicURL), State: text,
	}))
	w.WriteHeader(http.StatusFound)
}

// callback takes what came back from Entra: an error is never a consent, a state must be that of
// a visit of this browser, and a tenant is yet to be proven.
func (c *Server) callback(w http.ResponseWriter, r *http.Request, settings Settings) {
	query := r.URL.Query()
	cookie, _ := cookieOf(r, settings)
	key, known := keyOf(query.Get("state"))
	if !known {
		c.refuse(w, r, errState)
		return
	}
	if query.Has("code") || query.Has("error") && c.signsIn(key, query.Get("state")) {
		c.signedIn(w, r, settings, key, cookie)
		return
	}
	response := graphsync.ReadConsentResponse(query)
	now := c.Now().UTC()
	next := base64.RawURLEncoding.EncodeToString(key[:]) + "." + rand.Text() // state of a sign-in
	signs := false
	var invitation state.Invitation
	var refusal error
	err := c.change(key, func(i *state.Invitation) error {
		invitation = *i
		at := slices.IndexFunc(i.Begun, func(v state.ConsentVisit) bool { return equal(v.State, hash(response.State)) })
		if at < 0 {
			return errState
		}
		visit := i.Begun[at]
		if !equal(visit.Cookie, hash(cookie)) {
			return errBrowser
		}
		i.Begun = slices.Delete(slices.Clone(i.Begun), at, at+1) // a state serves once, whatever the outcome
		switch {
		case response.Err != nil:
			i.Declined = declined(response.Err, now)
		case !now.Before(visit.Expires), !now.Before(i.Expires):
			refusal = errExpired
		case i.Claim != nil && i.Claim.Joined:
			refusal = errUsed
		case i.Claim.Proving():
			refusal = errProving
		case !i.Tenant.IsZero() && i.Tenant != response.Tenant:
			refusal = errTenant
		case !settings.allows(i):
			refusal = ErrOpenLink
		default:
			i.Begun, i.Declined = nil, nil
			i.Claim = &state.ConsentClaim{Tenant: response.Tenant, Cookie: hash(cookie), Since: now}
			if signs = settings.SignIn && i.Tenant.IsZero(); signs {
				i.Claim.SignIn = hash(next)
			}
		}
		return nil
	})
	about := []any{"invitation", key.Name(), "note", invitation.Note, "tenant", response.Tenant}
	if !invitation.Tenant.IsZero() {
		about = append(about, "invited", invitation.Tenant)
	}
	switch {
	case claimedBy(&invitation, cookie, errors.Join(err, refusal)):
		toProgress(w, settings, key)
	case err == nil && response.Err != nil:
		c.Log.Warn("consent was not given", append(about, "class", response.Err.Class, "code", response.Err.Code, "message", response.Err.Message)...)
		c.write(w, noticeRefused.with(response.Err.Message, response.Err.Hint))
	case err != nil || refusal != nil:
		c.refuse(w, r, errors.Join(err, refusal), about...)
	case signs:
		w.Header().Set("Location", settings.Cloud.SignInURL(graphsync.SignInRequest{
			Tenant: response.Tenant, ClientID: settings.ClientID, Redirect: RedirectURI(settings.PublicURL),
			State: next, Nonce: derived("nonce", cookie, next), Verifier: derived("verifier", cookie, next),
		}))
		w.WriteHeader(http.StatusFound)
	default:
		c.Log.Info("consent is claimed and will be proven", about...)
		c.wakeProver()
		toProgress(w, settings, key)
	}
}

// claimedBy reports whether a page was refused because of a claim that came from this very browser: its link opened
// again, or its response loaded again. That browser may see its progress page; any other learns nothing of the claim.
func claimedBy(i *state.Invitation, cookie string, refused error) bool {
	for _, reason := range []error{errState, errProving, errUsed} {
		if errors.Is(refused, reason) {
			return i.Claim != nil && equal(i.Claim.Cookie, hash(cookie))
		}
	}
	return false
}

// declined is what is kept of a refusal. Only our own words and a code in the form of OAuth's: the description
// that comes with it is written by anyone who has the link.
func declined(refusal *graphsync.Error, at time.Time) *state.ConsentRefusal {
	reason := strings.TrimSuffix(webserver.Sentence(refusal.Message), ".")
	if oauthCode.MatchString(refusal.Code) {
		reason += " (" + refusal.Code + ")"
	}
	return &state.ConsentRefusal{At: at.UTC().Truncate(time.Second), Reason: reason}
}

// oauthCode is the form of the error codes of OAuth 2.0 (RFC 6749, section 4.1.2.1) and of Entra's own.
var oauthCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// change changes an invitation. Most requests of those who guess end with a look.
func (c *Server) change(key state.InvitationKey, change func(*state.Invitation) error) error {
	if _, err := c.Store.Invitations().Get(key); err != nil {
		return err
	}
	return c.Store.Invitations().Change(key, change)
}

// Reasons to refuse a page. Each has a text.
var (
	errUsed    = errors.New("the invitation has been used")
	errExpired = errors.New("the invitation has expired")
	errProving = errors.New("the invitation is in use")
	errState   = errors.New("unknown or expired state parameter")
	errBrowser = errors.New("the state parameter belongs to another browser")
	errTenant  = errors.New("the invitation is for another tenant")
	errClosed  = errors.New("the consent pages have been closed")
)

var refusals = map[error]notice{
	state.ErrNoInvitation: noticeUnknown, errUsed: noticeUsed, errExpired: noticeExpired, errProving: noticeInUse,
	errState: noticeState, errBrowser: noticeBrowser, errTenant: noticeTenant, errClosed: noticeClosed,
	ErrOpenLink: noticeOpen,
}

func (c *Server) refuse(w http.ResponseWriter, r *http.Request, err error, about ...any) {
	for reason, notice := range refusals {
		if errors.Is(err, reason) {
			c.Log.Warn("consent page refused", append([]any{"page", r.URL.Path, "because", reason.Error()}, about...)...)
			c.write(w, notice)
			return
		}
	}
	c.Log.Error("consent page", "page", r.URL.Path, "error", err)
	c.write(w, noticeFailed)
}

func toProgress(w http.ResponseWriter, settings Settings, key state.InvitationKey) {
	w.Header().Set("Location", settings.at(progressPath)+"?j="+base64.RawURLEncoding.EncodeToString(key[:]))
	w.WriteHeader(http.StatusSeeOther)
}

// cookieOf returns the browser's cookie, or a fresh one to set.
func cookieOf(r *http.Request, settings Settings) (value string, fresh *http.Cookie) {
	name, secure := "entrasync-consent", settings.secure()
	if secure {
		name = "__Host-" + name
	}
	if cookie, err := r.Cookie(name); err == nil && len(cookie.Value) == 26 {
		return cookie.Value, nil
	}
	// Lax: Entra leads back with a navigation from its own site.
	fresh = &http.Cookie{Name: name, Value: rand.Text(), Path: "/", MaxAge: int(rememberFor / time.Second), Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	return fresh.Value, fresh
}

// keyOf reads the invitation out of a state. Some flows append text to a state; such a one is
// not guessed at.
func keyOf(text string) (key state.InvitationKey, ok bool) {
	first, random, _ := strings.Cut(text, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil || len(raw) != len(key) || len(random) != 26 {
		return key, false
	}
	return state.InvitationKey(raw), true
}

func hash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
