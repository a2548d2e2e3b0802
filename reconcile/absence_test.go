package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/target"
)

// staffed is a tenant whose people have access through two groups, Sales and Support.
func staffed(t *testing.T, sales, support int, guard guard.Guard) *customer {
	t.Helper()
	c := newService(t).customer("contoso")
	guard.FirstRunRemovals = true
	c.change = func(s *reconcile.Sync) { s.Scope.All, s.AppID, s.Guard = false, "app", guard }
	var in [2][]int
	for n := 1; n <= sales+support; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), fmt.Sprintf("P%d", n))
		team := 0
		if n > sales {
			team = 1
		}
		in[team] = append(in[team], n)
	}
	c.source.team(1, "Sales", in[0]...)
	c.source.team(2, "Support", in[1]...)
	want(t, "first cycle", c.cycle(), fmt.Sprintf("%d created", sales+support))
	return c
}

func numbers(from, to int) (out []int) {
	for n := from; n <= to; n++ {
		out = append(out, n)
	}
	return out
}

// People who lose access because most members of one group are gone at once are one question.
func TestMembersOfAnAccessGroupGoneAtOnce(t *testing.T) {
	t.Parallel()
	percent := 30.0
	for name, test := range map[string]struct {
		sales, leave int
		held         bool
	}{
		"everybody":                         {20, 20, true},
		"most":                              {20, 11, true},
		"a few":                             {20, 5, false},
		"two of two: no accident":           {2, 2, false},
		"three of three, the smallest mass": {3, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := staffed(t, test.sales, 40, guard.Guard{MembersRemoved: guard.Limit{Percent: &percent}})
			c.source.leave(1, numbers(1, test.leave)...)
			c.source.leave(2, test.sales+1) // one leaver of another group does not wait
			report, err := c.run(reconcile.Options{Apply: true})
			if err != nil {
				t.Fatal(err)
			}
			held, gone := 0, test.leave+1
			if test.held {
				held, gone = test.leave, 1
			}
			if report.Summary.Held != held || report.Summary.Deactivate != gone {
				t.Fatalf("%d held, %d deactivated; want %d and %d", report.Summary.Held, report.Summary.Deactivate, held, gone)
			}
			for _, h := range report.Held {
				if h.Guard != "members_removed" || h.Cause != "left group Sales" {
					t.Errorf("held by %s: %s", h.Guard, h.Cause)
				}
			}
			if !test.held {
				return
			}
			want(t, "still waiting", strings.Repeat("x", report.Summary.Held), strings.Repeat("x", held))
			c.stored().approve()
			want(t, "approved", c.cycle(), fmt.Sprintf("%d deactivated, %d unchanged", test.leave, 40+test.sales-test.leave))
		})
	}
}

// An assignment that was missing once takes nothing away, and grants nothing either, until the next cycle
// has looked again: where leavers are deleted it has to be missing twice.
func TestUnconfirmedAssignmentGrantsNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		again bool // the assignment is there again
		next  string
	}{
		"there again": {true, "1 created, 4 unchanged"},
		"removed":     {false, "2 deleted, 2 unchanged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := staffed(t, 2, 2, guard.Guard{})
			c.with(func(s *reconcile.Sync) { s.Users.OnRemove.Do = plan.Delete })
			c.source.groups.assigned[groupID(1)] = false
			c.source.person(5, "p5@example.com", "P5")
			c.source.join(1, 5)
			want(t, "missing once", c.cycle(), "4 unchanged, skipped p5@example.com: assignment_unconfirmed")
			c.source.groups.assigned[groupID(1)] = test.again
			want(t, "looked at again", c.cycle(), test.next)
		})
	}
}

