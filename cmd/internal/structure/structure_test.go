package structure

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "entrasync"

// Who may import whom, folder by folder. A trailing /* stands for any one folder; the longest
// row that fits a package counts.
var mayImport = map[string][]string{
	"cmd/entrasync":              {"*"},
	"cmd/internal/admin":         {},
	"cmd/internal/advice":        {"graphsync", "reconcile/guard", "target"},
	"cmd/internal/audit":         {"cmd/internal/*", "graphsync", "reconcile", "reconcile/plan", "state", "state/osfile"},
	"cmd/internal/entra":         {"cmd/internal/advice", "cmd/internal/worker", "configs", "graphsync", "graphsync/msgraph"},
	"cmd/internal/outfile":       {"cmd/internal/advice"},
	"cmd/internal/transfer":      {"cmd/internal/advice", "cmd/internal/outfile", "cmd/internal/words", "graphsync", "state"},
	"cmd/internal/bench":         {"graphsync", "graphsync/graphtest", "graphsync/msgraph", "reconcile", "reconcile/*", "state", "target"},
	"cmd/internal/bulkimport":    {"cmd/internal/console", "graphsync", "reconcile", "reconcile/plan", "target"},
	"cmd/internal/check":         {"cmd/internal/*", "configs", "graphsync", "reconcile", "reconcile/*", "target", "target/all"},
	"cmd/internal/conformance":   {"cmd/internal/advice", "cmd/internal/console", "cmd/internal/exit", "target", "target/targettest"},
	"cmd/internal/arguments":     {"cmd/internal/advice", "configs"},
	"cmd/internal/cycles":        {"cmd/internal/*", "graphsync", "reconcile", "state"},
	"cmd/internal/demo":          {"cmd/internal/*", "graphsync", "graphsync/graphtest", "reconcile", "state"},
	"cmd/internal/discovery":     {"cmd/internal/*", "reconcile"},
	"cmd/internal/exit":          {"cmd/internal/advice", "configs", "reconcile", "state"},
	"cmd/internal/invitations":   {"cmd/internal/*", "configs", "graphsync", "state"},
	"cmd/internal/remote":        {"cmd/internal/admin", "cmd/internal/console", "cmd/internal/exit", "configs", "state"},
	"cmd/internal/tenants":       {"cmd/internal/*", "graphsync", "reconcile/plan", "state"},
	"cmd/internal/console":       {"reconcile", "reconcile/plan"},
	"cmd/internal/inspect":       {"cmd/internal/advice", "cmd/internal/compile", "cmd/internal/lookup", "cmd/internal/worker", "graphsync", "reconcile", "reconcile/*", "state"},
	"cmd/internal/lookup":        {"cmd/internal/advice", "cmd/internal/compile", "cmd/internal/console", "cmd/internal/worker", "configs", "graphsync", "reconcile", "reconcile/*", "state", "target"},
	"cmd/internal/subscriptions": {"configs", "graphsync", "state"},
	"cmd/internal/undoing":       {"cmd/internal/*", "graphsync", "reconcile", "reconcile/undo", "state"},
	"cmd/internal/notify":        {"configs", "graphsync", "reconcile", "reconcile/plan", "state", "target/wire"},
	"cmd/internal/drifting":      {"cmd/internal/*", "graphsync", "reconcile", "state"},
	"cmd/internal/starter":       {"cmd/internal/advice", "cmd/internal/compile", "configs", "graphsync", "target/all"},
	"cmd/internal/registration":  {"cmd/internal/compile", "configs", "graphsync", "reconcile"},
	"cmd/internal/manual":        {},
	"cmd/internal/release":       {},
	"cmd/internal/links":         {"cmd/internal/*", "graphsync", "reconcile", "reconcile/plan", "state"},
	"cmd/internal/report":        {"cmd/internal/compile", "cmd/internal/console", "cmd/internal/exit", "cmd/internal/inspect", "cmd/internal/words", "graphsync", "reconcile", "reconcile/*", "state"},
	"cmd/internal/sample":        {"cmd/internal/compile", "graphsync", "graphsync/graphtest"},
	"cmd/internal/completion":    {"cmd/internal/advice", "cmd/internal/compile", "cmd/internal/inspect", "cmd/internal/worker", "configs", "state"},
	"cmd/internal/compile":       {"cmd/internal/scheduler", "configs", "graphsync", "reconcile", "reconcile/*", "target", "target/all"},
	"cmd/internal/evaluation":    {"cmd/internal/console", "cmd/internal/jsonfile", "reconcile/mapping"},
	"cmd/internal/importschema":  {"cmd/internal/jsonfile", "configs", "reconcile/mapping", "reconcile/scope", "target"},
	"cmd/internal/jsonfile":      {},
	"cmd/internal/mutate":        {},
	"cmd/internal/safety":        {"*"},
	"cmd/internal/scheduler":     {},
	"cmd/internal/service":       {"cmd/internal/*", "configs", "graphsync", "reconcile", "state", "target"},
	"cmd/internal/structure":     {},
	"cmd/internal/web":           {"cmd/internal/webserver", "graphsync", "state", "reconcile", "reconcile/*"},
	"cmd/internal/consentweb":    {"cmd/internal/webserver", "graphsync", "state"},
	"cmd/internal/webserver":     {},
	"cmd/internal/webtest":       {},
	"cmd/internal/words":         {"graphsync", "reconcile", "reconcile/plan"},
	"cmd/internal/worker":        {"cmd/internal/advice", "cmd/internal/compile", "cmd/internal/scheduler", "cmd/internal/subscriptions", "cmd/internal/words", "configs", "graphsync", "reconcile", "reconcile/*", "state", "target", "target/all"},
	"cmd/internal/metrics":       {"reconcile", "reconcile/plan"},
	"configs":                    {},
	"graphsync":                  {},
	"graphsync/msgraph":          {"graphsync", "graphsync/odata", "graphsync/paging", "graphsync/redact"},
	"graphsync/graphtest":        {"graphsync", "graphsync/odata"},
	"graphsync/odata":            {"graphsync"},
	"graphsync/paging":           {},
	"graphsync/redact":           {},
	"state":                      {"graphsync", "state/*"},
	"state/bolt":                 {"state/kv", "state/osfile"},
	"state/sealed":               {"state/kv", "state/osfile"},
	"state/osfile":               {},
	"state/kv":                   {},
	"state/kv/kvtest":            {"state/kv"},
	"state/postgres":             {"state/kv"},
	"state/postgres/pgtest":      {},
	"reconcile":                  {"graphsync", "graphsync/redact", "state", "target", "reconcile/*"},
	"reconcile/desired":          {"graphsync", "reconcile/mapping", "reconcile/plan", "reconcile/scope", "state", "target"},
	"reconcile/undo":             {"graphsync", "reconcile/plan"},
	"reconcile/drift":            {"graphsync", "reconcile/plan", "state"},
	"reconcile/links":            {"graphsync", "reconcile/plan", "state"},
	"reconcile/ownership":        {"graphsync", "reconcile/plan", "state"},
	"reconcile/plan":             {"graphsync", "state", "target"},
	"reconcile/guard":            {"graphsync", "reconcile/desired", "reconcile/mapping", "reconcile/plan", "state", "target"},
	"reconcile/mapping":          {"graphsync", "target"},
	"reconcile/snapshot":         {"graphsync", "graphsync/paging", "state"},
	"reconcile/scope":            {"graphsync"},
	"target":                     {"graphsync/redact"},
	"target/*":                   {"target"},
	"target/all":                 {"target", "target/*"},
	"target/file":                {"target", "state/osfile"},
	"target/scim":                {"target", "graphsync/paging"},
	"target/scim/scimtest":       {"state/osfile"},
	"target/wire":                {"target", "graphsync/redact"},
	"target/sql":                 {"target", "graphsync/redact"},
	"target/ldap":                {"target", "graphsync/redact"},
	"target/ldap/ldaptest":       {"target", "target/ldap"},
	"target/sql/sqltest":         {"target/sql", "state/postgres/pgtest"},
	"target/wire/wiretest":       {},

	"configs/examples/targets/people": {}, // what a user writes
}

