package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/guard"
)

// A slowDirectory has long lists, and each page of them takes its time.
type slowDirectory struct {
	*directory
	latency                    time.Duration
	users, groups, assignments int // pages of each

	mu       sync.Mutex
	finished map[string]time.Time // when the last page of a list was given
	fail     func(list string, page int) error
}

func (d *slowDirectory) wait(ctx context.Context, list string, page int) error {
	select {
	case <-time.After(d.latency):
	case <-ctx.Done():
		return ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.finished[list] = time.Now()
	if d.fail != nil {
		return d.fail(list, page)
	}
	return nil
}

func (d *slowDirectory) DeltaPage(ctx context.Context, stream graphsync.Stream, _ []string, link string) (*graphsync.Page, error) {
	n, _ := strconv.Atoi(link)
	if err := d.wait(ctx, string(stream), n); err != nil {
		return nil, err
	}
	if link == "delta" {
		return &graphsync.Page{Delta: "delta"}, nil
	}
	change := graphsync.Change{Kind: stream.Kind(), ID: graphsync.ID{byte(n >> 8), byte(n), byte(stream.Kind())},
		Properties: []graphsync.Property{{Name: "displayName", Value: []byte(`"X"`)}, {Name: "accountEnabled", Value: []byte("true")}, {Name: "userType", Value: []byte(`"Member"`)}, {Name: "userPrincipalName", Value: fmt.Appendf(nil, `"u%d@example.com"`, n)}}}
	if stream == graphsync.Groups {
		user := n % d.users
		change.Members = []graphsync.MemberChange{{ID: graphsync.ID{byte(user >> 8), byte(user), byte(graphsync.User)}}} // its type is not told
	}
	page := &graphsync.Page{Changes: []graphsync.Change{change}, Next: strconv.Itoa(n + 1), Bytes: 100}
	if last := map[graphsync.Stream]int{graphsync.Users: d.users, graphsync.Groups: d.groups}[stream]; n+1 == last {
		page.Next, page.Delta = "", "delta"
	}
	return page, nil
}

func (d *slowDirectory) Assignments(ctx context.Context, _ graphsync.ID, yield func([]graphsync.Assignment) error) (list graphsync.AssignmentList, err error) {
	list.Counted = true
	for n := range d.assignments {
		if err := d.wait(ctx, "assignments", n); err != nil {
			return list, err
		}
		list.Rows++
		row := graphsync.Assignment{ID: fmt.Sprint("row", n), Principal: graphsync.ID{byte(n >> 8), byte(n), byte(graphsync.Group)}, PrincipalKind: graphsync.Group}
		if err := yield([]graphsync.Assignment{row}); err != nil {
			return list, err
		}
	}
	return list, nil
}

// A first read takes as long as its longest list, whichever that is. What one list says about objects
// of another is placed all the same: here each group has a member whose type only the list of users tells.
func TestListsAreReadSideBySide(t *testing.T) {
	t.Parallel()
	for name, pages := range map[string][3]int{
		"users are the longest":       {120, 60, 80},
		"groups are the longest":      {60, 120, 80},
		"assignments are the longest": {60, 60, 120},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.change = func(s *reconcile.Sync) { s.Scope.All, s.AppID = false, "app" }
			slow := &slowDirectory{directory: c.source, latency: 150 * time.Millisecond, users: pages[0], groups: pages[1], assignments: pages[2],
				finished: map[string]time.Time{}}
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				c.reader = slow
				report, err := c.run(reconcile.Options{})
				if err != nil {
					t.Fatal(err)
				}
				longest := time.Duration(max(pages[0], pages[1], pages[2])) * slow.latency
				if took := time.Since(began); took < longest || took > longest*11/10 {
					t.Errorf("took %s, want that of the longest list, %s", took, longest)
				}
				if want := min(pages[0], pages[1], pages[2]); report.Summary.Create != want {
					t.Errorf("%d accounts are to be created, want %d: %v", report.Summary.Create, want, report.Notes)
				}
			})
		})
	}
}

// The error of one list ends the others at once, and is the one that is reported.
func TestErrorOfOneListEndsTheOthers(t *testing.T) {
	t.Parallel()
	for _, failing := range []string{"users", "groups", "assignments"} {
		t.Run(failing, func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.change = func(s *reconcile.Sync) { s.Scope.All, s.AppID = false, "app" }
			broken := errors.New("the list of " + failing + " is broken")
			slow := &slowDirectory{directory: c.source, latency: time.Second, users: 100, groups: 100, assignments: 100, finished: map[string]time.Time{},
				fail: func(list string, page int) error {
					if list == failing && page == 10 {
						return broken
					}
					return nil
				}}
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				c.reader = slow
				_, err := c.run(reconcile.Options{})
				if took := time.Since(began); !errors.Is(err, broken) || took > 20*time.Second {
					t.Errorf("ended after %s with %v", took, err)
				}
			})
			slow.latency, slow.fail = 0, nil
			want(t, "afterwards", c.must(reconcile.Options{}), "100 created")
		})
	}
}

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
