package scim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrasync/target"
	"entrasync/target/scim"
)

// Zabbix answers a filter with the resource itself, and with a list, or nothing but schemas, when
// there is none.
func TestFilterAnsweredWithTheResource(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.seed("Users", `{"userName":"ada"}`)
	f.seed("Users", `{"userName":"bob"}`)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		value, _ := strconv.Unquote(strings.TrimPrefix(r.URL.Query().Get("filter"), "userName eq "))
		if value == "" {
			return false
		}
		for _, u := range f.byKind["Users"] {
			if u["userName"] == value {
				response(w, 200, u)
				return true
			}
		}
		response(w, 200, map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User"}})
		return true
	}
	a := f.adapter(scim.Config{})
	if got := find(t, a, "userName", "ada"); len(got) != 1 || got[0] != "u-1" {
		t.Errorf("found %v", got)
	}
	if got := find(t, a, "userName", "cleo"); len(got) != 0 {
		t.Errorf("found %v", got)
	}
	if _, err := a.Probe(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// One odd response about one person is about that person: a firewall that dislikes a name, say.
func TestOneOddResponse(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]func(http.ResponseWriter){
		"a page": func(w http.ResponseWriter) { w.Write([]byte("<html><title>Blocked</title></html>")) },
		"a page, 403": func(w http.ResponseWriter) {
			w.WriteHeader(403)
			w.Write([]byte("<html><title>Blocked</title></html>"))
		},
		"other JSON":   func(w http.ResponseWriter) { w.Write([]byte(`{"ok":true}`)) },
		"half of JSON": func(w http.ResponseWriter) { w.Write([]byte(`{"id":"u-1","userNa`)) },
		"a list":       func(w http.ResponseWriter) { w.Write([]byte(`[]`)) },
		"a redirect":   func(w http.ResponseWriter) { w.Header().Set("Location", "/login"); w.WriteHeader(303) },
	} {
		f := newFake(t)
		id := f.seed("Users", `{"userName":"o'neil"}`)
		f.seed("Users", `{"userName":"ada"}`)
		f.intercept = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
			if strings.Contains(r.URL.Query().Get("filter"), "neil") || bytes.Contains(body, []byte("neil")) || r.Method == "PATCH" {
				odd(w)
				return true
			}
			return false
		}
		a := f.adapter(scim.Config{})
		if got := find(t, a, "userName", "o'neil"); len(got) != 1 || got[0] != id {
			t.Errorf("%s: found %v", name, got)
		}
		if _, err := a.Update(t.Context(), user(id), attributes(t, "title", "x")); err == nil || target.CodeOf(err).Stops() {
			t.Errorf("%s: an update ends with %v", name, err)
		}
		if _, err := a.Create(t.Context(), target.User, attributes(t, "userName", "neil")); err == nil || target.CodeOf(err).Stops() {
			t.Errorf("%s: a creation ends with %v", name, err)
		}
		f.intercept = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool { odd(w); return true }
		if name == "a page, 403" {
			continue
		}
		if _, err := f.adapter(scim.Config{}).Update(t.Context(), user(id), attributes(t, "title", "x")); !target.CodeOf(err).Stops() {
			t.Errorf("%s: where nothing is SCIM, an update ends with %v", name, err)
		}
	}
}

func TestCountAboveTheMaximum(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ most, status int }{{20, 400}, {50, 400}, {99, 413}, {7, 422}, {10, 500}} {
		f := newFake(t)
		for i := range 45 {
			f.seed("Users", fmt.Sprintf(`{"userName":"u%d"}`, i))
		}
		f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if count, _ := strconv.Atoi(r.URL.Query().Get("count")); count > tt.most {
				refuseWith(w, tt.status, "")
				return true
			}
			return false
		}
		a := f.adapter(scim.Config{})
		for range 2 {
			if got := listed(t, a, target.User); len(got) != 45 {
				t.Errorf("%+v: %d users", tt, len(got))
			}
		}
		refusals := slices.DeleteFunc(f.sent("GET"), func(line string) bool { return !strings.Contains(line, "count=100") })
		if len(refusals) > 4 { // a 500 is repeated by the transport
			t.Errorf("%+v: what was learned is not used: %v", tt, refusals)
		}
		profile, err := f.adapter(scim.Config{}).Probe(t.Context(), nil)
		if err != nil || !strings.Contains(strings.Join(profile.Notes, "\n"), "page_size: ") {
			t.Errorf("%+v: the probe notes %v, %v", tt, profile, err)
		}
	}
}

func TestExcludedAttributesRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 500, 501} {
		f := newFake(t)
		id := f.seed("Groups", `{"displayName":"g"}`)
		f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if r.URL.Query().Get("excludedAttributes") != "" {
				refuseWith(w, status, "")
				return true
			}
			return false
		}
		a := f.adapter(scim.Config{})
		if got := listed(t, a, target.Group); len(got) != 1 {
			t.Errorf("%d: %d groups", status, len(got))
		}
		if r, err := a.Get(t.Context(), group(id)); err != nil || r.ID != id {
			t.Errorf("%d: %v %v", status, r, err)
		}
		if profile, err := f.adapter(scim.Config{}).Probe(t.Context(), nil); err != nil || !profile.Kinds[target.Group] {
			t.Errorf("%d: the probe says %+v, %v", status, profile, err)
		}
	}
}

// A service may claim cursors and refuse them, or not know the parameter.
func TestClaimedCursors(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, 400, 404, 500, 501} {
		f := newFake(t)
		for i := range 230 {
			f.seed("Users", fmt.Sprintf(`{"userName":"u%d"}`, i))
		}
		f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			switch {
			case strings.HasSuffix(r.URL.Path, "/ServiceProviderConfig"):
				response(w, 200, json.RawMessage(`{"patch":{"supported":true},"pagination":{"cursor":true,"index":false}}`))
			case r.URL.Query().Has("cursor") && status != 0:
				refuseWith(w, status, "")
			default:
				return false
			}
			return true
		}
		if got := listed(t, f.adapter(scim.Config{}), target.User); len(got) != 230 {
			t.Errorf("%d: %d users", status, len(got))
		}
	}
}

// Apache's mod_deflate renames the version it passes on, and the service does not know that name.
func TestVersionRenamedByAProxy(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{"-gzip", ";gzip", "-br"} {
		f := newFake(t)
		id := f.seed("Users", `{"userName":"a"}`)
		f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			switch r.Method {
			case "GET":
				w.Header().Set("ETag", `W/"7`+suffix+`"`)
			case "PUT":
				if r.Header.Get("If-Match") != `W/"7"` {
					refuseWith(w, 412, "")
					return true
				}
			}
			return false
		}
		if _, err := f.adapter(scim.Config{Replace: true}).Update(t.Context(), user(id), attributes(t, "title", "x")); err != nil {
			t.Errorf("%s: %v", suffix, err)
		}
	}
}

func TestMediaTypeRefused(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if media := r.Header.Get("Content-Type"); media != "" && media != "application/json" {
			w.WriteHeader(415)
			return true
		}
		return false
	}
	a := f.adapter(scim.Config{})
	r, err := a.Create(t.Context(), target.User, attributes(t, "userName", "ada"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Update(t.Context(), r.Ref, attributes(t, "title", "x")); err != nil {
		t.Error(err)
	}
	if len(f.sent("POST")) != 2 || len(f.sent("PATCH")) != 1 {
		t.Errorf("sent %v", f.sent("P"))
	}
}

func TestBodiesInLatin1(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ media, body string }{
		{"application/json; charset=ISO-8859-1", "{\"id\":\"u-1\",\"userName\":\"a\",\"title\":\"B\xfcrochef \x80\"}"},
		{"application/scim+json", "{\"id\":\"u-1\",\"userName\":\"a\",\"title\":\"B\xfcrochef \x80\"}"},
		{"application/json; charset=iso-8859-1", "{\"id\":\"u-1\",\"userName\":\"a\",\"title\":\"Bürochef €\"}"},
		{"application/json; charset=utf-16le", utf16le("{\"id\":\"u-1\",\"userName\":\"a\",\"title\":\"Bürochef €\"}")},
		{"", "{\"id\":\"u-1\",\"userName\":\"a\",\"title\":\"Bürochef €\"}"},
	} {
		f := newFake(t)
		f.intercept = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
			w.Header().Set("Content-Type", tt.media)
			w.Write([]byte(tt.body))
			return true
		}
		r, err := f.adapter(scim.Config{}).Get(t.Context(), user("u-1"))
		if err != nil || r.Attributes["title"] != "Bürochef €" {
			t.Errorf("%s: %v %v", tt.media, r, err)
		}
	}
}

