// Package osfile holds what differs between operating systems in the use of files: locks that end with their process,
// files that can be removed and replaced while they are open, directories made durable, and who may write where.
//
// Linux and macOS have mode bits and flock. Windows has neither: its locks are those of LockFileEx, and a file belongs
// to whom the access control list of its folder says, which [HasModes] has callers leave alone.
package osfile

import (
	"errors"
	"io/fs"
)

var (
	// ErrLocked says that another open file has the lock.
	ErrLocked = errors.New("it is locked by another process")
	// ErrLink says that a name is that of a symbolic link.
	ErrLink = errors.New("it is a symbolic link")
)

// An Owner is whom a file belongs to, by number.
type Owner struct{ User, Group int }

// Inode returns the number that a file keeps when it is renamed and that a file in its place does not have; 0 where
// the system tells it only of an open file, as Windows does.
func Inode(info fs.FileInfo) uint64 { return inode(info) }
