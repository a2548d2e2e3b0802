package targettest

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"

	"entrasync/target"
)

// inUse is an application with accounts of its own, of which one bears a name that rules use.
func inUse(t *testing.T, fault string) (a target.Adapter, strangers func() []target.Resource) {
	t.Helper()
	other := newMemory("") // makes the accounts, whatever the fault is
	for _, name := range []string{"ada@example.com", "root@corp.example"} {
		path := at("userName")
		if _, err := other.Create(t.Context(), target.User, []target.Attribute{{Path: path, Value: name}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := other.Create(t.Context(), target.Group, []target.Attribute{{Path: at("displayName"), Value: "Sales"}}); err != nil {
		t.Fatal(err)
	}
	m := newMemory(fault)
	m.records, m.order = other.records, other.order
	return m, func() []target.Resource {
		users, err := listAll(t.Context(), other, target.User)
		if err != nil {
			t.Fatal(err)
		}
		groups, err := listAll(t.Context(), other, target.Group)
		if err != nil {
			t.Fatal(err)
		}
		return append(users, groups...)
	}
}

func examine(t *testing.T, a target.Adapter, rules ...string) map[string]Outcome {
	t.Helper()
	outcomes := map[string]Outcome{}
	err := Examine(t.Context(), Subject{Open: func() (target.Adapter, error) { return a, nil }, Rules: rules}, func(o Outcome) { outcomes[o.Rule] = o })
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// Rules hold in an application that is in use, and leave nothing of it changed.
func TestExamineLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	a, strangers := inUse(t, "")
	before := strangers()
	outcomes := examine(t, a)
	if len(outcomes) != len(RuleNames()) {
		t.Errorf("%d outcomes of %d rules", len(outcomes), len(RuleNames()))
	}
	for name, o := range outcomes {
		if o.Result == Broken || len(o.Left) > 0 {
			t.Errorf("%s: %s %s, left %v", name, o.Result, o.Why, o.Left)
		}
	}
	if o := outcomes["create-twice"]; o.Result != Kept {
		t.Errorf("an ordinary rule is %s", o.Result)
	}
	if after := strangers(); !reflect.DeepEqual(before, after) {
		t.Errorf("the application's own accounts were\n%v\nand are\n%v", before, after)
	}
}

// What the suite notices in a test, it notices as a command.
func TestExamineNoticesFaults(t *testing.T) {
	t.Parallel()
	writes := []string{"probes by writing", "forgets on close"} // the adapter itself, to accounts that are not the suite's
	for _, f := range faults {
		if r, _ := ruleOf(f.rule); !r.ofApplications() {
			continue
		}
		t.Run(f.rule+"/"+strings.ReplaceAll(f.fault, " ", "-"), func(t *testing.T) {
			t.Parallel()
			a, strangers := inUse(t, f.fault)
			before := strangers()
			o := examine(t, a, f.rule)[f.rule]
			if o.Result != Broken || len(o.Calls) == 0 || !strings.HasPrefix(o.Why, "it ") {
				t.Errorf("an adapter that %s: %s %s, %d calls", f.fault, o.Result, o.Why, len(o.Calls))
			}
			if after := strangers(); !reflect.DeepEqual(before, after) && !slices.Contains(writes, f.fault) {
				t.Errorf("the application's own accounts were\n%v\nand are\n%v", before, after)
			}
		})
	}
}

// An application that answers a creation with an account that it had does not lose that one.
func TestExamineDoesNotDeleteWhatItWasAnswered(t *testing.T) {
	t.Parallel()
	a, strangers := inUse(t, "")
	before := strangers()
	o := examine(t, answersWith{a.(*memory), before[1].Ref}, "update")["update"]
	if o.Result != Broken || !strings.Contains(o.Why, "another name") {
		t.Errorf("%s: %s", o.Result, o.Why)
	}
	if after := strangers(); !reflect.DeepEqual(before, after) {
		t.Errorf("the application's own accounts were\n%v\nand are\n%v", before, after)
	}
}

// answersWith answers every creation with one account.
type answersWith struct {
	*memory
	ref target.Ref
}

func (a answersWith) Create(ctx context.Context, _ target.Kind, _ []target.Attribute) (*target.Resource, error) {
	return a.Get(ctx, a.ref)
}
