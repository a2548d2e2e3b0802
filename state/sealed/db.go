package sealed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"

	"entrasync/state/kv"
)

// A DB is an encrypted database.
type DB struct {
	kv.DB
	codec *codec
	rules Rules
}

// Inner returns the database below an encrypted one, and one that is not encrypted as it is.
func Inner(db kv.DB) kv.DB {
	if d, ok := db.(*DB); ok {
		return d.DB
	}
	return db
}

// Open returns a database as the keys of a ring read it, and the ring that its header has. One without a record is given
// the current key. One with another key is a *[KeyError], in which name stands for it.
func Open(db kv.DB, name string, of Of, ring Ring, rules Rules) (kv.DB, Ring, error) {
	raw, empty, err := look(db)
	if err != nil {
		return nil, Ring{}, err
	}
	if raw == nil && empty && ring.Current != nil {
		err := db.Update(func(tx kv.Tx) error {
			meta := tx.Bucket(kv.Meta)
			if raw = bytes.Clone(meta.Get(keyHeader)); raw != nil {
				return nil // another process was first
			}
			var err error
			if raw, _, err = newHeader(of, Ring{Current: ring.Current}); err != nil {
				return err
			}
			return meta.Put(keyHeader, bytes.Clone(raw))
		})
		if err != nil {
			return nil, Ring{}, err
		}
	}
	if raw == nil {
		if ring.Current == nil || ring.Plain || empty {
			return db, Ring{}, nil
		}
		return nil, Ring{}, &KeyError{Name: name, With: ring.Current}
	}
	c, found, err := unlock(raw, name, of, ring)
	if err != nil {
		if wrong := (*KeyError)(nil); !errors.As(err, &wrong) {
			err = db.Damaged(err)
		}
		return nil, Ring{}, err
	}
	return &DB{DB: db, codec: c, rules: rules}, found, nil
}

// KeyOf returns the key of a ring that a database has, nil for one that is not encrypted.
func KeyOf(db kv.DB, ring Ring) (*Key, error) {
	d, ok := db.(*DB)
	if !ok {
		return nil, nil
	}
	raw, _, err := look(d.DB)
	if err != nil {
		return nil, err
	}
	h, err := readHeader(raw)
	if err != nil {
		return nil, d.Damaged(err)
	}
	return ring.find(h.id), nil
}

// look returns the header of a database, and whether it has no record.
func look(db kv.DB) (raw []byte, empty bool, err error) {
	err = db.View(func(tx kv.Tx) error {
		raw, empty = bytes.Clone(tx.Bucket(kv.Meta).Get(keyHeader)), true
		if raw != nil {
			return nil
		}
		paths := slices.Collect(tx.Paths())
		for i, path := range paths {
			if i+1 < len(paths) && kv.Within(paths[i+1], path) {
				continue // it has buckets inside
			}
			for key := range tx.Bucket(path).Scan(nil, nil) {
				if path != kv.Meta || !readable(key) {
					empty = false
					return nil
				}
			}
		}
		return nil
	})
	return raw, empty, err
}

func unlock(raw []byte, name string, of Of, ring Ring) (*codec, Ring, error) {
	h, err := readHeader(raw)
	if err != nil {
		return nil, Ring{}, err
	}
	key := ring.find(h.id)
	if key == nil {
		return nil, Ring{}, &KeyError{Name: name, Has: fmt.Sprintf("%x", h.id), With: ring.Current}
	}
	return h.open(of, key)
}

// Create makes an empty database one that is encrypted with the current key of a ring, and keeps the ring in its header.
// Without a current key it stays as it is.
func Create(db kv.DB, of Of, ring Ring, rules Rules) (kv.DB, error) {
	if ring.Current == nil {
		return db, nil
	}
	raw, c, err := newHeader(of, ring)
	if err != nil {
		return nil, err
	}
	if err := db.Update(func(tx kv.Tx) error { return tx.Bucket(kv.Meta).Put(keyHeader, raw) }); err != nil {
		return nil, err
	}
	return &DB{DB: db, codec: c, rules: rules}, nil
}

