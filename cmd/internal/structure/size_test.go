package structure

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// What one page, one type and the package of the commands may have, tests included: what is larger has a seam that a
// reader would be glad of.
const (
	maxLines     = 500  // of a file
	maxMethods   = 30   // of a type
	maxMainLines = 3000 // of cmd/entrasync without its tests
)

const mainDir = "cmd/entrasync"

// checkSizes names files, types and a package main that have become too large.
func checkSizes(tree fs.FS) (faults []string) {
	methods, mainLines := map[string]int{}, 0 // methods by folder, package and type
	err := eachGoFile(tree, func(p string, source []byte) error {
		lines := bytes.Count(source, []byte("\n"))
		if lines > maxLines {
			faults = append(faults, fmt.Sprintf("%s has %d lines, more than %d: split it by what it does", p, lines, maxLines))
		}
		if path.Dir(p) == mainDir && !strings.HasSuffix(p, "_test.go") {
			mainLines += lines
		}
		file, err := parser.ParseFile(token.NewFileSet(), p, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if name := receiver(decl); name != "" {
				methods[path.Dir(p)+": type "+file.Name.Name+"."+name]++
			}
		}
		return nil
	})
	if err != nil {
		faults = append(faults, err.Error())
	}
	for name, n := range methods {
		if n > maxMethods {
			faults = append(faults, fmt.Sprintf("%s has %d methods, more than %d: split it by its responsibilities", name, n, maxMethods))
		}
	}
	if mainLines > maxMainLines {
		faults = append(faults, fmt.Sprintf("%s has %d lines, more than %d: move what commands do into packages of cmd/internal", mainDir, mainLines, maxMainLines))
	}
	slices.Sort(faults)
	return faults
}

// receiver is the name of the type that a declaration is a method of, empty for any other.
func receiver(decl ast.Decl) string {
	f, ok := decl.(*ast.FuncDecl)
	if !ok || f.Recv == nil {
		return ""
	}
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	switch generic := t.(type) {
	case *ast.IndexExpr:
		t = generic.X
	case *ast.IndexListExpr:
		t = generic.X
	}
	if name, ok := t.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, fault := range checkSizes(os.DirFS(moduleRoot(t))) {
		t.Error(fault)
	}
}

// What is too large by one is found, and what is as large as it may be is not.
func TestSizesAreFound(t *testing.T) {
	t.Parallel()
	methods := func(receiver string, n int) string {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "func (x %s) m%s%d() {}\n", receiver, strings.Trim(receiver, "*[]T"), i)
		}
		return text.String()
	}
	lines := func(n int) string { return "package a\n" + strings.Repeat("\n", n-1) }
	for name, tt := range map[string]struct {
		tree fakeTree
		want string // part of the only fault, empty for none
	}{
		"a file as long as it may be":  {fakeTree{"a/a.go": lines(maxLines)}, ""},
		"a file too long":              {fakeTree{"a/a.go": lines(maxLines + 1)}, "a/a.go has 501 lines"},
		"a test too long":              {fakeTree{"a/a_test.go": lines(maxLines + 1)}, "a/a_test.go has 501 lines"},
		"test data":                    {fakeTree{"a/testdata/a.go": lines(maxLines + 1)}, ""},
		"as many methods as may be":    {fakeTree{"a/a.go": "package a\n" + methods("T", maxMethods)}, ""},
		"too many methods":             {fakeTree{"a/a.go": "package a\n" + methods("T", maxMethods+1)}, "a: type a.T has 31 methods"},
		"too many over two files":      {fakeTree{"a/a.go": "package a\n" + methods("*T", 20), "a/b.go": "package a\n" + methods("T", 11)}, "a: type a.T has 31 methods"},
		"too many of a generic type":   {fakeTree{"a/a.go": "package a\n" + methods("*L[T]", maxMethods+1)}, "a: type a.L has 31 methods"},
		"too many of a type of a test": {fakeTree{"a/a_test.go": "package a_test\n" + methods("T", maxMethods+1)}, "a: type a_test.T has 31 methods"},
		"two types of one name":        {fakeTree{"a/a.go": "package a\n" + methods("T", 20), "b/b.go": "package b\n" + methods("T", 20)}, ""},
		"functions":                    {fakeTree{"a/a.go": "package a\n" + strings.Repeat("func _() {}\n", 40)}, ""},
		"a package main too long":      {manyFiles(mainDir, maxMainLines/maxLines, "package main\n"+strings.Repeat("\n", maxLines-1), "x"), "cmd/entrasync has 3001 lines"},
		"tests of main":                {manyFiles(mainDir, maxMainLines/maxLines, "package main\n"+strings.Repeat("\n", maxLines-1), "x_test"), ""},
	} {
		faults := checkSizes(tt.tree.fs())
		if tt.want == "" && len(faults) > 0 || tt.want != "" && (len(faults) != 1 || !strings.Contains(cmp.Or(faults[0], " "), tt.want)) {
			t.Errorf("%s: found %q, want %q", name, faults, tt.want)
		}
	}
}

// manyFiles are n files of a folder with the same text, and one more of one line.
func manyFiles(dir string, n int, text, last string) fakeTree {
	tree := fakeTree{path.Join(dir, last+".go"): "package main\n"}
	for i := range n {
		tree[path.Join(dir, fmt.Sprintf("f%d.go", i))] = text
	}
	return tree
}
