package notify

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string) *state.Store {
	t.Helper()
	store, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// A receiver keeps what it was posted; it answers with its status.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex // guards the rest
	status int
	got    []Message
	ids    []string
	bodies []string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		body, _ := io.ReadAll(request.Body)
		r.ids, r.bodies = append(r.ids, request.Header.Get("Webhook-Id")), append(r.bodies, string(body))
		var m Message
		if json.Unmarshal(body, &m) == nil {
			r.got = append(r.got, m)
		}
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int) { r.mu.Lock(); defer r.mu.Unlock(); r.status = status }

func (r *receiver) url() (string, error) { return r.URL + "/secret-path", nil }

// types are those of the events that arrived, in order.
func (r *receiver) types() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.got {
		for _, e := range m.Events {
			all = append(all, e.Type)
		}
	}
	return all
}

// A rig is a deliverer with one webhook and a clock.
type rig struct {
	*Deliverer
	now time.Time
}

func newRig(store *state.Store, r *receiver, route Route) *rig {
	g := &rig{now: noon}
	g.Deliverer = &Deliverer{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return g.now }}
	g.Configure(&Queue{News: store.News(), Routes: []Route{route}}, []Channel{{Route: route, Sender: &Webhook{URL: r.url, Client: r.Client()}, Window: time.Minute}})
	return g
}

// wait lets time pass and delivers.
func (g *rig) wait(d time.Duration) { g.now = g.now.Add(d); g.Deliver(context.Background()) }

func (g *rig) cycle(r *reconcile.Report, err error) {
	g.Cycle(Outcome{Sync: "front", Tenant: "contoso", At: g.now, Report: r, Err: err, Page: "http://127.0.0.1:8417"})
}

func heldReport(holds ...string) *reconcile.Report {
	r := &reconcile.Report{Result: reconcile.Waiting}
	for _, id := range holds {
		r.Summary.Held++
		r.Held = append(r.Held, plan.Held{Hold: id, Guard: "removals", Cause: "group Sales lost its assignment"})
	}
	return r
}

// Each event is caused and received once, however many cycles see it, and once again when it is another one.
func TestEachEventOnce(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	g := newRig(open(t, filepath.Join(t.TempDir(), "state")), r, Route{Name: "ops"})
	fine := &reconcile.Report{Result: reconcile.OK}
	skipped := &reconcile.Report{Attention: []reconcile.Attention{{Code: reconcile.MostlySkipped, Message: "60 of 100 are skipped"}}}
	skipped.Summary.Skipped = 60
	for _, step := range []struct {
		report *reconcile.Report
		err    error
		want   string
	}{
		{heldReport("h-1"), nil, Held}, {heldReport("h-1"), nil, ""}, {heldReport("h-1", "h-2"), nil, Held}, {fine, nil, ""}, {heldReport("h-3"), nil, Held},
		{nil, errors.New("no route to host"), Failing}, {nil, errors.New("no route to host"), ""}, {heldReport("h-3"), nil, Recovered}, {fine, nil, ""}, {fine, nil, ""},
		{&reconcile.Report{Failure: &reconcile.CycleFailure{Code: "consent_missing"}}, errors.New("consent was taken back"), Consent}, {fine, nil, Recovered},
		{skipped, nil, Skipped}, {skipped, nil, ""}, {fine, nil, ""},
		{&reconcile.Report{Drift: &reconcile.DriftCounts{Accounts: 3, New: 2}}, nil, Drift}, {&reconcile.Report{Drift: &reconcile.DriftCounts{Accounts: 3}}, nil, ""},
	} {
		before := len(r.types())
		g.cycle(step.report, step.err)
		g.wait(2 * time.Minute)
		g.wait(2 * time.Minute)
		if got := strings.Join(r.types()[before:], " "); got != step.want {
			t.Fatalf("after %+v, %v: received %q, want %q", step.report, step.err, got, step.want)
		}
	}
	for i, id := range r.ids {
		if id == "" || slices.Contains(r.ids[:i], id) || r.got[i].ID != id {
			t.Errorf("message %d has id %q", i, id)
		}
	}
	first := r.got[0].Events[0]
	for _, word := range []string{"1 actions", "h-1: group Sales lost its assignment (guard removals)", "entrasync approve HOLD", "http://127.0.0.1:8417/holds"} {
		if text := r.got[0].Text(); !strings.Contains(text, word) {
			t.Errorf("%q is not in\n%s", word, text)
		}
	}
	if first.Count != 1 || first.Severity != Warning || first.Sync != "front" || first.Tenant != "contoso" {
		t.Errorf("event %+v", first)
	}
}

