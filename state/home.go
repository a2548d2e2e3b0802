package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"entrasync/graphsync"
	"entrasync/state/bolt"
	"entrasync/state/kv"
	"entrasync/state/osfile"
	"entrasync/state/postgres"
)

// A home is where the databases of a store are.
type home interface {
	registry(committed func()) (*database, error)
	// tenant opens the database of a tenant and makes it when there is none. With own it is this process alone that
	// works on the tenant.
	tenant(id graphsync.ID, own bool, committed func()) (*database, error)
	has(id graphsync.ID) (bool, error)
	remove(id graphsync.ID) error
	// stored are the tenants that have a database, sorted.
	stored() ([]graphsync.ID, error)
	// restore makes the database of a tenant that has none, of what fill puts in. It is there completely or not at all.
	restore(id graphsync.ID, fill func(change func(func(kv.Tx) error) error) error) error
	close() error
}

// A folder is a directory with a file for each tenant, which this process holds.
type folder struct {
	dir  string
	lock *os.File
}

func (f *folder) registry(committed func()) (*database, error) {
	return openFile(filepath.Join(f.dir, bolt.RegistryFile), registrySchema, "", committed)
}

func (f *folder) tenant(id graphsync.ID, _ bool, committed func()) (*database, error) {
	return openFile(f.path(id), tenantSchema, id.String(), committed)
}

func (f *folder) path(id graphsync.ID) string { return filepath.Join(f.dir, id.String()+".db") }

func (f *folder) has(id graphsync.ID) (bool, error) {
	_, err := os.Stat(f.path(id))
	return !errors.Is(err, fs.ErrNotExist), nil
}

func (f *folder) remove(id graphsync.ID) error {
	if err := os.Remove(f.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove state of tenant %s: %w", id, bolt.Explain(err))
	}
	return nil
}

func (f *folder) stored() (ids []graphsync.ID, err error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, fmt.Errorf("read state directory %s: %w", f.dir, err)
	}
	for _, entry := range entries {
		if id, err := graphsync.ParseID(strings.TrimSuffix(entry.Name(), ".db")); err == nil {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// restore fills a file under another name, which takes its own when it is complete and on disk.
func (f *folder) restore(id graphsync.ID, fill func(change func(func(kv.Tx) error) error) error) error {
	path := f.path(id) + ".import"
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return bolt.Explain(err)
	}
	file, err := bolt.Open(path, tenantSchema, id.String(), nil)
	if err != nil {
		return err
	}
	if err := errors.Join(fill(file.Update), file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	if err := os.Rename(path, f.path(id)); err != nil {
		return bolt.Explain(err)
	}
	return osfile.SyncDir(f.dir)
}

func (f *folder) close() error { return bolt.Release(f.lock) }

// A server is a PostgreSQL database, with a folder of this machine for the process.
type server struct {
	local *scratch
	db    *postgres.Server
	term  postgres.Term
}

// registry is that of all processes. They take turns by its row's lock, for one transaction at a time: what is read and
// written in one is decided by one process.
func (s *server) registry(committed func()) (*database, error) {
	db, err := s.db.Tenant(context.Background(), "", registrySchema, committed)
	return newDatabase(db, err)
}

func (s *server) tenant(id graphsync.ID, own bool, committed func()) (*database, error) {
	if own {
		db, err := s.db.Own(context.Background(), id.String(), tenantSchema, s.term, committed)
		return newDatabase(db, err)
	}
	db, err := s.db.Tenant(context.Background(), id.String(), tenantSchema, committed)
	return newDatabase(db, err)
}

func newDatabase(db *postgres.DB, err error) (*database, error) {
	if err != nil {
		return nil, err
	}
	return &database{db: db, ctx: db.Context()}, nil
}

func (s *server) has(id graphsync.ID) (bool, error) {
	return s.db.Has(context.Background(), id.String())
}

func (s *server) remove(id graphsync.ID) error { return s.db.Remove(context.Background(), id.String()) }

func (s *server) stored() (ids []graphsync.ID, err error) {
	texts, err := s.db.Tenants(context.Background())
	if err != nil {
		return nil, err
	}
	for _, text := range texts {
		id, err := graphsync.ParseID(text)
		if err != nil {
			return nil, fmt.Errorf("the state's database has a tenant %q, which is no id", text)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// restore puts all in one transaction.
func (s *server) restore(id graphsync.ID, fill func(change func(func(kv.Tx) error) error) error) error {
	db, err := s.db.Tenant(context.Background(), id.String(), tenantSchema, nil)
	if err != nil {
		return err
	}
	err = db.Update(func(tx kv.Tx) error { return fill(func(part func(kv.Tx) error) error { return part(tx) }) })
	if err != nil {
		err = errors.Join(err, s.remove(id)) // it was made empty
	}
	return errors.Join(err, db.Close())
}

func (s *server) close() error { return errors.Join(s.db.Close(), s.local.close()) }
