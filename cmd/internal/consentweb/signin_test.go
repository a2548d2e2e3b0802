package consentweb_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/cmd/internal/consentweb"
	"entrasync/graphsync"
	"entrasync/state"
)

// signing makes the pages ask for a sign-in, which ends as how says.
func (c *consents) signing(how func(tenant graphsync.ID, nonce, verifier string) (graphsync.SignedIn, error)) (nonce *string) {
	nonce = new(string)
	c.pages.SignIn = func(_ context.Context, tenant graphsync.ID, code, redirect, verifier string) (graphsync.SignedIn, error) {
		if code != "the-code" || redirect != "https://sync.example.com/join/consent/callback" {
			c.t.Errorf("redeemed %q with %q", code, redirect)
		}
		return how(tenant, *nonce, verifier)
	}
	return nonce
}

// toSignIn brings a consent back and returns the state, and what else the sign-in was asked with.
func (v *visitor) toSignIn(state string, tenant graphsync.ID) url.Values {
	v.t.Helper()
	w := v.get("/join/consent/callback?admin_consent=True&tenant=" + tenant.String() + "&state=" + url.QueryEscape(state))
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != 302 || to.Path != "/"+tenant.String()+"/oauth2/v2.0/authorize" {
		v.t.Fatalf("%d to %s: %s", w.Code, to, w.Body)
	}
	return to.Query()
}

func (v *visitor) signedIn(state string) *httptest.ResponseRecorder {
	v.t.Helper()
	w := v.get("/join/consent/callback?code=the-code&state=" + url.QueryEscape(state))
	if w.Code == 303 {
		return v.get(strings.TrimPrefix(w.Header().Get("Location"), "https://sync.example.com"))
	}
	return w
}

// A consent on a link for any tenant counts when a user of that organization signs in, in the same
// browser, once and in time.
func TestConsentSignIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConsents(t)
		answer := fabrikam
		var nonce, asked *string
		asked = new(string)
		nonce = c.signing(func(_ graphsync.ID, nonce, verifier string) (graphsync.SignedIn, error) {
			*asked = verifier
			return graphsync.SignedIn{Tenant: answer, Nonce: nonce, Username: "global@fabrikam.example"}, nil
		})
		v, thief := &visitor{consents: c}, &visitor{consents: c}
		link := c.invite(5*time.Hour, graphsync.ID{})
		proving := func(want bool) {
			t.Helper()
			all, err := c.store.Invitations().All()
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range all {
				if i.Claim.Proving() != want {
					t.Errorf("proving is %v: %+v", !want, i.Claim)
				}
			}
		}
		query := v.toSignIn(v.leave(link), fabrikam)
		proving(false)
		if query.Get("code_challenge_method") != "S256" || len(query.Get("nonce")) != 43 || query.Get("scope") != "openid profile" {
			t.Errorf("asked with %v", query)
		}
		key := strings.Split(query.Get("state"), ".")[0]
		shows(t, v.get("/join/consent/progress?j="+key), 403, "This answer cannot be used") // it has not come back

		// Another browser, and another state.
		*nonce = query.Get("nonce")
		shows(t, thief.signedIn(query.Get("state")), 403, "This answer belongs to another browser")
		shows(t, v.signedIn(key+"."+strings.Repeat("A", 26)), 403, "This answer cannot be used")
		proving(false)

		// Too late.
		time.Sleep(61 * time.Minute)
		shows(t, v.signedIn(query.Get("state")), 410, "This link has expired")

		// At another organization; with another's token; and the state is used up by each.
		for _, wrong := range []func(){func() { answer = tailspin }, func() { answer = fabrikam; *nonce = "another" }} {
			query = v.toSignIn(v.leave(link), fabrikam)
			*nonce = query.Get("nonce")
			wrong()
			shows(t, v.signedIn(query.Get("state")), 200, "You could not be signed in")
			shows(t, v.signedIn(query.Get("state")), 403, "This answer cannot be used")
			proving(false)
		}

		// Declined.
		query = v.toSignIn(v.leave(link), fabrikam)
		shows(t, v.get("/join/consent/callback?error=access_denied&error_description=AADSTS50105&state="+url.QueryEscape(query.Get("state"))), 200, "You could not be signed in")
		proving(false)
		if i := c.only(); i.Status(time.Now()) != "declined" || !strings.HasPrefix(i.Declined.Reason, "The sign-in after the consent did not succeed: ") || !strings.HasSuffix(i.Declined.Reason, " (access_denied)") {
			t.Errorf("it is %s: %+v", i.Status(time.Now()), i.Declined)
		}

		// As it should be; loading it again changes nothing.
		query = v.toSignIn(v.leave(link), fabrikam)
		*nonce = query.Get("nonce")
		shows(t, v.signedIn(query.Get("state")), 200, "Your consent has arrived")
		proving(true)
		shows(t, v.signedIn(query.Get("state")), 200, "Your consent has arrived")
		if !strings.Contains(c.log.String(), "by=global@fabrikam.example") || strings.Contains(c.log.String(), *asked) || len(*asked) != 43 {
			t.Errorf("verifier %q: %s", *asked, c.log)
		}
		// What is stored does not let another person finish it.
		all, err := c.store.Invitations().All()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range all {
			if kept := string(encode(t, i)); strings.Contains(kept, *asked) || strings.Contains(kept, *nonce) {
				t.Errorf("a secret is kept: %s", kept)
			}
		}

		// A link for one tenant needs no sign-in.
		bound := &visitor{consents: c}
		shows(t, bound.back(bound.leave(c.invite(time.Hour, tailspin)), tailspin), 200, "Your consent has arrived")
	})
}

// Without a sign-in a link is for one tenant: none is made for any, and one that was made before
// leads nowhere, also when it was opened already.
func TestNoOpenLinkWithoutSignIn(t *testing.T) {
	t.Parallel()
	c := newConsents(t)
	v := &visitor{consents: c}
	link := c.invite(time.Hour, graphsync.ID{})
	opened := v.leave(link)
	c.noSignIn.Store(true)
	shows(t, v.get(link), 403, "This link can no longer be used")
	shows(t, v.back(opened, fabrikam), 403, "This link can no longer be used")
	_, _, err := consentweb.Invite(c.store, consentweb.Settings{PublicURL: "https://sync.example.com"}, state.Invitation{Note: "any tenant"})
	if !errors.Is(err, consentweb.ErrOpenLink) {
		t.Errorf("a link for any tenant was made: %v", err)
	}
	all, err := c.store.Invitations().All()
	if err != nil || len(all) != 1 {
		t.Fatalf("invitations %v, %v", all, err)
	}
	for _, i := range all {
		if i.Claim != nil {
			t.Errorf("claimed: %+v", i.Claim)
		}
	}
	bound := &visitor{consents: c}
	shows(t, bound.back(bound.leave(c.invite(time.Hour, fabrikam)), fabrikam), 200, "Your consent has arrived")
	// Switched on again, the link is as good as it was.
	c.noSignIn.Store(false)
	shows(t, v.back(v.leave(link), tailspin), 200, "Your consent has arrived")
}
