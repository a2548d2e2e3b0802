package structure

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// Names of package syscall that Linux, macOS and Windows all have.
var everywhere = map[string]bool{
	"Errno": true, "Signal": true, "SIGTERM": true, "SIGHUP": true, "SIGKILL": true, "SIGQUIT": true, "SysProcAttr": true,
	"ECONNREFUSED": true, "EROFS": true, "ENOSPC": true, "EDQUOT": true, "EFBIG": true, "EACCES": true, "EPERM": true, "ENOTDIR": true,
}

// Tools of this repository that are not part of the program and run on Linux and macOS.
var ownTools = []string{"cmd/internal/bench/", "cmd/internal/safety/"}

// TestPortable finds names of the operating system in files that are compiled for every one. The compiler finds them too
// (make check), in packages that do not link the Graph SDK: to compile that for each system takes too long.
func TestPortable(t *testing.T) {
	t.Parallel()
	root := moduleRoot(t)
	looked := 0
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case skipped(p, d):
			return fs.SkipDir
		case d.IsDir() || path.Ext(p) != ".go" || strings.HasSuffix(p, "_test.go"):
			return nil
		}
		for _, tool := range ownTools {
			if strings.HasPrefix(p, tool) {
				return nil
			}
		}
		for _, system := range []string{"linux", "darwin", "windows"} {
			compiled := build.Default
			compiled.GOOS, compiled.CgoEnabled = system, false
			if ok, err := compiled.MatchFile(filepath.Join(root, path.Dir(p)), path.Base(p)); err != nil || !ok {
				return err
			}
		}
		looked++
		source, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			return err
		}
		faults, err := foreignNames(p, source)
		for _, fault := range faults {
			t.Error(fault)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if looked < 300 {
		t.Errorf("only %d files were looked at", looked)
	}
}

// foreignNames names what a file uses of one operating system.
func foreignNames(name string, source []byte) (faults []string, err error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, source, 0)
	if err != nil {
		return nil, err
	}
	for _, i := range file.Imports {
		if what := strings.Trim(i.Path.Value, `"`); what == "golang.org/x/sys/unix" || what == "golang.org/x/sys/windows" {
			faults = append(faults, fmt.Sprintf("%s imports %s, which not every system has; put what needs it into a file of that system", name, what))
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if of, ok := s.X.(*ast.Ident); ok && of.Name == "syscall" && !everywhere[s.Sel.Name] {
				faults = append(faults, fmt.Sprintf("%s uses syscall.%s, which not every system has; put what needs it into a file of that system", name, s.Sel.Name))
			}
		}
		return true
	})
	return faults, nil
}

func TestForeignNames(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]int{
		"package p\nimport \"syscall\"\nvar _ = syscall.Flock":                       1,
		"package p\nimport \"golang.org/x/sys/unix\"":                                1,
		"package p\nimport \"syscall\"\nvar _ = syscall.SIGTERM":                     0,
		"package p\nimport \"os\"\nvar _ = os.Getpid":                                0,
		"package p\nimport \"syscall\"\nvar a, b = syscall.Stat, syscall.O_NOFOLLOW": 2,
	} {
		faults, err := foreignNames("p.go", []byte(source))
		if err != nil || len(faults) != want {
			t.Errorf("%q: %v, %v; want %d", source, faults, err, want)
		}
	}
}