// PutRing replaces the ring in the header of an encrypted database; its key stays.
func PutRing(db kv.DB, of Of, ring Ring) error {
	d, ok := db.(*DB)
	if !ok {
		return errors.New("the database is not encrypted")
	}
	return d.DB.Update(func(tx kv.Tx) error {
		meta := tx.Bucket(kv.Meta)
		h, err := readHeader(bytes.Clone(meta.Get(keyHeader)))
		if err != nil {
			return err
		}
		raw, err := d.codec.sealBody(of, h.prefix, ring)
		if err != nil {
			return err
		}
		return meta.Put(keyHeader, raw)
	})
}

// Migrations returns a schema whose migrations see what an encrypted database holds.
func Migrations(s *kv.Schema, of Of, ring Ring, rules Rules) *kv.Schema {
	if ring.Current == nil {
		return s
	}
	wrapped := *s
	wrapped.Migrations = slices.Clone(s.Migrations)
	for i, migrate := range s.Migrations {
		if migrate == nil {
			continue
		}
		wrapped.Migrations[i] = func(raw kv.Tx) error {
			stored := raw.Bucket(kv.Meta).Get(keyHeader)
			if stored == nil {
				return migrate(raw)
			}
			c, _, err := unlock(stored, "the state", of, ring)
			if err != nil {
				return err
			}
			return migrate(&tx{Tx: raw, codec: c, rules: rules})
		}
	}
	return &wrapped
}

// readable reports whether a key of the meta bucket is of the store itself, which reads it before it knows the key: its
// kind, owner, version and buckets. Its value is not encrypted.
func readable(key []byte) bool {
	switch string(key) {
	case "schema", "kind", "of":
		return true
	}
	return bytes.HasPrefix(key, []byte("bucket\x00"))
}

// View implements [kv.DB].
func (d *DB) View(fn func(kv.Tx) error) error {
	return d.DB.View(func(raw kv.Tx) error { return fn(&tx{Tx: raw, codec: d.codec, rules: d.rules}) })
}

// Update implements [kv.DB].
func (d *DB) Update(fn func(kv.Tx) error) error {
	return d.DB.Update(func(raw kv.Tx) error { return fn(&tx{Tx: raw, codec: d.codec, rules: d.rules}) })
}

// A tx is a transaction on an encrypted database.
type tx struct {
	kv.Tx
	codec  *codec
	rules  Rules
	nonces nonces
	room   []byte // for values that are read; what is no longer used of it is freed with them
}

// roomSize is how much memory values share.
const roomSize = 16 << 10

// take returns room for n bytes.
func (t *tx) take(n int) []byte {
	if cap(t.room)-len(t.room) < n {
		if n > roomSize/4 {
			return make([]byte, 0, n)
		}
		t.room = make([]byte, 0, roomSize)
	}
	from := len(t.room)
	t.room = t.room[:from+n]
	return t.room[from : from : from+n]
}

// Bucket implements [kv.Tx].
func (t *tx) Bucket(path string) kv.Bucket {
	b := t.Tx.Bucket(path)
	if b == nil {
		return nil
	}
	return t.wrap(path, b)
}

// CreateBucket implements [kv.Tx].
func (t *tx) CreateBucket(path string) (kv.Bucket, error) {
	b, err := t.Tx.CreateBucket(path)
	if err != nil {
		return nil, err
	}
	return t.wrap(path, b), nil
}

func (t *tx) wrap(path string, b kv.Bucket) *bucket {
	bound := append(binary.AppendUvarint(nil, uint64(len(path))), path...)
	return &bucket{Bucket: b, tx: t, path: path, bound: bound, rule: t.rules(path), hider: hider{c: t.codec, path: path}}
}

// A bucket is one of an encrypted database.
type bucket struct {
	kv.Bucket
	tx    *tx
	path  string
	bound []byte // the beginning of the additional data of its values
	rule  Rule
	hider hider
}

