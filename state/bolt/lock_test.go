//go:build unix

package bolt

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// A child process has a copy of every open file between its fork and its exec. The lock ends with
// Close nevertheless: the next command must not be told that the state is in use.
func TestLockEndsWithCloseWhileAChildHasACopy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	inherited, err := syscall.Dup(int(lock.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited)
	if err := Release(lock); err != nil {
		t.Fatal(err)
	}
	again, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Release(again); err != nil {
		t.Error(err)
	}
}

// The same for a tenant's file that was only looked at.
func TestLockOfAReadOnlyFileEndsWithCloseWhileAChildHasACopy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tenant.db")
	f, err := Open(path, things, "of", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	looked, _, err := OpenReadOnly(path, things, "of")
	if err != nil {
		t.Fatal(err)
	}
	inherited, err := syscall.Dup(int(looked.os.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited)
	if err := looked.Close(); err != nil {
		t.Fatal(err)
	}
	f, err = Open(path, things, "of", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// The same with processes that really start.
func TestLockEndsWithCloseWhileProcessesStart(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			if err := exec.Command(program).Run(); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	defer func() { stop.Store(true); <-done }()
	dir := t.TempDir()
	for n := range 300 {
		lock, err := acquire(dir)
		if err != nil {
			t.Fatalf("time %d: %v", n, err)
		}
		if err := Release(lock); err != nil {
			t.Fatal(err)
		}
	}
}

// The lock file is emptied and written to: it is never another program's file.
func TestLockFollowsNoLink(t *testing.T) {
	t.Parallel()
	dir, precious := t.TempDir(), filepath.Join(t.TempDir(), "precious")
	if err := errors.Join(os.WriteFile(precious, []byte("keep me"), 0o600), os.Symlink(precious, filepath.Join(dir, "lock"))); err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(dir); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "lock")+" is a symbolic link") {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(precious); err != nil || string(text) != "keep me" {
		t.Errorf("the file behind the link holds %q (%v)", text, err)
	}
}

func TestDirectoryThatOthersCanWriteIsRefused(t *testing.T) {
	t.Parallel()
	for mode, refused := range map[os.FileMode]bool{
		0o700: false, 0o750: false, 0o755: false, 0o770: true, 0o707: true, 0o777: true, os.ModeSticky | 0o777: true, os.ModeSetgid | 0o775: false, os.ModeSetgid | 0o777: true,
	} {
		dir := t.TempDir()
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		lock, err := Acquire(dir)
		if err == nil {
			err = Release(lock)
		}
		if refused && (err == nil || !strings.Contains(err.Error(), "chmod go-w "+dir)) || !refused && err != nil {
			t.Errorf("mode %v: %v", mode, err)
		}
		entries, _ := os.ReadDir(dir)
		if refused && len(entries) > 0 {
			t.Errorf("mode %v: %d files were made", mode, len(entries))
		}
	}
}

// A volume whose group an orchestrator sets may be written to by that group, any other directory by its
// owner only.
func TestPrivate(t *testing.T) {
	t.Parallel()
	const user, group, another = 1000, 2000, 3000
	for name, test := range map[string]struct {
		mode         os.FileMode
		owner, group int
		want         bool
	}{
		"its owner's":                   {0o700, user, group, true},
		"others may read":               {0o755, user, another, true},
		"fsGroup":                       {os.ModeSetgid | 0o770, 0, group, true},
		"fsGroup, of this user":         {os.ModeSetgid | 0o775, user, group, true},
		"fsGroup of a third user":       {os.ModeSetgid | 0o770, another, group, false},
		"fsGroup of another group":      {os.ModeSetgid | 0o770, 0, another, false},
		"a group's without setgid":      {0o770, user, group, false},
		"fsGroup, and the world's":      {os.ModeSetgid | 0o777, 0, group, false},
		"the world's":                   {0o707, user, group, false},
		"the world's with a sticky bit": {os.ModeSticky | 0o777, 0, group, false},
	} {
		if got := private(test.mode, test.owner, test.group, user, []int{group}); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
