package scimtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// An operator does by hand what an application's SCIM does not offer, or does not show.
type operator interface {
	complete(tb testing.TB, users []map[string]any) // with what SCIM does not show of them
	seed(tb testing.TB, kind string, resource map[string]any) (id string)
	remove(tb testing.TB, path string)
	replace(tb testing.TB, path string, resource map[string]any)
}

// Users returns every user as the server tells it, by SCIM GETs over its pages.
func (s *Server) Users(tb testing.TB) []map[string]any {
	tb.Helper()
	users := s.list(tb, "/Users")
	if s.byHand != nil {
		s.byHand.complete(tb, users)
	}
	return users
}

// Groups returns every group as the server tells it, by SCIM GETs over its pages.
func (s *Server) Groups(tb testing.TB) []map[string]any {
	tb.Helper()
	return s.list(tb, "/Groups")
}

// User returns the user of that userName, in any case, or nil.
func (s *Server) User(tb testing.TB, userName string) map[string]any {
	tb.Helper()
	for _, u := range s.Users(tb) {
		if name, _ := u["userName"].(string); strings.EqualFold(name, userName) {
			return u
		}
	}
	return nil
}

// Group returns the first group of that displayName, or nil.
func (s *Server) Group(tb testing.TB, displayName string) map[string]any {
	tb.Helper()
	for _, g := range s.Groups(tb) {
		if g["displayName"] == displayName {
			return g
		}
	}
	return nil
}

// Seed makes a user that was not provisioned and returns its id. Without schemas it gets those
// that its attributes need.
func (s *Server) Seed(tb testing.TB, user map[string]any) string {
	tb.Helper()
	return s.seed(tb, "User", user)
}

// SeedGroup makes a group that was not provisioned and returns its id.
func (s *Server) SeedGroup(tb testing.TB, group map[string]any) string {
	tb.Helper()
	return s.seed(tb, "Group", group)
}

func (s *Server) seed(tb testing.TB, kind string, resource map[string]any) string {
	tb.Helper()
	if s.byHand != nil {
		return s.byHand.seed(tb, kind, resource)
	}
	schemas := []any{"urn:ietf:params:scim:schemas:core:2.0:" + kind}
	body := map[string]any{"schemas": schemas}
	for name, value := range resource {
		body[name] = value
		if strings.HasPrefix(name, "urn:") {
			schemas = append(schemas, name)
		}
	}
	if resource["schemas"] == nil {
		body["schemas"] = schemas
	}
	created := s.call(tb, http.MethodPost, "/"+kind+"s", body, http.StatusCreated)
	return created["id"].(string)
}

// Delete removes a resource behind the client's back: path is "/Users/ID" or "/Groups/ID".
func (s *Server) Delete(tb testing.TB, path string) {
	tb.Helper()
	if s.byHand != nil {
		s.byHand.remove(tb, path)
		return
	}
	s.call(tb, http.MethodDelete, path, nil, http.StatusNoContent)
}

// ChangeMember adds a user to a group, or removes them, behind the client's back.
func (s *Server) ChangeMember(tb testing.TB, displayName, userName string, add bool) {
	tb.Helper()
	group, user := s.Group(tb, displayName), s.User(tb, userName)
	if group == nil || user == nil {
		tb.Fatalf("there is no group %q or no user %q", displayName, userName)
	}
	operation := map[string]any{"op": "remove", "path": "members", "value": []any{map[string]any{"value": user["id"]}}}
	if add {
		operation["op"] = "add"
	}
	s.call(tb, http.MethodPatch, fmt.Sprintf("/Groups/%s", group["id"]), map[string]any{
		"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []any{operation},
	}, http.StatusOK)
}

// Replace gives the id of a resource to another one, which keeps nothing of it, as an application
// does that counts on from a backup: path is "/Users/ID" or "/Groups/ID".
func (s *Server) Replace(tb testing.TB, path string, resource map[string]any) {
	tb.Helper()
	if s.byHand != nil {
		s.byHand.replace(tb, path, resource)
		return
	}
	kind := strings.TrimSuffix(strings.Split(path, "/")[1], "s")
	body := map[string]any{"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:" + kind}}
	for name, value := range resource {
		body[name] = value
	}
	s.call(tb, http.MethodPut, path, body, http.StatusOK)
}

// Set changes an attribute of a resource behind the client's back.
func (s *Server) Set(tb testing.TB, path, attribute string, value any) {
	tb.Helper()
	s.call(tb, http.MethodPatch, path, map[string]any{
		"schemas":    []any{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []any{map[string]any{"op": "replace", "path": attribute, "value": value}},
	}, http.StatusOK)
}

// list trusts totalResults alone: both servers tell it right, and SCIMMY's page past the end
// is the first page again.
func (s *Server) list(tb testing.TB, endpoint string) []map[string]any {
	tb.Helper()
	var all []map[string]any
	for {
		page := s.call(tb, http.MethodGet, fmt.Sprintf("%s?startIndex=%d&count=100", endpoint, len(all)+1), nil, http.StatusOK)
		resources, _ := page["Resources"].([]any)
		for _, r := range resources {
			all = append(all, r.(map[string]any))
		}
		if total, _ := page["totalResults"].(float64); len(resources) == 0 || len(all) >= int(total) {
			return all
		}
	}
}

// call asks the server behind the counting front, so that it is neither counted nor failed.
func (s *Server) call(tb testing.TB, method, path string, body map[string]any, want int) map[string]any {
	tb.Helper()
	var text string
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			tb.Fatalf("encode a SCIM body: %v", err)
		}
		text = string(b)
	}
	r := httptest.NewRequest(method, "/v2"+path, strings.NewReader(text))
	r.Header.Set("Authorization", "Bearer "+s.Token)
	r.Header.Set("Content-Type", "application/scim+json")
	response := carriedOut(s.backend, r)
	var decoded map[string]any
	if err := json.NewDecoder(response.Body).Decode(&decoded); err != nil && want != http.StatusNoContent {
		tb.Fatalf("%s %s: the SCIM server answered %d without JSON: %v", method, path, response.StatusCode, err)
	}
	if response.StatusCode != want {
		tb.Fatalf("%s %s: the SCIM server answered %d, want %d: %v", method, path, response.StatusCode, want, decoded)
	}
	return decoded
}
