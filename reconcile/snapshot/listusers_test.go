package snapshot_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/graphsync"
)

// A largeDirectory has many users, in delta pages of 200 and lists of 999, each after a time.
type largeDirectory struct {
	directory
	latency time.Duration
	names   []string // sorted; the n-th user's principal name

	mu      sync.Mutex
	lists   []string // what was asked for: prefix and link of each list page, prefix of each count
	counts  []string
	deltas  int
	since   []graphsync.Change         // what the link of now tells
	missing map[string]bool            // users that lists leave out
	refuse  func(request string) error // may be nil
}

func newLargeDirectory(users int) *largeDirectory {
	l := &largeDirectory{missing: map[string]bool{}}
	for n := range users {
		l.names = append(l.names, fmt.Sprintf("%c%c%05d@example.com", 'a'+n%26, 'a'+n%7, n))
	}
	slices.Sort(l.names)
	return l
}

func (d *largeDirectory) change(n int) graphsync.Change {
	return graphsync.Change{Kind: graphsync.User, ID: graphsync.ID{byte(n >> 16), byte(n >> 8), byte(n), 1}, Properties: []graphsync.Property{
		{Name: "accountEnabled", Value: []byte("true")}, {Name: "userPrincipalName", Value: strconv.AppendQuote(nil, d.names[n])},
		{Name: "displayName", Value: []byte(`"X"`)}, {Name: "userType", Value: []byte(`"Member"`)},
	}}
}

func (d *largeDirectory) request(ctx context.Context, what string) error {
	select {
	case <-time.After(d.latency):
	case <-ctx.Done():
		return ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse != nil {
		return d.refuse(what)
	}
	return nil
}

func (d *largeDirectory) DeltaPage(ctx context.Context, stream graphsync.Stream, _ []string, link string) (*graphsync.Page, error) {
	if err := d.request(ctx, "delta "+link); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if stream == graphsync.Groups || link == "delta" {
		return &graphsync.Page{Delta: "delta"}, nil
	}
	if link == "now" {
		return &graphsync.Page{Delta: "delta", Changes: d.since}, nil
	}
	d.deltas++
	from, _ := strconv.Atoi(link)
	to := min(from+200, len(d.names))
	page := &graphsync.Page{Bytes: 1000}
	for n := from; n < to; n++ {
		page.Changes = append(page.Changes, d.change(n))
	}
	if page.Next = strconv.Itoa(to); to == len(d.names) {
		page.Next, page.Delta = "", "delta"
	}
	return page, nil
}

func (d *largeDirectory) Assignments(context.Context, graphsync.ID, func([]graphsync.Assignment) error) (graphsync.AssignmentList, error) {
	return graphsync.AssignmentList{Counted: true}, nil
}

func (d *largeDirectory) Latest(ctx context.Context, _ graphsync.Stream, _ []string) (string, error) {
	return "now", d.request(ctx, "latest")
}

func (d *largeDirectory) CountUsers(ctx context.Context, prefix string) (n int, err error) {
	if err := d.request(ctx, "count "+prefix); err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts = append(d.counts, prefix)
	for _, name := range d.names {
		if strings.HasPrefix(name, prefix) {
			n++
		}
	}
	return n, nil
}

func (d *largeDirectory) ListUsers(ctx context.Context, _ []string, prefix, link string) (*graphsync.Page, error) {
	if err := d.request(ctx, "list "+prefix+" "+link); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lists = append(d.lists, prefix+" "+link)
	n, _ := strconv.Atoi(link)
	page := &graphsync.Page{Bytes: 1000}
	for ; n < len(d.names) && len(page.Changes) < 999; n++ {
		if strings.HasPrefix(d.names[n], prefix) && !d.missing[d.names[n]] {
			page.Changes = append(page.Changes, d.change(n))
		}
	}
	if n < len(d.names) && strings.HasPrefix(d.names[n], prefix) {
		page.Next = strconv.Itoa(n)
	}
	return page, nil
}

// large is the copy of a directory of many users.
func large(t *testing.T, users int) (*copy, *largeDirectory) {
	t.Helper()
	source := newLargeDirectory(users)
	return newCopy(t, source), source
}

// A first read of a large directory is at least five times as fast as its chain of delta pages. What a list
// lacks comes with the plain round of the next cycle.
func TestFirstReadOfALargeDirectory(t *testing.T) {
	t.Parallel()
	const users = 60_000
	c, source := large(t, users)
	source.latency = 150 * time.Millisecond
	late := graphsync.Change{Kind: graphsync.User, ID: graphsync.ID{0xff}, Properties: source.change(0).Properties}
	source.since = []graphsync.Change{late}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c.must()
		plain := users / 200 * source.latency
		if took := time.Since(began); took > plain/5 {
			t.Errorf("took %s, one page after the other %s", took, plain)
		}
	})
	n, cursor := c.users()
	if n != users+1 || !cursor.Complete || !cursor.Unverified || source.deltas != 20 {
		t.Errorf("%d users, %d delta pages, %+v", n, source.deltas, cursor)
	}
	c.decided()
	if len(source.counts) > 50 {
		t.Errorf("counted %d times", len(source.counts))
	}

	source.latency, source.deltas = 0, 0
	c.must()
	if _, cursor = c.users(); cursor.Unverified || !cursor.Complete || source.deltas != users/200 {
		t.Errorf("the next cycle read %d delta pages, %+v", source.deltas, cursor)
	}
	source.deltas, source.lists = 0, nil
	c.must()
	if source.deltas != 0 || source.lists != nil {
		t.Errorf("the third cycle read %d delta pages and the lists %q", source.deltas, source.lists)
	}
}