// What was queued is delivered after the process was killed, under the same id when it had been sent.
func TestKilledAfterQueueing(t *testing.T) {
	t.Parallel()
	dir, r := filepath.Join(t.TempDir(), "state"), newReceiver(t)
	store := open(t, dir)
	g := newRig(store, r, Route{Name: "ops"})
	g.cycle(heldReport("h-1"), nil)
	restart := func() {
		t.Helper()
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		now := g.now
		store = open(t, dir)
		g = newRig(store, r, Route{Name: "ops"})
		g.now = now
	}
	restart() // before a message was made
	r.answer(http.StatusServiceUnavailable)
	g.wait(2 * time.Minute)
	restart() // after it was sent and refused
	g.cycle(heldReport("h-1"), nil)
	r.answer(http.StatusOK)
	g.wait(time.Hour)
	g.wait(time.Hour)
	if len(r.ids) != 2 || r.ids[0] != r.ids[1] {
		t.Errorf("ids %v, want one twice", r.ids)
	}
	if n := (&Queue{News: store.News()}).Waiting(); n != 0 {
		t.Errorf("%d wait", n)
	}
}

// The wait after a failure doubles, events meanwhile are one message, and the failure is known.
func TestRetries(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	g := newRig(open(t, filepath.Join(t.TempDir(), "state")), r, Route{Name: "ops"})
	r.answer(http.StatusBadGateway)
	g.cycle(heldReport("h-1"), nil)
	g.wait(time.Minute)
	if g.Problems()["ops"] == "" || strings.Contains(g.Problems()["ops"], "secret-path") {
		t.Errorf("problem %q", g.Problems()["ops"])
	}
	for range 40 {
		g.wait(time.Second)
	}
	if len(r.ids) != 4 { // at once, after 5, 15 and 35 seconds
		t.Errorf("tried %d times within 40 seconds, want 4", len(r.ids))
	}
	r.answer(http.StatusOK)
	for i := range 5 {
		g.cycle(heldReport(fmt.Sprintf("h-%d", i+2)), nil)
	}
	g.wait(time.Hour)
	g.wait(time.Hour)
	if got := r.types(); len(r.ids) != 6 || len(got) < 2 || len(g.Problems()) != 0 {
		t.Errorf("%d requests, events %v, problems %v", len(r.ids), got, g.Problems())
	}
	for attempts, want := range map[int]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 5: 80 * time.Second, 30: time.Hour} {
		if got := RetryWait(attempts); got != want {
			t.Errorf("wait after %d failures is %v, want %v", attempts, got, want)
		}
	}
}

