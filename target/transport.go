package target

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// TransportConfig says how an application is reached. The zero value reaches it without
// authorization and with the defaults named.
type TransportConfig struct {
	Version string // of entrasync, for the User-Agent; "dev" when empty
	Auth    Auth

	CAFile            string // PEM, trusted in addition to the system's
	CertFile, KeyFile string // PEM, shown to the application; read again for each connection
	Proxy             string // URL; the environment's HTTPS_PROXY and NO_PROXY when empty

	Timeout     time.Duration // of one attempt, body included; default one minute
	Rate        float64       // requests a second, 0 for no limit
	Limiter     *rate.Limiter // paces several transports together, at the Rate of each; nil: it is this one's own
	Concurrency int           // requests in flight; default 4
	MaxBody     int64         // bytes of one response, unpacked; default 8 MiB

	NoRedirects bool // an answer that redirects is an error

	Retries    int           // further attempts after a failure; default 3, negative for none
	Backoff    time.Duration // first wait after a failure, doubled each time; default half a second
	MaxElapsed time.Duration // longest one request waits because it is throttled; default two minutes

	Base http.RoundTripper // reaches an application in the same process; the TLS and proxy fields do not apply
}

const maxRedirects = 5

// ErrTooLarge is the cause of an error about an answer larger than MaxBody.
var ErrTooLarge = errors.New("answer too large")

// A Transport paces, authorizes and repeats the requests to one application, for all who
// send to it. It is an [http.RoundTripper] that returns answers read to their end.
//
// What may be repeated: GET, HEAD, PUT and DELETE after lost connections and 5xx answers;
// PATCH and POST when the caller declares their outcome fixed in net/http's own way, by a header key
// Idempotency-Key with no values; any other POST never once it may have arrived. Any request is
// repeated after 429, what says the same in other words, and 503 when the answer says for how long
// to wait, because those were refused, not done.
//
// Errors are *[Error], without the request's URL and without secrets: a secret that an
// application echoes is blanked out of headers and body too, see package redact. Indeterminate is set when a write may have
// happened.
type Transport struct {
	base       http.RoundTripper
	auth       *authorizer
	agent      string
	timeout    time.Duration
	maxBody    int64
	retries    int
	backoff    time.Duration
	maxElapsed time.Duration
	limiter    *rate.Limiter
	rate       float64
	slots      chan struct{}
	mu         sync.Mutex // guards reserved
	reserved   int        // of the slots, for other processes
	gate       gate
	requests   atomic.Int64
	serverEnds atomic.Int64 // Unix time; 0: no certificate was shown
	throttled  atomic.Int64
	stays      bool // redirects are not followed
}

// NewTransport checks the configuration, reading its files once.
func NewTransport(cfg TransportConfig) (*Transport, error) {
	base := cfg.Base
	if base == nil {
		var err error
		if base, err = dialer(cfg); err != nil {
			return nil, err
		}
	}
	t := &Transport{
		base:       base,
		agent:      "entrasync/" + orDefault(cfg.Version, "dev"),
		timeout:    orDefault(cfg.Timeout, time.Minute),
		maxBody:    orDefault(cfg.MaxBody, 8<<20),
		retries:    max(0, orDefault(cfg.Retries, 3)),
		backoff:    orDefault(cfg.Backoff, time.Second/2),
		maxElapsed: orDefault(cfg.MaxElapsed, 2*time.Minute),
		stays:      cfg.NoRedirects,
		limiter:    cmp.Or(cfg.Limiter, rate.NewLimiter(rate.Inf, 1)),
		rate:       cfg.Rate,
		slots:      make(chan struct{}, max(1, orDefault(cfg.Concurrency, 4))),
	}
	t.Share(1)
	var err error
	t.auth, err = newAuthorizer(cfg.Auth, base, t.timeout)
	return t, err
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// Authorities returns the system's certificates and those of a file (PEM), which ca_file of a target names.
func Authorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read ca_file %s: no certificate in it (PEM is wanted)", file)
	}
	return pool, nil
}

