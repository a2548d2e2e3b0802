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
	"syscall"
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

	mu     sync.Mutex // guards buffer and queued
	buffer bytes.Buffer
	queued int // records taken

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
		f, err := os.OpenFile(path, flags, 0o600)
		if errors.Is(err, fs.ErrNotExist) && !create {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, fmt.Errorf("%s is in use by another process or another target; wait until its cycle has ended, or give each its own path", path)
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		// Its last owner may have removed it between the opening and the locking.
		mine, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			return &journal{file: f}, syncDir(filepath.Dir(path))
		}
		f.Close()
		if err := errors.Join(err1, err2); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// append queues a record and returns its number.
func (j *journal) append(record any) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	if put, ok := record.(putRecord); ok { // a line is JSON already
		j.buffer.WriteString(`{"put":`)
		j.buffer.Write(put.Put)
		j.buffer.WriteString("}\n")
	} else {
		writeJSON(&j.buffer, record)
		j.buffer.WriteByte('\n')
	}
	j.queued++
	return j.queued
}

// sync returns when record n is on disk. After a failure the journal is of no use any more.
func (j *journal) sync(n int) error {
	j.disk.Lock()
	defer j.disk.Unlock()
	if j.failed != nil || j.synced >= n {
		return j.failed
	}
	j.mu.Lock()
	lines, upTo := bytes.Clone(j.buffer.Bytes()), j.queued
	j.buffer.Reset()
	j.mu.Unlock()
	_, err := j.file.Write(lines)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.failed = fmt.Errorf("write %s: %w", j.file.Name(), err)
		return j.failed
	}
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

func (j *journal) empty() (bool, error) {
	info, err := j.file.Stat()
	return err == nil && info.Size() == 0, err
}

// replay does the journal's records to a store. A last line without its end was never
// reported as done; it is cut off.
func (j *journal) replay(s *store) error {
	data, err := io.ReadAll(io.NewSectionReader(j.file, 0, 1<<62))
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	if whole < len(data) {
		if err := j.file.Truncate(int64(whole)); err != nil {
			return err
		}
	}
	return eachLine(bytes.NewReader(data[:whole]), func(n int, line []byte) error {
		var r struct {
			Put     json.RawMessage
			Delete  string
			Members *memberChange
		}
		err := json.Unmarshal(line, &r)
		if err == nil {
			switch {
			case r.Put != nil:
				err = s.replace(r.Put)
			case r.Members != nil:
				if e := s.byID[r.Members.ID]; e != nil {
					e.changeMembers(*r.Members)
				}
			case s.byID[r.Delete] != nil:
				s.remove(s.byID[r.Delete])
			}
		}
		if err != nil {
			return fmt.Errorf("%s line %d: %w; correct the line, or remove it and run a full cycle", j.file.Name(), n, err)
		}
		return nil
	})
}

// remove ends the journal; the lock goes with it.
func (j *journal) remove() error {
	return errors.Join(os.Remove(j.file.Name()), j.file.Close(), syncDir(filepath.Dir(j.file.Name())))
}

// syncDir makes a file's appearance or disappearance last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
