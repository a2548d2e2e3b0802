package state

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"entrasync/graphsync"
	"entrasync/state/kv"
	"entrasync/state/sealed"
)

// Records were kept by name: two of one tenant become one, that of its consent, and no tenant that
// was paused runs again.
func TestRecordsByID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, _, err := openFile(filepath.Join(dir, "registry.db"), &kv.Schema{Kind: "registry", Buckets: registrySchema.Buckets}, "", sealed.Ring{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = old.update(func(tx *Tx) error {
		var errs []error
		for name, record := range map[string]TenantRecord{
			"contoso":  {Name: "contoso", ID: graphsync.ID{1}, Origin: "file", Paused: true},
			"joined":   {Name: "joined", ID: graphsync.ID{1}, Origin: "consent", Note: "Contoso Ltd"},
			"fabrikam": {Name: "fabrikam", ID: graphsync.ID{2}, Origin: "consent", State: "active"},
			"unnamed":  {Name: "unnamed"},
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
		got, err := s.TenantRecords().All()
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
