package admin_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"regexp"
	"slices"
	"strings"
	"testing"

	"entrasync/cmd/internal/admin"
)

// Each route for a document is a command line with --json. What a client gives is never taken for a flag.
func TestDocuments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	service(t, dir, func(_ context.Context, c *admin.Command) int {
		fmt.Fprintf(c.Stdout, "%q by %s", c.Args, c.User)
		return 0
	})
	own, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ request, body, want string }{
		{"GET /v1/status", "", `["status" "--json" "--"]`},
		{"GET /v1/status?tenant=a&tenant=b&sync=people", "", `["status" "--json" "--tenant=a" "--tenant=b" "--" "people"]`},
		{"GET /v1/status?sync=--help", "", `["status" "--json" "--" "--help"]`},
		{"GET /v1/runs?limit=3", "", `["runs" "--json" "--limit=3" "--"]`},
		{"GET /v1/runs/latest", "", `["show" "--json" "--" "latest"]`},
		{"GET /v1/holds?rejected=true", "", `["holds" "--json" "--rejected=true" "--"]`},
		{"GET /v1/holds/h-1?sync=people", "", `["holds" "--json" "--" "h-1" "people"]`},
		{"POST /v1/holds/h-1/approve", "", `["approve" "--json" "--" "h-1"]`},
		{"POST /v1/holds/h-1/reject", `{"tenant":"contoso","reason":"--no"}`, `["reject" "--json" "--tenant=contoso" "--reason=--no" "--" "h-1"]`},
		{"GET /v1/explain/ada@contoso.example", "", `["explain" "--json" "--" "ada@contoso.example"]`},
		{"GET /v1/explain/a%2Fb?group=true", "", `["explain" "--json" "--group=true" "--" "a/b"]`},
		{"GET /v1/tenants", "", `["tenants" "list" "--json" "--"]`},
		{"POST /v1/tenants/--accounts=deactivate/pause", "{}", `["tenants" "pause" "--json" "--" "--accounts=deactivate"]`},
		{"POST /v1/tenants/contoso/resume", "", `["tenants" "resume" "--json" "--" "contoso"]`},
	} {
		response := answerTo(t, dir, fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", tt.request, len(tt.body), tt.body))
		text, _ := io.ReadAll(response.Body)
		if want := tt.want + " by " + own.Username; response.StatusCode != http.StatusOK || string(text) != want {
			t.Errorf("%s: %s %s, want %s", tt.request, response.Status, text, want)
		}
	}
	body := `{"user":"grace"}`
	response := answerTo(t, dir, fmt.Sprintf("POST /v1/holds/h-1/approve HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	if text, _ := io.ReadAll(response.Body); !strings.HasSuffix(string(text), "by grace") {
		t.Errorf("decided %s", text)
	}
}

// The status says whether the command could run, and a header has its exit code.
func TestDocumentStatus(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		out, errs string
		code      int
		status    int
		want      string
	}{
		"done":              {`{"a":1}`, "note", 0, 200, `{"a":1}`},
		"some failed":       {`{"a":1}`, "", 3, 200, `{"a":1}`},
		"held":              {`{"a":1}`, "", 4, 200, `{"a":1}`},
		"could not run":     {"", "entrasync: there is no sync \"x\"\n  → did you mean y?\n", 1, 422, `{"format":"entrasync/error/1","error":"there is no sync \"x\"\n  → did you mean y?"}` + "\n"},
		"ran and said no":   {`{"ok":false}`, "", 1, 422, `{"ok":false}`},
		"too large to show": {strings.Repeat("a", 65<<20), "", 0, 500, `{"format":"entrasync/error/1","error":"the document is larger than 64 MiB; narrow it to a tenant, or use POST /v1/commands"}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			service(t, dir, func(_ context.Context, c *admin.Command) int {
				io.WriteString(c.Stdout, tt.out)
				io.WriteString(c.Stderr, tt.errs)
				return tt.code
			})
			response := answerTo(t, dir, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
			text, _ := io.ReadAll(response.Body)
			if response.StatusCode != tt.status || string(text) != tt.want || response.Header.Get("Entrasync-Exit-Code") != fmt.Sprint(tt.code) {
				t.Errorf("%s %v %.200s", response.Status, response.Header, text)
			}
		})
	}
}

// The page for those who write a client names every route, and no other.
func TestPageNamesRoutes(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../configs/docs/admin-api.md")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, m := range regexp.MustCompile("`((?:GET|POST|PUT|PATCH|DELETE|HEAD) /[^` ]*)`").FindAllStringSubmatch(string(page), -1) {
		if !slices.Contains(named, m[1]) {
			named = append(named, m[1])
		}
	}
	routes := admin.Routes()
	slices.Sort(named)
	slices.Sort(routes)
	if !slices.Equal(named, routes) {
		t.Errorf("the page names\n%s\nthe API has\n%s", strings.Join(named, "\n"), strings.Join(routes, "\n"))
	}
}
