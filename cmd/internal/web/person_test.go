package web

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entrasync/cmd/internal/webserver"
	"entrasync/graphsync"
	"entrasync/reconcile"
)

// The chain with values, which takes a compiled mapping to come about, is shown from a canned one.
func TestExplanation(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	at, retry := now.Add(-time.Hour), now.Add(time.Hour)
	data := peoplePage{
		page: page{Title: "People", Section: "/people", Now: now, Version: "1.0"}, Query: "ada@contoso.example", Found: []found{{}},
		Explain: []explained{{
			Sync: Sync{Sync: &reconcile.Sync{Name: "front"}, TenantName: "contoso"},
			Explanation: &reconcile.Explanation{
				Subject: reconcile.ExplainedSubject{Kind: graphsync.User, SourceID: graphsync.ID{1}, Key: "ada@contoso.example"}, InScope: true,
				Because: []reconcile.Reason{
					{Step: "directory", Result: "present", Detail: "user ada@contoso.example"}, {Step: "group", Result: "member", Detail: "Sales"},
					{Step: "assignment", Result: "group", Detail: "assigned through group Sales"}, {Step: "role", Result: "ignored", Detail: "GeneralUser: another one wins"},
					{Step: "account", Result: "inactive", Detail: "t-1: group Sales lost its assignment"}, {Step: "mapping", Result: "problem", Detail: "userType: is not allowed (value_not_allowed)"},
				},
				Attributes: []reconcile.ExplainedAttribute{
					{Attribute: "userName", Expression: "ToLower([userPrincipalName])", Value: "ada@contoso.example", Applied: "ada@contoso.example"},
					{Attribute: "urn:ietf:params:scim:schemas:extension:2.0:CustomExtensionName:folders", Expression: `Split([jobTitle], ",")`, Value: []any{"a", "b<c"}},
					{Attribute: "password", Expression: "RandomString(12, 1, 1, 1, 1)", Value: "[generated]", Applied: "[redacted]", Note: "written when the account is created, never again"},
				},
				Link:        &reconcile.ExplainedLink{TargetID: "t-1", Since: at},
				Pending:     []string{"deactivate is held as h-1: group Sales lost its assignment"},
				LastOutcome: &reconcile.ExplainedOutcome{Op: "update", At: &at, Code: "target_rejected", Message: "the target refused it", RetryAt: &retry},
			},
		}, {
			Sync: Sync{Sync: &reconcile.Sync{Name: "archive"}, TenantName: "contoso"}, Trouble: "It is no longer in the snapshot.",
		}},
	}
	var out bytes.Buffer
	if err := parsePages()["people"].Execute(&out, data); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "explanation.html")
	have := string(webserver.Clean(out.Bytes()))
	if flag.Lookup("update").Value.String() == "true" { // of the tests from outside
		if err := os.WriteFile(file, []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != have {
		t.Errorf("%s differs:\n%s", file, have)
	}
	if strings.Contains(have, "b<c") {
		t.Error("a value is not escaped")
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for want, have := range map[string]string{
		"now": away(500 * time.Millisecond), "in 59 seconds": away(59 * time.Second), "1 minute ago": away(-90 * time.Second),
		"in 47 hours": away(47*time.Hour + 59*time.Minute), "2 days ago": away(-49 * time.Hour),
		"999 ms": took(999 * time.Millisecond), "59.9 s": took(59_900 * time.Millisecond), "1 min 0 s": took(time.Minute), "25 h 1 min": took(25*time.Hour + time.Minute),
		"0": webserver.Thousands(0), "999": webserver.Thousands(999), "1\u202f000": webserver.Thousands(1000), "-1\u202f234\u202f567": webserver.Thousands(-1234567), "-123": webserver.Thousands(-123),
		"1 cat": webserver.Plural(1, "cat", "cats"), "1\u202f500 cats": webserver.Plural(1500, "cat", "cats"),
		"(none)": shown(nil), `"a<b"`: shown("a<b"), "true": shown(true), `["x"]`: shown([]string{"x"}),
		"nothing to do":                      summaryWords(reconcile.Summary{Unchanged: 5}, 0),
		"1 create, 2 deletions, 1 failed":    summaryWords(reconcile.Summary{Create: 1, Delete: 2}, 1),
		strings.Repeat("ü", 200) + "…":       webserver.Shorten(strings.Repeat("ü", 300)),
		"x" + strings.Repeat("ü", 199) + "…": webserver.Shorten("x" + strings.Repeat("ü", 300)),
	} {
		if have != want {
			t.Errorf("%q, want %q", have, want)
		}
	}
}
