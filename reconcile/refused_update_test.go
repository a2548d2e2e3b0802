package reconcile_test

import (
	"testing"
	"time"

	"entrasync/reconcile"
	"entrasync/target"
)

// An update that the application refuses is tried again with exponential backoff, not in every cycle.
func TestRefusedUpdateWaits(t *testing.T) {
	t.Parallel()
	c := named(t, newService(t), 2, "[objectId]")
	want(t, "first cycle", c.cycle(), "2 created")
	writes := 0
	c.app().refuse = func(method, id string) error {
		if method != "update" {
			return nil
		}
		writes++
		return &target.Error{Code: target.Rejected, Status: 400, Op: "update user", Message: "no"}
	}
	c.source.person(1, "p1@example.com", "Another name")
	const cycles = 48 // a day of them
	for range cycles {
		if _, err := c.run(reconcile.Options{Apply: true, Scheduled: true}); err != nil {
			t.Fatal(err)
		}
	}
	if writes < 3 || writes > 8 {
		t.Errorf("%d attempts in %d cycles of half an hour, want about log2 of the time", writes, cycles)
	}
	c.app().refuse = nil
	c.service.now = c.now.Add(25 * time.Hour)
	want(t, "it takes it again", c.cycle(), "1 updated, 1 unchanged")
}
