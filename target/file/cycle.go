package file

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"entrasync/target"
)

// A stamp tells one content of a file from another. The zero stamp is a missing file.
type stamp struct {
	modified, size int64
	inode          uint64
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return stamp{}, nil
	}
	if err != nil {
		return stamp{}, err
	}
	if info.IsDir() {
		return stamp{}, fmt.Errorf("%s is a directory; the target needs a file", path)
	}
	s := stamp{modified: info.ModTime().UnixNano(), size: info.Size()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	return s, nil
}

// open makes the store current. Reading leaves no trace on disk: without a journal nobody is
// writing, and the file alone is the truth. The caller holds mu.
func (a *Adapter) open(writing bool) error {
	if a.log == nil {
		log, err := openJournal(a.path+".journal", writing)
		if err != nil {
			return err
		}
		if log != nil {
			a.log = log
			if empty, err := log.empty(); err != nil || !empty {
				a.store = nil // another run left something to take up
			}
		}
	}
	now, err := stampOf(a.path)
	if err != nil {
		return err
	}
	if a.store != nil && now == a.seen {
		return nil
	}
	a.store = nil
	s, err := readStore(a.path)
	if err != nil {
		return err
	}
	if a.log != nil {
		if err := a.log.flush(); err != nil {
			return err
		}
		if empty, err := a.log.empty(); err != nil {
			return err
		} else if !empty {
			if err := a.log.replay(s); err != nil {
				return err
			}
		}
	}
	a.store, a.seen = s, now
	return nil
}

// read runs f on the current store.
func (a *Adapter) read(ctx context.Context, op string, f func(*store)) error {
	if err := begun(ctx, op); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.open(false); err != nil {
		return unavailable(op, err)
	}
	f(a.store)
	return nil
}

// write changes the store and returns when the journal has the change on disk. change returns
// the journal's record, or nil when there is nothing to do.
func (a *Adapter) write(ctx context.Context, op string, change func(*store) (record any, err error)) error {
	if err := begun(ctx, op); err != nil {
		return err
	}
	log, n, err := a.queue(op, change)
	if err != nil || n == 0 {
		return err
	}
	if err := log.sync(n); err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.log == log { // memory is ahead of the disk: begin again from the disk
			a.log, a.store = nil, nil
			log.file.Close()
		}
		return &target.Error{Code: target.Unavailable, Op: op, Message: err.Error(), Unsure: true, Err: err}
	}
	return nil
}

// queue changes the store and gives the change's record to the journal, in the same order.
func (a *Adapter) queue(op string, change func(*store) (any, error)) (log *journal, n int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.open(true); err != nil {
		return nil, 0, unavailable(op, err)
	}
	record, err := change(a.store)
	if err != nil || record == nil {
		return nil, 0, err
	}
	return a.log, a.log.append(record), nil
}

// Close writes the file when something changed and releases the lock; the adapter can be used
// again. It finishes also when ctx has ended: what was done belongs into the file.
func (a *Adapter) Close(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.compact(); err != nil {
		return unavailable("close file", err)
	}
	a.store = nil // between cycles it would only take memory
	return nil
}

func (a *Adapter) compact() error {
	if a.log == nil {
		return nil
	}
	if err := errors.Join(a.open(true), a.log.flush()); err != nil {
		return err
	}
	empty, err := a.log.empty()
	if err != nil {
		return err
	}
	if !empty {
		if err := a.store.writeFile(a.path); err != nil {
			return err
		}
	}
	err = a.log.remove()
	a.log = nil
	return err
}

// writeFile replaces the file by a rename; whoever has the old one open keeps reading that.
func (s *store) writeFile(path string) (err error) {
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if before, err := os.Stat(path); err == nil {
		if err := f.Chmod(before.Mode().Perm()); err != nil {
			return err
		}
	}
	w := bufio.NewWriterSize(f, 1<<16)
	for _, e := range s.all() {
		w.Write(e.line())
		w.WriteByte('\n')
	}
	if err := w.Flush(); err != nil { // tells of every write before it
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// probe reads the file and looks whether the next cycle could write it, leaving no trace. The
// note is for people.
func probe(path string) (note string, err error) {
	if _, err := stampOf(path); err != nil {
		return "", err
	}
	if _, err := readStore(path); err != nil {
		return "", err
	}
	dir := filepath.Dir(path)
	for {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			note = "the directory " + filepath.Dir(path) + " will be made"
			dir = filepath.Dir(dir)
			continue
		case err != nil:
			return "", err
		case !info.IsDir():
			return "", fmt.Errorf("%s is not a directory", dir)
		}
		const writable, searchable = 2, 1
		if err := syscall.Access(dir, writable|searchable); err != nil {
			return "", fmt.Errorf("%s cannot be written by this user: %w", dir, err)
		}
		return note, nil
	}
}
