package state_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/state"
)

// full is a store with everything in it.
func full(t *testing.T) *state.Store {
	t.Helper()
	s, err := state.Open(filepath.Join(t.TempDir(), "full"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tn, err := s.Tenant(contoso)
	if err != nil {
		t.Fatal(err)
	}
	fullTenant(t, tn)
	update(t, tn, func(tx *state.Tx) error {
		lines := [][]byte{[]byte(`{"a":1}`), []byte(`{"b":2}`)}
		return errors.Join(tx.Runs("front").AppendLines("r-1", lines), tx.Space("front", "plan").Put([]byte("k"), nil),
			tx.PutSyncInfo("empty", state.SyncInfo{Location: state.Location{Key: "front", Place: "1", ID: "front"}}))
	})
	owner := state.Owner{Tenant: contoso, Sync: "front", Kind: graphsync.User, Source: id(1)}
	_, err1 := s.Accounts().Claim("front", "target-1", owner)
	_, err2 := s.Accounts().ClaimAll("front", map[string]state.Owner{"target-2": {Tenant: contoso, Sync: "front", Kind: graphsync.User, Source: id(2)}})
	err = errors.Join(err1, err2, s.Accounts().OfferTransfer("front", map[string]state.Owner{"target-1": owner}), s.TenantRecords().Put(state.TenantRecord{ID: contoso, Name: "contoso", Paused: true}),
		s.Invitations().Put(state.InvitationKey{1}, state.Invitation{Note: "Fabrikam"}), tn.Close())
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.Tenant(id(0xFA))
	if err := errors.Join(err, other.Close()); err != nil {
		t.Fatal(err)
	}
	return s
}

func export(t testing.TB, s *state.Store, tenants ...graphsync.ID) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := s.Export(&out, tenants); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func imported(t testing.TB, s *state.Store, text []byte) {
	t.Helper()
	if _, err := s.Import(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
}

func fresh(t testing.TB) *state.Store {
	t.Helper()
	s, err := state.Open(filepath.Join(t.TempDir(), "fresh"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// The state keeps its bytes from files to a database, and back to files.
func TestDatabaseTakesOverFilesAndGivesThemBack(t *testing.T) {
	t.Parallel()
	inFiles := export(t, full(t))
	database, err := state.OpenPostgres(context.Background(), server.Database(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	imported(t, database, inFiles)
	if !bytes.Equal(export(t, database), inFiles) {
		t.Error("the database exports something else")
	}
	again := fresh(t)
	imported(t, again, export(t, database))
	if !bytes.Equal(export(t, again), inFiles) {
		t.Error("the files export something else")
	}
	// It is a state to work with, in all three.
	for _, s := range []*state.Store{database, again} {
		tn, err := s.Own(contoso)
		if err != nil {
			t.Fatal(err)
		}
		view(t, tn, func(tx *state.Tx) {
			equal(t, "users", tx.Objects().Count(graphsync.User), crowd)
			equal(t, "lines", tx.Runs("front").CountLines("r-1"), 2)
			if source, found := tx.Links("front").ByTarget(graphsync.User, "target-7"); !found || source != id(7) {
				t.Errorf("target-7 is of %v, %v", source, found)
			}
		})
		owner, owned, err := s.Accounts().OwnerOf("front", "target-2", graphsync.User)
		if err != nil || !owned || owner.Source != id(2) || tn.Close() != nil {
			t.Errorf("owner %v %v %v", owner, owned, err)
		}
	}
}

// One tenant can move to another state: its claims are made there from its links.
func TestExportOfATenant(t *testing.T) {
	t.Parallel()
	text := export(t, full(t), contoso)
	to := fresh(t)
	imported(t, to, text)
	if !bytes.Equal(export(t, to, contoso), text) {
		t.Error("it is exported differently")
	}
	if _, err := to.Import(bytes.NewReader(text)); err == nil || !strings.Contains(err.Error(), "has tenant "+contoso.String()+" already") {
		t.Errorf("imported twice: %v", err)
	}
	if _, err := to.Export(&bytes.Buffer{}, []graphsync.ID{id(9)}); err == nil || !strings.Contains(err.Error(), "it has no state") {
		t.Errorf("a tenant without a state: %v", err)
	}
	dir := to.Dir()
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	to, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	tn, err := to.Tenant(contoso)
	if err != nil {
		t.Fatal(err)
	}
	defer tn.Close()
	view(t, tn, func(tx *state.Tx) { equal(t, "users", tx.Objects().Count(graphsync.User), crowd) })
}

// An export of everything is not mixed with what is there.
func TestImportNeedsAnEmptyState(t *testing.T) {
	t.Parallel()
	from := full(t)
	text := export(t, from)
	if _, err := from.Import(bytes.NewReader(text)); err == nil || !strings.Contains(err.Error(), "has 2 tenants already") {
		t.Errorf("got %v", err)
	}
}

// An export that is cut off or changed anywhere is refused, and nothing is written.
func TestDamagedExport(t *testing.T) {
	t.Parallel()
	good := export(t, full(t))
	to := fresh(t)
	if found, err := state.VerifyExport(fresh(t), bytes.NewReader(good)); err != nil || !found.Registry || len(found.Tenants) != 2 || found.Rows < crowd {
		t.Fatalf("%+v, %v", found, err)
	}
	for at := 0; at < len(good); at += 1 + len(good)/300 {
		flipped := slices.Clone(good)
		flipped[at] ^= 0x10
		for what, bad := range map[string][]byte{"cut off": good[:at], "changed": flipped} {
			if bytes.HasPrefix(bad, good[:4]) && at < 10 && what == "changed" && at > 3 {
				continue // the head of gzip has a time and a system, which say nothing
			}
			if _, err := to.Import(bytes.NewReader(bad)); err == nil {
				t.Fatalf("%s at %d of %d: taken in", what, at, len(good))
			}
		}
	}
	files, err := os.ReadDir(to.Dir())
	if err != nil || len(files) != 2 { // the lock and an empty registry
		t.Errorf("there are %d files, %v", len(files), err)
	}
}

// A kept plan is bound to the number of a commit. An imported state counts from another number, which could be that of the
// plan by accident, so that none is taken in.
func TestImportForgetsKeptPlans(t *testing.T) {
	t.Parallel()
	s := full(t)
	tn := tenant(t, s)
	update(t, tn, func(tx *state.Tx) error { return tx.Space("front", "kept-plan").Put([]byte("plan"), []byte("1")) })
	text := export(t, s)
	into := open(t)
	imported(t, into, text)
	view(t, tenant(t, into), func(tx *state.Tx) {
		if n := tx.Space("front", "kept-plan").Count(); n != 0 || tx.Space("front", "kept-plan").Has([]byte("plan")) {
			t.Errorf("%d kept plans were taken in", n)
		}
	})
}
