package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
)

// steps are the results of an explanation by step.
func steps(x *reconcile.Explanation) string {
	var parts []string
	for _, step := range x.Because {
		parts = append(parts, step.Step+" "+step.Result)
	}
	return strings.Join(parts, ", ")
}

func (c *customer) explain(upn string) *reconcile.Explanation {
	c.t.Helper()
	tenant, err := c.store.Tenant(c.id)
	if err != nil {
		c.t.Fatal(err)
	}
	defer tenant.Close()
	x, err := reconcile.Explain(c.t.Context(), c.rules(), tenant, reconcile.Subject{Kind: graphsync.User, Key: upn}, c.now)
	if err != nil {
		c.t.Fatal(err)
	}
	return x
}

// What explains a user follows the user's life: active, disabled, brought back, deleted.
func TestExplain(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	x := c.explain("ada@example.com")
	if x.Subject.Key != "ada@example.com" || !x.InScope || x.Link == nil || !x.Link.Active || x.Link.Adopted || len(x.Pending) > 0 {
		t.Errorf("active: %+v, link %+v", x, x.Link)
	}
	if i := slices.IndexFunc(x.Attributes, func(a reconcile.ExplainedAttribute) bool { return a.Attribute == "displayName" }); i < 0 ||
		fmt.Sprintf("%v %v", x.Attributes[i].Value, x.Attributes[i].Applied) != "Ada Ada" {
		t.Errorf("attributes %+v", x.Attributes)
	}
	c.source.disable(1)
	want(t, "disabled", c.cycle(), "1 deactivated, 1 unchanged")
	x = c.explain("ada@example.com")
	if x.Link == nil || x.Link.Active || !strings.Contains(x.Link.Cause, "disabled in Entra") || !strings.Contains(steps(x), "account inactive") {
		t.Errorf("disabled: %s, link %+v", steps(x), x.Link)
	}
	if x.LastOutcome == nil || x.LastOutcome.Op != "deactivate" {
		t.Errorf("last outcome %+v", x.LastOutcome)
	}
	c.source.gone("bob@example.com", graphsync.SoftDeleted)
	want(t, "deleted", c.cycle(), "1 deactivated, 1 unchanged")
	x = c.explain("bob@example.com")
	if x.InScope || !strings.Contains(steps(x), "directory deleted") {
		t.Errorf("deleted: %s", steps(x))
	}
}

// A search finds names and addresses in any case, an id alone, and no more than it may.
func TestSearch(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob", "Adam")
	c.source.gone("bob@example.com", graphsync.SoftDeleted)
	c.cycle()
	tenant, err := c.store.Tenant(c.id)
	if err != nil {
		t.Fatal(err)
	}
	defer tenant.Close()
	for _, test := range []struct {
		text  string
		limit int
		want  string
	}{
		{"ADA", 9, "Ada ada@example.com, Adam adam@example.com"},
		{"ADA", 1, "Ada ada@example.com"},
		{"m@EXAMPLE", 9, "Adam adam@example.com"},
		{"bob", 9, "Bob bob@example.com (removed)"},
		{userID(1).String(), 9, "Ada ada@example.com"},
		{"unknown", 9, ""},
	} {
		found, err := reconcile.Search(t.Context(), tenant, test.text, test.limit, graphsync.User, graphsync.Group)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range found {
			name := m.Name + " " + m.Address
			if m.Removed {
				name += " (removed)"
			}
			names = append(names, name)
		}
		want(t, test.text, strings.Join(names, ", "), test.want)
	}
}

// Each account of an application is linked, would be taken over, fits several users, or has no user.
func TestDiscover(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada")
	c.app().seed("stranger@example.com")
	c.app().seed("bob@example.com")
	c.source.person(2, "bob@example.com", "Bob")
	var lines []string
	c.syncing(func(s *reconcile.Syncer) {
		err := s.Discover(t.Context(), func(a reconcile.Account) error {
			lines = append(lines, fmt.Sprintf("%s %s %t", a.Key, a.State, a.SourceID != nil))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	want(t, "accounts", strings.Join(lines, ", "), "ada@example.com linked true, stranger@example.com no_source false, bob@example.com adoptable true")
	want(t, "application", c.app().String(), "ada=Ada stranger=Seeded stranger@example.com bob=Seeded bob@example.com")
}
