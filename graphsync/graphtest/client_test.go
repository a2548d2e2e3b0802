package graphtest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
)

var update = flag.Bool("update", false, "rewrite golden files")

// A client is plain net/http with a token.
type client struct {
	t     *testing.T
	http  *http.Client
	base  string
	token string
}

// A bench is a server with one tenant and one consented app.
type bench struct {
	*client
	server *graphtest.Server
	tenant *graphtest.Tenant
	app    graphtest.AppSpec
	sp     graphsync.ID
}

// overTLS sets up a server on a socket.
func overTLS(t *testing.T, opts graphtest.Options) *bench {
	t.Helper()
	s := graphtest.New(opts)
	run, err := s.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Close() })
	h := run.Client()
	t.Cleanup(h.CloseIdleConnections)
	return set(t, s, h)
}

// inProcess sets up a server without sockets.
func inProcess(t *testing.T, opts graphtest.Options) *bench {
	s := graphtest.New(opts)
	return set(t, s, &http.Client{Transport: s.Transport()})
}

func set(t *testing.T, s *graphtest.Server, h *http.Client) *bench {
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b := &bench{client: &client{t: t, http: h, base: s.URL()}, server: s, tenant: s.AddTenant(graphtest.TenantSpec{})}
	b.app, b.sp = b.tenant.App(graphtest.AppSpec{Roles: graphtest.DefaultRoles()})
	b.login()
	return b
}

func (b *bench) credentials() url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {b.app.ClientID},
		"client_secret": {b.app.Secret}, "scope": {b.base + "/.default"}}
}

// login gets a new token.
func (b *bench) login() {
	b.t.Helper()
	got := b.post("/"+b.tenant.ID().String()+"/oauth2/v2.0/token", b.credentials())
	if got.status != 200 {
		b.t.Fatalf("token: %d %s", got.status, got.body)
	}
	b.token = got.text(b.t, "access_token")
}

type response struct {
	status int
	header http.Header
	body   []byte
}

// fields decodes a JSON object.
func (r *response) fields(t *testing.T) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(r.body, &out); err != nil {
		t.Fatalf("answer %d is no JSON object: %v\n%s", r.status, err, r.body)
	}
	return out
}

func (r *response) text(t *testing.T, key string) string {
	t.Helper()
	s, _ := r.fields(t)[key].(string)
	return s
}

// code is the error's code, "" when there is none.
func (r *response) code(t *testing.T) string {
	t.Helper()
	e, _ := r.fields(t)["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}

func (r *response) message(t *testing.T) string {
	t.Helper()
	e, _ := r.fields(t)["error"].(map[string]any)
	message, _ := e["message"].(string)
	return message
}

func (r *response) value(t *testing.T) []map[string]any {
	t.Helper()
	var out struct{ Value []map[string]any }
	if err := json.Unmarshal(r.body, &out); err != nil || r.status != 200 {
		t.Fatalf("answer %d: %v\n%s", r.status, err, r.body)
	}
	return out.Value
}

func (c *client) do(r *http.Request) (*response, error) {
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return &response{resp.StatusCode, resp.Header, body}, err
}

func (c *client) must(r *http.Request) *response {
	c.t.Helper()
	got, err := c.do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

func (c *client) post(path string, form url.Values) *response {
	c.t.Helper()
	r, err := http.NewRequest(http.MethodPost, c.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.must(r)
}

// request builds a GET of a path under /v1.0, or of an absolute link; pairs of header names
// and values may follow.
func (c *client) request(path string, header ...string) *http.Request {
	c.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = c.base + "/v1.0" + path
	}
	r, err := http.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func (c *client) get(path string, header ...string) *response {
	c.t.Helper()
	return c.must(c.request(path, header...))
}

// round follows a delta round to its end and returns the entries and the delta link.
func (c *client) round(link string, header ...string) (entries []map[string]any, delta string, pages int) {
	c.t.Helper()
	for {
		page := c.get(link, header...)
		if page.status != 200 {
			c.t.Fatalf("page %d of the round: %d %s", pages+1, page.status, page.body)
		}
		pages++
		entries = append(entries, page.value(c.t)...)
		next, delta := page.text(c.t, "@odata.nextLink"), page.text(c.t, "@odata.deltaLink")
		if (next == "") == (delta == "") {
			c.t.Fatalf("a page has exactly one of nextLink and deltaLink:\n%s", page.body)
		}
		if delta != "" {
			return entries, delta, pages
		}
		link = next
	}
}

// tokens are the parts of links that differ from run to run.
var tokens = regexp.MustCompile(`token=[A-Za-z0-9_-]+`)

// golden compares an answer with a file, links' tokens masked and JSON indented.
func golden(t *testing.T, name string, got *response) {
	t.Helper()
	masked := tokens.ReplaceAll(got.body, []byte("token=TOKEN"))
	var out bytes.Buffer
	if json.Indent(&out, masked, "", "  ") != nil {
		out.Reset()
		out.Write(masked)
	}
	out.WriteByte('\n')
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
