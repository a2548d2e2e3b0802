package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/inspect"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// printed returns what a function prints.
func printed(t *testing.T, print func(console.Output) error) string {
	t.Helper()
	var out bytes.Buffer
	if err := print(console.Output{W: &out}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func people() *compile.Sync {
	return &compile.Sync{Sync: &reconcile.Sync{Name: "people", TargetName: "app"}, TenantName: "contoso"}
}

// An action is a line with its sign, each value below it as a diff has it, and no control character of others.
func TestAction(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		action plan.Action
		want   string
	}{
		"create": {
			plan.Action{Op: plan.Create, Kind: graphsync.User, Key: "ada@x", Why: "assigned", Name: "Ada", Changes: []plan.Change{{Attribute: "userName", New: "ada@x"}}},
			"  + create     user  ada@x  (assigned)  Ada\n      userName: \"ada@x\"\n",
		},
		"update": {
			plan.Action{Op: plan.Update, Kind: graphsync.User, Key: "ada@x", Why: "changed", Changes: []plan.Change{
				{Attribute: "title", Old: "a<b", New: "c&d"}, {Attribute: "active", Old: true, New: nil}, {Attribute: "x", New: []any{"1"}}}},
			"  ~ update     user  ada@x  (changed)\n      title: \"a<b\" → \"c&d\"\n      active: true → (cleared)\n      x: (none) → [\"1\"]\n",
		},
		"hostile": {
			plan.Action{Op: plan.Delete, Kind: graphsync.Group, Key: "\x1b[2J", Why: "\nno", Name: "\rName", Notes: []string{"\tnote"}},
			"  x delete     group �[2J  (�no)  �Name\n      note: �note\n",
		},
	} {
		if got := printed(t, func(o console.Output) error { printAction(o, &tt.action); return nil }); got != tt.want {
			t.Errorf("%s:\n%q\nwant\n%q", name, got, tt.want)
		}
	}
	long := plan.Action{Op: plan.Create, Kind: graphsync.User, Changes: []plan.Change{{Attribute: "a", New: strings.Repeat("é", 300)}}}
	if got := printed(t, func(o console.Output) error { printAction(o, &long); return nil }); len(got) > 300 || !strings.HasSuffix(got, "…\n") {
		t.Errorf("a long value: %q", got)
	}
}

// A value of a created account is shown in colour on a terminal only.
func TestActionInColour(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	printAction(console.Output{W: &out, Colour: true}, &plan.Action{Op: plan.Create, Kind: graphsync.User, Key: "ada", Why: "assigned"})
	if !strings.HasPrefix(out.String(), "  \x1b[32m+\x1b[0m create") {
		t.Errorf("printed %q", out.String())
	}
}

// Failures with the same reason are one line with their number and the first names; one alone has its name in front.
func TestFailures(t *testing.T) {
	t.Parallel()
	report := &reconcile.Report{Errors: []plan.Failure{
		{Kind: graphsync.User, Op: plan.Create, Key: "ada", Code: "target_rejected", Message: "no seat", RetryAt: "T2"},
		{Kind: graphsync.User, Op: plan.Create, Key: "bob", Code: "target_rejected", Message: "no seat", RetryAt: "T1"},
		{Kind: graphsync.Group, Op: plan.Update, Key: "Sales", Code: "target_missing", Message: "it is gone"},
	}}
	want := "  failed: create 2 users: no seat (target_rejected, tried again after T1): ada, bob\n  failed: update group Sales: it is gone (target_missing)\n"
	if got := printed(t, func(o console.Output) error { printFailures(o, report); return nil }); got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

// The status is a table, and below it everything that needs attention.
func TestStatus(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	status := inspect.Status{
		Sync: "people", TenantName: "contoso", Target: "app", Linked: 3, Users: 2, Groups: 1, Result: reconcile.Partial, Holds: 1, Rejected: 2, Retrying: 1, Skipped: 1, Paused: "by command",
		LastRun: &reconcile.Report{Started: at, Failure: &reconcile.CycleFailure{Code: "unreachable", Message: "no route", Hint: "look at the network"},
			Attention: []reconcile.Attention{{Code: "retrying", Message: "1 record waits"}}},
		Quarantine: &state.Quarantine{Since: at, Message: "all refused", NextProbe: at.Add(time.Hour)},
	}
	status.Waiting.Add(&state.Retry{Key: state.PendingKey{Kind: graphsync.User}, Name: "ada", Op: "create", Code: "target_rejected", Message: "no seat", Next: at})
	status.Waiting.Add(&state.Retry{Key: state.PendingKey{Kind: graphsync.User}, Name: "bob", Code: "required_missing", Message: "no mail", Skipped: true})
	never := inspect.Status{Sync: "other", TenantName: "fabrikam", Target: "app"}
	damaged := inspect.Status{Sync: "third", TenantName: "litware", Target: "app", Error: &inspect.StateError{Code: "state_damaged", Message: "checksum"}}
	got := printed(t, func(o console.Output) error { return Status(o, []inspect.Status{status, never, damaged}) })
	for _, want := range []string{
		"partial, paused", "other   fabrikam  app", "never", "state_damaged",
		"third, tenant litware: checksum\n",
		"people, tenant contoso: the last run could not run: no route\n  → look at the network\n",
		"paused since", "all refused; tried again at", "1 record waits (retrying)",
		"2 actions are due but were rejected: entrasync holds --rejected",
		"  ada: no seat (target_rejected; next attempt after ", "  bob: no mail (required_missing; looked at again in every cycle)\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the status lacks %q:\n%s", want, got)
		}
	}
}

