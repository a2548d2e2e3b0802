package desired_test

import (
	"encoding/json"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

func rules(t *testing.T, specs ...mapping.Spec) *desired.Rules {
	t.Helper()
	m, faults := mapping.New(target.User, specs)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return &desired.Rules{Mapping: m, Match: []string{"userName"}}
}

var named, identified = mapping.Spec{Path: "userName", Expr: "[userPrincipalName]"}, mapping.Spec{Path: "externalId", Expr: "[objectId]"}

// Whose an account is: externalId decides where this sync wrote it and the account shows one. An account that
// shows nothing of what is known proves nothing.
func TestAccountEvaluate(t *testing.T) {
	t.Parallel()
	link := state.Link{Kind: graphsync.User, Source: ada, Keys: []state.MatchKey{{Attribute: "userName", Value: "ada@contoso.example"}},
		Applied: map[string]json.RawMessage{"userName": []byte(`"ada@contoso.example"`), "externalId": []byte(`"AB-1"`)}}
	with, without := rules(t, named, identified), rules(t, named)
	for _, tt := range []struct {
		name    string
		rules   *desired.Rules
		shown   map[string]any
		ours    bool
		foreign bool
	}{
		{"both as written", with, map[string]any{"userName": "ada@contoso.example", "externalId": "AB-1"}, true, false},
		{"renamed there, with the externalId", with, map[string]any{"userName": "else@contoso.example", "externalId": "AB-1"}, true, false},
		{"the name, with another externalId", with, map[string]any{"userName": "ada@contoso.example", "externalId": "XY-2"}, false, true},
		{"the externalId in another case decides nothing", with, map[string]any{"userName": "else@contoso.example", "externalId": "ab-1"}, false, true},
		{"the externalId in another case, and the name", with, map[string]any{"userName": "ada@contoso.example", "externalId": "ab-1"}, true, false},
		{"no externalId shown, the name in another case", with, map[string]any{"userName": "ADA@contoso.example"}, true, false},
		{"no externalId shown, another name", with, map[string]any{"userName": "else@contoso.example"}, false, true},
		{"nothing known is shown", with, map[string]any{"displayName": "Ada"}, false, false},
		{"externalId is not written by this sync", without, map[string]any{"userName": "ada@contoso.example", "externalId": "XY-2"}, true, false},
		{"an externalId that is a number", with, map[string]any{"externalId": 12.0}, false, true},
	} {
		got := desired.KnownAccount(&link, tt.rules).Evaluate(&target.Resource{Attributes: tt.shown})
		if (got == desired.Ours) != tt.ours || (got == desired.Foreign) != tt.foreign {
			t.Errorf("%s: verdict %d", tt.name, got)
		}
	}
}

// While a change is under way an account may show the value before it or after it.
func TestAccountWithChanges(t *testing.T) {
	t.Parallel()
	r := rules(t, named)
	link := state.Link{Kind: graphsync.User, Source: ada, Applied: map[string]json.RawMessage{"userName": []byte(`"b@contoso.example"`)}}
	changes := []plan.Change{{Attribute: "userName", Old: "a@contoso.example", New: "c@contoso.example"}}
	account := desired.KnownAccount(&link, r).WithChanges(changes, map[string]json.RawMessage{"userName": []byte(`"c@contoso.example"`)})
	for name, want := range map[string]desired.IdentityVerdict{
		"a@contoso.example": desired.Ours, "b@contoso.example": desired.Ours, "c@contoso.example": desired.Ours, "d@contoso.example": desired.Foreign,
	} {
		if got := account.Evaluate(&target.Resource{Attributes: map[string]any{"userName": name}}); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

// What removes an account, brings it back or changes what it is known by needs certainty about whose it is.
func TestChangesIdentity(t *testing.T) {
	t.Parallel()
	r := rules(t, named, identified, mapping.Spec{Path: "title", Expr: "[jobTitle]"}, mapping.Spec{Path: `emails[type eq "work"].value`, Expr: "[mail]"})
	change := func(attribute string) []plan.Change { return []plan.Change{{Attribute: attribute}} }
	for _, tt := range []struct {
		name    string
		op      plan.Op
		changes []plan.Change
		want    bool
	}{
		{"deactivate", plan.Deactivate, nil, true}, {"delete", plan.Delete, nil, true}, {"reactivate", plan.Reactivate, nil, true},
		{"a title", plan.Update, change("title"), false},
		{"a name", plan.Update, change("userName"), true},
		{"an externalId", plan.Update, change("externalId"), true},
		{"an address", plan.Update, change(`emails[type eq "work"].value`), true},
		{"the second of two", plan.Update, append(change("title"), change("userName")...), true},
		{"create", plan.Create, change("userName"), false}, {"members", plan.Members, nil, false},
	} {
		if got := desired.ChangesIdentity(&plan.Action{Op: tt.op, Kind: graphsync.User, Changes: tt.changes}, r); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Redacted values are named nowhere, and an account that shows nothing known is said to do so.
func TestDescribe(t *testing.T) {
	t.Parallel()
	secret := identified
	secret.Redact = true
	shown := &target.Resource{Attributes: map[string]any{"userName": "ada@contoso.example", "externalId": "AB-1"}}
	for want, r := range map[string]*desired.Rules{
		"userName ada@contoso.example and externalId AB-1": rules(t, named, identified),
		"userName ada@contoso.example":                     rules(t, named, secret),
	} {
		if got := desired.Describe(graphsync.User, r, shown); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := desired.Describe(graphsync.User, rules(t, named), &target.Resource{}); got != "nothing that is known" {
		t.Errorf("of nothing: %q", got)
	}
}

func TestRenames(t *testing.T) {
	t.Parallel()
	r := rules(t, named)
	a := plan.StoredAction{Action: plan.Action{Changes: []plan.Change{
		{Attribute: "title", Old: "a", New: "b"}, {Attribute: "USERNAME", Old: "old@contoso.example", New: "new@contoso.example"},
		{Attribute: "userName", Old: "x@contoso.example", New: "X@contoso.example"}, {Attribute: "userName", Old: nil, New: "y"},
		{Attribute: "userName", Old: "z", New: desired.Redacted}, {Attribute: "userName", Old: "z", New: ""},
	}}}
	got := r.Renames(&a)
	if len(got) != 1 || got[0] != (desired.Rename{Path: "USERNAME", Old: "old@contoso.example", New: "new@contoso.example"}) {
		t.Errorf("got %+v", got)
	}
}

func TestMay(t *testing.T) {
	t.Parallel()
	r := desired.Rules{Actions: map[plan.Op]bool{plan.Create: true}}
	for op, want := range map[plan.Op]bool{plan.Create: true, plan.Update: false, plan.Delete: false, plan.Adopt: true, plan.Members: true, plan.Unlink: true} {
		if r.May(op) != want {
			t.Errorf("%s: %v, want %v", op, r.May(op), want)
		}
	}
}

// Without a mapping of active people in scope are active; applications that take a text count too.
func TestWantsActive(t *testing.T) {
	t.Parallel()
	m := rules(t, mapping.Spec{Path: "active", Expr: "Not([IsSoftDeleted])"}).Mapping.Attributes()[0]
	for _, tt := range []struct {
		value any
		want  bool
	}{{true, true}, {false, false}, {"True", true}, {"False", false}, {nil, false}} {
		if got := desired.WantsActive([]mapping.Desired{{Attribute: m, Do: mapping.Write, Value: tt.value}}); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.value, got, tt.want)
		}
	}
	if !desired.WantsActive(nil) {
		t.Error("without a mapping of active a user in scope is not active")
	}
}

// A digest stands for a redacted value: equal for equal values of one user, and showing none of it.
func TestCanonicalOfRedactedValues(t *testing.T) {
	t.Parallel()
	secret := identified
	secret.Redact = true
	a := rules(t, named, secret).Mapping.Attributes()[1]
	one := string(desired.Canonical(ada, a, "AB-1"))
	if one != string(desired.Canonical(ada, a, "AB-1")) || one == string(desired.Canonical(ada, a, "AB-2")) || one == string(desired.Canonical(bob, a, "AB-1")) {
		t.Errorf("digests are not of user and value: %s", one)
	}
	if plainValue := string(desired.Canonical(ada, rules(t, named).Mapping.Attributes()[0], "x@contoso.example")); plainValue != `"x@contoso.example"` || len(one) < 32 {
		t.Errorf("a value that is not redacted is kept as %s, a redacted one as %s", plainValue, one)
	}
}
