// Package graphtest is a double of Microsoft Entra ID and Microsoft Graph: the token endpoint,
// the parts of Graph v1.0 that a directory sync reads, and the screens of admin consent and
// sign-in, on one host over TLS with its own certificate authority. Command emulate and demo run it, and tests
// talk to it on a socket ([Server.Start]) or in process ([Server.Transport]).
//
// It behaves, it does not replay: delta links track what they selected, expire after seven
// days, and report edits made through [Tenant]'s methods; faults come on demand
// ([Server.Fault]). It is no test of a client's guesses about Graph, and no directory to keep
// anything in: all is in memory.
//
// It promises to refuse, with Graph's own error body, every path, query option and property
// that Graph does not document (Microsoft Graph REST API v1.0 reference; delta query
// overview), so that a client that works here uses documented means only. An edit that a
// directory could not hold, such as an unknown property, is a mistake in the test and panics
// with the reason.
package graphtest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options of a Server. The zero value is what Graph does.
type Options struct {
	// Now is the server's clock, by which tokens and delta links expire; default time.Now.
	Now func() time.Time
	// PageSize is the number of objects on a delta page, default 200.
	PageSize int
	// ListPageSize bounds the pages of lists: Graph may send fewer than $top asks for. Default: $top.
	ListPageSize int
	// MembersPageSize is the number of members@delta entries on a page, default 500.
	MembersPageSize int
	// TokenLifetime is how long an access token is good for, default one hour.
	TokenLifetime time.Duration
	// ConsentDelay is the number of an app's own token requests (client credentials) that still
	// fail with AADSTS700016 after an administrator has consented on the screen, as consent
	// takes time to spread.
	ConsentDelay int
	// QuietRestores keeps restored objects out of delta rounds other than first ones, as has
	// been reported of Graph when $select is used (microsoft-graph-docs issue 5821).
	QuietRestores bool
	// Deliver posts change notifications to the addresses that are subscribed; default: over the network, without a proxy.
	Deliver http.RoundTripper
	// Log receives a line per request, default nothing.
	Log *slog.Logger
}

// A Server is the emulator. Its methods may be called concurrently, also while it serves.
type Server struct {
	opts  Options
	key   *ecdsa.PrivateKey      // signs access tokens
	idKey func() *rsa.PrivateKey // signs ID tokens; made when first needed, as that takes long
	seal  seal                   // signs delta and skip tokens
	ca    *authority
	codes codes

	notifier notifier

	mu       sync.Mutex // guards the rest
	tenants  map[string]*Tenant
	order    []*Tenant
	apps     map[string]*application
	sessions map[string]session // by cookie
	faults   []*fault
	requests []Request
	count    uint64 // requests ever, for their ids
	ahead    time.Duration
	url      string
}

// New returns a server without tenants and apps: see [Server.AddTenant] and [Tenant.App].
func New(opts Options) *Server {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.PageSize <= 0 {
		opts.PageSize = 200
	}
	if opts.MembersPageSize <= 0 {
		opts.MembersPageSize = 500
	}
	if opts.TokenLifetime <= 0 {
		opts.TokenLifetime = time.Hour
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		opts:     opts,
		tenants:  map[string]*Tenant{},
		apps:     map[string]*application{},
		idKey:    sync.OnceValue(newIDKey),
		sessions: map[string]session{},
		url:      "https://graph.emulator.test",
		codes:    codes{now: opts.Now, grants: map[string]*grant{}},
	}
	s.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // never fails: crypto/rand does not
	rand.Read(s.seal.key[:])
	s.seal.epoch = rand.Text()[:8]
	s.ca = newAuthority()
	s.notifier.init(opts)
	return s
}

// URL returns the base URL of authority and Graph: the one Start printed, or before that the
// name under which [Server.Transport] answers.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url
}

// A Request is one request the server has answered.
type Request struct {
	Method string
	Path   string // unescaped
	Query  string // as sent
	Tenant string // id, when the request could be attributed to one
	Status int    // 0 when the connection was dropped
}

// Requests returns the requests answered since the last Reset, in the order they arrived.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Reset forgets requests and faults. Tenants, apps and delta links stay.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.faults = nil, nil
}

// maxRequests bounds the memory of a server that runs for weeks.
const maxRequests = 100_000

