// Package scimtest starts SCIM servers to test against: servers that others wrote, on loopback
// and over real HTTP. It is for tests only.
//
// [Elimity] runs the Go library github.com/elimity-com/scim in process; [SCIMMY] runs the npm
// package of that name in a Node.js process. Routing, discovery, validation, filters and error
// bodies are theirs. Keeping records, uniqueness, and for Elimity applying a validated PATCH, are
// this package's, because both leave that to their user. The two differ in ways that break
// careless clients, and those differences are left as they are:
//
//   - SCIMMY compares userName in a filter case-sensitively, answers a page past the end with
//     the first page, lists a member added twice twice, and knows no target for
//     phoneNumbers[type eq "mobile"].value when there is none.
//   - Elimity refuses filters on externalId and id, and pathless PATCHes of nested objects.
package scimtest

import (
	"bytes"
	"encoding/pem"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Options are what a server can be started with. The zero value is a plain server.
type Options struct {
	Token          string      // the bearer token it accepts; "scimtest-token" by default
	TLS            bool        // serve over TLS with a certificate of its own, see Server.CAFile
	InProcess      bool        // no socket: reached through Server.Transport alone
	Extensions     []Extension // schemas it knows in addition to core and enterprise
	SameGroupNames bool        // let two groups have one displayName; otherwise 409
	PageSize       int         // Elimity only: resources a page has at most; 50 by default
	CheckMembers   bool        // Elimity only: refuse unknown member ids with 400
	Quirks         []Quirk     // how it misbehaves
}

// An Extension is a schema extension to declare. SCIMMY takes only URNs that begin with
// urn:ietf:params:scim:schemas:.
type Extension struct {
	URN        string      `json:"urn"`
	Resource   string      `json:"resource"` // "User" or "Group"
	Attributes []Attribute `json:"attributes"`
}

// An Attribute is a simple attribute of an extension.
type Attribute struct {
	Name        string `json:"name"`
	Type        string `json:"type"` // "string" or "boolean"
	MultiValued bool   `json:"multiValued"`
}

// A Server is a running SCIM server. It ends with the test that started it.
type Server struct {
	URL    string       // base URL, ends in /v2
	Token  string       // the bearer token it accepts
	CAFile string       // PEM file with the certificate to trust, empty without TLS
	Client *http.Client // trusts the server; sends no token of its own

	// What an operator does with Zabbix, nil for other servers: Stop and Resume take it down and up, Backup keeps its
	// database as it is and Restore puts it back.
	Stop, Resume, Backup, Restore func(testing.TB)

	backend http.Handler // the SCIM server behind the counting front
	quirked http.Handler // the same as clients see it

	byHand operator // nil where SCIM does all that an operator can do

	mu       sync.Mutex // guards what follows
	requests []*Request
	fail     func(*http.Request) *http.Response
	lose     func(*http.Request) bool
}

// A Request is one request a server got, in the order of arrival, with the status it answered.
// A request whose answer was lost has the status 0.
type Request struct {
	Method, Path, Query string
	Body                string
	Status              int
}

// start puts the counting front before a SCIM server.
func start(tb testing.TB, opts Options, backend http.Handler) *Server {
	tb.Helper()
	s := &Server{Token: opts.Token, backend: backend, quirked: with(tb, opts, backend)}
	if opts.InProcess {
		s.URL, s.Client = "http://scim.example/v2", &http.Client{Transport: s.Transport()}
		return s
	}
	front := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	if opts.TLS {
		front.StartTLS()
		s.CAFile = filepath.Join(tb.TempDir(), "scim-ca.pem")
		block := &pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}
		if err := os.WriteFile(s.CAFile, pem.EncodeToMemory(block), 0o600); err != nil {
			tb.Fatalf("write the SCIM server's certificate: %v", err)
		}
	} else {
		front.Start()
	}
	tb.Cleanup(front.Close)
	s.URL, s.Client = front.URL+"/v2", front.Client()
	return s
}

func withDefaults(opts Options) Options {
	if opts.Token == "" {
		opts.Token = "scimtest-token"
	}
	if opts.PageSize == 0 {
		opts.PageSize = 50
	}
	return opts
}

// Requests returns what was asked of the server since it started or was last reset. The calls
// of this package do not count.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := make([]Request, len(s.requests))
	for i, r := range s.requests {
		requests[i] = *r
	}
	return requests
}

// Reset forgets the requests so far. Records and faults stay.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// Fail sets a hook that sees every request first. What it returns is the response, and the
// request is not carried out; nil lets the request through. A nil hook ends the faults.
func (s *Server) Fail(hook func(*http.Request) *http.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = hook
}

// Lose sets a hook that picks requests which are carried out but whose answer never arrives:
// the connection is closed instead. A nil hook ends that.
func (s *Server) Lose(hook func(*http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose = hook
}

// NewResponse makes a response for a Fail hook. header holds pairs of name and value.
func NewResponse(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewBufferString(body))}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	rewind := func() { r.Body = io.NopCloser(bytes.NewReader(body)) }
	rewind()

	entry := &Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Body: string(body)}
	s.mu.Lock()
	s.requests = append(s.requests, entry)
	fail, lose := s.fail, s.lose
	s.mu.Unlock()

	var response *http.Response
	if fail != nil {
		response = fail(r)
		rewind()
	}
	lost := response == nil && lose != nil && lose(r)
	rewind()
	if response == nil {
		response = carriedOut(s.quirked, r)
	}
	if lost {
		panic(http.ErrAbortHandler) // net/http's way to drop a connection
	}
	s.mu.Lock()
	entry.Status = response.StatusCode
	s.mu.Unlock()
	maps.Copy(w.Header(), response.Header)
	w.WriteHeader(response.StatusCode)
	io.Copy(w, response.Body)
}

// Transport answers requests to any host in this process, without sockets, which a
// testing/synctest bubble needs.
func (s *Server) Transport() http.RoundTripper { return inProcess{s} }

type inProcess struct{ server *Server }

// RoundTrip implements http.RoundTripper.
func (p inProcess) RoundTrip(r *http.Request) (response *http.Response, err error) {
	defer func() {
		if cause := recover(); cause == http.ErrAbortHandler {
			response, err = nil, io.ErrUnexpectedEOF
		} else if cause != nil {
			panic(cause)
		}
	}()
	asked := r.Clone(r.Context())
	if asked.Body == nil {
		asked.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	p.server.serve(recorder, asked)
	response = recorder.Result()
	response.Request = r
	return response, nil
}

// carriedOut has a request answered.
func carriedOut(by http.Handler, r *http.Request) *http.Response {
	recorder := httptest.NewRecorder()
	by.ServeHTTP(recorder, r)
	return recorder.Result()
}
