package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// axe is the file of npm's axe-core; `make test` installs it, and chromium.
const axe = "testdata/axe/node_modules/axe-core/axe.min.js"

// consentPages are the golden files of the consent pages: both kinds of pages are looked at with one browser.
const consentPages = "../consentweb/testdata/"

// logoSVG stands in for the logo of a vendor.
const logoSVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 32"><rect width="96" height="32" rx="6" fill="#1f6468"/></svg>`

// axeDriver shows each page in a frame, runs the rules there and sends what they found.
const axeDriver = `<!doctype html><html lang="en"><title>axe</title><body><script>
(async () => {
	const found = [];
	try {
		const rules = await (await fetch("/axe.js")).text();
		for (const path of %s) {
			const frame = document.createElement("iframe");
			frame.width = 1280; frame.height = 2000; frame.src = path;
			await new Promise(loaded => { frame.onload = loaded; document.body.append(frame); });
			frame.contentWindow.eval(rules);
			const result = await frame.contentWindow.axe.run();
			if (result.passes.length < 10) found.push(path + ": only " + result.passes.length + " rules applied");
			for (const v of result.violations)
				found.push(path + ": " + v.impact + " " + v.id + ": " + v.help + ": " + v.nodes.map(n => n.html.slice(0, 200)).join(" "));
			frame.remove();
		}
	} catch (e) { found.push(String(e)); }
	await fetch("/found", {method: "POST", body: JSON.stringify(found)});
})();
</script></body></html>`

// No rule of axe-core finds anything in a real browser, light or dark.
func TestAxe(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile(axe)
	if err != nil {
		t.Fatalf("axe-core is missing, make test installs it: %v", err)
	}
	var browser string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if browser, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatalf("a browser is missing, make test installs it: %v", err)
	}
	run := "/syncs/front/contoso/runs/20261122T091200.000Z"
	consent, err := filepath.Glob(consentPages + "*.html") // as the tests of consentweb find them
	if err != nil || len(consent) < 15 {
		t.Fatalf("%d consent pages, %v", len(consent), err)
	}
	for i, file := range consent {
		consent[i] = "/consent/" + filepath.Base(file)
	}
	paths := encode(t, append(consent, []string{
		"/", "/?q=nothing", "/syncs/front/contoso", "/syncs/archive/tailspin", run, run + "?show=actions", run + "?show=skipped",
		"/holds", "/holds?answered=approved&sync=front&tenant=contoso", "/holds/front/contoso/h-1",
		"/people", "/people?q=contoso.example", "/people?q=Ada", "/people?q=no-such-user", "/tenants", "/golden/invitation.html", "/nowhere",
	}...))
	schemes := []string{"light", "dark"}
	if testing.Short() {
		schemes = schemes[:1] // the two differ in colours only
	}
	for _, scheme := range schemes {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			b := inviting(t)
			b.invitations()
			show := func(w http.ResponseWriter, page *httptest.ResponseRecorder) {
				text := page.Body.String()
				if scheme == "dark" {
					text = strings.ReplaceAll(text, "(prefers-color-scheme: dark)", "all")
				}
				// Without the policy: the rules are a script, in a frame.
				w.Header().Set("Content-Type", page.Header().Get("Content-Type"))
				w.WriteHeader(page.Code)
				io.WriteString(w, text)
			}
			result := make(chan string, 1)
			mux := http.NewServeMux()
			mux.HandleFunc("GET /axe", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, axeDriver, paths) })
			mux.HandleFunc("GET /axe.js", func(w http.ResponseWriter, _ *http.Request) { w.Write(rules) })
			mux.HandleFunc("POST /found", func(_ http.ResponseWriter, r *http.Request) {
				found, _ := io.ReadAll(r.Body)
				result <- string(found)
			})
			mux.HandleFunc("GET /join/consent/logo", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "image/svg+xml")
				io.WriteString(w, logoSVG)
			})
			mux.HandleFunc("GET /consent/{page}", func(w http.ResponseWriter, r *http.Request) {
				page := httptest.NewRecorder()
				http.ServeFile(page, r, filepath.Join(consentPages, r.PathValue("page")))
				show(w, page)
			})
			mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, ".html") {
					page := httptest.NewRecorder()
					http.ServeFile(page, r, filepath.Join("testdata", filepath.Base(r.URL.Path)))
					show(w, page)
					return
				}
				if strings.HasSuffix(r.URL.Path, "/consent/style.css") {
					r.URL.Path = "/assets/style.css"
				}
				show(w, b.do(r))
			})
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			for _, found := range browse(t, browser, server.URL+"/axe", result) {
				t.Error(found)
			}
		})
	}
}

func browse(t *testing.T, browser, url string, result <-chan string) (found []string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 90*time.Second)
	profile, err := os.MkdirTemp("", "axe-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(profile) // what the browser still writes into it is no failure
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--user-data-dir="+profile, url)
	killWhole(cmd)
	cmd.WaitDelay = time.Second
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case text := <-result:
		stop()
		<-ended
		if err := json.Unmarshal([]byte(text), &found); err != nil {
			t.Fatal(err)
		}
		return found
	case err := <-ended:
		stop()
		t.Fatal(errors.Join(errors.New("the browser ended before the rules did"), err, ctx.Err(), errors.New(said.String())))
	}
	return nil
}
