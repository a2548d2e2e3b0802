package scim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"entrasync/target"
	"entrasync/target/scim"
)

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

func path(t testing.TB, text string) target.Path {
	t.Helper()
	p, err := target.ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// attributes are pairs of path and value.
func attributes(t testing.TB, pairs ...any) []target.Attribute {
	t.Helper()
	var list []target.Attribute
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, target.Attribute{Path: path(t, pairs[i].(string)), Value: pairs[i+1]})
	}
	return list
}

func user(id string) target.Ref  { return target.Ref{Kind: target.User, ID: id} }
func group(id string) target.Ref { return target.Ref{Kind: target.Group, ID: id} }

func ids(list []target.Resource) []string {
	found := []string{}
	for _, r := range list {
		found = append(found, r.ID)
	}
	return found
}

func find(t *testing.T, a *scim.Adapter, by, value string) []string {
	t.Helper()
	found, err := a.Find(t.Context(), target.User, path(t, by), value)
	if err != nil {
		t.Fatal(err)
	}
	return ids(found)
}

func listed(t *testing.T, a *scim.Adapter, kind target.Kind) []string {
	t.Helper()
	all := []string{}
	if err := a.List(t.Context(), kind, func(page []target.Resource) error { all = append(all, ids(page)...); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func errorOf(t *testing.T, err error) *target.Error {
	t.Helper()
	var e *target.Error
	if !errors.As(err, &e) {
		t.Fatalf("not a target.Error: %v", err)
	}
	return e
}

// Casdoor answers a filter with everyone, its administrator first. Adopting the first one
// would take that account over.
func TestFilterAnsweredWithEveryone(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.ignoreFilter, f.totalIsPage, f.pageCap = true, true, 2
	f.seed("Users", `{"userName":"admin"}`)
	for i := range 5 {
		f.seed("Users", fmt.Sprintf(`{"userName":"user%d"}`, i))
	}
	a := f.adapter(scim.Config{PageSize: 2})
	if got := find(t, a, "userName", "nobody"); len(got) != 0 {
		t.Errorf("found %v", got)
	}
	before := len(f.sent("GET /Users?"))
	if got := find(t, a, "userName", "USER4"); len(got) != 1 || got[0] != "u-6" {
		t.Errorf("found %v", got)
	}
	if after := len(f.sent("GET /Users?")); after != before {
		t.Errorf("everyone was read again: %d more lists in one cycle", after-before)
	}
	f.seed("Users", `{"userName":"late"}`)
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := find(t, a, "userName", "late"); len(got) != 1 {
		t.Error("the next cycle works with the list of the last one")
	}
}

// Polis's index keeps the old address after a rename: the old name finds the renamed person.
func TestFilterAnsweredFromAStaleIndex(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	id := f.seed("Users", `{"userName":"new@x.example"}`)
	f.stale = map[string]string{"old@x.example": id}
	if got := find(t, f.adapter(scim.Config{}), "userName", "old@x.example"); len(got) != 0 {
		t.Errorf("found %v", got)
	}
}

func TestFilterRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 501, 500} {
		f := newFake(t)
		f.refuseFilter = status
		f.seed("Users", `{"userName":"ada","externalId":"Ab","emails":[{"type":"work","value":"a@x.example"}]}`)
		f.seed("Users", `{"userName":"bob","externalId":"aB"}`)
		a := f.adapter(scim.Config{})
		for by, value := range map[string]string{"externalId": "Ab", "userName": "ADA", `emails[type eq "work"].value`: "A@x.example"} {
			if got := find(t, a, by, value); len(got) != 1 || got[0] != "u-1" {
				t.Errorf("%d: %s finds %v", status, by, got)
			}
		}
		if got := find(t, a, "id", "u-2"); len(got) != 1 {
			t.Errorf("%d: by id %v", status, got)
		}
		if got := find(t, a, "id", "../Groups"); len(got) != 0 {
			t.Errorf("%d: by a path for an id %v", status, got)
		}
	}
}

// 404 to a filter is no match.
func TestFilterNotFound(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.refuseFilter = 404
	if got := find(t, f.adapter(scim.Config{}), "externalId", "x"); len(got) != 0 {
		t.Error(got)
	}
}

func TestFilterText(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.seed("Users", `{"userName":"a \"+\\& é"}`)
	a := f.adapter(scim.Config{URL: f.url + "/?aadOptscim062020"})
	if got := find(t, a, "urn:ietf:params:scim:schemas:core:2.0:User:userName", `a "+\& é`); len(got) != 1 {
		t.Error(got)
	}
	want := `GET /Users?aadOptscim062020&filter=userName%20eq%20%22a%20%5C%22%2B%5C%5C%26%20%C3%A9%22`
	if got := f.sent(""); len(got) != 1 || got[0] != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A filter that knows one case only hides whoever is spelled otherwise.
func TestFilterComparesExactly(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.seed("Users", `{"userName":"Ada@X.example"}`)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		filter := r.URL.Query().Get("filter")
		if filter == "" || strings.Contains(filter, "Ada@X.example") {
			return false
		}
		answer(w, 200, map[string]any{"totalResults": 0})
		return true
	}
	if got := find(t, f.adapter(scim.Config{}), "userName", "ada@x.example"); len(got) != 1 {
		t.Error("not found")
	}
}

// A first sync into an empty application asks once for each person, and no more.
func TestFindInAnEmptyApplication(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	a := f.adapter(scim.Config{})
	for i := range 20 {
		find(t, a, "userName", fmt.Sprintf("user%d", i))
	}
	if n := len(f.sent("")); n != 21 {
		t.Errorf("%d requests for 20 people", n)
	}
}

// Many workers who need everyone at once read everyone once.
func TestConcurrentFindsShareOneRead(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.refuseFilter = 400
	for i := range 30 {
		f.seed("Users", fmt.Sprintf(`{"userName":"user%d"}`, i))
	}
	a := f.adapter(scim.Config{PageSize: 10})
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			if got, err := a.Find(t.Context(), target.User, path(t, "userName"), fmt.Sprintf("User%d", i)); err != nil || len(got) != 1 {
				t.Errorf("%v %v", got, err)
			}
		})
	}
	wg.Wait()
	if n := len(f.sent("GET /Users?startIndex")); n > 4 {
		t.Errorf("%d list pages were read", n)
	}
}

