package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"entrasync/state"
	"entrasync/state/osfile"
)

// The forms of an export.
const (
	JSONL = "jsonl"
	OCSF  = "ocsf"
)

// An Export writes the lines of all logs to a file as they come, and begins another file when one is large. Lines are read
// when they are on disk. How far it has come is in the state: an export that was killed resumes without a line missing or
// twice. The file belongs to the export alone: what else is written behind its end is cut off.
type Export struct {
	File    string
	Format  string
	MaxSize int64 // bytes of a file, unless one line is longer
	Keep    int   // files that are kept besides the present one
	Version string
	Host    string // a machine has a file of its own

	lock *os.File
}

// A position is how far an export has come. It is a record in the state.
type position struct {
	Format string            `json:"format"`
	Number int               `json:"number"` // of the files that were completed
	Size   int64             `json:"size"`   // of the present file
	Logs   map[string]uint64 `json:"logs"`   // number of the last line that was written, by log
}

// A LockedError says that another process of this machine exports to the same file.
type LockedError struct{ File string }

// Error names the file.
func (e *LockedError) Error() string {
	return fmt.Sprintf("another process writes the audit log to %s; give each worker of a machine a file of its own", e.File)
}

// Close ends the export, for another process to resume.
func (x *Export) Close() error {
	if x.lock == nil {
		return nil
	}
	lock := x.lock
	x.lock = nil
	return errors.Join(osfile.Unlock(lock), lock.Close())
}

// Run writes what the logs have that was not written yet, and returns how many lines there were.
func (x *Export) Run(ctx context.Context, store *state.Store, logs []Log) (n int, err error) {
	if err := x.acquire(); err != nil {
		return 0, err
	}
	w := &exportWriter{export: x, store: store.Audit()}
	if err := w.open(); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.file.Close()) }()
	for _, log := range logs {
		if err := w.log(ctx, &log, &n); err != nil {
			return n, err
		}
	}
	return n, nil
}

// acquire takes the lock that keeps another process of this machine from the file.
func (x *Export) acquire() error {
	if x.lock != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(x.File), 0o700); err != nil {
		return err
	}
	lock, err := osfile.OpenOwn(x.File+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := osfile.TryLock(lock); err != nil {
		if errors.Is(err, osfile.ErrLocked) {
			err = &LockedError{x.File}
		}
		return errors.Join(err, lock.Close())
	}
	x.lock = lock
	return nil
}

// key names the export in the state.
func (x *Export) key() string { return x.Host + "\x00" + x.File }

// completed is the name of a file that was completed.
func (x *Export) completed(number int) string { return fmt.Sprintf("%s.%06d", x.File, number) }

// An exportWriter writes to the present file.
type exportWriter struct {
	export *Export
	store  state.ServiceAudit
	file   *os.File
	at     position // as it will be when buf is written
	buf    []byte
}

// open opens the present file at the position that the state knows. What is behind it was written by a process that was
// killed before it noted that, and is written again.
func (w *exportWriter) open() error {
	raw, err := w.store.ExportPosition(w.export.key())
	if err != nil {
		return err
	}
	w.at = position{Format: w.export.Format, Logs: map[string]uint64{}}
	if raw != nil {
		if err := json.Unmarshal(raw, &w.at); err != nil {
			return fmt.Errorf("read how far the audit log was written: %w", err)
		}
	}
	size := w.at.Size
	if _, err := os.Stat(w.export.File); errors.Is(err, fs.ErrNotExist) && w.at.Size > 0 {
		// The file was completed, and its successor not begun; or it was taken away.
		w.at.Size = 0
		if _, err := os.Stat(w.export.completed(w.at.Number + 1)); err == nil {
			w.at.Number++
		}
	}
	if err := w.create(); err != nil {
		return err
	}
	if w.at.Size != size { // a later start must not take it for another case
		if err := w.note(); err != nil {
			return errors.Join(err, w.file.Close())
		}
	}
	if w.at.Size > 0 && w.at.Format != w.export.Format { // a file has one form
		return w.rotate()
	}
	w.at.Format = w.export.Format
	return nil
}

