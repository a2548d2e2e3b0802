package consentweb_test

import (
	"bufio"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"entrasync/cmd/internal/consentweb"
	"entrasync/graphsync"
)

// The page shows each step when it happens, in one answer, over a real connection.
func TestConsentProgressGrows(t *testing.T) {
	t.Parallel()
	c := newConsents(t)
	c.pages.Watch = time.Minute
	proven := make(chan struct{})
	c.prove = func(int) error { <-proven; return nil }
	c.syncs = []consentweb.Sync{{Name: "people", Tenant: fabrikam}}
	v := &visitor{consents: c}
	state := v.leave(c.invite(time.Hour, fabrikam))
	at := v.get("/join/consent/callback?admin_consent=True&tenant=" + fabrikam.String() + "&state=" + url.QueryEscape(state)).Header().Get("Location")
	go c.pages.Run(t.Context())

	server := httptest.NewTLSServer(c.handler)
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	client.Jar = jar
	own, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(own, []*http.Cookie{v.cookie})
	response, err := client.Get(server.URL + strings.TrimPrefix(at, "https://sync.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	until := func(text string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("the page ended before %q: %v", text, lines.Err())
	}
	until("Your consent has arrived")
	close(proven)
	until("Your organization is connected")
	c.ran(t, "ok", 2)
	until("The first synchronization is done")
	until("You can close this page")
	until("</html>")
	if response.StatusCode != 200 || response.Header.Get("X-Accel-Buffering") != "no" {
		t.Errorf("status %d, header %v", response.StatusCode, response.Header)
	}
}

// Where many wait already, an answer does not wait: it has what there is, and a way to look again.
func TestConsentWatchersAreLimited(t *testing.T) {
	t.Parallel()
	c := newConsents(t)
	c.pages.Watch = time.Hour
	c.pages.CrowdWatchers()
	v := &visitor{consents: c}
	w := v.back(v.leave(c.invite(time.Hour, graphsync.ID{})), fabrikam)
	shows(t, w, 200, "Your consent has arrived")
	if !strings.Contains(w.Body.String(), ">Look again</a>") {
		t.Errorf("there is no way on: %s", w.Body)
	}
}