// A 200 that changed nothing is told once; for activity each time, and never taken for done.
func TestSilentNoOp(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.noop = func(path string) bool {
		return path == "externalId" || path == "active" || path == enterprise+":department"
	}
	f.noopPut = func(name string) bool { return name == "externalId" || name == "active" || name == enterprise }
	first, second := f.seed("Users", `{"userName":"a","active":true}`), f.seed("Users", `{"userName":"b","active":true}`)
	a := f.adapter(scim.Config{})
	change := attributes(t, "title", "x", "externalId", "e", enterprise+":department", "d")
	r, err := a.Update(t.Context(), user(first), change)
	if e := errorOf(t, err); e.Code != target.Rejected || e.Attribute != "externalId" || !strings.Contains(err.Error(), "did not take "+enterprise+":department") {
		t.Error(err)
	}
	if r == nil || r.Attributes["title"] != "x" {
		t.Errorf("the resource is not returned beside the error: %v", r)
	}
	r, err = a.Update(t.Context(), user(second), change)
	if err != nil || r == nil || r.Value(path(t, "externalId")) != nil {
		t.Errorf("told again: %v, resource %v", err, r)
	}
	for _, id := range []string{first, second} {
		_, err := a.Update(t.Context(), user(id), attributes(t, "active", false))
		if e := errorOf(t, err); e.Code != target.Rejected || e.Attribute != "active" {
			t.Error(err)
		}
	}
	f.quiet = true
	if _, err := f.adapter(scim.Config{}).Update(t.Context(), user(first), attributes(t, "externalId", "e")); err != nil {
		t.Errorf("204 without verification: %v", err)
	}
	if _, err := f.adapter(scim.Config{VerifyWrites: true}).Update(t.Context(), user(first), attributes(t, "externalId", "e")); err == nil {
		t.Error("204 with verification: taken for done")
	}
}

