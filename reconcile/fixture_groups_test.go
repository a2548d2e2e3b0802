package reconcile_test

import (
	"context"
	"fmt"

	"entrasync/graphsync"
)

// groups are a directory's groups and which of them are assigned to the application.
type groups struct {
	names    map[graphsync.ID]string
	members  map[graphsync.ID]map[graphsync.ID]bool
	assigned map[graphsync.ID]bool
	pending  []graphsync.Change
	hidden   map[graphsync.ID]bool         // members that a full read leaves out
	roles    map[graphsync.ID]graphsync.ID // that the assignment gives; nil: default access
	inside   map[graphsync.ID]graphsync.ID // the group that a group is a member of
}

// userID and groupID are the object ids of the n-th user and group.
func userID(n int) graphsync.ID {
	return graphsync.ID{byte(n >> 16), byte(n >> 8), byte(n), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
}

func groupID(n int) graphsync.ID {
	return graphsync.ID{byte(n >> 16), byte(n >> 8), byte(n), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}
}

// team makes a group that is assigned to the application, with the users of these numbers.
func (d *directory) team(n int, name string, users ...int) {
	if d.groups == nil {
		d.groups = &groups{names: map[graphsync.ID]string{}, members: map[graphsync.ID]map[graphsync.ID]bool{}, assigned: map[graphsync.ID]bool{}}
	}
	g, id := d.groups, groupID(n)
	g.names[id], g.members[id], g.assigned[id] = name, map[graphsync.ID]bool{}, true
	d.join(n, users...)
}

func (d *directory) join(n int, users ...int) { d.setMembers(n, true, users) }

func (d *directory) leave(n int, users ...int) { d.setMembers(n, false, users) }

func (d *directory) setMembers(n int, present bool, users []int) {
	id := groupID(n)
	change := d.groups.change(id)
	for _, user := range users {
		if present {
			d.groups.members[id][userID(user)] = true
		} else {
			delete(d.groups.members[id], userID(user))
		}
		change.Members = append(change.Members, graphsync.MemberChange{Kind: graphsync.User, ID: userID(user), Removed: !present})
	}
	d.groups.pending = append(d.groups.pending, change)
}

// change is a group's entry in a delta page, without members.
func (g *groups) change(id graphsync.ID) graphsync.Change {
	return graphsync.Change{Kind: graphsync.Group, ID: id, Properties: []graphsync.Property{{Name: "displayName", Value: []byte(fmt.Sprintf("%q", g.names[id]))}}}
}

func (g *groups) page(link string) *graphsync.Page {
	page := &graphsync.Page{Delta: "delta", Changes: g.pending}
	g.pending = nil
	if link != "" {
		return page
	}
	page.Changes = nil
	for id := range g.names {
		change := g.change(id)
		for member := range g.members[id] {
			if g.hidden[member] {
				continue
			}
			change.Members = append(change.Members, graphsync.MemberChange{Kind: graphsync.User, ID: member})
		}
		for inner, outer := range g.inside {
			if outer == id {
				change.Members = append(change.Members, graphsync.MemberChange{Kind: graphsync.Group, ID: inner})
			}
		}
		page.Changes = append(page.Changes, change)
	}
	return page
}

func (d *directory) App(_ context.Context, appID string) (*graphsync.App, error) {
	app := &graphsync.App{ID: graphsync.ID{0xa0}, AppID: appID, Name: "Front", Enabled: true}
	if d.app != nil {
		d.app(app)
	}
	return app, nil
}

func (d *directory) Assignments(_ context.Context, _ graphsync.ID, yield func([]graphsync.Assignment) error) (graphsync.AssignmentList, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var rows []graphsync.Assignment
	d.readings++
	for id, assigned := range d.groups.assigned {
		if assigned && (d.lag == nil || !d.lag(d.readings, id)) {
			rows = append(rows, graphsync.Assignment{ID: id.String(), Principal: id, PrincipalKind: graphsync.Group, Role: d.groups.roles[id]})
		}
	}
	if d.short != nil {
		if err := d.short(); err != nil {
			return graphsync.AssignmentList{}, err
		}
	}
	return graphsync.AssignmentList{Rows: len(rows), Counted: true}, yield(rows)
}

func (d *directory) AssignmentPresence(_ context.Context, _ graphsync.ID, ids []string) ([]graphsync.Presence, error) {
	answers := make([]graphsync.Presence, len(ids))
	for i, text := range ids {
		answers[i] = graphsync.Absent
		if id, err := graphsync.ParseID(text); err == nil && d.groups.assigned[id] {
			answers[i] = graphsync.Present
		}
	}
	return answers, nil
}

func (d *directory) Members(_ context.Context, group graphsync.ID, yield func([]graphsync.MemberChange) error) ([]graphsync.BadRecord, error) {
	if d.unread != nil {
		if err := d.unread(group); err != nil {
			return nil, err
		}
	}
	var members []graphsync.MemberChange
	for member := range d.groups.members[group] {
		members = append(members, graphsync.MemberChange{Kind: graphsync.User, ID: member})
	}
	return nil, yield(members)
}

// goneAll deletes the users of these numbers.
func (d *directory) goneAll(how graphsync.Removal, users ...int) {
	for _, n := range users {
		d.removed[userID(n)] = how
		d.pending = append(d.pending, graphsync.Change{Kind: graphsync.User, ID: userID(n), Removed: how})
	}
}
