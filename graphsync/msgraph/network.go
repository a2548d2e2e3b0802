package msgraph

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"entrasync/graphsync"
)

// NewTransport returns what carries requests to Graph and the token endpoint, with the system's
// roots (SSL_CERT_FILE) and proxies (HTTPS_PROXY, NO_PROXY), for one source or for many. It differs
// from http.DefaultTransport in that a dead HTTP/2 connection is noticed. It sets no limit on a
// whole request: a [Source] does, for each attempt.
func NewTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 20 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 20 * time.Second,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     90 * time.Second,
	}
}

// challengeHeader is where WWW-Authenticate is kept for us alone.
const challengeHeader = "Entrasync-Challenge"

// A graphTransport counts requests on their way to Graph, and reads the time that Graph shows.
type graphTransport struct {
	base     http.RoundTripper
	requests *atomic.Int64
	date     *atomic.Pointer[dateHeader]
}

// A dateHeader is what Graph's clock showed, and when that was here.
type dateHeader struct{ there, here time.Time }

func (t graphTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.requests.Add(1)
	resp, err := t.base.RoundTrip(req)
	if resp != nil {
		// The adapter would answer a claims challenge without our retry loop, and panics on a
		// malformed one. Without CAE it could not meet the claims anyway.
		resp.Header[challengeHeader] = resp.Header["Www-Authenticate"]
		resp.Header.Del("WWW-Authenticate")
		if there, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			t.date.Store(&dateHeader{there: there, here: time.Now()})
		}
	}
	return resp, err
}

// explainNetwork words a request that got no answer, or only part of one. A connection that
// broke is Transient, one that could not be made Unreachable.
func explainNetwork(host string, err error) *graphsync.Error {
	// The URL in a *url.Error holds delta tokens.
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err
	}
	e := &graphsync.Error{Class: graphsync.Unreachable, Err: err}
	var (
		dns         *net.DNSError
		op          *net.OpError
		record      tls.RecordHeaderError
		verify      *tls.CertificateVerificationError
		unknownCA   x509.UnknownAuthorityError
		wrongName   x509.HostnameError
		invalidCert x509.CertificateInvalidError
	)
	const reach = "check cloud, DNS, the firewall and the proxy settings (HTTPS_PROXY, NO_PROXY)"
	switch {
	case errors.As(err, &op) && op.Op == "proxyconnect":
		e.Message, e.Hint = fmt.Sprintf("the proxy on the way to %s cannot be used: %v", host, op.Err), "check HTTPS_PROXY and NO_PROXY"
	case errors.As(err, &wrongName):
		e.Message, e.Hint = fmt.Sprintf("the TLS certificate shown for %s is for another name", host), "check cloud; something else may be answering in its place"
	case errors.As(err, &verify), errors.As(err, &unknownCA), errors.As(err, &invalidCert):
		e.Message = fmt.Sprintf("the TLS certificate of %s is not trusted: %v", host, err)
		e.Hint = "if a proxy inspects TLS, or the host has its own authority, put that authority's certificate in a PEM file and name it in SSL_CERT_FILE"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		e.Message, e.Hint = host+" does not speak TLS", "check cloud and the proxy settings"
	case errors.As(err, &dns):
		e.Message, e.Hint = fmt.Sprintf("the name %s cannot be resolved", dns.Name), reach
		if dns.IsTemporary || dns.IsTimeout {
			e.Class = graphsync.Transient
		}
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Message, e.Hint = host+" refuses connections", reach
	case errors.As(err, &op) && op.Op == "dial":
		e.Message, e.Hint = fmt.Sprintf("%s cannot be reached: %v", host, op.Err), reach
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		e.Class, e.Message, e.Hint = graphsync.Transient, host+" did not answer in time", reach
	default:
		e.Class, e.Message, e.Hint = graphsync.Transient, fmt.Sprintf("the connection to %s was lost: %v", host, err), reach
	}
	return e
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
