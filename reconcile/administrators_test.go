package reconcile_test

import (
	"fmt"
	"strings"
	"testing"

	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/mapping"
	"entrasync/target"
)

// administered is a sync that writes the display name as role and knows administrators by it.
func administered(limit guard.Limit, filter string, specs ...mapping.Spec) func(*reconcile.Sync) {
	parsed, err := target.ParseFilter(filter)
	if err != nil {
		panic(err)
	}
	return func(s *reconcile.Sync) {
		mapped(s, []string{"userName"}, append(specs, mapping.Spec{Path: "userName", Expr: "ToLower([userPrincipalName])"})...)
		s.Guard.Administrators, s.Guard.Updates = &parsed, limit
	}
}

var roleFilter = `roles[type eq "app"].value eq "Admin"`

func role(value string) []any { return []any{attributes{"type": "app", "value": value}} }

// The first sync of an application that has administrators already does not take the last of them its
// role: they are counted though they have no links yet.
func TestFirstSyncKeepsTheLastAdministrator(t *testing.T) {
	t.Parallel()
	path := `roles[type eq "app"].value`
	for name, tt := range map[string]struct {
		roles map[string]string // of the accounts that are there; "!" is an inactive one
		wants map[string]string // of the people
		specs []mapping.Spec
		got   string
	}{
		"the only one":          {map[string]string{"ada": "Admin"}, map[string]string{"ada": "User"}, nil, "held by administrator: adopt ada@contoso.example"},
		"one of two":            {map[string]string{"ada": "Admin", "bob": "Admin"}, map[string]string{"ada": "User", "bob": "Admin"}, nil, "2 adopted"},
		"both of two":           {map[string]string{"ada": "Admin", "bob": "Admin"}, map[string]string{"ada": "User", "bob": "User"}, nil, "held by administrator: adopt ada@contoso.example, held by administrator: adopt bob@contoso.example"},
		"the only active one":   {map[string]string{"ada": "Admin", "bob": "!Admin"}, map[string]string{"ada": "User", "bob": "Admin"}, nil, "1 adopted, held by administrator: adopt ada@contoso.example"},
		"and it keeps its role": {map[string]string{"ada": "Admin"}, map[string]string{"ada": "Admin"}, nil, "1 adopted"},
		"a hidden role":         {map[string]string{"ada": "Admin"}, map[string]string{"ada": "User"}, []mapping.Spec{{Path: path, Expr: "[displayName]", Redact: true}}, "held by administrator: adopt ada@contoso.example"},
		"none was one":          {map[string]string{"ada": "User"}, map[string]string{"ada": "Guest"}, nil, "1 adopted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			contoso := s.customer("contoso")
			specs := tt.specs
			if specs == nil {
				specs = []mapping.Spec{{Path: path, Expr: "[displayName]"}}
			}
			contoso.change = administered(guard.Limit{}, roleFilter, specs...)
			for i, who := range []string{"ada", "bob"} {
				if is, there := tt.roles[who]; there {
					id := s.app().account(attributes{"userName": who + "@contoso.example", "roles": role(strings.TrimPrefix(is, "!"))})
					s.app().accounts[id]["active"] = is[0] != '!'
				}
				if wanted, there := tt.wants[who]; there {
					contoso.source.person(i+1, who+"@contoso.example", wanted)
				}
			}
			before := s.app().accounts["1"]["roles"]
			want(t, "first sync", contoso.cycle(), tt.got)
			if got := fmt.Sprint(s.app().accounts["1"]["roles"]); tt.got != "2 adopted" && tt.got != "1 adopted" && got != fmt.Sprint(before) {
				t.Errorf("the role became %s", got)
			}
		})
	}
}

// Taking an account over is a change of it where a role, a name or an address is replaced: the limit
// of updates counts it, also when no user is linked yet.
func TestAdoptionsThatChangeAccounts(t *testing.T) {
	t.Parallel()
	limit := 2
	percent := 50.0
	for name, tt := range map[string]struct {
		limit   guard.Limit
		changed int // of 24 people, whose account has another role
		there   any // the role of their accounts
		held    int
	}{
		"more than the count":         {guard.Limit{Count: &limit}, 3, role("User"), 3},
		"as many as the count":        {guard.Limit{Count: &limit}, 2, role("User"), 0},
		"more than half":              {guard.Limit{Percent: &percent}, 13, role("User"), 13},
		"half":                        {guard.Limit{Percent: &percent}, 12, role("User"), 0},
		"a role where there was none": {guard.Limit{Count: &limit}, 24, nil, 0},
		"no limit":                    {guard.Limit{}, 24, role("User"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			contoso := s.customer("contoso")
			contoso.change = administered(tt.limit, `title eq "x"`, mapping.Spec{Path: `roles[type eq "app"].value`, Expr: "[displayName]"})
			for n := range 24 {
				name := fmt.Sprintf("user%d@contoso.example", n)
				account := attributes{"userName": name, "roles": role("Editor")}
				if n < tt.changed {
					account["roles"] = tt.there
				}
				s.app().account(account)
				contoso.source.person(n+1, name, "Editor")
			}
			report, err := contoso.run(reconcile.Options{Apply: true})
			if err != nil {
				t.Fatal(err)
			}
			if report.Summary.Held != tt.held || report.Summary.Adopt != 24-tt.held {
				t.Errorf("%d adopted and %d held, want %d held", report.Summary.Adopt, report.Summary.Held, tt.held)
			}
			for _, held := range report.Held {
				if change := held.Action.Changes[0]; held.Guard != "updates" || change.Old != "User" || change.New != "Editor" {
					t.Errorf("held by %s: %+v", held.Guard, held.Action.Changes)
				}
			}
		})
	}
}
