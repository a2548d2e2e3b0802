package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"entrasync/graphsync"
	"entrasync/state/bolt"
	"entrasync/state/kv"
	"entrasync/state/postgres"
)

type (
	// A HeldError says that another worker owns a tenant, or uses the database.
	HeldError = postgres.HeldError
	// A LostError says that a worker no longer owns a tenant.
	LostError = postgres.LostError
)

// Options change how a store works. The zero value is right outside tests.
type Options struct {
	// OnCommit is called after each commit with the file's path, by the goroutine that
	// committed. It must not use the store.
	OnCommit func(path string)
	// Term is for how long a database, and a tenant in it, is owned; zero: [postgres.DefaultTerm].
	Term postgres.Term
}

// Open takes the state directory, creating it (mode 0700) when it does not exist. When another
// process holds it, the error is an *[InUseError].
func Open(dir string) (*Store, error) { return OpenWith(dir, Options{}) }

// Exists reports whether a directory holds a state.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, bolt.RegistryFile))
	return err == nil
}

// OpenWith is Open with options.
func OpenWith(dir string, opts Options) (*Store, error) {
	lock, err := bolt.Acquire(dir)
	if err != nil {
		return nil, err
	}
	s, err := newStore(&folder{dir, lock}, dir, opts)
	if err != nil {
		return nil, err
	}
	if err := rebuildClaims(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenPostgres takes a state that is in PostgreSQL, by a connection string, and makes its tables where there are none.
// dir is a directory of this machine that names the process here that uses the state. When another process of this
// machine does, the error is an *[InUseError], when one of another machine does, a *[HeldError].
func OpenPostgres(ctx context.Context, dsn, dir string) (*Store, error) {
	return OpenPostgresWith(ctx, dsn, dir, Options{})
}

// OpenPostgresWith is OpenPostgres with options.
func OpenPostgresWith(ctx context.Context, dsn, dir string, opts Options) (*Store, error) {
	lock, err := bolt.Acquire(dir)
	if err != nil {
		return nil, err
	}
	machine, err := os.Hostname()
	if err != nil {
		machine = "unknown"
	}
	db, err := postgres.Connect(ctx, dsn, fmt.Sprintf("%s:%d", machine, os.Getpid()))
	if err != nil {
		return nil, errors.Join(err, bolt.Release(lock))
	}
	s, err := newStore(&server{&folder{dir, lock}, db, cmp.Or(opts.Term, postgres.DefaultTerm)}, dir, opts)
	if err != nil {
		return nil, err
	}
	s.accounts.direct = true
	err = s.registry.update(func(tx *Tx) error { return tx.kv.put(keyComplete, []byte{1}, kv.Meta) }) // nothing is lost apart from the rest
	if err = errors.Join(err, s.resumeCreations()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func newStore(h home, dir string, opts Options) (*Store, error) {
	s := &Store{dir: dir, opts: opts, home: h, tenants: map[opening]*opened{}, commits: map[graphsync.ID]*atomic.Uint64{}}
	registry, err := h.registry(s.committed(filepath.Join(dir, bolt.RegistryFile), nil))
	if err != nil {
		return nil, errors.Join(err, h.close())
	}
	s.registry, s.accounts = registry, &Accounts{registry: registry}
	return s, nil
}

// resumeCreations takes up which accounts the tenants were making when their process ended.
func (s *Store) resumeCreations() error {
	ids, err := s.home.stored()
	if err != nil {
		return err
	}
	for _, id := range ids {
		tenant, err := s.Tenant(id)
		if err != nil {
			return err
		}
		err = tenant.View(func(tx *Tx) error {
			for _, c := range creationsOf(tx, id) {
				s.accounts.BeginCreation(c.application, c.owner, c.values)
			}
			return nil
		})
		if err := errors.Join(err, tenant.Close()); err != nil {
			return err
		}
	}
	return nil
}
