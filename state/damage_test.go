package state_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"entrasync/graphsync"
	"entrasync/state"
)

// filled returns a closed state directory with one tenant of n users, and that tenant's file.
func filled(t *testing.T, n uint32) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	s, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	tn, err := s.Tenant(contoso)
	if err != nil {
		t.Fatal(err)
	}
	update(t, tn, func(tx *state.Tx) error {
		page := &graphsync.Page{Delta: "d"}
		for i := range n {
			page.Changes = append(page.Changes, user(i, "displayName", fmt.Sprintf(`"person %d"`, i)))
		}
		if err := tx.Cursors().BeginRound(graphsync.Users, "k", now); err != nil {
			return err
		}
		_, err := tx.PutPage(graphsync.Users, page, now, []string{"front"})
		return err
	})
	if err := errors.Join(tn.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, contoso.String()+".db")
}

// readAll opens the tenant and touches everything, as a cycle would.
func readAll(t *testing.T, dir string) (objects int, err error) {
	t.Helper()
	s, err := state.Open(dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	tn, err := s.Tenant(contoso)
	if err != nil {
		return 0, err
	}
	defer tn.Close()
	err = tn.View(func(tx *state.Tx) error {
		for o := range tx.Objects().All(graphsync.User, graphsync.ID{}) {
			for range o.All() {
				objects++
			}
		}
		for range tx.Pending("front").All(state.PendingKey{}) {
		}
		return nil
	})
	if err != nil {
		return objects, err
	}
	return objects, tn.Update(func(tx *state.Tx) error {
		for i := range uint32(100) {
			if err := tx.Pending("front").Delete(state.PendingKey{Kind: graphsync.User, ID: id(i * 50)}); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestDamagedFileIsNamed(t *testing.T) {
	t.Parallel()
	cases := map[string]func(t *testing.T, path string){
		"half of it": func(t *testing.T, path string) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, info.Size()/2); err != nil {
				t.Fatal(err)
			}
		},
		"one page":  func(t *testing.T, path string) { cut(t, path, 4096) },
		"100 bytes": func(t *testing.T, path string) { cut(t, path, 100) },
		"text": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("not a state file\n", 5000)), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, harm := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, path := filled(t, 5000)
			harm(t, path)
			_, err := readAll(t, dir)
			var damaged *state.DamagedError
			if !errors.As(err, &damaged) || damaged.Path != path || !strings.Contains(err.Error(), "move the file away") {
				t.Fatalf("got %v", err)
			}
			// What the message advises works.
			if err := os.Rename(path, path+".bad"); err != nil {
				t.Fatal(err)
			}
			if n, err := readAll(t, dir); n != 0 || err != nil {
				t.Errorf("after moving the file away: %d objects, %v", n, err)
			}
		})
	}
}

func cut(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

// Whatever is wrong in a file, it is an error or goes unnoticed, but never a panic.
func TestRandomDamageNeverPanics(t *testing.T) {
	t.Parallel()
	dir, path := filled(t, 3000)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for seed := range uint64(150) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		bad := append([]byte(nil), good...)
		for range 40 {
			page := 2 + rnd.IntN(len(bad)/4096-2)
			at := rnd.IntN(64) // page headers and element tables
			if at >= 12 && at < 16 {
				continue // how many pages follow: bbolt believes four billion and is busy for minutes
			}
			bad[page*4096+at] = byte(rnd.Uint32())
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		var damaged *state.DamagedError
		if _, err := readAll(t, dir); errors.As(err, &damaged) {
			found++
		} else if err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	if found < 20 {
		t.Errorf("only %d of 150 damaged files were noticed", found)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	dir, path := filled(t, 1)
	edit(t, path, func(b *bbolt.Tx) error {
		return b.Bucket([]byte("meta")).Put([]byte("schema"), binary.BigEndian.AppendUint32(nil, 99))
	})
	_, err := readAll(t, dir)
	var version *state.VersionError
	if !errors.As(err, &version) || version.Has != 99 || version.Path != path {
		t.Errorf("a newer file: %v", err)
	}
	edit(t, path, func(b *bbolt.Tx) error { return b.DeleteBucket([]byte("meta")) })
	if _, err := readAll(t, dir); err == nil || !strings.Contains(err.Error(), "not written by entrasync") {
		t.Errorf("a foreign file: %v", err)
	}
}

func TestFileOfAnotherTenantIsNoticed(t *testing.T) {
	t.Parallel()
	dir, path := filled(t, 1)
	other := filepath.Join(dir, id(7).String()+".db")
	if err := os.Rename(path, other); err != nil {
		t.Fatal(err)
	}
	s, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Tenant(id(7)); err == nil || !strings.Contains(err.Error(), contoso.String()) {
		t.Errorf("got %v", err)
	}
}

// A panic of the caller's is not the file's fault.
func TestCallersPanicStaysAPanic(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	for _, run := range []func(func(*state.Tx) error) error{tn.View, tn.Update, tn.Batch} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			var none *state.Link
			_ = run(func(*state.Tx) error { none.Key = "x"; return nil })
		}()
	}
	update(t, tn, func(tx *state.Tx) error { return tx.Pending("front").SetEverything(true) })
}

func edit(t *testing.T, path string, fn func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(fn), db.Close()); err != nil {
		t.Fatal(err)
	}
}
