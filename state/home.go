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
	"entrasync/state/sealed"
)

// A home is where the databases of a store are.
type home interface {
	// registry opens the registry, with the keys of a ring, and returns those that it names. What follows is opened with them.
	registry(ring sealed.Ring, committed func()) (*database, sealed.Ring, error)
	// tenant opens the database of a tenant and makes it when there is none. With own it is this process alone that
	// works on the tenant.
	tenant(id graphsync.ID, own bool, committed func()) (*database, error)
	has(id graphsync.ID) (bool, error)
	remove(id graphsync.ID) error
	// stored are the tenants that have a database, sorted.
	stored() ([]graphsync.ID, error)
	// restore makes the database of a tenant that has none, of what fill puts in. It is there completely or not at all.
	restore(id graphsync.ID, fill func(change func(func(kv.Tx) error) error) error) error
	// replace puts a database with the current key of a ring, and with the ring, in the place of one that is open, which
	// is closed: completely or not at all. The registry has the id zero.
	replace(id graphsync.ID, old *database, ring sealed.Ring) error
	// use has tenants opened with the keys of a ring.
	use(ring sealed.Ring)
	close() error
}

// A folder is a directory with a file for each tenant, which this process holds.
type folder struct {
	dir  string
	lock *os.File
	ring sealed.Ring
}

func (f *folder) registry(ring sealed.Ring, committed func()) (*database, sealed.Ring, error) {
	d, found, err := openFile(filepath.Join(f.dir, bolt.RegistryFile), registrySchema, "", ring, committed)
	f.ring = found
	return d, found, err
}

func (f *folder) tenant(id graphsync.ID, _ bool, committed func()) (*database, error) {
	d, _, err := openFile(f.path(id), tenantSchema, id.String(), f.ring, committed)
	return d, err
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
	db, err := sealed.Create(file, ofTenant(id), sealed.Ring{Current: f.ring.Current}, hiddenKeys)
	if err != nil {
		return errors.Join(err, file.Close(), os.Remove(path))
	}
	if err = fill(db.Update); err == nil {
		err = forgetPlans(db)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	if err := os.Rename(path, f.path(id)); err != nil {
		return bolt.Explain(err)
	}
	return osfile.SyncDir(f.dir)
}

func (f *folder) use(ring sealed.Ring) { f.ring = ring }

// replace fills a file under another name, as restore does.
func (f *folder) replace(id graphsync.ID, old *database, ring sealed.Ring) error {
	path, schema, of := f.path(id), tenantSchema, ofTenant(id)
	if id.IsZero() {
		path, schema, of = filepath.Join(f.dir, bolt.RegistryFile), registrySchema, ofRegistry
	}
	name := path + ".rekey"
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return bolt.Explain(err)
	}
	file, err := bolt.Open(name, schema, of.ID, nil)
	if err != nil {
		return err
	}
	db, err := sealed.Create(file, of, ring, hiddenKeys)
	if err == nil {
		err = copyContent(old.db, db.Update)
	}
	if err == nil && !id.IsZero() {
		err = forgetPlans(db)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	if err := old.close(); err != nil {
		return err
	}
	if err := osfile.Replace(name, path); err != nil {
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
	ring  sealed.Ring
}

// registry is that of all processes. They take turns by its row's lock, for one transaction at a time: what is read and
// written in one is decided by one process.
func (s *server) registry(ring sealed.Ring, committed func()) (*database, sealed.Ring, error) {
	db, err := s.db.Tenant(context.Background(), "", sealed.Migrations(registrySchema, ofRegistry, ring, hiddenKeys), committed)
	d, found, err := s.opened(db, err, "the registry in the state's database", ofRegistry, ring)
	s.ring = found
	return d, found, err
}

func (s *server) tenant(id graphsync.ID, own bool, committed func()) (*database, error) {
	schema, name := sealed.Migrations(tenantSchema, ofTenant(id), s.ring, hiddenKeys), "the state of tenant "+id.String()+" in the database"
	if own {
		db, err := s.db.Own(context.Background(), id.String(), schema, s.term, committed)
		d, _, err := s.opened(db, err, name, ofTenant(id), s.ring)
		return d, err
	}
	db, err := s.db.Tenant(context.Background(), id.String(), schema, committed)
	d, _, err := s.opened(db, err, name, ofTenant(id), s.ring)
	return d, err
}

// opened reads a database with the keys of a ring.
func (s *server) opened(db *postgres.DB, err error, name string, of sealed.Of, ring sealed.Ring) (*database, sealed.Ring, error) {
	if err != nil {
		return nil, sealed.Ring{}, err
	}
	read, found, err := sealed.Open(db, name, of, ring, hiddenKeys)
	if err != nil {
		return nil, sealed.Ring{}, errors.Join(err, db.Close())
	}
	return &database{db: read, ctx: db.Context()}, found, nil
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
	read, err := sealed.Create(db, ofTenant(id), sealed.Ring{Current: s.ring.Current}, hiddenKeys)
	if err == nil {
		err = read.Update(func(tx kv.Tx) error { return fill(func(part func(kv.Tx) error) error { return part(tx) }) })
	}
	if err == nil {
		err = forgetPlans(read)
	}
	if err != nil {
		err = errors.Join(err, s.remove(id)) // it was made empty
	}
	return errors.Join(err, db.Close())
}

func (s *server) use(ring sealed.Ring) { s.ring = ring }

// replace puts all in one transaction, in which the rows of the tenant are given another number: what still knows the
// former one writes nothing from then on.
func (s *server) replace(id graphsync.ID, old *database, ring sealed.Ring) error {
	schema, of, name := tenantSchema, ofTenant(id), id.String()
	if id.IsZero() {
		schema, of, name = registrySchema, ofRegistry, ""
	}
	return s.db.Replace(context.Background(), name, schema, func(made kv.DB) error {
		db, err := sealed.Create(made, of, ring, hiddenKeys)
		if err == nil {
			err = copyContent(old.db, db.Update)
		}
		if err == nil && !id.IsZero() {
			err = forgetPlans(db)
		}
		return err
	}, old.close)
}

func (s *server) close() error { return errors.Join(s.db.Close(), s.local.close()) }
