package state

import (
	"encoding/json"
	"iter"
	"maps"

	"entrasync/state/kv"
)

// buckets are the buckets of a database within one transaction, by the names on their paths. What the values mean is
// no matter of theirs.
type buckets struct {
	tx     kv.Tx
	opened map[string]kv.Bucket // so far, by path; nil: it is not there
}

// bucket returns a bucket by its path, nil when there is none.
func (b *buckets) bucket(path ...string) kv.Bucket {
	key := kv.Path(path...)
	found, opened := b.opened[key]
	if !opened {
		found = b.tx.Bucket(key)
		b.opened[key] = found
	}
	return found
}

// createBucket returns a bucket by its path and creates it where there is none.
func (b *buckets) createBucket(path ...string) (kv.Bucket, error) {
	if found := b.bucket(path...); found != nil {
		return found, nil
	}
	key := kv.Path(path...)
	maps.DeleteFunc(b.opened, func(other string, found kv.Bucket) bool { return found == nil && kv.Within(key, other) })
	made, err := b.tx.CreateBucket(key)
	if err == nil {
		b.opened[key] = made
	}
	return made, err
}

// deleteBucket deletes a bucket with all it holds.
func (b *buckets) deleteBucket(path ...string) error {
	key := kv.Path(path...)
	maps.DeleteFunc(b.opened, func(other string, _ kv.Bucket) bool { return other == key || kv.Within(other, key) })
	return b.tx.DeleteBucket(key)
}

// put stores a value where its bucket may not exist yet.
func (b *buckets) put(key, value []byte, path ...string) error {
	bucket, err := b.createBucket(path...)
	if err != nil {
		return err
	}
	return bucket.Put(key, value)
}

// append stores a value like put, of a key that mostly comes behind all others.
func (b *buckets) append(key, value []byte, path ...string) error {
	bucket, err := b.createBucket(path...)
	if err != nil {
		return err
	}
	return bucket.Append(key, value)
}

// get reads a value where its bucket may not exist yet.
func (b *buckets) get(key []byte, path ...string) []byte {
	if bucket := b.bucket(path...); bucket != nil {
		return bucket.Get(key)
	}
	return nil
}

// delete deletes a key and tells whether it was there.
func (b *buckets) delete(key []byte, path ...string) (bool, error) {
	bucket := b.bucket(path...)
	if bucket == nil || bucket.Get(key) == nil {
		return false, nil
	}
	return true, bucket.Delete(key)
}

// putJSON stores a record that people may want to read in the store.
func (b *buckets) putJSON(key []byte, record any, path ...string) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return b.put(key, text, path...)
}

// scan yields the entries of a bucket that may not exist, see [kv.Bucket].
func scan(b kv.Bucket, prefix, after []byte) iter.Seq2[[]byte, []byte] {
	if b == nil {
		return func(func(k, v []byte) bool) {}
	}
	return b.Scan(prefix, after)
}

// backward yields all entries of a bucket that may not exist, the greatest key first.
func backward(b kv.Bucket) iter.Seq2[[]byte, []byte] {
	if b == nil {
		return func(func(k, v []byte) bool) {}
	}
	return b.Backward()
}
