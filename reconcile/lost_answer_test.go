package reconcile_test

import (
	"fmt"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/target"
)

// unmappedActive has a sync write no active but when it switches accounts on and off.
func unmappedActive(s *reconcile.Sync) {
	m, faults := mapping.New(target.User, []mapping.Spec{{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true}, {Path: "displayName", Expr: "[displayName]"}})
	if len(faults) > 0 {
		panic(faults)
	}
	s.Users.Mapping = m
}

// A deactivation that fails, carried out or not, and a user who is back before it is tried again.
func TestBackAfterAFailedDeactivation(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 403, 500, 503} {
		for _, how := range []struct {
			carriedOut bool
			change     func(*reconcile.Sync)
		}{{false, nil}, {true, nil}, {true, unmappedActive}} {
			t.Run(fmt.Sprintf("%d, carried out: %v, active mapped: %v", status, how.carriedOut, how.change == nil), func(t *testing.T) {
				t.Parallel()
				c := newService(t).customer("contoso")
				c.change = how.change
				c.source.person(1, "ada@example.com", "Ada")
				g := c.behindGateway()
				want(t, "first cycle", c.cycle(), "1 created")
				fail := func(method, _ string) error {
					if method != "update" {
						return nil
					}
					code := target.Rejected
					if status >= 500 {
						code = target.Unavailable
					}
					return refusal(code, status)
				}
				if g.before = fail; how.carriedOut {
					g.before, g.after = nil, fail
				}
				c.source.disable(1)
				report, err := c.run(reconcile.Options{Apply: true})
				if err != nil || len(report.Errors) != 1 || report.Summary.Deactivate != 0 {
					t.Fatalf("%v, %d deactivated, errors %v", err, report.Summary.Deactivate, report.Errors)
				}
				g.before, g.after = nil, nil
				c.source.person(1, "ada@example.com", "Ada")
				if _, err := c.run(reconcile.Options{Apply: true}); err != nil {
					t.Fatal(err)
				}
				want(t, "accounts", c.app().String(), "ada=Ada")
			})
		}
	}
}

// A leaver whom the application does not let go is not done: the account stays linked, and the
// next attempts come until it is gone.
func TestRefusedRemovalIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, do := range []plan.Op{plan.Deactivate, plan.Delete} {
		t.Run(string(do), func(t *testing.T) {
			t.Parallel()
			c := newService(t).customer("contoso")
			c.change = func(s *reconcile.Sync) {
				s.Users.OnRemove.Do = do
				s.Users.Actions[plan.Deactivate] = do == plan.Deactivate
			}
			c.source.person(1, "ada@example.com", "Ada")
			c.source.person(2, "bob@example.com", "Bob")
			g := c.behindGateway()
			want(t, "first cycle", c.cycle(), "2 created")
			g.before = func(method, _ string) error {
				if method == "update" || method == "delete" {
					return refusal(target.Forbidden, 403)
				}
				return nil
			}
			c.source.gone("ada@example.com", graphsync.SoftDeleted)
			for attempt := range 3 {
				report, err := c.run(reconcile.Options{Apply: true})
				if err != nil || report.Result != reconcile.Partial || len(report.Errors) != 1 {
					t.Fatalf("attempt %d: %v, result %s, errors %v", attempt, err, report.Result, report.Errors)
				}
				want(t, "accounts", c.app().String(), "ada=Ada bob=Bob")
				c.service.now = c.now.Add(24 * time.Hour)
			}
			g.before = nil
			c.service.now = c.now.Add(24 * time.Hour)
			c.cycle()
			want(t, "accounts at the end", c.app().String(), map[plan.Op]string{plan.Deactivate: "!ada=Ada bob=Bob", plan.Delete: "bob=Bob"}[do])
		})
	}
}

// An account id that the application gives out twice links one user only: nothing of the second is
// written to the account of the first.
func TestAccountGivenOutTwice(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.source.person(1, "ada@example.com", "Ada")
	g := c.behindGateway()
	want(t, "first cycle", c.cycle(), "1 created")
	g.reply = func(method string, r *target.Resource) *target.Resource {
		if method == "create" {
			r.ID = "1"
		}
		return r
	}
	c.source.person(2, "bob@example.com", "Bob")
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil || report.Summary.Create != 0 || len(report.Errors) != 1 || report.Errors[0].Code != string(target.Conflict) {
		t.Fatalf("%v, %d created, errors %+v", err, report.Summary.Create, report.Errors)
	}
	g.reply = nil
	c.source.gone("bob@example.com", graphsync.SoftDeleted)
	want(t, "bob leaves", c.cycle(), "1 unchanged")
	if c.app().accounts["1"]["active"] != true {
		t.Error("the account of ada was switched off")
	}
}

// An application that answers success and leaves the account as it was has not done it: neither switched
// it off nor on.
func TestSuccessThatLeavesTheAccountAsItWas(t *testing.T) {
	t.Parallel()
	for op, active := range map[plan.Op]bool{plan.Deactivate: true, plan.Reactivate: false} {
		c := newService(t).customer("contoso")
		c.source.person(1, "ada@example.com", "Ada")
		g := c.behindGateway()
		want(t, "first cycle", c.cycle(), "1 created")
		c.source.disable(1)
		if op == plan.Reactivate {
			want(t, "leaver", c.cycle(), "1 deactivated")
			c.source.person(1, "ada@example.com", "Ada")
		}
		g.reply = func(method string, r *target.Resource) *target.Resource {
			if method == "update" || method == "get" {
				r.Attributes["active"] = active
			}
			return r
		}
		report, err := c.run(reconcile.Options{Apply: true})
		if err != nil || report.Summary.Deactivate+report.Summary.Reactivate != 0 || report.Result != reconcile.Partial || len(report.Errors) != 1 || report.Errors[0].Op != op {
			t.Errorf("%s: %v, result %s, %+v, errors %+v", op, err, report.Result, report.Summary, report.Errors)
		}
	}
}