// An account that cannot be looked at is an error of its own, not a protected one.
func TestProtectedAccountsThatCannotBeSeen(t *testing.T) {
	t.Parallel()
	for _, code := range []target.Code{target.Forbidden, target.Rejected, target.Unavailable} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			protect, err := target.ParseFilter(`userName eq "root@example.com"`)
			if err != nil {
				t.Fatal(err)
			}
			c := newService(t).customer("contoso")
			c.change = func(s *reconcile.Sync) { s.Scope.Protect = []target.Filter{protect} }
			for n := 1; n <= 3; n++ {
				c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
			}
			want(t, "first cycle", c.cycle(), "3 created")
			c.app().refuse = func(method, id string) error {
				if method == "get" && id != "3" {
					return &target.Error{Code: code, Op: "get user", Message: "no", Status: 500}
				}
				return nil
			}
			c.source.disable(1, 2, 3)
			for _, apply := range []bool{false, true} {
				report, err := c.run(reconcile.Options{Apply: apply})
				if err != nil {
					t.Fatal(err)
				}
				var seen []string
				for _, s := range report.Skipped {
					seen = append(seen, s.Key+" "+s.Code)
				}
				for _, e := range report.Errors {
					seen = append(seen, fmt.Sprint(e.Key, " ", e.Op, " ", e.Code))
				}
				op := ""
				if apply {
					op = "deactivate "
				}
				want(t, fmt.Sprint("apply ", apply), strings.Join(seen, ", "), fmt.Sprintf("p1@example.com %s%s, p2@example.com %s%s", op, code, op, code))
				if apply && (report.Result != reconcile.Partial || report.Summary.Deactivate != 1) {
					t.Errorf("result %s, %d deactivated", report.Result, report.Summary.Deactivate)
				}
			}
			c.app().refuse = nil
			want(t, "seen again", c.cycle(), "2 deactivated, 1 unchanged")
		})
	}
}

// A change of an account that cannot be looked at waits too: it may be one that is protected.
func TestChangesOfProtectedAccountsThatCannotBeSeen(t *testing.T) {
	t.Parallel()
	protect, err := target.ParseFilter(`userName eq "root@example.com"`)
	if err != nil {
		t.Fatal(err)
	}
	c := newService(t).customer("contoso")
	c.change = func(s *reconcile.Sync) { s.Scope.Protect = []target.Filter{protect} }
	c.source.person(1, "p1@example.com", "P")
	want(t, "first cycle", c.cycle(), "1 created")
	written := false
	c.app().refuse = func(method, _ string) error {
		written = written || method == "update"
		if method == "get" {
			return &target.Error{Code: target.Rejected, Op: "get user", Message: "no", Status: 500}
		}
		return nil
	}
	c.source.person(1, "p1@example.com", "Q")
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil || written || report.Result != reconcile.Partial || len(report.Errors) != 1 || report.Errors[0].Code != string(target.Rejected) {
		t.Fatalf("%v, written: %t, %s", err, written, summary(report))
	}
	c.app().refuse = nil
	want(t, "seen again", c.cycle(), "1 updated")
}

// A full compare that cannot read an account is no success, and reads it again.
func TestComparedAccountsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	for n := 1; n <= 3; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
	}
	want(t, "first cycle", c.cycle(), "3 created")
	c.app().hidden = map[string]bool{"2": true}
	c.app().accounts["2"]["displayName"] = "by hand"
	c.app().refuse = func(method, id string) error {
		if method == "get" && id == "2" {
			return &target.Error{Code: target.Forbidden, Op: "get user", Message: "no", Status: 403}
		}
		return nil
	}
	for _, opts := range []reconcile.Options{{Apply: true, Full: true}, {Apply: true}} {
		report, err := c.run(opts)
		if err != nil {
			t.Fatal(err)
		}
		if report.Result != reconcile.Partial || len(report.Errors) != 1 || report.Errors[0].Code != string(target.Forbidden) || report.Errors[0].Key != "p2@example.com" {
			t.Fatalf("%+v: result %s, errors %+v", opts, report.Result, report.Errors)
		}
	}
	c.app().refuse = nil
	want(t, "readable again", c.cycle(), "1 updated, 2 unchanged")
	want(t, "accounts", c.app().String(), "p1=P p2=P p3=P")
	want(t, "and then", c.cycle(), "3 unchanged")
}

