package desired_test

import (
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/scope"
	"entrasync/state"
)

const (
	appID   = "6a1e0000-0000-0000-0000-000000000001"
	enabled = "accountEnabled=true"
)

var (
	now                                    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ada, bob, cleo, dan, eve               = graphsync.ID{1}, graphsync.ID{2}, graphsync.ID{3}, graphsync.ID{4}, graphsync.ID{5}
	sales, staff, former, unassigned, ring = graphsync.ID{11}, graphsync.ID{12}, graphsync.ID{13}, graphsync.ID{14}, graphsync.ID{15}
	off, unsaid, null                      = graphsync.ID{6}, graphsync.ID{7}, graphsync.ID{8} // by accountEnabled
	fay                                    = graphsync.ID{9}
	admin, retired                         = graphsync.ID{21}, graphsync.ID{22}
)

// tenant is a directory with one application. Ada is assigned herself, Bob through the group Sales, Cleo
// through Staff, which is a member of Sales; Dan is a guest without an assignment. Sales and Ring contain each other.
func tenant(t *testing.T) *state.Tenant {
	t.Helper()
	store, err := state.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := store.Tenant(graphsync.ID{0xc0})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tenant.Close(); store.Close() })
	user := func(id graphsync.ID, name string, properties ...string) graphsync.Change {
		c := graphsync.Change{Kind: graphsync.User, ID: id}
		for _, p := range append([]string{`userPrincipalName="` + name + `@contoso.example"`}, properties...) {
			key, value, _ := strings.Cut(p, "=")
			c.Properties = append(c.Properties, graphsync.Property{Name: key, Value: []byte(value)})
		}
		return c
	}
	group := func(id graphsync.ID, name string, members ...graphsync.MemberChange) graphsync.Change {
		return graphsync.Change{Kind: graphsync.Group, ID: id, Members: members, Properties: []graphsync.Property{{Name: "displayName", Value: []byte(`"` + name + `"`)}}}
	}
	changes := []graphsync.Change{
		user(ada, "ada", enabled, `department="Sales"`), user(bob, "bob", enabled, `mail="bob@mail.example"`), user(cleo, "cleo", enabled), user(dan, "dan", enabled, `userType="Guest"`), user(eve, "eve", enabled), user(fay, "fay", enabled),
		user(off, "off", `accountEnabled=false`), user(unsaid, "unsaid"), user(null, "null", `accountEnabled=null`),
		group(sales, "Sales", graphsync.MemberChange{Kind: graphsync.User, ID: bob}, graphsync.MemberChange{Kind: graphsync.Group, ID: staff}, graphsync.MemberChange{Kind: graphsync.Group, ID: ring}),
		group(staff, "Staff", graphsync.MemberChange{Kind: graphsync.User, ID: cleo}),
		group(ring, "Ring", graphsync.MemberChange{Kind: graphsync.Group, ID: sales}),
		group(unassigned, "Unassigned"), group(former, "Former", graphsync.MemberChange{Kind: graphsync.User, ID: fay}), {Kind: graphsync.Group, ID: former, Removed: graphsync.SoftDeleted},
	}
	err = tenant.Update(func(tx *state.Tx) error {
		for i := range changes {
			if err := tx.Objects().Put(&changes[i], nil); err != nil {
				return err
			}
			for _, m := range changes[i].Members {
				if err := tx.Members().Set(changes[i].ID, state.Member{Kind: m.Kind, ID: m.ID}, true, nil); err != nil {
					return err
				}
			}
		}
		_, err := tx.PutApp(graphsync.App{AppID: appID, Enabled: true, Roles: []graphsync.AppRole{
			{ID: admin, Value: "Admin", Name: "Admins", Enabled: true}, {ID: retired, Value: "Old", Name: "Old role"}}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	assign(t, tenant, rows...)
	return tenant
}

var rows = []graphsync.Assignment{
	{ID: "1", Principal: ada, PrincipalKind: graphsync.User, Role: admin}, {ID: "2", Principal: ada, PrincipalKind: graphsync.User, Role: retired},
	{ID: "3", Principal: sales, PrincipalKind: graphsync.Group}, {ID: "4", Principal: former, PrincipalKind: graphsync.Group},
}

// assign reads the list of assignments. Rows that it lacks for the first time become unconfirmed.
func assign(t *testing.T, tenant *state.Tenant, rows ...graphsync.Assignment) {
	t.Helper()
	round, err := tenant.BeginAssignments(appID)
	if err != nil {
		t.Fatal(err)
	}
	if err := round.Add(rows); err != nil {
		t.Fatal(err)
	}
	gone, err := round.Unseen("", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range gone {
		round.RecordPresence(id, graphsync.Absent)
	}
	if _, err := round.Commit(nil, true); err != nil {
		t.Fatal(err)
	}
}

func filter(t *testing.T, attribute, operator, value string) *scope.Filter {
	t.Helper()
	f, faults := scope.Compile([][]scope.Clause{{{Attribute: attribute, Operator: operator, Value: value}}}, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return f
}

func eligibility(t *testing.T, tenant *state.Tenant, scope desired.Scope, id graphsync.ID, link *state.Link, change func(*state.Object)) (e desired.Eligibility) {
	t.Helper()
	err := tenant.View(func(tx *state.Tx) error {
		user, known := tx.Objects().Get(graphsync.User, id)
		if !known {
			t.Fatalf("user %s is not in the snapshot", id)
		}
		if change != nil {
			change(&user)
		}
		e = desired.NewEvaluator(&desired.Config{Name: "people", AppID: appID, Scope: scope}, now).In(tx).Eligibility(&user, link)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Who is in scope and why; and, for a user with an account who is not, the cause that a guard groups by.
func TestEligibility(t *testing.T) {
	t.Parallel()
	tenant := tenant(t)
	via := func(group graphsync.ID) *state.Link { return &state.Link{Via: group} }
	removed := func(how graphsync.Removal) func(*state.Object) { return func(o *state.Object) { o.Removed = how } }
	for _, tt := range []struct {
		name   string
		scope  desired.Scope
		user   graphsync.ID
		link   *state.Link
		change func(*state.Object)
		in     bool
		why    string
		cause  string
	}{
		{"assigned directly", desired.Scope{}, ada, nil, nil, true, "assigned directly", ""},
		{"assigned through a group", desired.Scope{}, bob, nil, nil, true, "assigned through group Sales", ""},
		{"a member of a nested group", desired.Scope{}, cleo, nil, nil, false, "not assigned to the application", "not assigned"},
		{"a member of a nested group, by choice", desired.Scope{Nested: true}, cleo, nil, nil, true, "assigned through group Sales", ""},
		{"a member of a deleted group that is assigned", desired.Scope{}, fay, nil, nil, false, "not assigned to the application", "not assigned"},
		{"everyone", desired.Scope{All: true}, eve, nil, nil, true, "every user of the tenant is in scope", ""},
		{"a guest", desired.Scope{All: true}, dan, nil, nil, false, "guests are not in scope", "guests are not in scope"},
		{"a guest, by choice", desired.Scope{All: true, Guests: true}, dan, nil, nil, true, "every user of the tenant is in scope", ""},
		{"excluded by name in another case", desired.Scope{ExcludeUsers: []string{"ADA@contoso.example"}}, ada, nil, nil, false,
			"excluded by name in the configuration", "excluded by the configuration"},
		{"excluded by mail address", desired.Scope{ExcludeUsers: []string{"bob@mail.example"}}, bob, nil, nil, false,
			"excluded by name in the configuration", "excluded by the configuration"},
		{"excluded by id", desired.Scope{ExcludeUsers: []string{ada.String()}}, ada, nil, nil, false, "excluded by name in the configuration", "excluded by the configuration"},
		{"in an excluded group", desired.Scope{ExcludeGroups: []string{"sales"}}, bob, nil, nil, false, "member of the excluded group Sales", "excluded group Sales"},
		{"in an excluded group by nesting alone", desired.Scope{All: true, ExcludeGroups: []string{"Sales"}}, cleo, nil, nil, true, "every user of the tenant is in scope", ""},
		{"in a group of an excluded pattern", desired.Scope{ExcludeGroups: desired.GroupList{"s*es"}}, bob, nil, nil, false, "member of the excluded group Sales", "excluded group Sales"},
		{"in an included group", desired.Scope{All: true, IncludeGroups: desired.GroupList{"Other", "SALES"}}, bob, nil, nil, true, "member of the included group Sales", ""},
		{"in an included group, assigned", desired.Scope{IncludeGroups: desired.GroupList{sales.String()}}, bob, nil, nil, true, "assigned through group Sales", ""},
		{"in an included group by nesting alone", desired.Scope{All: true, IncludeGroups: desired.GroupList{"Sales"}}, cleo, nil, nil, false, "member of none of the included groups", "left the included groups"},
		{"in an included group by nesting, by choice", desired.Scope{All: true, Nested: true, IncludeGroups: desired.GroupList{"Sales"}}, cleo, nil, nil, true, "member of the included group Sales", ""},
		{"in an included and an excluded group", desired.Scope{All: true, IncludeGroups: desired.GroupList{"*"}, ExcludeGroups: desired.GroupList{"sales"}}, bob, nil, nil, false, "member of the excluded group Sales", "excluded group Sales"},
		{"in no included group, assigned", desired.Scope{IncludeGroups: desired.GroupList{"Sales"}}, ada, nil, nil, false, "member of none of the included groups", "left the included groups"},
		{"in an included group that was deleted", desired.Scope{All: true, IncludeGroups: desired.GroupList{"Former"}}, fay, nil, nil, false, "member of none of the included groups", "left the included groups"},
		{"left the included group", desired.Scope{All: true, IncludeGroups: desired.GroupList{"Sales"}}, eve, via(sales), nil, false, "no longer a member of the included group Sales", "left group Sales"},
		{"deleted", desired.Scope{All: true}, ada, nil, removed(graphsync.SoftDeleted), false, "deleted in Entra (restorable)", "deleted in Entra"},
		{"purged", desired.Scope{All: true}, ada, nil, removed(graphsync.Purged), false, "deleted in Entra for good", "deleted in Entra"},
		{"the own assignment is gone", desired.Scope{}, eve, via(graphsync.ID{}), nil, false, "no longer assigned to the application", "assignment of the user removed"},
		{"left the group", desired.Scope{}, eve, via(sales), nil, false, "no longer a member of group Sales", "left group Sales"},
		{"the group lost its assignment", desired.Scope{}, eve, via(unassigned), nil, false,
			"group Unassigned is no longer assigned to the application", "group Unassigned lost its assignment"},
		{"the group was deleted", desired.Scope{}, eve, via(former), nil, false,
			"group Former, which gave the assignment, was deleted", "group Former was deleted"},
	} {
		got := eligibility(t, tenant, tt.scope, tt.user, tt.link, tt.change)
		if got.InScope != tt.in || got.Why != tt.why || got.Cause != tt.cause || got.Problem != "" || !got.Known {
			t.Errorf("%s: %+v, want in scope %v because %q, cause %q", tt.name, got, tt.in, tt.why, tt.cause)
		}
		if wantLeft := strings.HasPrefix(tt.name, "left the"); (got.Left == sales) != wantLeft {
			t.Errorf("%s: left group %s", tt.name, got.Left)
		}
	}
}

// A filter decides; one that cannot judge a value gives a problem and takes no user out of scope.
func TestEligibilityByFilter(t *testing.T) {
	t.Parallel()
	tenant := tenant(t)
	passes := eligibility(t, tenant, desired.Scope{Filter: filter(t, "department", "EQUALS", "Sales")}, ada, nil, nil)
	if !passes.InScope || passes.Problem != "" {
		t.Errorf("one who passes: %+v", passes)
	}
	fails := eligibility(t, tenant, desired.Scope{Filter: filter(t, "department", "EQUALS", "Support")}, ada, nil, nil)
	if fails.InScope || fails.Cause != "left the scoping filter" || !strings.Contains(fails.Why, "department") {
		t.Errorf("one who does not pass: %+v", fails)
	}
	unclear := eligibility(t, tenant, desired.Scope{Filter: filter(t, "department", "GREATER_THAN", "3")}, ada, nil, nil)
	if !unclear.InScope || unclear.Problem == "" {
		t.Errorf("a value that cannot be judged: %+v", unclear)
	}
}

// accountEnabled decides whether a user in scope has a working account. When Graph did not say, neither is known.
func TestEligibilityOfTheDisabled(t *testing.T) {
	t.Parallel()
	tenant := tenant(t)
	for id, want := range map[graphsync.ID]struct {
		active, disabled bool
		cause            string
	}{
		ada: {true, false, ""}, off: {false, true, "disabled in Entra"}, unsaid: {false, false, ""}, null: {false, false, ""},
	} {
		got := eligibility(t, tenant, desired.Scope{All: true}, id, nil, nil)
		if got.Active() != want.active || got.Disabled != want.disabled || got.Cause != want.cause || !got.InScope {
			t.Errorf("user %s: %+v", id, got)
		}
	}
}

// Roles come from confirmed assignments first. A disabled role is left out with a note, and default access
// is no role.
func TestEligibilityRoles(t *testing.T) {
	t.Parallel()
	tenant := tenant(t)
	got := eligibility(t, tenant, desired.Scope{}, ada, nil, nil)
	if len(got.Roles) != 1 || got.Roles[0].Value != "Admin" || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], `"Old role"`) || !got.Via.IsZero() {
		t.Errorf("Ada: %+v", got)
	}
	if got := eligibility(t, tenant, desired.Scope{}, bob, nil, nil); len(got.Roles) != 0 || got.Via != sales || got.Unconfirmed {
		t.Errorf("Bob: %+v", got)
	}
}

// An assignment that the last list lacked for the first time keeps the user in scope, and says so.
func TestEligibilityByUnconfirmedAssignments(t *testing.T) {
	t.Parallel()
	tenant := tenant(t)
	assign(t, tenant, rows[0])
	if got := eligibility(t, tenant, desired.Scope{}, ada, nil, nil); !got.InScope || got.Unconfirmed || len(got.Roles) != 1 {
		t.Errorf("one whose role is confirmed: %+v", got)
	}
	if got := eligibility(t, tenant, desired.Scope{}, bob, nil, nil); !got.InScope || !got.Unconfirmed {
		t.Errorf("one whose assignment is not: %+v", got)
	}
	assign(t, tenant, rows[0])
	if got := eligibility(t, tenant, desired.Scope{}, bob, &state.Link{Via: sales}, nil); got.InScope || got.Cause != "group Sales lost its assignment" {
		t.Errorf("one whose assignment was missing twice: %+v", got)
	}
}

func TestGroupInScope(t *testing.T) {
	t.Parallel()
	tenant := tenant(t)
	assigned := desired.GroupRules{Enabled: true}
	for _, tt := range []struct {
		name  string
		rules desired.GroupRules
		group graphsync.ID
		in    bool
		why   string
	}{
		{"no groups", desired.GroupRules{}, sales, false, "groups are not provisioned"},
		{"assigned", assigned, sales, true, "assigned to the application"},
		{"not assigned", assigned, staff, false, "not assigned to the application"},
		{"deleted", assigned, former, false, "the group was deleted in Entra"},
		{"every group", desired.GroupRules{Enabled: true, All: true}, staff, true, "every group of the tenant is in scope"},
		{"by a filter, though not assigned", desired.GroupRules{Enabled: true, Filter: filter(t, "displayName", "EQUALS", "Staff")}, staff, true, "passes the filter for groups"},
		{"not by the filter, though assigned", desired.GroupRules{Enabled: true, Filter: filter(t, "displayName", "EQUALS", "Staff")}, sales, false, "does not pass the filter for groups: "},
	} {
		err := tenant.View(func(tx *state.Tx) error {
			group, _ := tx.Objects().Get(graphsync.Group, tt.group)
			e := desired.NewEvaluator(&desired.Config{Name: "people", AppID: appID, Groups: tt.rules}, now).In(tx)
			if why, in, problem := e.GroupInScope(&group); in != tt.in || !strings.HasPrefix(why, tt.why) || problem != "" {
				t.Errorf("%s: %q, %v, %q", tt.name, why, in, problem)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
