package state

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"entrasync/graphsync"
)

// The tests are inside the package because older schemas cannot be written from outside.
func TestMigration(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	one := &schema{kind: "fake", buckets: []string{"things"}}
	f, err := openFile(path, one, "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.raw(true, func(b *bbolt.Tx) error { return b.Bucket([]byte("things")).Put([]byte("k"), []byte("1")) }); err != nil {
		t.Fatal(err)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}

	add := func(digit string) func(*Tx) error {
		return func(tx *Tx) error {
			things := tx.kv.b.Bucket([]byte("things"))
			return things.Put([]byte("k"), append(append([]byte{}, things.Get([]byte("k"))...), digit...))
		}
	}
	fail := errors.New("fail")
	broken := func(tx *Tx) error { return errors.Join(add("!")(tx), fail) }
	steps := []struct {
		migrations []func(*Tx) error
		err        error
		want       string
	}{
		{[]func(*Tx) error{add("2"), broken}, fail, ""}, // stays at 2, with nothing of 3
		{[]func(*Tx) error{add("2"), add("3"), add("4")}, nil, "1234"},
		{[]func(*Tx) error{add("2"), add("3"), add("4")}, nil, "1234"},
		{[]func(*Tx) error{add("2")}, &VersionError{}, ""},
	}
	for i, s := range steps {
		f, err := openFile(path, &schema{kind: "fake", buckets: one.buckets, migrations: s.migrations}, "x", nil)
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
		if err := f.close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Records were kept by name: two of one tenant become one, that of its consent, and nobody who
// was paused runs again.
func TestRecordsByID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, err := openFile(filepath.Join(dir, "registry.db"), &schema{kind: "registry", buckets: registrySchema.buckets}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	err = old.update(func(tx *Tx) error {
		var errs []error
		for name, record := range map[string]TenantRecord{
			"contoso":  {Name: "contoso", ID: graphsync.ID{1}, Origin: "file", Paused: true},
			"joined":   {Name: "joined", ID: graphsync.ID{1}, Origin: "consent", Note: "Contoso Ltd"},
			"fabrikam": {Name: "fabrikam", ID: graphsync.ID{2}, Origin: "consent", State: "active"},
			"nobody":   {Name: "nobody"},
		} {
			errs = append(errs, tx.kv.putJSON([]byte(name), record, bucketTenants))
		}
		return errors.Join(errs...)
	})
	if err := errors.Join(err, old.close()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.TenantRecords()
		want := []TenantRecord{
			{Name: "fabrikam", ID: graphsync.ID{2}, Origin: "consent", State: "active"},
			{Name: "joined", ID: graphsync.ID{1}, Origin: "consent", Note: "Contoso Ltd", Paused: true},
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%+v, %v\nwant %+v", got, err, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
