package state_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"entrasync/graphsync"
	"entrasync/state"
)

var (
	contoso = id(0xC0)
	now     = time.Date(2026, 11, 22, 10, 0, 0, 5, time.UTC)
)

// id makes readable ids: the number in the last four bytes.
func id(n uint32) graphsync.ID {
	var id graphsync.ID
	id[12], id[13], id[14], id[15] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	id[0] = byte(n*37 + 1)
	return id
}

func open(t testing.TB) *state.Store {
	t.Helper()
	s, err := openDir(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// tenant opens a tenant whose file is checked page by page when the test ends.
func tenant(t testing.TB, s *state.Store) *state.Tenant {
	t.Helper()
	tn, err := s.Tenant(contoso)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tn.Check(); err != nil {
			t.Error(err)
		}
		if err := tn.Close(); err != nil {
			t.Error(err)
		}
	})
	return tn
}

func update(t testing.TB, tn *state.Tenant, fn func(*state.Tx) error) {
	t.Helper()
	if err := tn.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, tn *state.Tenant, fn func(*state.Tx)) {
	t.Helper()
	if err := tn.View(func(tx *state.Tx) error { fn(tx); return nil }); err != nil {
		t.Fatal(err)
	}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return // finding no difference takes seconds where values are large
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	s := open(t)
	tenant(t, s)
	err := filepath.WalkDir(s.Dir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		equal(t, "mode of "+path, info.Mode().Perm(), want)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSecondProcessIsToldWhoHoldsTheDirectory(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, err := state.Open(s.Dir())
	var held *state.InUseError
	if !errors.As(err, &held) || held.PID != os.Getpid() || !strings.HasPrefix(held.Command, "state.test") {
		t.Errorf("opened twice in one process: %v", err)
	}
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "STATE_TEST_OPEN="+s.Dir())
	out, err := other.CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("open state directory %s: it is in use by process %d (state.test", s.Dir(), os.Getpid())
	if !strings.HasPrefix(string(out), want) {
		t.Errorf("the second process says\n%s\nwant\n%s…", out, want)
	}
}

func TestLockEndsWithClose(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 3 {
		s, err := state.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close again: %v", err)
		}
		if _, err := s.Tenant(contoso); err == nil {
			t.Error("a closed store opened a tenant")
		}
	}
}

func TestStateIsNotADirectory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{path, filepath.Join(path, "below")} {
		if _, err := state.Open(dir); err == nil || !strings.Contains(err.Error(), "not a directory") {
			t.Errorf("open %s: %v", dir, err)
		}
	}
}

