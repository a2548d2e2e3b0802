package outfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %v", name, info.Mode())
	}
	return string(text)
}

// A file that is there stays as it is, unless it may be overwritten.
func TestCreate(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "file")
	if err := Create(name, "a longer first", false); err != nil {
		t.Fatal(err)
	}
	if err := Create(name, "second", false); err == nil || read(t, name) != "a longer first" {
		t.Errorf("error %v, the file has %q", err, read(t, name))
	}
	if err := Create(name, "third", true); err != nil || read(t, name) != "third" {
		t.Errorf("error %v, the file has %q", err, read(t, name))
	}
}

// A file that is not written to its end leaves the former one, and nothing else behind.
func TestReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	text := func(text string, outcome error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return errors.Join(err, outcome)
		}
	}
	if err := Replace(name, text("first", nil)); err != nil || read(t, name) != "first" {
		t.Fatalf("error %v, the file has %q", err, read(t, name))
	}
	full := errors.New("disk is full")
	if err := Replace(name, text("half", full)); !errors.Is(err, full) || read(t, name) != "first" {
		t.Errorf("error %v, the file has %q", err, read(t, name))
	}
	if err := Replace(name, text("second", nil)); err != nil || read(t, name) != "second" {
		t.Errorf("error %v, the file has %q", err, read(t, name))
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("the folder has %v, error %v", files, err)
	}
}
