package consentweb_test

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/html"

	"entrasync/cmd/internal/consentweb"
	"entrasync/cmd/internal/webtest"
	"entrasync/graphsync"
	"entrasync/state"
)

// Every page that an administrator of another tenant may see, each reached by the way that leads there.
func TestConsentPages(t *testing.T) {
	t.Parallel()
	compared := map[string]bool{}
	synctest.Test(t, func(t *testing.T) {
		c := newConsents(t)
		page := func(name string, status int, w *httptest.ResponseRecorder) {
			t.Helper()
			if w.Code != status {
				t.Errorf("%s: status %d, want %d", name, w.Code, status)
			}
			html := w.Body.String()
			if at := strings.Index(html, "progress?j="); at >= 0 { // a hash that is another each time
				end := at + strings.Index(html[at:], `"`)
				html = html[:at] + "progress?j=KEY" + html[end:]
			}
			compared[name+".html"] = true
			webtest.Compare(t, name+".html", html)
		}
		v, other := &visitor{consents: c}, &visitor{consents: c}
		page("nothing", 404, v.get("/join/"))
		page("unknown", 404, v.get("/join/consent/start?i=guess"))
		link := v.invite(time.Hour, fabrikam)
		page("state", 403, v.back("made-up", fabrikam))
		page("browser", 403, other.back(v.leave(link), fabrikam))
		page("refused", 200, v.get("/join/consent/callback?admin_consent=True&error=access_denied&state="+v.leave(link)))
		page("refused-unknown", 200, v.get("/join/consent/callback?error=server_error&state="+v.leave(link)))
		page("tenant", 403, v.back(v.leave(link), tailspin))
		page("checking", 200, v.back(v.leave(link), fabrikam)) // no proof yet
		page("in-use", 409, other.get(link))

		prove := func(how func(int) error, lasts time.Duration) {
			c.mu.Lock()
			c.prove = how
			c.mu.Unlock()
			ctx, stop := context.WithTimeout(t.Context(), lasts)
			defer stop()
			c.pages.Run(ctx)
		}
		state1 := v.leave(v.invite(time.Hour, graphsync.ID{}))
		v.back(state1, tailspin)
		prove(func(int) error {
			return &graphsync.Error{Class: graphsync.PermissionMissing, Message: "the consent does not include GroupMember.Read.All"}
		}, 20*time.Minute)
		page("unproven", 200, v.back(state1, tailspin))

		link = v.invite(time.Hour, fabrikam)
		claimed := v.leave(link)
		v.back(claimed, fabrikam)
		prove(func(int) error { return nil }, time.Minute)
		page("connected", 200, v.back(claimed, fabrikam)) // no sync reads it
		page("used", 410, other.get(link))
		c.syncs = []consentweb.Sync{{Name: "people", Tenant: fabrikam}}
		page("connected-waiting", 200, v.back(claimed, fabrikam))
		c.ran(t, "failed", 0)
		page("connected-failing", 200, v.back(claimed, fabrikam))
		c.ran(t, "partial", 3)
		page("connected-synced", 200, v.back(claimed, fabrikam))

		c.brand = branded
		page("brand-connected", 200, v.back(claimed, fabrikam))
		page("brand-used", 410, other.get(link))
		c.brand = consentweb.Brand{Support: "mailto:help@example.com", LogoURL: "https://cdn.example.com/logo.png"}
		page("brand-unnamed", 410, other.get(link))
		c.brand = consentweb.Brand{}

		c.signing(func(graphsync.ID, string, string) (graphsync.SignedIn, error) {
			return graphsync.SignedIn{Tenant: fabrikam}, nil
		})
		page("sign-in", 200, v.signedIn(v.toSignIn(v.leave(v.invite(time.Hour, graphsync.ID{})), tailspin).Get("state")))

		open := v.invite(time.Hour, graphsync.ID{})
		c.noSignIn.Store(true)
		page("open", 403, v.get(open))
		c.noSignIn.Store(false)
		short := v.invite(time.Minute, graphsync.ID{})
		time.Sleep(2 * time.Minute)
		page("expired", 410, v.get(short))
		c.closed.Store(true)
		page("closed", 503, v.get(link))
		c.closed.Store(false)
		for range 100 {
			v.get("/join/consent/start?i=guess")
		}
		page("too-many", 429, v.get(link))
		time.Sleep(time.Minute)
		c.store.Close()
		page("failed", 500, v.get(link))
	})
	// The golden files are those of these pages, so that what looks at the files looks at all of them.
	files, err := filepath.Glob("testdata/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !compared[filepath.Base(file)] {
			t.Errorf("%s is of no page", file)
		}
	}
}

// ran records that the first synchronization of fabrikam has run.
func (c *consents) ran(t *testing.T, result string, people int) {
	t.Helper()
	tenant, err := c.store.Tenant(fabrikam)
	if err != nil {
		t.Fatal(err)
	}
	defer tenant.Close()
	err = tenant.Update(func(tx *state.Tx) error {
		for n := range people {
			if err := tx.Links("people").Put(state.Link{Kind: graphsync.User, Source: id(n + 1), TargetID: id(n + 1).String(), Active: true, Since: now, LastAt: now}); err != nil {
				return err
			}
		}
		if people > 0 {
			if err := tx.PutSyncInfo("people", state.SyncInfo{LastSuccess: now}); err != nil {
				return err
			}
			if err := tx.Holds("people").Put(state.Hold{ID: "h-1", Guard: "first_run", Cause: "x", Since: now, Count: 1}); err != nil {
				return err
			}
			if err := tx.Retries("people").Put(state.Retry{Key: state.PendingKey{Kind: graphsync.User, ID: id(9)}, Code: "required_missing", First: now, Next: now, Skipped: true}); err != nil {
				return err
			}
		}
		started := now.Add(time.Duration(people) * time.Minute)
		return tx.Runs("people").Put(state.Run{ID: started.Format("20060102T150405.000Z"), Started: started, Result: result, Report: []byte(`{}`)})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The consent pages can be used without seeing them.
func TestConsentAccessibility(t *testing.T) {
	t.Parallel()
	v := &visitor{consents: newConsents(t)}
	state, refused := v.leave(v.invite(time.Hour, graphsync.ID{})), v.leave(v.invite(time.Hour, graphsync.ID{}))
	for _, w := range []interface{ String() string }{
		v.back(state, fabrikam).Body, v.get("/nowhere").Body, v.get("/consent/start").Body,
		v.get("/consent/callback?error=access_denied&state=" + refused).Body,
	} {
		document, err := html.Parse(strings.NewReader(w.String()))
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range webtest.AccessFaults(document) {
			if fault != "0 header, want one" && fault != "0 nav, want one" && fault != "0 footer, want one" { // one letter, nowhere else to go
				t.Errorf("%s in\n%s", fault, w)
			}
		}
	}
}