// An application that refuses to delete has the account switched off instead, where that is
// allowed; the deletion stays an error and is tried again.
func TestRefusedDeletionFallsBackToDeactivation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		may     bool
		refusal *target.Error
		active  string // the accounts afterwards
		summary string
	}{
		"refused with 403":     {true, &target.Error{Code: target.Forbidden, Status: 403, Message: "no"}, "!p1=P p2=P", "1 deactivated"},
		"no such method":       {true, &target.Error{Code: target.Unsupported, Status: 405, Message: "no"}, "!p1=P p2=P", "1 deactivated"},
		"its own error":        {true, &target.Error{Code: target.Unavailable, Status: 500, Indeterminate: true, Message: "no"}, "!p1=P p2=P", "1 deactivated"},
		"deactivate not named": {false, &target.Error{Code: target.Forbidden, Status: 403, Message: "no"}, "p1=P p2=P", ""},
		"no answer at all":     {true, &target.Error{Code: target.Unavailable, Indeterminate: true, Message: "no"}, "p1=P p2=P", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.delete = true
			c.change = func(s *reconcile.Sync) { s.Users.Actions[plan.Deactivate] = test.may }
			c.source.person(1, "p1@example.com", "P")
			c.source.person(2, "p2@example.com", "P")
			want(t, "first cycle", c.cycle(), "2 created")
			c.app().refuse = func(method, _ string) error {
				if method == "delete" {
					return test.refusal
				}
				return nil
			}
			c.source.disable(1)
			report, err := c.run(reconcile.Options{Apply: true})
			if err != nil {
				t.Fatal(err)
			}
			if report.Result != reconcile.Partial || len(report.Errors) != 1 || report.Errors[0].Code != string(test.refusal.Code) || report.Errors[0].Op != plan.Delete {
				t.Fatalf("result %s, errors %+v", report.Result, report.Errors)
			}
			if said := strings.Contains(report.Errors[0].Message, "switched off instead"); said != (test.summary != "") {
				t.Errorf("the error says: %s", report.Errors[0].Message)
			}
			want(t, "accounts", c.app().String(), test.active)
			if test.summary != "" && report.Summary.Deactivate != 1 {
				t.Errorf("%d deactivated", report.Summary.Deactivate)
			}
			c.app().refuse = nil
			c.service.now = c.now.Add(24 * time.Hour)
			want(t, "the deletion again", c.cycle(), "1 deleted, 1 unchanged")
			want(t, "accounts", c.app().String(), "p2=P")
		})
	}
}

// An application that lost accounts is not filled again without a question.
func TestAccountsGoneFromTheApplication(t *testing.T) {
	t.Parallel()
	percent := 10.0
	for name, test := range map[string]struct {
		people, lost int
		held         bool
	}{
		"emptied":              {40, 40, true},
		"more than a tenth":    {40, 5, true},
		"a tenth":              {40, 4, false},
		"two of four":          {4, 2, false},
		"three of four":        {4, 3, true},
		"all three there were": {3, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.change = func(s *reconcile.Sync) { s.Guard.Lost = guard.Limit{Percent: &percent} }
			for n := 1; n <= test.people; n++ {
				c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
			}
			want(t, "first cycle", c.cycle(), fmt.Sprintf("%d created", test.people))
			c.app().lose(test.lost)
			report, err := c.run(reconcile.Options{Apply: true, Full: true})
			if err != nil {
				t.Fatal(err)
			}
			created := test.lost
			if test.held {
				created = 0
			}
			if report.Summary.Create != created || report.Summary.Held != test.lost-created {
				t.Fatalf("%d created, %d held", report.Summary.Create, report.Summary.Held)
			}
			for _, h := range report.Held {
				want(t, "held", h.Guard+": "+h.Cause, "lost: accounts that are gone from the application")
			}
			if !test.held {
				return
			}
			c.source.person(1000, "new@example.com", "New") // who is new does not wait
			report, err = c.run(reconcile.Options{Apply: true})
			if err != nil || report.Summary.Create != 1 || report.Summary.Held != test.lost {
				t.Fatalf("%v: %d created, %d held", err, report.Summary.Create, report.Summary.Held)
			}
			c.stored().approve()
			want(t, "approved", c.cycle(), fmt.Sprintf("%d created, %d unchanged", test.lost, test.people-test.lost+1))
			want(t, "and then", c.cycle(), fmt.Sprintf("%d unchanged", test.people+1))
		})
	}
}

// The same is noticed by changes that meet no account.
func TestChangesThatMeetNoAccount(t *testing.T) {
	t.Parallel()
	percent := 10.0
	c := newService(t).customer("contoso")
	c.change = func(s *reconcile.Sync) { s.Guard.Lost = guard.Limit{Percent: &percent} }
	for n := 1; n <= 20; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
	}
	want(t, "first cycle", c.cycle(), "20 created")
	c.app().lose(20)
	for n := 1; n <= 20; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "Changed")
	}
	if report, err := c.run(reconcile.Options{Apply: true}); err != nil || len(report.Errors) != 20 {
		t.Fatalf("%v: %d errors", err, len(report.Errors))
	}
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil || report.Summary.Held != 20 || report.Summary.Create != 0 {
		t.Fatalf("%v: %d held, %d created", err, report.Summary.Held, report.Summary.Create)
	}
}
