// Package bolt keeps databases in bbolt files: one a tenant and one for the registry, in a directory that one process
// holds at a time. Values carry checksums, so that a damaged file is an error that names it and never a decision.
package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"entrasync/state/kv"
	"entrasync/state/osfile"
)

// A DamagedError names a state file that cannot be read.
type DamagedError struct {
	Path  string
	Cause error
}

// Error says what is broken and how to continue without it.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("state file %s is damaged: %v; stop entrasync, move the file away and start again: %s", e.Path, e.Cause, rebuilt(e.Path))
}

// RegistryFile is the name of the registry's file.
const RegistryFile = "registry.db"

// rebuilt says how the content of a file that is moved away comes back.
func rebuilt(path string) string {
	if filepath.Base(path) == RegistryFile {
		return "who keeps which account is read from the tenants' files again, and no account is touched because of it; " +
			"tenants that joined by consent have to be invited again, and those paused by command paused again"
	}
	return "it is rebuilt by an initial cycle that finds existing accounts by their matching attributes, and no account is touched because of it"
}

// Unwrap returns the cause.
func (e *DamagedError) Unwrap() error { return e.Cause }

// A VersionError names a state file that a newer entrasync wrote.
type VersionError struct {
	Path       string
	Has, Knows int
}

// Error says which version is needed.
func (e *VersionError) Error() string {
	return fmt.Sprintf("state file %s has schema version %d and this entrasync knows up to %d: "+
		"use the newer entrasync that wrote it, or move the file away: %s", e.Path, e.Has, e.Knows, rebuilt(e.Path))
}

var (
	keySchema = []byte("schema") // uint32
	keyKind   = []byte("kind")   // the schema's kind
	keyOf     = []byte("of")     // the tenant's id
)

// headerKeys are read before it is known whether values carry checksums, and have none themselves:
// a changed bit in one is a file of another kind, owner or version.
var headerKeys = []string{string(keySchema), string(keyKind), string(keyOf)}

// A File is one bbolt file, with what must not get out of it: panics, and bbolt itself.
type File struct {
	path      string
	db        *bbolt.DB
	os        *os.File // the database's own, to release it when bbolt no longer can
	broken    atomic.Pointer[DamagedError]
	checksums bool   // values carry them
	committed func() // called after each commit
}

