package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"go.etcd.io/bbolt"
)

// buckets are the buckets of a file within one transaction: nested, named by paths, and marked, so that
// one that is missing is not taken for an empty one. What the values mean is no matter of theirs.
type buckets struct {
	b         *bbolt.Tx
	checksums bool               // the file's values carry them
	trees     map[string]*bucket // opened so far, by path; nil: it is not there
	arena     []byte             // where values wait for the commit
}

// open wraps a bucket of bbolt.
func (kv *buckets) open(b *bbolt.Bucket, path string) *bucket {
	return &bucket{b: b, kv: kv, path: path, seed: seedOf(path), plain: !kv.checksums}
}

// bucket returns a bucket by its path, nil when there is none.
func (kv *buckets) bucket(path ...string) *bucket {
	key := strings.Join(path, "\x00")
	if b, opened := kv.trees[key]; opened {
		return b
	}
	var b *bbolt.Bucket
	for i, name := range path {
		if i == 0 {
			b = kv.b.Bucket([]byte(name))
		} else {
			b = b.Bucket([]byte(name))
		}
		if b == nil {
			kv.verifyNoBucket(strings.Join(path[:i+1], "\x00"))
			kv.trees[key] = nil
			return nil
		}
	}
	kv.trees[key] = kv.open(b, key)
	return kv.trees[key]
}

// createBucket returns a bucket by its path and creates it where there is none.
func (kv *buckets) createBucket(path ...string) (*bucket, error) {
	if b := kv.bucket(path...); b != nil {
		return b, nil
	}
	var b *bbolt.Bucket
	var err error
	if last := len(path) - 1; last == 0 {
		b, err = kv.b.CreateBucketIfNotExists([]byte(path[0]))
	} else {
		var parent *bucket
		if parent, err = kv.createBucket(path[:last]...); err == nil {
			b, err = parent.b.CreateBucketIfNotExists([]byte(path[last]))
		}
	}
	key := strings.Join(path, "\x00")
	if err == nil {
		err = kv.noteBucket(key)
	}
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", strings.Join(path, "/"), err)
	}
	kv.trees[key] = kv.open(b, key)
	return kv.trees[key], nil
}

// deleteBucket deletes a bucket with all it holds. Its pages become free without being read.
func (kv *buckets) deleteBucket(path ...string) error {
	if kv.bucket(path...) == nil {
		return nil
	}
	key := strings.Join(path, "\x00")
	maps.DeleteFunc(kv.trees, func(k string, _ *bucket) bool {
		return k == key || strings.HasPrefix(k, key+"\x00")
	})
	if err := kv.forgetBucket(key); err != nil {
		return err
	}
	kv.trees[key] = nil
	last := len(path) - 1
	if last == 0 {
		return kv.b.DeleteBucket([]byte(key))
	}
	return kv.bucket(path[:last]...).b.DeleteBucket([]byte(path[last]))
}

// put stores a value where its bucket may not exist yet.
func (kv *buckets) put(key, value []byte, path ...string) error {
	b, err := kv.createBucket(path...)
	if err != nil {
		return err
	}
	return b.Put(key, value)
}

// append stores a value like put. What comes in the order of the keys fills its pages.
func (kv *buckets) append(key, value []byte, path ...string) error {
	b, err := kv.createBucket(path...)
	if err != nil {
		return err
	}
	b.fillInOrder(key)
	return b.Put(key, value)
}

// get reads a value where its bucket may not exist yet.
func (kv *buckets) get(key []byte, path ...string) []byte {
	if b := kv.bucket(path...); b != nil {
		return b.Get(key)
	}
	return nil
}

// delete deletes a key and tells whether it was there.
func (kv *buckets) delete(key []byte, path ...string) (bool, error) {
	b := kv.bucket(path...)
	if b == nil || b.Get(key) == nil {
		return false, nil
	}
	return true, b.Delete(key)
}

// reserve makes the arena large enough for n more bytes. bbolt keeps the values it is given until
// the commit, so they are never moved or reused.
func (kv *buckets) reserve(n int) {
	if cap(kv.arena)-len(kv.arena) < n {
		kv.arena = make([]byte, 0, max(n, 64<<10))
	}
}

// putJSON stores a record that people may want to read in the file.
func (kv *buckets) putJSON(key []byte, record any, path ...string) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return kv.put(key, text, path...)
}

// giveBack returns the last record made to the arena.
func (kv *buckets) giveBack(rec []byte) { kv.arena = kv.arena[:len(kv.arena)-len(rec)] }

// withChecksum appends a checksum to a value, in place when the value is the last in the arena.
func (kv *buckets) withChecksum(sum uint32, value []byte) []byte {
	n, end := len(value), len(kv.arena)
	if n == 0 || end < n || &kv.arena[end-1] != &value[n-1] || cap(kv.arena)-end < checksumSize {
		kv.reserve(n + checksumSize)
		kv.arena = append(kv.arena, value...)
		end = len(kv.arena)
	}
	kv.arena = binary.BigEndian.AppendUint32(kv.arena, sum)
	return kv.arena[end-n : len(kv.arena) : len(kv.arena)]
}

// bucketMark begins the keys of the meta bucket that say which buckets there are: bucket names have
// no checksum, and a bucket that is not found looks like one that is empty.
const bucketMark = "bucket\x00"

// noteBucket records that a bucket was made.
func (kv *buckets) noteBucket(path string) error {
	if !kv.checksums || path == bucketMeta {
		return nil
	}
	return kv.put([]byte(bucketMark+path), nil, bucketMeta)
}

// forgetBucket records that a bucket and those inside it are dropped.
func (kv *buckets) forgetBucket(path string) error {
	if !kv.checksums {
		return nil
	}
	meta, marks := kv.bucket(bucketMeta), [][]byte{[]byte(bucketMark + path)}
	for k := range scan(meta, []byte(bucketMark+path+"\x00"), nil) {
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
func (kv *buckets) verifyNoBucket(path string) {
	if kv.checksums && path != bucketMeta && kv.get([]byte(bucketMark+path), bucketMeta) != nil {
		panic(badRecord{fmt.Sprintf("its bucket %s is missing", strings.ReplaceAll(path, "\x00", "/"))})
	}
}
