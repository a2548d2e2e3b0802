package reconcile_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/state"
)

// A user is assigned first and taken out of the assigned group then, while a full round is read: the
// assignments were read before, the group after. The user has never been without access.
func TestAssignedThenTakenOutOfTheGroup(t *testing.T) {
	t.Parallel()
	c := staffed(t, 2, 1, guard.Guard{})
	moving := &movingDirectory{directory: c.source}
	c.reader = moving
	want(t, "the move", c.must(reconcile.Options{Apply: true, Full: true}), "3 unchanged")
	if moving.lists != 2 {
		t.Errorf("the assignments were read %d times, want twice", moving.lists)
	}
	want(t, "accounts", c.app().String(), "p1=P1 p2=P2 p3=P3")
}

// In a movingDirectory the first reading of the assignments comes before user 1 is assigned and leaves group 1.
type movingDirectory struct {
	*directory
	read  sync.Once
	first chan struct{}
	lists int
	moved bool
}

func (d *movingDirectory) begin() chan struct{} {
	d.read.Do(func() { d.first = make(chan struct{}) })
	return d.first
}

func (d *movingDirectory) DeltaPage(ctx context.Context, stream graphsync.Stream, properties []string, link string) (*graphsync.Page, error) {
	if stream != graphsync.Groups {
		return d.directory.DeltaPage(ctx, stream, properties, link)
	}
	if link != "rest" {
		return &graphsync.Page{Next: "rest"}, nil
	}
	<-d.begin()
	d.mu.Lock()
	d.moved = true
	delete(d.groups.members[groupID(1)], userID(1))
	d.mu.Unlock()
	return d.directory.DeltaPage(ctx, stream, properties, "")
}

func (d *movingDirectory) Assignments(ctx context.Context, app graphsync.ID, yield func([]graphsync.Assignment) error) (graphsync.AssignmentList, error) {
	d.mu.Lock()
	d.lists++
	if d.lists == 1 {
		defer close(d.begin())
	}
	moved := d.moved
	d.mu.Unlock()
	list, err := d.directory.Assignments(ctx, app, yield)
	if err == nil && moved {
		err = yield([]graphsync.Assignment{{ID: "direct", Principal: userID(1), PrincipalKind: graphsync.User}})
	}
	return list, err
}

// A cycle in which nothing has changed keeps the delta link that it was read from; the link is renewed long before it
// expires, and a change is seen all the same.
func TestDeltaLinkIsKeptWhileNothingChanges(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	_, first := c.snapshot()
	want(t, "nothing to do", c.cycle(), "2 unchanged")
	if _, cursor := c.snapshot(); cursor.Completed != first.Completed {
		t.Errorf("a round that told nothing was stored: %+v", cursor)
	}
	c.service.now = c.now.Add(13 * time.Hour)
	want(t, "later", c.cycle(), "2 unchanged")
	if _, cursor := c.snapshot(); cursor.Completed == first.Completed {
		t.Errorf("the link was not renewed: %+v", cursor)
	}
	c.source.person(1, "ada@example.com", "New Ada")
	want(t, "a change", c.cycle(), "1 updated, 1 unchanged")
}

// snapshot are the users of the snapshot and how far they have been read.
func (c *customer) snapshot() (users int, cursor state.Cursor) {
	c.t.Helper()
	tenant, err := c.store.Tenant(c.id)
	if err != nil {
		c.t.Fatal(err)
	}
	defer tenant.Close()
	err = tenant.View(func(tx *state.Tx) error {
		users, cursor = tx.Objects().Count(graphsync.User), tx.Cursors().Get(graphsync.Users)
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return users, cursor
}

// In a cycle that read users by lists removals are held, whatever first_run_removals says. The next one reads a plain
// round.
func TestRemovalsAreHeldAfterLists(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	tenant, err := c.store.Tenant(c.id)
	if err != nil {
		t.Fatal(err)
	}
	err = tenant.Update(func(tx *state.Tx) error { // as if the last round had been listed
		properties := reconcile.RequirementsOf([]*reconcile.Sync{c.rules()}).UserProperties
		if err := tx.Cursors().BeginListing(graphsync.SelectKey(properties), "delta", 2, nil, c.now); err != nil {
			return err
		}
		return tx.Cursors().EndListing()
	})
	if err := firstError(err, tenant.Close()); err != nil {
		t.Fatal(err)
	}
	c.source.gone("bob@example.com", graphsync.SoftDeleted)
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil || len(report.Held) != 1 || report.Held[0].Guard != "first_run" {
		t.Fatalf("held %+v: %v", report.Held, err)
	}
	want(t, "accounts", c.app().String(), "ada=Ada bob=Bob")
	c.stored().approve()
	want(t, "approved", c.cycle(), "1 deactivated, 1 unchanged")
	if _, cursor := c.snapshot(); cursor.Unverified || cursor.Round != 3 {
		t.Errorf("the second cycle read no plain round: %+v", cursor)
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
