package msgraph_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/msgraph"
)

const (
	origin  = "https://graph.double.test"
	planted = "planted-secret-9f2c"
)

var tenantID = mustID("11111111-2222-3333-4444-555555555555")

func mustID(text string) graphsync.ID {
	id, err := graphsync.ParseID(text)
	if err != nil {
		panic(err)
	}
	return id
}

// A double answers as Graph and token endpoint in process, in shapes the emulator does not
// have. It is a RoundTripper, so that it runs inside a synctest bubble.
type double struct {
	graph http.HandlerFunc // answers what is not a token request
	token http.HandlerFunc // nil: grants one with roles
	roles []string

	mu     sync.Mutex // guards the rest
	seen   []*http.Request
	tokens int
}

func (d *double) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	rec := httptest.NewRecorder()
	var broken error
	func() {
		defer func() {
			if p := recover(); p != nil {
				err, ok := p.(error)
				if !ok {
					panic(p)
				}
				broken = err
			}
		}()
		d.serve(rec, r)
	}()
	if broken != nil {
		return nil, broken
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

func (d *double) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		tenant, _, _ := strings.Cut(r.URL.Path[1:], "/")
		fmt.Fprintf(w, `{"token_endpoint":"%[1]s/%[2]s/oauth2/v2.0/token","authorization_endpoint":"%[1]s/%[2]s/oauth2/v2.0/authorize","issuer":"%[1]s/%[2]s/v2.0"}`, origin, tenant)
	case strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token"):
		d.mu.Lock()
		d.tokens++
		n := d.tokens
		d.mu.Unlock()
		if d.token != nil {
			d.token(w, r)
			return
		}
		writeToken(w, n, d.roles)
	default:
		d.mu.Lock()
		d.seen = append(d.seen, r)
		d.mu.Unlock()
		d.graph(w, r)
	}
}

func writeToken(w http.ResponseWriter, n int, roles []string) {
	claims, _ := json.Marshal(map[string]any{"roles": roles, "n": n})
	token := "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString(claims) + ".c2lnbmF0dXJl"
	fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3600,"access_token":%q}`, token)
}

// requests returns the requests to Graph so far.
func (d *double) requests() []*http.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]*http.Request(nil), d.seen...)
}

func (d *double) issued() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tokens
}

// open returns a source on the double; with edits to its configuration.
func (d *double) open(t testing.TB, edits ...func(*msgraph.Config)) *msgraph.Source {
	t.Helper()
	cloud, err := graphsync.CustomCloud(origin, origin)
	if err != nil {
		t.Fatal(err)
	}
	cfg := msgraph.Config{
		Tenant: tenantID, Cloud: cloud, HTTP: d,
		Credential: msgraph.Credential{
			ClientID: "6a1e0000-0000-0000-0000-000000000001",
			Secret:   func() (string, error) { return planted, nil },
		},
	}
	for _, edit := range edits {
		edit(&cfg)
	}
	s, err := msgraph.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answer is a handler with one answer.
func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("request-id", "request-7")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// inTurn gives the answers one after the other; the last one stays.
func inTurn(handlers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := handlers[min(n, len(handlers)-1)]
		n++
		mu.Unlock()
		h(w, r)
	}
}

func graphError(code, message string) string {
	return fmt.Sprintf(`{"error":{"code":%q,"message":%q,"innerError":{"request-id":"request-7"}}}`, code, message)
}

const emptyRound = `{"@odata.deltaLink":"` + origin + `/v1.0/users/delta?$deltatoken=D1","value":[]}`

// explained returns the *graphsync.Error inside err, which must have that class.
func explained(t *testing.T, err error, class graphsync.Class) *graphsync.Error {
	t.Helper()
	var e *graphsync.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v (%T) is not explained", err, err)
	}
	if e.Class != class {
		t.Fatalf("class is %s, want %s: %v", e.Class, class, err)
	}
	if e.Message == "" || e.Op == "" {
		t.Errorf("error says too little: %+v", e)
	}
	for _, text := range []string{err.Error(), e.Hint, e.Message} {
		if strings.Contains(text, planted) || strings.Contains(text, "eyJ") {
			t.Errorf("a secret shows: %s", text)
		}
	}
	return e
}

func ago(d time.Duration) time.Time { return time.Now().Add(-d) }

func quoteJSON(s string) string {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(quoted)
}