func dialer(cfg TransportConfig) (*http.Transport, error) {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConnsPerHost = orDefault(cfg.Concurrency, 4)
	base.MaxResponseHeaderBytes = 1 << 20
	base.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.Proxy != "" {
		proxy, err := url.Parse(cfg.Proxy)
		if err != nil || proxy.Host == "" {
			return nil, errors.New("proxy: not a URL such as http://proxy.example.com:3128") // may hold a password
		}
		base.Proxy = http.ProxyURL(proxy)
	}
	if cfg.CAFile != "" {
		pool, err := Authorities(cfg.CAFile)
		if err != nil {
			return nil, err
		}
		base.TLSClientConfig.RootCAs = pool
	}
	if cfg.CertFile != "" || cfg.KeyFile != "" {
		load := func() (*tls.Certificate, error) {
			cert, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("read client certificate: %w", err)
			}
			return &cert, nil
		}
		if _, err := load(); err != nil {
			return nil, err
		}
		base.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return load()
		}
	}
	return base, nil
}

// Concurrency returns how many requests are in flight at most.
func (t *Transport) Concurrency() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return cap(t.slots) - t.reserved
}

// Share implements [Sharer]: this transport keeps to its part of the rate and of the requests in flight, one at least. Requests
// that are in flight end as they would.
func (t *Transport) Share(processes int) {
	processes = max(1, processes)
	if t.rate > 0 {
		t.limiter.SetLimit(rate.Limit(t.rate / float64(processes)))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	wanted := cap(t.slots) - max(1, cap(t.slots)/processes)
	for ; t.reserved < wanted; t.reserved++ {
		go func() { t.slots <- struct{}{} }()
	}
	for ; t.reserved > wanted; t.reserved-- {
		go func() { <-t.slots }()
	}
}

// Traffic returns what was sent so far; every attempt counts.
func (t *Transport) Traffic() Traffic {
	done := Traffic{Requests: t.requests.Load(), Throttled: t.throttled.Load()}
	if ends := t.serverEnds.Load(); ends != 0 {
		done.ServerEnds = time.Unix(ends, 0).UTC()
	}
	return done
}

// RoundTrip sends a request until it is answered. See [Transport].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := drain(req)
	if err != nil {
		return nil, err
	}
	ctx := req.Context()
	var renewed bool
	var waited time.Duration
	for failures, refusals := 0, 0; ; {
		answer, credential, err := t.once(req, body)
		var wait time.Duration
		switch {
		case err != nil:
			if failures == t.retries || !repeatable(req) && !neverSent(err) || final(err) {
				return nil, err
			}
			failures++
			wait = t.backoffBefore(failures)
		case answer.StatusCode == http.StatusUnauthorized && !renewed && t.auth.renew(credential):
			renewed = true
			continue
		case throttled(answer):
			t.throttled.Add(1)
			asked, ok := askedWait(answer.Header, time.Now())
			if !ok && answer.StatusCode == http.StatusServiceUnavailable && !repeatable(req) {
				return answer, nil
			}
			if refusals++; !ok || asked == 0 { // a wait of 0 for ever would never use it up
				asked = t.backoffBefore(refusals)
			}
			if waited += asked; waited > t.maxElapsed {
				return answer, nil
			}
			t.gate.close(time.Now().Add(asked))
		case answer.StatusCode >= 500 && answer.StatusCode != http.StatusNotImplemented && repeatable(req) && failures < t.retries:
			failures++
			wait = t.backoffBefore(failures)
		default:
			return answer, nil
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, failure(req, err, failures > 0)
		}
	}
}

// drain takes the body, which every attempt sends again.
func drain(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer req.Body.Close()
	return io.ReadAll(req.Body)
}