// Whatever makes a list doubtful has the users read page by page, in the same cycle.
func TestDoubtfulLists(t *testing.T) {
	t.Parallel()
	const users = 21_000
	badRequest := func(prefix string) func(string) error {
		return func(request string) error {
			if strings.HasPrefix(request, prefix) {
				return &graphsync.Error{Class: graphsync.Configuration, Status: http.StatusBadRequest, Message: "unsupported"}
			}
			return nil
		}
	}
	for name, test := range map[string]struct {
		spoil  func(*largeDirectory)
		deltas int // pages: all, or the first 20 twice
	}{
		"a user is not listed":     {func(d *largeDirectory) { d.missing[d.names[5000]] = true }, users/200 + 20},
		"Graph does not count":     {func(d *largeDirectory) { d.refuse = badRequest("count") }, users / 200},
		"Graph has no latest link": {func(d *largeDirectory) { d.refuse = badRequest("latest") }, users / 200},
		"Graph does not filter":    {func(d *largeDirectory) { d.refuse = badRequest("list") }, users/200 + 20},
		"a link is refused": {func(d *largeDirectory) {
			d.refuse = func(request string) error {
				if strings.HasPrefix(request, "list a") && !strings.HasSuffix(request, " ") {
					return graphsync.ErrResync
				}
				return nil
			}
			for n := range d.names { // a part of several pages
				d.names[n] = string(rune('a'+n%8)) + d.names[n]
			}
			slices.Sort(d.names)
		}, users/200 + 20},
		"a name begins with another letter": {func(d *largeDirectory) { d.names[len(d.names)-1] = "ярослав@example.com" }, users / 200},
		"the directory is small":            {func(d *largeDirectory) { d.names = d.names[:19_800] }, 19_800 / 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, source := large(t, users)
			test.spoil(source)
			c.must()
			n, cursor := c.users()
			if n != len(source.names) || !cursor.Complete || cursor.Unverified || cursor.Listing {
				t.Errorf("%d of %d users, %+v", n, len(source.names), cursor)
			}
			if source.deltas != test.deltas {
				t.Errorf("%d delta pages, want %d", source.deltas, test.deltas)
			}
		})
	}
}

// A cycle that ended while it listed is continued by the next one: parts that were read are not read again.
func TestListsAreResumed(t *testing.T) {
	t.Parallel()
	const users = 24_000
	c, source := large(t, users)
	asked := 0
	source.refuse = func(request string) error {
		if strings.HasPrefix(request, "list") {
			if asked++; asked > 15 {
				return &graphsync.Error{Class: graphsync.Unreachable, Message: "the network is gone"}
			}
		}
		return nil
	}
	if _, err := c.read(); err == nil {
		t.Fatal("the first cycle ended without an error")
	}
	_, cursor := c.users()
	if !cursor.Listing {
		t.Fatalf("the first cycle ended with %+v", cursor)
	}
	before := slices.Clone(source.lists)
	source.refuse, source.lists, source.counts = nil, nil, nil
	c.must()
	if n, cursor := c.users(); n != users || !cursor.Complete || cursor.Listing || len(source.counts) > 0 {
		t.Errorf("%d users, %+v, counted %q", n, cursor, source.counts)
	}
	if again := len(before) + len(source.lists) - 26; again > 8 { // parts under way when the network went
		t.Errorf("%d pages were read twice: %q, then %q", again, before, source.lists)
	}
}