// What any test may import besides, as does its own package.
var testsMayImport = []string{"cmd/internal/webtest", "state/kv/kvtest", "state/postgres/pgtest", "graphsync/graphtest", "target/targettest", "target/scim/scimtest", "target/wire/wiretest", "target/sql/sqltest", "target/ldap/ldaptest"}

// What the tests of one package may import besides. The benchmark of msgraph stores what it reads, because the two
// together are what an initial pull is; the operator's page makes links that are those of the consent pages;
// the example of the conformance suite runs it on an adapter.
var testsOf = map[string][]string{"state/sealed": {"state/bolt"}, "graphsync/msgraph": {"state"}, "cmd/internal/web": {"cmd/internal/consentweb"}, "target/targettest": {"target/file"}}

// Modules that only one package knows, by import path prefix.
var onlyIn = map[string]string{
	"github.com/microsoftgraph/":  "graphsync/msgraph",
	"github.com/microsoft/kiota-": "graphsync/msgraph",
	"go.etcd.io/bbolt":            "state/bolt",
	"github.com/jackc/pgx":        "state/postgres", // and target/sql, as one of its databases
	"github.com/go-sql-driver/":   "target/sql",
	"github.com/microsoft/go-mss": "target/sql",
	"modernc.org/sqlite":          "target/sql",
}

