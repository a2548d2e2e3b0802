package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"entrasync/state/osfile"
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
	return stampOfInfo(path, info)
}

func stampOfOpen(f *os.File) (stamp, error) {
	info, err := f.Stat()
	if err != nil {
		return stamp{}, err
	}
	return stampOfInfo(f.Name(), info)
}

func stampOfInfo(path string, info fs.FileInfo) (stamp, error) {
	if info.IsDir() {
		return stamp{}, fmt.Errorf("%s is a directory; the target needs a file", path)
	}
	return stamp{modified: info.ModTime().UnixNano(), size: info.Size(), inode: osfile.Inode(info)}, nil
}

// open makes the store current. Reading leaves no trace on disk: without a journal no process is
// writing, and the file alone is the truth. The caller holds mu.
func (a *Adapter) open(writing bool) error {
	if a.log == nil {
		log, err := openJournal(a.path+".journal", writing)
		if err != nil {
			return err
		}
		if log != nil && log.size() > 0 {
			a.drop() // another run left something to take up
		}
		a.log = log
	}
	now, err := stampOf(a.path)
	if err != nil {
		return err
	}
	if a.store != nil && now == a.store.base.stamp {
		a.store.log = a.log
		return nil
	}
	a.drop()
	s, err := openStore(a.path, a.sizes)
	if err != nil {
		return err
	}
	if a.log != nil {
		if err := errors.Join(a.log.flush(), s.replay(a.log)); err != nil {
			s.close()
			return err
		}
	}
	a.store = s
	return nil
}

// drop forgets the store. The caller holds mu.
func (a *Adapter) drop() {
	if a.store != nil {
		a.store.close()
	}
	a.store = nil
}

// abandon begins again from the disk, which memory is ahead of or has lost. The caller holds mu.
func (a *Adapter) abandon() {
	if a.log != nil {
		_ = a.log.unlock() // closing it does the same
		if a.store == nil || a.store.log != a.log {
			a.log.file.Close()
		}
	}
	a.log = nil
	a.drop()
}

// read runs f on the current store.
func (a *Adapter) read(ctx context.Context, op string, f func(*store) error) error {
	if err := begun(ctx, op); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.open(false); err != nil {
		return unavailable(op, err)
	}
	err := f(a.store)
	if errors.Is(err, errDamagedIndex) {
		if err = errors.Join(a.forgetIndex(), a.open(false)); err == nil {
			err = f(a.store)
		}
	}
	if err != nil {
		return unavailable(op, err)
	}
	return nil
}

// forgetIndex removes an index that is damaged: the file is then read. The caller holds mu.
func (a *Adapter) forgetIndex() error {
	a.drop()
	return os.Remove(indexPath(a.path))
}

// write changes the store and returns when the journal has the change on disk. change returns
// the number of its last record, or 0 when there is nothing to do.
func (a *Adapter) write(ctx context.Context, op string, change func(*store) (n int, err error)) error {
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
		if a.log == log {
			a.abandon()
		}
		return unsure(op, err)
	}
	return nil
}

// queue changes the store, which gives the change's records to the journal in the same order.
func (a *Adapter) queue(op string, change func(*store) (int, error)) (log *journal, n int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.open(true); err != nil {
		return nil, 0, unavailable(op, err)
	}
	n, err = change(a.store)
	var refused *target.Error
	if err != nil && !errors.As(err, &refused) { // of the disk: the record may be queued
		a.abandon()
		if errors.Is(err, errDamagedIndex) {
			err = errors.Join(err, a.forgetIndex())
		}
		return nil, 0, unsure(op, err)
	}
	return a.log, n, err
}

func unsure(op string, err error) error {
	return &target.Error{Code: target.Unavailable, Op: op, Message: err.Error(), Indeterminate: true, Err: err}
}

// Close writes the file when something changed and releases the lock; the adapter can be used
// again. It finishes also when ctx has ended: what was done belongs into the file.
func (a *Adapter) Close(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.compact(); err != nil {
		return unavailable("close file", err)
	}
	a.drop() // between cycles it would only take memory
	return nil
}

func (a *Adapter) compact() error {
	if a.log == nil {
		return nil
	}
	if err := a.open(true); err != nil {
		return err
	}
	if a.log.size() > 0 {
		err := publication{a.store}.publish()
		if errors.Is(err, errDamagedIndex) {
			if err = errors.Join(a.forgetIndex(), a.open(true)); err == nil {
				err = publication{a.store}.publish()
			}
		}
		if err != nil {
			return err
		}
	}
	err := a.log.release()
	a.log = nil
	return err
}

// canWrite looks whether the next cycle could write the file, leaving no trace. The note is for
// people.
func canWrite(path string) (note string, err error) {
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
		if err := osfile.Writable(dir); err != nil {
			return "", fmt.Errorf("%s cannot be written by this user: %w", dir, err)
		}
		return note, nil
	}
}
