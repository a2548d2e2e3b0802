package safety

import (
	"net/http"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
)

// A report says how long the changes it made may have waited: at most since the last complete
// cycle began to read, and what had failed since it first did.
func TestFreshness(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{guests: true})
	d := &cast{Tenant: w.tenant, ids: map[string]graphsync.ID{}}
	d.hire("ada", "bob")
	for _, name := range []string{"ada", "bob"} {
		d.Assign(frontApp, d.ids[name], "Viewer")
	}
	cycle := func(later time.Duration, failures int, want ...reconcile.Wait) {
		t.Helper()
		w.skew += later
		report, err := w.run(reconcile.Options{Apply: true})
		if err != nil || len(report.Errors) != failures {
			t.Fatalf("%v, failures %v", err, report.Errors)
		}
		// The test itself takes some seconds on a busy machine.
		longest := time.Duration(0)
		ok := len(report.Waits) == len(want)
		for i := 0; ok && i < len(want); i++ {
			got := report.Waits[i]
			ok = got.Changes == want[i].Changes && got.For >= want[i].For && got.For < want[i].For+time.Minute
			longest = got.For
		}
		if !ok || report.LongestWaitMS != longest.Milliseconds() {
			t.Errorf("waits %v, longest %d ms; want %v", report.Waits, report.LongestWaitMS, want)
		}
	}
	cycle(0, 0) // before it nothing was kept in step
	cycle(30*time.Minute, 0)
	d.Set(d.ids["ada"], "jobTitle", "Head")
	d.Set(d.ids["bob"], "jobTitle", "Hand")
	cycle(30*time.Minute, 0, reconcile.Wait{For: 30 * time.Minute, Changes: 2})

	w.wire.fault(callFault{match: method(http.MethodPatch), times: -1, answer: refuse(400, "invalidValue")})
	d.Set(d.ids["ada"], "jobTitle", "Chief")
	cycle(30*time.Minute, 1)
	cycle(2*time.Hour, 1)
	w.wire.heal()
	d.Set(d.ids["bob"], "jobTitle", "Helper")
	cycle(3*time.Hour, 0, reconcile.Wait{For: 3 * time.Hour, Changes: 1}, reconcile.Wait{For: 5 * time.Hour, Changes: 1})
}

// What a removals cycle does has waited at most since the removals cycle before it, or since the last cycle on schedule where that
// was later. What had failed has waited since it first did.
func TestFreshnessOfRemovals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{guests: true, guard: guard.Guard{FirstRunRemovals: true}, onRemove: desired.OnRemove{Do: plan.Deactivate}})
	d := &cast{Tenant: w.tenant, ids: map[string]graphsync.ID{}}
	names := []string{"ada", "bob", "cleo", "dan", "eve"}
	d.hire(names...)
	for _, name := range names {
		d.Assign(frontApp, d.ids[name], "Viewer")
	}
	var last time.Time // when the last removals cycle began
	cycle := func(later time.Duration, removals bool, failures int, want time.Duration) {
		t.Helper()
		w.skew += later
		began := time.Now().Add(w.skew)
		report, err := w.run(reconcile.Options{Apply: true, Removals: removals, AccessRead: last})
		if err != nil || len(report.Errors) != failures {
			t.Fatalf("%v, failures %v", err, report.Errors)
		}
		if report.Looked != removals {
			t.Errorf("looked: %v", report.Looked)
		}
		if removals {
			last = began
		}
		if got := time.Duration(report.LongestWaitMS) * time.Millisecond; got < want || got > want+time.Minute || want == 0 && got != 0 {
			t.Errorf("the longest wait is %v, want %v", got, want)
		}
	}
	disable := func(name string) { d.Set(d.ids[name], "accountEnabled", false) }
	early, err := w.run(reconcile.Options{Apply: true, Removals: true})
	if err != nil || early.Looked {
		t.Fatalf("before the first complete cycle a removals cycle looked: %v, %v", early.Looked, err)
	}
	cycle(0, false, 0, 0)
	cycle(20*time.Minute, true, 0, 0)
	disable("ada")
	cycle(2*time.Minute, true, 0, 2*time.Minute)
	disable("bob")
	cycle(5*time.Minute, false, 0, 27*time.Minute) // a direct assignment could have waited as long
	disable("cleo")
	cycle(3*time.Minute, true, 0, 3*time.Minute)
	w.wire.fault(callFault{match: method(http.MethodPatch), times: -1, answer: refuse(400, "invalidValue")})
	disable("dan")
	cycle(4*time.Minute, true, 1, 0)
	w.wire.heal()
	cycle(2*time.Hour, true, 0, 2*time.Hour)
	last = time.Time{} // the worker was started again
	disable("eve")
	cycle(10*time.Minute, true, 0, 2*time.Hour+17*time.Minute)
}
