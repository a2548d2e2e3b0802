package scim_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrasync/target"
	"entrasync/target/scim"
)

// A 200 that changed nothing is an error with a remark, because to write it again is of no use; for
// activity it is one without, and never taken for done.
func TestSilentNoOp(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.noop = func(path string) bool {
		return path == "externalId" || path == "active" || path == enterprise+":department"
	}
	f.noopPut = func(name string) bool { return name == "externalId" || name == "active" || name == enterprise }
	id := f.seed("Users", `{"userName":"a","active":true,"externalId":"own","`+enterprise+`":{"department":"own"}}`)
	a := f.adapter(scim.Config{})
	r, err := a.Update(t.Context(), user(id), attributes(t, "title", "x", "externalId", "e", enterprise+":department", "d"))
	if e := errorOf(t, err); e.Code != target.Rejected || e.Remark != target.NotTaken || e.Attribute != "externalId" || !strings.Contains(err.Error(), "did not take "+enterprise+":department") {
		t.Error(err)
	}
	if r == nil || r.Attributes["title"] != "x" {
		t.Errorf("the resource is not returned with the error: %v", r)
	}
	for range 2 {
		_, err := a.Update(t.Context(), user(id), attributes(t, "active", false))
		if e := errorOf(t, err); e.Code != target.Rejected || e.Attribute != "active" || e.Remark != target.NoRemark {
			t.Error(err)
		}
	}
	f.quiet = true
	if _, err := f.adapter(scim.Config{}).Update(t.Context(), user(id), attributes(t, "externalId", "e")); err != nil {
		t.Errorf("204 without verification: %v", err)
	}
	if _, err := f.adapter(scim.Config{VerifyWrites: true}).Update(t.Context(), user(id), attributes(t, "externalId", "e")); err == nil {
		t.Error("204 with verification: taken for done")
	}
}

// Polis and scimply answer 200 to an extension's path and do nothing, but take it without a path.
// What they hide is not written back.
func TestSilentNoOpOfPathsOnly(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.noop = func(path string) bool { return strings.HasPrefix(path, "urn:") }
	f.hide = map[string]bool{"nickName": true}
	a := f.adapter(scim.Config{})
	for range 2 {
		id := f.seed("Users", `{"userName":"a","x-unknown":1,"nickName":"hidden","`+enterprise+`":{"department":"old","costCenter":"c"}}`)
		r, err := a.Update(t.Context(), user(id), attributes(t, "title", "x", enterprise+":department", "d"))
		if err != nil || r.Value(path(t, enterprise+":department")) != "d" || r.Attributes["title"] != "x" {
			t.Errorf("%v %v", r, err)
		}
		if held := f.held("Users", id); held["nickName"] != "hidden" || held["x-unknown"] != 1.0 || held[enterprise].(map[string]any)["costCenter"] != "c" {
			t.Errorf("more was written than was asked: %v", held)
		}
	}
	if len(f.sent("PATCH")) != 4 || len(f.sent("PUT")) != 0 {
		t.Errorf("%d PATCHes, %v", len(f.sent("PATCH")), f.sent("PUT"))
	}
}

// A server that shows an attribute nowhere is not written to in another way: a PUT of what it shows
// would take away what it hides.
func TestHiddenAttributesAreNotWrittenBack(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.hide = map[string]bool{"title": true, "nickName": true}
	id := f.seed("Users", `{"userName":"a","title":"old","nickName":"kept"}`)
	a := f.adapter(scim.Config{})
	for i, change := range [][]target.Attribute{attributes(t, "title", "new", "locale", "de"), attributes(t, "title", "newer")} {
		r, err := a.Update(t.Context(), user(id), change)
		if e := errorOf(t, err); e.Code != target.Unverified || e.Remark != target.NotShown || e.Attribute != "title" || r == nil {
			t.Errorf("%d: %v %v", i, r, err)
		}
	}
	if held := f.held("Users", id); held["title"] != "newer" || held["nickName"] != "kept" || held["locale"] != "de" {
		t.Errorf("%v", held)
	}
	if len(f.sent("PUT")) != 0 || len(f.sent("PATCH")) != 2 || len(f.sent("GET")) != 1 {
		t.Errorf("sent %v", f.sent(""))
	}
	// Nor is another attribute that the application does not take, for the same reason.
	f.noop = func(path string) bool { return path == "externalId" }
	f.noopPut = func(name string) bool { return name == "externalId" }
	f.held("Users", id)["externalId"] = "own"
	_, err := a.Update(t.Context(), user(id), attributes(t, "externalId", "e"))
	if e := errorOf(t, err); e.Remark != target.NotTaken || f.held("Users", id)["nickName"] != "kept" || len(f.sent("PUT")) != 0 {
		t.Errorf("%v, nickName %v, sent %v", err, f.held("Users", id)["nickName"], f.sent("PUT"))
	}
}