// Polis and scimply answer 200 to an extension's path and do nothing, but keep what a PUT says.
func TestSilentNoOpOfPatchOnly(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.noop = func(path string) bool { return strings.HasPrefix(path, "urn:") }
	a := f.adapter(scim.Config{})
	for range 2 {
		id := f.seed("Users", `{"userName":"a","x-unknown":1}`)
		r, err := a.Update(t.Context(), user(id), attributes(t, "title", "x", enterprise+":department", "d"))
		if err != nil || r.Value(path(t, enterprise+":department")) != "d" || r.Attributes["title"] != "x" || r.Attributes["x-unknown"] != 1.0 {
			t.Errorf("%v %v", r, err)
		}
	}
	if len(f.sent("PATCH")) != 1 || len(f.sent("PUT")) != 2 {
		t.Errorf("what was learned is not used: %v", f.sent("P"))
	}
}

// The answer's form may differ without anything being wrong.
func TestNormalizedAnswers(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	id := f.seed("Users", `{"userName":"a"}`)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == "PATCH" {
			answer(w, 200, json.RawMessage(`{"id":"`+id+`","userName":"ada@x.example","active":"True","title":"",
				"phoneNumbers":[{"type":"work","value":"tel:+41-31","primary":true}],"`+enterprise+`":{"manager":"m"}}`))
		}
		return r.Method == "PATCH"
	}
	change := attributes(t, "userName", "Ada@X.example", "active", true, "title", nil, `phoneNumbers[type eq "work"].value`, "+41 31", enterprise+":manager", "m")
	if _, err := f.adapter(scim.Config{}).Update(t.Context(), user(id), change); err != nil {
		t.Error(err)
	}
}

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

// SCIMMY's page past the end is the first page; Casdoor's total is the page's size.
func TestPaging(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		turn func(*fake)
	}{
		{"as the RFC has it", func(*fake) {}},
		{"first page past the end", func(f *fake) { f.wrapAround = true }},
		{"total is the page's size", func(f *fake) { f.totalIsPage = true }},
		{"both", func(f *fake) { f.wrapAround, f.totalIsPage = true, true }},
		{"pages smaller than asked for", func(f *fake) { f.pageCap = 3 }},
		{"smaller, and total is the page's size", func(f *fake) { f.pageCap, f.totalIsPage = 3, true }},
		{"by cursor", func(f *fake) { f.cursor = true }},
	} {
		for _, n := range []int{0, 1, 10, 20, 23} {
			f := newFake(t)
			tt.turn(f)
			var want []string
			for i := range n {
				want = append(want, f.seed("Users", fmt.Sprintf(`{"userName":"u%d"}`, i)))
			}
			got := listed(t, f.adapter(scim.Config{PageSize: 10}), target.User)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %d of %d users", tt.name, len(got), n)
			}
			if sent := len(f.sent("GET /Users")); sent > 2+n/3+1 {
				t.Errorf("%s: %d requests for %d users", tt.name, sent, n)
			}
		}
	}
}

// Somebody who is deleted while the list is read moves somebody else to a page already read.
func TestPagingWhileAccountsGo(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	for i := range 25 {
		f.seed("Users", fmt.Sprintf(`{"userName":"u%d"}`, i))
	}
	gone := false
	f.intercept = func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.URL.Query().Get("startIndex") == "11" && !gone {
			gone = true
			f.byKind["Users"] = f.byKind["Users"][1:]
		}
		return false
	}
	if got := listed(t, f.adapter(scim.Config{PageSize: 10}), target.User); len(got) != 25 { // the deleted one came before
		t.Errorf("%d users: %v", len(got), got)
	}
}

func TestListThatIsNotComplete(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"more announced than given": `{"totalResults":5,"Resources":[{"id":"a"},{"id":"b"}]}`,
		"no list":                   `{"data":[]}`,
		"an error inside":           `{"status":"error","msg":"boom"}`,
	} {
		f := newFake(t)
		f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if strings.HasSuffix(r.URL.Path, "/Users") {
				answer(w, 200, json.RawMessage(body))
			}
			return strings.HasSuffix(r.URL.Path, "/Users")
		}
		if err := f.adapter(scim.Config{}).List(t.Context(), target.User, func([]target.Resource) error { return nil }); err == nil {
			t.Errorf("%s: taken for everyone", name)
		} else {
			errorOf(t, err)
		}
	}
}

