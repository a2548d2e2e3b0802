package state

import (
	"context"
	"errors"
	"fmt"

	"entrasync/graphsync"
	"entrasync/state/kv"
	"entrasync/state/sealed"
)

// A Rekeyed says what a change of the key did.
type Rekeyed struct {
	From, To *Key // nil: not encrypted
	Tenants  int  // that were written again
}

// Rekey gives the state another key, or none with nil. The store must have been opened with [Options].Rekey, and must be
// the only one of this state. Each database is written again, under another name, and takes the place of the former one
// when it is complete.
//
// Ended at any moment, the state opens with one of the two keys: with the new one from the first step on, in which the
// registry is written again and keeps the former key, encrypted, for the tenants that are yet to follow; with the former
// one until the last step when the state is decrypted, as nothing can keep that key then. Run again, it resumes.
func Rekey(s *Store, to *Key, note func(string)) (Rekeyed, error) {
	return rekeyer{s}.run(to, note)
}

// A rekeyer gives a state another key.
type rekeyer struct{ *Store }

func (s rekeyer) run(to *Key, note func(string)) (Rekeyed, error) {
	done := Rekeyed{From: s.ring.Current, To: to}
	if s.shared != nil {
		if err := s.verifyAlone(); err != nil {
			return done, err
		}
	}
	if err := s.accounts.writeClaims(); err != nil {
		return done, err
	}
	same := sameKey(s.ring.Current, to)
	if same && !s.ring.Unfinished() {
		return done, nil
	}
	switch {
	case same:
		note("an earlier change of the key is resumed")
	case to == nil:
		s.ring.Plain = true
		if err := s.putRing(); err != nil {
			return done, err
		}
		note("the state opens with its present key until the last tenant is decrypted")
	default:
		next := sealed.Ring{Current: to, Others: s.ring.Others, Plain: s.ring.Plain || s.ring.Current == nil}
		if s.ring.Current != nil {
			next.Others = append([]*Key{s.ring.Current}, next.Others...)
		}
		if err := s.replaceRegistry(next); err != nil {
			return done, err
		}
		note("the state opens with the new key from now on")
	}
	ids, err := s.home.stored()
	if err != nil {
		return done, err
	}
	for _, id := range ids {
		written, err := s.rekeyTenant(id, to)
		if err != nil {
			return done, fmt.Errorf("give tenant %s its new key: %w; run entrasync state rekey again, which resumes", id, err)
		}
		if written {
			done.Tenants++
		}
	}
	if to == nil {
		return done, s.replaceRegistry(sealed.Ring{})
	}
	s.ring = sealed.Ring{Current: to}
	return done, s.putRing()
}

func sameKey(a, b *Key) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Same(b)
}

// verifyAlone refuses while workers run that know the former key.
func (s rekeyer) verifyAlone() error {
	f, err := s.shared.Fleet(context.Background())
	if err == nil && f.Workers > 0 {
		err = fmt.Errorf("%d workers use the state's database; stop them first, all of them have to be started with the new key", f.Workers)
	}
	return err
}

// putRing writes the ring to the registry, and has tenants opened with it.
func (s rekeyer) putRing() error {
	if err := sealed.PutRing(s.registry.db, ofRegistry, s.ring); err != nil {
		return err
	}
	s.home.use(s.ring)
	return nil
}

// replaceRegistry writes the registry again, with the current key of a ring, and opens it.
func (s rekeyer) replaceRegistry(ring sealed.Ring) error {
	if err := s.home.replace(graphsync.ID{}, s.registry, ring); err != nil {
		return fmt.Errorf("give the registry its new key: %w; run entrasync state rekey again, which resumes", err)
	}
	registry, found, err := s.home.registry(ring, s.committed(registryPath(s.dir), nil))
	if err != nil {
		return err
	}
	s.registry, s.accounts.registry, s.ring = registry, registry, found
	s.home.use(found)
	return nil
}

// rekeyTenant writes a tenant again, unless it has the key already.
func (s rekeyer) rekeyTenant(id graphsync.ID, to *Key) (written bool, err error) {
	tenant, err := s.Own(id)
	if err != nil {
		return false, err
	}
	key, err := sealed.KeyOf(tenant.file.db, s.ring)
	if err != nil || sameKey(key, to) {
		return false, errors.Join(err, tenant.Close())
	}
	if err := s.stamp(id, tenant.file); err != nil {
		return false, errors.Join(err, tenant.Close())
	}
	if err := s.home.replace(id, tenant.file, sealed.Ring{Current: to}); err != nil {
		return false, errors.Join(err, tenant.Close())
	}
	s.mu.Lock()
	delete(s.tenants, tenant.opened.at) // it was closed
	s.mu.Unlock()
	return true, nil
}

// keptPlans is the space in which a cycle keeps a plan with the number of the commit that it is of. Databases that are
// written again count from another number, so it is not taken along.
const keptPlans = "kept-plan"

// copyContent puts all rows of a database into another, in parts of bounded size.
func copyContent(from kv.DB, change func(func(kv.Tx) error) error) error {
	return from.View(func(tx kv.Tx) error {
		w := &copier{change: change}
		var paths []string
		for path := range tx.Paths() {
			paths = append(paths, path)
		}
		for i, path := range paths {
			b := tx.Bucket(path)
			if err := w.bucket(path, b.Sequence()); err != nil {
				return err
			}
			if i+1 < len(paths) && kv.Within(paths[i+1], path) {
				continue // it has buckets inside, and no rows
			}
			for key, value := range b.Scan(nil, nil) {
				if path == kv.Meta && ofStore(key) {
					continue
				}
				if err := w.row(key, value); err != nil {
					return err
				}
			}
			if err := w.flush(); err != nil {
				return err
			}
		}
		return nil
	})
}

// A copier gathers rows of one bucket.
type copier struct {
	change func(func(kv.Tx) error) error
	path   string
	rows   [][2][]byte
	size   int
}

func (w *copier) bucket(path string, sequence uint64) error {
	w.path = path
	return w.change(func(tx kv.Tx) error {
		b, err := tx.CreateBucket(path)
		if err == nil && sequence > 0 {
			err = b.SetSequence(sequence)
		}
		return err
	})
}

func (w *copier) row(key, value []byte) error {
	w.rows = append(w.rows, [2][]byte{key, value})
	if w.size += len(key) + len(value); w.size < importChunk {
		return nil
	}
	return w.flush()
}

func (w *copier) flush() error {
	if len(w.rows) == 0 {
		return nil
	}
	err := w.change(func(tx kv.Tx) error {
		b := tx.Bucket(w.path)
		for _, row := range w.rows {
			if err := b.Append(row[0], row[1]); err != nil {
				return err
			}
		}
		return nil
	})
	w.rows, w.size = w.rows[:0], 0
	return err
}

// forgetPlans drops the kept plans of a tenant's database.
func forgetPlans(db kv.DB) error {
	d := &database{db: db}
	return d.update(func(tx *Tx) error {
		for _, sync := range tx.Syncs() {
			if err := tx.Space(sync, keptPlans).Clear(); err != nil {
				return err
			}
		}
		return nil
	})
}