// Open opens or creates a file and brings it to its schema's version. of binds it to its owner, so that a file under
// another's name is noticed. committed is called after each commit.
func Open(path string, s *kv.Schema, of string, committed func()) (*File, error) {
	f := &File{path: path, committed: committed}
	_, statErr := os.Stat(path)
	options := &bbolt.Options{
		// The directory is locked already: only a foreign tool can hold the file.
		Timeout: time.Second,
		// The default list of free pages is searched linearly: slow in a file of a
		// million objects after a full round has rewritten them.
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile:     f.openFile,
	}
	err := f.guard(func() (err error) {
		f.db, err = bbolt.Open(path, 0o600, options)
		return err
	})
	switch damaged := (*DamagedError)(nil); {
	case errors.As(err, &damaged):
		return nil, errors.Join(err, f.abandon())
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("open state file %s: another program has it open; close it", path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum),
		err != nil && strings.Contains(err.Error(), "file size too small"):
		return nil, &DamagedError{Path: path, Cause: err}
	case err != nil:
		return nil, fmt.Errorf("open state file %s: %w", path, Explain(err))
	}
	err = f.prepare(s, of)
	if errors.Is(err, errNoChecksums) {
		if err = errors.Join(f.addChecksums(s), f.Close()); err == nil {
			return Open(path, s, of, committed)
		}
		return nil, err
	}
	if err == nil && errors.Is(statErr, os.ErrNotExist) {
		err = osfile.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// openFile opens the file for bbolt, and keeps it.
func (f *File) openFile(name string, flag int, mode os.FileMode) (*os.File, error) {
	var err error
	f.os, err = os.OpenFile(name, flag, mode)
	return f.os, err
}

// prepare verifies what the file is and migrates it.
func (f *File) prepare(s *kv.Schema, of string) error {
	version, fresh := 0, false
	err := f.raw(false, func(b *bbolt.Tx) error {
		info, err := f.os.Stat()
		if err != nil {
			return err
		}
		if info.Size() < b.Size() {
			return &DamagedError{Path: f.path, Cause: fmt.Errorf("it was cut off at %d of %d bytes", info.Size(), b.Size())}
		}
		version, fresh, err = f.header(b, s, of)
		if err != nil || fresh {
			return err
		}
		f.checksums = s.Checksums != 0 && version >= s.Checksums
		return nil
	})
	if err != nil {
		return err
	}
	if fresh {
		f.checksums = s.Checksums != 0
		return f.raw(true, func(b *bbolt.Tx) error {
			tx := f.begin(b)
			for _, name := range append([]string{kv.Meta}, s.Buckets...) {
				if _, err := tx.CreateBucket(name); err != nil {
					return err
				}
			}
			meta := b.Bucket([]byte(kv.Meta))
			return errors.Join(putVersion(b, s.Version()), meta.Put(keyKind, []byte(s.Kind)), meta.Put(keyOf, []byte(of)))
		})
	}
	for ; version < s.Version(); version++ {
		if version+1 == s.Checksums {
			return errNoChecksums
		}
		err := f.raw(true, func(b *bbolt.Tx) error {
			if err := s.Migrations[version-1](f.begin(b)); err != nil {
				return fmt.Errorf("migrate state file %s from schema version %d: %w", f.path, version, err)
			}
			return putVersion(b, version+1)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// header reads what the file is, and the version of its schema. fresh says that nothing has been written to it yet.
func (f *File) header(b *bbolt.Tx, s *kv.Schema, of string) (version int, fresh bool, err error) {
	meta := b.Bucket([]byte(kv.Meta))
	if meta == nil {
		if first, _ := b.Cursor().First(); first == nil {
			return 0, true, nil
		}
		return 0, false, fmt.Errorf("open state file %s: it was not written by entrasync; move it away", f.path)
	}
	if kind, owner := string(meta.Get(keyKind)), string(meta.Get(keyOf)); kind != s.Kind || owner != of {
		return 0, false, fmt.Errorf("open state file %s: it holds the state of %s %s, not of %s %s; give it its own name back", f.path, kind, owner, s.Kind, of)
	}
	v := meta.Get(keySchema)
	if len(v) != 4 {
		return 0, false, &DamagedError{Path: f.path, Cause: errors.New("its schema version is missing")}
	}
	switch version = int(binary.BigEndian.Uint32(v)); {
	case version == 0:
		return 0, false, &DamagedError{Path: f.path, Cause: errors.New("its schema version is 0, which no entrasync has written")}
	case version > s.Version():
		return version, false, &VersionError{Path: f.path, Has: version, Knows: s.Version()}
	}
	return version, false, nil
}

// VersionOf reads the version of a file's schema and changes nothing. A newer one than s knows is a *[VersionError].
func VersionOf(path string, s *kv.Schema, of string) (version int, err error) {
	f := &File{path: path}
	err = f.guard(func() (err error) {
		f.db, err = bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true, Timeout: time.Second, OpenFile: f.openFile})
		return err
	})
	if damaged := (*DamagedError)(nil); errors.As(err, &damaged) {
		return 0, errors.Join(err, f.abandon())
	}
	if err != nil {
		return 0, fmt.Errorf("read the version of state file %s: %w", path, Explain(err))
	}
	err = f.raw(false, func(b *bbolt.Tx) (err error) { version, _, err = f.header(b, s, of); return err })
	return version, errors.Join(err, f.Close())
}

func putVersion(b *bbolt.Tx, version int) error {
	return b.Bucket([]byte(kv.Meta)).Put(keySchema, binary.BigEndian.AppendUint32(nil, uint32(version)))
}

// Close closes the file.
func (f *File) Close() error {
	if f.broken.Load() != nil {
		return f.abandon()
	}
	if !f.db.IsReadOnly() {
		return f.db.Close()
	}
	// bbolt leaves the lock of a read-only file to the closing of its descriptor. A child process
	// between its fork and its exec has a copy of that, so the lock would outlive Close.
	return errors.Join(osfile.Unlock(f.os), f.db.Close())
}

// abandon gives the file free without bbolt, whose locks a panic may have left held. What is
// still mapped would keep the lock on the file, so that goes first.
func (f *File) abandon() error {
	return errors.Join(osfile.Unlock(f.os), f.os.Close())
}

// errUntouched ends a transaction that changed nothing without a commit: a commit writes the list
// of free pages, which grows with the file, and waits for the disk.
var errUntouched = errors.New("nothing was changed")

// untouched reports whether a transaction has changed nothing: bbolt makes a node of each page it
// is about to change.
func untouched(b *bbolt.Tx) bool {
	stats := b.Stats()
	return stats.GetNodeCount() == 0
}

// NoSync has commits no longer wait for the disk: for tests that end no machine.
func (f *File) NoSync() { f.db.NoSync = true }

// View runs fn on the content as it stands.
func (f *File) View(fn func(kv.Tx) error) error {
	return f.raw(false, func(b *bbolt.Tx) error { return fn(f.begin(b)) })
}

// Update runs fn and commits what it changed.
func (f *File) Update(fn func(kv.Tx) error) error {
	return f.raw(true, func(b *bbolt.Tx) error { return fn(f.begin(b)) })
}

// Damaged returns the error that says what cannot be read.
func (f *File) Damaged(cause error) error { return &DamagedError{Path: f.path, Cause: cause} }

// raw runs a transaction. An error of fn comes back as it is; any other names the file.
func (f *File) raw(write bool, fn func(*bbolt.Tx) error) error {
	if broken := f.broken.Load(); broken != nil {
		return broken
	}
	run, verb, own, same := f.db.View, "read", false, false
	if write {
		run, verb = f.db.Update, "write"
	}
	err := f.guard(func() error {
		return run(func(b *bbolt.Tx) error {
			err := fn(b)
			own = err != nil
			if err == nil && write && untouched(b) {
				same, err = true, errUntouched
			}
			return err
		})
	})
	if same && errors.Is(err, errUntouched) {
		return nil
	}
	if write && err == nil && f.committed != nil {
		f.committed()
	}
	if damaged := (*DamagedError)(nil); err == nil || own || errors.As(err, &damaged) {
		return err
	}
	return fmt.Errorf("%s state file %s: %w", verb, f.path, Explain(err))
}

// guard turns the panics of a damaged file into errors. bbolt trusts its pages: a wrong one
// makes it panic, and a page beyond the end of a truncated file faults on access.
func (f *File) guard(fn func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if !f.IsFault(p) {
			panic(p)
		}
		damaged := &DamagedError{Path: f.path, Cause: fmt.Errorf("%v", p)}
		f.broken.Store(damaged)
		err = damaged
	}()
	return fn()
}

// IsFault tells a damaged file from a programming error, which must stay a panic: it is a
// record of ours, a fault in the mapped file, or raised inside bbolt.
func (f *File) IsFault(p any) bool {
	switch p.(type) {
	case kv.BadRecord, interface{ Addr() uintptr }:
		return true
	}
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "runtime.") {
			return strings.HasPrefix(frame.Function, "go.etcd.io/bbolt")
		}
		if !more {
			return false
		}
	}
}

// Check reads the whole file and reports the first inconsistency.
func (f *File) Check() error {
	return f.raw(false, func(b *bbolt.Tx) error {
		var first error
		for err := range b.Check() {
			if first == nil {
				first = &DamagedError{Path: f.path, Cause: err}
			}
		}
		return first
	})
}