func TestListWithoutEnd(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.cursor = true
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if strings.HasSuffix(r.URL.Path, "/Users") {
			answer(w, 200, json.RawMessage(`{"Resources":[{"id":"a"}],"nextCursor":"x"}`))
		}
		return strings.HasSuffix(r.URL.Path, "/Users")
	}
	err := f.adapter(scim.Config{}).List(t.Context(), target.User, func([]target.Resource) error { return nil })
	if e := errorOf(t, err); !strings.Contains(e.Message, "circle") {
		t.Error(err)
	}
}

// imulab answers 500 after doing the work: a creation is in doubt and never sent twice.
func TestErrorAfterTheWork(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.errorAfter = "POST"
	a := f.adapter(scim.Config{})
	_, err := a.Create(t.Context(), target.User, attributes(t, "userName", "ada"))
	if e := errorOf(t, err); !e.Unsure || e.Code != target.Unavailable || len(f.sent("POST")) != 1 {
		t.Errorf("%+v, %d POSTs", e, len(f.sent("POST")))
	}
	if got := find(t, a, "userName", "ada"); len(got) != 1 {
		t.Error("a look afterwards does not find it")
	}
}

func TestSecondDelete(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.delete500 = true
	id := f.seed("Users", `{"userName":"a"}`)
	a := f.adapter(scim.Config{})
	for range 2 {
		if err := a.Delete(t.Context(), user(id)); err != nil {
			t.Error(err)
		}
	}
	f.errorAfter = "DELETE"
	if err := a.Delete(t.Context(), user(f.seed("Users", `{"userName":"b"}`))); err != nil {
		t.Error(err)
	}
	for _, status := range []int{200, 202} {
		f.intercept = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool { w.WriteHeader(status); return true }
		if err := a.Delete(t.Context(), user("x")); err != nil {
			t.Error(err)
		}
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

func TestWithoutPatch(t *testing.T) {
	t.Parallel()
	for _, status := range []int{404, 405, 501} {
		f := newFake(t)
		f.noPatch, f.etags = status, true
		id := f.seed("Users", `{"userName":"a","title":"old","x-unknown":{"kept":true},"active":true}`)
		a := f.adapter(scim.Config{})
		for range 2 {
			r, err := a.Update(t.Context(), user(id), attributes(t, "active", false, "title", nil, enterprise+":department", "d"))
			if err != nil || r == nil {
				t.Fatalf("%d: %v", status, err)
			}
		}
		want := map[string]any{
			"id": id, "userName": "a", "active": false, "x-unknown": map[string]any{"kept": true},
			"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User", enterprise}, enterprise: map[string]any{"department": "d"},
		}
		if diff := cmp.Diff(want, f.held("Users", id)); diff != "" {
			t.Errorf("%d: %s", status, diff)
		}
		if n := len(f.sent("PATCH")); n != 1 {
			t.Errorf("%d: PATCH was tried %d times", status, n)
		}
		if _, err := a.Update(t.Context(), user("none"), attributes(t, "title", "x")); target.CodeOf(err) != target.NotFound {
			t.Errorf("%d: of somebody who is gone: %v", status, err)
		}

		gid := f.seed("Groups", `{"displayName":"g","members":[{"value":"a"},{"value":"b"}]}`)
		if _, err := a.ChangeMembers(t.Context(), group(gid), []string{"c", "b"}, []string{"a"}); err != nil {
			t.Fatal(err)
		}
		if got, _, _ := a.Members(t.Context(), group(gid)); !slices.Equal(got, []string{"c", "b"}) {
			t.Errorf("%d: members %v", status, got)
		}
		hidden := f.seed("Groups", `{"displayName":"h"}`)
		if _, err := f.adapter(scim.Config{}).Update(t.Context(), group(hidden), attributes(t, "displayName", "i")); target.CodeOf(err) != target.Unsupported {
			t.Errorf("%d: a group whose members are not shown was written as a whole: %v", status, err)
		}
	}
}

func TestPreconditionFailedIsRedoneOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.etags = true
	id := f.seed("Users", `{"userName":"a"}`)
	meddle := 1
	f.intercept = func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == "PUT" && meddle > 0 {
			meddle--
			f.get("Users", id)["nickName"] = "changed meanwhile"
		}
		return false
	}
	a := f.adapter(scim.Config{Replace: true})
	if _, err := a.Update(t.Context(), user(id), attributes(t, "title", "x")); err != nil {
		t.Fatal(err)
	}
	if got := f.held("Users", id); got["title"] != "x" || got["nickName"] != "changed meanwhile" {
		t.Errorf("%v", got)
	}
	meddle = 9
	f.seed("Users", `{"userName":"b"}`)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == "PUT" {
			refuseWith(w, 412, "")
		}
		return r.Method == "PUT"
	}
	before := len(f.sent("PUT"))
	if _, err := a.Update(t.Context(), user(id), attributes(t, "title", "y")); err == nil || len(f.sent("PUT"))-before != 2 {
		t.Errorf("%v after %d PUTs", err, len(f.sent("PUT"))-before)
	}
}