// Routes choose by type, severity and tenant.
func TestRoutes(t *testing.T) {
	t.Parallel()
	e := Event{Type: Held, Severity: Warning, Tenant: "contoso"}
	for name, tt := range map[string]struct {
		route Route
		want  bool
	}{
		"all":              {Route{}, true},
		"its type":         {Route{Events: []string{Drift, Held}}, true},
		"another type":     {Route{Events: []string{Drift}}, false},
		"as severe":        {Route{Severity: Warning}, true},
		"less severe":      {Route{Severity: Critical}, false},
		"its tenant":       {Route{Tenants: []string{"contoso"}}, true},
		"another's":        {Route{Tenants: []string{"fabrikam"}}, false},
		"two of the three": {Route{Events: []string{Held}, Severity: Info, Tenants: []string{"fabrikam"}}, false},
	} {
		if got := tt.route.Takes(&e); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The most severe comes first, what is said twice is said once, and no message is without end.
func TestGroup(t *testing.T) {
	t.Parallel()
	var events []Event
	for i := range 120 {
		events = append(events, Event{Type: Held, Severity: Warning, Summary: fmt.Sprint(i)}, Event{Type: Held, Severity: Warning, Summary: fmt.Sprint(i)})
	}
	events = append(events, Event{Type: Failing, Severity: Critical, Summary: "x"})
	groups := Group(events)
	if len(groups) != 3 || groups[0][0].Type != Failing || len(groups[0])+len(groups[1])+len(groups[2]) != 121 {
		t.Errorf("%d groups, first %+v", len(groups), groups[0][0])
	}
	if Group(nil) != nil {
		t.Error("nothing makes a message")
	}
}

// Slack and Teams get the text in their own form.
func TestChats(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	m := &Message{ID: "msg_1", Events: []Event{{Type: Held, Severity: Warning, Summary: "3 actions wait <b>", Detail: []string{"h-1: left group [Sales](https://evil.example)"}, Answer: "entrasync holds", Link: "http://x/holds"}}}
	for _, s := range []Sender{&Slack{URL: r.url, Client: r.Client()}, &Teams{URL: r.url, Client: r.Client()}} {
		if err := s.Send(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	var slack struct{ Text string }
	var teams struct {
		Type        string
		Attachments []struct {
			ContentType string
			Content     struct{ Body []struct{ Text string } }
		}
	}
	if err := errors.Join(json.Unmarshal([]byte(r.bodies[0]), &slack), json.Unmarshal([]byte(r.bodies[1]), &teams)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(slack.Text, "3 actions wait &lt;b&gt;") || !strings.Contains(slack.Text, "entrasync holds") {
		t.Errorf("Slack gets %q", slack.Text)
	}
	if !strings.Contains(r.bodies[1], `left group \\[Sales\\](https://evil.example)`) {
		t.Errorf("the name of a group is a link with a text of its own: %s", r.bodies[1])
	}
	if len(teams.Attachments) != 1 || teams.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" || len(teams.Attachments[0].Content.Body) != 5 {
		t.Errorf("Teams gets %+v", teams)
	}
}

// A mailServer takes mail by SMTP with STARTTLS or TLS, and wants a user name.
type mailServer struct {
	addr string
	mu   sync.Mutex // guards mails
	mail []string
}

func startMail(t *testing.T, certificate tls.Certificate, implicit bool) *mailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s := &mailServer{addr: listener.Addr().String()}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if implicit {
				conn = tls.Server(conn, config)
			}
			go s.serve(conn, config, implicit)
		}
	}()
	return s
}

func (s *mailServer) serve(conn net.Conn, config *tls.Config, secure bool) {
	defer func() { conn.Close() }()
	in := bufio.NewReader(conn)
	say := func(text string) { fmt.Fprintf(conn, "%s\r\n", text) }
	say("220 test")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.Fields(line + " x")[0]); {
		case verb == "EHLO" && !secure:
			say("250-test\r\n250 STARTTLS")
		case verb == "EHLO":
			say("250-test\r\n250 AUTH PLAIN")
		case verb == "STARTTLS":
			say("220 go")
			conn, secure = tls.Server(conn, config), true
			in = bufio.NewReader(conn)
		case !secure:
			say("530 Must issue a STARTTLS command first")
		case verb == "AUTH" && strings.TrimSpace(line) != "AUTH PLAIN AG9wcwBwYXNzd29yZA==": // NUL ops NUL password
			say("535 no")
		case verb == "AUTH":
			say("235 yes")
		case verb == "DATA":
			say("354 go")
			var text strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil || line == ".\r\n" {
					break
				}
				text.WriteString(line)
			}
			s.mu.Lock()
			s.mail = append(s.mail, text.String())
			s.mu.Unlock()
			say("250 ok")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// Mail goes over TLS only, with the id of the message, and a wrong password is said.
func TestMail(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	certificate := r.TLS.Certificates[0]
	pool := r.Client().Transport.(*http.Transport).TLSClientConfig
	m := &Message{ID: "msg_7", At: noon, Events: []Event{{Type: Held, Severity: Warning, Summary: "3 Konten für Köln warten", Answer: "entrasync holds"}}}
	for mode, implicit := range map[string]bool{"starttls": false, "tls": true} {
		server := startMail(t, certificate, implicit)
		password := "password"
		s := &Mail{Address: server.addr, Mode: mode, From: "entrasync <sync@example.com>", To: []string{"ops@example.com"}, Username: "ops", TLS: pool,
			Password: func() (string, error) { return password, nil }}
		if err := s.Send(context.Background(), m); err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		for _, word := range []string{"Message-ID: <msg_7@example.com>\r\n", "To: ops@example.com\r\n", "Subject: =?utf-8?q?entrasync:_3_Konten_f=C3=BCr", "What to do: entrasync holds\r\n", "3 Konten für Köln warten"} {
			if !strings.Contains(server.mail[0], word) {
				t.Errorf("%s: %q is not in\n%s", mode, word, server.mail[0])
			}
		}
		if password = "wrong"; s.Send(context.Background(), m) == nil {
			t.Errorf("%s: a wrong password is taken", mode)
		}
		s.TLS = nil // the certificate is not trusted
		if password = "password"; s.Send(context.Background(), m) == nil {
			t.Errorf("%s: an untrusted certificate is taken", mode)
		}
		if len(server.mail) != 1 {
			t.Errorf("%s: %d mails", mode, len(server.mail))
		}
	}
}
