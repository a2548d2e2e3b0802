package consentweb_test

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// only is the one invitation there is.
func (c *consents) only() state.Invitation {
	c.t.Helper()
	all, err := c.store.Invitations().All()
	if err != nil || len(all) != 1 {
		c.t.Fatalf("%d invitations, %v", len(all), err)
	}
	for _, i := range all {
		return i
	}
	panic("unreachable")
}

// refuse comes back from Entra's page without a consent.
func (v *visitor) refuse(state, code, description string) {
	v.t.Helper()
	shows(v.t, v.get("/join/consent/callback?"+url.Values{"error": {code}, "error_description": {description}, "state": {state}}.Encode()), 200, "The consent was not given")
}

// A refusal on Microsoft's page is kept with its time and reason until the link is opened again. The link still works.
func TestConsentDeclined(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ code, description, reason string }{
		"cancelled":            {"access_denied", "AADSTS65004: User declined to consent", "The consent was declined (access_denied)"},
		"no description":       {"access_denied", "", "The consent was declined (access_denied)"},
		"not an administrator": {"consent_required", "AADSTS90094: The grant requires admin permission", "The account may not consent for the organization (consent_required)"},
		"Entra's own fault":    {"server_error", "", "Microsoft Entra did not give the consent (server_error)"},
		"the visitor's words":  {"call 0123\x1b[31m " + strings.Repeat("x", 5000), "<b>call 0123</b>", "Microsoft Entra did not give the consent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := &visitor{consents: newConsents(t)}
				link := v.invite(48*time.Hour, fabrikam)
				opened := v.leave(link)
				time.Sleep(time.Minute)
				v.refuse(opened, tt.code, tt.description)
				i := v.only()
				if i.Declined == nil || i.Declined.Reason != tt.reason || !i.Declined.At.Equal(time.Now().UTC().Truncate(time.Second)) || i.Status(time.Now()) != "declined" {
					t.Fatalf("%s: %+v", i.Status(time.Now()), i.Declined)
				}
				// An old response loaded again, and one that is of no visit, change nothing.
				time.Sleep(time.Minute)
				shows(t, v.get("/join/consent/callback?error=server_error&state="+url.QueryEscape(opened)), 403, "This answer cannot be used")
				if again := v.only(); *again.Declined != *i.Declined {
					t.Errorf("changed to %+v", again.Declined)
				}
				// The next visit clears it, and may succeed.
				second := v.leave(link)
				if i := v.only(); i.Declined != nil || i.Status(time.Now()) != "opened" {
					t.Errorf("opened again it is %s: %+v", i.Status(time.Now()), i.Declined)
				}
				shows(t, v.back(second, fabrikam), 200, "Your consent has arrived")
				if i := v.only(); i.Status(time.Now()) != "checking" {
					t.Errorf("accepted it is %s", i.Status(time.Now()))
				}
			})
		})
	}
}

// Of two tabs, one declines and the other accepts: the consent counts.
func TestConsentDeclinedInAnotherTab(t *testing.T) {
	t.Parallel()
	v := &visitor{consents: newConsents(t)}
	link := v.invite(time.Hour, fabrikam)
	first, second := v.leave(link), v.leave(link)
	v.refuse(first, "access_denied", "")
	shows(t, v.back(second, fabrikam), 200, "Your consent has arrived")
	if i := v.only(); i.Declined != nil || i.Status(time.Now()) != "checking" {
		t.Errorf("it is %s: %+v", i.Status(time.Now()), i.Declined)
	}
}

// A response without a visit of this browser declines nothing.
func TestConsentDeclinedByAnotherBrowser(t *testing.T) {
	t.Parallel()
	v := &visitor{consents: newConsents(t)}
	opened := v.leave(v.invite(time.Hour, fabrikam))
	stranger := &visitor{consents: v.consents}
	for _, state := range []string{opened, "made-up", ""} {
		if w := stranger.get("/join/consent/callback?error=access_denied&state=" + url.QueryEscape(state)); w.Code != 403 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if i := v.only(); i.Declined != nil || i.Status(time.Now()) != "opened" {
		t.Errorf("it is %s: %+v", i.Status(time.Now()), i.Declined)
	}
}

// A consent that was declined in one tab and then succeeds with a sign-in in another is not declined.
func TestSignInClearsDeclined(t *testing.T) {
	t.Parallel()
	v := &visitor{consents: newConsents(t)}
	link := v.invite(time.Hour, graphsync.ID{})
	first, second := v.leave(link), v.leave(link)
	v.refuse(first, "access_denied", "")
	shows(t, v.back(second, fabrikam), 200, "Your consent has arrived")
	if i := v.only(); i.Declined != nil || i.Claim.By == "" {
		t.Errorf("kept: %+v, claim %+v", i.Declined, i.Claim)
	}
}

// The browser that connected an organization sees that on the used link. Any other learns nothing of the organization.
func TestConsentUsedLink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConsents(t)
		v, other := &visitor{consents: c}, &visitor{consents: c}
		link := c.invite(24*time.Hour, graphsync.ID{})
		tab, late := v.leave(link), v.leave(link)
		others := other.leave(link)
		v.back(tab, fabrikam)
		go c.pages.Run(t.Context())
		synctest.Wait()
		follow := func(v *visitor, path string) string {
			t.Helper()
			w := v.get(path)
			if w.Code != 303 {
				t.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
			w = v.get(strings.TrimPrefix(w.Header().Get("Location"), "https://sync.example.com"))
			shows(t, w, 200, "Your organization is connected")
			return w.Body.String()
		}
		back := "/join/consent/callback?admin_consent=True&tenant=" + fabrikam.String() + "&state="
		for _, path := range []string{link, back + url.QueryEscape(tab), back + url.QueryEscape(late), "/join/consent/callback?error=access_denied&state=" + url.QueryEscape(late)} {
			if text := follow(v, path); !strings.Contains(text, "You are connected.") || !strings.Contains(text, "Fabrikam") {
				t.Errorf("%s: %s", path, text)
			}
		}
		for _, w := range []string{
			other.get(link).Body.String(), (&visitor{consents: c}).get(link).Body.String(),
			other.get(back + url.QueryEscape(others)).Body.String(), other.get(back + url.QueryEscape(tab)).Body.String(),
		} {
			if strings.Contains(w, "Fabrikam") || strings.Contains(w, "ou are connected") || strings.Contains(w, fabrikam.String()) {
				t.Errorf("another browser is told: %s", w)
			}
		}
		shows(t, other.get(link), 410, "This link has been used")
		if i := c.only(); i.Declined != nil {
			t.Errorf("declined after the end: %+v", i.Declined)
		}
	})
}
