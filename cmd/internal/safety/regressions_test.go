package safety

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
)

// What the random histories and the sweep have found, as the shortest stories that show it.
// Sales (ada, bob) and kim have accounts at first; at the end all must be as the directory says.
func TestFoundBefore(t *testing.T) {
	t.Parallel()
	users := func(methods ...string) func(*http.Request) bool {
		return func(r *http.Request) bool { return method(methods...)(r) && strings.Contains(r.URL.Path, "/Users") }
	}
	groups := func(methods ...string) func(*http.Request) bool {
		return func(r *http.Request) bool { return method(methods...)(r) && strings.Contains(r.URL.Path, "/Groups") }
	}
	// troubled is a cycle in which some calls go wrong.
	troubled := func(w *world, f callFault) {
		f.times = -1
		w.wire.fault(f)
		w.cycleOnce()
		w.wire.heal()
	}
	deleted, late := desired.OnRemove{Do: plan.Delete}, desired.OnRemove{Do: plan.Deactivate, After: 72 * time.Hour}
	stories := map[string]struct {
		onRemove desired.OnRemove
		tell     func(w *world, d *cast)
	}{
		"an account is deleted when its time has come, though nothing else happens": {late, func(w *world, d *cast) {
			d.unassign("kim")
			w.cycleOnce()
		}},
		"that time is not forgotten when the process dies": {late, func(w *world, d *cast) {
			d.unassign("kim")
			w.wire.interrupt(interruption{on: http.MethodPatch, crash: true, after: true})
			w.cycleOnce()
		}},
		"a user leaves whose account was just taken over, with the answer lost": {desired.OnRemove{}, func(w *world, d *cast) {
			w.front.Seed(w.t, map[string]any{"userName": "zoe@contoso.example", "active": true})
			d.hire("zoe")
			d.Assign(frontApp, d.ids["zoe"], "Viewer")
			troubled(w, callFault{match: users(http.MethodPatch), answer: belated(504)})
			d.unassign("zoe")
		}},
		"a user leaves whose account was just taken over, with the answer lost and the repeated request refused": {desired.OnRemove{}, func(w *world, d *cast) {
			w.front.Seed(w.t, map[string]any{"userName": "zoe@contoso.example", "active": true})
			d.hire("zoe")
			d.Assign(frontApp, d.ids["zoe"], "Viewer")
			w.wire.fault(callFault{match: users(http.MethodPatch), times: 1, answer: belated(500)})
			troubled(w, callFault{match: users(http.MethodPatch), answer: refuse(400, "invalidValue")})
			d.unassign("zoe")
		}},
		"a user leaves whose account could not be taken over": {desired.OnRemove{}, func(w *world, d *cast) {
			id := w.front.Seed(w.t, map[string]any{"userName": "zoe@contoso.example", "active": true})
			d.hire("zoe")
			d.Assign(frontApp, d.ids["zoe"], "Viewer")
			troubled(w, callFault{match: users(http.MethodPatch), answer: drop})
			d.unassign("zoe")
			w.watch.leave(id)
		}},
		"a user leaves whose account was just made, with the answer lost": {desired.OnRemove{}, func(w *world, d *cast) {
			d.hire("zoe")
			d.Assign(frontApp, d.ids["zoe"], "Viewer")
			w.wire.interrupt(interruption{on: http.MethodPost, crash: true, after: true})
			w.cycleOnce()
			d.unassign("zoe")
		}},
		"a user comes back whose account was switched off, with the answer lost": {desired.OnRemove{}, func(w *world, d *cast) {
			d.SoftDelete(d.ids["kim"])
			troubled(w, callFault{match: users(http.MethodPatch), answer: belated(500)})
			d.Restore(d.ids["kim"])
		}},
		"a user comes back whose account was deleted, with the answer lost": {deleted, func(w *world, d *cast) {
			d.SoftDelete(d.ids["kim"])
			troubled(w, callFault{match: users(http.MethodDelete), answer: lose})
			d.Restore(d.ids["kim"])
		}},
		"a user comes back whose account was made again with other values, and switched off": {desired.OnRemove{}, func(w *world, d *cast) {
			w.makeKimAgain(d)
			d.SoftDelete(d.ids["kim"])
			w.cycleOnce()
			d.Restore(d.ids["kim"])
		}},
		"a user leaves whose account was made again after it could not be switched off": {desired.OnRemove{}, func(w *world, d *cast) {
			d.SoftDelete(d.ids["kim"])
			troubled(w, callFault{match: users(http.MethodPatch), answer: refuse(400, "invalidValue")})
			w.makeKimAgain(d)
		}},
		"a user leaves whose account was made again while an assignment was not confirmed": {deleted, func(w *world, d *cast) {
			w.makeKimAgain(d)
			d.Set(d.ids["kim"], "jobTitle", "Head")
			w.wire.fault(callFault{match: users(http.MethodPatch), times: 1, answer: refuse(400, "invalidValue")})
			w.cycleOnce()
			d.unassign("kim")
		}},
		"a title goes back to what it was, after a change that was done and answered with an error": {desired.OnRemove{}, func(w *world, d *cast) {
			d.Set(d.ids["kim"], "jobTitle", "Head")
			troubled(w, callFault{match: users(http.MethodPatch), answer: belated(502)})
			d.Set(d.ids["kim"], "jobTitle", nil)
		}},
		"a change of members that failed is made later, in a cycle that has nothing else to do": {desired.OnRemove{}, func(w *world, d *cast) {
			d.AddMember(d.ids["Sales"], d.ids["kim"])
			troubled(w, callFault{match: groups(http.MethodPatch), answer: refuse(400, "invalidValue")})
		}},
		"a member leaves who was added, with the answer lost": {desired.OnRemove{}, func(w *world, d *cast) {
			d.AddMember(d.ids["Sales"], d.ids["kim"])
			troubled(w, callFault{match: groups(http.MethodPatch), answer: belated(504)})
			d.RemoveMember(d.ids["Sales"], d.ids["kim"])
		}},
		"a member comes back who was removed, with the answer lost": {desired.OnRemove{}, func(w *world, d *cast) {
			d.RemoveMember(d.ids["Sales"], d.ids["bob"])
			d.Assign(frontApp, d.ids["bob"], "Viewer")
			troubled(w, callFault{match: groups(http.MethodPatch), answer: lose})
			d.AddMember(d.ids["Sales"], d.ids["bob"])
		}},
		"the process dies between an account and its memberships": {desired.OnRemove{}, func(w *world, d *cast) {
			d.Set(d.ids["kim"], "accountEnabled", true)
			d.hire("zoe")
			d.Set(d.ids["zoe"], "accountEnabled", false)
			d.AddMember(d.ids["Sales"], d.ids["zoe"])
			w.cycleOnce()
			d.Set(d.ids["zoe"], "accountEnabled", true)
			w.wire.interrupt(interruption{on: http.MethodPatch, crash: true})
			w.cycleOnce()
		}},
		"a group that was deleted just before the process died is assigned again": {desired.OnRemove{}, func(w *world, d *cast) {
			d.Assign(frontApp, d.ids["ada"], "Viewer")
			d.Assign(frontApp, d.ids["bob"], "Viewer")
			w.cycleOnce()
			for _, row := range d.Snapshot().Assignments {
				if row.Principal == d.ids["Sales"] {
					d.Unassign(row.ID)
				}
			}
			w.wire.interrupt(interruption{on: http.MethodDelete, crash: true, after: true})
			w.cycleOnce()
			d.Assign(frontApp, d.ids["Sales"], "Editor")
		}},
		"a nested group is deleted, through which a group with a role was reached": {desired.OnRemove{}, func(w *world, d *cast) {
			d.hire("zoe")
			d.group("Interns", "zoe")
			d.AddMember(d.ids["Sales"], d.ids["Interns"])
			w.cycleOnce()
			d.SoftDelete(d.ids["Interns"])
		}},
		"a round of pages that leads in a circle is read again": {desired.OnRemove{}, func(w *world, d *cast) {
			d.hire("zoe")
			d.AddMember(d.ids["Sales"], d.ids["zoe"])
			end := w.graph.Fault(graphtest.ReplayPage().On(streams["users"]).Always())
			if _, err := w.run(reconcile.Options{Apply: true}); err == nil || !strings.Contains(err.Error(), "each time pointing to another") {
				w.t.Errorf("a circle: %v", err)
			}
			end()
		}},
	}
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				if s.onRemove.Do == "" {
					s.onRemove.Do = plan.Deactivate
				}
				w := newWorld(t, settings{groups: true, guests: true, nested: true, concurrency: 1, pageSize: 10, membersPage: 10, onRemove: s.onRemove, guard: guard.Guard{FirstRunRemovals: true}})
				d := &cast{Tenant: w.tenant, ids: map[string]graphsync.ID{}}
				d.hire("ada", "bob", "kim")
				d.group("Sales", "ada", "bob")
				d.Assign(frontApp, d.ids["Sales"], "Editor")
				d.Assign(frontApp, d.ids["kim"], "Admin")
				w.mustRun(reconcile.Options{Apply: true})
				s.tell(w, d)
				for range 5 {
					time.Sleep(25 * time.Hour)
					w.cycleOnce()
				}
				if differences := w.problems(); len(differences) > 0 {
					t.Error(strings.Join(differences, "\n"))
				}
			})
		})
	}
}

// makeKimAgain deletes kim's account in the application, and makes it again under another id.
func (w *world) makeKimAgain(d *cast) {
	for _, a := range w.inventory().accounts {
		if a.external == d.ids["kim"].String() {
			w.front.Delete(w.t, "/Users/"+a.id)
			w.front.Seed(w.t, map[string]any{"userName": a.values["userName"], "externalId": a.external, "displayName": "made again", "title": "Owner", "active": true})
		}
	}
}

// cycleOnce makes a cycle, whatever comes of it.
func (w *world) cycleOnce() {
	w.t.Helper()
	report, err := w.run(reconcile.Options{Apply: true})
	w.t.Log(report.Result, err)
}
