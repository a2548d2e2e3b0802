package scim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"entrasync/target"
	"entrasync/target/scim"
)

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

// A user who is deleted while the list is read moves another one to a page already read.
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
				response(w, 200, json.RawMessage(body))
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

// A list that never ends is left after a bounded number of requests, by cursor and by index, whether all
// accounts are asked for or one.
func TestListWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]func(n int) string{
		"one cursor":           func(int) string { return `{"Resources":[{"id":"a"}],"nextCursor":"x"}` },
		"a circle of cursors":  func(n int) string { return fmt.Sprintf(`{"Resources":[{"id":"%d"}],"nextCursor":"%d"}`, n, n%3) },
		"one page, any cursor": func(n int) string { return fmt.Sprintf(`{"Resources":[{"id":"a"}],"nextCursor":"%d"}`, n) },
		"empty, any cursor":    func(n int) string { return fmt.Sprintf(`{"Resources":[],"nextCursor":"%d"}`, n) },
		"one page, any index":  func(n int) string { return fmt.Sprintf(`{"totalResults":%d,"Resources":[{"id":"a"}]}`, n+100) },
	} {
		for what, read := range map[string]func(*scim.Adapter) error{
			"list": func(a *scim.Adapter) error {
				return a.List(t.Context(), target.User, func([]target.Resource) error { return nil })
			},
			"look-up": func(a *scim.Adapter) error {
				_, err := a.Find(t.Context(), target.User, path(t, "userName"), "ada")
				return err
			},
		} {
			f, n := newFake(t), 0
			f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
				if !strings.HasSuffix(r.URL.Path, "/Users") {
					return false
				}
				n++
				response(w, 200, json.RawMessage(body(n)))
				return true
			}
			err := read(f.adapter(scim.Config{}))
			if what == "list" {
				errorOf(t, err)
			}
			if n > 40 {
				t.Errorf("%s, %s: %d requests (%v)", name, what, n, err)
			}
		}
	}
}

// A response of a few megabytes cannot cost gigabytes once it is decoded.
func TestResponsesWithTooManyValues(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if strings.HasSuffix(r.URL.Path, "/Users") {
			response(w, 200, json.RawMessage(`{"totalResults":1,"Resources":[{}`+strings.Repeat(",{}", 2<<20)+`]}`))
		}
		return strings.HasSuffix(r.URL.Path, "/Users")
	}
	err := f.adapter(scim.Config{}).List(t.Context(), target.User, func([]target.Resource) error { return nil })
	if e := errorOf(t, err); e.Code != target.Rejected || !strings.Contains(e.Message, "more than 500000 values") || e.Hint == "" {
		t.Error(err)
	}
}

// Without page_size pages are as large as the application announces, within bounds; what is configured is
// never more than that.
func TestPageSizeFollowsTheApplication(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		announced, configured, want int
	}{{0, 0, 100}, {1000, 0, 1000}, {250, 0, 250}, {20, 0, 20}, {1 << 31, 0, 1000}, {1000, 50, 50}, {20, 50, 20}, {0, 500, 500}} {
		f := newFake(t)
		f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if !strings.HasSuffix(r.URL.Path, "/ServiceProviderConfig") {
				return false
			}
			filter := map[string]any{"supported": true}
			if tt.announced > 0 {
				filter["maxResults"] = tt.announced
			}
			response(w, 200, map[string]any{"patch": map[string]any{"supported": true}, "filter": filter})
			return true
		}
		listed(t, f.adapter(scim.Config{PageSize: tt.configured}), target.User)
		if sent := f.sent("GET /Users"); len(sent) != 1 || !strings.Contains(sent[0]+" ", fmt.Sprintf("count=%d ", tt.want)) {
			t.Errorf("announced %d, configured %d: sent %v, want count=%d", tt.announced, tt.configured, f.sent(""), tt.want)
		}
	}
}

// The size of an application costs one request for one resource.
func TestSize(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	for i := range 23 {
		f.seed("Users", fmt.Sprintf(`{"userName":"u%d"}`, i))
	}
	n, known, err := f.adapter(scim.Config{}).Size(t.Context(), target.User)
	if n != 23 || !known || err != nil {
		t.Errorf("%d, %t, %v", n, known, err)
	}
	if sent := f.sent("GET /Users"); len(sent) != 1 || !strings.Contains(sent[0], "count=1") {
		t.Errorf("sent %v", sent)
	}
	f.cursor = true // pages without a total
	if n, known, err = f.adapter(scim.Config{}).Size(t.Context(), target.User); known || err != nil {
		t.Errorf("by cursor: %d, %t, %v", n, known, err)
	}
}
