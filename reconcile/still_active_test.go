package reconcile_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/target"
)

// A stubborn application answers that it switched an account off and does not, or does not show it.
type stubborn struct {
	*application
	ignores bool // switching off changes nothing
	answers bool // an update is answered with what was asked for, whatever came of it
	shows   bool // every account is shown as active
	hides   bool // accounts that are off are not shown
}

func (s *stubborn) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	var done []target.Attribute
	for _, attribute := range attributes {
		if !s.ignores || attribute.Path.String() != "active" || attribute.Value != false {
			done = append(done, attribute)
		}
	}
	r, err := s.application.Update(ctx, ref, done)
	if err != nil || !s.answers {
		return nil, err
	}
	for _, attribute := range attributes {
		attribute.Path.Set(r.Attributes, attribute.Value)
	}
	return r, nil
}

func (s *stubborn) Get(ctx context.Context, ref target.Ref) (*target.Resource, error) {
	r, err := s.application.Get(ctx, ref)
	if err == nil && s.hides && r.Attributes["active"] == false {
		return nil, &target.Error{Code: target.NotFound, Op: "get user", Message: "there is none"}
	}
	return s.shown(r), err
}

func (s *stubborn) List(ctx context.Context, kind target.Kind, yield func([]target.Resource) error) error {
	return s.application.List(ctx, kind, func(page []target.Resource) error {
		var out []target.Resource
		for i := range page {
			if !s.hides || page[i].Attributes["active"] != false {
				out = append(out, *s.shown(&page[i]))
			}
		}
		return yield(out)
	})
}

func (s *stubborn) shown(r *target.Resource) *target.Resource {
	if r != nil && s.shows {
		r.Attributes["active"] = true
	}
	return r
}

// stubbornStaff is a tenant with so many people and an application with habits of its own.
func stubbornStaff(t *testing.T, people int, s *stubborn) *customer {
	t.Helper()
	c := newService(t).customer("contoso")
	s.application = c.app()
	c.apps["https://one"] = s
	two := 2
	c.change = func(rules *reconcile.Sync) { rules.Guard.Removals.Count = &two }
	for n := 1; n <= people; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
	}
	want(t, "first cycle", c.cycle(), fmt.Sprintf("%d created", people))
	return c
}

// applied makes a cycle and tells what it did, with its result and errors.
func (c *customer) applied(opts reconcile.Options) string {
	c.t.Helper()
	opts.Apply = true
	report, err := c.run(opts)
	if err != nil {
		c.t.Fatal(err)
	}
	parts := []string{string(report.Result)}
	if text := told(report); text != "" {
		parts = append(parts, text)
	}
	for _, e := range report.Errors {
		parts = append(parts, fmt.Sprintf("%s %s failed: %s", e.Op, e.Key, e.Code))
		if !strings.Contains(e.Message, "does not keep the account off") {
			c.t.Errorf("the error says: %s", e.Message)
		}
	}
	return strings.Join(parts, ", ")
}

// A deactivation that is ignored is an error once. The person stays named, nothing is sent for
// ever, and people who really leave are not held because of it.
func TestIgnoredDeactivation(t *testing.T) {
	t.Parallel()
	for name, app := range map[string]*stubborn{
		"answered with nothing":        {ignores: true},
		"and never shown as off":       {ignores: true, shows: true},
		"done, but never shown as off": {shows: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := stubbornStaff(t, 20, app)
			c.source.disable(1, 2)
			const row = "skipped p1@example.com: target_rejected, skipped p2@example.com: target_rejected"
			want(t, "once", c.applied(reconcile.Options{}), "partial, 18 unchanged, deactivate p1@example.com failed: target_rejected, deactivate p2@example.com failed: target_rejected")
			want(t, "once more, without a word", c.applied(reconcile.Options{}), "ok, 18 unchanged, "+row)
			written := app.asked["update"]
			want(t, "then", c.applied(reconcile.Options{}), "ok, 20 unchanged, "+row)
			want(t, "a scheduled cycle", c.applied(reconcile.Options{Scheduled: true}), "ok, 20 unchanged, "+row)
			want(t, "a full compare", c.applied(reconcile.Options{Full: true}), "ok, 20 unchanged, "+row)
			if app.asked["update"] != written {
				t.Errorf("%d more updates were sent", app.asked["update"]-written)
			}
			app.ignores, app.shows = false, false
			c.source.disable(3, 4)
			if name == "done, but never shown as off" {
				want(t, "shown as it is, and two leave", c.applied(reconcile.Options{Full: true}), "ok, 2 deactivated, 18 unchanged")
			} else {
				want(t, "two leave", c.applied(reconcile.Options{Full: true}), "ok, 2 deactivated, 18 unchanged, "+row)
			}
			c.source.person(1, "p1@example.com", "P")
			report, err := c.run(reconcile.Options{Apply: true})
			if err != nil || report.Summary.Reactivate != 1 || report.Result != reconcile.OK {
				t.Errorf("the rehire: %v %+v", err, report.Summary)
			}
		})
	}
}

