package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"entrasync/state/osfile"
)

// The records of the journal, one JSON object a line. Doing a record twice does no harm.
type (
	putRecord struct {
		Put json.RawMessage `json:"put"` // the whole resource
	}
	deleteRecord struct {
		Delete string `json:"delete"` // id
	}
	memberRecord struct {
		Members memberChange `json:"members"`
	}
	memberChange struct {
		ID     string   `json:"id"`
		Add    []string `json:"add,omitempty"`
		Remove []string `json:"remove,omitempty"`
	}
)

// A journal is the open journal file. Having it is having the lock on the target. Calls that
// come while the disk is busy share the next sync.
type journal struct {
	file *os.File
	over bool // its file is to be closed with the store

	mu      sync.Mutex // guards pending, written and queued
	pending []byte     // records that are not in the file yet
	written int64      // bytes of the file
	queued  int        // records taken

	disk   sync.Mutex // guards synced and failed
	synced int        // records on disk
	failed error
}

// openJournal opens and locks the journal. Without create, nil says that there is none.
func openJournal(path string, create bool) (*journal, error) {
	flags := os.O_RDWR | os.O_APPEND
	if create {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		flags |= os.O_CREATE
	}
	for {
		f, err := osfile.Open(path, flags, 0o600)
		if errors.Is(err, fs.ErrNotExist) && !create {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if err := osfile.TryLock(f); err != nil {
			f.Close()
			if errors.Is(err, osfile.ErrLocked) {
				return nil, fmt.Errorf("%s is in use by another process or another target; wait until its cycle has ended, or give each its own path", path)
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		// Its last owner may have removed it between the opening and the locking.
		mine, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			return &journal{file: f, written: mine.Size()}, osfile.SyncDir(filepath.Dir(path))
		}
		f.Close()
		if err := errors.Join(err1, err2); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// append queues a record. It returns the record's number and its place in the file.
func (j *journal) append(record any) (n int, at int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at = j.written + int64(len(j.pending))
	if put, ok := record.(putRecord); ok { // a line is JSON already
		j.pending = append(append(append(j.pending, putStart...), put.Put...), "}\n"...)
	} else {
		j.pending = append(appendJSON(j.pending, record), '\n')
	}
	j.queued++
	return j.queued, at
}

const putStart = `{"put":`

// sync returns when record n is on disk. After a failure the journal is of no use any more.
func (j *journal) sync(n int) error {
	j.disk.Lock()
	defer j.disk.Unlock()
	if j.failed != nil || j.synced >= n {
		return j.failed
	}
	j.mu.Lock()
	lines, upTo := j.pending, j.queued // what is appended meanwhile comes behind them
	j.mu.Unlock()
	_, err := j.file.Write(lines)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.failed = fmt.Errorf("write %s: %w", j.file.Name(), err)
		return j.failed
	}
	j.mu.Lock()
	j.written += int64(len(lines))
	j.pending = j.pending[:copy(j.pending, j.pending[len(lines):])]
	j.mu.Unlock()
	j.synced = upTo
	return nil
}

// flush brings everything queued to disk.
func (j *journal) flush() error {
	j.mu.Lock()
	n := j.queued
	j.mu.Unlock()
	return j.sync(n)
}

// size is how long the file is when everything queued is written.
func (j *journal) size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.written + int64(len(j.pending))
}

// record returns the record at a place that append returned, for the caller to own.
func (j *journal) record(at int64) ([]byte, error) {
	j.mu.Lock()
	written := j.written
	if at >= written {
		line, _, _ := bytes.Cut(j.pending[at-written:], []byte{'\n'})
		line = bytes.Clone(line)
		j.mu.Unlock()
		return line, nil
	}
	j.mu.Unlock()
	for line := make([]byte, min(1<<10, written-at)); ; line = make([]byte, min(8*int64(len(line)), written-at)) {
		if _, err := j.file.ReadAt(line, at); err != nil {
			return nil, fmt.Errorf("read %s: %w", j.file.Name(), err)
		}
		if whole, _, ended := bytes.Cut(line, []byte{'\n'}); ended {
			return whole, nil
		}
		if at+int64(len(line)) == written {
			return nil, fmt.Errorf("read %s: a record has no end", j.file.Name())
		}
	}
}

// each calls f for every record from a place in the file on that is written; the text is valid until f returns.
func (j *journal) each(from int64, f func(at int64, record []byte) error) error {
	j.mu.Lock()
	to := j.written
	j.mu.Unlock()
	return eachLine(io.NewSectionReader(j.file, from, to-from), func(_ int, whole []byte) error {
		at := from
		from += int64(len(whole))
		return f(at, bytes.TrimSuffix(whole, []byte{'\n'}))
	})
}

// trim cuts off a last record without its end, which was never reported as done.
func (j *journal) trim() error {
	const part = 1 << 16
	buffer := make([]byte, part)
	for end := j.written; end > 0; end -= part {
		start := max(0, end-part)
		text := buffer[:end-start]
		if _, err := j.file.ReadAt(text, start); err != nil {
			return err
		}
		if last := bytes.LastIndexByte(text, '\n'); last >= 0 {
			return j.cut(start + int64(last) + 1)
		}
	}
	return j.cut(0)
}

func (j *journal) cut(size int64) error {
	if size == j.written {
		return nil
	}
	j.written = size
	return j.file.Truncate(size)
}

// putLine returns the line of a record that puts one, and whether it is such a record.
func putLine(record []byte) (line []byte, ok bool) {
	rest, ok := bytes.CutPrefix(record, []byte(putStart))
	if !ok || !bytes.HasSuffix(rest, []byte("}")) {
		return nil, false
	}
	return rest[:len(rest)-1], true
}

// release removes the journal and gives up the lock.
func (j *journal) release() error {
	return errors.Join(os.Remove(j.file.Name()), j.unlock(), osfile.SyncDir(filepath.Dir(j.file.Name())))
}

// unlock gives up the lock and leaves the file. Its store closes it: a list may still read it.
func (j *journal) unlock() error {
	j.over = true
	return osfile.Unlock(j.file)
}
