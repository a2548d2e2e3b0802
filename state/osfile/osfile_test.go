package osfile_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"entrasync/state/osfile"
)

func open(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := osfile.Open(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// A second opening of a file does not get its lock until the first gives it up, and can read the file meanwhile.
func TestLock(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "lock")
	first, second := open(t, name), open(t, name)
	if err := osfile.TryLock(first); err != nil {
		t.Fatal(err)
	}
	if _, err := first.WriteString("held"); err != nil {
		t.Fatal(err)
	}
	if err := osfile.TryLock(second); !errors.Is(err, osfile.ErrLocked) {
		t.Errorf("the lock was given twice: %v", err)
	}
	if text, err := io.ReadAll(second); err != nil || string(text) != "held" {
		t.Errorf("read %q, %v", text, err)
	}
	if err := osfile.Unlock(first); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(osfile.Lock(second), osfile.Unlock(second), osfile.Unlock(second)); err != nil {
		t.Error(err)
	}
}

// A file that is open is replaced and removed; who has it open keeps reading the former content.
func TestReplaceWhileOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name, next := filepath.Join(dir, "file"), filepath.Join(dir, "next")
	for path, text := range map[string]string{name: "former", next: "new"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reader := open(t, name)
	before, err := reader.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(osfile.Replace(next, name), osfile.SyncDir(dir)); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(reader); err != nil || string(text) != "former" {
		t.Errorf("the open file reads %q, %v", text, err)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "new" {
		t.Errorf("the name reads %q, %v", text, err)
	}
	after, err := os.Stat(name)
	if err != nil || os.SameFile(before, after) {
		t.Errorf("it is the same file, %v", err)
	}
	if a, b := osfile.Inode(before), osfile.Inode(after); a != 0 && a == b {
		t.Errorf("both have number %d", a)
	}
	again := open(t, name)
	if err := os.Remove(name); err != nil {
		t.Error(err)
	}
	if text, err := io.ReadAll(again); err != nil || string(text) != "new" {
		t.Errorf("the removed file reads %q, %v", text, err)
	}
}

func TestNameless(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := osfile.Writable(dir); err != nil {
		t.Error(err)
	}
	f, err := osfile.Nameless(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("x"); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestLinkIsNotFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), link); err != nil {
		t.Fatal(err)
	}
	if _, err := osfile.OpenOwn(link, os.O_RDWR|os.O_CREATE, 0o600); !errors.Is(err, osfile.ErrLink) {
		t.Errorf("a symbolic link was opened: %v", err)
	}
}