// create opens the present file and cuts it off at the position.
func (w *exportWriter) create() error {
	file, err := osfile.OpenOwn(w.export.File, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		w.at.Size = min(w.at.Size, info.Size()) // it was shortened by another program
		err = file.Truncate(w.at.Size)
	}
	if err == nil {
		_, err = file.Seek(w.at.Size, io.SeekStart)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	w.file = file
	return nil
}

// exportChunk is how many lines are read from a log at once.
const exportChunk = 2048

// log writes the lines of one log.
func (w *exportWriter) log(ctx context.Context, log *Log, n *int) error {
	name := Service
	if log.Name != Service {
		name = log.Tenant.String()
	}
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		more = false
		var lines []Line
		err := log.view(func(a state.Audit) error {
			if last := a.Last(); w.at.Logs[name] > last { // the log was restored from an older copy
				w.at.Logs[name] = last
			}
			for stored := range a.Lines(state.AuditQuery{After: w.at.Logs[name]}) {
				line, err := parseLine(slices.Clone(stored.JSON()))
				if err != nil {
					return fmt.Errorf("line %d: %w", stored.Seq, err)
				}
				line.TenantName = log.Name
				if lines = append(lines, *line); len(lines) == exportChunk {
					more = true
					return nil
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the audit log of %s: %w", log.Name, err)
		}
		for i := range lines {
			if err := w.line(name, &lines[i]); err != nil {
				return err
			}
		}
		if err := w.commit(); err != nil {
			return err
		}
		*n += len(lines)
	}
	return nil
}

// line puts a line behind the others, in another file when the present one would be too large.
func (w *exportWriter) line(log string, l *Line) error {
	text := []byte(l.JSON)
	if w.export.Format == OCSF {
		var err error
		if text, err = l.OCSF(w.export.Version); err != nil {
			return err
		}
	}
	if size := w.at.Size + int64(len(w.buf)); size > 0 && size+int64(len(text))+1 > w.export.MaxSize {
		if err := w.commit(); err != nil {
			return err
		}
		if err := w.rotate(); err != nil {
			return err
		}
	}
	w.buf = append(append(w.buf, text...), '\n')
	w.at.Logs[log] = l.Seq
	return nil
}

// commit writes what was gathered, waits for the disk, and notes the position.
func (w *exportWriter) commit() error {
	if len(w.buf) == 0 {
		return nil
	}
	if _, err := w.file.Write(w.buf); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	w.at.Size += int64(len(w.buf))
	w.buf = w.buf[:0]
	return w.note()
}

func (w *exportWriter) note() error {
	raw, err := json.Marshal(w.at)
	if err != nil {
		return err
	}
	return w.store.PutExportPosition(w.export.key(), raw)
}

// rotate gives the present file its number and begins another one.
func (w *exportWriter) rotate() error {
	number := w.at.Number + 1
	for ; ; number++ { // one of an earlier state is not written over
		if _, err := os.Lstat(w.export.completed(number)); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return err
		}
	}
	if number > w.at.Number+1 { // so that a start behind a kill knows it
		w.at.Number = number - 1
		if err := w.note(); err != nil {
			return err
		}
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	if err := os.Rename(w.export.File, w.export.completed(number)); err != nil {
		return err
	}
	if err := osfile.SyncDir(filepath.Dir(w.export.File)); err != nil {
		return err
	}
	w.at.Number, w.at.Size, w.at.Format = number, 0, w.export.Format
	if err := w.note(); err != nil {
		return err
	}
	return errors.Join(w.create(), w.prune())
}

// prune deletes all but the newest completed files.
func (w *exportWriter) prune() error {
	entries, err := os.ReadDir(filepath.Dir(w.export.File))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := filepath.Join(filepath.Dir(w.export.File), entry.Name())
		number, err := strconv.Atoi(strings.TrimPrefix(name, w.export.File+"."))
		if err != nil || name != w.export.completed(number) || number > w.at.Number-w.export.Keep {
			continue
		}
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}
