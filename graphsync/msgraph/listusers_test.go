package msgraph_test

import (
	"slices"
	"testing"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The lists of users by the beginning of their names hold what a first delta round holds, and the link taken
// before them tells what has changed since.
func TestListsEqualADeltaRound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, graphtest.Options{ListPageSize: 25}, graphtest.AppSpec{Roles: graphtest.DefaultRoles()})
	w.tenant.Populate(graphtest.GenerateOptions{Users: 300, App: w.app.ClientID})
	odd := w.tenant.AddUser(graphtest.Props{"userPrincipalName": "O'Neil#EXT#@contoso.example", "displayName": "O'Neil"})
	w.tenant.Set(odd, "department", nil)
	s := w.open(t)
	properties := append(slices.Clone(userProperties), "userPrincipalName", "otherMails")
	token, err := s.Latest(t.Context(), graphsync.Users, properties)
	if err != nil {
		t.Fatal(err)
	}
	total, err := s.CountUsers(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var listed []graphsync.Change
	sum := 0
	for _, letter := range "abcdefghijklmnopqrstuvwxyz0123456789'._-!#^~" {
		n, err := s.CountUsers(t.Context(), string(letter))
		if err != nil {
			t.Fatal(err)
		}
		before := len(listed)
		for link := ""; ; {
			page, err := s.ListUsers(t.Context(), properties, string(letter), link)
			if err != nil {
				t.Fatal(err)
			}
			listed = append(listed, page.Changes...)
			if link = page.Next; link == "" {
				break
			}
		}
		if sum += n; len(listed)-before != n {
			t.Errorf("%d users begin with %c, %d were counted", len(listed)-before, letter, n)
		}
	}
	delta, _, _ := round(t, s, graphsync.Users, properties, "")
	// What was set once and cleared is null in a delta round and nothing in a list.
	for i := range delta {
		delta[i].Properties = slices.DeleteFunc(delta[i].Properties, func(p graphsync.Property) bool {
			return string(p.Value) == "null" || string(p.Value) == "[]"
		})
	}
	sorted := cmpopts.SortSlices(func(a, b graphsync.Change) bool { return a.ID.String() < b.ID.String() })
	if diff := gocmp.Diff(delta, listed, sorted, cmpopts.EquateEmpty()); diff != "" || sum != total {
		t.Errorf("%d of %d users are in the parts; delta and lists (-delta +lists):\n%s", sum, total, diff)
	}
	if n, err := s.CountUsers(t.Context(), "o'neil#"); n != 1 || err != nil {
		t.Errorf("counted %d: %v", n, err)
	}

	w.tenant.Set(odd, "displayName", "Shaquille")
	if changed, _, _ := round(t, s, graphsync.Users, properties, token); len(changed) != 1 || changed[0].ID != odd {
		t.Errorf("the link taken before tells %v", changed)
	}
	w.server.Fault(graphtest.GraphFailure(400, "Request_UnsupportedQuery", "Unsupported Query.").On("/v1.0/users").Always())
	_, err = s.ListUsers(t.Context(), properties, "a", "")
	if e := explained(t, err, graphsync.Configuration); e.Status != 400 {
		t.Errorf("refused with %d: %v", e.Status, e)
	}
}
