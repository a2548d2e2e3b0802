package web_test

import (
	"regexp"
	"strings"
	"testing"

	"entrasync/cmd/internal/webtest"
)

// Every page with something of everything on it.
func TestPages(t *testing.T) {
	t.Parallel()
	b := inviting(t)
	b.invitations()
	run := "20261122T091200.000Z"
	for name, path := range map[string]string{
		"overview":        "/",
		"overview-failed": "/?state=failed&q=FABRI",
		"overview-none":   "/?q=nothing",
		"sync":            "/syncs/front/contoso",
		"sync-waiting":    "/syncs/archive/tailspin",
		"run":             "/syncs/front/contoso/runs/" + run,
		"run-actions":     "/syncs/front/contoso/runs/" + run + "?show=actions",
		"run-skipped":     "/syncs/front/contoso/runs/" + run + "?show=skipped",
		"run-failed":      "/syncs/front/fabrikam/runs/20261122T090900.000Z",
		"holds":           "/holds",
		"holds-approved":  "/holds?answered=approved&sync=front&tenant=contoso",
		"hold":            "/holds/front/contoso/h-1",
		"people":          "/people",
		"people-several":  "/people?q=contoso.example",
		"people-one":      "/people?q=Ada",
		"people-none":     "/people?q=no-such-user",
		"tenants":         "/tenants?withdrawn=1",
		"missing":         "/syncs/front/unknown",
	} {
		t.Run(name, func(t *testing.T) {
			w := b.get(path)
			want := 200
			if name == "missing" {
				want = 404
			}
			if w.Code != want {
				t.Fatalf("GET %s: %d, want %d\n%s", path, w.Code, want, w.Body)
			}
			webtest.Compare(t, name+".html", stable(w.Body.String()))
		})
	}
}

// The page that shows a link shows it once: the link is another each time.
func TestInvitationPage(t *testing.T) {
	t.Parallel()
	b := inviting(t)
	w := b.do(b.form("/tenants").with("note", "Contoso Ltd", "tenant", id(1).String(), "lasts", "7").post("/tenants", ""))
	page := regexp.MustCompile(`start\?i=[A-Z2-7]{26}`).ReplaceAllString(w.Body.String(), "start?i=SECRET")
	webtest.Compare(t, "invitation.html", stable(page))
}

func TestPagesOfNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for name, path := range map[string]string{"empty-overview": "/", "empty-holds": "/holds", "empty-tenants": "/tenants"} {
		webtest.Compare(t, name+".html", stable(b.get(path).Body.String()))
	}
}

// stable replaces the form's token, which differs in each process.
func stable(html string) string {
	const before = `name="token" value="`
	for from := 0; ; {
		at := strings.Index(html[from:], before)
		if at < 0 {
			return html
		}
		from += at + len(before)
		html = html[:from] + "TOKEN" + html[from+64:]
	}
}