func utf16le(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(byte(r))
		b.WriteByte(byte(r >> 8))
	}
	return b.String()
}

// Values take the type that /Schemas has; it is read when a value may need it, and once.
func TestValuesTakeTheSchemasType(t *testing.T) {
	t.Parallel()
	const urn = "urn:ietf:params:scim:schemas:extension:acme:2.0:User"
	f := newFake(t)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if !strings.HasSuffix(r.URL.Path, "/Schemas") {
			return false
		}
		response(w, 200, json.RawMessage(`{"Resources":[{"id":"`+urn+`","attributes":[{"name":"vip","type":"boolean"},{"name":"level","type":"integer"},
			{"name":"rate","type":"decimal"},{"name":"code","type":"string"},{"name":"flags","type":"boolean","multiValued":true},
			{"name":"desk","type":"complex","subAttributes":[{"name":"floor","type":"integer"}]}]}]}`))
		return true
	}
	a := f.adapter(scim.Config{})
	if _, err := a.Create(t.Context(), target.User, attributes(t, "userName", "0", "title", "Engineer", urn+":code", "abc")); err != nil {
		t.Fatal(err)
	}
	if got := f.sent("GET"); len(got) != 0 {
		t.Errorf("the schemas were read for texts: %v", got)
	}
	values := []any{urn + ":vip", "True", urn + ":level", "4", urn + ":rate", "0.5", urn + ":code", 17.0, urn + ":flags", []any{"true", "False"}, urn + ":desk.floor", "3", "title", "42"}
	want := map[string]any{"vip": true, "level": 4.0, "rate": 0.5, "code": "17", "flags": []any{true, false}, "desk": map[string]any{"floor": 3.0}}
	r, err := a.Create(t.Context(), target.User, attributes(t, append([]any{"userName", "a"}, values...)...))
	if err != nil {
		t.Fatal(err)
	}
	id := f.seed("Users", `{"userName":"b"}`)
	if _, err := a.Update(t.Context(), user(id), attributes(t, values...)); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{r.ID, id} {
		if diff := cmp.Diff(want, f.held("Users", id)[urn]); diff != "" || f.held("Users", id)["title"] != "42" {
			t.Errorf("%s: %s", id, diff)
		}
	}
	if got := f.sent("GET"); len(got) != 1 {
		t.Errorf("read %v", got)
	}
}

// Adding who is there is an error in some applications: a look tells, not a request for each.
func TestAddingWhoIsThere(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 409, 500} {
		f := newFake(t)
		gid := f.seed("Groups", `{"displayName":"g","members":[{"value":"m3"},{"value":"m7"}]}`)
		f.refuse = func(op, path string, value any) (int, string) {
			held, _ := f.get("Groups", gid)["members"].([]any)
			list, _ := value.([]any)
			for _, m := range list {
				if slices.ContainsFunc(held, func(h any) bool { return id(h) == id(m) }) {
					return status, ""
				}
			}
			return 0, ""
		}
		var twelve []string
		for i := range 12 {
			twelve = append(twelve, fmt.Sprintf("m%d", i))
		}
		a := f.adapter(scim.Config{})
		for range 2 {
			refused, err := a.ChangeMembers(t.Context(), group(gid), twelve, []string{"not-there"})
			if err != nil || len(refused) != 0 || len(f.held("Groups", gid)["members"].([]any)) != 12 {
				t.Errorf("%d: %v %v, members %v", status, refused, err, f.held("Groups", gid)["members"])
			}
		}
		if sent := f.sent(""); len(sent) > 12 {
			t.Errorf("%d: %d requests", status, len(sent))
		}
	}
}

