package structure

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing/fstest"
)

// A pkg is one folder's Go files.
type pkg struct {
	dir   string
	files map[string]*ast.File // by path
}

type fakeTree map[string]string

func (t fakeTree) fs() fs.FS {
	files := fstest.MapFS{}
	for name, content := range t {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return files
}

// eachGoFile visits the Go files of the project, test data aside.
func eachGoFile(tree fs.FS, visit func(p string, source []byte) error) error {
	return fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if skipped(p, d) || d.IsDir() && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if d.IsDir() || path.Ext(p) != ".go" {
			return nil
		}
		source, err := fs.ReadFile(tree, p)
		if err != nil {
			return err
		}
		return visit(p, source)
	})
}

// parsePackages reads every Go file's imports and comments, whatever its build tags say.
func parsePackages(tree fs.FS) ([]pkg, error) {
	byDir := map[string]pkg{}
	err := eachGoFile(tree, func(p string, source []byte) error {
		file, err := parser.ParseFile(token.NewFileSet(), p, source, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(p)
		if byDir[dir].files == nil {
			byDir[dir] = pkg{dir, map[string]*ast.File{}}
		}
		byDir[dir].files[p] = file
		return nil
	})
	var packages []pkg
	for _, p := range byDir {
		packages = append(packages, p)
	}
	slices.SortFunc(packages, func(a, b pkg) int { return strings.Compare(a.dir, b.dir) })
	return packages, err
}

func checkImports(packages []pkg) (faults []string) {
	for _, p := range packages {
		if p.dir == "." {
			continue // checkLayout's
		}
		allowed, ok := rowOf(p.dir)
		if !ok && !slices.Contains(drawers, path.Base(p.dir)) {
			faults = append(faults, p.dir+" has no row in the table of who may import whom; add one")
			continue
		}
		for name, file := range p.files {
			also := []string{}
			if strings.HasSuffix(name, "_test.go") {
				also = append(slices.Concat(testsMayImport, testsOf[p.dir]), p.dir)
			}
			for _, spec := range file.Imports {
				imported, _ := strconv.Unquote(spec.Path.Value)
				for prefix, home := range onlyIn {
					if home == "state/bolt" && (p.dir == "cmd/internal/bench" || p.dir == "state" && strings.HasSuffix(name, "_test.go")) {
						continue // the floor that reading is measured against is bbolt alone; tests damage files
					}
					if home == "state/postgres" && (p.dir == "target/sql" || p.dir == "target/sql/sqltest") {
						continue // users keep accounts in PostgreSQL, too
					}
					if strings.HasPrefix(imported, prefix) && p.dir != home && p.dir != home+"/pgtest" && p.dir != home+"/sqltest" {
						faults = append(faults, fmt.Sprintf("%s imports %s, which only %s may", name, imported, home))
					}
				}
				ours, isOurs := strings.CutPrefix(imported, module+"/")
				if isOurs && !slices.ContainsFunc(slices.Concat(allowed, also), func(pattern string) bool { return fits(pattern, ours) }) {
					faults = append(faults, fmt.Sprintf("%s imports %s, which the table of who may import whom does not allow", name, imported))
				}
			}
		}
	}
	return faults
}

// checkComments wants "Package x …", or "Command …" for a command, in a file that is not a test.
func checkComments(packages []pkg) (faults []string) {
	for _, p := range packages {
		commented, product := false, false
		for name, file := range p.files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			product = true
			begin := "Package " + file.Name.Name + " "
			if file.Name.Name == "main" {
				begin = "Command "
			}
			commented = commented || strings.HasPrefix(file.Doc.Text(), begin)
		}
		if product && !commented {
			faults = append(faults, p.dir+" has no package comment that says what it is (\"Package x …\")")
		}
	}
	return faults
}

func checkNames(packages []pkg) (faults []string) {
	for _, p := range packages {
		names := []string{path.Base(p.dir)}
		for _, file := range p.files {
			names = append(names, file.Name.Name)
		}
		for _, name := range drawers {
			if slices.Contains(names, name) {
				faults = append(faults, fmt.Sprintf("%s: a package called %s says nothing; name what it does", p.dir, name))
			}
		}
	}
	return faults
}

func checkLayout(tree fs.FS) (faults []string) {
	entries, err := fs.ReadDir(tree, ".")
	if err != nil {
		return []string{err.Error()}
	}
	for _, d := range entries {
		switch name := d.Name(); {
		case strings.HasPrefix(name, "."), skipped(name, d):
		case d.IsDir() && !slices.Contains(topLevel, name):
			faults = append(faults, fmt.Sprintf("%s: a folder outside %s", name, strings.Join(topLevel, ", ")))
		case path.Ext(name) == ".go":
			faults = append(faults, name+": the top level holds no Go package")
		}
	}
	return faults
}

// Paths of the machine of a developer. Written in parts, as this file is read too.
var outside = regexp.MustCompile(`\.\.` + `/shared\b|(?:^|[^\w.-])(/wo` + `rk/)`)

func checkMentions(tree fs.FS) (faults []string) {
	err := fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case skipped(p, d):
			return fs.SkipDir
		case !d.Type().IsRegular(), p == ".git": // of a linked work tree, where .git is a file
			return nil
		}
		text, err := fs.ReadFile(tree, p)
		if err != nil {
			return err
		}
		if bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
			return nil
		}
		if at := outside.FindIndex(text); at != nil {
			line := 1 + bytes.Count(text[:at[1]], []byte("\n"))
			faults = append(faults, fmt.Sprintf("%s:%d mentions %s, which other people do not have", p, line, bytes.TrimSpace(text[at[0]:at[1]])))
		}
		return nil
	})
	if err != nil {
		faults = append(faults, err.Error())
	}
	return faults
}
