package bolt

import (
	"bytes"
	"fmt"
	"iter"
	"strings"

	"go.etcd.io/bbolt"

	"entrasync/state/kv"
)

// A tx is a transaction of bbolt. Its buckets are nested, and marked, so that one that is missing is not taken for an
// empty one.
type tx struct {
	b         *bbolt.Tx
	checksums bool // the file's values carry them
	arena     kv.Arena
}

func (f *File) begin(b *bbolt.Tx) *tx { return &tx{b: b, checksums: f.checksums} }

// Number is that of bbolt.
func (tx *tx) Number() uint64 { return uint64(tx.b.ID()) }

// Arena is where values wait for the commit: bbolt keeps what it is given until then.
func (tx *tx) Arena() *kv.Arena { return &tx.arena }

// open wraps a bucket of bbolt.
func (tx *tx) open(b *bbolt.Bucket, path string) *bucket {
	return &bucket{b: b, tx: tx, path: path, seed: seedOf(path), plain: !tx.checksums}
}

// Bucket returns a bucket by its path, nil when there is none.
func (tx *tx) Bucket(path string) kv.Bucket {
	if b := tx.find(path); b != nil {
		return tx.open(b, path)
	}
	return nil
}

// find returns the bucket of bbolt with a path, nil when there is none.
func (tx *tx) find(path string) *bbolt.Bucket {
	var b *bbolt.Bucket
	for end := 0; end < len(path); {
		name, from := nextName(path, end)
		end = from + len(name)
		if from == 0 {
			b = tx.b.Bucket([]byte(name))
		} else {
			b = b.Bucket([]byte(name))
		}
		if b == nil {
			tx.verifyNoBucket(path[:end])
			return nil
		}
	}
	return b
}

// nextName returns the name in a path behind the one that ends at end, and where it begins.
func nextName(path string, end int) (name string, from int) {
	if end > 0 {
		from = end + 1
	}
	name, _, _ = strings.Cut(path[from:], "\x00")
	return name, from
}

// CreateBucket returns a bucket by its path and creates it where there is none.
func (tx *tx) CreateBucket(path string) (kv.Bucket, error) {
	b, err := tx.create(path)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", kv.Readable(path), err)
	}
	return tx.open(b, path), nil
}

func (tx *tx) create(path string) (b *bbolt.Bucket, err error) {
	if b := tx.find(path); b != nil {
		return b, nil
	}
	if last := strings.LastIndexByte(path, 0); last < 0 {
		b, err = tx.b.CreateBucketIfNotExists([]byte(path))
	} else {
		var parent *bbolt.Bucket
		if parent, err = tx.create(path[:last]); err == nil {
			b, err = parent.CreateBucketIfNotExists([]byte(path[last+1:]))
		}
	}
	if err == nil {
		err = tx.noteBucket(path)
	}
	return b, err
}

// DeleteBucket deletes a bucket with all it holds. Its pages become free without being read.
func (tx *tx) DeleteBucket(path string) error {
	if tx.find(path) == nil {
		return nil
	}
	if err := tx.forgetBucket(path); err != nil {
		return err
	}
	last := strings.LastIndexByte(path, 0)
	if last < 0 {
		return tx.b.DeleteBucket([]byte(path))
	}
	return tx.find(path[:last]).DeleteBucket([]byte(path[last+1:]))
}

// Buckets yields the names of the buckets inside one.
func (tx *tx) Buckets(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		c, prefix := tx.b.Cursor(), ""
		find := tx.b.Bucket
		if path != "" {
			b := tx.find(path)
			if b == nil {
				return
			}
			c, prefix, find = b.Cursor(), path+"\x00", b.Bucket
		}
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if v != nil || find(k) == nil || !tx.noted(prefix+string(k)) {
				tx.open(nil, path).damaged(k, "is no bucket")
			}
			if !yield(string(k)) {
				return
			}
		}
	}
}

// Paths yields the paths of all buckets. A file that is older than checksums does not say which it has.
func (tx *tx) Paths() iter.Seq[string] {
	return func(yield func(string) bool) {
		for k := range tx.Bucket(kv.Meta).Scan([]byte(bucketMark), nil) {
			if path := string(k[len(bucketMark):]); path > kv.Meta {
				break
			} else if !yield(path) {
				return
			}
		}
		if !yield(kv.Meta) {
			return
		}
		for k := range tx.Bucket(kv.Meta).Scan([]byte(bucketMark), []byte(bucketMark+kv.Meta)) {
			if !yield(string(k[len(bucketMark):])) {
				return
			}
		}
	}
}

// bucketMark begins the keys of the meta bucket that say which buckets there are: bucket names have
// no checksum, and a bucket that is not found looks like one that is empty.
const bucketMark = "bucket\x00"

// noted reports whether the file says that there is a bucket, as far as it says so at all.
func (tx *tx) noted(path string) bool {
	return !tx.checksums || path == kv.Meta || tx.Bucket(kv.Meta).Get([]byte(bucketMark+path)) != nil
}

// noteBucket records that a bucket was made.
func (tx *tx) noteBucket(path string) error {
	if !tx.checksums || path == kv.Meta {
		return nil
	}
	meta, err := tx.CreateBucket(kv.Meta)
	if err != nil {
		return err
	}
	return meta.Put([]byte(bucketMark+path), nil)
}

// forgetBucket records that a bucket and those inside it are dropped.
func (tx *tx) forgetBucket(path string) error {
	if !tx.checksums {
		return nil
	}
	meta, marks := tx.Bucket(kv.Meta), [][]byte{[]byte(bucketMark + path)}
	for k := range meta.Scan([]byte(bucketMark+path+"\x00"), nil) {
		marks = append(marks, bytes.Clone(k))
	}
	for _, k := range marks {
		if err := meta.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// verifyNoBucket verifies that a bucket that was not found was not made.
func (tx *tx) verifyNoBucket(path string) {
	if !tx.checksums || path == kv.Meta {
		return
	}
	if meta := tx.Bucket(kv.Meta); meta != nil && meta.Get([]byte(bucketMark+path)) != nil {
		panic(kv.BadRecord{What: fmt.Sprintf("its bucket %s is missing", kv.Readable(path))})
	}
}