// Where members are not shown, a conflict on one who is added means that they are there.
func TestAddingWhoIsThereUnseen(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.hide = map[string]bool{"members": true}
	gid := f.seed("Groups", `{"displayName":"g","members":[{"value":"m1"}]}`)
	f.refuse = func(_, _ string, value any) (int, string) {
		if list, _ := value.([]any); slices.ContainsFunc(list, func(m any) bool { return id(m) == "m1" }) {
			return 409, "uniqueness"
		}
		return 0, ""
	}
	refused, err := f.adapter(scim.Config{}).ChangeMembers(t.Context(), group(gid), []string{"m0", "m1", "m2"}, nil)
	if err != nil || len(refused) != 0 || len(f.held("Groups", gid)["members"].([]any)) != 3 {
		t.Errorf("%v %v, members %v", refused, err, f.held("Groups", gid)["members"])
	}
}

// A group that was made here is empty, so that one without PATCH gets its members by PUT.
func TestMembersWithPutOnly(t *testing.T) {
	t.Parallel()
	for _, status := range []int{404, 405, 501} {
		f := newFake(t)
		f.noPatch = status
		f.hide = map[string]bool{} // an empty group has no members attribute
		a := f.adapter(scim.Config{})
		r, err := a.Create(t.Context(), target.Group, attributes(t, "displayName", "g"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Update(t.Context(), r.Ref, attributes(t, "displayName", "renamed")); err != nil {
			t.Errorf("%d: %v", status, err)
		}
		for _, id := range []string{"a", "b"} {
			if refused, err := a.ChangeMembers(t.Context(), r.Ref, []string{id}, nil); err != nil || len(refused) != 0 {
				t.Errorf("%d: %v %v", status, refused, err)
			}
		}
		empty := f.seed("Groups", `{"displayName":"made in an earlier process"}`)
		if _, err := f.adapter(scim.Config{}).ChangeMembers(t.Context(), group(empty), []string{"c"}, nil); err != nil {
			t.Errorf("%d: of an empty group where others show members: %v", status, err)
		}
		if got := f.held("Groups", r.ID); got["displayName"] != "renamed" || len(got["members"].([]any)) != 2 {
			t.Errorf("%d: %v", status, got)
		}
		f.hide["members"] = true
		if refused, err := f.adapter(scim.Config{}).ChangeMembers(t.Context(), r.Ref, []string{"c"}, nil); err == nil && len(refused) == 0 || len(f.held("Groups", r.ID)["members"].([]any)) != 2 {
			t.Errorf("%d: a group that hides its members was written as a whole: %v", status, err)
		}
	}
}

// Zabbix takes changes of members as a whole only; a removal by path is refused.
func TestRemovalByPathRefused(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.refuse = func(op, path string, _ any) (int, string) {
		if strings.HasPrefix(path, "members[") {
			return 400, "invalidPath"
		}
		return 0, ""
	}
	gid := f.seed("Groups", `{"displayName":"g","members":[{"value":"a"},{"value":"b"},{"value":"c"}]}`)
	a := f.adapter(scim.Config{})
	for _, step := range []struct{ add, remove, want []string }{
		{[]string{"d"}, []string{"a"}, []string{"b", "c", "d"}},
		{[]string{"e"}, []string{"b", "c"}, []string{"d", "e"}},
	} {
		refused, err := a.ChangeMembers(t.Context(), group(gid), step.add, step.remove)
		got, _, _ := a.Members(t.Context(), group(gid))
		slices.Sort(got)
		if err != nil || len(refused) != 0 || !slices.Equal(got, step.want) {
			t.Errorf("%v %v, members %v", refused, err, got)
		}
	}
}

// Some applications do not know for seconds what they have just made: it is not made again.
func TestJustMadeAndNotThereYet(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	unknown := 2
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == "PATCH" && unknown > 0 {
			unknown--
			refuseWith(w, 404, "")
			return true
		}
		return false
	}
	a := f.adapter(scim.Config{})
	r, err := a.Create(t.Context(), target.Group, attributes(t, "displayName", "g"))
	if err != nil {
		t.Fatal(err)
	}
	if refused, err := a.ChangeMembers(t.Context(), r.Ref, []string{"a"}, nil); err != nil || len(refused) != 0 || len(f.held("Groups", r.ID)["members"].([]any)) != 1 {
		t.Errorf("%v %v %v", refused, err, f.held("Groups", r.ID))
	}
	start := time.Now()
	short := f.adapter(scim.Config{Settle: 300 * time.Millisecond})
	made, err := short.Create(t.Context(), target.User, attributes(t, "userName", "a"))
	if err != nil {
		t.Fatal(err)
	}
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method != "GET" || strings.Contains(r.URL.Path, "/Users/") {
			refuseWith(w, 404, "")
		}
		return r.Method != "GET" || strings.Contains(r.URL.Path, "/Users/")
	}
	if _, err := short.Update(t.Context(), made.Ref, attributes(t, "title", "x", "locale", "de")); target.CodeOf(err) != target.NotFound || time.Since(start) > 5*time.Second {
		t.Errorf("an update of what stays unknown ends with %v after %v", err, time.Since(start))
	}
}

