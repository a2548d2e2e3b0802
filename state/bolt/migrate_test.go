package bolt

import (
	"errors"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"entrasync/state/kv"
)

// A migration that fails leaves the file at the version before it.
func TestMigration(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	one := &kv.Schema{Kind: "fake", Buckets: []string{"things"}}
	f, err := Open(path, one, "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.raw(true, func(b *bbolt.Tx) error { return b.Bucket([]byte("things")).Put([]byte("k"), []byte("1")) }); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	add := func(digit string) func(kv.Tx) error {
		return func(tx kv.Tx) error {
			things := tx.Bucket("things")
			return things.Put([]byte("k"), append(append([]byte{}, things.Get([]byte("k"))...), digit...))
		}
	}
	fail := errors.New("fail")
	broken := func(tx kv.Tx) error { return errors.Join(add("!")(tx), fail) }
	steps := []struct {
		migrations []func(kv.Tx) error
		err        error
		want       string
	}{
		{[]func(kv.Tx) error{add("2"), broken}, fail, ""}, // stays at 2, with nothing of 3
		{[]func(kv.Tx) error{add("2"), add("3"), add("4")}, nil, "1234"},
		{[]func(kv.Tx) error{add("2"), add("3"), add("4")}, nil, "1234"},
		{[]func(kv.Tx) error{add("2")}, &VersionError{}, ""},
	}
	for i, s := range steps {
		f, err := Open(path, &kv.Schema{Kind: "fake", Buckets: one.Buckets, Migrations: s.migrations}, "x", nil)
		if s.err != nil {
			if v := (*VersionError)(nil); err == nil || !errors.Is(err, s.err) && !errors.As(err, &v) {
				t.Errorf("step %d: got %v, want %v", i, err, s.err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = f.raw(false, func(b *bbolt.Tx) error {
			if got := string(b.Bucket([]byte("things")).Get([]byte("k"))); got != s.want {
				t.Errorf("step %d: got %s, want %s", i, got, s.want)
			}
			return nil
		})
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
