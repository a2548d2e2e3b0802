package consentweb_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// A consent takes its time to spread; what cannot become true ends at once.
func TestConsentPatience(t *testing.T) {
	t.Parallel()
	missing := &graphsync.Error{Class: graphsync.ConsentMissing, Code: "AADSTS700016", Message: "the app is not known in this tenant"}
	for name, tt := range map[string]struct {
		prove   func(n int) error
		within  time.Duration
		title   string
		says    string
		joined  int
		atLeast int // proofs
	}{
		"spreads": {func(n int) error {
			if n < 6 {
				return missing
			}
			return nil
		}, 2 * time.Minute, "Your organization is connected", "", 1, 6},
		"never comes":   {func(int) error { return missing }, 16 * time.Minute, "The connection could not be made", "does not show the consent", 0, 20},
		"never reached": {func(int) error { return errors.New("secret detail") }, 16 * time.Minute, "The connection could not be made", "on our side|could not finish", 0, 20},
		"permission": {func(int) error {
			return &graphsync.Error{Class: graphsync.PermissionMissing, Message: "the consent does not include User.Read.All"}
		}, 16 * time.Minute, "The connection could not be made", "The consent does not include User.Read.All.", 0, 20},
		"no such tenant": {func(int) error {
			return &graphsync.Error{Class: graphsync.TenantUnknown, Message: "there is no such tenant", Hint: "check it"}
		}, time.Second, "The connection could not be made", "There is no such tenant.", 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newConsents(t)
				c.prove = tt.prove
				v := &visitor{consents: c}
				link := c.invite(24*time.Hour, graphsync.ID{})
				ctx, cancel := context.WithCancel(t.Context())
				go c.pages.Run(ctx)
				state := v.leave(link)
				v.back(state, fabrikam)
				time.Sleep(tt.within)
				synctest.Wait()
				w := v.back(state, fabrikam)
				shows(t, w, 200, tt.title)
				fits := tt.says == ""
				for _, part := range strings.Split(tt.says, "|") {
					fits = fits || strings.Contains(w.Body.String(), part)
				}
				if !fits || strings.Contains(w.Body.String(), "secret detail") {
					t.Errorf("it does not say %q: %s", tt.says, w.Body)
				}
				if len(c.joined) != tt.joined || c.proofs < tt.atLeast || c.proofs > 60 {
					t.Errorf("joined %v after %d proofs", c.joined, c.proofs)
				}
				if tt.joined == 0 { // the invitation is not used up
					v.leave(link)
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

// A token of another organization proves nothing: no tenant is connected, and the page says so.
func TestProofOfAnotherOrganization(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConsents(t)
		c.provenAs = tailspin
		v := &visitor{consents: c}
		ctx, cancel := context.WithCancel(t.Context())
		go c.pages.Run(ctx)
		state := v.leave(c.invite(24*time.Hour, graphsync.ID{}))
		v.back(state, fabrikam)
		time.Sleep(time.Minute)
		synctest.Wait()
		shows(t, v.back(state, fabrikam), 200, "The connection could not be made")
		if len(c.joined) > 0 {
			t.Errorf("joined: %v", c.joined)
		}
		cancel()
		synctest.Wait()
	})
}

// A claim outlives the service.
func TestConsentResumesAfterARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConsents(t)
		c.prove = func(n int) error {
			if n == 1 {
				return &graphsync.Error{Class: graphsync.ConsentMissing}
			}
			return nil
		}
		v := &visitor{consents: c}
		for _, wait := range []time.Duration{time.Second / 2, time.Minute} {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan bool)
			go func() { c.pages.Run(ctx); close(ended) }()
			if wait < time.Second {
				v.back(v.leave(c.invite(time.Hour, graphsync.ID{})), fabrikam)
			}
			time.Sleep(wait)
			cancel()
			<-ended
		}
		if len(c.joined) != 1 {
			t.Errorf("joined %v after %d proofs", c.joined, c.proofs)
		}
	})
}

// A service that was away has tried nothing: its time limit starts again.
func TestConsentPatienceIsForTries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConsents(t)
		c.prove = func(n int) error {
			if n == 1 {
				return &graphsync.Error{Class: graphsync.Unreachable, Message: "no network yet"}
			}
			return nil
		}
		v := &visitor{consents: c}
		v.back(v.leave(c.invite(time.Hour, graphsync.ID{})), fabrikam)
		time.Sleep(30 * time.Minute)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		c.pages.Run(ctx)
		if len(c.joined) != 1 {
			t.Errorf("joined %v after %d proofs", c.joined, c.proofs)
		}
	})
}

// Visitors whose consent does not come delay no other visitor, however many they are.
func TestConsentSlowVisitorsBlockNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConsents(t)
		c.proveTenant = func(tenant graphsync.ID) error {
			if tenant == fabrikam {
				return nil
			}
			return &graphsync.Error{Class: graphsync.ConsentMissing}
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		go c.pages.Run(ctx)
		for n := range 30 {
			v := &visitor{consents: c}
			v.back(v.leave(c.invite(time.Hour, graphsync.ID{})), id(n+1))
		}
		time.Sleep(20 * time.Second)
		v := &visitor{consents: c}
		v.back(v.leave(c.invite(time.Hour, graphsync.ID{})), fabrikam)
		time.Sleep(5 * time.Second)
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.joined) != 1 || c.joined[0] != fabrikam {
			t.Errorf("joined %v", c.joined)
		}
	})
}

// Pages that are closed while a consent is being checked connect no tenant until they are open again.
func TestConsentClosedWhileProving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConsents(t)
		c.prove = func(n int) error {
			if n < 3 {
				return &graphsync.Error{Class: graphsync.ConsentMissing}
			}
			return nil
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan bool)
		go func() { c.pages.Run(ctx); close(ended) }()
		v := &visitor{consents: c}
		v.back(v.leave(c.invite(24*time.Hour, graphsync.ID{})), fabrikam)
		c.closed.Store(true)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if joined, proofs := c.outcome(); len(joined) != 0 || proofs < 3 {
			t.Errorf("closed: joined %v after %d proofs", joined, proofs)
		}
		c.closed.Store(false)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if joined, proofs := c.outcome(); len(joined) != 1 || joined[0] != fabrikam {
			t.Errorf("open again: joined %v after %d proofs", joined, proofs)
		}
		stop()
		<-ended
	})
}

// Withdrawn while its consent is being checked, an invitation connects no tenant.
func TestConsentWithdrawn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConsents(t)
		c.prove = func(n int) error {
			if n < 3 {
				return &graphsync.Error{Class: graphsync.ConsentMissing}
			}
			return nil
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ended := make(chan bool)
		go func() { c.pages.Run(ctx); close(ended) }()
		v := &visitor{consents: c}
		link := c.invite(time.Hour, graphsync.ID{})
		claimed := v.leave(link)
		v.back(claimed, fabrikam)
		if n, err := c.store.Invitations().Drop(func(state.InvitationKey, state.Invitation) bool { return true }); err != nil || n != 1 {
			t.Fatalf("%d, %v", n, err)
		}
		time.Sleep(time.Hour)
		if len(c.joined) != 0 || !strings.Contains(c.log.String(), "withdrawn while") {
			t.Errorf("joined %v: %s", c.joined, c.log)
		}
		shows(t, v.get(link), 404, "This link is not valid")
		shows(t, v.back(claimed, fabrikam), 404, "This link is not valid")
		stop()
		<-ended
	})
}
