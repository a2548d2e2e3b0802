package scim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrasync/target"
	"entrasync/target/scim"
)

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

// Who may sign in is written before the search for the bad attribute meets anything that ends it.
func TestActivityComesBeforeTheSearchForABadAttribute(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	id := f.seed("Users", `{"userName":"a","active":true}`)
	f.intercept = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		switch text := string(body); {
		case r.Method != "PATCH" || strings.Contains(text, `"active"`) && !strings.Contains(text, "displayName") && !strings.Contains(text, "nickName"):
			return false
		case strings.Contains(text, `"active"`):
			refuseWith(w, 400, "invalidValue")
		default:
			refuseWith(w, 500, "")
		}
		return true
	}
	a := adapter(t, scim.Config{URL: f.url}, target.TransportConfig{Retries: -1, MaxElapsed: time.Nanosecond})
	if _, err := a.Update(t.Context(), user(id), attributes(t, "userName", "b", "displayName", "d", "active", false, "nickName", "n")); err == nil {
		t.Error("no error")
	}
	if got := f.held("Users", id)["active"]; got != false {
		t.Errorf("active is %v", got)
	}
}

func TestBadAttributeNamedByTheTarget(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	id := f.seed("Users", `{"userName":"a"}`)
	f.intercept = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if r.Method == "PATCH" && strings.Contains(string(body), "nickName") {
			response(w, 400, map[string]any{"detail": "Attribute 'nickName' is read only", "status": 400})
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
