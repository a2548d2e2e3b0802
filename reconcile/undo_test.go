package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/undo"
	"entrasync/state"
	"entrasync/target"
)

// undo makes an undo, half an hour after the last cycle.
func (c *customer) undo(opts reconcile.Options) (report *reconcile.Report, err error) {
	c.t.Helper()
	c.syncing(func(s *reconcile.Syncer) { report, err = s.Undo(context.Background(), opts) })
	return report, err
}

func (c *customer) mustUndo(run string) *reconcile.Report {
	c.t.Helper()
	report, err := c.undo(reconcile.Options{Apply: true, Undo: &undo.Request{Run: run}})
	if err != nil {
		c.t.Fatal(err)
	}
	return report
}

// copied is what the accounts hold.
func (a *application) copied() map[string]map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string]map[string]any{}
	for id, account := range a.accounts {
		all[id] = maps.Clone(account)
	}
	return all
}

// byHand changes an account behind the program's back.
func (a *application) byHand(id, name string, value any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.accounts[id][name] = value
}

// event is something that happens to one of n users of the directory.
func (c *customer) event(rt *rapid.T, n int) {
	user := rapid.IntRange(1, n).Draw(rt, "user")
	upn := fmt.Sprintf("user%d@example.com", user)
	_, known := c.source.people[userID(user)]
	left := c.source.removed[userID(user)] != graphsync.NotRemoved
	switch what := rapid.SampledFrom([]string{"name", "leave", "return"}).Draw(rt, "what"); {
	case !known, what == "name" && !left:
		c.source.person(user, upn, rapid.SampledFrom([]string{"Ada", "Bob", "Cleo"}).Draw(rt, "name"))
	case what == "leave" && !left:
		c.source.gone(upn, graphsync.SoftDeleted)
	case left:
		c.source.comeBack(user)
	}
}

// For random histories, undoing the last run gives every account what it had before it, but for what was changed since;
// an account that the run made is switched off. Undoing the undo gives back what the run had done. An incremental cycle
// after an undo does the same as the run again, unless everything was pinned.
func TestUndoPutsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c := newService(t).customer("contoso")
		defer c.store.Close()
		const n = 5
		for i := range 3 {
			c.source.person(i+1, fmt.Sprintf("user%d@example.com", i+1), "Person")
		}
		c.source.person(9, "stays@example.com", "Stays") // an empty directory removes nobody
		c.cycle()
		for range rapid.IntRange(0, 4).Draw(rt, "earlier") {
			c.event(rt, n)
			c.cycle()
		}
		before := c.app().copied()
		for range rapid.IntRange(1, 4).Draw(rt, "events") {
			c.event(rt, n)
		}
		run := mustRun(t, c, reconcile.Options{Apply: true})
		done := c.app().copied()
		byHand := map[string]string{}
		for id := range done {
			if rapid.IntRange(0, 4).Draw(rt, "by hand") == 0 {
				byHand[id] = "Hand"
				c.app().byHand(id, "displayName", "Hand")
			}
		}
		if rapid.Bool().Draw(rt, "another cycle") {
			c.cycle()
		}
		want := map[string]map[string]any{}
		for id, account := range done {
			want[id] = maps.Clone(account)
			if was, known := before[id]; known {
				want[id] = maps.Clone(was)
			} else {
				want[id]["active"] = false
			}
			if name, changed := byHand[id]; changed {
				want[id]["displayName"] = name
			}
		}
		dry, err := c.undo(reconcile.Options{Undo: &undo.Request{Run: run.Run}})
		if run.Summary.Changes() == 0 {
			if !errors.Is(err, reconcile.ErrNothingToUndo) {
				rt.Fatalf("the run did nothing, and undoing it: %v", err)
			}
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		if got := c.app().copied(); !maps.EqualFunc(got, withHand(done, byHand), maps.Equal[map[string]any]) {
			rt.Fatalf("a dry run has changed the accounts: %v", got)
		}
		undone := c.mustUndo(run.Run)
		if dry.Summary.Changes() != undone.Summary.Changes() || len(undone.Errors) > 0 {
			rt.Fatalf("planned %+v, done %+v %v", dry.Summary, undone.Summary, undone.Errors)
		}
		compareAccounts(rt, "the undo", c.app().copied(), want)
		if undone.Summary.Changes() > 0 && rapid.Bool().Draw(rt, "again") {
			c.mustUndo(undone.Run)
			compareAccounts(rt, "the undo of the undo", c.app().copied(), withHand(done, byHand))
			return
		}
		again := mustRun(t, c, reconcile.Options{Apply: true})
		compareAccounts(rt, "the next cycle", c.app().copied(), withHand(done, byHand))
		if again.Summary.Changes() != undone.Summary.Changes() {
			rt.Errorf("the undo made %d changes, the next cycle %d", undone.Summary.Changes(), again.Summary.Changes())
		}
	})
}

func withHand(accounts map[string]map[string]any, byHand map[string]string) map[string]map[string]any {
	out := map[string]map[string]any{}
	for id, account := range accounts {
		out[id] = maps.Clone(account)
		if name, changed := byHand[id]; changed {
			out[id]["displayName"] = name
		}
	}
	return out
}

