package graphtest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
)

// A follower is the simplest correct client: it merges what delta tells.
type follower struct {
	users, groups map[string]map[string]any
	members       map[string]map[string]bool
	links         map[string]string
}

func (f *follower) apply(stream string, entry map[string]any) {
	id := entry["id"].(string)
	into := f.users
	if stream == "groups" {
		into = f.groups
	}
	if entry["@removed"] != nil {
		delete(into, id)
		delete(f.members, id)
		return
	}
	if into[id] == nil {
		into[id] = map[string]any{}
	}
	for name, value := range entry {
		if name != "id" && !strings.Contains(name, "@") {
			into[id][name] = value
		}
	}
	list, _ := entry["members@delta"].([]any)
	for _, m := range list {
		if f.members[id] == nil {
			f.members[id] = map[string]bool{}
		}
		member := m.(object)
		f.members[id][member["id"].(string)] = member["@removed"] == nil
	}
}

// Whatever is edited, whenever rounds are begun, paged and repeated, in either mode: a client
// that merges delta holds the directory at the end.
func TestDeltaConvergesOnTheDirectory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		b := inProcess(t, graphtest.Options{PageSize: rapid.IntRange(1, 4).Draw(rt, "page"), MembersPageSize: rapid.IntRange(1, 5).Draw(rt, "members")})
		f := &follower{map[string]map[string]any{}, map[string]map[string]any{}, map[string]map[string]bool{}, map[string]string{
			"users": "/users/delta?$select=displayName,department", "groups": "/groups/delta?$select=displayName,members"}}
		prefer := "return=representation"
		if rapid.Bool().Draw(rt, "minimal") {
			prefer = "return=minimal"
		}
		var alive, deleted []graphsync.ID
		isGroup := map[graphsync.ID]bool{}
		page := func(stream string) {
			got := b.get(f.links[stream], "Prefer", prefer)
			for _, e := range got.value(t) {
				f.apply(stream, e)
			}
			f.links[stream] = got.text(t, "@odata.nextLink") + got.text(t, "@odata.deltaLink")
		}
		some := func(from []graphsync.ID, label string) graphsync.ID { return rapid.SampledFrom(from).Draw(rt, label) }
		take := func(from *[]graphsync.ID, id graphsync.ID) {
			*from = slices.DeleteFunc(*from, func(x graphsync.ID) bool { return x == id })
		}
		rt.Repeat(map[string]func(*rapid.T){
			"add user":  func(*rapid.T) { alive = append(alive, b.tenant.AddUser(graphtest.Props{"department": "Sales"})) },
			"add group": func(*rapid.T) { id := b.tenant.AddGroup(nil); isGroup[id] = true; alive = append(alive, id) },
			"edit": func(rt *rapid.T) {
				if len(alive) > 0 {
					id := some(alive, "object")
					b.tenant.Set(id, "displayName", fmt.Sprint(rapid.IntRange(0, 9).Draw(rt, "name")))
					if !isGroup[id] {
						b.tenant.Set(id, "department", rapid.SampledFrom([]any{nil, "Sales", "IT"}).Draw(rt, "department"))
						b.tenant.Set(id, "city", fmt.Sprint(rapid.IntRange(0, 9).Draw(rt, "city")))
					}
				}
			},
			"member": func(rt *rapid.T) {
				groups := slices.DeleteFunc(slices.Clone(alive), func(id graphsync.ID) bool { return !isGroup[id] })
				if len(groups) > 0 {
					group, member := some(groups, "group"), some(alive, "member")
					if rapid.Bool().Draw(rt, "add") {
						b.tenant.AddMember(group, member)
					} else {
						b.tenant.RemoveMember(group, member)
					}
				}
			},
			"delete": func(*rapid.T) {
				if len(alive) > 0 {
					id := some(alive, "object")
					b.tenant.SoftDelete(id)
					take(&alive, id)
					deleted = append(deleted, id)
				}
			},
			"restore": func(*rapid.T) {
				if len(deleted) > 0 {
					id := some(deleted, "object")
					b.tenant.Restore(id)
					take(&deleted, id)
					alive = append(alive, id)
				}
			},
			"purge": func(*rapid.T) {
				if len(deleted) > 0 {
					id := some(deleted, "object")
					b.tenant.Purge(id)
					take(&deleted, id)
				}
			},
			"read users":  func(*rapid.T) { page("users") },
			"read groups": func(*rapid.T) { page("groups") },
			"":            func(*rapid.T) {},
		})
		for _, stream := range []string{"users", "groups"} {
			for !strings.Contains(f.links[stream], "deltatoken") {
				page(stream)
			}
			page(stream)
			for !strings.Contains(f.links[stream], "deltatoken") {
				page(stream)
			}
		}
		truth := b.tenant.Snapshot()
		compare(rt, "users", truth.Users, f.users, f)
		compare(rt, "groups", truth.Groups, f.groups, f)
	})
}

func compare(rt *rapid.T, what string, truth []graphtest.Record, got map[string]map[string]any, f *follower) {
	if len(truth) != len(got) {
		rt.Fatalf("%d %s, the client has %d", len(truth), what, len(got))
	}
	for _, r := range truth {
		id := r.ID.String()
		for _, name := range []string{"displayName", "department"} {
			if got[id][name] != r.Properties[name] {
				rt.Fatalf("%s %s: %s is %v, the client has %v", what, id, name, r.Properties[name], got[id][name])
			}
		}
		for _, m := range r.Members {
			if !f.members[id][m.String()] {
				rt.Fatalf("group %s has member %s, the client does not", id, m)
			}
		}
		for m, is := range f.members[id] {
			// A soft-deleted user stays a member in delta.
			if is && f.users[m] != nil && !slices.Contains(r.Members, mustID(m)) {
				rt.Fatalf("group %s has no member %s, the client does", id, m)
			}
		}
	}
}
