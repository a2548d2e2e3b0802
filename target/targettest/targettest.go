// Package targettest is the conformance suite that every adapter has to pass. It is for the
// author of an adapter: call [Run] from a test with a [Harness] that makes a fresh, empty
// application, and read what it says. The rules are those that [target.Adapter] and its
// abilities promise; one that concerns an ability your adapter does not offer says so in the
// log (go test -v) and passes.
//
//	func TestConformance(t *testing.T) {
//		targettest.Run(t, targettest.Harness{New: func(tb testing.TB) targettest.App {
//			server := startMyApplication(tb)
//			return targettest.App{Adapter: myadapter.New(server.URL)}
//		}})
//	}
//
// It knows adapters by their interface only and never looks at requests: what the wire must
// look like is for the adapter's own tests.
package targettest

import (
	"context"
	"errors"
	"testing"

	"entrasync/target"
)

// A Harness makes applications to test against.
type Harness struct {
	// New returns a fresh application without accounts; every rule gets its own. What has
	// to be stopped is stopped by tb.Cleanup.
	New func(tb testing.TB) App

	// More are attributes that your application has for users in addition to SCIM's core ones, such
	// as an extension's. They are written and read back with the rest.
	More []target.Attribute

	// Without names attributes by path, of those the suite writes, that your application
	// does not have.
	Without []string

	// Except names rules that the application itself, not the adapter, cannot keep, with the
	// reason. They are reported in the log.
	Except map[string]string

	// Quirky returns a fresh application with a quirk, or an App without an adapter where
	// yours cannot have it. Optional: the rules about quirks are not tested without it.
	Quirky func(tb testing.TB, quirk Quirk) App

	// Many is how many users make up several pages of a listing; 230 when 0.
	Many int
}

// An App is one application with an adapter for it.
type App struct {
	Adapter target.Adapter

	// ReadBack tells what the application really holds, not by way of the adapter. Groups
	// have their members in Attributes as SCIM does. Optional; without it the suite believes
	// the adapter.
	ReadBack func(tb testing.TB) (users, groups []target.Resource)

	// Reopen returns another adapter for the same application, as the next process would
	// make it. Optional.
	Reopen func(tb testing.TB) target.Adapter
}

// Run tests an adapter, one subtest per rule, from the simple to the demanding.
func Run(t *testing.T, h Harness) {
	t.Helper()
	if h.New == nil {
		t.Fatal("targettest: the harness has no New")
	}
	for name := range h.Except {
		if !known(name) {
			t.Errorf("targettest: there is no rule %q to make an exception from", name)
		}
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if why, ok := h.Except[r.name]; ok {
				t.Logf("not tested, %s: the application cannot keep this rule: %s", r.about, why)
				return
			}
			report(t, r, r.check(open(t, h)))
		})
	}
}

func known(name string) bool {
	for _, r := range rules {
		if r.name == name {
			return true
		}
	}
	return false
}

func report(tb testing.TB, r rule, err error) {
	tb.Helper()
	var absent notOffered
	switch {
	case err == nil:
	case errors.As(err, &absent):
		tb.Logf("your adapter does not offer %s; nothing to test here", absent)
	default:
		tb.Errorf("the rule: %s.\nYour adapter %v", r.about, err)
	}
}

// A rule is one promise. check returns an error that reads on from "Your adapter".
type rule struct {
	name  string // for go test -run
	about string // what is promised, and why it matters
	check func(*trial) error
}

// rules are in the order in which an adapter's author will want to make them pass.
var rules = concat(basicRules, valueRules, listRules, memberRules, quirkRules, demandingRules)

func concat(lists ...[]rule) []rule {
	var all []rule
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// notOffered is the error of a rule about an ability that an adapter does not have.
type notOffered string

func (n notOffered) Error() string { return string(n) }

// A TB takes what a rule has to remark. A [testing.TB] is one.
type TB interface {
	Log(args ...any)
	Logf(format string, args ...any)
}

// A trial is one rule's try at one application.
type trial struct {
	tb  TB
	ctx context.Context
	h   Harness
	a   target.Adapter

	readBack func() (users, groups []target.Resource)                               // see App; nil: not offered
	reopen   func() target.Adapter                                                  // see App; nil: not offered
	quirk    func(Quirk) (target.Adapter, func() (users, groups []target.Resource)) // see Harness; nil: not offered
}

func open(tb testing.TB, h Harness) *trial {
	tb.Helper()
	if h.Many == 0 {
		h.Many = 230
	}
	app := h.New(tb)
	t := &trial{tb: tb, ctx: tb.Context(), h: h, a: app.Adapter, readBack: app.readingBack(tb)}
	if app.Reopen != nil {
		t.reopen = func() target.Adapter { return app.Reopen(tb) }
	}
	if h.Quirky != nil {
		t.quirk = func(quirk Quirk) (target.Adapter, func() (users, groups []target.Resource)) {
			odd := h.Quirky(tb, quirk)
			return odd.Adapter, odd.readingBack(tb)
		}
	}
	return t
}

func (a App) readingBack(tb testing.TB) func() (users, groups []target.Resource) {
	if a.ReadBack == nil {
		return nil
	}
	return func() (users, groups []target.Resource) { return a.ReadBack(tb) }
}

// ability returns an adapter's ability, which a sandbox has only where the adapter inside has it.
func ability[T any](a target.Adapter) (T, bool) {
	if s, ok := a.(*sandbox); ok {
		if _, has := s.inner.(T); !has {
			var none T
			return none, false
		}
	}
	has, ok := a.(T)
	return has, ok
}
