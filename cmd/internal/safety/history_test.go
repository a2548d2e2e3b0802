package safety

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// 200 histories take some ten seconds; -rapid.checks=4000 takes some five minutes.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "200"); err != nil {
		panic(err)
	}
	if err := flag.Set("rapid.seed", "20261130"); err != nil { // the same histories in each run; -rapid.seed=0 draws others
		panic(err)
	}
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		panic(err)
	}
	flag.Parse()
	if file := os.Getenv(fleetConfig); file != "" {
		os.Exit(runFleetWorker(file))
	}
	if *bridgeTo != "" {
		os.Exit(runBridge(*bridgeTo))
	}
	if *childJob != "" {
		os.Exit(runChild(*childJob))
	}
	os.Exit(m.Run())
}

// Whatever happens in the directory, whatever fails and whenever the process dies: once all is
// quiet the accounts are what the configuration says, and on the way no user lost an account
// they should have, no user had two, and nothing was touched that is not ours.
func TestHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) { relate(t, rt, "") })
}

// relate has a history happen and verifies it. dsn is that of its state, "" for files.
func relate(t *testing.T, rt *rapid.T, dsn string) {
	bubble(t, func(t *testing.T) {
		h := newHistory(t, rt, dsn)
		for range rapid.IntRange(1, 12).Draw(rt, "chapters") {
			for range rapid.IntRange(0, 6).Draw(rt, "actions") {
				h.act()
			}
			h.cycle()
		}
		h.quiet()
	})
}

// bubble runs a test under a clock of its own, and hands its panics on: rapid ends a check with
// one. It tells them apart by where they come from, so each kind has a line of its own.
func bubble(t *testing.T, f func(t *testing.T)) {
	var cause any
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if cause = recover(); cause != nil && !strings.HasPrefix(fmt.Sprintf("%T", cause), "rapid.") {
				cause = fmt.Sprintf("%v\n%s", cause, debug.Stack())
			}
		}()
		f(t)
	})
	switch fmt.Sprintf("%T", cause) {
	case "<nil>":
	case "rapid.stopTest": // the check failed
		panic(cause)
	case "rapid.invalidData": // there is nothing left to draw
		panic(cause)
	default:
		panic(cause)
	}
}

// A history is a world in which things happen.
type history struct {
	*world
	rt *rapid.T

	users, groups []graphsync.ID // alive or deleted, not purged
	gone          map[graphsync.ID]bool
	upns          map[graphsync.ID]string
	free          []string // user principal names that no user has any more
	made          int
	drift         map[graphsync.ID]bool // whose account was deleted in the application
	healing       []func()
	copies        map[string][]byte // of the state's files, by name
}

func newHistory(t *testing.T, rt *rapid.T, dsn string) *history {
	set := settings{
		all: rapid.Bool().Draw(rt, "everybody"), nested: rapid.Bool().Draw(rt, "nested"), guests: rapid.Bool().Draw(rt, "guests"),
		onlySales: rapid.Bool().Draw(rt, "filter"), groups: rapid.Bool().Draw(rt, "provision groups"),
		onRemove: rapid.SampledFrom([]desired.OnRemove{{Do: plan.Deactivate}, {Do: plan.Delete},
			{Do: plan.Deactivate, After: 72 * time.Hour}}).Draw(rt, "on_remove"),
		guard: drawGuard(rt), protect: rapid.Bool().Draw(rt, "protect"),
		concurrency: rapid.SampledFrom([]int{1, 4}).Draw(rt, "concurrency"),
		pageSize:    rapid.IntRange(1, 5).Draw(rt, "page size"), membersPage: rapid.IntRange(1, 4).Draw(rt, "members page size"),
	}
	set.onUnassign, set.onDelete = drawPolicy(rt, "on_unassign"), drawPolicy(rt, "on_delete")
	set.dsn = dsn
	h := &history{world: newWorld(t, set), rt: rt, gone: map[graphsync.ID]bool{}, upns: map[graphsync.ID]string{}, drift: map[graphsync.ID]bool{}}
	h.watch.leave(h.front.Seed(t, map[string]any{"userName": "root@example.com", "displayName": "Root", "active": true, "title": "do not touch"}))
	h.watch.leave(h.front.SeedGroup(t, map[string]any{"displayName": "Owners"}))
	for range rapid.IntRange(1, 4).Draw(rt, "people at first") {
		inDirectory{h}.hire("")
	}
	for range rapid.IntRange(0, 2).Draw(rt, "groups at first") {
		inDirectory{h}.addGroup()
	}
	for _, id := range h.users[:len(h.users)/2+1] {
		h.tenant.Assign(frontApp, id, "Viewer")
	}
	return h
}

