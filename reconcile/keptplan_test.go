package reconcile_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/target"
)

// A versioned application says by a number whether its content changed.
type versioned struct {
	*application
	version *string
}

func (v versioned) Version(context.Context) (string, bool, error) {
	return *v.version, *v.version != "", nil
}

// planned is a customer of three users whose first plan has just been made, and the version of the application.
func planned(t *testing.T) (*customer, *string) {
	t.Helper()
	c, version := newService(t).customer("contoso"), new(string)
	*version = "one"
	c.through = func(a *application) target.Adapter { return versioned{a, version} }
	for n := 1; n <= 3; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
	}
	c.source.pending = nil
	want(t, "plan", c.must(reconcile.Options{}), "3 created")
	return c, version
}

// A sync right after its plan asks the application nothing but to create the accounts.
func TestAPlanThatFitsIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	c, _ := planned(t)
	clear(c.app().asked)
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil || report.PlanOf == "" || report.Result != reconcile.OK {
		t.Fatalf("plan of %q, %s, %v", report.PlanOf, report.Result, err)
	}
	want(t, "sync", told(report), "3 created")
	want(t, "calls", fmt.Sprint(c.app().asked), "map[create:3]")
	want(t, "the same sync again", c.cycle(), "3 unchanged")
	report, err = c.run(reconcile.Options{Apply: true, Full: true})
	if err != nil || report.PlanOf != "" {
		t.Fatalf("plan of %q, %v", report.PlanOf, err)
	}
	want(t, "full cycle", told(report), "3 unchanged")

	c.change = func(s *reconcile.Sync) { s.Text = "other" } // everybody is evaluated
	c.must(reconcile.Options{})
	if report, err = c.run(reconcile.Options{Apply: true}); err != nil || report.PlanOf != "" {
		t.Fatalf("a plan of accounts that exist, of %q, was applied, %v", report.PlanOf, err)
	}
}

// Whatever a plan was made from and is different now, it is made again.
func TestAPlanIsMadeAgain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(t *testing.T, c *customer, version *string)
		opts   reconcile.Options
		want   string
	}{
		"a user joins": {
			change: func(_ *testing.T, c *customer, _ *string) { c.source.person(4, "p4@example.com", "P") },
			want:   "4 created",
		},
		"a user leaves": {
			change: func(_ *testing.T, c *customer, _ *string) { c.source.disable(2) },
			want:   "2 created",
		},
		"the configuration changes": {
			change: func(_ *testing.T, c *customer, _ *string) {
				c.change = func(s *reconcile.Sync) { s.Text, s.Guard.Creations = "other", guard.Limit{Count: new(1)} }
			},
			want: "held by creations: create p1@example.com, held by creations: create p2@example.com, held by creations: create p3@example.com",
		},
		"the application has one of the accounts": {
			change: func(_ *testing.T, c *customer, version *string) {
				c.app().seed("p2@example.com")
				*version = "two"
			},
			want: "2 created, 1 adopted",
		},
		"the application cannot say": {
			change: func(_ *testing.T, _ *customer, version *string) { *version = "" },
			want:   "3 created",
		},
		"the plan is old": {
			change: func(_ *testing.T, c *customer, _ *string) { c.service.now = c.now.Add(time.Minute) },
			want:   "3 created",
		},
		"the clock was set back": {
			change: func(_ *testing.T, c *customer, _ *string) { c.service.now = c.now.Add(-time.Hour) },
			want:   "3 created",
		},
		"another customer has accounts since": {
			change: func(t *testing.T, c *customer, _ *string) {
				other := c.customer("fabrikam")
				other.source.person(7, "p7@example.com", "P")
				want(t, "the other", other.cycle(), "1 created")
			},
			want: "3 created",
		},
		"one user was provisioned on demand": {
			change: func(t *testing.T, c *customer, _ *string) {
				want(t, "on demand", c.must(reconcile.Options{Apply: true, Subject: &reconcile.Subject{Kind: graphsync.User, Key: "p2@example.com"}}), "1 created")
			},
			want: "2 created, 1 unchanged",
		},
		"what another mapping would do was asked for": {
			change: func(t *testing.T, c *customer, _ *string) {
				want(t, "what-if", c.must(reconcile.Options{NoRefresh: true}), "3 created")
			},
			want: "3 created",
		},
		"a complete cycle": {
			change: func(*testing.T, *customer, *string) {},
			opts:   reconcile.Options{Full: true},
			want:   "3 created",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, version := planned(t)
			tt.change(t, c, version)
			tt.opts.Apply = true
			report, err := c.run(tt.opts)
			if err != nil || report.PlanOf != "" {
				t.Fatalf("the plan of %q was applied, %v", report.PlanOf, err)
			}
			want(t, "sync", told(report), tt.want)
		})
	}
}

// What a plan held is looked at again: it may have been answered.
func TestAPlanThatHoldsIsMadeAgain(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	version := "one"
	c.through = func(a *application) target.Adapter { return versioned{a, &version} }
	c.change = func(s *reconcile.Sync) { s.Guard.Creations = guard.Limit{Count: new(1)} }
	for n := 1; n <= 2; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
	}
	for _, opts := range []reconcile.Options{{}, {Apply: true}} {
		report, err := c.run(opts)
		if err != nil || report.PlanOf != "" {
			t.Fatalf("plan of %q, %v", report.PlanOf, err)
		}
		want(t, "run", told(report), "held by creations: create p1@example.com, held by creations: create p2@example.com")
	}
}

// An application that was changed behind the plan refuses the account, and the cycle finds whose it is: it is not
// made twice.
func TestAnAccountIsMadeBehindThePlan(t *testing.T) {
	t.Parallel()
	c, _ := planned(t)
	c.app().seed("p2@example.com") // the version stays
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil || report.PlanOf == "" {
		t.Fatalf("plan of %q, %v", report.PlanOf, err)
	}
	if n := len(c.app().accounts); n != 3 {
		t.Errorf("%d accounts, want 3: %v", n, c.app().accounts)
	}
	report, err = c.run(reconcile.Options{Apply: true})
	if n := len(c.app().accounts); err != nil || n != 3 {
		t.Errorf("%d accounts after the next cycle, want 3 (%v, %v)", n, told(report), err)
	}
}
