package scim_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"entrasync/target"
	"entrasync/target/scim"
)

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
	if got := find(t, a, "userName", "unknown"); len(got) != 0 {
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

// A filter that knows one case only hides accounts that are spelled otherwise.
func TestFilterComparesExactly(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.seed("Users", `{"userName":"Ada@X.example"}`)
	f.intercept = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		filter := r.URL.Query().Get("filter")
		if filter == "" || strings.Contains(filter, "Ada@X.example") {
			return false
		}
		response(w, 200, map[string]any{"totalResults": 0})
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