// A response that leaves out what was written says nothing of it: the resource is read, and shows it.
func TestTerseResponses(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	id := f.seed("Users", `{"userName":"a","title":"old","nickName":"n"}`)
	f.intercept = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if r.Method != "PATCH" {
			return false
		}
		var patch struct {
			Operations []struct {
				Op, Path string
				Value    any
			}
		}
		json.Unmarshal(body, &patch)
		for _, op := range patch.Operations {
			f.apply(f.get("Users", id), op.Op, op.Path, op.Value)
		}
		response(w, 200, map[string]any{"id": id, "userName": "a"})
		return true
	}
	a := f.adapter(scim.Config{})
	for _, title := range []string{"x", "y"} {
		if _, err := a.Update(t.Context(), user(id), attributes(t, "title", title)); err != nil {
			t.Error(err)
		}
		if f.held("Users", id)["title"] != title {
			t.Errorf("%v", f.held("Users", id))
		}
	}
	if len(f.sent("PUT")) != 0 || len(f.sent("GET")) != 1 {
		t.Errorf("sent %v", f.sent(""))
	}
}

// An application's own spelling is a remark, and nothing is written a second time for it.
func TestOwnSpelling(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	id := f.seed("Users", `{"userName":"a"}`)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == "PATCH" || r.Method == "GET" {
			response(w, 200, json.RawMessage(`{"id":"`+id+`","userName":"a","title":"R&amp;D","displayName":"Ada L"}`))
			return true
		}
		return false
	}
	_, err := f.adapter(scim.Config{}).Update(t.Context(), user(id), attributes(t, "title", "R&D", "displayName", " Ada  L "))
	if e := errorOf(t, err); e.Remark != target.Spelled || !strings.Contains(err.Error(), "displayName") || strings.Contains(err.Error(), "Ada") {
		t.Error(err)
	}
	if len(f.sent("PATCH")) != 1 || len(f.sent("PUT")) != 0 {
		t.Errorf("sent %v", f.sent(""))
	}
}

// A replica that is behind shows what was there before: that is never written back.
func TestALaggingReplicaIsNotWrittenBack(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.quiet = true
	id := f.seed("Users", `{"userName":"a","title":"old","active":true}`)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == "GET" {
			response(w, 200, json.RawMessage(`{"id":"`+id+`","userName":"a","title":"old","active":true,"nickName":"stale"}`))
			return true
		}
		return false
	}
	f.adapter(scim.Config{}).Update(t.Context(), user(id), attributes(t, "title", "new", "active", false))
	if held := f.held("Users", id); held["title"] != "new" || held["active"] != false || held["nickName"] != nil || len(f.sent("PUT")) != 0 {
		t.Errorf("%v after %v", held, f.sent("PUT"))
	}
}

// 204 to several changes of which one was not made: who may sign in is looked at.
func TestHalfOfA204(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.quiet = true
	f.noop = func(path string) bool { return path == "active" }
	f.noopPut = func(name string) bool { return name == "active" }
	id := f.seed("Users", `{"userName":"a","title":"old","active":true}`)
	_, err := f.adapter(scim.Config{}).Update(t.Context(), user(id), attributes(t, "title", "new", "active", false))
	if e := errorOf(t, err); e.Attribute != "active" || e.Remark != target.NoRemark {
		t.Error(err)
	}
}

// Servers that drop type or primary: the list stays as long as it was.
func TestValuePathsWhereTypesAreDropped(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.drop = []string{"type", "primary"}
	a := f.adapter(scim.Config{})
	work, role := `emails[type eq "work"].value`, `roles[primary eq "True"].value`
	r, err := a.Create(t.Context(), target.User, attributes(t, "userName", "a", work, "a0@x.example", role, "Admin"))
	if err != nil {
		t.Fatal(err)
	}
	mail, was := "a0@x.example", "Admin"
	for _, next := range []string{"User", "Guest", "User"} {
		address := strings.ToLower(next) + "@x.example"
		change := attributes(t, work, address, role, next)
		change[0].Old, change[1].Old = mail, was
		if _, err := a.Update(t.Context(), r.Ref, change); err != nil {
			t.Fatal(err)
		}
		mail, was = address, next
		held := f.held("Users", r.ID)
		if diff := cmp.Diff([]any{map[string]any{"value": address}}, held["emails"]); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]any{map[string]any{"value": next}}, held["roles"]); diff != "" {
			t.Error(diff)
		}
	}
	change := attributes(t, role, nil)
	change[0].Old = was
	if _, err := a.Update(t.Context(), r.Ref, change); err != nil || f.held("Users", r.ID)["roles"] != nil {
		t.Errorf("%v, roles %v", err, f.held("Users", r.ID)["roles"])
	}
	several := f.seed("Users", `{"userName":"b","emails":[{"value":"p@x.example"},{"value":"q@x.example"}]}`)
	_, err = a.Update(t.Context(), user(several), attributes(t, work, "r@x.example", "title", "t"))
	if e := errorOf(t, err); e.Attribute != work || e.Hint == "" {
		t.Error(err)
	}
	if held := f.held("Users", several); len(held["emails"].([]any)) != 2 || held["title"] != "t" {
		t.Errorf("%v", held)
	}
}

