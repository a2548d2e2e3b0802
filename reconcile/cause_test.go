package reconcile

import (
	"fmt"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
)

func TestCauses(t *testing.T) {
	t.Parallel()
	var c Causes
	c.Add(graphsync.User, "", "required_missing", "givenName is empty", "zoe@x")
	for i := range 5 {
		name := fmt.Sprintf("user%d@x", i)
		c.Add(graphsync.User, plan.Create, "target_rejected", "create user "+name+": 400 no licence", name)
	}
	c.Add(graphsync.Group, "", "required_missing", "givenName is empty", "Sales")
	list := c.List()
	if len(list) != 3 {
		t.Fatalf("%d causes, want 3: users and groups, and what was to be done, are told apart", len(list))
	}
	if got, want := list[0].Text+" | "+list[0].Who(), "create user …: 400 no licence | user0@x, user1@x, user2@x and 2 more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := list[1].Text+" | "+list[1].Who(), "givenName is empty | zoe@x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// However many reasons there are, all records are counted and the memory is bounded.
func TestManyCauses(t *testing.T) {
	t.Parallel()
	var c Causes
	for i := range 10 * maxCauses {
		c.Add(graphsync.User, "", "expression_error", fmt.Sprintf("value %d", i), "")
	}
	total := 0
	for _, cause := range c.List() {
		total += cause.Count
	}
	if total != 10*maxCauses || len(c.List()) > maxCauses+1 {
		t.Errorf("%d records in %d causes", total, len(c.List()))
	}
}