func TestTenantFileIsOpenWhileUsed(t *testing.T) {
	t.Parallel()
	s := open(t)
	a, err := s.Tenant(contoso)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Tenant(contoso)
	if err != nil {
		t.Fatal(err)
	}
	update(t, a, func(tx *state.Tx) error { return tx.PutSyncInfo("front", state.SyncInfo{ConfigHash: "x"}) })
	if err := errors.Join(a.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	view(t, b, func(tx *state.Tx) { equal(t, "info through the other handle", tx.SyncInfo("front").ConfigHash, "x") })
	if err := s.RemoveTenant(contoso); err == nil {
		t.Error("a tenant in use was removed")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.View(func(*state.Tx) error { return nil }); err == nil {
		t.Error("a closed tenant was read")
	}
	c, err := s.Tenant(contoso)
	if err != nil {
		t.Fatal(err)
	}
	view(t, c, func(tx *state.Tx) { equal(t, "info after reopening", tx.SyncInfo("front").ConfigHash, "x") })
	if err := errors.Join(c.Close(), s.RemoveTenant(contoso), s.RemoveTenant(contoso)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(s.Dir(), contoso.String()+".db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of a removed tenant: %v", err)
	}
}

func TestClaimIsFirstComeFirstServed(t *testing.T) {
	t.Parallel()
	s := open(t)
	first := state.Owner{Tenant: contoso, Sync: "front", Kind: graphsync.User, Source: id(1)}
	var wg sync.WaitGroup
	for n := range uint32(50) { // each account is wanted by two
		for _, source := range []uint32{n, n + 1000} {
			wg.Go(func() {
				_, err := s.Accounts().Claim("app", fmt.Sprint(n), state.Owner{Tenant: contoso, Sync: "s", Kind: graphsync.User, Source: id(source)})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	for n := range uint32(50) {
		o, ok, err := s.Accounts().OwnerOf("app", fmt.Sprint(n), graphsync.User)
		if err != nil || !ok || o.Source != id(n) && o.Source != id(n+1000) {
			t.Errorf("account %d is owned by %v, %v, %v", n, o, ok, err)
		}
	}

	second := state.Owner{Tenant: id(9), Sync: "front", Kind: graphsync.User, Source: id(1)}
	for _, owner := range []state.Owner{first, second, first} {
		got, err := s.Accounts().Claim("app", "a-1", owner)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "owner after a claim", got, first)
	}
	// What is given up is its owner's until it is made over, and claiming it takes it back.
	if err := s.Accounts().OfferTransfer("app", map[string]state.Owner{"a-1": first}); err != nil {
		t.Fatal(err)
	}
	for _, owner := range []state.Owner{second, first, second} {
		got, err := s.Accounts().Claim("app", "a-1", owner)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "owner of what was given up", got, first)
	}
	present, err := s.Accounts().ClaimAll("app", map[string]state.Owner{"a-1": second, "a-2": second})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "owners after claims of several", present, map[string]state.Owner{"a-1": first, "a-2": second})
	if err := s.Accounts().Release("app", "a-1", second); err != nil {
		t.Fatal(err)
	}
	if o, ok, err := s.Accounts().OwnerOf("app", "a-1", graphsync.User); err != nil || !ok || o != first {
		t.Errorf("a stranger released the account: %v, %v, %v", o, ok, err)
	}
	for _, k := range []graphsync.Kind{graphsync.Group} {
		if _, ok, err := s.Accounts().OwnerOf("app", "a-1", k); ok || err != nil {
			t.Errorf("another kind of the same id is owned: %v", err)
		}
	}
	if err := s.Accounts().Release("app", "a-1", first); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Accounts().Claim("app", "a-1", second); err != nil || got != second {
		t.Errorf("claim of a released account: %v, %v", got, err)
	}
	if err := s.RemoveTenant(contoso); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.Accounts().OwnerOf("app", "7", graphsync.User); ok || err != nil {
		t.Errorf("a removed tenant owns accounts: %v", err)
	}
	if _, ok, err := s.Accounts().OwnerOf("app", "a-1", graphsync.User); !ok || err != nil {
		t.Errorf("removing a tenant released the account of another: %v", err)
	}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	refused := errors.New("refused")
	var wg sync.WaitGroup
	for n := range uint32(200) {
		wg.Go(func() {
			err := tn.Batch(func(tx *state.Tx) error {
				if err := tx.Pending("front").Add(state.PendingKey{Kind: graphsync.User, ID: id(n)}); err != nil {
					return err
				}
				if n%10 == 0 {
					return refused
				}
				return nil
			})
			if (n%10 == 0) != errors.Is(err, refused) {
				t.Errorf("caller %d got %v", n, err)
			}
		})
	}
	wg.Go(func() {
		defer func() { equal(t, "panic reaches its caller", recover(), any("mine")) }()
		_ = tn.Batch(func(*state.Tx) error { panic("mine") })
	})
	wg.Wait()
	view(t, tn, func(tx *state.Tx) {
		equal(t, "written", tx.Pending("front").Count(), 180)
		for k := range tx.Pending("front").All(state.PendingKey{}) {
			if n := uint32(k.ID[14])<<8 | uint32(k.ID[15]); n%10 == 0 {
				t.Errorf("the refused %d was written", n)
			}
		}
	})
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	stop := errors.New("stop")
	err := tn.Update(func(tx *state.Tx) error {
		if err := tx.Links("front").Put(state.Link{Kind: graphsync.User, Source: id(1), TargetID: "1", Keys: []state.MatchKey{{"newName", "v"}}}); err != nil {
			return err
		}
		return stop
	})
	if err != stop {
		t.Fatalf("got %v, want the function's own error", err)
	}
	// The dictionary must not remember a name that was rolled back.
	update(t, tn, func(tx *state.Tx) error {
		return tx.Links("front").Put(state.Link{Kind: graphsync.User, Source: id(2), TargetID: "2", Keys: []state.MatchKey{{"other", "v"}}})
	})
	view(t, tn, func(tx *state.Tx) {
		total, _ := tx.Links("front").Count(graphsync.User)
		equal(t, "links", total, 1)
		l, _, err := tx.Links("front").Get(graphsync.User, id(2))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "keys", l.Keys, []state.MatchKey{{"other", "v"}})
	})
}
