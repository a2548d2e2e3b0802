package target

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// failure says in plain words why a request has no answer. sent is false when it certainly
// was not sent.
func failure(req *http.Request, err error, sent bool) *Error {
	if ended := req.Context().Err(); ended != nil {
		err = ended // its cause may be the error of another request, which says nothing of this one
	}
	host := ""
	if req.URL != nil {
		host = req.URL.Hostname()
	}
	return Unanswered(host, err, sent && writes(req))
}

// Unanswered says in plain words why an application has not answered, for errors of the network and of TLS. host is the
// name that was to be reached; unsure is set where a write may have been carried out. An error that is or wraps *[Error]
// already is returned as that.
func Unanswered(host string, err error, unsure bool) *Error {
	var already *Error
	if errors.As(err, &already) {
		return already
	}
	e := &Error{Code: Unavailable, Err: unwrapURL(err), Indeterminate: unsure && !dialing(err)}
	var (
		dns       *net.DNSError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		late      timeoutError
		network   net.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		e.Message = "stopped before it was answered"
	case errors.As(err, &late):
		e.Message, e.Hint = late.Error(), "see whether the application is overloaded, or raise the target's timeout"
	case errors.As(err, &dns):
		e.Message, e.Hint = fmt.Sprintf("the host %q is not known", dns.Name), "check the target's url and this machine's DNS"
	case errors.As(err, &authority):
		e.Code, e.Message, e.Hint = Untrusted, "its certificate is signed by an authority that is not trusted here", "set the target's ca_file to the authority's certificate"
	case errors.As(err, &name):
		e.Code, e.Message, e.Hint = Untrusted, fmt.Sprintf("its certificate is not for %q", host), "use the name in the certificate in the target's url"
	case errors.As(err, &invalid):
		e.Code, e.Message, e.Hint = Untrusted, "its certificate is not valid: "+invalid.Error(), "have the certificate renewed, or check this machine's clock"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		e.Code, e.Message, e.Hint, e.Indeterminate = Untrusted, "it does not speak TLS on this port", "check scheme and port of the target's url", false
	case errors.As(err, &alert), strings.Contains(err.Error(), "remote error: tls:"):
		e.Code, e.Message, e.Hint = Untrusted, "it refuses the TLS connection: "+Clean(err.Error()), "see whether it wants a client certificate (client_certificate_file, client_key_file)"
	case dialing(err):
		e.Message, e.Hint = "no connection: "+Clean(e.Err.Error()), "check the target's url, the proxy and the firewall"
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		e.Message = "no answer in time"
	default:
		e.Message = "the connection broke: " + Clean(e.Err.Error())
	}
	return e
}

// timeoutError says that one attempt took too long.
type timeoutError struct{ after time.Duration }

func (e timeoutError) Error() string { return fmt.Sprintf("no complete answer within %v", e.after) }

// unwrapURL drops the URL that net/http's client puts around an error: it may hold values.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// dialing reports whether the connection was not even made.
func dialing(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}

// neverSent reports whether an error says that the request did not leave.
func neverSent(err error) bool {
	var e *Error
	return errors.As(err, &e) && !e.Indeterminate && e.Code == Unavailable
}

// final reports whether retrying cannot cure an error.
func final(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code != Unavailable || errors.Is(err, context.Canceled)
}

// Clean makes an application's words fit for one line of a log or report: control and
// invisible characters become spaces, runs of spaces one, and what is over 300 characters
// is cut.
func Clean(text string) string {
	const most = 300
	if len(text) > 16*most {
		text = text[:16*most]
	}
	text = strings.ToValidUTF8(text, "\ufffd")
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(runes)
}
