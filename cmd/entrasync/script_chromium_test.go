package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/rogpeppe/go-internal/testscript"

	"entrasync/cmd/internal/consentweb"
	"entrasync/state"
)

// The chromium command is an administrator at a real browser. Like the command browser it finds
// the consent pages at https://sync.example.com; the pages of the service itself are below /.
//
//	chromium open ADDRESS|PATH|FILE     go there, or to the address in the file
//	chromium accept [TENANT [ACCOUNT]]  fill in Entra's page and press the button; also chromium cancel
//	chromium forge TENANT               go to the callback for a tenant that has not consented
//	chromium replay                     go to the address that Entra led back to last, once more
//	chromium new                        another window, without cookies
//	chromium shows PATTERN…             wait until the page has them all
//	chromium expired FILE               write a link that was good until yesterday; before service start
//
// Each page that shows what it should is kept as a picture, where `go test -artifacts` keeps
// files (make test: .cache/pictures), and no rule of axe-core may find anything in it.
type chromium struct {
	browser, tab context.Context
	callback     *atomic.Pointer[url.URL] // what came back from Entra last
	rules        string
	pictures     int
}

// chromiumPatience is for one command, on a machine that is busy with other tests.
const chromiumPatience = 90 * time.Second

func (v visits) startChromium() (*chromium, error) {
	rules, err := os.ReadFile("../internal/web/testdata/axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		return nil, fmt.Errorf("axe-core is missing, make test installs it: %w", err)
	}
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("a browser is missing, make test installs it: %w", err)
	}
	c := &chromium{rules: string(rules), callback: &atomic.Pointer[url.URL]{}}
	// Stands for the proxy: TLS ends here.
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		if r.In.URL.Path == "/consent/callback" {
			c.callback.Store(r.In.URL)
		}
		r.SetURL(&url.URL{Scheme: "http", Host: v.w.service.consentListener()})
		r.Out.Host = r.In.Host
	}})
	v.w.tb.Cleanup(front.Close)
	block, _ := pem.Decode(v.w.graph.server.CAPEM())
	authority, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WindowSize(1000, 800),
		chromedp.Flag("host-resolver-rules", "MAP sync.example.com:443 "+front.Listener.Addr().(*net.TCPAddr).String()),
		chromedp.Flag("ignore-certificate-errors-spki-list", keyPin(authority)+","+keyPin(front.Certificate())))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	v.w.tb.Cleanup(stop)
	c.browser, stop = chromedp.NewContext(allocator)
	v.w.tb.Cleanup(stop)
	if err := chromedp.Do(c.browser); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return c, c.window(v.w)
}

// keyPin is the form in which Chromium takes the keys that it is to trust.
func keyPin(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// window opens one without cookies.
func (c *chromium) window(w *world) error {
	var stop context.CancelFunc
	c.tab, stop = chromedp.NewContext(c.browser, chromedp.WithNewBrowserContext())
	w.tb.Cleanup(stop)
	return chromedp.Do(c.tab)
}

func (v visits) chromiumCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: chromium VERB ...")
	}
	verb, words := args[0], args[1:]
	if verb == "expired" && len(words) == 1 {
		ts.Check(v.expiredLink(ts.MkAbs(words[0])))
		return
	}
	if v.w.chromium == nil {
		v.registerCallback()
		c, err := v.startChromium()
		ts.Check(err)
		v.w.chromium = c
	}
	c := v.w.chromium
	ctx, cancel := context.WithTimeout(c.tab, chromiumPatience)
	defer cancel()
	switch {
	case verb == "new" && len(words) == 0:
		ts.Check(c.window(v.w))
	case verb == "open" && len(words) == 1:
		address := words[0]
		switch {
		case strings.HasPrefix(address, "/"):
			own, err := v.w.service.pageAddress()
			ts.Check(err)
			address = own + address
		case !strings.HasPrefix(address, "https://"):
			address = strings.TrimSpace(ts.ReadFile(address))
		}
		ts.Check(chromedp.Do(ctx, chromedp.Navigate(address)))
	case verb == "accept" || verb == "cancel":
		ts.Check(c.answer(ctx, v.w, verb, words))
	case verb == "forge" && len(words) == 1:
		at, err := chromedp.Run(ctx, chromedp.Location())
		ts.Check(err)
		link, err := url.Parse(at)
		ts.Check(err)
		ts.Check(c.leave(ctx, publicURL+"/consent/callback?"+url.Values{
			"admin_consent": {"True"}, "tenant": {v.w.graph.server.Tenant(words[0] + ".example").ID().String()}, "state": link.Query()["state"],
		}.Encode()))
	case verb == "replay" && c.callback.Load() != nil:
		ts.Check(chromedp.Do(ctx, chromedp.Navigate(publicURL+c.callback.Load().RequestURI())))
	case verb == "shows" && len(words) > 0:
		ts.Check(c.shows(ctx, filepath.Join(v.w.tb.ArtifactDir(), ts.Name()), words))
	default:
		ts.Fatalf("chromium %s: see script_chromium_test.go", strings.Join(args, " "))
	}
}

