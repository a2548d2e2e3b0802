package state_test

import (
	"errors"
	"maps"
	"testing"

	"entrasync/state"
)

// News are kept over a restart, are found by how their keys begin, and change together or not at all.
func TestNews(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := openDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	update := func(want error, change func(tx state.NewsTx) error) {
		t.Helper()
		if err := store.News().Update(change); !errors.Is(err, want) {
			t.Fatalf("%v, want %v", err, want)
		}
	}
	update(nil, func(tx state.NewsTx) error {
		return errors.Join(tx.Put("event/a/1", []byte("one")), tx.Put("event/a/2", []byte("two")), tx.Put("event/ab/1", []byte("other")),
			tx.PutMark("front/contoso", []byte("held")), tx.PutMark("front/fabrikam", []byte("failing")))
	})
	update(broken, func(tx state.NewsTx) error {
		return errors.Join(tx.Delete("event/a/1"), tx.Put("event/a/3", nil), tx.DeleteMark("front/contoso"), broken)
	})
	update(nil, func(tx state.NewsTx) error {
		return errors.Join(tx.Delete("event/a/2"), tx.Delete("event/a/never"), tx.DeleteMark("front/fabrikam"))
	})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if store, err = openDir(dir); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	err = store.News().View(func(tx state.NewsTx) error {
		text := func(all map[string][]byte) map[string]string {
			out := map[string]string{}
			for key, value := range all {
				out[key] = string(value)
			}
			return out
		}
		if got := text(maps.Collect(tx.Records("event/a/"))); !maps.Equal(got, map[string]string{"event/a/1": "one"}) {
			t.Errorf("records %v", got)
		}
		if got := text(maps.Collect(tx.Marks("front/"))); !maps.Equal(got, map[string]string{"front/contoso": "held"}) {
			t.Errorf("marks %v", got)
		}
		if string(tx.Record("event/ab/1")) != "other" || tx.Record("event/a/2") != nil || string(tx.Mark("front/contoso")) != "held" || tx.Mark("front") != nil {
			t.Errorf("%q, %q, %q, %q", tx.Record("event/ab/1"), tx.Record("event/a/2"), tx.Mark("front/contoso"), tx.Mark("front"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