func (b *bucket) meta() bool { return b.path == kv.Meta }

// Get implements [kv.Bucket].
func (b *bucket) Get(key []byte) []byte {
	stored := b.Bucket.Get(b.rule.hide(&b.hider, key))
	if stored == nil || b.meta() && readable(key) {
		return stored
	}
	return b.open(key, stored)
}

// bind is the additional data of a value: the path of the bucket and the key.
func (b *bucket) bind(key []byte) []byte { return append(b.bound[:len(b.bound):len(b.bound)], key...) }

func (b *bucket) open(key, stored []byte) []byte {
	if len(stored) >= overhead {
		nonce, sealed := stored[:chacha20poly1305.NonceSizeX], stored[chacha20poly1305.NonceSizeX:]
		value, err := b.tx.codec.values.Open(b.tx.take(len(stored)-overhead), nonce, sealed, b.bind(key))
		if err == nil && value == nil {
			return []byte{} // nil would say that there is none
		}
		if err == nil {
			return slices.Clip(value)
		}
	}
	panic(kv.BadRecord{What: fmt.Sprintf("the record %.40x of %s was changed or is that of another key: it cannot be decrypted", key, kv.Readable(b.path))})
}

// Put implements [kv.Bucket].
func (b *bucket) Put(key, value []byte) error { return b.put(b.Bucket.Put, key, value) }

// Append implements [kv.Bucket].
func (b *bucket) Append(key, value []byte) error { return b.put(b.Bucket.Append, key, value) }

func (b *bucket) put(put func(key, value []byte) error, key, value []byte) error {
	if b.meta() && readable(key) {
		return put(key, value)
	}
	arena, nonce := b.tx.Arena(), b.tx.nonces.take()
	room := append(arena.Begin(len(value)+overhead+kv.ValueOverhead), nonce...)
	sealed := b.tx.codec.values.Seal(room, nonce, value, b.bind(key))
	return put(b.rule.hide(&b.hider, key), arena.End(sealed))
}

// Delete implements [kv.Bucket].
func (b *bucket) Delete(key []byte) error { return b.Bucket.Delete(b.rule.hide(&b.hider, key)) }

// Scan implements [kv.Bucket]. Where the rule hides a part of the keys, they come in another order.
func (b *bucket) Scan(prefix, after []byte) iter.Seq2[[]byte, []byte] {
	if len(after) > 0 {
		after = b.rule.hide(&b.hider, after)
	}
	return b.shown(b.Bucket.Scan(b.rule.prefix(&b.hider, prefix), after))
}

// Backward implements [kv.Bucket].
func (b *bucket) Backward() iter.Seq2[[]byte, []byte] { return b.shown(b.Bucket.Backward()) }

func (b *bucket) shown(stored iter.Seq2[[]byte, []byte]) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for k, v := range stored {
			if b.meta() && (readable(k) || bytes.Equal(k, keyHeader)) {
				if !bytes.Equal(k, keyHeader) && !yield(k, v) {
					return
				}
				continue
			}
			key, ok := b.rule.show(&b.hider, k)
			if !ok {
				panic(kv.BadRecord{What: fmt.Sprintf("the key %.40x of %s was changed: it cannot be decrypted", k, kv.Readable(b.path))})
			}
			if !yield(key, b.open(key, v)) {
				return
			}
		}
	}
}

// Floor implements [kv.Bucket].
func (b *bucket) Floor(key []byte) []byte {
	before := b.Bucket.Floor(b.rule.hide(&b.hider, key))
	if before == nil {
		return nil
	}
	shown, _ := b.rule.show(&b.hider, before)
	return shown
}

// Warm implements [kv.Bucket].
func (b *bucket) Warm(keys iter.Seq[[]byte]) {
	b.Bucket.Warm(func(yield func([]byte) bool) {
		for key := range keys {
			if !yield(b.rule.hide(&b.hider, key)) {
				return
			}
		}
	})
}
