package reconcile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
)

// An application that stops answering is not asked for each person in turn, and then only whether
// it works again.
func TestLookUpsOfADeadTarget(t *testing.T) {
	t.Parallel()
	for _, answers := range []int{0, 3} {
		t.Run(fmt.Sprintf("%d answers", answers), func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			c := s.customer("contoso")
			for n := range 45 {
				c.source.person(n+1, fmt.Sprintf("user%d@example.com", n), "User")
			}
			dead := false
			s.app().down = func(method string) bool {
				dead = dead || method == "find" && s.app().asked["find"] > answers
				return dead
			}
			scheduled := reconcile.Options{Apply: true, Scheduled: true}
			cycle := func(after time.Duration) (string, error) {
				s.app().asked = map[string]int{}
				s.now = s.now.Add(after)
				report, err := c.run(scheduled)
				if report.Failure != nil {
					return report.Failure.Code, err
				}
				return told(report), err
			}
			code, err := cycle(0)
			if want := map[int]int{0: 3, 3: 23}[answers]; s.app().asked["find"] != want {
				t.Errorf("%d look-ups, want %d", s.app().asked["find"], want)
			}
			if code != "target_unavailable" || !strings.Contains(fmt.Sprint(err), "stopped answering") {
				t.Errorf("%s: %v", code, err)
			}
			// It is asked once in a while, and ever less often.
			var asked []string
			for range 8 {
				if _, err := cycle(0); errors.Is(err, reconcile.ErrPaused) == (len(s.app().asked) > 0) {
					t.Errorf("%v, after asking %v", err, s.app().asked)
				}
				asked = append(asked, fmt.Sprint(s.app().asked["probe"]))
				if s.app().asked["find"] > 0 {
					t.Error("it was searched")
				}
			}
			want(t, "probes", strings.Join(asked, " "), "1 1 0 1 0 0 0 1")
			dead = false
			s.app().down = nil
			told, err := cycle(24 * time.Hour)
			if err != nil || told != "45 created" {
				t.Errorf("%s, %v", told, err)
			}
		})
	}
}

// A few people who cannot be looked for do not stop the others.
func TestLookUpsThatFailNowAndThen(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.customer("contoso")
	for n := range 45 {
		c.source.person(n+1, fmt.Sprintf("user%d@example.com", n), "User")
	}
	s.app().down = func(method string) bool { return method == "find" && s.app().asked["find"]%3 != 1 }
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil || report.Summary.Create != 15 || len(report.Errors) != 30 {
		t.Errorf("%v: %d created, %d failed", err, report.Summary.Create, len(report.Errors))
	}
}

// Nor do they when they are the first, and the application otherwise works: who has left is
// switched off in the same cycle.
func TestLookUpsThatFailWhileTheTargetWorks(t *testing.T) {
	t.Parallel()
	for _, joiners := range []int{3, 45} {
		t.Run(fmt.Sprintf("%d look-ups", joiners), func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			c := s.customer("contoso")
			c.source.person(1, "ada@example.com", "Ada")
			c.source.person(2, "bob@example.com", "Bob")
			want(t, "the first cycle", c.cycle(), "2 created")
			c.source.gone("ada@example.com", graphsync.SoftDeleted)
			c.source.person(2, "bob@example.com", "Robert")
			for n := range joiners {
				c.source.person(n+3, fmt.Sprintf("user%d@example.com", n), "User")
			}
			s.app().asked = map[string]int{}
			s.app().down = func(method string) bool { return method == "find" }
			report, err := c.run(reconcile.Options{Apply: true})
			if err != nil || len(report.Errors) != joiners {
				t.Errorf("%v: %d failed", err, len(report.Errors))
			}
			want(t, "the cycle", told(report), "1 updated, 1 deactivated")
			want(t, "accounts", s.app().String(), "!ada=Ada bob=Robert")
			if probes := s.app().asked["probe"]; probes != joiners/20 { // reading the leaver has shown that it answers
				t.Errorf("%d probes", probes)
			}
			s.app().down = nil
			want(t, "the next", c.cycle(), fmt.Sprintf("%d created, 2 unchanged", joiners))
		})
	}
}

// A target that answers again is tried with a few actions before it is sent all.
func TestProbeAfterSilence(t *testing.T) {
	t.Parallel()
	s := newService(t)
	c := s.customer("contoso")
	for n := range 45 {
		c.source.person(n+1, fmt.Sprintf("user%d@example.com", n), "User")
	}
	s.app().down = func(string) bool { return true }
	if _, err := c.run(reconcile.Options{Apply: true}); err == nil {
		t.Error("the cycle went through")
	}
	s.app().down = func(method string) bool { return method == "create" }
	if _, err := c.run(reconcile.Options{Apply: true}); err == nil || !strings.Contains(err.Error(), "still paused") {
		t.Error(err)
	}
	if n := s.app().asked["create"]; n != 5 {
		t.Errorf("%d creates of a paused sync", n)
	}
	s.app().down = nil
	want(t, "the next", c.cycle(), "45 created")
}
