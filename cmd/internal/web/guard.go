package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"entrasync/cmd/internal/webserver"
)

// Every network may guess a credential so often: ten times, and then ten times a minute.
const (
	guessesPerSecond = 1.0 / 6
	guessesAtOnce    = 10
)

// A Credential is what requests must bring. Without a Username it is a bearer token.
type Credential struct {
	Username string
	Secret   func() (string, error) // read for each request, so that a changed file counts at once
}

// guard lets in requests with the credential. Where none is needed, a page of another site must
// not read this one through a name that it points here (DNS rebinding), so that the request has
// to name this machine.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.credential == nil {
			if !namesThisMachine(r.Host) {
				http.Error(w, "This page answers on this machine only, as localhost or 127.0.0.1. To reach it under another name, configure http.basic or http.token.", http.StatusMisdirectedRequest)
				return
			}
			// A proxy on this machine would open it to anyone who reaches the proxy.
			if throughProxy(r.Header) {
				http.Error(w, "This page does not answer through a proxy without a credential: configure http.basic or http.token.", http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r)
			return
		}
		from, guesses := webserver.VisitorOf(r, nil), r.Header.Get("Authorization") != ""
		if guesses && s.wrong.Exhausted(from, s.Now()) {
			w.Header().Set("Connection", "close")
			w.Header().Set("Retry-After", strconv.Itoa(int(1/guessesPerSecond)))
			http.Error(w, "Too many wrong credentials came from this address. Wait a minute, and try again.", http.StatusTooManyRequests)
			return
		}
		ok, err := s.credential.admits(r)
		if !ok {
			w.Header().Set("Connection", "close") // who is not let in keeps no place
		}
		if !ok && err == nil && guesses && s.wrong.Allow(from, s.Now()) {
			s.Log.Warn("a wrong credential for the status page", "from", from)
		}
		switch {
		case err != nil:
			s.Log.Error("the credential of the status page cannot be read", "error", err)
			http.Error(w, "The credential of this page cannot be read; the log says why.", http.StatusServiceUnavailable)
		case !ok && s.credential.Username == "":
			w.Header().Set("WWW-Authenticate", `Bearer realm="entrasync"`)
			http.Error(w, "This page wants the bearer token of http.token. Browsers have no place for one: configure http.basic for them.", http.StatusUnauthorized)
		case !ok:
			w.Header().Set("WWW-Authenticate", `Basic realm="entrasync", charset="UTF-8"`)
			http.Error(w, "This page wants the user name and password of http.basic.", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// proxyHeaders are set by proxies in common use, in addition to those that begin with X-Forwarded-.
var proxyHeaders = []string{
	"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Original-Host", "X-Original-Url", "X-Original-For",
	"Cf-Connecting-Ip", "Cf-Ray", "True-Client-Ip", "Fastly-Client-Ip", "Fly-Client-Ip", "X-Azure-Clientip", "X-Appengine-User-Ip",
	"X-Envoy-External-Address", "X-Amzn-Trace-Id", "X-Proxyuser-Ip", "Client-Ip",
}

// throughProxy reports whether a request came through a proxy.
func throughProxy(h http.Header) bool {
	for name, values := range h {
		if strings.HasPrefix(name, "X-Forwarded") || slices.Contains(proxyHeaders, name) {
			if strings.Join(values, "") != "" {
				return true
			}
		}
	}
	return false
}

func (c *Credential) admits(r *http.Request) (bool, error) {
	want, err := c.Secret()
	if err != nil || want == "" {
		return false, err
	}
	if c.Username == "" {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		return strings.EqualFold(scheme, "Bearer") && same(token, want), nil
	}
	name, password, ok := r.BasicAuth()
	// Both are compared, whatever the first one gives.
	nameOK, passwordOK := same(name, c.Username), same(password, want)
	return ok && nameOK && passwordOK, nil
}

// same compares in a time that tells nothing, not even the length.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func namesThisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}

// forms make tokens for forms: a cookie that other sites' requests do not carry, and in the
// form what only this process makes of it.
type forms struct{ key []byte }

const formCookie = "entrasync-form"

func newForms() forms {
	key := make([]byte, 32)
	rand.Read(key)
	return forms{key}
}

// token returns the token of a browser, giving it a cookie when it has none.
func (f forms) token(w http.ResponseWriter, r *http.Request) string {
	cookie, err := r.Cookie(formCookie)
	if err != nil || len(cookie.Value) != 26 {
		cookie = &http.Cookie{Name: formCookie, Value: rand.Text(), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil}
		http.SetCookie(w, cookie)
	}
	return f.of(cookie.Value)
}

func (f forms) of(cookie string) string {
	mac := hmac.New(sha256.New, f.key)
	mac.Write([]byte(cookie))
	return hex.EncodeToString(mac.Sum(nil))
}

// valid reports whether a posted form is one that this process gave to this browser.
func (f forms) valid(r *http.Request) bool {
	cookie, err := r.Cookie(formCookie)
	return err == nil && hmac.Equal([]byte(f.of(cookie.Value)), []byte(r.PostFormValue("token")))
}

// posted takes a form that changes something. One that another site sent, or that this process did
// not give to this browser, is refused with what did not happen.
func (s *Server) posted(w http.ResponseWriter, r *http.Request, nothing string) bool {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := s.cross.Check(r); err != nil || !s.forms.valid(r) {
		http.Error(w, "This form was not sent from this page, or the service has been restarted since. "+nothing+": load the page again and repeat it.", http.StatusForbidden)
		return false
	}
	return true
}
