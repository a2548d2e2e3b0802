package mapping_test

import (
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile/mapping"
	"entrasync/target"
)

func TestValueWarnings(t *testing.T) {
	t.Parallel()
	roles := []graphsync.AppRole{{Value: "Admin", Enabled: true}, {Value: "Editor", Enabled: true}, {Value: "Owner"}}
	canonical := map[string]target.CanonicalValues{
		"userType":                       {Values: []string{"Premium", "Standard"}, CaseExact: true},
		"title":                          {Values: []string{"Premium", "Standard"}},
		`roles[primary eq "True"].value`: {Values: []string{"Admin", "Reader"}},
		"roles.value":                    {Values: []string{"Admin", "Reader"}},
		"entitlements.type":              {Values: []string{"account", "project:emea"}},
		"entitlements.value":             {Values: []string{"Viewer", "Editor"}},
	}
	const single, complex = "SingleAppRoleAssignment([appRoleAssignments])", "AppRoleAssignmentsComplex([appRoleAssignments])"
	for name, c := range map[string]struct {
		spec mapping.Spec
		want []string
	}{
		"a constant":             {mapping.Spec{Expr: "Premum"}, []string{`userType has the value "Premum" (expr), but the target's schemas name Premium, Standard; did you mean Premium?`}},
		"a typed constant":       {mapping.Spec{Constant: "premium"}, []string{"did you mean Premium?"}},
		"in any case":            {mapping.Spec{Path: "title", Constant: "premium"}, nil},
		"a default":              {mapping.Spec{Expr: "[companyName]", Default: "Standrad"}, []string{`"Standrad" (default)`}},
		"allowed":                {mapping.Spec{Expr: "[companyName]", Allowed: []string{"Premium", "Gold"}}, []string{`"Gold" (allowed)`}},
		"once":                   {mapping.Spec{Expr: "[companyName]", Allowed: []string{"Standrad"}, Default: "Standrad"}, []string{`"Standrad" (allowed, default)`}},
		"results":                {mapping.Spec{Expr: `IIF([department] = "Sales", "Premium", Switch([country], "Standart", "DE", "Premum", "FR", "Standard"))`}, []string{`"Standart"`, `"Premum"`}},
		"what is not known":      {mapping.Spec{Expr: `Append([department], "x")`}, nil},
		"no canonical value":     {mapping.Spec{Path: "nickName", Constant: "x"}, nil},
		"a role":                 {mapping.Spec{Path: `roles[primary eq "True"].value`, Expr: single}, []string{`"Editor" (app role Editor), but the target's schemas name Admin, Reader`}},
		"roles as objects":       {mapping.Spec{Path: "roles", Multi: true, Expr: complex}, []string{`roles.value has the value "Editor" (app role Editor)`}},
		"a role that is skipped": {mapping.Spec{Path: `roles[primary eq "True"].value`, Expr: single, Allowed: []string{"Admin"}}, nil},
		"mapping roles": {mapping.Spec{Path: "entitlements", Roles: &mapping.RolesSpec{From: "[department]", Roles: []mapping.MappingRole{
			{Name: "Sales", Scopes: []mapping.RoleScope{{Scope: "acount", Roles: []string{"Viewer", "Edtor"}}}}}}},
			[]string{`entitlements.type has the value "acount" (mapping_roles)`, `entitlements.value has the value "Edtor" (mapping_roles), but the target's schemas name Viewer, Editor; did you mean Editor?`}},
		"hidden": {mapping.Spec{Expr: "[companyName]", Default: "Standrad", Redact: true}, []string{`userType has the value "[Redact]" (default)`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.spec.Path == "" {
				c.spec.Path = "userType"
			}
			m, faults := mapping.New(target.User, []mapping.Spec{c.spec})
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			got := m.Attributes()[0].ValueWarnings(canonical, roles)
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(strings.Join(got, "\n"), want) {
					t.Errorf("got %q, want %q in it", got, want)
				}
			}
		})
	}
}
