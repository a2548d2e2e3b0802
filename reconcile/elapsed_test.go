package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
	"entrasync/target"
)

const day = 24 * time.Hour

// leaving is a tenant with people who left, and whose accounts are deleted after 30 days.
func leaving(t *testing.T, left int) *customer {
	t.Helper()
	c := newService(t).customer("contoso")
	c.onRemove = desired.OnRemove{Do: plan.Deactivate, After: 30 * day}
	for n := 1; n <= left+1; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
	}
	want(t, "first cycle", c.cycle(), fmt.Sprintf("%d created", left+1))
	c.source.disable(numbers(1, left)...)
	want(t, "they leave", c.cycle(), fmt.Sprintf("%d deactivated, 1 unchanged", left))
	return c
}

// deletedAfter makes daily cycles until accounts are deleted, and returns after how many days.
func (c *customer) deletedAfter(most int) int {
	c.t.Helper()
	for n := 1; n <= most; n++ {
		c.service.now = c.now.Add(day - 30*time.Minute)
		report, err := c.run(reconcile.Options{Apply: true})
		if err != nil || report.Summary.Held > 0 {
			c.t.Fatalf("day %d: %v, %d held", n, err, report.Summary.Held)
		}
		if report.Summary.Delete > 0 {
			return n
		}
	}
	return 0
}

func TestDeletionAfterDaysOfCycles(t *testing.T) {
	t.Parallel()
	want(t, "days", fmt.Sprint(leaving(t, 2).deletedAfter(40)), "30")
}

// A clock that jumps deletes no account, and the days that follow count as before.
func TestClockThatJumps(t *testing.T) {
	t.Parallel()
	for name, jumps := range map[string][]time.Duration{
		"ahead and back":               {60 * day, -60 * day},
		"ahead for good":               {60 * day},
		"back":                         {-60 * day},
		"to and fro":                   {60 * day, -60 * day, 60 * day, -60 * day, 60 * day, -60 * day},
		"to and fro within a day":      {20 * time.Hour, -20 * time.Hour, 20 * time.Hour, -20 * time.Hour},
		"the service was switched off": {45 * day},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := leaving(t, 18)
			for _, jump := range jumps {
				c.service.now = c.now.Add(jump)
				report, err := c.run(reconcile.Options{Apply: true})
				if err != nil || report.Summary.Changes() > 0 {
					t.Fatalf("%v: %v, %+v", jump, err, report.Summary)
				}
				said := strings.Contains(strings.Join(report.Notes, "\n"), "does not count towards delete_after")
				if far := jump > 2*day || jump < -2*day; said != far {
					t.Errorf("%v: notes %q", jump, report.Notes)
				}
			}
			if n := c.deletedAfter(40); n < 29 || n > 31 {
				t.Errorf("deleted after %d days", n)
			}
		})
	}
}

// While Graph shows another time than this machine, no user is removed because of a time.
func TestClockThatDiffersFromGraphs(t *testing.T) {
	t.Parallel()
	c := leaving(t, 2)
	for range 29 {
		c.service.now = c.now.Add(day - 30*time.Minute)
		want(t, "waiting", c.cycle(), "3 unchanged")
	}
	for _, off := range []time.Duration{10 * time.Minute, -time.Hour, 60 * day} {
		c.source.clock = func() time.Time { return c.now.Add(off) }
		c.service.now = c.now.Add(day - 30*time.Minute)
		report, err := c.run(reconcile.Options{Apply: true})
		if err != nil || report.Summary.Changes() > 0 || !strings.Contains(strings.Join(report.Notes, "\n"), "Graph's: nothing is removed because of a time") {
			t.Fatalf("off by %v: %v, %+v, %q", off, err, report.Summary, report.Notes)
		}
	}
	c.source.clock = func() time.Time { return c.now.Add(-time.Minute) }
	want(t, "right again, but the days since then were not observed", c.cycle(), "3 unchanged")
	want(t, "days to wait", fmt.Sprint(c.deletedAfter(5)), "1")
}

// A deletion that is due is not done while the clocks differ.
func TestDueWhileClocksDiffer(t *testing.T) {
	t.Parallel()
	c := leaving(t, 2)
	c.app().refuse = func(method, _ string) error {
		if method == "delete" {
			return &target.Error{Code: target.Rejected, Op: "delete user", Message: "no", Status: 400}
		}
		return nil
	}
	for range 31 {
		c.service.now = c.now.Add(day - 30*time.Minute)
		if _, err := c.run(reconcile.Options{Apply: true}); err != nil {
			t.Fatal(err)
		}
	}
	c.app().refuse = nil
	c.source.clock = func() time.Time { return c.now.Add(time.Hour) }
	c.service.now = c.now.Add(day)
	want(t, "differ", c.cycle(), "3 unchanged, skipped p1@example.com: clock_differs, skipped p2@example.com: clock_differs")
	c.source.clock = nil
	want(t, "agree", c.cycle(), "2 deleted, 1 unchanged")
}

// A changed on_remove does not reach back to accounts that were switched off before it.
func TestChangedOnRemove(t *testing.T) {
	t.Parallel()
	deactivate, remove := desired.OnRemove{Do: plan.Deactivate}, desired.OnRemove{Do: plan.Delete}
	after := func(d time.Duration) desired.OnRemove {
		return desired.OnRemove{Do: plan.Deactivate, After: d}
	}
	for name, test := range map[string]struct {
		from, to desired.OnRemove
		days     int // before what is due shows
		held     string
	}{
		"delete":             {deactivate, remove, 0, "on_remove was changed from deactivate to delete"},
		"delete later":       {deactivate, after(3 * day), 3, "on_remove was changed from deactivate to delete after 3 days"},
		"delete sooner":      {after(30 * day), after(3 * day), 3, "on_remove was changed from delete after 30 days to delete after 3 days"},
		"delete at once":     {after(30 * day), remove, 0, "on_remove was changed from delete after 30 days to delete"},
		"delete not so soon": {after(2 * day), after(4 * day), 4, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.onRemove = test.from
			for n := 1; n <= 4; n++ {
				c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
			}
			want(t, "first cycle", c.cycle(), "4 created")
			c.source.disable(1, 2)
			want(t, "they leave", c.cycle(), "2 deactivated, 2 unchanged")
			c.onRemove = test.to
			c.source.disable(3) // who leaves now is treated as the configuration says now
			for n := range test.days {
				report, err := c.run(reconcile.Options{Apply: true, Full: n == 1})
				if err != nil || report.Summary.Delete > 0 || report.Summary.Held > 0 {
					t.Fatalf("day %d: %v, %+v", n, err, report.Summary)
				}
				c.service.now = c.now.Add(day - 30*time.Minute)
			}
			for _, full := range []bool{false, true, false} {
				report, err := c.run(reconcile.Options{Apply: true, Full: full})
				if err != nil {
					t.Fatal(err)
				}
				if test.held == "" {
					if report.Summary.Delete < 2 || report.Summary.Held > 0 {
						t.Errorf("%+v", report.Summary)
					}
					return
				}
				if report.Summary.Held != 2 {
					t.Fatalf("%d held: %s", report.Summary.Held, told(report))
				}
				for _, h := range report.Held {
					want(t, "held", h.Guard+": "+h.Cause, "on_remove: "+test.held)
				}
			}
			c.stored().approve()
			want(t, "approved", strings.Split(c.cycle(), ",")[0], "2 deleted")
		})
	}
}
