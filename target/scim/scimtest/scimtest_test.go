package scimtest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"entrasync/target/scim/scimtest"

	"github.com/google/go-cmp/cmp"
)

const (
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	custom     = "urn:ietf:params:scim:schemas:extension:2.0:CustomExtensionName"
	frontGroup = "urn:ietf:params:scim:schemas:extension:frontapp:group"
)

var extensions = []scimtest.Extension{
	{URN: custom, Resource: "User", Attributes: []scimtest.Attribute{{Name: "folders", Type: "string", MultiValued: true}}},
	{URN: frontGroup, Resource: "Group", Attributes: []scimtest.Attribute{{Name: "description", Type: "string"}}},
}

// both runs a story against each server.
func both(t *testing.T, opts scimtest.Options, story func(t *testing.T, s *scimtest.Server)) {
	t.Helper()
	for name, start := range map[string]func(testing.TB, scimtest.Options) *scimtest.Server{
		"elimity": scimtest.Elimity, "scimmy": scimtest.SCIMMY,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, start(t, opts))
		})
	}
}

// ask sends one request the way a client does.
func ask(t *testing.T, s *scimtest.Server, method, path, body string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.Token)
	r.Header.Set("Content-Type", "application/scim+json")
	response, err := s.Client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]any
	if len(b) > 0 {
		if err := json.Unmarshal(b, &decoded); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	}
	return response.StatusCode, decoded
}

func patch(operations string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + operations + `]}`
}

