package file_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"entrasync/target"
	"entrasync/target/file"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Random calls, ends of cycles and crashes, compared with plain maps.
func TestAgainstAModel(t *testing.T) {
	t.Parallel()
	var run int
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		run++
		path := filepath.Join(dir, fmt.Sprint(run), "people.jsonl")
		a := open(t, path)
		users := map[string]string{} // title by id
		members := map[string]bool{}
		group, err := a.Create(t.Context(), target.Group, attrs(t, "displayName", "Sales"))
		if err != nil {
			rt.Fatal(err)
		}
		someone := func(rt *rapid.T) target.Ref {
			if len(users) == 0 {
				rt.Skip()
			}
			return target.Ref{Kind: target.User, ID: rapid.SampledFrom(slices.Sorted(maps.Keys(users))).Draw(rt, "user")}
		}
		next := 0
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				next++
				users[create(t, a, fmt.Sprintf("user%d", next)).ID] = ""
			},
			"update": func(rt *rapid.T) {
				ref, title := someone(rt), rapid.String().Draw(rt, "title")
				if _, err := a.Update(t.Context(), ref, attrs(t, "title", title)); err != nil {
					rt.Fatal(err)
				}
				users[ref.ID] = title
			},
			"delete": func(rt *rapid.T) {
				ref := someone(rt)
				if err := a.Delete(t.Context(), ref); err != nil {
					rt.Fatal(err)
				}
				delete(users, ref.ID)
				delete(members, ref.ID)
			},
			"join": func(rt *rapid.T) {
				ref := someone(rt)
				if refused, err := a.ChangeMembers(t.Context(), group.Ref, []string{ref.ID}, nil); err != nil || len(refused) > 0 {
					rt.Fatal(err, refused)
				}
				members[ref.ID] = true
			},
			"leave": func(rt *rapid.T) {
				ref := someone(rt)
				if _, err := a.ChangeMembers(t.Context(), group.Ref, nil, []string{ref.ID}); err != nil {
					rt.Fatal(err)
				}
				delete(members, ref.ID)
			},
			"end of cycle": func(rt *rapid.T) {
				if err := a.Close(t.Context()); err != nil {
					rt.Fatal(err)
				}
			},
			"crash": func(rt *rapid.T) { a = open(t, crash(t, path)); path = pathOf(t, a) },
			"": func(rt *rapid.T) {
				got := map[string]string{}
				err := a.List(t.Context(), target.User, func(page []target.Resource) error {
					for _, r := range page {
						got[r.ID], _ = r.Attributes["title"].(string)
					}
					return nil
				})
				if diff := cmp.Diff(users, got); err != nil || diff != "" {
					rt.Fatalf("users (-want +got):\n%s %v", diff, err)
				}
				ids, ok, err := a.Members(t.Context(), group.Ref)
				want := slices.Sorted(maps.Keys(members))
				if err != nil || !ok || !slices.Equal(want, ids) {
					rt.Fatalf("members are %v, want %v (%v)", ids, want, err)
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