// drawPolicy draws what happens to users who left for one reason.
func drawPolicy(rt *rapid.T, key string) policy {
	return rapid.SampledFrom([]policy{{}, {}, {true, desired.OnRemove{Do: plan.Deactivate}}, {true, desired.OnRemove{Do: plan.Delete}},
		{true, desired.OnRemove{Do: plan.Deactivate, After: 72 * time.Hour}}}).Draw(rt, key)
}

// note tells the story in the output of a failure.
func (h *history) note(format string, args ...any) { h.rt.Logf("  "+format, args...) }

func (h *history) alive(ids []graphsync.ID) []graphsync.ID {
	return slices.DeleteFunc(slices.Clone(ids), func(id graphsync.ID) bool { return h.gone[id] })
}

// objects are the users and groups that are not purged.
func (h *history) objects() []graphsync.ID { return slices.Concat(h.users, h.groups) }

func (h *history) deleted(ids []graphsync.ID) []graphsync.ID {
	return slices.DeleteFunc(slices.Clone(ids), func(id graphsync.ID) bool { return !h.gone[id] })
}

// cycle runs one with faults and an interruption.
func (h *history) cycle() {
	for range rapid.IntRange(0, 2).Draw(h.rt, "graph faults") {
		h.healing = append(h.healing, h.graph.Fault(drawGraphFault(h.rt)))
	}
	for range rapid.IntRange(0, 2).Draw(h.rt, "application faults") {
		h.wire.fault(drawCallFault(h.rt))
	}
	var stop interruption
	if rapid.Bool().Draw(h.rt, "interrupted") {
		stop = interruption{at: rapid.IntRange(1, 60).Draw(h.rt, "call"), crash: rapid.Bool().Draw(h.rt, "crash"), after: rapid.Bool().Draw(h.rt, "after")}
	}
	if rapid.IntRange(0, 2).Draw(h.rt, "plan first") == 0 {
		report, err := h.run(reconcile.Options{})
		h.tell(report, err)
		if rapid.Bool().Draw(h.rt, "changed since") {
			h.act()
		}
	}
	h.wire.interrupt(stop)
	before := h.inventory()
	options := reconcile.Options{Apply: true}
	switch rapid.SampledFrom([]reconcile.Cycle{reconcile.Incremental, reconcile.Initial, reconcile.RemovalsOnly, reconcile.Incremental}).Draw(h.rt, "kind of cycle") {
	case reconcile.Initial:
		options.Full = true
	case reconcile.RemovalsOnly:
		options.Removals, options.Scheduled = true, true
	}
	report, err := h.run(options)
	h.tell(report, err)
	h.withinLimits(before)
	if rapid.Bool().Draw(h.rt, "heal") {
		h.heal()
	}
}

// withinLimits fails when a cycle removed more than the guard lets pass without an answer.
func (h *history) withinLimits(before inventory) {
	limit := h.set.guard.Removals.Count
	if h.watch.answered || limit == nil {
		return
	}
	removed, after := 0, h.inventory()
	for id, a := range before.accounts {
		if now, still := after.accounts[id]; a.active && (!still || !now.active) {
			removed++
		}
	}
	if removed > *limit {
		h.rt.Fatalf("a cycle removed %d accounts, the guard lets %d pass", removed, *limit)
	}
}

func (h *history) heal() {
	h.wire.heal()
	for _, end := range h.healing {
		end()
	}
	h.healing = nil
}

// tell adds a cycle to the story, and fails on what must never be seen.
func (h *history) tell(report *reconcile.Report, err error) {
	h.note("%s cycle %s: %+v, %d calls", report.Cycle, report.Result, report.Summary, h.wire.count())
	if err != nil {
		h.note("  %v", err)
	}
	for _, e := range report.Errors {
		h.note("  failed: %s %s: %s", e.Op, e.Key, e.Message)
	}
	for _, held := range report.Held {
		h.note("  held by %s: %s %s: %s", held.Guard, held.Action.Op, held.Action.Key, held.Cause)
	}
	for _, s := range report.Skipped {
		h.note("  skipped: %s: %s %s", s.Key, s.Code, s.Why)
	}
	if len(h.watch.reported) > 0 {
		h.note("calls:\n    %s", strings.Join(h.wire.history, "\n    "))
		h.rt.Fatalf("seen in the application:\n%s", strings.Join(h.watch.reported, "\n"))
	}
}

