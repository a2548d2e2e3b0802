package state_test

import (
	"fmt"
	"slices"
	"testing"

	"entrasync/graphsync"
	"entrasync/state"
)

// Lists can be read from the middle on, and a tenant's commits be counted without opening it.
func TestReadingOnAndCommits(t *testing.T) {
	t.Parallel()
	store, err := openDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	id := graphsync.ID{1}
	if n := store.Commits(id); n != 0 {
		t.Errorf("commits of a tenant never opened: %d", n)
	}
	tenant, err := store.Tenant(id)
	if err != nil {
		t.Fatal(err)
	}
	opened := store.Commits(id)
	key := func(n int) state.PendingKey {
		return state.PendingKey{Kind: graphsync.User, ID: graphsync.ID{byte(n)}}
	}
	err = tenant.Update(func(tx *state.Tx) error {
		for n := range 5 {
			if err := tx.Runs("front").AppendLine("r", fmt.Append(nil, n)); err != nil {
				return err
			}
			if err := tx.Retries("front").Put(state.Retry{Key: key(n + 1)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = tenant.View(func(tx *state.Tx) error {
		for after, want := range map[int]string{-1: "01234", 0: "01234", 3: "34", 5: "", 9: ""} {
			have := ""
			for line := range tx.Runs("front").LinesAfter("r", after) {
				have += string(line)
			}
			if have != want {
				t.Errorf("lines after %d: %q, want %q", after, have, want)
			}
		}
		if n := tx.Runs("front").CountLines("r"); n != 5 {
			t.Errorf("%d lines, want 5", n)
		}
		if n := tx.Runs("front").CountLines("none"); n != 0 {
			t.Errorf("a run without lines has %d", n)
		}
		behind := slices.Collect(tx.Retries("front").After(key(3)))
		if len(behind) != 2 || behind[0].Key != key(4) {
			t.Errorf("retries behind the third: %+v", behind)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	written := store.Commits(id)
	if written == opened {
		t.Error("a write was not counted")
	}
	tenant.Close()
	if store.Commits(id) != written {
		t.Error("reading and closing count as a write")
	}
	if err := store.RemoveTenant(id); err != nil {
		t.Fatal(err)
	}
	if store.Commits(id) == written {
		t.Error("a removal was not counted")
	}
}
