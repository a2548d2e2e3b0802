package state

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"entrasync/graphsync"
	"entrasync/state/bolt"
	"entrasync/state/kv"
	"entrasync/state/sealed"
)

type (
	// A DamagedError names a state file that cannot be read.
	DamagedError = bolt.DamagedError
	// A VersionError names a state file that a newer entrasync wrote.
	VersionError = bolt.VersionError
	// An InUseError says that another process holds the state directory.
	InUseError = bolt.InUseError
)

var (
	registrySchema = &kv.Schema{
		Kind: "registry", Buckets: []string{bucketTenants, bucketOwners, bucketApplications},
		Migrations: []func(kv.Tx) error{migration(recordsByID), migration(markComplete), nil}, Checksums: 4,
	}
	tenantSchema = &kv.Schema{Kind: "tenant", Buckets: []string{
		bucketNames, bucketCounts, bucketCursors, bucketObjects, bucketMembers, bucketMemberOf,
		bucketApps, bucketAssignments, bucketSyncs, bucketOrganization,
	}, Migrations: []func(kv.Tx) error{nil, unchanged}, Checksums: 2}
)

func migration(fn func(*Tx) error) func(kv.Tx) error {
	return func(raw kv.Tx) error { return fn(newTx(raw, &database{})) }
}

// unchanged is the migration to a version that reads what the one before wrote, and writes what that one would
// not read: tenants have blocks of lines, stored actions in a binary form and index entries that are behind
// their links since version 3.
func unchanged(kv.Tx) error { return nil }

// A database is that of a tenant, or of the registry, with what is kept in memory in addition to it.
type database struct {
	db     kv.DB
	tenant graphsync.ID    // whose it is; zero of the registry's
	ctx    context.Context // nil: without an end
	names  atomic.Pointer[names]

	hints    atomic.Pointer[linkHints] // of a tenant's file
	indexing sync.Mutex                // held while index entries are written

	queueMu sync.Mutex // protects queue
	queue   []*batched
	commit  sync.Mutex // held by the caller that commits for those in the queue
}

// openFile opens or creates a file, and returns the ring that its header has. onCommit may be nil.
func openFile(path string, s *kv.Schema, of string, ring sealed.Ring, onCommit func()) (*database, sealed.Ring, error) {
	whose := sealed.Of{Kind: s.Kind, ID: of}
	f, err := bolt.Open(path, sealed.Migrations(s, whose, ring, hiddenKeys), of, onCommit)
	if err != nil {
		return nil, sealed.Ring{}, err
	}
	db, found, err := sealed.Open(f, "state file "+path, whose, ring, hiddenKeys)
	if err != nil {
		return nil, sealed.Ring{}, errors.Join(err, f.Close())
	}
	d := &database{db: db}
	d.tenant, _ = graphsync.ParseID(of) // "" is no id
	if s == tenantSchema {
		if err := d.loadHints(); err != nil {
			_ = f.Close()
			return nil, sealed.Ring{}, err
		}
	}
	return d, found, nil
}

// openReadOnly opens a file to look at it. current is false when it is not of the present version.
func openReadOnly(path string, s *kv.Schema, of string, ring sealed.Ring) (d *database, current bool, err error) {
	f, current, err := bolt.OpenReadOnly(path, s, of)
	if err != nil {
		return nil, false, err
	}
	if !current {
		return &database{db: f}, false, nil
	}
	ring.Plain = true // an empty one is given no key here
	db, _, err := sealed.Open(f, "state file "+path, sealed.Of{Kind: s.Kind, ID: of}, ring, hiddenKeys)
	if err != nil {
		return nil, false, errors.Join(err, f.Close())
	}
	return &database{db: db}, true, nil
}

// broken reports whether the database was found damaged.
func (d *database) broken() bool {
	var damaged *DamagedError
	return errors.As(d.db.View(func(kv.Tx) error { return nil }), &damaged)
}

func (d *database) close() error { return d.db.Close() }

func (d *database) view(fn func(*Tx) error) error {
	return d.db.View(func(raw kv.Tx) error {
		tx := newTx(raw, d)
		tx.attributes.reads = true
		return fn(tx)
	})
}

func (d *database) update(fn func(*Tx) error) error {
	return d.db.Update(func(raw kv.Tx) error {
		tx := newTx(raw, d)
		if err := fn(tx); err != nil {
			return err
		}
		return tx.counts.write()
	})
}

func newTx(raw kv.Tx, d *database) *Tx {
	b := &buckets{tx: raw, opened: map[string]kv.Bucket{}}
	return &Tx{
		kv: b, db: d, hints: d.hints.Load(),
		counts: counters{kv: b}, attributes: dictionary{kv: b, shared: &d.names},
	}
}
