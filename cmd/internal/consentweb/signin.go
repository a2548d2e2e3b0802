package consentweb

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// redeemTime bounds how long a browser waits for its sign-in to be redeemed.
const redeemTime = 20 * time.Second

// derived makes a secret of a sign-in from what only this browser and its address have, so that
// nothing of it needs to be kept here.
func derived(what, cookie, state string) string {
	sum := sha256.Sum256([]byte(what + "\x00" + cookie + "\x00" + state))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// signsIn reports whether a state is that of a sign-in.
func (c *Server) signsIn(key state.InvitationKey, text string) bool {
	i, err := c.Store.Invitations().Get(key)
	return err == nil && i.Claim != nil && len(i.Claim.SignIn) > 0 && equal(i.Claim.SignIn, hash(text))
}

// signedIn takes what came back from the sign-in page. A user of the tenant at this browser is the difference between
// a consent given now and one that was given earlier or for another purpose: the proof by a token accepts either.
func (c *Server) signedIn(w http.ResponseWriter, r *http.Request, settings Settings, key state.InvitationKey, cookie string) {
	text := r.URL.Query().Get("state")
	var claim state.ConsentClaim
	var invitation state.Invitation
	err := c.change(key, func(i *state.Invitation) error {
		invitation = *i
		switch {
		case i.Claim == nil || len(i.Claim.SignIn) == 0 || !equal(i.Claim.SignIn, hash(text)):
			return errState
		case !equal(i.Claim.Cookie, hash(cookie)):
			return errBrowser
		case !c.Now().Before(i.Claim.Since.Add(visitTime)):
			return errExpired
		}
		claim, i.Claim = *i.Claim, nil // it serves once, whatever the outcome
		return nil
	})
	about := []any{"invitation", key.Name(), "note", invitation.Note, "tenant", claim.Tenant}
	if err != nil {
		if claimedBy(&invitation, cookie, err) {
			toProgress(w, settings, key)
			return
		}
		c.refuse(w, r, err, about...)
		return
	}
	who, err := c.redeem(r, settings, claim.Tenant, derived("nonce", cookie, text), derived("verifier", cookie, text))
	if err != nil {
		message, hint := "your sign-in could not be confirmed", "open the link again; if that does not help, tell the person who sent it"
		if e := (*graphsync.Error)(nil); errors.As(err, &e) && (e.Class == graphsync.TenantUnknown || e.Class == graphsync.ConsentMissing || e.Class == graphsync.Policy) {
			message, hint = e.Message, e.Hint
			c.notSignedIn(key, &graphsync.Error{Message: "the sign-in after the consent did not succeed: " + e.Message, Code: e.Code})
		}
		c.Log.Warn("the sign-in that belongs to a consent did not succeed", append(about, "error", err)...)
		c.write(w, noticeSignIn.with(message, hint))
		return
	}
	claim = state.ConsentClaim{Tenant: claim.Tenant, Cookie: claim.Cookie, Since: c.Now().UTC(), By: who.Username}
	err = c.change(key, func(i *state.Invitation) error {
		invitation = *i
		switch {
		case i.Claim != nil && i.Claim.Joined:
			return errUsed
		case i.Claim.Proving():
			return errProving
		}
		i.Begun, i.Claim, i.Declined = nil, &claim, nil
		return nil
	})
	if claimedBy(&invitation, cookie, err) {
		toProgress(w, settings, key)
		return
	}
	if err != nil {
		c.refuse(w, r, err, about...)
		return
	}
	c.Log.Info("consent is claimed and will be proven", append(about, "by", who.Username)...)
	c.wakeProver()
	toProgress(w, settings, key)
}

// notSignedIn keeps why a consent was not confirmed by a sign-in, unless another tab has made a claim since.
func (c *Server) notSignedIn(key state.InvitationKey, refusal *graphsync.Error) {
	err := c.change(key, func(i *state.Invitation) error {
		if i.Claim == nil {
			i.Declined = declined(refusal, c.Now())
		}
		return nil
	})
	if err != nil && !errors.Is(err, state.ErrNoInvitation) {
		c.Log.Error("store why a sign-in did not succeed", "invitation", key.Name(), "error", err)
	}
}

// redeem returns who signed in at a tenant.
func (c *Server) redeem(r *http.Request, settings Settings, tenant graphsync.ID, nonce, verifier string) (graphsync.SignedIn, error) {
	code, refusal := graphsync.ReadSignInResponse(r.URL.Query())
	if refusal != nil {
		return graphsync.SignedIn{}, refusal
	}
	ctx, stop := context.WithTimeout(r.Context(), redeemTime)
	defer stop()
	who, err := c.SignIn(ctx, tenant, code, RedirectURI(settings.PublicURL), verifier)
	switch {
	case err != nil:
		return graphsync.SignedIn{}, err
	case who.Tenant != tenant:
		return graphsync.SignedIn{}, &graphsync.Error{Class: graphsync.TenantUnknown, Op: "sign in", Message: "you signed in to another organization than the one that consented", Hint: "open the link again, and use one account for both"}
	case !equal([]byte(who.Nonce), []byte(nonce)):
		return graphsync.SignedIn{}, &graphsync.Error{Class: graphsync.BadResponse, Op: "sign in", Message: "the ID token was made for another sign-in"}
	}
	return who, nil
}
