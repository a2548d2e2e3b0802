package state

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"entrasync/graphsync"
	"entrasync/state/bolt"
	"entrasync/state/kv"
	"entrasync/state/postgres"
	"entrasync/state/sealed"
)

type (
	// A Key encrypts a state.
	Key = sealed.Key
	// A KeyError says that a state has another key than it was opened with.
	KeyError = sealed.KeyError
	// A HeldError says that another worker owns a tenant, or uses the database.
	HeldError = postgres.HeldError
	// A LostError says that a worker no longer owns a tenant.
	LostError = postgres.LostError
)

// A Term is for how long a tenant in a database is owned without renewal.
type Term = postgres.Term

// Options change how a store works. The zero value is right outside tests.
type Options struct {
	// OnCommit is called after each commit with the file's path, by the goroutine that
	// committed. It must not use the store.
	OnCommit func(path string)
	// Term is for how long a database, and a tenant in it, is owned; zero: [postgres.DefaultTerm].
	Term postgres.Term
	// Migrate brings the tables of a database to the present version.
	Migrate bool
	// Key encrypts the state; nil: it is not encrypted. A state that has another key, or one and not the other, is a
	// *[KeyError].
	Key *Key
	// Rekey opens the state with Key, NewKey or no key, whichever it has, for [Rekey].
	Rekey  bool
	NewKey *Key
}

// Open takes the state directory, creating it (mode 0700) when it does not exist. When another
// process holds it, the error is an *[InUseError].
func Open(dir string) (*Store, error) { return OpenWith(dir, Options{}) }

// OpenWith is Open with options.
func OpenWith(dir string, opts Options) (*Store, error) {
	lock, err := bolt.Acquire(dir)
	if err != nil {
		return nil, err
	}
	s, err := newStore(&folder{dir: dir, lock: lock}, dir, opts)
	if err != nil {
		return nil, err
	}
	if err := rebuildClaims(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenPostgres takes a state that is in PostgreSQL, by a connection string, and makes its tables where there are none. Any
// number of processes may do so at the same time. dir is a folder of this machine: the process has one of its own in it,
// see [Store.Dir].
func OpenPostgres(ctx context.Context, dsn, dir string) (*Store, error) {
	return OpenPostgresWith(ctx, func() (string, error) { return dsn, nil }, dir, Options{})
}

// OpenPostgresWith is OpenPostgres with options, and with a connection string that is asked for before each connection.
func OpenPostgresWith(ctx context.Context, dsn func() (string, error), dir string, opts Options) (*Store, error) {
	scratch, err := newScratch(dir)
	if err != nil {
		return nil, err
	}
	db, err := postgres.Connect(ctx, postgres.Options{DSN: dsn, Holder: holder(), Migrate: opts.Migrate})
	if err != nil {
		return nil, errors.Join(err, scratch.close())
	}
	s, err := newStore(&server{local: scratch, db: db, term: cmp.Or(opts.Term, postgres.DefaultTerm)}, scratch.dir, opts)
	if err != nil {
		return nil, err
	}
	s.shared, s.accounts.direct = db, true
	if err := s.noteComplete(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// holder names this process among those that use a database: host, process and, as both are alike in containers, a random
// number.
func holder() string {
	machine, err := os.Hostname()
	if err != nil {
		machine = "unknown"
	}
	var random [2]byte
	rand.Read(random[:]) // never fails
	return fmt.Sprintf("%s:%d:%x", machine, os.Getpid(), random)
}

// noteComplete notes that the registry was not lost apart from the rest: both are in one database.
func (s *Store) noteComplete() error {
	known := false
	err := s.registry.view(func(tx *Tx) error { known = tx.kv.get(keyComplete, kv.Meta) != nil; return nil })
	if err != nil || known {
		return err
	}
	return s.registry.update(func(tx *Tx) error { return tx.kv.put(keyComplete, []byte{1}, kv.Meta) })
}

func newStore(h home, dir string, opts Options) (*Store, error) {
	s := &Store{dir: dir, opts: opts, home: h, tenants: map[opening]*opened{}, commits: map[graphsync.ID]*atomic.Uint64{}}
	registry, ring, err := h.registry(opts.ring(), s.committed(registryPath(dir), nil))
	if err != nil {
		return nil, errors.Join(err, h.close())
	}
	s.ring, s.registry, s.accounts = ring, registry, &Accounts{registry: registry}
	return s, nil
}

// ReadKey reads the key of a state from a file that its owner alone can read: 32 random bytes, in base64 or hexadecimal
// digits or as they are.
func ReadKey(file string) (*Key, error) { return sealed.ReadKey(file) }

// ring are the keys that a state is opened with.
func (o Options) ring() sealed.Ring {
	ring := sealed.Ring{Current: o.Key}
	if o.Rekey {
		ring.Plain = true
		if ring.Current == nil {
			ring.Current = o.NewKey
		} else if o.NewKey != nil {
			ring.Others = []*Key{o.NewKey}
		}
	}
	return ring
}
