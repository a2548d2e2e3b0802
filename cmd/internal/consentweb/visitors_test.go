package consentweb_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Behind a proxy each visitor has a limit of its own, and no visitor chooses whose it is.
func TestConsentLimitsBehindProxies(t *testing.T) {
	t.Parallel()
	c := newConsents(t)
	c.pages.Now = func() time.Time { return now } // however busy the machine is
	ask := func(remote, forwarded string) int {
		r := httptest.NewRequest(http.MethodGet, "/consent/start?i=guess", nil)
		r.RemoteAddr = remote
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, r)
		return w.Code
	}
	exhaust := func(remote, forwarded string) {
		for range 100 {
			ask(remote, forwarded)
		}
	}
	exhaust("10.1.1.1:4711", "203.0.113.9")
	exhaust("[::1]:4711", "2001:db8:1:100::7")
	exhaust("198.51.100.1:4711", "") // no proxy
	for name, tt := range map[string]struct {
		remote, forwarded string
		want              int
	}{
		"the visitor that was too often there":           {"10.1.1.1:4711", "203.0.113.9", 429},
		"with a port":                                    {"10.2.2.2:4711", "203.0.113.9:55017", 429},
		"through another proxy":                          {"10.2.2.2:4711", "203.0.113.9", 429},
		"through two proxies":                            {"10.2.2.2:4711", "203.0.113.9, 10.1.1.1", 429},
		"with an address of its own making before":       {"10.1.1.1:4711", "192.0.2.1, 203.0.113.9", 429},
		"the same household":                             {"127.0.0.1:80", "2001:db8:1:1ff::8", 429},
		"another visitor of the same proxy":              {"10.1.1.1:4711", "203.0.113.10", 404},
		"another household":                              {"127.0.0.1:80", "2001:db8:1:200::8", 404},
		"the proxy itself":                               {"10.1.1.1:4711", "", 404},
		"an untrusted client says who asks":              {"198.51.100.1:4711", "192.0.2.2", 429},
		"the address of the proxy, as v4 mapped into v6": {"[::ffff:10.1.1.1]:4711", "203.0.113.9", 429},
		"nonsense": {"10.9.9.9:4711", "unknown, ;;", 404},
	} {
		if got := ask(tt.remote, tt.forwarded); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}
