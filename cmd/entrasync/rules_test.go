package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"entrasync/cmd/internal/exit"
	"entrasync/target/scim/scimtest"
)

// Rules are what five products state about provisioning; configs/examples/README.md lists them.
// Each script in testdata/rules shows one, named by its number, on the example of its product:
// the file as it is published, with only the addresses, ids and secrets of the test filled in.
// The application is a SCIM server that declares the extensions of those products.
//
// Their commands are those of the other scripts (script_test.go) and those of
// script_account_test.go.

func TestRules(t *testing.T) {
	t.Parallel()
	runRules(t, "testdata/rules", scimtest.Elimity)
}

// Each example is run as it is published, against SCIM servers of two makers.
func TestExamples(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, scimtest.Options) *scimtest.Server{"elimity": scimtest.Elimity, "scimmy": scimtest.SCIMMY} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runRules(t, "testdata/examples", start)
		})
	}
}

// What is published loads without a change, whatever is still to be filled in.
func TestExamplesLoad(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../configs/examples/*.yaml")
	if err != nil || len(files) != 6 {
		t.Fatalf("%d examples (%v), want 6", len(files), err)
	}
	for _, file := range files {
		var stdout, stderr bytes.Buffer
		a := &app{out: &stdout, err: &stderr, env: func(string) (string, bool) { return "", false }}
		if code := a.main(t.Context(), []string{"check", "--offline", "-c", file}); code != exit.Done {
			t.Errorf("%s: exit code %d\n%s", file, code, stderr.String())
		}
	}
}

// The table of rules is complete, and what it names is there.
func TestRulesTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../configs/examples/README.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts := map[string]bool{}
	for _, dir := range []string{"rules", "examples"} {
		files, err := filepath.Glob("testdata/" + dir + "/*.txtar")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			scripts[strings.TrimSuffix(filepath.Base(file), ".txtar")] = dir == "examples"
		}
	}
	seen := map[string]int{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([FPECR]\d+) \|.*\| (.+) \|$`).FindAllStringSubmatch(string(text), -1) {
		rule, shown := row[1], row[2]
		seen[rule]++
		name, quoted := strings.CutPrefix(strings.TrimSuffix(shown, "`"), "`")
		if _, exists := scripts[name]; quoted && !exists {
			t.Errorf("%s: there is no script %s", rule, name)
		}
		if !quoted && !strings.HasPrefix(shown, "the product's own business: ") {
			t.Errorf("%s: neither a script nor a reason: %s", rule, shown)
		}
	}
	for letter, last := range map[string]int{"F": 18, "P": 30, "E": 20, "C": 19, "R": 30} {
		for n := 1; n <= last; n++ {
			if rule := fmt.Sprint(letter, n); seen[rule] != 1 {
				t.Errorf("%s is in the table %d times", rule, seen[rule])
			}
		}
	}
	if len(seen) != 18+30+20+19+30 {
		t.Errorf("the table has %d rules", len(seen))
	}
	for name, example := range scripts {
		if !example && !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("script %s is not in the table", name)
		}
	}
}

func runRules(t *testing.T, dir string, start func(testing.TB, scimtest.Options) *scimtest.Server) {
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			if err := newWorld(env, "file"); err != nil {
				return err
			}
			w := env.Values[worldKey{}].(*world)
			a := w.target
			a.server = start(w.tb, scimtest.Options{Token: scimToken, Extensions: productExtensions})
			a.server.Fail(a.fail)
			a.server.Lose(func(r *http.Request) bool { return a.pick(r, "lose") != nil })
			env.Setenv("TARGET", "scim")
			env.Setenv("SCIM_URL", a.server.URL)
			return nil
		},
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "edit": edit,
			"graph":   within((*world).graphCommand),
			"target":  within((*world).targetCommand),
			"groups":  within((*world).groupsCommand),
			"service": within((*world).serviceCommand),
			"browser": within(visiting(visits.browserCommand)),
			"example": within((*world).exampleCommand),
			"role":    within((*world).roleCommand),
			"account": within((*world).accountCommand),
			"group":   within((*world).groupCommand),
			"asked":   within((*world).askedCommand),
			"seed":    within((*world).seedCommand),
			"change":  within((*world).changeCommand),
			"again":   within((*world).againCommand),

			"answer":   within((*world).answerCommand),
			"populate": within((*world).populateCommand),
		},
	})
}

// productExtensions are the attributes the five products have in addition to SCIM's own.
var productExtensions = []scimtest.Extension{
	{URN: "urn:ietf:params:scim:schemas:extension:2.0:CustomExtensionName", Resource: "User", Attributes: []scimtest.Attribute{
		{Name: "folders", Type: "string", MultiValued: true}}},
	{URN: "urn:ietf:params:scim:schemas:extension:2.0:Metadata", Resource: "User", Attributes: []scimtest.Attribute{
		{Name: "CostCenter", Type: "string"}, {Name: "Hired", Type: "string"}}},
	{URN: "urn:ietf:params:scim:schemas:extension:2.0:Login", Resource: "User", Attributes: []scimtest.Attribute{
		{Name: "method", Type: "string"}}},
	{URN: "urn:ietf:params:scim:schemas:extension:frontapp:teammate", Resource: "User", Attributes: []scimtest.Attribute{
		{Name: "template", Type: "string"}}},
	{URN: "urn:ietf:params:scim:schemas:extension:frontapp:group", Resource: "Group", Attributes: []scimtest.Attribute{
		{Name: "description", Type: "string"}}},
}

// exampleText is a published example with the test's addresses and ids in the places that a
// person fills in.
func exampleText(name, scimURL string) (string, error) {
	text, err := os.ReadFile(filepath.Join("../../configs/examples", name+".yaml"))
	if err != nil {
		return "", err
	}
	filled := strings.NewReplacer(
		"00000000-0000-0000-0000-000000000001", clientID,
		"00000000-0000-0000-0000-0000000000aa", contosoID,
		"00000000-0000-0000-0000-0000000000bb", fabrikamID,
		"https://scim.example.com/v2", scimURL,
		"/scim-password", "/scim-token",
		"  public_url:", "  listen: 127.0.0.1:0\n  public_url:",
	).Replace(string(text))
	return "state: state\ncloud: {authority: \"${GRAPH}\", graph: \"${GRAPH}\"}\nhttp: {listen: \"127.0.0.1:0\"}\n" + filled, nil
}

func (w *world) exampleCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: example NAME")
	}
	at := w.target.server.URL
	switch args[0] {
	case "scim-oidc-platform": // a user name and a password let in
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte("entra-sync:"+scimToken))
		at = front(w.tb, at, func(r *httputil.ProxyRequest) {
			if r.In.Header.Get("Authorization") == want {
				r.Out.Header.Set("Authorization", "Bearer "+scimToken)
			}
		})
	case "focus": // each customer has an address
		at = front(w.tb, at, func(r *httputil.ProxyRequest) {
			r.Out.URL.Path = strings.Replace(r.Out.URL.Path, "/v2/"+fabrikamID+"/", "/v2/", 1)
		})
	}
	text, err := exampleText(args[0], at)
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(w.dir, "entrasync.yaml"), []byte(text), 0o600))
}

// front is a server in front of another that changes requests on their way.
func front(tb testing.TB, base string, change func(*httputil.ProxyRequest)) string {
	behind, err := url.Parse(base)
	if err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = behind.Scheme, behind.Host
		change(r)
	}})
	tb.Cleanup(server.Close)
	return server.URL + behind.Path
}