// answer fills in Entra's page; words are a tenant and an account, if any.
func (c *chromium) answer(ctx context.Context, w *world, decision string, words []string) error {
	var steps []chromedp.Action[chromedp.Void]
	if len(words) > 0 {
		tenant := w.graph.server.Tenant(words[0] + ".example").ID().String()
		steps = append(steps, chromedp.SetValue("[name=tenant]", tenant))
	}
	if len(words) > 1 {
		steps = append(steps, chromedp.SetValue("select[name=account]", words[1]))
	}
	_, err := chromedp.RunResponse(ctx, append(steps, chromedp.Click("button[value="+decision+"]"))...)
	return err
}

// leave begins to go somewhere. A page that grows is not complete for a while.
func (c *chromium) leave(ctx context.Context, address string) error {
	return chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](fmt.Sprintf("void (location.href = %q)", address)))
}

// shows looks at the page until it has all, loading it again when it ends with "Look again".
func (c *chromium) shows(ctx context.Context, picture string, patterns []string) error {
	for {
		fault := c.look(ctx, picture, patterns)
		if fault == nil || errors.As(fault, new(violations)) {
			return fault
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), fault)
		case <-time.After(100 * time.Millisecond):
		}
		// Between two pages there is none to look at.
		_ = chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](`document.readyState == "complete" && document.querySelector("a.button[href*='/consent/progress']")?.click()`))
	}
}

// violations are what axe-core found.
type violations []string

func (v violations) Error() string { return strings.Join(v, "\n") }

const runAxe = `(async () => {
	const result = await axe.run();
	return result.violations.map(v => v.impact + " " + v.id + ": " + v.help + ": " + v.nodes.map(n => n.html.slice(0, 200)).join(" "))
		.concat(result.passes.length < 10 ? ["only " + result.passes.length + " rules applied"] : []);
})()`

func (c *chromium) look(ctx context.Context, picture string, patterns []string) error {
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err
	}
	for _, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(text) {
			return fmt.Errorf("no %q in %s", pattern, text)
		}
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return err
	}
	if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](c.rules)); err != nil {
		return err
	}
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](runAxe, chromedp.EvalAwaitPromise))
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return violations(append([]string{text}, found...))
	}
	c.pictures++
	name := strings.Trim(regexp.MustCompile(`[^a-z]+`).ReplaceAllString(strings.ToLower(patterns[0]), "-"), "-")
	return os.WriteFile(fmt.Sprintf("%s-%02d-%s.png", picture, c.pictures, name), png, 0o600)
}

func (v visits) expiredLink(file string) error {
	store, err := state.Open(filepath.Join(v.w.dir, "state"))
	if err != nil {
		return err
	}
	now := time.Now()
	link, _, err := consentweb.Invite(store, consentweb.Settings{PublicURL: publicURL, SignIn: true}, state.Invitation{Created: now.AddDate(0, 0, -8), Expires: now.AddDate(0, 0, -1)})
	return errors.Join(err, store.Close(), os.WriteFile(file, []byte(link), 0o600))
}
