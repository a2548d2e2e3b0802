package graphtest

import (
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"time"

	"entrasync/graphsync"
)

// An account is who sits at the browser. Only two directory roles may consent to application
// permissions of Graph ("Grant tenant-wide admin consent to an application").
type account struct {
	Key, Label string
	may        bool
	elsewhere  bool // of another organization
}

func accounts() []account {
	return []account{
		{Key: "global", Label: "Global Administrator", may: true},
		{Key: "privileged", Label: "Privileged Role Administrator", may: true},
		{Key: "cloudapp", Label: "Cloud Application Administrator"},
		{Key: "employee", Label: "Employee without a directory role"},
		{Key: "stranger", Label: "Global Administrator of another organization", may: true, elsewhere: true},
	}
}

// An identity is an account of a tenant. It is no user in the directory, so that who clicks
// through pages is in no sync.
type identity struct {
	account
	tenant *Tenant
}

func (i identity) objectID() graphsync.ID { return newID(i.tenant.ID().String(), "account", i.Key) }

func (i identity) username() string { return i.Key + "@" + i.tenant.Domain() }

// choices are the tenants one may choose from.
func (bp browserPages) choices() []*Tenant {
	if bp.call.tenant != nil {
		return []*Tenant{bp.call.tenant}
	}
	return bp.call.s.Tenants()
}

// decision reads the form of a page: who has accepted. Who cancels need not say who it is.
func (bp browserPages) decision(tenants []*Tenant) (who identity, accepted bool, refusal *tokenError) {
	if err := bp.call.r.ParseForm(); err != nil {
		return identity{}, false, aadsts(900144, "invalid_request", "The form could not be read.")
	}
	form := bp.call.r.PostForm
	if form.Get("decision") == "cancel" {
		return identity{}, false, nil
	}
	at := slices.IndexFunc(accounts(), func(a account) bool { return a.Key == form.Get("account") })
	chosen := slices.IndexFunc(tenants, func(t *Tenant) bool { return t.ID().String() == form.Get("tenant") })
	if form.Get("decision") != "accept" || at < 0 || chosen < 0 {
		return identity{}, false, aadsts(900144, "invalid_request", "The form must name a tenant, an account and a decision.")
	}
	who = identity{accounts()[at], tenants[chosen]}
	if bp.call.tenant == nil { // at organizations the one chosen is the account's own
		who.elsewhere = false
	}
	return who, true, nil
}

// admits reports whether an account may sign in at the tenant of the link.
func (bp browserPages) admits(who identity) bool {
	return bp.call.tenant == nil || bp.call.tenant == who.tenant && !who.elsewhere
}

func (bp browserPages) notOfTenant(app application) *tokenError {
	return aadsts(50020, "invalid_request", "User account from identity provider does not exist in tenant '%s' and cannot access the application '%s' in that tenant. The account needs to be added as an external user in the tenant first.", bp.call.tenant.Name(), app.ClientID)
}

func adminOnly(app application) *tokenError {
	return aadsts(90094, "consent_required", "%s needs permission to access resources in your organization that only an admin can grant. Please ask an admin to grant permission to this app before you can use it.", app.Name)
}

// sessionCookie is Entra's name for the cookie by which a browser is signed in ("Web browser
// cookies used in Microsoft Entra authentication"); a session ends after a day.
const (
	sessionCookie   = "ESTSAUTH"
	sessionLifetime = 24 * time.Hour
)

type session struct {
	identity
	ends time.Time
}

// remember signs the browser in with a response.
func (bp browserPages) remember(who identity, a *Response) *Response {
	now := bp.call.now()
	cookie := http.Cookie{Name: sessionCookie, Value: rand.Text(), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode}
	bp.call.s.mu.Lock()
	defer bp.call.s.mu.Unlock()
	maps.DeleteFunc(bp.call.s.sessions, func(_ string, s session) bool { return !now.Before(s.ends) })
	bp.call.s.sessions[cookie.Value] = session{who, now.Add(sessionLifetime)}
	a.Header.Add("Set-Cookie", cookie.String())
	return a
}

// signedIn returns who the browser is signed in as.
func (bp browserPages) signedIn() (identity, bool) {
	cookie, err := bp.call.r.Cookie(sessionCookie)
	if err != nil {
		return identity{}, false
	}
	bp.call.s.mu.Lock()
	defer bp.call.s.mu.Unlock()
	s, known := bp.call.s.sessions[cookie.Value]
	return s.identity, known && bp.call.now().Before(s.ends)
}
