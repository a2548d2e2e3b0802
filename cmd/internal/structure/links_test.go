package structure

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	fenced  = regexp.MustCompile("(?ms)^ *```.*?^ *```|`[^`\n]*`")
)

// Links in documents lead to files that are there, and to headings that they have.
func TestLinks(t *testing.T) {
	t.Parallel()
	tree := os.DirFS(moduleRoot(t))
	count := 0
	for _, pattern := range []string{"*.md", ".github/*.md", ".github/*/*.md", "configs/*.md", "configs/*/*.md"} {
		files, err := fs.Glob(tree, pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, broken := range brokenLinks(tree, file, &count) {
				t.Error(broken)
			}
		}
	}
	if count < 50 {
		t.Errorf("only %d links found", count)
	}
}

func brokenLinks(tree fs.FS, file string, count *int) (broken []string) {
	text, err := fs.ReadFile(tree, file)
	if err != nil {
		return []string{err.Error()}
	}
	for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(string(text), ""), -1) {
		if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
			continue
		}
		*count++
		to, anchor, _ := strings.Cut(m[1], "#")
		name := file
		if to != "" {
			name = path.Join(path.Dir(file), to)
		}
		info, err := fs.Stat(tree, name)
		switch {
		case err != nil:
			broken = append(broken, file+" links to "+m[1]+", which is not there")
		case anchor != "" && (info.IsDir() || !hasHeading(tree, name, anchor)):
			broken = append(broken, file+" links to "+m[1]+", which has no such heading")
		}
	}
	return broken
}

func hasHeading(tree fs.FS, file, anchor string) bool {
	text, err := fs.ReadFile(tree, file)
	if err != nil {
		return false
	}
	for _, m := range heading.FindAllStringSubmatch(string(text), -1) {
		if anchorOf(m[1]) == anchor {
			return true
		}
	}
	return false
}

// anchorOf is the anchor that GitHub gives a heading.
func anchorOf(text string) string {
	text = strings.ToLower(regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(text, ""))
	return strings.ReplaceAll(strings.TrimSpace(text), " ", "-")
}

func TestBrokenLinksAreFound(t *testing.T) {
	t.Parallel()
	tree := fakeTree{
		"a.md":    "# One thing\n[x](b/c.md) [y](b/c.md#two-of-them) [z](#one-thing) [w](https://example.com/none) `[code](none)`\n```\n[code](none)\n```\n[q](none.md) [r](b/c.md#none)",
		"b/c.md":  "## Two of `them`\n[back](../a.md) [gone](a.md)",
		"state/x": "",
	}.fs()
	count := 0
	broken := append(brokenLinks(tree, "a.md", &count), brokenLinks(tree, "b/c.md", &count)...)
	if got := strings.Join(broken, "; "); got != "a.md links to none.md, which is not there; a.md links to b/c.md#none, which has no such heading; b/c.md links to a.md, which is not there" || count != 7 {
		t.Errorf("%d links; %s", count, got)
	}
}
