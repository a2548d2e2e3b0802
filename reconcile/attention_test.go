package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/mapping"
	"entrasync/target"
)

// attentions are the codes of what keeps a cycle from being a success.
func attentions(r *reconcile.Report) string {
	var codes []string
	for _, about := range r.Attention {
		codes = append(codes, about.Code)
	}
	return strings.Join(append([]string{string(r.Result)}, codes...), " ")
}

// requiring has a sync demand a display name, and skip who has none.
func requiring(t *testing.T, limit guard.Share) func(*reconcile.Sync) {
	return func(s *reconcile.Sync) {
		m, faults := mapping.New(target.User, []mapping.Spec{
			{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
			{Path: "active", Expr: "Not([IsSoftDeleted])"},
			{Path: "displayName", Expr: `IIF([displayName]="nameless", "", [displayName])`, Required: true},
		})
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		s.Users.Mapping, s.Guard.Skipped = m, limit
	}
}

// A cycle that skips more of the scope than the limit is no success, in every cycle and in a plan.
func TestMostlySkipped(t *testing.T) {
	t.Parallel()
	half := 50.0
	for name, test := range map[string]struct {
		people, skipped int
		limit           guard.Share
		expected        string
	}{
		"everybody":               {20, 20, guard.Share{Percent: &half, OfAtLeast: 20}, "partial mostly_skipped"},
		"more than half":          {21, 11, guard.Share{Percent: &half, OfAtLeast: 20}, "partial mostly_skipped"},
		"half":                    {20, 10, guard.Share{Percent: &half, OfAtLeast: 20}, "ok"},
		"everybody of few":        {19, 19, guard.Share{Percent: &half, OfAtLeast: 20}, "ok"},
		"everybody, without one":  {40, 40, guard.Share{}, "ok"},
		"few, but a small number": {3, 3, guard.Share{Percent: &half, OfAtLeast: 2}, "partial mostly_skipped"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.change = requiring(t, test.limit)
			for n := 1; n <= test.people; n++ {
				called := "P"
				if n <= test.skipped {
					called = "nameless"
				}
				c.source.person(n, fmt.Sprintf("p%d@example.com", n), called)
			}
			for _, opts := range []reconcile.Options{{}, {Apply: true}, {Apply: true}, {Apply: true, Scheduled: true}, {}, {Apply: true, Full: true}} {
				report, err := c.run(opts)
				if err != nil {
					t.Fatal(err)
				}
				want(t, fmt.Sprintf("%+v", opts), attentions(report), test.expected)
				if len(report.Attention) > 0 {
					said := fmt.Sprintf("%d of %d people in scope are skipped: %d required_missing, such as p", test.skipped, test.people, test.skipped)
					if !strings.HasPrefix(report.Attention[0].Message, said) {
						t.Errorf("%s\nwant %s", report.Attention[0].Message, said)
					}
				}
			}
			c.source.person(1, "p1@example.com", "P")
			report, err := c.run(reconcile.Options{Apply: true, Subject: &reconcile.Subject{Kind: graphsync.User, Key: "p1@example.com"}})
			if err != nil || report.Result != reconcile.OK {
				t.Errorf("on demand: %v %s", err, attentions(report))
			}
		})
	}
}

// People who have accounts and are skipped count as people in scope once.
func TestMostlySkippedOfLinked(t *testing.T) {
	t.Parallel()
	half := 50.0
	c := newService(t).customer("contoso")
	c.change = requiring(t, guard.Share{Percent: &half, OfAtLeast: 4})
	for n := 1; n <= 4; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
	}
	want(t, "first cycle", c.cycle(), "4 created")
	for n, expected := range map[int]string{2: "ok", 3: "partial mostly_skipped"} {
		for i := 1; i <= 4; i++ {
			called := "P"
			if i <= n {
				called = "nameless"
			}
			c.source.person(i, fmt.Sprintf("p%d@example.com", i), called)
		}
		report, err := c.run(reconcile.Options{Apply: true})
		if err != nil {
			t.Fatal(err)
		}
		want(t, fmt.Sprintf("%d of 4", n), attentions(report), expected)
	}
}

// While a record waits for its next attempt, or the target is paused, no cycle is a success.
func TestWaitingIsNoSuccess(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	for n := 1; n <= 3; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
	}
	want(t, "first cycle", c.cycle(), "3 created")
	c.app().down = func(method string) bool { return method == "create" }
	c.source.person(4, "p4@example.com", "P")
	for i, expected := range []string{"partial", "partial", "partial retrying", "partial retrying"} {
		report, err := c.run(reconcile.Options{Apply: true})
		if err != nil {
			t.Fatal(err)
		}
		want(t, fmt.Sprintf("cycle %d", i+1), attentions(report), expected)
		c.service.now = c.now.Add(-25 * time.Minute) // five minutes between cycles
	}
	c.app().down = nil
	c.service.now = c.now.Add(24 * time.Hour)
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "accepted", attentions(report), "ok")
}

// A target that stays paused because nothing was due to try is no success.
func TestPausedIsNoSuccess(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = func(s *reconcile.Sync) { s.Quarantine = reconcile.Quarantine{Failures: 60, AtLeast: 2} }
	c.app().down = func(method string) bool { return method == "create" }
	for n := 1; n <= 3; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
	}
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "refused", attentions(report), "partial quarantine")
	c.run(reconcile.Options{Apply: true}) // a probe, refused again; the next attempts are an hour away
	c.service.now = c.now.Add(-25 * time.Minute)
	report, err = c.run(reconcile.Options{Apply: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := attentions(report); !strings.HasPrefix(got, "partial") || !strings.Contains(got, "quarantine") {
		t.Errorf("nothing was due: %s", got)
	}
}