func compareAccounts(rt *rapid.T, what string, got, want map[string]map[string]any) {
	for _, id := range slices.Sorted(maps.Keys(want)) {
		for _, name := range []string{"userName", "displayName", "active"} {
			if fmt.Sprint(got[id][name]) != fmt.Sprint(want[id][name]) {
				rt.Errorf("after %s, account %s has %s %v, want %v", what, id, name, got[id][name], want[id][name])
			}
		}
	}
	if len(got) != len(want) {
		rt.Errorf("after %s there are %d accounts, want %d", what, len(got), len(want))
	}
}

// What another run changed later is left alone, and named.
func TestUndoLeavesWhatChangedLater(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob", "Cleo")
	for i, name := range []string{"Ada", "Bob", "Cleo"} {
		c.source.person(i+1, strings.ToLower(name)+"@example.com", name+" Wrong")
	}
	wrong := mustRun(t, c, reconcile.Options{Apply: true})
	c.source.person(1, "ada@example.com", "Ada Right")
	c.cycle()
	c.app().byHand(c.links().accountOf(2), "displayName", "Bob by hand")
	report := c.mustUndo(wrong.Run)
	want(t, "the undo", told(report), "1 updated, 2 unchanged, skipped ada@example.com: changed_since, skipped bob@example.com: changed_since")
	for i, name := range []string{"Ada Right", "Bob by hand", "Cleo"} {
		if got := c.app().accounts[c.links().accountOf(i+1)]["displayName"]; got != name {
			t.Errorf("user %d has the name %v, want %s", i+1, got, name)
		}
	}
}

// What a later run changed, and another one changed again, is not what the run left, although it looks the same.
func TestUndoLeavesWhatChangedThereAndBack(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	again := func() *reconcile.Report {
		c.source.person(1, "ada@example.com", "Ada Wrong")
		c.source.leaveAll("Bob")
		return mustRun(t, c, reconcile.Options{Apply: true})
	}
	wrong := again()
	c.source.person(1, "ada@example.com", "Ada")
	c.source.comeBack(2)
	want(t, "corrected", c.cycle(), "1 updated, 1 reactivated")
	again()
	before := c.app().copied()
	want(t, "the undo", told(c.mustUndo(wrong.Run)), "2 unchanged, skipped ada@example.com: changed_since, skipped bob@example.com: changed_since")
	if got := c.app().copied(); !maps.EqualFunc(got, before, maps.Equal[map[string]any]) {
		t.Errorf("the undo has changed %v", got)
	}
}

// What cannot be put back is named before anything is changed; what failed is not taken for done.
func TestUndoNamesWhatItCannotPutBack(t *testing.T) {
	t.Parallel()
	c := linked(t, func(s *reconcile.Sync) { s.Users.OnRemove.Do = plan.Delete }, "Ada", "Bob", "Cleo", "Dan")
	c.source.leaveAll("Ada")
	c.source.person(2, "bob@example.com", "Bob Wrong")
	c.source.person(3, "cleo@example.com", "Cleo Wrong")
	bob := c.links().accountOf(2)
	c.app().refuse = func(method, id string) error {
		if id == bob && method == "update" {
			return &target.Error{Code: target.Rejected, Status: 400, Message: "no"}
		}
		return nil
	}
	wrong := mustRun(t, c, reconcile.Options{Apply: true})
	c.app().refuse = nil
	dry, err := c.undo(reconcile.Options{Undo: &undo.Request{Run: wrong.Run}})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "the plan", told(dry), "1 updated, 2 unchanged, skipped ada@example.com: cannot_undo, skipped bob@example.com: cannot_undo")
	c.mustUndo(wrong.Run)
	if got := c.app().accounts[c.links().accountOf(3)]["displayName"]; got != "Cleo" {
		t.Errorf("Cleo has the name %v", got)
	}
}

// An adoption is undone by giving the account back what it had and dropping the link. The same account is adopted again
// only with an approval, and undoing the undo links it again.
func TestUndoOfAdoption(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Bob")
	account := c.app().seed("ada@example.com")
	c.app().byHand(account, "displayName", "Visitor")
	before := c.app().copied()
	c.source.person(2, "ada@example.com", "Ada")
	adoption := mustRun(t, c, reconcile.Options{Apply: true})
	want(t, "the adoption", told(adoption), "1 adopted, 1 unchanged")
	linkedBefore := c.links().accountOf(2)
	done := c.app().copied()

	undone := c.mustUndo(adoption.Run)
	if undone.Summary.Unlink != 1 || !maps.EqualFunc(c.app().copied(), before, maps.Equal[map[string]any]) {
		t.Errorf("%+v: %v, want %v", undone.Summary, c.app().copied(), before)
	}
	want(t, "the link", c.links().accountOf(2), "")
	want(t, "the next cycle", c.cycle(), "1 unchanged, held by broken_link: adopt ada@example.com")
	if !maps.EqualFunc(c.app().copied(), before, maps.Equal[map[string]any]) {
		t.Errorf("the next cycle has changed the accounts: %v", c.app().copied())
	}

	again := c.mustUndo(undone.Run)
	if again.Summary.Adopt != 1 || !maps.EqualFunc(c.app().copied(), done, maps.Equal[map[string]any]) {
		t.Errorf("%+v: %v, want %v", again.Summary, c.app().copied(), done)
	}
	want(t, "the link", c.links().accountOf(2), linkedBefore)
	want(t, "the cycle after that", c.cycle(), "2 unchanged")
}