// A list of holds says who would lose a membership; a whole hold has every action in it.
func TestHolds(t *testing.T) {
	t.Parallel()
	hold := inspect.Hold{
		Hold: "h-1", Sync: "people", TenantName: "contoso", Guard: "members_removed", Cause: "changed", Count: 1, Sample: []string{"a", "b", "c", "d"}, Removes: []string{"ada", "bob"}, RemovesCount: 5,
		Actions: []guard.HeldAction{{Action: plan.Action{Op: plan.Members, Kind: graphsync.Group, Key: "Sales", Why: "changed", Remove: make([]graphsync.ID, 2)},
			Members: []plan.ChangedMember{{Key: "ada", Change: "remove"}}}},
	}
	list := printed(t, func(o console.Output) error { return Holds(o, []inspect.Hold{hold}, false, false) })
	if !strings.Contains(list, "a, b, c, … (removes ada, bob and 3 more)") || !strings.Contains(list, "  -  ") {
		t.Errorf("the list:\n%s", list)
	}
	whole := printed(t, func(o console.Output) error { return Holds(o, []inspect.Hold{hold}, true, false) })
	want := "h-1 of sync people, tenant contoso: 1 action, guard members_removed: changed\n  held since -\n  ± members    group Sales  (changed)\n      would be removed: ada and 1 more\n"
	if whole != want {
		t.Errorf("the hold:\n%s\nwant\n%s", whole, want)
	}
	hold.Rejected = &inspect.Rejection{Decision: plan.Decision{By: "grace"}}
	rejected := printed(t, func(o console.Output) error { return Holds(o, []inspect.Hold{hold}, false, true) })
	if !strings.Contains(rejected, "grace") || !strings.Contains(rejected, "its source changes") {
		t.Errorf("the rejected:\n%s", rejected)
	}
	for want, rejected := range map[string]bool{"Nothing is held.\n": false, "Nothing that is due was rejected.\n": true} {
		if got := printed(t, func(o console.Output) error { return Holds(o, nil, false, rejected) }); got != want {
			t.Errorf("none: %q", got)
		}
	}
}

// A run is printed with what came of each action, and says what it did not keep.
func TestRun(t *testing.T) {
	t.Parallel()
	line := func(v any) json.RawMessage {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	run := &inspect.Run{
		Report: reconcile.Report{Run: "r1", Cycle: "initial", Result: reconcile.Partial, Summary: reconcile.Summary{Skipped: 3},
			Skipped: []plan.Skipped{{Kind: graphsync.User, Key: "cleo", Code: "required_missing", Why: "no mail"}}, Notes: []string{"a note"}},
		Actions: []json.RawMessage{line(map[string]any{"op": "create", "kind": "user", "key": "ada", "why": "assigned", "error": map[string]any{"code": "target_rejected", "message": "no seat"}})},
	}
	got := printed(t, func(o console.Output) error { return Run(o, people(), run) })
	want := "people, tenant contoso: run r1, initial, partial\n  + create     user  ada  (assigned)\n      failed: no seat (target_rejected)\n" +
		"  · skipped user cleo: no mail (required_missing)\n  · and 2 more skipped records, which the run did not keep\n  note: a note\n"
	if got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

// Rejected and held actions of a report that keeps the first only are counted to the end.
func TestActionsWaiting(t *testing.T) {
	t.Parallel()
	var waiting waitingActions
	for _, key := range []string{"ada", "bob"} {
		waiting.add("h-1", "removals", "Sales lost its assignment", &plan.Action{Op: plan.Deactivate, Kind: graphsync.User, Key: key})
	}
	waiting.add("h-2", "adoption", "another's", &plan.Action{Op: plan.Adopt, Kind: graphsync.User, Key: "cleo", Name: "Cleo"})
	got := printed(t, func(o console.Output) error { printActionsWaiting(o, "held:", &waiting, 10); return nil })
	want := "  held: deactivate 2 users (h-1, guard removals: Sales lost its assignment): ada, bob\n  held: adopt user cleo (h-2, guard adoption: another's)  Cleo\n  held: and 7 more; list them with: entrasync holds HOLD\n"
	if got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}
