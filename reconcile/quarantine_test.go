package reconcile_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"entrasync/reconcile"
	"entrasync/target"
)

// failing is a customer whose creations the application refuses, ten of ten; half of them pause the sync.
func failing(t *testing.T) *customer {
	t.Helper()
	c := newService(t).customer("contoso")
	c.change = func(s *reconcile.Sync) { s.Quarantine = reconcile.Quarantine{Failures: 50, AtLeast: 5} }
	c.behindGateway().before = refusingCreates
	c.source.hire("A", "B", "C", "D", "E", "F", "G", "H", "I", "J")
	if report, err := c.run(reconcile.Options{Apply: true}); err != nil || len(report.Errors) != 10 {
		t.Fatalf("%v, %d failed", err, len(report.Errors))
	}
	return c
}

func refusingCreates(method, _ string) error {
	if method == "create" {
		return refusal(target.Rejected, 400)
	}
	return nil
}

// soon has the next cycle five minutes after the last, when no probe of a paused sync is due.
func (c *customer) soon() *customer {
	c.service.now = c.now.Add(-25 * time.Minute)
	return c
}

// paused reports whether a cycle of the schedule waits.
func (c *customer) paused() bool {
	c.t.Helper()
	_, err := c.soon().run(reconcile.Options{Apply: true, Scheduled: true})
	if err != nil && !errors.Is(err, reconcile.ErrPaused) {
		c.t.Fatal(err)
	}
	return err != nil
}

// A sync that mostly failed tries a few actions, and the others only when these do not fail.
func TestPausedSyncTriesAFew(t *testing.T) {
	t.Parallel()
	c := failing(t)
	asked := 0
	c.behindGateway().before = func(method, about string) error {
		if method == "create" {
			asked++
		}
		return refusingCreates(method, about)
	}
	if _, err := c.soon().run(reconcile.Options{Apply: true}); err == nil || !strings.Contains(err.Error(), "still paused") {
		t.Errorf("the probe ended with %v", err)
	}
	if asked != 5 {
		t.Errorf("%d creations of a paused sync", asked)
	}
	c.behindGateway()
	want(t, "the application takes those that are due", c.soon().cycle(), "5 created")
	if c.paused() {
		t.Error("it is still paused")
	}
	c.service.now = c.now.Add(time.Hour)
	want(t, "and the others", c.cycle(), "5 created, 5 unchanged")
}

// A few failures do not pause a sync, whatever share of the actions they are.
func TestFewFailuresDoNotPause(t *testing.T) {
	t.Parallel()
	for failures, paused := range map[int]bool{4: false, 5: true} {
		c := newService(t).customer("contoso")
		c.change = func(s *reconcile.Sync) { s.Quarantine = reconcile.Quarantine{Failures: 50, AtLeast: 5} }
		c.behindGateway().before = refusingCreates
		c.source.hire([]string{"A", "B", "C", "D", "E"}[:failures]...)
		if report, err := c.run(reconcile.Options{Apply: true}); err != nil || len(report.Errors) != failures {
			t.Fatalf("%v, %d failed", err, len(report.Errors))
		}
		if got := c.paused(); got != paused {
			t.Errorf("%d failures: paused %t", failures, got)
		}
	}
}

// A refused credential pauses the sync.
func TestRefusedCredentialPauses(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	g := c.behindGateway()
	g.before = func(method, _ string) error {
		if method == "find" {
			return refusal(target.Unauthorized, 401)
		}
		return nil
	}
	c.source.hire("A", "B")
	if _, err := c.run(reconcile.Options{Apply: true}); target.CodeOf(err) != target.Unauthorized {
		t.Fatalf("the cycle ended with %v", err)
	}
	g.before = nil
	if !c.paused() {
		t.Error("the schedule asks with a credential that was refused")
	}
	want(t, "by hand", c.cycle(), "2 created")
}

// A probe that finds nothing to do ends the pause when nothing is left to retry.
func TestProbeWithNothingToDo(t *testing.T) {
	t.Parallel()
	c := failing(t)
	c.source.disable(numbers(1, 9)...)
	if _, err := c.soon().run(reconcile.Options{Apply: true}); err == nil { // one is left, and fails
		t.Fatal("it is not probed")
	}
	if !c.paused() {
		t.Fatal("it is not paused")
	}
	c.source.disable(10)
	want(t, "nothing is due any more", c.soon().cycle(), "")
	if c.paused() {
		t.Error("it is still paused")
	}
}
