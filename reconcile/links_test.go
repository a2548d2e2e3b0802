package reconcile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/target"
)

// A create is written as planned when its plan has all values. One that is hidden, made on applying or kept in
// another form is evaluated again.
func TestPlannedValues(t *testing.T) {
	t.Parallel()
	m, faults := mapping.New(target.User, []mapping.Spec{
		{Path: "userName", Expr: "[userPrincipalName]"}, {Path: "active", Expr: "[accountEnabled]"}, {Path: "title", Expr: "[jobTitle]"},
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	a := plan.StoredAction{Action: plan.Action{Op: plan.Create, Changes: []plan.Change{
		{Attribute: "userName", New: "ada@example.com"}, {Attribute: "active", New: true}, {Attribute: "title", New: "Analyst"},
	}}}
	out, applied, complete := plannedValues(&a, m)
	var got []string
	for _, attribute := range out {
		got = append(got, attribute.Path.String()+"="+string(plan.Encode(attribute.Value))+" kept as "+string(applied[attribute.Path.String()]))
	}
	want := []string{`userName="ada@example.com" kept as "ada@example.com"`, `active=true kept as true`, `title="Analyst" kept as "Analyst"`}
	if diff := cmp.Diff(want, got); !complete || diff != "" {
		t.Errorf("complete %v (-want +got):\n%s", complete, diff)
	}
	for what, change := range map[string]plan.Change{
		"a redacted value": {Attribute: "title", New: desired.Redacted}, "a generated value": {Attribute: "title", New: desired.Generated},
		"a list": {Attribute: "title", New: []any{"x"}}, "a number": {Attribute: "title", New: 1.5}, "no value": {Attribute: "title"},
		"an attribute that is not mapped": {Attribute: "nickName", New: "Ada"},
	} {
		other := a
		other.Changes = append([]plan.Change{change}, a.Changes...)
		if _, _, complete := plannedValues(&other, m); complete {
			t.Errorf("%s is taken from the plan", what)
		}
	}
}
