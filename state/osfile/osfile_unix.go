//go:build unix

package osfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// HasModes says whether mode bits tell who may read and write a file.
const HasModes = true

// TryLock takes the lock of an open file, or returns [ErrLocked] at once. The lock ends with the process however that
// ends, and with [Unlock]; closing the file alone leaves it with a child process that has a copy.
func TryLock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

// Lock waits for the lock of an open file.
func Lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }

// Unlock gives up the lock.
func Unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// OpenOwn opens a file as [os.OpenFile] does, and returns [ErrLink] for a symbolic link.
func OpenOwn(name string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(name, flag|syscall.O_NOFOLLOW, mode)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("open %s: %w", name, ErrLink)
	}
	return f, err
}

// Open opens a file so that it can be removed and replaced meanwhile.
func Open(name string, flag int, mode os.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, mode)
}

// Nameless creates a file in a folder that ends with its closing or the process.
func Nameless(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".entrasync-*")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// Replace gives a file the name of another, which may be open and goes.
func Replace(from, to string) error { return os.Rename(from, to) }

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Writable returns why this process may not make files in a folder, nil when it may.
func Writable(dir string) error {
	const writable, searchable = 2, 1
	return syscall.Access(dir, writable|searchable)
}

// OwnerOf returns whom a file belongs to.
func OwnerOf(info fs.FileInfo) (Owner, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Owner{}, false
	}
	return Owner{int(s.Uid), int(s.Gid)}, true
}

func inode(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}

// Full reports whether an error says that there is no space.
func Full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
