package snapshot_test

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
	"entrasync/state"
)

// A slowDirectory has long lists, and each page of them takes its time.
type slowDirectory struct {
	directory
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
			slow := &slowDirectory{latency: 150 * time.Millisecond, users: pages[0], groups: pages[1], assignments: pages[2],
				finished: map[string]time.Time{}}
			c := newCopy(t, slow)
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				result := c.must()
				longest := time.Duration(max(pages[0], pages[1], pages[2])) * slow.latency
				if took := time.Since(began); took < longest || took > longest*11/10 {
					t.Errorf("took %s, want that of the longest list, %s", took, longest)
				}
				if got, want := c.placed(), [3]int{pages[0], pages[1], pages[2]}; got != want || len(result.Notes) > 0 {
					t.Errorf("users, groups with a member and assignments: %d, want %d: %v", got, want, result.Notes)
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
			broken := errors.New("the list of " + failing + " is broken")
			slow := &slowDirectory{latency: time.Second, users: 100, groups: 100, assignments: 100, finished: map[string]time.Time{},
				fail: func(list string, page int) error {
					if list == failing && page == 10 {
						return broken
					}
					return nil
				}}
			c := newCopy(t, slow)
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				_, err := c.read()
				if took := time.Since(began); !errors.Is(err, broken) || took > 20*time.Second {
					t.Errorf("ended after %s with %v", took, err)
				}
			})
			slow.latency, slow.fail = 0, nil
			c.must()
			if got, want := c.placed(), [3]int{100, 100, 100}; got != want {
				t.Errorf("afterwards, users, groups with a member and assignments: %d, want %d", got, want)
			}
		})
	}
}

// placed counts the users, the groups that have a user as their member, and the assigned groups.
func (c *copy) placed() (n [3]int) {
	c.t.Helper()
	c.view(func(tx *state.Tx) error {
		n[0] = tx.Objects().Count(graphsync.User)
		for group := range tx.Objects().All(graphsync.Group, graphsync.ID{}) {
			for member := range tx.Members().Of(group.ID) {
				if member.Kind == graphsync.User {
					n[1]++
				}
			}
		}
		for principal := range tx.Assignments("app").Principals(graphsync.ID{}) {
			if principal.Kind == graphsync.Group {
				n[2]++
			}
		}
		return nil
	})
	return n
}
