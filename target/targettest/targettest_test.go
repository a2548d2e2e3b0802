package targettest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"entrasync/target"
)

// simple is an adapter without any ability.
type simple struct{ target.Adapter }

func TestAGoodAdapterPasses(t *testing.T) {
	t.Parallel()
	Run(t, Harness{New: func(testing.TB) App { return App{Adapter: newMemory("")} }, Quirky: quirkyMemory("")})
}

// Each fault is one that a real adapter has had or may well have, with the rule that has to
// notice it.
var faults = []struct{ fault, rule string }{
	{"probes by writing", "probe"},
	{"returns no id", "create"},
	{"drops extensions", "create"},
	{"finds everybody", "find"},
	{"finds by half a name", "find-honest"},
	{"finds in exact case", "find-any-case"},
	{"creates twice", "create-twice"},
	{"hides a conflict", "create-twice"},
	{"compares taken names exactly", "create-twice"},
	{"replaces on update", "update"},
	{"renames to a taken name", "rename-taken"},
	{"cannot reactivate", "deactivate"},
	{"cannot rename", "rename"},
	{"deletes by deactivating", "delete"},
	{"fails to delete twice", "delete"},
	{"updates the missing", "missing"},
	{"gets the missing with a plain error", "missing"},
	{"forgets the kind", "groups"},
	{"mangles text", "values"},
	{"keeps what is cleared", "clear"},
	{"appends lists", "apply-twice"},
	{"shares arguments", "ownership"},
	{"shares results", "ownership"},
	{"lists one page", "list"},
	{"lists every kind", "list"},
	{"ignores yield", "list-stops"},
	{"hides a cut list", "list-cancelled"},
	{"adds members twice", "members"},
	{"empties the group", "members"},
	{"writes a hundred members", "members-many"},
	{"fails for one member", "members-refused"},
	{"drops all for one member", "members-refused"},
	{"gives members to no group", "members-missing-group"},
	{"keeps deleted members", "members-of-the-deleted"},
	{"writes back what is shown", "quirk-hidden"},
	{"makes lists longer", "quirk-types"},
	{"fails for a spelling", "quirk-spelling"},
	{"stops at one odd answer", "quirk-odd"},
	{"fails when it is to wait", "quirk-busy"},
	{"gives up on small pages", "quirk-pages"},
	{"fails for who is there", "quirk-members"},
	{"leaves new groups empty", "quirk-whole-groups"},
	{"loses a new group", "quirk-late-groups"},
	{"ignores the context", "cancelled-first"},
	{"ignores the context", "cancelled-later"},
	{"forgets on close", "close"},
}

func TestTheSuiteNoticesFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(f.rule+"/"+strings.ReplaceAll(f.fault, " ", "-"), func(t *testing.T) {
			t.Parallel()
			r, ok := ruleOf(f.rule)
			if !ok {
				t.Fatalf("there is no rule %q", f.rule)
			}
			err := r.check(open(t, Harness{New: func(testing.TB) App { return App{Adapter: newMemory(f.fault)} }, Quirky: quirkyMemory(f.fault)}))
			if err == nil {
				t.Fatalf("an adapter that %s passes the rule %q", f.fault, f.rule)
			}
			if absent := notOffered(""); errors.As(err, &absent) {
				t.Fatalf("the rule %q was not tried: %v", f.rule, err)
			}
			t.Logf("Your adapter %v", err)
		})
	}
}

func TestEveryRuleNoticesSomething(t *testing.T) {
	t.Parallel()
	proven := map[string]bool{"concurrency": true} // its faults are the race detector's to find
	for _, f := range faults {
		proven[f.rule] = true
	}
	for _, r := range rules {
		if !proven[r.name] {
			t.Errorf("no fault shows that the rule %q notices anything", r.name)
		}
	}
}

func ruleOf(name string) (rule, bool) {
	for _, r := range rules {
		if r.name == name {
			return r, true
		}
	}
	return rule{}, false
}

// What an adapter does not offer is said, never passed over in silence.
func TestAbsentAbilitiesAreReported(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"list", "members", "missing", "close"} {
		r, _ := ruleOf(name)
		m := newMemory("")
		h := Harness{New: func(testing.TB) App {
			return App{Adapter: simple{m}, ReadBack: func(tb testing.TB) (users, groups []target.Resource) {
				users, _ = listAll(tb.Context(), m, target.User)
				groups, _ = listAll(tb.Context(), m, target.Group)
				return users, groups
			}}
		}}
		err := r.check(open(t, h))
		if absent := notOffered(""); !errors.As(err, &absent) {
			t.Errorf("%s: %v, want it reported as not offered", name, err)
		}
	}
}

func TestExceptionsAndReports(t *testing.T) {
	t.Parallel()
	tb := &recorder{TB: t}
	r, _ := ruleOf("create-twice")
	report(tb, r, r.check(open(t, Harness{New: func(testing.TB) App { return App{Adapter: newMemory("creates twice")} }})))
	if len(tb.errors) != 1 || !strings.Contains(tb.errors[0], "Your adapter returned no error from Create") || !strings.Contains(tb.errors[0], r.about) {
		t.Errorf("the report is %q", tb.errors)
	}
	report(tb, r, notOffered("Lister"))
	if len(tb.errors) != 1 || len(tb.logs) != 1 || !strings.Contains(tb.logs[0], "does not offer Lister") {
		t.Errorf("an absent ability is reported as %q, %q", tb.errors, tb.logs)
	}
	if known("no-such-rule") || !known("find-any-case") {
		t.Error("exceptions are not checked against the rules")
	}
	Run(t, Harness{
		New:    func(testing.TB) App { return App{Adapter: newMemory("finds in exact case")} },
		Except: map[string]string{"find-any-case": "it compares in exact case"},
	})
}

// recorder is a testing.TB that keeps what it is told.
type recorder struct {
	testing.TB
	errors, logs []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
func (r *recorder) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}
