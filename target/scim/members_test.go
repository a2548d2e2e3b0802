package scim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"entrasync/target"
	"entrasync/target/scim"
)

// Removing a member with a list of values empties the group on scimply, as the RFC says.
func TestMembersWireForm(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	id := f.seed("Groups", `{"displayName":"g","members":[{"value":"a"},{"value":"q\"b"},{"value":"c"}]}`)
	refused, err := f.adapter(scim.Config{}).ChangeMembers(t.Context(), group(id), []string{"d", "e"}, []string{"a", `q"b`})
	if err != nil || len(refused) != 0 {
		t.Fatal(refused, err)
	}
	want := `PATCH /Groups/g-1 {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` +
		`{"op":"remove","path":"members[value eq \"a\"]"},{"op":"remove","path":"members[value eq \"q\\\"b\"]"},` +
		`{"op":"add","path":"members","value":[{"value":"d"},{"value":"e"}]}]}`
	if got := f.sent("PATCH"); len(got) != 1 || got[0] != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got, ok, err := f.adapter(scim.Config{}).Members(t.Context(), group(id))
	if diff := cmp.Diff([]string{"c", "d", "e"}, got); diff != "" || !ok || err != nil {
		t.Error(diff, ok, err)
	}
}

// Better Auth takes 100 members in a PATCH and blames the members of a larger one.
func TestMembersInBatches(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.maxMembers = 100
	var many []string
	for i := range 500 {
		many = append(many, fmt.Sprintf("m%d", i))
	}
	a := f.adapter(scim.Config{MembersPerPatch: 400})
	for range 2 { // the second time it knows
		id := f.seed("Groups", `{"displayName":"g"}`)
		before := len(f.sent("PATCH"))
		refused, err := a.ChangeMembers(t.Context(), group(id), many, nil)
		if got, _ := f.held("Groups", id)["members"].([]any); err != nil || len(refused) != 0 || len(got) != 500 {
			t.Fatalf("%d members, %v %v", len(got), refused, err)
		}
		if sent := len(f.sent("PATCH")) - before; sent > 8 {
			t.Errorf("%d PATCHes", sent)
		}
	}
}

func TestUnknownMembersAreIsolated(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 404, 500} {
		f := newFake(t)
		f.refuse = func(_, _ string, value any) (int, string) {
			list, _ := value.([]any)
			for _, m := range list {
				if id := id(m); id == "m13" || id == "m77" {
					return status, ""
				}
			}
			return 0, ""
		}
		gid := f.seed("Groups", `{"displayName":"g","members":[{"value":"old"}]}`)
		var many []string
		for i := range 100 {
			many = append(many, fmt.Sprintf("m%d", i))
		}
		refused, err := f.adapter(scim.Config{}).ChangeMembers(t.Context(), group(gid), many, []string{"old"})
		if got := f.held("Groups", gid)["members"].([]any); err != nil || len(refused) != 2 || refused[0].ID != "m13" || refused[1].ID != "m77" || len(got) != 98 {
			t.Errorf("%d: %d members, refused %v, %v", status, len(got), refused, err)
		}
	}
}

func TestMembersVerified(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	gid := f.seed("Groups", `{"displayName":"g","members":[{"value":"old"},{"value":"kept"}]}`)
	f.noop = func(path string) bool { return strings.HasPrefix(path, "members[") }
	refused, err := f.adapter(scim.Config{VerifyWrites: true}).ChangeMembers(t.Context(), group(gid), []string{"new"}, []string{"old"})
	if err != nil || len(refused) != 1 || refused[0].ID != "old" {
		t.Error(refused, err)
	}
}

func TestMembersAllRefused(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.refuse = func(_, _ string, _ any) (int, string) { return 400, "invalidValue" }
	gid := f.seed("Groups", `{"displayName":"g"}`)
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("m%d", i))
	}
	refused, err := f.adapter(scim.Config{}).ChangeMembers(t.Context(), group(gid), many, nil)
	if sent := len(f.sent("PATCH")); err == nil || len(refused) != 10 || sent > 40 {
		t.Errorf("%d refused, %v, %d PATCHes", len(refused), err, sent)
	}
	if _, err := f.adapter(scim.Config{}).ChangeMembers(t.Context(), group("none"), many, nil); target.CodeOf(err) != target.NotFound {
		t.Errorf("of a group that is gone: %v", err)
	}
}

func TestHiddenMembersAreNotAnEmptyGroup(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.hideMembers = true
	gid := f.seed("Groups", `{"displayName":"g"}`)
	a := f.adapter(scim.Config{})
	if _, ok, err := a.Members(t.Context(), group(gid)); ok || err != nil {
		t.Errorf("absent members: ok %v, %v", ok, err)
	}
	if _, err := a.ChangeMembers(t.Context(), group(gid), []string{"m"}, nil); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := a.Members(t.Context(), group(gid)); ok || err != nil {
		t.Errorf("hidden members: ok %v, %v", ok, err)
	}
}

// A group that is written as a whole, by an application that does not show its members, would lose
// everybody who is not in this change.
func TestWholeGroupWithHiddenMembersIsNotWritten(t *testing.T) {
	t.Parallel()
	for _, cfg := range []scim.Config{{}, {Replace: true}} {
		f := newFake(t)
		f.noPatch = 405
		gid := f.seed("Groups", `{"displayName":"g","members":[{"value":"old"}]}`)
		f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if r.Method != "GET" || !strings.HasSuffix(r.URL.Path, "/"+gid) {
				return false
			}
			response(w, 200, map[string]any{"id": gid, "displayName": "g"})
			return true
		}
		_, err := f.adapter(cfg).ChangeMembers(t.Context(), group(gid), []string{"new"}, nil)
		if target.CodeOf(err) != target.Unsupported || err == nil {
			t.Errorf("%+v: %v", cfg, err)
		}
		if sent := f.sent("PUT"); len(sent) > 0 {
			t.Errorf("the group was written: %s", sent)
		}
	}
}
