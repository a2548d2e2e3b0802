package osfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

// HasModes says whether mode bits tell who may read and write a file. Windows makes them up from one attribute: who
// may write is in the access control list, which a file inherits from its folder and which is not looked at.
const HasModes = false

// Locks of Windows keep others from reading what is locked. This byte is beyond the end of every file, so that the
// text of a locked file stays readable.
var lockPlace = windows.Overlapped{Offset: 0xFFFFFFFE, OffsetHigh: 0x7FFFFFFF}

// TryLock takes the lock of an open file, or returns [ErrLocked] at once. The lock ends with the process however that
// ends, with the closing of the file and with [Unlock].
func TryLock(f *os.File) error {
	place := lockPlace
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &place)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return ErrLocked
	}
	return err
}

// Lock waits for the lock of an open file.
func Lock(f *os.File) error {
	place := lockPlace
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &place)
}

// Unlock gives up the lock. A file that has none is no error, as with flock.
func Unlock(f *os.File) error {
	place := lockPlace
	err := windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &place)
	if errors.Is(err, windows.ERROR_NOT_LOCKED) {
		return nil
	}
	return err
}

// OpenOwn opens a file as [os.OpenFile] does, and returns [ErrLink] for a symbolic link. Between the look and the
// opening a link could still be put there by whom the folder's access control list lets write.
func OpenOwn(name string, flag int, mode os.FileMode) (*os.File, error) {
	if info, err := os.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("open %s: %w", name, ErrLink)
	}
	return Open(name, flag, mode)
}

const shareAll = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE

// Open opens a file so that it can be removed and replaced meanwhile. Package os does not allow that.
func Open(name string, flag int, _ os.FileMode) (*os.File, error) {
	access := uint32(windows.GENERIC_READ)
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		access |= windows.GENERIC_WRITE
	}
	if flag&os.O_APPEND != 0 { // writes go to the end; truncating needs the right to write anywhere, which is kept
		access |= windows.FILE_APPEND_DATA
	}
	disposition := uint32(windows.OPEN_EXISTING)
	switch {
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		disposition = windows.CREATE_NEW
	case flag&os.O_CREATE != 0:
		disposition = windows.OPEN_ALWAYS
	}
	f, err := create(name, access, disposition, windows.FILE_ATTRIBUTE_NORMAL)
	if err != nil || flag&os.O_APPEND == 0 {
		return f, err
	}
	_, err = f.Seek(0, 2)
	return f, err
}

func create(name string, access, disposition, attributes uint32) (*os.File, error) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	handle, err := windows.CreateFile(path, access, shareAll, nil, disposition, attributes, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(handle), name), nil
}

// Nameless creates a file in a folder that ends with its closing or the process.
func Nameless(dir string) (*os.File, error) {
	name := filepath.Join(dir, fmt.Sprintf(".entrasync-%x", rand.Uint64()))
	return create(name, windows.GENERIC_READ|windows.GENERIC_WRITE|windows.DELETE, windows.CREATE_NEW, windows.FILE_ATTRIBUTE_TEMPORARY|windows.FILE_FLAG_DELETE_ON_CLOSE)
}

// renameInfo is FILE_RENAME_INFO with room for a path.
type renameInfo struct {
	flags  uint32
	root   windows.Handle
	length uint32 // of the name, in bytes
	name   [windows.MAX_LONG_PATH]uint16
}

// Replace gives a file the name of another, which may be open through [Open] and goes.
func Replace(from, to string) error {
	fail := func(err error) error { return &os.LinkError{Op: "rename", Old: from, New: to, Err: err} }
	whole, err := filepath.Abs(to)
	if err != nil {
		return fail(err)
	}
	name, err := windows.UTF16FromString(whole)
	if err != nil {
		return fail(err)
	}
	info := renameInfo{flags: windows.FILE_RENAME_REPLACE_IF_EXISTS | windows.FILE_RENAME_POSIX_SEMANTICS, length: uint32(2 * (len(name) - 1))}
	if copy(info.name[:], name) < len(name) {
		return fail(windows.ERROR_FILENAME_EXCED_RANGE)
	}
	f, err := create(from, windows.DELETE|windows.SYNCHRONIZE, windows.OPEN_EXISTING, windows.FILE_ATTRIBUTE_NORMAL)
	if err != nil {
		return err
	}
	defer f.Close()
	size := unsafe.Offsetof(info.name) + uintptr(2*len(name))
	if err := windows.SetFileInformationByHandle(windows.Handle(f.Fd()), windows.FileRenameInfoEx, (*byte)(unsafe.Pointer(&info)), uint32(size)); err != nil {
		return fail(err)
	}
	return nil
}

// SyncDir does nothing: NTFS writes the names in a folder to its own journal, and has no call that waits for it.
func SyncDir(string) error { return nil }

// Writable returns why this process may not make files in a folder, nil when it may. Only making one tells.
func Writable(dir string) error {
	f, err := Nameless(dir)
	if err != nil {
		return err
	}
	return f.Close()
}

// OwnerOf knows no owner: an account of Windows has no number.
func OwnerOf(fs.FileInfo) (Owner, bool) { return Owner{}, false }

func inode(fs.FileInfo) uint64 { return 0 }

// Full reports whether an error says that there is no space.
func Full(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) || errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}
