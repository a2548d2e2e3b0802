package snapshot_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// A movingDirectory deletes a group whose members had access, and has assigned its member to the application before: the
// user has never been without access. It makes the assignment while the groups are being read, after the list of
// assignments was read for the first time.
type movingDirectory struct {
	directory
	deleting bool
	moved    bool
	lists    int // of assignments that were asked for
}

var (
	mover  = graphsync.ID{1, byte(graphsync.User)}
	former = graphsync.ID{1, byte(graphsync.Group)}
	other  = graphsync.ID{2, byte(graphsync.Group)}
)

func (d *movingDirectory) DeltaPage(_ context.Context, stream graphsync.Stream, _ []string, link string) (*graphsync.Page, error) {
	properties := []graphsync.Property{{Name: "displayName", Value: []byte(`"X"`)}, {Name: "accountEnabled", Value: []byte("true")}, {Name: "userPrincipalName", Value: []byte(`"x@example.com"`)}}
	if stream == graphsync.Users {
		return &graphsync.Page{Changes: []graphsync.Change{{Kind: graphsync.User, ID: mover, Properties: properties}}, Delta: "delta"}, nil
	}
	if link == "" {
		return &graphsync.Page{Changes: []graphsync.Change{{Kind: graphsync.Group, ID: other, Properties: properties}}, Next: "rest"}, nil
	}
	time.Sleep(time.Second) // the assignments are read meanwhile
	if d.deleting {
		d.moved = true
		return &graphsync.Page{Delta: "delta"}, nil
	}
	group := graphsync.Change{Kind: graphsync.Group, ID: former, Properties: properties, Members: []graphsync.MemberChange{{Kind: graphsync.User, ID: mover}}}
	return &graphsync.Page{Changes: []graphsync.Change{group}, Delta: "delta"}, nil
}

func (d *movingDirectory) Presence(ctx context.Context, kind graphsync.Kind, ids []graphsync.ID) ([]graphsync.Presence, error) {
	presence, err := d.directory.Presence(ctx, kind, ids)
	for i, id := range ids {
		if id == former && d.deleting {
			presence[i] = graphsync.Absent
		}
	}
	return presence, err
}

func (d *movingDirectory) Assignments(_ context.Context, _ graphsync.ID, yield func([]graphsync.Assignment) error) (graphsync.AssignmentList, error) {
	d.lists++
	rows := []graphsync.Assignment{{ID: "of the group", Principal: former, PrincipalKind: graphsync.Group}}
	if d.moved {
		rows = []graphsync.Assignment{{ID: "of the user", Principal: mover, PrincipalKind: graphsync.User}}
	}
	return graphsync.AssignmentList{Rows: len(rows), Counted: true}, yield(rows)
}

func (d *movingDirectory) AssignmentPresence(_ context.Context, _ graphsync.ID, ids []string) ([]graphsync.Presence, error) {
	presence := make([]graphsync.Presence, len(ids))
	for i := range presence {
		presence[i] = graphsync.Absent
	}
	return presence, nil
}

// Assignments that were read before a group is found to be gone are read again: the older list lacks what its members were
// given before.
func TestAssignmentsAreReadAgainAfterALoss(t *testing.T) {
	t.Parallel()
	d := &movingDirectory{}
	c := newCopy(t, d)
	synctest.Test(t, func(t *testing.T) {
		c.must()
		if d.lists != 1 {
			t.Fatalf("the first read asked for %d lists of assignments", d.lists)
		}
		c.decided()
		d.deleting, c.full = true, true
		c.must()
		assigned := false
		c.view(func(tx *state.Tx) error {
			for principal := range tx.Assignments("app").Principals(graphsync.ID{}) {
				assigned = assigned || principal.ID == mover
			}
			return nil
		})
		if !assigned || d.lists != 3 {
			t.Errorf("assigned: %t after %d lists; want the user's own assignment, by a second list", assigned, d.lists)
		}
	})
}

// An overtakenDirectory begins another round of groups while a page of the present one is read.
type overtakenDirectory struct {
	movingDirectory
	begin func()
}

func (d *overtakenDirectory) DeltaPage(ctx context.Context, stream graphsync.Stream, properties []string, link string) (*graphsync.Page, error) {
	if stream == graphsync.Groups && link == "rest" {
		d.begin()
	}
	return d.movingDirectory.DeltaPage(ctx, stream, properties, link)
}

// A page is stored only in the round that it was read in: one of an earlier round would count as what the new one has read,
// and what the new one has not read would be missing from it.
func TestPageOfAnEarlierRoundIsRefused(t *testing.T) {
	t.Parallel()
	d := &overtakenDirectory{}
	c := newCopy(t, d)
	d.begin = func() {
		c.update(func(tx *state.Tx) error {
			return tx.Cursors().BeginRound(graphsync.Groups, tx.Cursors().Get(graphsync.Groups).Select, c.now)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		if _, err := c.read(); err == nil || !strings.Contains(err.Error(), "does not follow what is stored of round 2") {
			t.Fatalf("got %v", err)
		}
		c.view(func(tx *state.Tx) error {
			if n := tx.Objects().Count(graphsync.Group); n > 1 || tx.Cursors().Get(graphsync.Groups).Complete {
				t.Errorf("%d groups are stored, complete: %t", n, tx.Cursors().Get(graphsync.Groups).Complete)
			}
			return nil
		})
	})
}