func TestPathsWithFiltersRefused(t *testing.T) {
	t.Parallel()
	for _, keyword := range []string{"noTarget", "invalidPath", ""} {
		f := newFake(t)
		f.refuse = func(_, path string, _ any) (int, string) {
			if strings.Contains(path, "[") {
				return 400, keyword
			}
			return 0, ""
		}
		id := f.seed("Users", `{"userName":"a","phoneNumbers":[{"type":"work","value":"1"},{"type":"fax","value":"2"}]}`)
		a := f.adapter(scim.Config{})
		for _, mobile := range []string{"3", "4"} {
			change := attributes(t, `phoneNumbers[type eq "mobile"].value`, mobile, `phoneNumbers[type eq "fax"].value`, nil, "title", "t"+mobile)
			if _, err := a.Update(t.Context(), user(id), change); err != nil {
				t.Fatalf("%s: %v", keyword, err)
			}
		}
		want := map[string]any{"id": id, "userName": "a", "title": "t4", "phoneNumbers": []any{
			map[string]any{"type": "work", "value": "1"}, map[string]any{"type": "mobile", "value": "4"},
		}}
		if diff := cmp.Diff(want, f.held("Users", id)); diff != "" {
			t.Errorf("%s: %s", keyword, diff)
		}
		if n := len(f.sent("PATCH")); keyword == "invalidPath" && n != 3 {
			t.Errorf("%d PATCHes: what was learned is not used", n)
		}
	}
}

// One bad attribute must not lose the others, activity above all.
func TestOneBadAttribute(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 409, 422} {
		f := newFake(t)
		f.refuse = func(_, path string, _ any) (int, string) {
			if path == "userName" || path == "nickName" {
				return status, "mutability"
			}
			return 0, ""
		}
		id := f.seed("Users", `{"userName":"a","active":true}`)
		change := attributes(t, "userName", "b", "displayName", "d", "active", false, "nickName", "n", "title", "t")
		_, err := f.adapter(scim.Config{}).Update(t.Context(), user(id), change)
		want := map[string]any{"id": id, "userName": "a", "displayName": "d", "active": false, "title": "t"}
		if diff := cmp.Diff(want, f.held("Users", id)); diff != "" {
			t.Errorf("%d: %s", status, diff)
		}
		if err == nil || !strings.Contains(err.Error(), "userName") || !strings.Contains(err.Error(), "nickName") || errorOf(t, err).Attribute == "" {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestBadAttributeNamedByTheTarget(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	id := f.seed("Users", `{"userName":"a"}`)
	f.intercept = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if r.Method == "PATCH" && strings.Contains(string(body), "nickName") {
			answer(w, 400, map[string]any{"detail": "Attribute 'nickName' is read only", "status": 400})
			return true
		}
		return false
	}
	_, err := f.adapter(scim.Config{}).Update(t.Context(), user(id), attributes(t, "title", "t", "displayName", "d", "nickName", "n", "locale", "de", "timezone", "z"))
	if e := errorOf(t, err); e.Attribute != "nickName" || e.Detail != "Attribute 'nickName' is read only" || len(f.sent("PATCH")) != 3 {
		t.Errorf("%+v after %d PATCHes", e, len(f.sent("PATCH")))
	}
	if got := f.held("Users", id); got["title"] != "t" || got["timezone"] != "z" {
		t.Error(got)
	}
}

func TestUpdateOfNothingAsksNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	if r, err := f.adapter(scim.Config{}).Update(t.Context(), user("x"), nil); r != nil || err != nil || len(f.sent("")) != 0 {
		t.Error(r, err, f.sent(""))
	}
}
