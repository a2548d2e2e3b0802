package reconcile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/target"
)

// An application that stops answering ends the cycle instead of failing one record after another, and
// what was not done is done when it answers again.
func TestApplicationThatStopsAnswering(t *testing.T) {
	t.Parallel()
	const people = 30
	c := newService(t).customer("contoso")
	for n := 1; n <= people; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
	}
	want(t, "first cycle", c.cycle(), fmt.Sprintf("%d created", people))
	for n := 1; n <= people; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "Q")
	}
	c.app().down = func(method string) bool { return method == "update" }
	report, err := c.run(reconcile.Options{Apply: true})
	if err == nil || report.Result != reconcile.Failed || report.Failure.Code != string(target.Unavailable) {
		t.Errorf("%v, result %s, failure %+v", err, report.Result, report.Failure)
	}
	c.app().down = nil
	want(t, "it answers again", c.cycle(), fmt.Sprintf("%d updated", people))
}

// A fault of the application, such as a credential that it refuses, is no fault of the record that meets
// it: the record is not retried with a backoff of its own.
func TestRefusedCredentialIsNotTheRecords(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.source.person(1, "ada@example.com", "Ada L.")
	c.app().refuse = func(method, _ string) error {
		if method == "update" {
			return refusal(target.Unauthorized, 401)
		}
		return nil
	}
	for range 3 {
		if report, err := c.run(reconcile.Options{Apply: true}); err == nil || len(report.Errors) > 0 || len(c.stored().retries()) > 0 {
			t.Errorf("%v, errors %v, retried %v", err, report.Errors, c.stored().retries())
		}
	}
	c.app().refuse = nil
	want(t, "with the right credential", c.cycle(), "1 updated, 1 unchanged")
}

// An account that is gone is a member of nothing any more: nothing is planned or sent to remove it from
// its group.
func TestMembershipOfAnAccountThatIsGone(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = withGroups
	c.source.hire("Ada", "Bob")
	c.source.team(1, "Sales", 1, 2)
	g := c.behindGateway()
	c.through = func(a *application) target.Adapter { // it does not show accounts
		g.application = a
		return struct {
			target.Adapter
			target.MemberWriter
		}{g, g}
	}
	c.cycle()
	want(t, "members", g.membersOf("Sales"), "ada bob")
	c.app().lose(1)
	c.source.person(1, "ada@example.com", "Ada L.")
	want(t, "her account is gone", c.partial(reconcile.Options{Apply: true}), "1 unchanged, failed to update ada@example.com: target_missing")
	g.before = func(method, about string) error {
		if method == "leave" || method == "join" {
			t.Errorf("%s %s", method, about)
		}
		return nil
	}
	c.source.gone("ada@example.com", graphsync.SoftDeleted)
	for range 2 {
		if report := mustRun(t, c, reconcile.Options{Apply: true}); report.Summary.Members > 0 {
			t.Errorf("%d changes of members", report.Summary.Members)
		}
	}
}

// A sync for one user leaves what is due to others for the next cycle.
func TestOnDemandLeavesOthersPending(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.source.person(1, "ada@example.com", "Ada L.")
	c.source.person(2, "bob@example.com", "Bob M.")
	if report := mustRun(t, c, reconcile.Options{Apply: true, Subject: &reconcile.Subject{Kind: graphsync.User, Key: "ada@example.com"}}); report.Summary.Update != 1 {
		t.Errorf("on demand: %s", told(report))
	}
	want(t, "accounts", c.app().String(), "ada=Ada L. bob=Bob")
	want(t, "next cycle", c.cycle(), "1 updated, 1 unchanged")
	want(t, "accounts", c.app().String(), "ada=Ada L. bob=Bob M.")
}

// A plan that was reviewed is applied as it is or not at all.
func TestReviewedPlanIsAppliedAsItIs(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.source.person(1, "ada@example.com", "Ada L.")
	reviewed := func() *reconcile.Document {
		docs, err := reconcile.ReadDocuments(strings.NewReader(c.document(reconcile.Options{})))
		if err != nil || len(docs) != 1 {
			t.Fatalf("%d documents, %v", len(docs), err)
		}
		return &docs[0]
	}
	plan := reviewed()
	c.source.person(2, "bob@example.com", "Bob M.")
	if _, err := c.run(reconcile.Options{Apply: true, Expect: plan}); !errors.Is(err, reconcile.ErrPlanMoved) {
		t.Errorf("a plan that moved: %v", err)
	}
	want(t, "accounts", c.app().String(), "ada=Ada bob=Bob")
	want(t, "a new one", c.must(reconcile.Options{Apply: true, Expect: reviewed()}), "2 updated")
}

// attempts counts the requests of a method in scheduled cycles.
func (c *customer) attempts(method string, cycles int) int {
	c.t.Helper()
	c.app().asked = map[string]int{}
	for range cycles {
		if _, err := c.run(reconcile.Options{Apply: true, Scheduled: true}); err != nil {
			c.t.Fatal(err)
		}
	}
	return c.app().asked[method]
}

// An account that only the application can make clear is asked about with exponential backoff.
func TestSkippedIsAskedAboutWithBackoff(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.app().seed("ada@example.com")
	c.app().seed("ada@example.com")
	c.source.hire("Ada")
	const cycles = 48 // a day of them
	if n := c.attempts("find", cycles); n < 3 || n > 8 {
		t.Errorf("asked %d times in %d cycles", n, cycles)
	}
	c.app().lose(1)
	want(t, "a person asks", c.must(reconcile.Options{Apply: true}), "1 adopted")
}

// An application that asks to be left alone for some time is, and a record that waits is due at once when
// the clock was put back by more than it can have waited.
func TestWaitThatIsAskedFor(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.source.person(1, "ada@example.com", "Ada L.")
	c.app().refuse = func(method, _ string) error {
		if method != "update" {
			return nil
		}
		return &target.Error{Code: target.Rejected, Status: 400, Op: "update user", Message: "not before the night is over", RetryAfter: 12 * time.Hour}
	}
	if n := c.attempts("update", 24); n != 1 {
		t.Errorf("%d attempts within 12 hours", n)
	}
	if n := c.attempts("update", 2); n != 1 {
		t.Errorf("%d attempts in the hour after", n)
	}
	c.app().refuse = nil
	c.service.now = c.now.AddDate(0, 0, -3)
	want(t, "the clock was put back", c.must(reconcile.Options{Apply: true, Scheduled: true}), "1 updated, 1 unchanged")
}

// A record that fails is not among those to which nothing is done, and takes none of them away.
func TestUnchangedBesidesFailures(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.delete = true
	refused := ""
	g := c.behindGateway()
	g.before = func(method, _ string) error {
		if method == refused {
			return refusal(target.Rejected, 400)
		}
		return nil
	}
	refused = "create"
	c.source.person(3, "cyd@example.com", "Cyd")
	want(t, "a creation", c.partial(reconcile.Options{Apply: true}), "2 unchanged, failed to create cyd@example.com: target_rejected")
	refused = "delete"
	c.source.leaveAll("Ada")
	c.with(func(s *reconcile.Sync) { s.Users.Actions[plan.Deactivate] = false })
	want(t, "a deletion", c.partial(reconcile.Options{Apply: true}), "1 created, 1 unchanged, failed to delete ada@example.com: target_rejected")
	refused = ""
	want(t, "the deletion again", c.cycle(), "1 deleted, 2 unchanged")
}