var topLevel = []string{"cmd", "graphsync", "reconcile", "target", "state", "configs"}

var drawers = []string{"util", "utils", "common", "helpers", "models", "errors"}

// The sources are read by this process, because what another one reads ("go list") does not
// count for the test cache: a forbidden import would go unseen until something else changes.
func TestStructure(t *testing.T) {
	t.Parallel()
	root := moduleRoot(t)
	tree := os.DirFS(root)
	packages, err := parsePackages(tree)
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 5 || !slices.ContainsFunc(packages, func(p pkg) bool { return p.dir == "cmd/internal/structure" }) {
		t.Fatalf("only %d packages found under %s", len(packages), root)
	}
	for _, fault := range slices.Concat(checkImports(packages), checkComments(packages), checkNames(packages), checkLayout(tree), checkMentions(tree), checkEmbedding(tree)) {
		t.Error(fault)
	}
}

// Documents that lead a newcomer through the code name files that are there. A name without a folder is
// in that of the file named before it.
func TestDocumentsNameFiles(t *testing.T) {
	t.Parallel()
	root := moduleRoot(t)
	files := map[string]bool{}
	packages, err := parsePackages(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		for name := range p.files {
			files[name] = true
		}
	}
	for _, document := range []string{"README.md", ".github/ARCHITECTURE.md", ".github/CONTRIBUTING.md"} {
		text, err := os.ReadFile(filepath.Join(root, document))
		if err != nil {
			t.Fatal(err)
		}
		folder := ""
		for _, m := range regexp.MustCompile("`([a-z_/]+\\.go)`").FindAllStringSubmatch(string(text), -1) {
			name := m[1]
			if !strings.Contains(name, "/") {
				name = path.Join(folder, name)
			}
			if folder = path.Dir(name); !files[name] {
				t.Errorf("%s names %s, which is not there", document, name)
			}
		}
	}
}

func moduleRoot(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test's folder")
		}
	}
}

