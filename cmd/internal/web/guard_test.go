package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"entrasync/cmd/internal/web"
	"entrasync/cmd/internal/webtest"
)

// Every answer carries the headers, also those that refuse.
func TestHeaders(t *testing.T) {
	t.Parallel()
	b := canned(t)
	for _, path := range []string{"/", "/holds", "/assets/style.css", "/nowhere", "/healthz", "/metrics"} {
		h := b.get(path).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
			"Referrer-Policy":         "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		} {
			if have := h.Get(name); have != want {
				t.Errorf("GET %s: %s is %q, want %q", path, name, have, want)
			}
		}
	}
	cookie := b.get("/").Result().Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("the form's cookie is %v, want it HttpOnly and SameSite=Strict", cookie)
	}
}

// Without a credential only requests that name this machine are answered: no other site's name
// can be pointed here.
func TestOnlyThisMachine(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for host, want := range map[string]int{
		"127.0.0.1:8417": 200, "localhost:8417": 200, "LOCALHOST": 200, "localhost.": 200, "127.9.9.9": 200, "[::1]:8417": 200, "[::1]": 200,
		"evil.example": 421, "evil.example:8417": 421, "localhost.evil.example": 421, "10.0.0.1": 421, "": 421, "127.0.0.1.evil.example": 421,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		if have := b.do(r).Code; have != want {
			t.Errorf("Host %q: %d, want %d", host, have, want)
		}
	}
	r := httptest.NewRequest("GET", "/healthz", nil)
	r.Host = "10.1.2.3:8417"
	if have := b.do(r).Code; have != 200 {
		t.Errorf("/healthz by the pod's address: %d, want 200", have)
	}
}

// Through a proxy on this machine everybody could look: without a credential it is refused.
func TestNoProxyWithoutACredential(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Proto", "X-Forwarded-Port", "CF-Connecting-IP", "True-Client-IP", "X-Client-IP"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = "127.0.0.1:8417"
		r.Header.Set(name, "203.0.113.9")
		if have := b.do(r).Code; have != 403 {
			t.Errorf("%s: %d, want 403", name, have)
		}
	}
}

// An address that guesses is logged, and soon refused, even with the right credential: a response
// would confirm the guess. Other addresses are served meanwhile, and so is that address after a while.
func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	b := newBench(t, &web.Credential{Username: "operator", Secret: func() (string, error) { return "right", nil }})
	clock := now
	b.pages.Service.Now = func() time.Time { return clock }
	ask := func(from, password string) int {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = from + ":4711"
		if password != "" {
			r.SetBasicAuth("operator", password)
		}
		w := b.do(r)
		if w.Code == 429 && w.Header().Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
		return w.Code
	}
	codes := map[int]int{}
	for n := range 200 {
		codes[ask("198.51.100.7", fmt.Sprint("guess", n))]++
	}
	if codes[401] != 10 || codes[429] != 190 {
		t.Errorf("200 guesses at once: %v", codes)
	}
	for from, want := range map[string]int{"198.51.100.7": 429, "198.51.100.8": 200, "2001:db8::1": 200} {
		if have := ask(from, "right"); have != want {
			t.Errorf("the right credential from %s: %d, want %d", from, have, want)
		}
	}
	if have := ask("198.51.100.7", ""); have != 401 {
		t.Errorf("without a credential: %d, want 401", have)
	}
	clock = clock.Add(time.Minute)
	if have := ask("198.51.100.7", "right"); have != 200 {
		t.Errorf("a minute later: %d, want 200", have)
	}
	if n := strings.Count(b.log.String(), "a wrong credential for the status page"); n != 10 || !strings.Contains(b.log.String(), "from=198.51.100.7") || strings.Contains(b.log.String(), "guess") {
		t.Errorf("%d lines: %.500s", n, b.log)
	}
}