func TestUserLifeCycle(t *testing.T) {
	t.Parallel()
	both(t, scimtest.Options{Extensions: extensions}, func(t *testing.T, s *scimtest.Server) {
		ada := map[string]any{
			"userName": "ada@example.com", "externalId": "1", "active": true, "name": map[string]any{"givenName": "Ada"},
			"emails":   []any{map[string]any{"type": "work", "value": "ada@example.com"}},
			enterprise: map[string]any{"department": "Sales"},
			custom:     map[string]any{"folders": []any{"a", "b"}},
		}
		id := s.Seed(t, ada)

		status, body := ask(t, s, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ADA@example.com"}`)
		if status != http.StatusConflict || body["scimType"] != "uniqueness" {
			t.Errorf("a second user of the name: %d %v, want 409 uniqueness", status, body)
		}
		if _, body = ask(t, s, "GET", "/Users?filter=userName%20eq%20%22ada@example.com%22", ""); body["totalResults"] != 1.0 {
			t.Errorf("filter by userName found %v, want 1", body["totalResults"])
		}

		status, body = ask(t, s, "PATCH", "/Users/"+id, patch(`
			{"op":"replace","path":"active","value":false},
			{"op":"replace","path":"name.givenName","value":"Augusta"},
			{"op":"replace","path":"emails[type eq \"work\"].value","value":"augusta@example.com"},
			{"op":"replace","path":"`+enterprise+`:department","value":"Research"},
			{"op":"replace","path":"`+custom+`:folders","value":["c"]},
			{"op":"remove","path":"externalId"}`))
		if status != http.StatusOK {
			t.Fatalf("patch: %d %v", status, body)
		}
		got := s.User(t, "ADA@EXAMPLE.COM")
		for _, own := range []string{"id", "meta", "schemas"} {
			delete(got, own)
		}
		want := map[string]any{
			"userName": "ada@example.com", "active": false, "name": map[string]any{"givenName": "Augusta"},
			"emails":   []any{map[string]any{"type": "work", "value": "augusta@example.com"}},
			enterprise: map[string]any{"department": "Research"},
			custom:     map[string]any{"folders": []any{"c"}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after the patch (-want +got):\n%s", diff)
		}

		if status, _ = ask(t, s, "PATCH", "/Users/"+id, patch(`{"op":"replace","path":"active","value":true},{"op":"replace","path":"nothing","value":1}`)); status != http.StatusBadRequest {
			t.Errorf("a patch with a wrong operation: %d, want 400", status)
		}
		if s.User(t, "ada@example.com")["active"] != false {
			t.Error("a refused patch was applied in part")
		}
		if status, _ = ask(t, s, "DELETE", "/Users/"+id, ""); status != http.StatusNoContent {
			t.Errorf("delete: %d, want 204", status)
		}
		if status, _ = ask(t, s, "GET", "/Users/"+id, ""); status != http.StatusNotFound {
			t.Errorf("get of the deleted: %d, want 404", status)
		}
	})
}

func TestGroupsAndMembers(t *testing.T) {
	t.Parallel()
	both(t, scimtest.Options{Extensions: extensions}, func(t *testing.T, s *scimtest.Server) {
		a, b := s.Seed(t, map[string]any{"userName": "a"}), s.Seed(t, map[string]any{"userName": "b"})
		group := s.SeedGroup(t, map[string]any{"displayName": "Sales", frontGroup: map[string]any{"description": "who sells"}})
		members := func() []string {
			ids := []string{}
			list, _ := s.Group(t, "Sales")["members"].([]any)
			for _, m := range list {
				ids = append(ids, m.(map[string]any)["value"].(string))
			}
			return ids
		}

		if status, body := ask(t, s, "PATCH", "/Groups/"+group, patch(fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":%q},{"value":%q}]}`, a, b))); status != http.StatusOK {
			t.Fatalf("add members: %d %v", status, body)
		}
		if diff := cmp.Diff([]string{a, b}, members()); diff != "" {
			t.Error(diff)
		}
		ask(t, s, "PATCH", "/Groups/"+group, patch(fmt.Sprintf(`{"op":"remove","path":"members[value eq \"%s\"]"}`, a)))
		if diff := cmp.Diff([]string{b}, members()); diff != "" {
			t.Error(diff)
		}
		s.Delete(t, "/Users/"+b)
		if diff := cmp.Diff([]string{}, members()); diff != "" {
			t.Error(diff)
		}
		if got := s.Group(t, "Sales")[frontGroup]; !cmp.Equal(got, map[string]any{"description": "who sells"}) {
			t.Errorf("the group's extension is %v", got)
		}
		if status, _ := ask(t, s, "POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Sales"}`); status != http.StatusConflict {
			t.Errorf("a second group of the name: %d, want 409", status)
		}
	})
}

func TestReadBackPages(t *testing.T) {
	t.Parallel()
	both(t, scimtest.Options{PageSize: 10}, func(t *testing.T, s *scimtest.Server) {
		names := map[any]bool{}
		for i := range 125 {
			s.Seed(t, map[string]any{"userName": fmt.Sprintf("u%d", i)})
		}
		for _, u := range s.Users(t) {
			names[u["userName"]] = true
		}
		if len(names) != 125 {
			t.Errorf("read back %d users, want 125", len(names))
		}
		if n := len(s.Requests()); n != 0 {
			t.Errorf("reading back counted as %d requests", n)
		}
	})
}

func TestRefusesAWrongToken(t *testing.T) {
	t.Parallel()
	both(t, scimtest.Options{Token: "right"}, func(t *testing.T, s *scimtest.Server) {
		s.Token = "wrong"
		if status, _ := ask(t, s, "GET", "/Users", ""); status != http.StatusUnauthorized {
			t.Errorf("got %d, want 401", status)
		}
	})
}

func TestServesTLS(t *testing.T) {
	t.Parallel()
	s := scimtest.Elimity(t, scimtest.Options{TLS: true})
	if status, _ := ask(t, s, "GET", "/ServiceProviderConfig", ""); status != http.StatusOK || !strings.HasPrefix(s.URL, "https://") {
		t.Errorf("%s answered %d", s.URL, status)
	}
	if pem, err := os.ReadFile(s.CAFile); err != nil || !strings.Contains(string(pem), "BEGIN CERTIFICATE") {
		t.Errorf("CA file: %v", err)
	}
}

func TestCountsAndFaults(t *testing.T) {
	t.Parallel()
	both(t, scimtest.Options{}, func(t *testing.T, s *scimtest.Server) {
		create := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada"}`
		s.Fail(func(r *http.Request) *http.Response {
			if r.Method != http.MethodPost {
				return nil
			}
			return scimtest.NewResponse(http.StatusTooManyRequests, "", "Retry-After", "1")
		})
		ask(t, s, "POST", "/Users", create)
		ask(t, s, "GET", "/Users?count=1", "")
		want := []scimtest.Request{
			{Method: "POST", Path: "/v2/Users", Body: create, Status: 429},
			{Method: "GET", Path: "/v2/Users", Query: "count=1", Status: 200},
		}
		if diff := cmp.Diff(want, s.Requests()); diff != "" {
			t.Error(diff)
		}
		if len(s.Users(t)) != 0 {
			t.Error("a failed request was carried out")
		}

		s.Fail(nil)
		s.Reset()
		s.Lose(func(r *http.Request) bool { return r.Method == http.MethodPost })
		r, _ := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/Users", strings.NewReader(create))
		r.Header.Set("Authorization", "Bearer "+s.Token)
		r.Header.Set("Content-Type", "application/scim+json")
		if response, err := s.Client.Do(r); err == nil {
			response.Body.Close()
			t.Errorf("the lost answer arrived: %d", response.StatusCode)
		}
		if s.User(t, "ada") == nil {
			t.Error("the request whose answer was lost was not carried out")
		}
		if got := s.Requests(); len(got) != 1 || got[0].Status != 0 {
			t.Errorf("requests: %+v", got)
		}
	})
}

func TestElimityChecksMembers(t *testing.T) {
	t.Parallel()
	s := scimtest.Elimity(t, scimtest.Options{CheckMembers: true})
	group := s.SeedGroup(t, map[string]any{"displayName": "Sales"})
	status, _ := ask(t, s, "PATCH", "/Groups/"+group, patch(`{"op":"add","path":"members","value":[{"value":"unknown"}]}`))
	if status != http.StatusBadRequest {
		t.Errorf("an unknown member: %d, want 400", status)
	}
}

// What RFC 7644 section 3.5.2 says about filters in paths; SCIMMY answers noTarget to an add too.
func TestElimityPathsWithFilters(t *testing.T) {
	t.Parallel()
	s := scimtest.Elimity(t, scimtest.Options{})
	id := s.Seed(t, map[string]any{"userName": "ada"})
	if status, body := ask(t, s, "PATCH", "/Users/"+id, patch(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"x"}`)); status != 400 || body["scimType"] != "noTarget" {
		t.Errorf("replace without a target: %d %v, want 400 noTarget", status, body)
	}
	ask(t, s, "PATCH", "/Users/"+id, patch(`{"op":"add","path":"emails[type eq \"work\"].value","value":"x"}`))
	want := []any{map[string]any{"type": "work", "value": "x"}}
	if diff := cmp.Diff(want, s.User(t, "ada")["emails"]); diff != "" {
		t.Errorf("add without a target (-want +got):\n%s", diff)
	}
	ask(t, s, "PATCH", "/Users/"+id, patch(`{"op":"remove","path":"emails[type eq \"work\"]"}`))
	if got := s.User(t, "ada")["emails"]; got != nil {
		t.Errorf("emails after the removal: %v", got)
	}
}
