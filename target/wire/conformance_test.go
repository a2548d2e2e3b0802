package wire_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/target"
	"entrasync/target/targettest"
	"entrasync/target/wire"
)

const examples = "../../configs/examples/targets"

// reference returns the command lines of the reference programs. The one in Go is built for it.
func reference(tb testing.TB) map[string][]string {
	tb.Helper()
	people := filepath.Join(tb.TempDir(), "people")
	if out, err := exec.Command("go", "build", "-o", people, examples+"/people").CombinedOutput(); err != nil {
		tb.Fatalf("build the reference program: %v\n%s", err, out)
	}
	return map[string][]string{"go": {people}, "python": {python(tb), absolute(tb, examples+"/people.py")}}
}

// python is the interpreter itself, not a script that looks for one.
func python(tb testing.TB) string {
	tb.Helper()
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		tb.Fatalf("python3 is needed: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func absolute(tb testing.TB, path string) string {
	tb.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		tb.Fatal(err)
	}
	return abs
}

// program returns an adapter for a program that keeps its accounts in a file, and ends it with the test.
func program(tb testing.TB, command []string, file string) *wire.Adapter {
	tb.Helper()
	a, err := wire.Exec(wire.ExecConfig{Command: command, Env: []string{"PATH"}, Config: map[string]string{"file": file}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := a.Close(tb.Context()); err != nil && tb.Context().Err() == nil {
			tb.Error(err)
		}
	})
	return a
}

func TestConformanceOfPrograms(t *testing.T) {
	t.Parallel()
	for name, command := range reference(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			targettest.Run(t, targettest.Harness{New: func(tb testing.TB) targettest.App {
				file := filepath.Join(tb.TempDir(), "people")
				open := func(tb testing.TB) target.Adapter { return program(tb, command, file) }
				return targettest.App{Adapter: open(tb), Reopen: open}
			}})
		})
	}
}
