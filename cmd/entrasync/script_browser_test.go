package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"entrasync/graphsync/graphtest"
)

// The browser command is an administrator at a browser without scripts. The consent pages of the
// running service are at https://sync.example.com, as a proxy would serve them.
//
//	browser new                        another browser, without cookies
//	browser open ADDRESS|FILE          go there, or to the address in the file; follows redirects
//	browser look ADDRESS|FILE HEADER…  ask without a visit: HEAD, or GET with a header NAME=VALUE
//	browser accept [TENANT [ACCOUNT]]  on Entra's page; also browser cancel
//	browser forge TENANT               go to the callback for a tenant that has not consented
//	browser again                      load the page again
//	browser shows PATTERN              the page has it, or will have: one that grows is waited for,
//	                                   and one that ends with "Look again" is loaded again
//	browser at PATTERN                 the address of the page
type browser struct {
	*http.Client
	at     string
	answer *http.Response

	mu   sync.Mutex // protects what follows
	page string     // as far as it has come
	over bool       // it is complete
	news chan struct{}
}

// visits are a story's visits to pages: by an administrator of a tenant, with cookies, and in Chromium.
type visits struct{ w *world }

func (w *world) visits() visits { return visits{w} }

// visiting is a command of the visits as one of the world.
func visiting(command func(visits, *testscript.TestScript, bool, []string)) func(*world, *testscript.TestScript, bool, []string) {
	return func(w *world, ts *testscript.TestScript, neg bool, args []string) { command(w.visits(), ts, neg, args) }
}

const publicURL = "https://sync.example.com"

func (v visits) newBrowser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err.Error())
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(v.w.graph.server.CAPEM())
	// Stands for the proxy: TLS ends here.
	plain := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, v.w.service.consentListener())
	}}
	secure := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	return &browser{Client: &http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: proxied{plain, secure}}}
}

// registerCallback gives the app registration the redirect URI of the consent pages.
func (v visits) registerCallback() {
	v.w.graph.server.Register(graphtest.AppSpec{ClientID: clientID, Name: "Front", Secret: clientSecret,
		Roles: []graphtest.AppRole{{Value: "Admin"}, {Value: "Editor"}, {Value: "Viewer"}}, RedirectURIs: []string{publicURL + "/consent/callback"}})
}

type proxied struct{ plain, secure http.RoundTripper }

func (p proxied) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "sync.example.com" {
		return p.secure.RoundTrip(r)
	}
	inside := r.Clone(r.Context())
	inside.URL.Scheme = "http"
	response, err := p.plain.RoundTrip(inside)
	if response != nil {
		response.Request = r
	}
	return response, err
}

var listening = regexp.MustCompile(`consent pages are open.* listen=(\S+)`)

func (d *daemonProcess) consentListener() string {
	d.log.mu.Lock()
	defer d.log.mu.Unlock()
	for _, line := range d.log.all {
		if m := listening.FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	panic("the service has opened no consent pages")
}

func (v visits) browserCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: browser VERB ...")
	}
	if v.w.browser == nil || args[0] == "new" {
		v.registerCallback()
		v.w.browser = v.newBrowser()
	}
	b := v.w.browser
	argument := func(i int) string {
		if i >= len(args) {
			return ""
		}
		return args[i]
	}
	address := func() string {
		if strings.HasPrefix(argument(1), "https://") {
			return argument(1)
		}
		return strings.TrimSpace(ts.ReadFile(argument(1)))
	}
	switch args[0] {
	case "new":
	case "open":
		b.get(address(), nil)
	case "look":
		header, method := http.Header{}, http.MethodHead
		if name, value, ok := strings.Cut(argument(2), "="); ok {
			header.Set(name, value)
			method = http.MethodGet
		}
		b.do(method, address(), "", header)
	case "accept", "cancel":
		tenant, account := v.w.graph.tenant, "global"
		if name := argument(1); name != "" {
			tenant = v.w.graph.server.Tenant(name + ".example")
		}
		if argument(2) != "" {
			account = argument(2)
		}
		b.do(http.MethodPost, b.at, url.Values{"decision": {args[0]}, "tenant": {tenant.ID().String()}, "account": {account}}.Encode(), nil)
	case "forge":
		state := regexp.MustCompile(`[?&]state=([^&]+)`).FindStringSubmatch(b.at)
		if state == nil {
			ts.Fatalf("browser forge: open an invitation first")
		}
		b.get(publicURL+"/consent/callback?admin_consent=True&tenant="+v.w.graph.server.Tenant(argument(1)+".example").ID().String()+"&state="+state[1], nil)
	case "again":
		b.get(b.at, nil)
	case "shows":
		b.shows(ts, neg, argument(1))
	case "at":
		if regexp.MustCompile(argument(1)).MatchString(b.at) == neg {
			ts.Fatalf("the browser is at %s", b.at)
		}
	default:
		ts.Fatalf("browser %s: no such verb", args[0])
	}
}

func (b *browser) get(address string, header http.Header) { b.do(http.MethodGet, address, "", header) }

func (b *browser) do(method, address, form string, header http.Header) {
	request, err := http.NewRequest(method, address, strings.NewReader(form))
	if err != nil {
		panic(err.Error())
	}
	if header != nil {
		request.Header = header
	}
	if form != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := b.Do(request)
	if err != nil {
		panic(err.Error())
	}
	b.answer, b.at = response, response.Request.URL.String()
	b.mu.Lock()
	b.page, b.over, b.news = "", false, make(chan struct{}, 1)
	news := b.news
	b.mu.Unlock()
	read := func() {
		defer response.Body.Close()
		chunk := make([]byte, 16<<10)
		for {
			n, err := response.Body.Read(chunk)
			b.mu.Lock()
			if b.news == news { // else it has gone elsewhere
				b.page, b.over = b.page+html.UnescapeString(string(chunk[:n])), err != nil
			}
			b.mu.Unlock()
			select {
			case news <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}
	if strings.HasSuffix(response.Request.URL.Path, "/consent/progress") {
		go read()
	} else {
		read()
	}
	if response.Request.URL.Host == "sync.example.com" && method == http.MethodGet {
		for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
			if !strings.Contains(response.Header.Get(name), want) {
				panic(fmt.Sprintf("%s: %s is %q", b.at, name, response.Header.Get(name)))
			}
		}
	}
}

// look returns the page as it is now, whether that is all, and where to wait for more.
func (b *browser) look() (page string, over bool, news chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.page, b.over, b.news
}

func (b *browser) shows(ts *testscript.TestScript, neg bool, pattern string) {
	fits := regexp.MustCompile(pattern)
	late := time.After(time.Minute)
	for {
		page, over, news := b.look()
		switch {
		case strings.Contains(page, "<script"):
			ts.Fatalf("%s has a script", b.at)
		case fits.MatchString(page) && !neg:
			return
		case over && strings.Contains(page, ">Look again</a>") && !neg:
			b.get(b.at, nil)
			continue
		case over && !fits.MatchString(page) && neg:
			return
		case over:
			ts.Fatalf("%s shows (%s):\n%s", b.at, b.answer.Status, page)
		}
		select {
		case <-news:
		case <-late:
			ts.Fatalf("%s shows after a minute (%s):\n%s", b.at, b.answer.Status, page)
		}
	}
}
