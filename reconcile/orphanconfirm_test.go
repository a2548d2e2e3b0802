package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"entrasync/reconcile"
	"entrasync/target"
)

// doubled is a customer of two users, the first of whom has a second account, which the application gave
// the same externalId.
func doubled(t *testing.T) (c *customer, second string) {
	t.Helper()
	c = named(t, newService(t), 2, "[objectId]")
	want(t, "first cycle", c.cycle(), "2 created")
	second = c.app().seed("double@example.com")
	c.app().accounts[second]["externalId"] = userID(1).String()
	return c, second
}

const twice = "2 unchanged, skipped p1@example.com: duplicate_account"

// A second account of a user that was removed in the application is no longer reported on the next
// day, without waiting for a complete compare; and it costs one request a day while it is there.
func TestSecondAccountThatWasRemoved(t *testing.T) {
	t.Parallel()
	c, id := doubled(t)
	want(t, "compared", c.must(reconcile.Options{Apply: true, Full: true}), twice)
	c.app().asked["get"] = 0
	want(t, "on the same day", c.cycle(), twice)
	if n := c.app().asked["get"]; n != 0 {
		t.Errorf("%d accounts were read on the same day", n)
	}
	c.service.now = c.now.Add(25 * time.Hour)
	want(t, "a day later", c.cycle(), twice)
	want(t, "and then", c.cycle(), twice)
	if n := c.app().asked["get"]; n != 1 {
		t.Errorf("%d accounts were read in two cycles a day later, want 1", n)
	}
	delete(c.app().accounts, id)
	c.service.now = c.now.Add(25 * time.Hour)
	want(t, "removed", c.cycle(), "2 unchanged")
}

// The same for one that was given to another user, and for one that cannot be read.
func TestSecondAccountThatChanged(t *testing.T) {
	t.Parallel()
	c, id := doubled(t)
	want(t, "compared", c.must(reconcile.Options{Apply: true, Full: true}), twice)
	c.app().refuse = func(method, about string) error {
		if method == "get" && about == id {
			return &target.Error{Code: target.Rejected, Op: "get user", Message: "no"}
		}
		return nil
	}
	c.service.now = c.now.Add(25 * time.Hour)
	want(t, "it cannot be read", c.cycle(), twice)
	c.app().refuse = nil
	c.app().accounts[id]["externalId"] = "another"
	c.service.now = c.now.Add(25 * time.Hour)
	want(t, "it is another user's", c.cycle(), "2 unchanged")
}

// What a complete compare had noted when it was interrupted is not shown by a later plan.
func TestPlanAfterAnInterruptedCompare(t *testing.T) {
	t.Parallel()
	c, id := doubled(t)
	c.source.disable(1)
	for n := range 120 {
		c.app().seed(fmt.Sprintf("stranger%d@example.com", n))
	}
	reads := 0
	c.app().down = func(method string) bool {
		if method == "list" {
			reads++
		}
		return method == "list" && reads > 1 // the second page
	}
	if report, err := c.run(reconcile.Options{Apply: true, Full: true}); err == nil {
		t.Fatalf("the compare was not interrupted: %s", told(report))
	}
	c.app().down = nil
	delete(c.app().accounts, id)
	if did := c.must(reconcile.Options{}); strings.Contains(did, "held") {
		t.Errorf("a plan shows what is no longer there: %s", did)
	}
}