// A compare that finds active what was switched off switches it off again: an account reactivated by
// hand is corrected, and an application that shows every account as active is reported once.
func TestCompareFindsActive(t *testing.T) {
	t.Parallel()
	app := &stubborn{answers: true}
	c := stubbornStaff(t, 20, app)
	c.source.disable(1, 2)
	want(t, "two leave", c.applied(reconcile.Options{}), "ok, 2 deactivated, 18 unchanged")
	c.source.disable(3, 4)
	want(t, "two more", c.applied(reconcile.Options{}), "ok, 2 deactivated, 18 unchanged")

	app.accounts["1"]["active"] = true
	want(t, "by hand", c.applied(reconcile.Options{Full: true}), "ok, 1 deactivated, 19 unchanged")

	app.shows = true
	c.source.disable(5, 6)
	want(t, "all shown as active, and two leave", c.applied(reconcile.Options{Full: true}), "partial, 2 deactivated, 14 unchanged, "+
		"deactivate p1@example.com failed: target_rejected, deactivate p2@example.com failed: target_rejected, deactivate p3@example.com failed: target_rejected, deactivate p4@example.com failed: target_rejected")
	for range 2 {
		c.applied(reconcile.Options{Full: true}) // p5 and p6 are found in turn
	}
	report, err := c.run(reconcile.Options{Apply: true, Full: true})
	if err != nil || report.Result != reconcile.OK || report.Summary.Skipped != 6 || report.Summary.Held != 0 || report.Summary.Deactivate != 0 {
		t.Errorf("%v %s %+v", err, report.Result, report.Summary)
	}
	c.source.disable(7, 8)
	report, err = c.run(reconcile.Options{Apply: true, Full: true})
	if err != nil || report.Summary.Deactivate != 2 || report.Summary.Held != 0 {
		t.Errorf("two leave: %v %+v", err, report.Summary)
	}
}

// An account that the application hides while it is off stays linked, and a rehire gets it back.
func TestHiddenWhileOff(t *testing.T) {
	t.Parallel()
	app := &stubborn{hides: true}
	c := stubbornStaff(t, 3, app)
	c.source.disable(1)
	want(t, "leaver", c.applied(reconcile.Options{}), "ok, 1 deactivated, 2 unchanged")
	for range 2 {
		want(t, "compare", c.applied(reconcile.Options{Full: true}), "ok, 3 unchanged")
	}
	c.source.person(1, "p1@example.com", "P again")
	want(t, "rehire", c.applied(reconcile.Options{}), "ok, 1 reactivated, 2 unchanged")
	want(t, "accounts", app.String(), "p1=P again p2=P p3=P")
}

// An account that cannot be read after it was switched off is tried again when that may pass, and
// is done when reading is not allowed at all.
func TestDeactivationThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for code, failed := range map[target.Code]bool{target.Unavailable: true, target.Forbidden: true, target.Unsupported: false} {
		app := &stubborn{}
		c := stubbornStaff(t, 3, app)
		app.refuse = func(method, _ string) error {
			if method == "get" {
				return &target.Error{Code: code, Op: "get user", Message: "no"}
			}
			return nil
		}
		c.source.disable(1)
		report, err := c.run(reconcile.Options{Apply: true})
		if err != nil || (report.Result == reconcile.Partial) != failed || (len(report.Errors) == 1) != failed {
			t.Errorf("%s: %v %s %+v", code, err, report.Result, report.Errors)
		}
		app.refuse = nil
		report, err = c.run(reconcile.Options{Apply: true})
		if err != nil || report.Result != reconcile.OK || len(report.Errors) > 0 {
			t.Errorf("%s, readable again: %v %s %+v", code, err, report.Result, report.Errors)
		}
		want(t, "accounts", app.String(), "!p1=P p2=P p3=P")
	}
}

// A user who comes back to an account that was switched on by hand keeps it: a complete compare finds
// nothing to do.
func TestSwitchedOnByHandBeforeTheRehire(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*reconcile.Sync){"active mapped": nil, "not mapped": unmappedActive} {
		c := linked(t, change, "Ada", "Bob")
		c.source.disable(1)
		want(t, name+", leaver", c.cycle(), "1 deactivated, 1 unchanged")
		c.app().accounts["1"]["active"] = true
		c.source.person(1, "ada@example.com", "Ada")
		c.app().asked = map[string]int{}
		want(t, name+", rehire", c.must(reconcile.Options{Apply: true, Full: true}), "2 unchanged")
		if n := c.app().asked["update"]; n > 0 {
			t.Errorf("%s: %d writes", name, n)
		}
	}
}

// A complete compare puts values right that were changed by hand; an incremental cycle does not look.
func TestChangedByHand(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.app().accounts["1"]["displayName"] = "by hand"
	want(t, "incremental", c.cycle(), "2 unchanged")
	want(t, "complete", c.must(reconcile.Options{Apply: true, Full: true}), "1 updated, 1 unchanged")
	want(t, "accounts", c.app().String(), "ada=Ada bob=Bob")
}

// A full cycle for one user, or from the snapshot alone, does not read the whole application.
func TestPartOfThePeopleIsNotCompared(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]reconcile.Options{
		"for one user":         {Apply: true, Full: true, Subject: &reconcile.Subject{Kind: graphsync.User, Key: "bob@example.com"}},
		"without a Graph call": {Full: true, NoRefresh: true},
	} {
		c := linked(t, nil, "Ada", "Bob")
		c.app().accounts["1"]["displayName"] = "by hand"
		c.app().asked = map[string]int{}
		c.must(opts)
		if asked := c.app().asked; asked["list"]+asked["update"] > 0 {
			t.Errorf("%s: asked %v", name, asked)
		}
		want(t, name, c.app().String(), "ada=by hand bob=Bob")
	}
}
