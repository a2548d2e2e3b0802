package reconcile_test

import (
	"fmt"
	"strconv"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
)

// managed is a customer whose accounts refer to that of the manager.
func managed(t *testing.T) *customer {
	t.Helper()
	c := newService(t).customer("contoso")
	c.change = func(s *reconcile.Sync) {
		mapped(s, []string{"userName"}, mapping.Spec{Path: "userName", Expr: "ToLower([userPrincipalName])"}, mapping.Spec{Path: managerPath, Expr: "[manager]"})
	}
	return c
}

const managerPath = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"

// reports makes a user report to another.
func (d *directory) reports(n, manager int) {
	d.set(n, "manager", strconv.Quote(userID(manager).String()))
}

// managerOf is the account that an account names as manager.
func (a *application) managerOf(id string) string {
	r := a.hand(id)
	for name, value := range r.Attributes {
		if extension, ok := value.(map[string]any); ok && name != "manager" {
			return fmt.Sprint(extension["manager"])
		}
	}
	return fmt.Sprint(r.Attributes["manager"])
}

// A user whose manager gets an account is given the reference in the same cycle, in either order of creation.
func TestManagerWhoGetsAnAccount(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(c *customer){
		"both are new": func(c *customer) { c.source.hire("Ada", "Bob"); c.source.reports(1, 2) },
		"the manager's exists": func(c *customer) {
			c.app().seed("bob@example.com")
			c.source.hire("Ada", "Bob")
			c.source.reports(1, 2)
		},
		"the manager comes later on": func(c *customer) {
			c.source.hire("Ada")
			c.source.reports(1, 2)
			c.cycle()
			c.source.person(2, "bob@example.com", "Bob")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := managed(t)
			happens(c)
			c.cycle()
			for id, account := range c.app().accounts {
				if account["userName"] == "ada@example.com" {
					manager := map[string]string{"1": "2", "2": "1"}[id]
					want(t, "manager", c.app().managerOf(id), "map[value:"+manager+"]")
				}
			}
			want(t, "at rest", c.cycle(), "2 unchanged")
		})
	}
}

// One whose manager gets an account by a run for the manager alone is looked at by the next cycle.
func TestManagerWhoGetsAnAccountOnDemand(t *testing.T) {
	t.Parallel()
	c := managed(t)
	c.source.hire("Ada")
	c.source.reports(1, 2)
	want(t, "first cycle", c.cycle(), "1 created")
	c.source.person(2, "bob@example.com", "Bob")
	c.must(reconcile.Options{Apply: true, Subject: &reconcile.Subject{Kind: graphsync.User, Key: "bob@example.com"}})
	want(t, "accounts", fmt.Sprint(len(c.app().accounts)), "2")
	want(t, "the next cycle", c.cycle(), "1 updated, 1 unchanged")
	want(t, "manager", c.app().managerOf("1"), "map[value:2]")
}
