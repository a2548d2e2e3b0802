package reconcile_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"entrasync/graphsync"
)

// A directory is a tenant's users.
type directory struct {
	graphsync.Source // not called
	people           map[graphsync.ID]graphsync.Change
	removed          map[graphsync.ID]graphsync.Removal
	pending          []graphsync.Change
	groups           *groups          // nil: none
	clock            func() time.Time // what Graph's clock shows; nil: it is not known

	mu       sync.Mutex                               // held while a list is read: users, groups and assignments are read side by side
	readings int                                      // of the assignments
	lag      func(reading int, row graphsync.ID) bool // rows that a reading leaves out; may be nil
	presence func() error                             // why look-ups fail; may be nil
	refuse   func(graphsync.Stream, string) error     // why a page is not given: its stream and link; may be nil
	asked    []string                                 // the pages asked for: stream and link
	app      func(*graphsync.App)                     // changes the enterprise application; may be nil
	unread   func(graphsync.ID) error                 // why the members of a group are not given; may be nil
	short    func() error                             // why the list of assignments ends early; may be nil
}

// person makes a user, or changes the display name.
func (d *directory) person(n int, upn, name string) { d.user(n, upn, name, "Member") }

func (d *directory) guest(n int, upn, name string) { d.user(n, upn, name, "Guest") }

func (d *directory) user(n int, upn, name, userType string) {
	id := graphsync.ID{byte(n >> 16), byte(n >> 8), byte(n), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	text := func(name, value string) graphsync.Property {
		return graphsync.Property{Name: name, Value: []byte(strconv.Quote(value))}
	}
	d.people[id] = graphsync.Change{Kind: graphsync.User, ID: id, Properties: []graphsync.Property{
		{Name: "accountEnabled", Value: []byte("true")}, text("userPrincipalName", upn), text("displayName", name), text("userType", userType),
	}}
	delete(d.removed, id)
	d.pending = append(d.pending, d.people[id])
}

// disable switches people off.
func (d *directory) disable(users ...int) {
	for _, n := range users {
		change := d.people[userID(n)]
		change.Properties = slices.Clone(change.Properties)
		change.Properties[0].Value = []byte("false")
		d.people[userID(n)] = change
		d.pending = append(d.pending, change)
	}
}

// rename gives a person another user principal name.
func (d *directory) rename(n int, upn string) {
	change := d.people[userID(n)]
	change.Properties = slices.Clone(change.Properties)
	change.Properties[1].Value = []byte(strconv.Quote(upn))
	d.people[userID(n)] = change
	d.pending = append(d.pending, change)
}

// gone deletes the person of a user principal name.
func (d *directory) gone(upn string, how graphsync.Removal) {
	for id, change := range d.people {
		if string(change.Properties[1].Value) == strconv.Quote(upn) {
			d.removed[id] = how
			d.pending = append(d.pending, graphsync.Change{Kind: graphsync.User, ID: id, Removed: how})
		}
	}
}

func (d *directory) DeltaPage(_ context.Context, stream graphsync.Stream, _ []string, link string) (*graphsync.Page, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, string(stream)+" "+link)
	if d.refuse != nil {
		if err := d.refuse(stream, link); err != nil {
			return nil, err
		}
	}
	if stream == graphsync.Groups {
		return d.groups.page(link), nil
	}
	page := &graphsync.Page{Delta: "delta", Changes: d.pending}
	d.pending = nil
	if link != "" {
		return page, nil
	}
	page.Changes = nil
	for id, change := range d.people {
		if d.removed[id] == graphsync.NotRemoved {
			page.Changes = append(page.Changes, change)
		}
	}
	return page, nil
}

func (d *directory) Presence(_ context.Context, _ graphsync.Kind, ids []graphsync.ID) ([]graphsync.Presence, error) {
	if d.presence != nil {
		if err := d.presence(); err != nil {
			return nil, err
		}
	}
	out := make([]graphsync.Presence, len(ids))
	for i, id := range ids {
		out[i] = map[graphsync.Removal]graphsync.Presence{graphsync.NotRemoved: graphsync.Present, graphsync.SoftDeleted: graphsync.InDeletedItems,
			graphsync.Purged: graphsync.Absent}[d.removed[id]]
	}
	return out, nil
}

// Time implements [graphsync.Clock].
func (d *directory) Time() (time.Time, bool) {
	if d.clock == nil {
		return time.Time{}, false
	}
	return d.clock(), true
}

func (d *directory) Traffic() graphsync.Traffic { return graphsync.Traffic{} }