// The checks are worth what they find: each violation here is found, and nothing is found in
// a tree that follows the rules.
func TestChecksFindViolations(t *testing.T) {
	t.Parallel()
	const good = "// Package state keeps things.\npackage state\n"
	tests := []struct {
		name, file, content string
		want                string // part of the only fault, empty for none
	}{
		{"an allowed import", "state/a.go", `package state; import _ "entrasync/graphsync"`, ""},
		{"the standard library", "state/a.go", `package state; import _ "errors"`, ""},
		{"a forbidden import", "state/a.go", `package state; import _ "entrasync/target"`, `state/a.go imports entrasync/target`},
		{"a forbidden import behind a build tag", "state/a.go", "//go:build never\n\npackage state; import _ \"entrasync/target\"", `imports entrasync/target`},
		{"a forbidden import in a test", "state/a_test.go", `package state_test; import _ "entrasync/target"`, `state/a_test.go imports entrasync/target`},
		{"the emulator in a test", "state/a_test.go", `package state_test; import _ "entrasync/graphsync/graphtest"`, ""},
		{"the emulator in the product", "state/a.go", `package state; import _ "entrasync/graphsync/graphtest"`, "imports entrasync/graphsync/graphtest"},
		{"a test of its own package", "state/a_test.go", `package state_test; import _ "entrasync/state"`, ""},
		{"one application knows another", "target/file/a.go", "// Package file x.\npackage file; import _ \"entrasync/target/scim\"", "imports entrasync/target/scim"},
		{"the list of applications", "target/all/a.go", "// Package all x.\npackage all; import _ \"entrasync/target/scim\"", ""},
		{"a longer row counts", "target/scim/scimtest/a.go", "// Package scimtest x.\npackage scimtest; import _ \"entrasync/target\"", "imports entrasync/target"},
		{"wiring", "cmd/entrasync/main.go", "// Command entrasync x.\npackage main; import _ \"entrasync/target/scim\"", ""},
		{"a package without a row", "state/deep/a.go", "// Package deep x.\npackage deep", "state/deep has no row"},
		{"the SDK elsewhere", "state/a.go", `package state; import _ "github.com/microsoftgraph/msgraph-sdk-go/users"`, "only graphsync/msgraph"},
		{"the SDK's core in a test", "state/a_test.go", `package state; import _ "github.com/microsoft/kiota-abstractions-go"`, "only graphsync/msgraph"},
		{"the SDK at home", "graphsync/msgraph/a.go", "// Package msgraph x.\npackage msgraph; import _ \"github.com/microsoft/kiota-http-go\"", ""},
		{"bbolt elsewhere", "target/file/a.go", "// Package file x.\npackage file; import _ \"go.etcd.io/bbolt\"", "only state"},
		{"no package comment", "configs/a.go", "package configs", "configs has no package comment"},
		{"a package comment that is none", "configs/a.go", "// Config things.\npackage configs", "configs has no package comment"},
		{"a package comment only in a test", "configs/a.go", "package configs", "configs has no package comment"},
		{"a command's comment", "cmd/entrasync/main.go", "// Command entrasync x.\npackage main", ""},
		{"a drawer", "target/util/a.go", "// Package util x.\npackage util", "target/util: a package called util"},
		{"a drawer by folder", "target/helpers/a.go", "// Package file x.\npackage file", "target/helpers: a package called helpers"},
		{"a folder at the top", "internal/notes.md", "x", "internal: a folder outside"},
		{"a hidden folder at the top", ".ci/run", "x", ""},
		{"what the build leaves", "bin/entrasync", "x", ""},
		{"Go at the top", "main.go", "// Command x.\npackage main", "main.go: the top level holds no Go package"},
		{"a path outside the project", "README.md", "see .." + "/shared/notes.md", "README.md:1 mentions .." + "/shared"},
		{"a path of a machine", ".ci/run", "set -eu\ncd /wo" + "rk/main", ".ci/run:2 mentions /wo" + "rk/"},
		{"a path at the start of a line", ".ci/run", "set -eu\n/wo" + "rk/main/run", ".ci/run:2 mentions /wo" + "rk/"},
		{"a path that ends alike", "README.md", "https://example.com/wo" + "rk/", ""},
		{"not text", "configs/logo.png", "\x00/wo" + "rk/", ""},
		{"test data", "state/testdata/a.go", "no Go at all", ""},
		{"dependencies of a test's server", "target/scim/node_modules/x/a.go", "no Go at all", ""},
		{"a step that embeds the object of all steps", "reconcile/a.go", "// Package reconcile x.\npackage reconcile\ntype cycle struct{}\ntype matcher struct{ *cycle }", "reconcile/a.go: struct matcher embeds cycle"},
		{"an exported pointer", "reconcile/a.go", "// Package reconcile x.\npackage reconcile\ntype Syncer struct{}\ntype cycle struct{ *Syncer; n int }", "struct cycle embeds Syncer"},
		{"what acts, by value", "reconcile/a.go", "// Package reconcile x.\npackage reconcile\ntype cycle struct{}\nfunc (c *cycle) pull() {}\ntype matcher struct{ cycle }", "struct matcher embeds cycle"},
		{"data", "reconcile/a.go", "// Package reconcile x.\npackage reconcile\ntype Action struct{}\nfunc (a *Action) digest() string { return \"\" }\ntype stored struct{ Action }", ""},
		{"a type of another package", "reconcile/a.go", "// Package reconcile x.\npackage reconcile\nimport \"entrasync/state\"\ntype decisions struct{ *state.Space }", ""},
		{"a named field", "reconcile/a.go", "// Package reconcile x.\npackage reconcile\ntype cycle struct{}\ntype matcher struct{ cycle *cycle }", ""},
		{"an embedded type in a test", "reconcile/a_test.go", "package reconcile_test\ntype a struct{}\ntype b struct{ *a }", ""},
		{"embedding elsewhere", "state/a.go", "package state\ntype a struct{}\ntype b struct{ *a }", ""},
		{"a file that does not parse", "state/a.go", "pakage state", "state/a.go:1"},
	}
	for _, tt := range tests {
		tree := fakeTree{"state/good.go": good, tt.file: tt.content}
		packages, err := parsePackages(tree.fs())
		faults := slices.Concat(checkImports(packages), checkComments(packages), checkNames(packages), checkLayout(tree.fs()), checkMentions(tree.fs()), checkEmbedding(tree.fs()))
		if err != nil {
			faults = append(faults, err.Error())
		}
		switch {
		case tt.want == "" && len(faults) > 0:
			t.Errorf("%s: %q", tt.name, faults)
		case tt.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], tt.want)):
			t.Errorf("%s: found %q, want one fault with %q", tt.name, faults, tt.want)
		}
	}
}

// rowOf returns the row of the table that holds for a folder.
func rowOf(dir string) (allowed []string, ok bool) {
	longest := -1
	for pattern, imports := range mayImport {
		if fits(pattern, dir) && len(pattern) > longest {
			allowed, ok, longest = imports, true, len(pattern)
		}
	}
	return allowed, ok
}

func fits(pattern, dir string) bool {
	if pattern == "*" {
		return true
	}
	ok, err := path.Match(pattern, dir)
	return ok && err == nil
}

// skipped reports folders that are no part of the sources.
func skipped(p string, d fs.DirEntry) bool {
	if !d.IsDir() {
		return false
	}
	switch d.Name() {
	case ".git", ".cache", "node_modules":
		return true
	}
	return p == "bin" || p == "dist"
}
