package reconcile_test

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
	"entrasync/reconcile"
	"entrasync/state"
)

// A largeDirectory has many users, in delta pages of 200 and lists of 999, each after a time.
type largeDirectory struct {
	*directory
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

func newLargeDirectory(d *directory, users int) *largeDirectory {
	l := &largeDirectory{directory: d, missing: map[string]bool{}}
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

// unassigned is a customer none of whose users is assigned, so that reading is all that a cycle does.
func unassigned(t *testing.T, users int) (*customer, *largeDirectory) {
	t.Helper()
	c := newService(t).customer("contoso")
	c.change = func(s *reconcile.Sync) { s.Scope.All, s.AppID = false, "app" }
	large := newLargeDirectory(c.source, users)
	c.reader = large
	return c, large
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

// A first read of a large directory is at least five times as fast as its chain of delta pages. What a list
// lacks comes with the plain round of the next cycle.
func TestFirstReadOfALargeDirectory(t *testing.T) {
	t.Parallel()
	const users = 60_000
	c, large := unassigned(t, users)
	large.latency = 150 * time.Millisecond
	late := graphsync.Change{Kind: graphsync.User, ID: graphsync.ID{0xff}, Properties: large.change(0).Properties}
	large.since = []graphsync.Change{late}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c.must(reconcile.Options{Apply: true})
		plain := users / 200 * large.latency
		if took := time.Since(began); took > plain/5 {
			t.Errorf("took %s, one page after the other %s", took, plain)
		}
	})
	n, cursor := c.snapshot()
	if n != users+1 || !cursor.Complete || !cursor.Unverified || large.deltas != 20 {
		t.Errorf("%d users, %d delta pages, %+v", n, large.deltas, cursor)
	}
	if len(large.counts) > 50 {
		t.Errorf("counted %d times", len(large.counts))
	}

	large.latency, large.deltas = 0, 0
	c.must(reconcile.Options{Apply: true})
	if _, cursor = c.snapshot(); cursor.Unverified || !cursor.Complete || large.deltas != users/200 {
		t.Errorf("the next cycle read %d delta pages, %+v", large.deltas, cursor)
	}
	large.deltas, large.lists = 0, nil
	c.must(reconcile.Options{Apply: true})
	if large.deltas != 0 || large.lists != nil {
		t.Errorf("the third cycle read %d delta pages and the lists %q", large.deltas, large.lists)
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
			c, large := unassigned(t, users)
			test.spoil(large)
			c.must(reconcile.Options{Apply: true})
			n, cursor := c.snapshot()
			if n != len(large.names) || !cursor.Complete || cursor.Unverified || cursor.Listing {
				t.Errorf("%d of %d users, %+v", n, len(large.names), cursor)
			}
			if large.deltas != test.deltas {
				t.Errorf("%d delta pages, want %d", large.deltas, test.deltas)
			}
		})
	}
}

// A cycle that ended while it listed is continued by the next one: parts that were read are not read again.
func TestListsAreResumed(t *testing.T) {
	t.Parallel()
	const users = 24_000
	c, large := unassigned(t, users)
	asked := 0
	large.refuse = func(request string) error {
		if strings.HasPrefix(request, "list") {
			if asked++; asked > 15 {
				return &graphsync.Error{Class: graphsync.Unreachable, Message: "the network is gone"}
			}
		}
		return nil
	}
	if _, err := c.run(reconcile.Options{Apply: true}); err == nil {
		t.Fatal("the first cycle ended without an error")
	}
	_, cursor := c.snapshot()
	if !cursor.Listing {
		t.Fatalf("the first cycle ended with %+v", cursor)
	}
	before := slices.Clone(large.lists)
	large.refuse, large.lists, large.counts = nil, nil, nil
	c.must(reconcile.Options{Apply: true})
	if n, cursor := c.snapshot(); n != users || !cursor.Complete || cursor.Listing || len(large.counts) > 0 {
		t.Errorf("%d users, %+v, counted %q", n, cursor, large.counts)
	}
	if again := len(before) + len(large.lists) - 26; again > 8 { // parts under way when the network went
		t.Errorf("%d pages were read twice: %q, then %q", again, before, large.lists)
	}
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
		properties := reconcile.NeedsOf([]*reconcile.Sync{c.rules()}).UserProperties
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
	c.approve()
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