// Connections on which nothing is asked block no request, however many there are.
func TestHealthUnderAFlood(t *testing.T) {
	t.Parallel()
	b := canned(t)
	listener, err := web.Listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.pages.Serve(ctx, listener) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for n := range 700 {
		c, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if n%2 == 0 {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: ") // and no more
		}
	}
	client := http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for range 20 {
		response, err := client.Get("http://" + listener.Addr().String() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 200 {
			t.Errorf("/healthz: %d", response.StatusCode)
		}
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	secret := func(text string) func() (string, error) { return func() (string, error) { return text, nil } }
	broken := func() (string, error) { return "", errors.New("open /run/token: no such file") }
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	basic := func(name, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(name, password) }
	}
	none := func(*http.Request) {}
	for name, test := range map[string]struct {
		access *web.Credential
		bring  func(*http.Request)
		want   int
		asks   string
	}{
		"token":                 {&web.Credential{Secret: secret("s3cret")}, bearer("s3cret"), 200, ""},
		"no token":              {&web.Credential{Secret: secret("s3cret")}, none, 401, `Bearer realm="entrasync"`},
		"wrong token":           {&web.Credential{Secret: secret("s3cret")}, bearer("s3cre"), 401, `Bearer realm="entrasync"`},
		"token as a password":   {&web.Credential{Secret: secret("s3cret")}, basic("", "s3cret"), 401, `Bearer realm="entrasync"`},
		"empty token":           {&web.Credential{Secret: secret("")}, bearer(""), 401, `Bearer realm="entrasync"`},
		"unreadable token":      {&web.Credential{Secret: broken}, bearer(""), 503, ""},
		"password":              {&web.Credential{Username: "ops", Secret: secret("pa:ss wörd")}, basic("ops", "pa:ss wörd"), 200, ""},
		"wrong password":        {&web.Credential{Username: "ops", Secret: secret("p")}, basic("ops", "q"), 401, `Basic realm="entrasync", charset="UTF-8"`},
		"wrong name":            {&web.Credential{Username: "ops", Secret: secret("p")}, basic("root", "p"), 401, `Basic realm="entrasync", charset="UTF-8"`},
		"password as a token":   {&web.Credential{Username: "ops", Secret: secret("p")}, bearer("p"), 401, `Basic realm="entrasync", charset="UTF-8"`},
		"no password":           {&web.Credential{Username: "ops", Secret: secret("p")}, none, 401, `Basic realm="entrasync", charset="UTF-8"`},
		"empty secret for name": {&web.Credential{Username: "ops", Secret: secret("")}, basic("ops", ""), 401, `Basic realm="entrasync", charset="UTF-8"`},
	} {
		b := newBench(t, test.access)
		for _, path := range []string{"/", "/metrics", "/assets/style.css"} {
			r := httptest.NewRequest("GET", path, nil)
			r.Host = "sync.example"
			test.bring(r)
			w := b.do(r)
			if w.Code != test.want || w.Header().Get("WWW-Authenticate") != test.asks {
				t.Errorf("%s: GET %s: %d, asks %q, want %d, %q", name, path, w.Code, w.Header().Get("WWW-Authenticate"), test.want, test.asks)
			}
			if strings.Contains(w.Body.String(), "s3cret") || strings.Contains(w.Body.String(), "/run/token") {
				t.Errorf("%s: GET %s tells too much: %s", name, path, w.Body)
			}
		}
		r := httptest.NewRequest("GET", "/readyz", nil)
		r.Host = "10.1.2.3"
		if w := b.do(r); w.Code != 200 {
			t.Errorf("%s: /readyz without a credential: %d, want 200", name, w.Code)
		}
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	access := &web.Credential{Secret: func() (string, error) { return "x", nil }}
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0"} {
		if listener, err := web.Listen(address, nil); !errors.Is(err, web.ErrOpen) {
			t.Errorf("listen on %s without a credential: %v, %v, want ErrOpen", address, listener, err)
		}
	}
	for address, credential := range map[string]*web.Credential{"127.0.0.1:0": nil, "localhost:0": nil, "0.0.0.0:0": access} {
		listener, err := web.Listen(address, credential)
		if err != nil {
			t.Errorf("listen on %s: %v", address, err)
			continue
		}
		if taken, err := web.Listen(listener.Addr().String(), access); err == nil {
			taken.Close()
			t.Errorf("listen twice on %s", listener.Addr())
		}
		listener.Close()
	}
	if _, err := web.Listen("nonsense", access); err == nil {
		t.Error("listen on nonsense")
	}
}

// Serve ends with its context, after the request that is under way.
func TestServe(t *testing.T) {
	t.Parallel()
	b := canned(t)
	listener, err := web.Listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.pages.Serve(ctx, listener) }()
	response, err := http.Get("http://" + listener.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode != 200 || !strings.Contains(string(page), "<h1>Overview</h1>") {
		t.Errorf("the overview: %d, %v\n%s", response.StatusCode, err, page)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	if _, err := http.Get("http://" + listener.Addr().String() + "/"); err == nil {
		t.Error("it still answers")
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	b := canned(t)
	webtest.Compare(t, "healthz.json", b.get("/healthz").Body.String())
	w := b.get("/readyz")
	if w.Code != 503 {
		t.Errorf("/readyz while a sync waits for its first cycle: %d, want 503", w.Code)
	}
	webtest.Compare(t, "readyz-waiting.json", w.Body.String())
	for i := range b.syncs {
		b.syncs[i].Attempted = true
	}
	w = b.get("/readyz")
	if w.Code != 200 {
		t.Errorf("/readyz: %d, want 200", w.Code)
	}
	webtest.Compare(t, "readyz.json", w.Body.String())
	b.pages.Service.Heartbeat = func() time.Time { return now.Add(-2 * time.Minute) }
	if w := b.get("/healthz"); w.Code != 503 {
		t.Errorf("/healthz with a scheduler that stands still: %d, want 503", w.Code)
	}
	b.store.Close()
	if w := b.get("/readyz"); w.Code != 503 || !strings.Contains(w.Body.String(), "the state cannot be read") {
		t.Errorf("/readyz without a state: %d %s", w.Code, w.Body)
	}
}
