package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// A DamagedError names a state file that cannot be read.
type DamagedError struct {
	Path  string
	Cause error
}

// Error says what is broken and how to go on without it.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("state file %s is damaged: %v; stop entrasync, move the file away and start again: %s", e.Path, e.Cause, rebuilt(e.Path))
}

// registryFile is the name of the registry's file.
const registryFile = "registry.db"

// rebuilt says what becomes of a file that is moved away.
func rebuilt(path string) string {
	if filepath.Base(path) == registryFile {
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

// A schema is what a kind of file looks like: its buckets at present, and how a file of
// version n becomes one of version n+1 (migrations[n-1]), each in a transaction of its own.
type schema struct {
	kind       string
	buckets    []string
	migrations []func(*Tx) error
	checksums  int // the version since which values carry checksums; its migration is nil, see addChecksums
}

func (s *schema) version() int { return len(s.migrations) + 1 }

var (
	registrySchema = &schema{
		kind: "registry", buckets: []string{bucketTenants, bucketOwners, bucketApplications},
		migrations: []func(*Tx) error{recordsByID, markComplete, nil}, checksums: 4,
	}
	tenantSchema = &schema{kind: "tenant", buckets: []string{
		bucketNames, bucketCounts, bucketCursors, bucketObjects, bucketMembers, bucketMemberOf,
		bucketApps, bucketAssignments, bucketSyncs, bucketOrganization,
	}, migrations: []func(*Tx) error{nil, unchanged}, checksums: 2}
)

// unchanged is the migration to a version that reads what the one before wrote, and writes what that one would
// not read: tenants have blocks of lines, stored actions in a binary form and index entries that are behind
// their links since version 3.
func unchanged(*Tx) error { return nil }

// The bucket that tells what a file is.
const bucketMeta = "meta"

var (
	keySchema = []byte("schema") // uint32
	keyKind   = []byte("kind")   // the schema's kind
	keyOf     = []byte("of")     // the tenant's id
)

// headerKeys are read before it is known whether values carry checksums, and have none themselves:
// a changed bit in one is a file of another kind, owner or version.
var headerKeys = []string{string(keySchema), string(keyKind), string(keyOf)}

// A file is one bbolt file, with what must not get out of it: panics, and bbolt itself.
type file struct {
	path   string
	db     *bbolt.DB
	os     *os.File // the database's own, to give it free when bbolt no longer can
	broken atomic.Pointer[DamagedError]

	checksums bool // values carry them
	names     atomic.Pointer[names]

	hints    atomic.Pointer[linkHints] // of a tenant's file
	indexing sync.Mutex                // held while index entries are written

	onCommit func(path string) // may be nil

	commits *atomic.Uint64 // counts them; nil: nobody asks

	queueMu sync.Mutex // protects queue
	queue   []*batched
	commit  sync.Mutex // held by the caller that commits for those in the queue
}

// openFile opens or creates a file and brings it to its schema's version. of binds it to its
// owner, so that a file under another's name is noticed.
func openFile(path string, s *schema, of string, onCommit func(path string)) (*file, error) {
	f := &file{path: path, onCommit: onCommit}
	_, statErr := os.Stat(path)
	options := &bbolt.Options{
		// The directory is locked already: only a foreign tool can hold the file.
		Timeout: time.Second,
		// The default list of free pages is searched linearly: slow in a file of a
		// million objects after a full round has rewritten them.
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			var err error
			f.os, err = os.OpenFile(name, flag, mode)
			return f.os, err
		},
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
		return nil, fmt.Errorf("open state file %s: %w", path, explain(err))
	}
	err = f.prepare(s, of)
	if errors.Is(err, errNoChecksums) {
		if err = errors.Join(f.addChecksums(s), f.close()); err == nil {
			return openFile(path, s, of, onCommit)
		}
		return nil, err
	}
	if err == nil && errors.Is(statErr, os.ErrNotExist) {
		err = syncDir(filepath.Dir(path))
	}
	if err == nil && s == tenantSchema {
		err = f.loadHints()
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// prepare verifies what the file is and migrates it.
func (f *file) prepare(s *schema, of string) error {
	version, fresh := 0, false
	err := f.raw(false, func(b *bbolt.Tx) error {
		info, err := f.os.Stat()
		if err != nil {
			return err
		}
		if info.Size() < b.Size() {
			return &DamagedError{Path: f.path, Cause: fmt.Errorf("it was cut off at %d of %d bytes", info.Size(), b.Size())}
		}
		meta := b.Bucket([]byte(bucketMeta))
		if meta == nil {
			first, _ := b.Cursor().First()
			if fresh = first == nil; fresh {
				return nil
			}
			return fmt.Errorf("open state file %s: it was not written by entrasync; move it away", f.path)
		}
		if kind, owner := string(meta.Get(keyKind)), string(meta.Get(keyOf)); kind != s.kind || owner != of {
			return fmt.Errorf("open state file %s: it holds the state of %s %s, not of %s %s; give it its own name back", f.path, kind, owner, s.kind, of)
		}
		v := meta.Get(keySchema)
		if len(v) != 4 {
			return &DamagedError{Path: f.path, Cause: errors.New("its schema version is missing")}
		}
		version = int(binary.BigEndian.Uint32(v))
		switch {
		case version == 0:
			return &DamagedError{Path: f.path, Cause: errors.New("its schema version is 0, which no entrasync has written")}
		case version > s.version():
			return &VersionError{Path: f.path, Has: version, Knows: s.version()}
		}
		f.checksums = s.checksums != 0 && version >= s.checksums
		return nil
	})
	if err != nil {
		return err
	}
	if fresh {
		f.checksums = s.checksums != 0
		return f.update(func(tx *Tx) error {
			for _, name := range append([]string{bucketMeta}, s.buckets...) {
				if _, err := tx.kv.createBucket(name); err != nil {
					return err
				}
			}
			meta := tx.kv.b.Bucket([]byte(bucketMeta))
			return errors.Join(putVersion(tx.kv.b, s.version()), meta.Put(keyKind, []byte(s.kind)), meta.Put(keyOf, []byte(of)))
		})
	}
	for ; version < s.version(); version++ {
		if version+1 == s.checksums {
			return errNoChecksums
		}
		err := f.update(func(tx *Tx) error {
			if err := s.migrations[version-1](tx); err != nil {
				return fmt.Errorf("migrate state file %s from schema version %d: %w", f.path, version, err)
			}
			return putVersion(tx.kv.b, version+1)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func putVersion(b *bbolt.Tx, version int) error {
	return b.Bucket([]byte(bucketMeta)).Put(keySchema, binary.BigEndian.AppendUint32(nil, uint32(version)))
}

// syncDir makes a new file's name durable; the file's content already is.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (f *file) close() error {
	if f.broken.Load() != nil {
		return f.abandon()
	}
	if !f.db.IsReadOnly() {
		return f.db.Close()
	}
	// bbolt leaves the lock of a read-only file to the closing of its descriptor. A child process
	// between its fork and its exec has a copy of that, so the lock would outlive Close.
	return errors.Join(syscall.Flock(int(f.os.Fd()), syscall.LOCK_UN), f.db.Close())
}

// abandon gives the file free without bbolt, whose locks a panic may have left held. What is
// still mapped would keep the lock on the file, so that goes first.
func (f *file) abandon() error {
	return errors.Join(syscall.Flock(int(f.os.Fd()), syscall.LOCK_UN), f.os.Close())
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

// raw runs a transaction. An error of fn comes back as it is; any other names the file.
func (f *file) raw(write bool, fn func(*bbolt.Tx) error) error {
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
	if write && err == nil && f.commits != nil {
		f.commits.Add(1)
	}
	if err == nil && write && f.onCommit != nil {
		f.onCommit(f.path)
	}
	if damaged := (*DamagedError)(nil); err == nil || own || errors.As(err, &damaged) {
		return err
	}
	return fmt.Errorf("%s state file %s: %w", verb, f.path, explain(err))
}

// guard turns the panics of a damaged file into errors. bbolt trusts its pages: a wrong one
// makes it panic, and a page beyond the end of a truncated file faults on access.
func (f *file) guard(fn func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if !isDamage(p) {
			panic(p)
		}
		damaged := &DamagedError{Path: f.path, Cause: fmt.Errorf("%v", p)}
		f.broken.Store(damaged)
		err = damaged
	}()
	return fn()
}

// isDamage tells a damaged file from a programming error, which must stay a panic: it is a
// record of ours, a fault in the mapped file, or raised inside bbolt.
func isDamage(p any) bool {
	switch p.(type) {
	case badRecord, interface{ Addr() uintptr }:
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

func (f *file) check() error {
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