// Where types are kept, that is found out once.
func TestValuePathsAreNotLookedAtTwice(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	a := f.adapter(scim.Config{})
	for i := range 3 {
		r, err := a.Create(t.Context(), target.User, attributes(t, "userName", strings.Repeat("a", i+1), `emails[type eq "work"].value`, "a@x.example"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Update(t.Context(), r.Ref, attributes(t, `emails[type eq "work"].value`, "b@x.example")); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.sent("GET"); len(got) != 0 {
		t.Errorf("sent %v", got)
	}
}

// The answer's form may differ without anything being wrong.
func TestNormalizedAnswers(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	id := f.seed("Users", `{"userName":"a"}`)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == "PATCH" {
			response(w, 200, json.RawMessage(`{"id":"`+id+`","userName":"ada@x.example","active":"True","title":"",
				"phoneNumbers":[{"type":"work","value":"tel:+41-31","primary":true}],"`+enterprise+`":{"manager":"m"}}`))
		}
		return r.Method == "PATCH"
	}
	change := attributes(t, "userName", "Ada@X.example", "active", true, "title", nil, `phoneNumbers[type eq "work"].value`, "+41 31", enterprise+":manager", "m")
	if _, err := f.adapter(scim.Config{}).Update(t.Context(), user(id), change); err != nil {
		t.Error(err)
	}
}

// imulab answers 500 after doing the work: a creation is in doubt and never sent twice. A look afterwards
// finds it, also where the application cannot filter and was listed before.
func TestErrorAfterTheWork(t *testing.T) {
	t.Parallel()
	for _, filters := range []int{0, 400} {
		f := newFake(t)
		f.errorAfter, f.refuseFilter = "POST", filters
		f.seed("Users", `{"userName":"bob"}`)
		a := f.adapter(scim.Config{})
		if got := find(t, a, "userName", "ada"); len(got) != 0 {
			t.Errorf("%d: found before it is made: %v", filters, got)
		}
		_, err := a.Create(t.Context(), target.User, attributes(t, "userName", "ada"))
		if e := errorOf(t, err); !e.Indeterminate || e.Code != target.Unavailable || len(f.sent("POST")) != 1 {
			t.Errorf("%d: %+v, %d POSTs", filters, e, len(f.sent("POST")))
		}
		if got := find(t, a, "userName", "ada"); len(got) != 1 {
			t.Errorf("%d: a look afterwards does not find it", filters)
		}
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

// A deletion that failed is done only when the account is known to be gone: an application that
// cannot be asked either has said nothing.
func TestFailedDeletionIsNotDone(t *testing.T) {
	t.Parallel()
	for _, read := range []int{200, 403, 429, 500, 503} {
		f := newFake(t)
		id := f.seed("Users", `{"userName":"a"}`)
		f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			switch {
			case r.Method == "DELETE":
				refuseWith(w, 500, "")
			case read == 200:
				return false
			default:
				refuseWith(w, read, "")
			}
			return true
		}
		a := adapter(t, scim.Config{URL: f.url}, target.TransportConfig{Retries: -1, MaxElapsed: time.Nanosecond})
		if err := a.Delete(t.Context(), user(id)); err == nil {
			t.Errorf("deleting answers 500, reading %d: it counts as done", read)
		}
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
			t.Errorf("%d: of a deleted user: %v", status, err)
		}

		gid := f.seed("Groups", `{"displayName":"g","members":[{"value":"a"},{"value":"b"}]}`)
		if _, err := a.ChangeMembers(t.Context(), group(gid), []string{"c", "b"}, []string{"a"}); err != nil {
			t.Fatal(err)
		}
		if got, _, _ := a.Members(t.Context(), group(gid)); !slices.Equal(got, []string{"c", "b"}) {
			t.Errorf("%d: members %v", status, got)
		}
		f.hide = map[string]bool{"members": true}
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

func TestUpdateOfNothingAsksNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	if r, err := f.adapter(scim.Config{}).Update(t.Context(), user("x"), nil); r != nil || err != nil || len(f.sent("")) != 0 {
		t.Error(r, err, f.sent(""))
	}
}