// serve takes a request through faults and handler, and keeps a record of it.
func (s *Server) serve(r *http.Request) *Response {
	c := &call{s: s, r: r, base: "https://" + r.Host}
	s.mu.Lock()
	s.count++
	c.id = newID("request", fmt.Sprint(s.count)).String()
	injected := s.match(r)
	s.mu.Unlock()

	next := func() *Response { return c.route() }
	var a *Response
	if injected != nil {
		a = injected(c, next)
	} else {
		a = next()
	}
	c.annotate(a)
	s.date(a)

	record := Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Status: a.Status}
	if c.tenant != nil {
		record.Tenant = c.tenant.ID().String()
	}
	if a.Drop {
		record.Status = 0
	}
	s.mu.Lock()
	if len(s.requests) == maxRequests {
		s.requests = s.requests[maxRequests/2:]
	}
	s.requests = append(s.requests, record)
	s.mu.Unlock()
	s.opts.Log.Info("request", "method", r.Method, "path", r.URL.Path, "tenant", record.Tenant, "status", record.Status, "id", c.id)
	return a
}

// SetClock has the Date header of answers show a time that is ahead of the server's clock, or
// behind it when negative, as on a machine whose clock is wrong.
func (s *Server) SetClock(ahead time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = ahead
}

// date says in a response what time it is (RFC 9110, section 6.6.1).
func (s *Server) date(a *Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.Header == nil {
		a.Header = http.Header{}
	}
	a.Header.Set("Date", s.opts.Now().Add(s.ahead).UTC().Format(http.TimeFormat))
}

// A Response is what is answered, before it is sent, for faults to invent or to change.
type Response struct {
	Status int
	Header http.Header
	Body   []byte

	Delay    time.Duration // before the status line
	Trickle  time.Duration // between chunks of 1 KB of the body
	Truncate bool          // the connection ends in the middle of the body
	Drop     bool          // the connection ends without a response

	again string // a link that gives the same page once more, set by pages of delta
}

// Handler returns the server as an http.Handler. It must be served over TLS: the links it
// gives are https.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := s.serve(r)
		if a.Delay > 0 && !pause(r.Context(), a.Delay) || a.Drop {
			panic(http.ErrAbortHandler)
		}
		for name, values := range a.Header {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(a.Body)))
		w.WriteHeader(a.Status)
		if _, err := io.Copy(flusher{w}, a.reader(r.Context())); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
}

// Transport answers in process, without sockets, which a testing/synctest bubble needs.
// Requests for any host are answered; use those of [Server.URL].
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *Server }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if in.Host == "" {
		in.Host = in.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer in.Body.Close()
	a := t.s.serve(in)
	if a.Delay > 0 && !pause(r.Context(), a.Delay) {
		return nil, r.Context().Err()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if a.Drop {
		return nil, fmt.Errorf("read answer of %s: %w", r.URL.Host, io.EOF)
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status)),
		StatusCode:    a.Status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        a.Header,
		Body:          io.NopCloser(a.reader(r.Context())),
		ContentLength: int64(len(a.Body)),
		Request:       r,
	}, nil
}

// reader returns the body with its slowness and its premature end.
func (a *Response) reader(ctx context.Context) io.Reader {
	if a.Trickle == 0 && !a.Truncate {
		return bytes.NewReader(a.Body)
	}
	return &faultyBody{response: a, ctx: ctx, rest: a.Body}
}

type faultyBody struct {
	response *Response
	ctx      context.Context
	rest     []byte
}

func (b *faultyBody) Read(p []byte) (int, error) {
	sent := len(b.response.Body) - len(b.rest)
	if b.response.Truncate && sent >= len(b.response.Body)/2 {
		return 0, io.ErrUnexpectedEOF
	}
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	if sent > 0 && b.response.Trickle > 0 && !pause(b.ctx, b.response.Trickle) {
		return 0, b.ctx.Err()
	}
	n := copy(p[:min(len(p), 1024)], b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// flusher sends each chunk at once, so that a slow body is seen to be slow.
type flusher struct{ w http.ResponseWriter }

func (f flusher) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if flush, ok := f.w.(http.Flusher); ok {
		flush.Flush()
	}
	return n, err
}

// pause waits, or reports false when the client has gone.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Tenant returns the tenant of that id or domain, or nil.
func (s *Server) Tenant(id string) *Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tenants[strings.ToLower(id)]
}

// Tenants returns all tenants in the order they were added.
func (s *Server) Tenants() []*Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Tenant(nil), s.order...)
}
