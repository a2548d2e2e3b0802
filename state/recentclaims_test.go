package state

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/state/bolt"
)

// An account has one owner, whichever way it was claimed and whether the claim is in the file by now.
func TestClaimsInMemoryAndInTheFileAreOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	s.registry.db.(*bolt.File).NoSync()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		application := fmt.Sprint("app-", run)
		owners, given := map[string]Owner{}, map[string]bool{}
		account := rapid.Map(rapid.IntRange(1, 4), func(n int) string { return fmt.Sprint("u-", n) })
		anyOwner := rapid.Map(rapid.IntRange(1, 3), func(n int) Owner {
			return Owner{Tenant: graphsync.ID{byte(n)}, Sync: "s", Kind: graphsync.User, Source: graphsync.ID{byte(10 * n)}}
		})
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			id, owner := account.Draw(t, "account"), anyOwner.Draw(t, "owner")
			switch rapid.IntRange(0, 6).Draw(t, "step") {
			case 0, 1:
				claims := map[string]Owner{id: owner, account.Draw(t, "another"): owner}
				present, err := s.Accounts().ClaimAll(application, claims)
				ok(err)
				for id := range claims {
					if _, taken := owners[id]; !taken {
						owners[id] = owner
					}
					if present[id] != owners[id] {
						t.Fatalf("%s is of %v, want %v", id, present[id], owners[id])
					}
				}
			case 2:
				present, err := s.Accounts().Claim(application, id, owner)
				ok(err)
				if _, taken := owners[id]; !taken {
					owners[id] = owner
				}
				if owners[id] == owner {
					delete(given, id)
				}
				if present != owners[id] {
					t.Fatalf("%s is of %v, want %v", id, present, owners[id])
				}
			case 3:
				ok(s.Accounts().Release(application, id, owner))
				if owners[id] == owner {
					delete(owners, id)
					delete(given, id)
				}
			case 4:
				ok(s.Accounts().OfferTransfer(application, map[string]Owner{id: owner}))
				if owners[id] == owner {
					given[id] = true
				}
			case 5:
				former := anyOwner.Draw(t, "former")
				present, err := s.Accounts().Transfer(application, id, former, owner)
				ok(err)
				if now, taken := owners[id]; !taken || now == former && (given[id] || former.Tenant == owner.Tenant) {
					owners[id] = owner
					delete(given, id)
				}
				if present != owners[id] {
					t.Fatalf("%s is of %v, want %v", id, present, owners[id])
				}
			case 6:
				ok(s.Accounts().writeClaims())
			}
			for n := 1; n < 5; n++ {
				id := fmt.Sprint("u-", n)
				owner, owned, err := s.Accounts().OwnerOf(application, id, graphsync.User)
				ok(err)
				want, taken := owners[id]
				transferable, err := s.Accounts().Transferable(application, id, want)
				ok(err)
				if owned != taken || owner != want || transferable != given[id] {
					t.Fatalf("%s is of %v (%v, given up %v), want %v (%v, %v)", id, owner, owned, transferable, want, taken, given[id])
				}
			}
		}
	})
}

// Claims that a killed process had in memory are made again from the links, before another tenant can take the
// accounts.
func TestClaimsOfAKilledProcess(t *testing.T) {
	t.Parallel()
	dir, after := t.TempDir(), t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	location, err := s.Locate("people", "there", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	ours := Owner{Tenant: graphsync.ID{1}, Sync: "s", Kind: graphsync.User, Source: graphsync.ID{7}}
	for cycle := range 3 { // also when claims of earlier cycles were written, of which the first was a single one
		tenant, err := s.Tenant(ours.Tenant)
		if err != nil {
			t.Fatal(err)
		}
		ours.Source[0]++
		account := fmt.Sprint("u-", ours.Source[0])
		if cycle == 0 {
			_, err = s.Accounts().Claim(location.ID, account, ours)
		} else {
			_, err = s.Accounts().ClaimAll(location.ID, map[string]Owner{account: ours})
		}
		if err != nil {
			t.Fatal(err)
		}
		err = tenant.Update(func(tx *Tx) error {
			if err := tx.PutSyncInfo("s", SyncInfo{Location: location}); err != nil {
				return err
			}
			return tx.Links("s").Put(Link{Kind: graphsync.User, Source: ours.Source, TargetID: account, Active: true})
		})
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(after, account)
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil || os.Chmod(copied, 0o700) != nil {
			t.Fatal(err)
		}
		killed, err := Open(copied)
		if err != nil {
			t.Fatal(err)
		}
		theirs := ours
		theirs.Tenant = graphsync.ID{2}
		present, err := killed.Accounts().ClaimAll(location.ID, map[string]Owner{account: theirs})
		if err != nil || present[account] != ours {
			t.Errorf("%s is of %v, %v; want %v", account, present[account], err, ours)
		}
		if err := killed.Close(); err != nil {
			t.Fatal(err)
		}
		if err := tenant.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
