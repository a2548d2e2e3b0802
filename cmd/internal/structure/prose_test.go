package structure

import (
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
// release, retry with exponential backoff. "beside it" says where something is; any other "beside"
// meant "in addition to".
var idioms = regexp.MustCompile(`(?i)\b(goes on|go on|going on|gone on|went on|anew|nobody|somebody|someone|anybody|whoever|` +
	`(gives?|gave|given|giving) free|growing waits?|(tells?|telling|told) of|becomes? of|became of|by (itself|themselves))\b|` +
	`\bbeside ([^i]|i[^t]|it[a-z])|\bbeside *$`)

// names are the same in the name of a function, such as that of a test.
var names = regexp.MustCompile(`Nobody|Somebody|Someone|Anybody|Whoever|Anew|(Goes?|Going|Gone|Went)On([A-Z]|$)|ByItself|Beside([A-Z]|$)|BecomesOf|TellsOf`)

// promise is the project's first promise, in the words of the README.
const promise = "removes nobody"

// proseFiles are texts outside of Go files: what operators and contributors read.
var proseFiles = []string{"README.md", "Makefile", ".github/*.md", "configs/*.yaml", "configs/docs/*.md", "configs/examples/*.yaml", "configs/examples/*.md",
	"configs/systemd/*", "configs/metrics.md", "cmd/internal/web/*/*.html", "cmd/internal/consentweb/*/*.html"}

// idiomIn returns the first private idiom of a text, "" for none. Line breaks count as spaces.
func idiomIn(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.TrimSpace(idioms.FindString(strings.ReplaceAll(text, promise, "")))
}

func TestIdiomIn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"the next cycle goes\non": "goes on", "Nobody is removed": "Nobody", "it removes nobody.": "", "made anew": "anew",
		"the names beside those of SCIM": "beside t", "a key beside it": "", "beside its key": "beside its", "a canoe": "", "what became of it": "became of",
		"it tells official names": "", "with growing waits": "growing waits",
	} {
		if got := idiomIn(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Texts, comments and the names of tests have the field's words.
func TestTextsHaveNoPrivateIdioms(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..")
	r := proseReader{t: t}
	for _, pattern := range proseFiles {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			r.paragraphs(file, "")
		}
	}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := entry.Name(); {
		case entry.IsDir() && slices.Contains([]string{"node_modules", "vendor", ".git", ".cache"}, name):
			return filepath.SkipDir
		case strings.HasSuffix(name, ".txtar"):
			r.paragraphs(path, "#")
		case strings.HasSuffix(name, ".go") && name != "prose_test.go":
			r.goFile(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.seen < 20000 {
		t.Errorf("only %d texts were read", r.seen)
	}
}

// A proseReader reports private idioms.
type proseReader struct {
	t    *testing.T
	seen int // texts read
}

func (r *proseReader) check(place, text string) {
	r.seen++
	if found := idiomIn(text); found != "" {
		r.t.Errorf("%s: %q", place, found)
	}
}

// paragraphs reads a file by paragraphs, so that an idiom is found across a line break. With a comment
// sign it reads the comments of a script only, up to its files.
func (r *proseReader) paragraphs(file, sign string) {
	text, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	paragraph, first := "", 0
	end := func() {
		if paragraph != "" {
			r.check(file+":"+strconv.Itoa(first), paragraph)
		}
		paragraph = ""
	}
	for n, line := range strings.Split(string(text), "\n") {
		if sign != "" && strings.HasPrefix(line, "-- ") {
			break
		}
		line = strings.TrimSpace(line)
		if line == "" || !strings.HasPrefix(line, sign) {
			end()
			continue
		}
		if paragraph == "" {
			first = n + 1
		}
		paragraph += strings.TrimLeft(line, "#") + "\n"
	}
	end()
}

// goFile reads the comments, the texts and the names of functions of a Go file. Tags of fields are the
// format of data and no prose.
func (r *proseReader) goFile(path string) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		r.t.Error(err)
		return
	}
	for _, group := range file.Comments {
		r.check(set.Position(group.Pos()).String(), group.Text())
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.Field:
			n.Tag = nil
		case *ast.FuncDecl:
			if found := names.FindString(n.Name.Name); found != "" {
				r.t.Errorf("%s: %q in the name %s", set.Position(n.Pos()), found, n.Name.Name)
			}
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				r.check(set.Position(n.Pos()).String(), text)
			}
		}
		return true
	})
}
