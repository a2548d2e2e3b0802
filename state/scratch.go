package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"entrasync/state/bolt"
)

// A scratch is a folder of this machine for one process that has its state in a database.
type scratch struct {
	dir  string
	lock *os.File
}

// newScratch makes a folder for this process in another, and removes those of processes that have ended.
func newScratch(in string) (*scratch, error) {
	if err := os.MkdirAll(in, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of this process: %w", bolt.Explain(err))
	}
	former, _ := filepath.Glob(filepath.Join(in, "worker-*"))
	for _, dir := range former {
		if lock, err := bolt.Acquire(dir); err == nil {
			_ = errors.Join(os.RemoveAll(dir), bolt.Release(lock))
		}
	}
	dir, err := os.MkdirTemp(in, "worker-")
	if err != nil {
		return nil, fmt.Errorf("make the folder of this process: %w", bolt.Explain(err))
	}
	lock, err := bolt.Acquire(dir)
	if err != nil {
		return nil, err
	}
	return &scratch{dir, lock}, nil
}

func (s *scratch) close() error { return errors.Join(os.RemoveAll(s.dir), bolt.Release(s.lock)) }
