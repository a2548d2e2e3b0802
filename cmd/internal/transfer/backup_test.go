package transfer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

func openWith(t *testing.T, tenants ...graphsync.ID) *state.Store {
	t.Helper()
	store, err := state.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	for _, id := range tenants {
		tenant, err := store.Tenant(id)
		if err != nil {
			t.Fatal(err)
		}
		if err := tenant.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

func names(t *testing.T, folder string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// The newest backups are kept, files of others are left alone, and what a killed attempt left behind goes.
func TestBackUpKeepsTheNewest(t *testing.T) {
	t.Parallel()
	store, folder := openWith(t, graphsync.ID{1}), filepath.Join(t.TempDir(), "new", "folder")
	at := time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)
	if !Newest(folder).IsZero() {
		t.Error("a folder that is not there has a backup")
	}
	for day := range 4 {
		done, err := BackUp(store, folder, 2, at.AddDate(0, 0, day))
		if err != nil || len(done.Tenants) != 1 || done.Bytes == 0 {
			t.Fatalf("day %d: %+v, %v", day, done, err)
		}
		if day == 0 {
			for _, name := range []string{"notes.txt", "entrasync-20261130T020000Z.state.123"} {
				if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chtimes(filepath.Join(folder, "entrasync-20261130T020000Z.state.123"), at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := []string{"entrasync-20261202T020000Z.state", "entrasync-20261203T020000Z.state", "notes.txt"}
	if got := names(t, folder); !slices.Equal(got, want) {
		t.Errorf("the folder has %v, want %v", got, want)
	}
	info, err := os.Stat(filepath.Join(folder, want[1]))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if got := Newest(folder); !got.Equal(at.AddDate(0, 0, 3)) {
		t.Errorf("the newest is of %v", got)
	}
	if _, err := Import(func() (*state.Store, error) { return state.Open(filepath.Join(t.TempDir(), "other")) }, filepath.Join(folder, want[1])); err != nil {
		t.Errorf("import: %v", err)
	}
}

// A backup that cannot be written deletes no other, and says what to do.
func TestBackUpThatFails(t *testing.T) {
	t.Parallel()
	store, folder := openWith(t), t.TempDir()
	if _, err := BackUp(store, folder, 1, time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	before := names(t, folder)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := BackUp(store, folder, 1, time.Date(2026, 12, 1, 2, 0, 0, 0, time.UTC))
	if err == nil || !strings.Contains(err.Error(), "back up the state to "+folder) {
		t.Errorf("error %v", err)
	}
	if got := names(t, folder); !slices.Equal(got, before) {
		t.Errorf("the folder has %v, want %v", got, before)
	}
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := BackUp(store, file, 1, time.Now()); err == nil {
		t.Error("a file is taken for a folder")
	}
}
