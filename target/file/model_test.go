package file_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entrasync/target"
	"entrasync/target/file"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A person is a user as the model has it.
type person struct{ name, title string }

// Random calls, ends of cycles, edits and crashes, compared with plain maps.
func TestAgainstAModel(t *testing.T) {
	t.Parallel()
	var run int
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		run++
		path := filepath.Join(dir, fmt.Sprint(run), "people.jsonl")
		open := open
		if rapid.IntRange(0, 3).Draw(rt, "usual sizes") > 0 {
			open = openSmall
		}
		a := open(t, path)
		defer a.Close(t.Context())
		users := map[string]person{}
		order := []string{} // ids, as the lines stand
		groups := []target.Ref{}
		members := map[string]map[string]bool{}
		next := 0
		makeGroup := func(rt *rapid.T) {
			next++
			group, err := a.Create(t.Context(), target.Group, attrs(t, "displayName", fmt.Sprintf("Group %d", next)))
			if err != nil {
				rt.Fatal(err)
			}
			groups, order = append(groups, group.Ref), append(order, group.ID)
			members[group.ID] = map[string]bool{}
		}
		makeGroup(rt)
		anyone := func(rt *rapid.T) target.Ref {
			if len(users) == 0 {
				rt.Skip()
			}
			return target.Ref{Kind: target.User, ID: rapid.SampledFrom(slices.Sorted(maps.Keys(users))).Draw(rt, "user")}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				next++
				name := fmt.Sprintf("User%d", next)
				ref := create(t, a, name)
				users[ref.ID], order = person{name: name}, append(order, ref.ID)
			},
			"create group": makeGroup,
			"update": func(rt *rapid.T) {
				ref, title := anyone(rt), rapid.StringN(0, 5, -1).Draw(rt, "title")
				if _, err := a.Update(t.Context(), ref, attrs(t, "title", title)); err != nil {
					rt.Fatal(err)
				}
				users[ref.ID] = person{users[ref.ID].name, title}
			},
			"rename": func(rt *rapid.T) {
				ref, other := anyone(rt), anyone(rt)
				_, err := a.Update(t.Context(), ref, attrs(t, "userName", users[other.ID].name))
				if ref == other && err != nil || ref != other && target.CodeOf(err) != target.Conflict {
					rt.Fatalf("the name of %v for %v: %v", other, ref, err)
				}
				next++
				name := fmt.Sprintf("Renamed%d", next)
				if _, err := a.Update(t.Context(), ref, attrs(t, "userName", name)); err != nil {
					rt.Fatal(err)
				}
				users[ref.ID] = person{name, users[ref.ID].title}
			},
			"delete": func(rt *rapid.T) {
				ref := anyone(rt)
				if err := a.Delete(t.Context(), ref); err != nil {
					rt.Fatal(err)
				}
				delete(users, ref.ID)
				for _, in := range members {
					delete(in, ref.ID)
				}
				order = slices.DeleteFunc(order, func(id string) bool { return id == ref.ID })
			},
			"join": func(rt *rapid.T) {
				ref, group := anyone(rt), rapid.SampledFrom(groups).Draw(rt, "group")
				if refused, err := a.ChangeMembers(t.Context(), group, []string{ref.ID}, nil); err != nil || len(refused) > 0 {
					rt.Fatal(err, refused)
				}
				members[group.ID][ref.ID] = true
			},
			"leave": func(rt *rapid.T) {
				ref, group := anyone(rt), rapid.SampledFrom(groups).Draw(rt, "group")
				if _, err := a.ChangeMembers(t.Context(), group, nil, []string{ref.ID}); err != nil {
					rt.Fatal(err)
				}
				delete(members[group.ID], ref.ID)
			},
			"end of cycle": func(rt *rapid.T) {
				if err := a.Close(t.Context()); err != nil {
					rt.Fatal(err)
				}
				got := []string{}
				for _, line := range lines(t, path) {
					if strings.TrimSpace(line) == "" {
						continue // an edit, and no change since
					}
					var r struct{ ID string }
					if err := json.Unmarshal([]byte(line), &r); err != nil {
						rt.Fatalf("%v in %s", err, line)
					}
					got = append(got, r.ID)
				}
				if diff := cmp.Diff(order, got); diff != "" {
					rt.Fatalf("ids of the lines (-want +got):\n%s", diff)
				}
			},
			"edit by hand": func(rt *rapid.T) {
				if err := a.Close(t.Context()); err != nil {
					rt.Fatal(err)
				}
				next++
				id, name := fmt.Sprintf("hand-%d", next), fmt.Sprintf("Hand%d", next)
				edited := append(lines(t, path), "", fmt.Sprintf(` {"userName":%q,  "id":%q}`, name, id), "")
				if err := os.WriteFile(path, []byte(strings.Join(edited, "\n")), 0o600); err != nil {
					rt.Fatal(err)
				}
				users[id], order = person{name: name}, append(order, id)
			},
			"crash": func(rt *rapid.T) { a = open(t, crash(t, path)); path = pathOf(t, a) },
			"": func(rt *rapid.T) {
				got := map[string]person{}
				err := a.List(t.Context(), target.User, func(page []target.Resource) error {
					for _, r := range page {
						title, _ := r.Attributes["title"].(string)
						got[r.ID] = person{r.Attributes["userName"].(string), title}
					}
					return nil
				})
				if diff := cmp.Diff(users, got, cmp.AllowUnexported(person{})); err != nil || diff != "" {
					rt.Fatalf("users (-want +got):\n%s %v", diff, err)
				}
				for id, want := range users {
					for value, path := range map[string]string{strings.ToUpper(want.name): "userName", want.title: "title"} {
						if value == "" {
							continue
						}
						found, err := a.Find(t.Context(), target.User, attrs(t, path, "")[0].Path, value)
						if err != nil || !slices.ContainsFunc(found, func(r target.Resource) bool { return r.ID == id }) {
							rt.Fatalf("%s %q is not found: %v, %v", path, value, found, err)
						}
					}
				}
				for _, group := range groups {
					ids, ok, err := a.Members(t.Context(), group)
					want := slices.Sorted(maps.Keys(members[group.ID]))
					if err != nil || !ok || !slices.Equal(want, ids) {
						rt.Fatalf("members are %v, want %v (%v)", ids, want, err)
					}
				}
			},
		})
	})
}

// pathOf asks the adapter for its file, which is the name it goes by.
func pathOf(tb testing.TB, a *file.Adapter) string {
	tb.Helper()
	profile, err := a.Probe(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return profile.Name
}
