package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/state/bolt"
	"entrasync/state/sealed"
)

// Links are found by their target and by their keys at any time: before their index entries are written, while
// they are, after a transaction that was rolled back, and when a process that was killed starts again.
func TestLinksAreFoundWhileTheirIndexIsBehind(t *testing.T) {
	t.Parallel()
	dir, files := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		open := func(path string) *database {
			f, _, err := openFile(path, tenantSchema, "x", sealed.Ring{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			f.db.(*bolt.File).NoSync() // a process is killed below, and no machine
			return f
		}
		fresh := func() string { files++; return filepath.Join(dir, fmt.Sprint(files)+".db") }
		path := fresh()
		f := open(path)
		// A file that does not grow: a writer that must make it larger would wait for the views below.
		err := errors.Join(f.update(func(tx *Tx) error { return tx.kv.put([]byte("large"), make([]byte, 1<<20), bucketCounts) }),
			f.update(func(tx *Tx) error { _, err := tx.kv.delete([]byte("large"), bucketCounts); return err }))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.close() }()
		links := map[graphsync.ID]Link{}  // by source
		last := map[string]graphsync.ID{} // target → whose link was put last
		id := rapid.Map(rapid.IntRange(1, 5), func(n int) graphsync.ID { return graphsync.ID{15: byte(n)} })
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 7).Draw(t, "step") {
			case 0, 1, 2:
				l := Link{Kind: graphsync.User, Source: id.Draw(t, "source"), TargetID: fmt.Sprint("t-", rapid.IntRange(1, 4).Draw(t, "target"))}
				for range rapid.IntRange(0, 2).Draw(t, "keys") {
					k := MatchKey{"externalId", id.Draw(t, "external id").String()}
					if rapid.Bool().Draw(t, "by name") {
						k = MatchKey{"userName", fmt.Sprint("n-", rapid.IntRange(1, 3).Draw(t, "name"))}
					}
					if !slices.Contains(l.Keys, k) {
						l.Keys = append(l.Keys, k)
					}
				}
				undone := errors.New("undone")
				keep := rapid.IntRange(0, 3).Draw(t, "kept") > 0
				err := f.update(func(tx *Tx) error {
					if err := tx.Links("s").Put(l); err != nil || keep {
						return err
					}
					return undone
				})
				if keep != (err == nil) {
					t.Fatal(err)
				}
				if keep {
					links[l.Source], last[l.TargetID] = l, l.Source
				}
			case 3:
				source := id.Draw(t, "source")
				if err := f.update(func(tx *Tx) error { return tx.Links("s").Delete(graphsync.User, source) }); err != nil {
					t.Fatal(err)
				}
				delete(links, source)
			case 4:
				if err := f.writeIndexes(); err != nil {
					t.Fatal(err)
				}
			case 5: // killed: what was not committed is gone
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if path = fresh(); os.WriteFile(path, text, 0o600) != nil || f.close() != nil {
					t.Fatal("no copy")
				}
				f = open(path)
			case 6: // a view from before sees what was there, whatever is written meanwhile
				err := f.view(func(tx *Tx) error {
					done := make(chan error)
					go func() { done <- f.writeIndexes() }()
					if err := <-done; err != nil {
						return err
					}
					return verifyFound(tx, links, last)
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := f.view(func(tx *Tx) error { return verifyFound(tx, links, last) }); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.writeIndexes(); err != nil {
			t.Fatal(err)
		}
		err = f.view(func(tx *Tx) error {
			if due, err := unindexedLinks(tx); err != nil || len(due) > 0 {
				return fmt.Errorf("entries are still due: %v, %v", due, err)
			}
			tx.hints = nil
			return verifyFound(tx, links, last)
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// verifyFound compares what the indexes say with the links.
func verifyFound(tx *Tx, links map[graphsync.ID]Link, last map[string]graphsync.ID) error {
	for n := range 6 {
		target := fmt.Sprint("t-", n)
		source, ok := tx.Links("s").ByTarget(graphsync.User, target)
		if ok && links[source].TargetID != target {
			return fmt.Errorf("%s leads to %s, whose link is to %q", target, source, links[source].TargetID)
		}
		if want, there := last[target]; there && links[want].TargetID == target && source != want {
			return fmt.Errorf("%s leads to %s, want %s", target, source, want)
		}
		keys := []MatchKey{{"userName", fmt.Sprint("n-", n)}, {"externalId", graphsync.ID{15: byte(n)}.String()}}
		for _, key := range keys {
			var want []graphsync.ID
			for source := byte(1); source < 6; source++ {
				if slices.Contains(links[graphsync.ID{15: source}].Keys, key) {
					want = append(want, graphsync.ID{15: source})
				}
			}
			if got := tx.Links("s").SourcesByKey(graphsync.User, key); !slices.Equal(got, want) {
				return fmt.Errorf("%v leads to %v, want %v", key, got, want)
			}
		}
	}
	return nil
}

// A transaction that begins while the entries are being written finds the links all the same.
func TestLinksAreFoundWhileEntriesAreWritten(t *testing.T) {
	t.Parallel()
	f, _, err := openFile(filepath.Join(t.TempDir(), "a.db"), tenantSchema, "x", sealed.Ring{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.close() })
	link := Link{Kind: graphsync.User, Source: graphsync.ID{1}, TargetID: "t-1", Keys: []MatchKey{{"userName", "ada"}}}
	if err := f.update(func(tx *Tx) error { return tx.Links("s").Put(link) }); err != nil {
		t.Fatal(err)
	}
	f.hints.Store(newLinkHints(f.hints.Load())) // as writing them begins
	for _, written := range []uint64{0, 1 << 40} {
		f.hints.Load().written.Store(written) // by none, or by a transaction that comes later
		err := f.view(func(tx *Tx) error {
			source, ok := tx.Links("s").ByTarget(graphsync.User, "t-1")
			if by := tx.Links("s").SourcesByKey(graphsync.User, link.Keys[0]); !ok || source != link.Source || len(by) != 1 {
				t.Errorf("found by its target: %v, by its name: %v", ok, by)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
