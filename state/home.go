package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"entrasync/graphsync"
	"entrasync/state/bolt"
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

func (f *folder) close() error { return bolt.Release(f.lock) }

// A server is a PostgreSQL database, with a directory of this machine that says which process uses it here.
type server struct {
	local *folder
	db    *postgres.Server
}

// registry owns the registry: one process at a time uses the database.
func (s *server) registry(committed func()) (*database, error) {
	db, err := s.db.Own(context.Background(), "", registrySchema, postgres.DefaultTerm, committed)
	return newDatabase(db, err)
}

func (s *server) tenant(id graphsync.ID, own bool, committed func()) (*database, error) {
	if own {
		db, err := s.db.Own(context.Background(), id.String(), tenantSchema, postgres.DefaultTerm, committed)
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

func (s *server) close() error { return errors.Join(s.db.Close(), s.local.close()) }
