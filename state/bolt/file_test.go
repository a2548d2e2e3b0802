package bolt_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"entrasync/state/bolt"
	"entrasync/state/kv"
	"entrasync/state/kv/kvtest"
)

func TestFileKeepsWhatTheSeamPromises(t *testing.T) {
	t.Parallel()
	dir, n := t.TempDir(), 0
	path := func() string { return filepath.Join(dir, fmt.Sprint(n)+".db") }
	open := func() *bolt.File {
		f, err := bolt.Open(path(), kvtest.Schema, "x", nil)
		if err != nil {
			t.Fatal(err)
		}
		f.NoSync() // a process may end here, and no machine
		return f
	}
	kvtest.Run(t, func() kv.DB { n++; return open() }, func(db kv.DB) kv.DB {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return open()
	})
}

// A bucket of many pages that a transaction empties takes entries again in that transaction, and has no last one before.
func TestABucketIsEmptiedAndFilledAgain(t *testing.T) {
	t.Parallel()
	f, err := bolt.Open(filepath.Join(t.TempDir(), "emptied.db"), kvtest.Schema, "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	key := func(n int) []byte { return fmt.Appendf(nil, "key %06d", n) }
	fill := func(tx kv.Tx) kv.Bucket {
		b, err := tx.CreateBucket(kvtest.Schema.Buckets[0])
		for n := 0; n < 5000 && err == nil; n++ {
			err = b.Append(key(n), []byte("value"))
		}
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if err := f.Update(func(tx kv.Tx) error { fill(tx); return nil }); err != nil {
		t.Fatal(err)
	}
	err = f.Update(func(tx kv.Tx) error {
		b := tx.Bucket(kvtest.Schema.Buckets[0])
		for n := range 5000 {
			if err := b.Delete(key(n)); err != nil {
				return err
			}
		}
		for k := range b.Backward() {
			t.Errorf("%s is there after all were deleted", k)
		}
		if err := b.Append(key(7000), []byte("again")); err != nil {
			return err
		}
		for k := range b.Backward() {
			if !bytes.Equal(k, key(7000)) {
				t.Errorf("the last is %s", k)
			}
			break
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