// quiet lets everything settle and compares.
func (h *history) quiet() {
	h.heal()
	h.skew = 0
	for _, user := range h.tenant.Snapshot().Users {
		if _, told := user.Properties["accountEnabled"].(bool); !told {
			h.tenant.Set(user.ID, "accountEnabled", true)
			h.note("%s is enabled at last", h.upns[user.ID])
		}
	}
	for _, id := range h.alive(h.users) {
		if h.drift[id] {
			h.tenant.Set(id, "jobTitle", "changed at last")
		}
	}
	for _, id := range h.alive(h.groups) {
		if h.drift[id] {
			h.tenant.Set(id, "displayName", "Changed at last "+id.String())
		}
	}
	report := h.settle(h.watch.restored)
	excused := map[string]string{}
	for _, e := range report.Errors {
		excused[e.SourceID.String()] = e.Code
	}
	for _, s := range report.Skipped {
		excused[s.SourceID.String()] = s.Code
	}
	for id, code := range excused {
		h.rt.Logf("excused: %s %s", id, code)
		if !slices.Contains([]string{"duplicate_source", "duplicate_target", "protected"}, code) {
			h.rt.Fatalf("%s is not provisioned when all is quiet: %s", id, code)
		}
	}
	differences, leavers := h.differences(excused), h.leavers(excused)
	if len(differences) == 0 && len(leavers) > 0 { // accounts without a link are found by the weekly compare
		h.settle(true)
		differences, leavers = h.differences(excused), h.leavers(excused)
	}
	if differences = append(differences, leavers...); len(differences) > 0 {
		h.rt.Fatalf("when all is quiet:\n%s", strings.Join(differences, "\n"))
	}
	h.settled()
}

// Failed records are tried again after a day at most, and an account is deleted three days after it
// was switched off. A cycle that finds nothing to do for longer than that is followed by others of
// the kind.
const (
	quietCycles = 5
	mostCycles  = 16
)

// settle runs a cycle a day until there is nothing left to do, and returns the report of the last one.
// full has the first cycle compare everything.
func (h *history) settle(full bool) (report *reconcile.Report) {
	for n, idle := 0, 0; n < mostCycles && idle < quietCycles; n++ {
		time.Sleep(25 * time.Hour)
		var err error
		report, err = h.run(reconcile.Options{Apply: true, Full: full && n == 0})
		h.tell(report, err)
		if err != nil && n > 1 { // before, a paused sync may try what is no longer there
			h.rt.Fatalf("a cycle without faults: %v", err)
		}
		if idle++; err != nil || report.Summary.Changes()+report.Summary.Held > 0 {
			idle = 0
		}
		h.takeBackRejections()
		h.approve()
	}
	return report
}

// takeBackRejections approves what was rejected: at the end all is as the directory says.
func (h *history) takeBackRejections() {
	err := h.state.Update(func(tx *state.Tx) error {
		rejected, err := guard.RejectedHolds(tx, h.sync.Name)
		for _, hold := range rejected {
			if _, err := guard.Approve(tx, h.sync.Name, hold.Hold, plan.Decision{}); err != nil {
				return err
			}
		}
		return err
	})
	if err != nil {
		h.rt.Fatalf("take back what was rejected: %v", err)
	}
}

// approve lets go what guards hold, as an administrator would who has looked at it.
func (h *history) approve() {
	h.watch.answered = true
	err := h.state.Update(func(tx *state.Tx) error {
		for _, hold := range slices.Collect(tx.Holds(h.sync.Name).All()) {
			if _, err := guard.Approve(tx, h.sync.Name, hold.ID, plan.Decision{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.rt.Fatalf("approve what is held: %v", err)
	}
}

// settled plans again: there is nothing to do, and the same plan comes out twice.
func (h *history) settled() {
	var plans [2]strings.Builder
	for i := range plans {
		report, err := h.run(reconcile.Options{})
		if err != nil {
			h.rt.Fatal(err)
		}
		if n := report.Summary.Changes() + report.Summary.Held; n > 0 {
			h.tell(report, nil)
			h.rt.Fatalf("after applying, a plan has %d changes: %+v", n, report.Summary)
		}
		if err := h.syncer().Plan(report).WriteJSON(&plans[i]); err != nil {
			h.rt.Fatal(err)
		}
	}
	if plans[0].String() != plans[1].String() {
		h.rt.Fatalf("the same input gives two plans:\n%s\n%s", plans[0].String(), plans[1].String())
	}
}
