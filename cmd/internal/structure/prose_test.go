package structure

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// idioms are phrases that the project's texts used where the field has a word: resume, again, a user,
// release, retry with exponential backoff.
var idioms = regexp.MustCompile(`(?i)\b(goes on|go on|going on|went on|anew|somebody|anybody|whoever|gives? free|growing waits|tells? of|tells of|becomes? of|became of|by itself)\b`)

// notShown are folders whose texts no user reads.
var notShown = []string{"cmd/internal/mutate", "cmd/internal/structure", "graphsync/graphtest", "target/scim/scimtest", "cmd/internal/safety"}

// proseFiles are what an operator or a contributor reads besides the program's own texts.
var proseFiles = []string{"README.md", ".github/*.md", "configs/*.yaml", "configs/docs/*.md", "configs/examples/*.yaml", "configs/metrics.md", "cmd/internal/web/*.html", "cmd/internal/web/*/*.html", "cmd/internal/consentweb/*/*.html"}

// The texts that users read have the field's words.
func TestTextsHaveNoPrivateIdioms(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..")
	seen := 0
	for _, pattern := range proseFiles {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for n, line := range bytes.Split(text, []byte("\n")) {
				seen++
				if found := idioms.Find(line); found != nil {
					t.Errorf("%s:%d: %q", file, n+1, found)
				}
			}
		}
	}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(root, path)
		if entry.IsDir() {
			if name := entry.Name(); name == "testdata" || name == "node_modules" || name == ".git" || name == ".cache" || slices.Contains(notShown, filepath.ToSlash(relative)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			literal, ok := node.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			seen++
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				return true
			}
			if found := idioms.FindString(text); found != "" {
				t.Errorf("%s: %q", set.Position(literal.Pos()), found)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 5000 {
		t.Errorf("only %d lines and texts were read", seen)
	}
}
