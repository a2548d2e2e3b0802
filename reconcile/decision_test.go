package reconcile_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// losing is a tenant whose first people all leave and are held, as the guard lets two pass.
func losing(t *testing.T, people, leavers int) *customer {
	t.Helper()
	c := newService(t).customer("contoso")
	two := 2
	c.change = func(s *reconcile.Sync) { s.Guard.Removals.Count = &two }
	for n := 1; n <= people; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
	}
	want(t, "first cycle", c.cycle(), fmt.Sprintf("%d created", people))
	c.source.disable(numbers(1, leavers)...)
	c.cycle()
	return c
}

// with changes the rules of a customer in addition to what is changed already.
func (c *customer) with(change func(*reconcile.Sync)) {
	before := c.change
	c.change = func(s *reconcile.Sync) {
		if before != nil {
			before(s)
		}
		change(s)
	}
}

// reject rejects all that a sync holds.
func (s stored) reject(by plan.Decision) {
	s.c.t.Helper()
	s.tx(func(tx *state.Tx) error {
		for hold := range tx.Holds(s.c.sync).All() {
			if _, err := guard.Reject(tx, s.c.sync, hold.ID, by); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s stored) rejectedHolds() (holds []guard.RejectedHold) {
	s.c.t.Helper()
	s.tx(func(tx *state.Tx) (err error) {
		holds, err = guard.RejectedHolds(tx, s.c.sync)
		return err
	})
	return holds
}

// What was rejected is counted in every later cycle and plan, whatever they look at.
func TestRejectedStaysCounted(t *testing.T) {
	t.Parallel()
	c := losing(t, 10, 3)
	by := plan.Decision{By: "ada", Reason: "a mistake", At: c.now}
	c.stored().reject(by)
	for name, opts := range map[string]reconcile.Options{
		"incremental": {Apply: true}, "full": {Apply: true, Full: true}, "plan": {}, "full plan": {Full: true}, "what-if": {NoRefresh: true}, "scheduled": {Apply: true, Scheduled: true},
	} {
		report, err := c.run(opts)
		if err != nil {
			t.Fatal(err)
		}
		if report.Summary.Rejected != 3 || len(report.Rejected) != 3 || report.Summary.Held != 0 || report.Summary.Deactivate != 0 || report.Summary.Unchanged != 7 {
			t.Errorf("%s: %+v", name, report.Summary)
		}
		for _, r := range report.Rejected {
			if r.Decision != by || r.Hold != "h-1" || r.Guard != "removals" || r.Action.Op != plan.Deactivate {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	holds := c.stored().rejectedHolds()
	if len(holds) != 1 || holds[0].Count != 3 || holds[0].Removals != 3 || holds[0].By != "ada" || holds[0].Reason != "a mistake" {
		t.Fatalf("%+v", holds)
	}
}

// What was rejected does not use up a guard: a real leaver is not held because of it.
func TestRejectedDoesNotHoldOthers(t *testing.T) {
	t.Parallel()
	c := losing(t, 10, 3)
	c.stored().reject(plan.Decision{At: c.now})
	c.source.disable(4, 5)
	report, err := c.run(reconcile.Options{Apply: true, Full: true})
	if err != nil {
		t.Fatal(err)
	}
	if report.Summary.Deactivate != 2 || report.Summary.Held != 0 || report.Summary.Rejected != 3 {
		t.Errorf("%+v", report.Summary)
	}
}

// A rejection that has ended is asked about again, also when no guard would hold it any more.
func TestRejectionExpires(t *testing.T) {
	t.Parallel()
	c := losing(t, 10, 3)
	c.with(func(s *reconcile.Sync) { s.Guard.Rejections = 48 * time.Hour })
	c.stored().reject(plan.Decision{By: "ada", At: c.now})
	c.service.now = c.now.Add(47 * time.Hour)
	want(t, "before", c.cycle(), "7 unchanged")
	hundred := 100
	c.with(func(s *reconcile.Sync) { s.Guard.Removals.Count = &hundred })
	c.service.now = c.now.Add(time.Hour)
	plan, err := c.run(reconcile.Options{}) // a plan asks as the cycle does, and decides nothing
	if err != nil || plan.Summary.Held != 3 {
		t.Fatalf("plan: %v %+v", err, plan.Summary)
	}
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil {
		t.Fatal(err)
	}
	if report.Summary.Held != 3 || report.Summary.Rejected != 0 || report.Result != reconcile.Waiting || !strings.Contains(strings.Join(report.Notes, "\n"), "the rejection of hold h-1 by ada") {
		t.Errorf("%+v %v", report.Summary, report.Notes)
	}
	c.stored().approve()
	want(t, "approved", c.cycle(), "3 deactivated, 7 unchanged")
}

// A rejection is for its cause: a user whose removal was rejected for one cause is held again for another.
func TestRejectionIsForItsCause(t *testing.T) {
	t.Parallel()
	c := losing(t, 10, 3)
	c.stored().reject(plan.Decision{At: c.now})
	c.source.gone("p1@example.com", graphsync.SoftDeleted)
	want(t, "one is deleted", c.cycle(), "1 deactivated, 7 unchanged")
	if holds := c.stored().rejectedHolds(); len(holds) != 1 || holds[0].Count != 2 {
		t.Errorf("%+v", holds)
	}
}

// Approving what was rejected takes the rejection back; approving what is no longer there fails.
func TestRejectionTakenBack(t *testing.T) {
	t.Parallel()
	c := losing(t, 10, 3)
	c.stored().reject(plan.Decision{At: c.now})
	want(t, "rejected", c.cycle(), "7 unchanged")
	c.source.person(1, "p1@example.com", "P") // enabled again
	want(t, "one has a right again", c.cycle(), "8 unchanged")
	c.stored().tx(func(tx *state.Tx) error {
		n, err := guard.Approve(tx, c.sync, "h-1", plan.Decision{})
		if n != 2 {
			t.Errorf("%d actions, want 2", n)
		}
		return err
	})
	if holds := c.stored().rejectedHolds(); len(holds) != 0 {
		t.Errorf("%+v", holds)
	}
	want(t, "approved", c.cycle(), "2 deactivated, 8 unchanged")
	c.stored().tx(func(tx *state.Tx) error {
		if _, err := guard.Approve(tx, c.sync, "h-1", plan.Decision{}); err == nil {
			t.Error("a hold that holds nothing was approved")
		}
		return nil
	})
}

// An approval is valid for the account, however its person is called by now, and not for another.
func TestApprovalOfARemovalSurvivesARename(t *testing.T) {
	t.Parallel()
	c := losing(t, 10, 3)
	c.stored().approve()
	c.source.rename(1, "renamed@example.com")
	want(t, "approved", c.cycle(), "3 deactivated, 7 unchanged")
}

// Decisions that a version before kept, which are a digest alone, still count.
func TestStoredDecisionsOfBefore(t *testing.T) {
	t.Parallel()
	for verdict, expected := range map[byte]string{1: "3 deactivated, 7 unchanged", 2: "7 unchanged"} {
		c := losing(t, 10, 3)
		c.stored().tx(func(tx *state.Tx) error {
			decisions := tx.Space(c.sync, "answers")
			var keys [][]byte
			for key := range tx.Space(c.sync, "held").All(nil) {
				keys = append(keys, slices.Clone(key))
			}
			for held, err := range guard.HeldActions(tx, c.sync, "h-1") { // by rising key
				if err != nil {
					return err
				}
				text, err := json.Marshal(held.Action)
				if err != nil {
					return err
				}
				sum := sha256.Sum256(text)
				if err := decisions.Put(keys[0], append([]byte{verdict}, hex.EncodeToString(sum[:16])...)); err != nil {
					return err
				}
				keys = keys[1:]
			}
			return tx.Holds(c.sync).Delete("h-1")
		})
		want(t, fmt.Sprintf("verdict %d", verdict), c.cycle(), expected)
		if verdict == 2 {
			if report, err := c.run(reconcile.Options{Apply: true}); err != nil || report.Summary.Rejected != 3 {
				t.Errorf("%v %+v", err, report.Summary)
			}
		}
	}
}
