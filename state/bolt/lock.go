package bolt

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"entrasync/state/osfile"
)

// An InUseError says that another process holds the state directory.
type InUseError struct {
	Dir     string
	PID     int    // 0 when the holder did not leave its name
	Command string // program and subcommand, such as "entrasync run"
}

// Error names the holder and what to do.
func (e *InUseError) Error() string {
	holder := "another process"
	if e.PID != 0 {
		holder = fmt.Sprintf("process %d (%s)", e.PID, e.Command)
	}
	return fmt.Sprintf("open state directory %s: it is in use by %s; wait for it to end or stop it, or use another directory", e.Dir, holder)
}

// Acquire takes a state directory, creating it (mode 0700) when it does not exist. When another process holds it, the
// error is an *[InUseError].
func Acquire(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		if errors.Is(err, syscall.ENOTDIR) {
			return nil, fmt.Errorf("open state directory %s: it is or lies below a file, not a directory; name another one in `state`", dir)
		}
		return nil, fmt.Errorf("create state directory %s: %w", dir, Explain(err))
	}
	if err := verifyPrivate(dir); err != nil {
		return nil, err
	}
	return acquire(dir)
}

// acquire takes the lock that keeps a second process out. It is an flock, so that it ends with
// the process however that ends; the file's text only says who holds it.
func acquire(dir string) (*os.File, error) {
	name := filepath.Join(dir, "lock")
	// A link would have the file it leads to emptied.
	f, err := osfile.OpenOwn(name, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, osfile.ErrLink) {
		return nil, fmt.Errorf("open state directory %s: %s is a symbolic link, which entrasync never makes; find out who made it, and remove it", dir, name)
	}
	if err != nil {
		return nil, fmt.Errorf("open state directory %s: %w", dir, Explain(err))
	}
	if err := osfile.TryLock(f); err != nil {
		defer f.Close()
		if !errors.Is(err, osfile.ErrLocked) {
			return nil, fmt.Errorf("lock state directory %s: %w; it must be on a file system with locks", dir, err)
		}
		held := &InUseError{Dir: dir}
		lines := bufio.NewScanner(f)
		if lines.Scan() {
			held.PID, _ = strconv.Atoi(lines.Text())
		}
		if lines.Scan() {
			held.Command = lines.Text()
		}
		return nil, held
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintf(f, "%d\n%s\n", os.Getpid(), command())
	}
	if err != nil {
		Release(f)
		return nil, fmt.Errorf("write lock of state directory %s: %w", dir, Explain(err))
	}
	return f, nil
}

// Release empties the lock file and gives up the lock. Closing the file is not enough: a child process
// that is just being started has a copy of every open file until it runs its program, and an flock
// lasts as long as its last copy. The empty file names no holder in the moment between the next
// holder's lock and its name.
func Release(lock *os.File) error {
	return errors.Join(lock.Truncate(0), osfile.Unlock(lock), lock.Close())
}

// verifyPrivate refuses a directory in which other users could put files of their own in the place of
// the state: they would decide whose account is removed. On Windows it refuses none: there the access control list
// decides, which a new directory inherits from its folder.
func verifyPrivate(dir string) error {
	if !osfile.HasModes {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("open state directory %s: %w", dir, Explain(err))
	}
	groups, err := os.Getgroups()
	if err != nil {
		return fmt.Errorf("open state directory %s: list the groups of this process: %w", dir, err)
	}
	owner, ok := osfile.OwnerOf(info)
	if !ok || !private(info.Mode(), owner.User, owner.Group, os.Geteuid(), append(groups, os.Getegid())) {
		return fmt.Errorf("open state directory %s: other users may write there (mode %04o), and could change who has which account; run: chmod go-w %s", dir, info.Mode().Perm(), dir)
	}
	return nil
}

// private reports whether none but this process and its group may write to a directory. A group may
// where the directory is a volume whose group an orchestrator sets, as Kubernetes does with fsGroup: it
// belongs to root or this user, has the setgid bit, and its group is one of this process.
func private(mode os.FileMode, owner, group, user int, groups []int) bool {
	switch {
	case mode.Perm()&0o002 != 0:
		return false
	case mode.Perm()&0o020 == 0:
		return true
	}
	return mode&os.ModeSetgid != 0 && (owner == 0 || owner == user) && slices.Contains(groups, group)
}

// command returns program and subcommand; other arguments may be private.
func command() string {
	name := filepath.Base(os.Args[0])
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		name += " " + os.Args[1]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, name)
}

// Explain adds what to do to the errors of an operating system that people meet. bbolt hands
// some on as text only.
func Explain(err error) error {
	is := func(number syscall.Errno) bool {
		return errors.Is(err, number) || strings.Contains(err.Error(), number.Error())
	}
	switch {
	case is(syscall.EROFS):
		return fmt.Errorf("%w; entrasync must be able to write there", err)
	case is(syscall.ENOSPC), is(syscall.EDQUOT), is(syscall.EFBIG), osfile.Full(err):
		return fmt.Errorf("%w; the file is as it was before, free some space and run again", err)
	case is(syscall.EACCES), is(syscall.EPERM), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; the directory must belong to the user entrasync runs as; name another one in `state`", err)
	}
	return err
}