// What an adopted account had where the application shows nothing is not known: it is named, and not cleared.
func TestUndoOfAdoptionWithHiddenValues(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Bob")
	account := c.app().seed("ada@example.com")
	c.app().byHand(account, "displayName", "Visitor")
	g := c.behindGateway()
	c.app().brief = []string{"userName", "active"}
	g.reply = func(_ string, r *target.Resource) *target.Resource {
		shown := maps.Clone(r.Attributes)
		delete(shown, "displayName")
		return &target.Resource{Ref: r.Ref, Attributes: shown}
	}
	g.after = on("update", account, &target.Error{Code: target.Unverified, Remark: target.NotShown, Attribute: "displayName", Message: "hidden"})
	c.source.person(2, "ada@example.com", "Ada")
	adoption := mustRun(t, c, reconcile.Options{Apply: true})
	want(t, "adopted accounts", fmt.Sprint(adoption.Summary.Adopt), "1")
	undone := c.mustUndo(adoption.Run)
	if undone.Summary.Unlink != 1 || c.app().copied()[account]["displayName"] != "Ada" {
		t.Errorf("%+v: %v", undone.Summary, c.app().copied()[account])
	}
	if len(undone.Skipped) != 1 || undone.Skipped[0].Code != "cannot_undo" || !strings.Contains(undone.Skipped[0].Why, "displayName: the application does not show it") {
		t.Errorf("not named: %+v", undone.Skipped)
	}
}

// Guards review an undo. What they hold is done only when the operator says which guard may let pass.
func TestUndoIsReviewed(t *testing.T) {
	t.Parallel()
	c := newService(t).customer("contoso")
	c.change = func(s *reconcile.Sync) { s.Guard.Removals = count(2) }
	c.source.hire("Ada")
	c.cycle()
	for i := range 5 {
		c.source.person(i+2, fmt.Sprintf("user%d@example.com", i+2), "New")
	}
	wrong := mustRun(t, c, reconcile.Options{Apply: true})
	report := c.mustUndo(wrong.Run)
	if report.Summary.Held != 5 || report.Summary.Deactivate != 0 || report.Result != reconcile.Waiting || report.Held[0].Guard != "removals" {
		t.Errorf("%s: %+v", report.Result, report.Summary)
	}
	if c.stored().holds() != "" {
		t.Errorf("an undo has left holds behind: %s", c.stored().holds())
	}
	report, err := c.undo(reconcile.Options{Apply: true, Undo: &undo.Request{Run: wrong.Run, Approve: []string{"removals"}}})
	if err != nil || report.Summary.Deactivate != 5 {
		t.Errorf("%v: %+v", err, report.Summary)
	}
}

// What an undo put back and pinned stays so, whatever the directory says.
func TestUndoPins(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	c.source.leaveAll("Ada")
	wrong := mustRun(t, c, reconcile.Options{Apply: true})
	report, err := c.undo(reconcile.Options{Apply: true, Undo: &undo.Request{Run: wrong.Run}, Pin: "ticket 3", Actor: state.Actor{Kind: state.ActorCommand, Name: "grace"}})
	if err != nil || report.Summary.Reactivate != 1 {
		t.Fatalf("%v: %+v", err, report.Summary)
	}
	for range 2 {
		want(t, "a cycle", c.cycle(), "2 unchanged, skipped ada@example.com: pinned")
	}
	want(t, "an undo of what is pinned", told(c.mustUndo(report.Run)), "2 unchanged, skipped ada@example.com: pinned")
	c.links().unpin(1)
	want(t, "unpinned", c.cycle(), "1 deactivated, 1 unchanged")
}

// An account under the id that the application gave to another user is left alone.
func TestUndoLeavesStrangers(t *testing.T) {
	t.Parallel()
	s, c := people(t, 30, mapsExternalID(t))
	c.source.person(1, "user1@example.com", "Wrong")
	c.source.gone("user2@example.com", graphsync.SoftDeleted)
	wrong := mustRun(t, c, reconcile.Options{Apply: true})
	s.app().stranger(c.links().accountOf(1), "Stranger1")
	s.app().stranger(c.links().accountOf(2), "Stranger2")
	report := c.mustUndo(wrong.Run)
	if report.Summary.Changes() != 0 || len(report.Skipped) != 2 {
		t.Errorf("%+v %v", report.Summary, report.Skipped)
	}
	if changed := s.app().changedStrangers(); len(changed) > 0 {
		t.Errorf("written to: %v", changed)
	}
}
