package bolt_test

import (
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