// once makes one attempt, following redirects, and reads the answer to its end.
func (t *Transport) once(req *http.Request, body []byte) (*http.Response, string, error) {
	ctx := req.Context()
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-ctx.Done():
		return nil, "", failure(req, ctx.Err(), false)
	}
	if err := t.gate.wait(ctx); err != nil {
		return nil, "", failure(req, err, false)
	}
	if err := t.limiter.Wait(ctx); err != nil {
		if ctx.Err() == nil { // the deadline will come before the turn
			err = context.DeadlineExceeded
		}
		return nil, "", failure(req, err, false)
	}
	attempt, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	credential, err := t.auth.header(attempt)
	if err != nil {
		return nil, "", err
	}
	to := req.URL
	for range maxRedirects {
		sent := req.Clone(attempt)
		sent.URL, sent.Host = to, ""
		sent.Header.Set("User-Agent", t.agent)
		if credential != "" {
			sent.Header.Set("Authorization", credential)
		}
		if sent.Body = nil; body != nil {
			sent.Body = io.NopCloser(bytes.NewReader(body))
			sent.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
			sent.ContentLength = int64(len(body))
		}
		t.requests.Add(1)
		answer, err := t.base.RoundTrip(sent)
		if err != nil {
			return nil, "", Redacted(t.auth.redactor(credential, true), t.lost(req, err))
		}
		if shown := answer.TLS; shown != nil && len(shown.PeerCertificates) > 0 {
			t.serverEnds.Store(shown.PeerCertificates[0].NotAfter.Unix())
		}
		if err := t.read(req, answer, credential); err != nil {
			return nil, "", err
		}
		if answer.StatusCode < 300 || answer.StatusCode > 399 || answer.StatusCode == http.StatusNotModified {
			return answer, credential, nil
		}
		if t.stays {
			return nil, "", &Error{Code: NotSCIM, Status: answer.StatusCode, Message: fmt.Sprintf("it answers with a redirect (%d), which is not followed", answer.StatusCode),
				Hint: "set the target's url to the address where the receiver really is"}
		}
		if to, err = redirect(req.Method, to, answer); err != nil {
			return nil, "", err
		}
	}
	return nil, "", &Error{Code: NotSCIM, Message: fmt.Sprintf("it redirects more than %d times", maxRedirects), Hint: "check the target's url"}
}

// MaxBody is the largest response that is accepted, in bytes.
func (t *Transport) MaxBody() int64 { return t.maxBody }

// lost says why there was no answer.
func (t *Transport) lost(req *http.Request, err error) error {
	if req.Context().Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = timeoutError{t.timeout}
	}
	return failure(req, err, true)
}

// read replaces the body by its bytes, without the credential should it be in them.
func (t *Transport) read(req *http.Request, answer *http.Response, credential string) error {
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, t.maxBody+1))
	if err != nil {
		return t.lost(req, err)
	}
	if int64(len(body)) > t.maxBody {
		return &Error{
			Code: Rejected, Status: answer.StatusCode, Indeterminate: writes(req),
			Message: fmt.Sprintf("the answer is larger than %d bytes", t.maxBody), Hint: "lower the target's page_size, or raise max_response_mib", Err: ErrTooLarge,
		}
	}
	redact := t.auth.redactor(credential, answer.StatusCode >= 300)
	body = redact.Bytes(body)
	for _, values := range answer.Header {
		for i := range values {
			values[i] = redact.Text(values[i])
		}
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	answer.ContentLength = int64(len(body))
	return nil
}

// redirect returns where to send the request again: 307 and 308 keep method and body, 301 and 302
// those of a read (RFC 9110, section 15.4), and the credential goes to no other host.
func redirect(method string, from *url.URL, answer *http.Response) (*url.URL, error) {
	to, err := from.Parse(answer.Header.Get("Location"))
	fault := &Error{Code: NotSCIM, Status: answer.StatusCode, Hint: "set the target's url to the address where the API really is"}
	switch {
	case err != nil || answer.Header.Get("Location") == "":
		fault.Message = fmt.Sprintf("it answers with a redirect (%d) that leads nowhere", answer.StatusCode)
	case !keepsRequest(method, answer.StatusCode):
		fault.Message = fmt.Sprintf("it redirects (%d) to %s, which would lose the request's method and body", answer.StatusCode, place(to))
	case !strings.EqualFold(to.Host, from.Host):
		fault.Message = fmt.Sprintf("it redirects (%d) to another host, %s; nothing was sent there", answer.StatusCode, place(to))
	case to.Scheme != from.Scheme && to.Scheme != "https":
		fault.Message = fmt.Sprintf("it redirects (%d) away from TLS, to %s; nothing was sent there", answer.StatusCode, place(to))
	default:
		return to, nil
	}
	return nil, fault
}

func keepsRequest(method string, status int) bool {
	switch status {
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	case http.StatusMovedPermanently, http.StatusFound:
		return method == http.MethodGet || method == http.MethodHead
	}
	return false
}

// place is a URL without what may be private in it.
func place(u *url.URL) string {
	return fmt.Sprintf("%.100q", (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}
