package state

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"testing"
	"time"

	"entrasync/graphsync"
)

func hashed(text string, n int) graphsync.ID {
	sum := sha256.Sum256([]byte(text + strconv.Itoa(n)))
	return graphsync.ID(sum[:16])
}

// The index of a first round of groups is complete, however many ranges it is written in, and when it was
// interrupted before.
func TestIndexMembers(t *testing.T) {
	t.Parallel()
	const groups, each, users = 60, 1000, 5000 // more than are indexed at once
	store, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	tenant, err := store.Tenant(graphsync.ID{1})
	if err != nil {
		t.Fatal(err)
	}
	defer tenant.Close()
	var pages []*graphsync.Page
	for g := range groups {
		change := graphsync.Change{Kind: graphsync.Group, ID: hashed("group", g)}
		for m := range each {
			change.Members = append(change.Members, graphsync.MemberChange{Kind: graphsync.User, ID: hashed("user", (g*37+m)%users)})
		}
		pages = append(pages, &graphsync.Page{Next: "next", Changes: []graphsync.Change{change}})
	}
	gone := graphsync.Change{Kind: graphsync.Group, ID: hashed("group", 0), Members: []graphsync.MemberChange{{Kind: graphsync.User, ID: hashed("user", 0), Removed: true}}}
	pages = append(pages, &graphsync.Page{Delta: "delta", Changes: []graphsync.Change{gone}})
	err = tenant.Update(func(tx *Tx) error {
		if err := tx.Cursors().BeginRound(graphsync.Groups, "k", time.Now()); err != nil {
			return err
		}
		_, err := tx.PutPages(graphsync.Groups, pages, time.Now(), nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	some, err := tenant.membersBetween(1000, 5000, 0) // as if it had been interrupted
	if err != nil {
		t.Fatal(err)
	}
	if err := tenant.Update(func(tx *Tx) error { return putMemberIndex(tx, some) }); err != nil {
		t.Fatal(err)
	}
	if err := tenant.indexMembers(7000); err != nil {
		t.Fatal(err)
	}
	err = tenant.View(func(tx *Tx) error {
		indexed := 0
		for n := range users {
			for _, group := range slices.Collect(tx.Members().GroupsOf(hashed("user", n))) {
				if indexed++; tx.kv.bucket(bucketMembers).Get(memberKey(group, Member{graphsync.User, hashed("user", n)})) == nil {
					t.Errorf("user %d is indexed as a member of %s", n, group)
				}
			}
		}
		if c := tx.Cursors().Get(graphsync.Groups); indexed != groups*each-1 || c.Unindexed || len(some) == 0 {
			t.Errorf("%d memberships are indexed, want %d; %+v", indexed, groups*each-1, c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
