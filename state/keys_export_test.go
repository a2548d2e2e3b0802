package state

import (
	"errors"
	"fmt"

	"entrasync/graphsync"
	"entrasync/state/kv"
	"entrasync/state/sealed"
)

// ErrKilled ends what a test interrupts.
var ErrKilled = errors.New("killed")

// KillAt has the n-th step of a change of the key fail, from 1: each database that is written again has a step before it and
// one behind it, and so has each change of the ring one behind it.
func KillAt(s *Store, n int) { s.home = &killing{home: s.home, left: n} }

type killing struct {
	home
	left int
}

func (k *killing) step() bool { k.left--; return k.left == 0 }

func (k *killing) replace(id graphsync.ID, old *database, ring sealed.Ring) error {
	if k.step() {
		return ErrKilled
	}
	if err := k.home.replace(id, old, ring); err != nil {
		return err
	}
	if k.step() {
		return ErrKilled
	}
	return nil
}

func (k *killing) use(ring sealed.Ring) {
	if k.step() {
		panic(ErrKilled)
	}
	k.home.use(ring)
}

// Content returns all rows of a state as text, sorted by path, apart from those that count what its files do.
func Content(s *Store) (map[string]string, error) {
	rows := map[string]string{}
	add := func(name string, db kv.DB) error {
		return db.View(func(tx kv.Tx) error {
			var paths []string
			for path := range tx.Paths() {
				paths = append(paths, path)
			}
			for i, path := range paths {
				rows[name+" "+kv.Readable(path)] = fmt.Sprint(tx.Bucket(path).Sequence())
				if path == kv.Meta || path == bucketGenerations || i+1 < len(paths) && kv.Within(paths[i+1], path) {
					continue
				}
				for key, value := range tx.Bucket(path).Scan(nil, nil) {
					rows[fmt.Sprintf("%s %s %x", name, kv.Readable(path), key)] = string(value)
				}
			}
			return nil
		})
	}
	if err := add("registry", s.registry.db); err != nil {
		return nil, err
	}
	ids, err := s.home.stored()
	for _, id := range ids {
		if err != nil {
			break
		}
		var t *Tenant
		if t, err = s.Tenant(id); err == nil {
			err = errors.Join(add(id.String(), t.file.db), t.Close())
		}
	}
	return rows, err
}