// An application that knows other types of roles refuses Entra's. The roles are written without their
// labels, and it is not asked twice; any other refusal stays one.
func TestLabelsOfRolesRefused(t *testing.T) {
	t.Parallel()
	roles := []any{map[string]any{"value": "Admin", "display": "Admin", "type": "WindowsAzureActiveDirectoryRole", "primary": false}}
	f := newFake(t)
	f.intercept = func(w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if bytes.Contains(body, []byte("WindowsAzure")) || bytes.Contains(body, []byte("Unwelcome")) {
			refuseWith(w, 400, "invalidValue")
			return true
		}
		return false
	}
	a := f.adapter(scim.Config{})
	r, err := a.Create(t.Context(), target.User, attributes(t, "userName", "ada", "roles", roles))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{map[string]any{"value": "Admin"}}, f.held("Users", r.ID)["roles"]); diff != "" {
		t.Error(diff)
	}
	if _, err := a.Create(t.Context(), target.User, attributes(t, "userName", "bob", "roles", roles)); err != nil || len(f.sent("POST")) != 3 {
		t.Errorf("%v after %v", err, f.sent("POST"))
	}
	if _, err := a.Create(t.Context(), target.User, attributes(t, "userName", "cleo", "roles", []any{map[string]any{"value": "Unwelcome"}})); err == nil {
		t.Error("a refused role is taken for written")
	}

	// The same in an update, together with what is taken.
	a = f.adapter(scim.Config{})
	if _, err := a.Update(t.Context(), user(r.ID), attributes(t, "title", "x", "roles", []any{map[string]any{"value": "Viewer", "type": "WindowsAzureActiveDirectoryRole"}})); err != nil {
		t.Error(err)
	}
	held := f.held("Users", r.ID)
	if diff := cmp.Diff([]any{map[string]any{"value": "Viewer"}}, held["roles"]); diff != "" || held["title"] != "x" {
		t.Errorf("%v %s", held["title"], diff)
	}
	patches := len(f.sent("PATCH"))
	if _, err := a.Update(t.Context(), user(r.ID), attributes(t, "roles", roles)); err != nil || len(f.sent("PATCH")) != patches+1 {
		t.Errorf("%v after %v", err, f.sent("PATCH"))
	}
	if _, err := a.Update(t.Context(), user(r.ID), attributes(t, "roles", []any{map[string]any{"value": "Unwelcome", "type": "x"}})); err == nil {
		t.Error("a refused role is taken for written")
	}
}
