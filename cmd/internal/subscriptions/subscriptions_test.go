package subscriptions_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"entrasync/cmd/internal/subscriptions"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/state"
)

const here = "https://sync.example.com/consent/notifications"

var both = subscriptions.Wanted{Notifications: configs.Notifications{Users: true, Groups: true, ExpectWithin: time.Minute}, URL: here}

// A world is a tenant at the emulator and workers that share a state.
type world struct {
	server *graphtest.Server
	tenant *graphtest.Tenant
	app    graphtest.AppSpec
	store  *state.Store
	hints  chan graphsync.Stream

	mu sync.Mutex // guards to
	to http.Handler
}

func newWorld(t *testing.T) *world {
	w := &world{hints: make(chan graphsync.Stream, 1000)}
	w.server = graphtest.New(graphtest.Options{Deliver: w})
	w.tenant = w.server.AddTenant(graphtest.TenantSpec{})
	w.app, _ = w.tenant.App(graphtest.AppSpec{Permissions: append(graphtest.DefaultPermissions(), "Group.Read.All")})
	store, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w.store = store
	return w
}

// RoundTrip delivers what Graph posts to the worker that is reached.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	to := w.to
	w.mu.Unlock()
	recorder := httptest.NewRecorder()
	to.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

func (w *world) reach(s *subscriptions.Subscriptions) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = s.Handler()
}

// worker opens a worker of the state, which runs until the test ends.
func (w *world) worker(t *testing.T) *subscriptions.Subscriptions {
	t.Helper()
	s := &subscriptions.Subscriptions{
		Store: w.store.Subscriptions(), Log: slog.New(slog.DiscardHandler), Now: time.Now, NameOf: graphsync.ID.String,
		Hint: func(_ graphsync.ID, stream graphsync.Stream) { w.hints <- stream },
	}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	return s
}

func (w *world) graph() graphsync.Subscriber {
	return w.server.Source(w.tenant.ID(), w.app.ClientID, w.app.Secret).Subscriptions()
}

func (w *world) streams() string {
	var all []string
	for _, s := range w.tenant.Notifications().Subscriptions() {
		all = append(all, string(s.Stream))
	}
	return strings.Join(all, " ")
}

func (w *world) hinted(t *testing.T) graphsync.Stream {
	t.Helper()
	select {
	case stream := <-w.hints:
		return stream
	case <-time.After(20 * time.Second):
		t.Fatal("no hint came")
		return ""
	}
}

// Subscriptions follow what is wanted; a change is a hint, on whichever worker it arrives; nothing else is.
func TestKeep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.worker(t)
	w.reach(first)
	first.Keep(t.Context(), w.tenant.ID(), both, w.graph())
	if got := w.streams(); got != "groups users" {
		t.Fatalf("subscribed to %q", got)
	}
	requests := len(w.server.Requests())
	first.Keep(t.Context(), w.tenant.ID(), both, w.graph())
	if got := len(w.server.Requests()) - requests; got != 0 {
		t.Errorf("%d requests where nothing is due", got)
	}
	w.tenant.AddUser(graphtest.Props{})
	if got := w.hinted(t); got != graphsync.Users {
		t.Errorf("a new user is a hint about %s", got)
	}
	w.reach(w.worker(t)) // it learns of the subscriptions from the state
	w.tenant.AddGroup(graphtest.Props{})
	if got := w.hinted(t); got != graphsync.Groups {
		t.Errorf("a new group is a hint about %s", got)
	}
	if posted := w.tenant.Notifications().Forge(3); posted != 2*3*8 || len(w.hints) != 0 {
		t.Errorf("%d hints of %d forged notifications", len(w.hints), posted)
	}
	only := both
	only.Groups = false
	first.Keep(t.Context(), w.tenant.ID(), only, w.graph())
	if got := w.streams(); got != "users" {
		t.Errorf("subscribed to %q after groups were switched off", got)
	}
	if err := subscriptions.EndAll(t.Context(), w.store.Subscriptions(), w.tenant.ID(), w.graph()); err != nil || w.streams() != "" {
		t.Errorf("subscribed to %q after the tenant was removed: %v", w.streams(), err)
	}
	if known, err := w.store.Subscriptions().All(); err != nil || len(known) != 0 {
		t.Errorf("known are %v, %v", known, err)
	}
}

// A subscription whose making was interrupted, or whose state was lost, is made again, and the one that is left is ended.
func TestKeepAfterALoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.worker(t)
	w.reach(s)
	s.Keep(t.Context(), w.tenant.ID(), both, w.graph())
	for _, stream := range []graphsync.Stream{graphsync.Users, graphsync.Groups} {
		if err := w.store.Subscriptions().Delete(w.tenant.ID(), stream); err != nil {
			t.Fatal(err)
		}
	}
	again := w.worker(t)
	w.reach(again)
	again.Keep(t.Context(), w.tenant.ID(), both, w.graph())
	if got := w.streams(); got != "groups users" {
		t.Errorf("subscribed to %q", got)
	}
	w.tenant.AddUser(graphtest.Props{})
	if got := w.hinted(t); got != graphsync.Users {
		t.Errorf("a hint about %s", got)
	}
}

// What arrives at the address is answered at once, whatever it is, and never in a way that tells a subscription from none.
func TestHandler(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.worker(t)
	w.reach(s)
	s.Keep(t.Context(), w.tenant.ID(), both, w.graph())
	post := func(query, body string) *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		s.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/consent/notifications"+query, strings.NewReader(body)))
		return recorder
	}
	said := post("?validationToken="+url.QueryEscape("Validation: <b>&"), "")
	if said.Code != http.StatusOK || said.Body.String() != "Validation: &lt;b&gt;&amp;" || !strings.HasPrefix(said.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("a validation is answered with %d %q %q", said.Code, said.Header().Get("Content-Type"), said.Body)
	}
	entry := func(tenant, secret string) string {
		return fmt.Sprintf(`{"value":[{"tenantId":%q,"subscriptionId":"1","clientState":%q}]}`, tenant, secret)
	}
	for name, c := range map[string]struct {
		query, body string
		want        int
	}{
		"an empty token":           {"?validationToken=", "", http.StatusBadRequest},
		"a long token":             {"?validationToken=" + strings.Repeat("a", 5000), "", http.StatusBadRequest},
		"another secret":           {"", entry(w.tenant.ID().String(), "guessed"), http.StatusAccepted},
		"no secret":                {"", entry(w.tenant.ID().String(), ""), http.StatusAccepted},
		"another tenant":           {"", entry("99999999-8888-7777-6666-555555555555", ""), http.StatusAccepted},
		"no tenant":                {"", entry("", ""), http.StatusAccepted},
		"nothing":                  {"", `{"value":[]}`, http.StatusAccepted},
		"no JSON":                  {"", `value`, http.StatusBadRequest},
		"other types":              {"", `{"value":[{"tenantId":7}]}`, http.StatusBadRequest},
		"more than Graph may send": {"", strings.Repeat(" ", 1<<20+1), http.StatusRequestEntityTooLarge},
	} {
		if got := post(c.query, c.body); got.Code != c.want || got.Body.Len() != 0 {
			t.Errorf("%s: %d %q, want %d", name, got.Code, got.Body, c.want)
		}
	}
	if len(w.hints) != 0 {
		t.Errorf("%d hints", len(w.hints))
	}
}
