package web_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"entrasync/cmd/internal/web"
	"entrasync/state"
)

// syncRows counts the rows of the syncs' table of the overview.
func syncRows(page string) int { return strings.Count(page, `<td class="n">`) / 4 }

// A number on the overview is that of the rows it stands for: those of the tally are behind its links, whatever is
// searched for, and the syncs that need attention are those that the page names with a reason.
func TestOverviewCountsWhatItLists(t *testing.T) {
	t.Parallel()
	b := canned(t)
	for query, want := range map[string]int{"": 7, "q=contoso": 2, "q=archive": 4, "state=failed": 0, "q=archive&state=failed": 0} {
		page := b.get("/?" + query).Body.String()
		if want > 0 && syncRows(page) != want {
			t.Errorf("%s: %d rows, want %d", query, syncRows(page), want)
		}
		total := 0
		for _, m := range regexp.MustCompile(`<li><a href="(/\?[^"]*state=[a-z]+)"[^>]*>.*?<b>([0-9]+)</b>`).FindAllStringSubmatch(page, -1) {
			n, _ := strconv.Atoi(m[2])
			total += n
			behind := b.get(html.UnescapeString(m[1])).Body.String()
			if got := syncRows(behind); got != n {
				t.Errorf("%s: %s shows %d syncs, the tally says %d", query, m[1], got, n)
			}
		}
		if said := regexp.MustCompile(`<p class="lead">([0-9]+) syncs? of ([0-9]+) tenants?`).FindStringSubmatch(page); said == nil || said[1] != strconv.Itoa(total) {
			t.Errorf("%s: the page says %v, its tally %d", query, said, total)
		}
		named := map[string]bool{}
		if _, causes, found := strings.Cut(page, `id="troubled"`); found {
			causes, _, _ = strings.Cut(causes, "</section>")
			for _, m := range regexp.MustCompile(`<a href="(/syncs/[^"]+)"`).FindAllStringSubmatch(causes, -1) {
				named[m[1]] = true
			}
		}
		count := 0
		if m := regexp.MustCompile(`(One|[0-9]+) needs? attention`).FindStringSubmatch(page); m != nil {
			if count, _ = strconv.Atoi(m[1]); m[1] == "One" {
				count = 1
			}
		}
		if count != len(named) {
			t.Errorf("%s: %d need attention, named are %v", query, count, named)
		}
	}
	page := b.get("/").Body.String()
	if !strings.Contains(page, `7 syncs of 6 tenants; no sync reads <a href="/tenants">2 other tenants</a>`) {
		t.Errorf("the tenants: %s", page)
	}
	// The holds of one sync are on its own page.
	if !strings.Contains(page, `<a href="/syncs/front/contoso#holds">1</a>`) || strings.Count(b.get("/syncs/front/contoso").Body.String(), `<a href="/holds/front/contoso/`) != 1 {
		t.Errorf("the holds: %s", page)
	}
}

// Where tenants join by consent and none has, the page says how to invite one.
func TestOverviewInvites(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.pages.Invite = func(state.Invitation) (string, state.InvitationKey, error) { return "", state.InvitationKey{}, nil }
	b.http = b.pages.Handler()
	page := b.get("/").Body.String()
	if !strings.Contains(page, "No tenant has joined yet") || !strings.Contains(page, `href="/tenants#invite"`) || !strings.Contains(page, "entrasync consent --note NAME") || strings.Contains(page, "still be used") {
		t.Errorf("nothing invites: %s", page)
	}
	if tenants := b.get("/tenants").Body.String(); !strings.Contains(tenants, `id="invite"`) || !strings.Contains(tenants, "No tenant has joined yet") {
		t.Errorf("nothing invites: %s", tenants)
	}
	b.invitations()
	if page := b.get("/").Body.String(); !strings.Contains(page, `<a href="/tenants#invitations">5 invitations</a> can still be used`) {
		t.Errorf("the invitations: %s", page)
	}
	b.tenants = []web.Tenant{{Name: "contoso", ID: id(1), State: "active"}}
	if page := b.get("/").Body.String(); !strings.Contains(page, "No sync is configured") {
		t.Errorf("a tenant is known: %s", page)
	}
}
