package mapping_test

import (
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile/mapping"
	"entrasync/target"
)

func TestRoleWarnings(t *testing.T) {
	t.Parallel()
	roles := []graphsync.AppRole{{Value: "Editor", Enabled: true}, {Value: "Viewer", Enabled: true}, {Value: "Owner"}, {ID: graphsync.ID{1}, Name: "Guests", Enabled: true}}
	for name, c := range map[string]struct {
		spec mapping.Spec
		want []string
	}{
		"all there":     {mapping.Spec{Allowed: []string{"Editor", "Viewer", "Guests"}}, nil},
		"one letter":    {mapping.Spec{Allowed: []string{"Editr", "Viewer", "Guests"}}, []string{"app role Editor are skipped", `allowed of userType names "Editr", which is no enabled app role of the application; did you mean Editor?`}},
		"not allowed":   {mapping.Spec{Allowed: []string{"Editor", "Viewer"}}, []string{"app role Guests are skipped"}},
		"a default":     {mapping.Spec{Allowed: []string{"Editor", "Viewer", "Guests", "Standard"}, Default: "Standard"}, nil},
		"an alias":      {mapping.Spec{Allowed: []string{"E", "Viewer", "Guests"}, Aliases: map[string]string{"Editor": "E"}}, nil},
		"alias misread": {mapping.Spec{Aliases: map[string]string{"Vewer": "V"}}, []string{`aliases of userType names "Vewer", which is no enabled app role of the application; did you mean Viewer?`}},
		"priority":      {mapping.Spec{Priority: []string{"Editor", "Veiwer", "Owner"}}, []string{"did you mean Viewer?", `priority of userType names what is no enabled app role of the application: "Owner"`}},
		"other source":  {mapping.Spec{Expr: `Append([jobTitle], SingleAppRoleAssignment([appRoleAssignments]))`, Allowed: []string{"x"}}, nil},
		"mapping roles": {mapping.Spec{Path: "entitlements", Roles: &mapping.RolesSpec{From: "SingleAppRoleAssignment([appRoleAssignments])", Roles: []mapping.MappingRole{{Name: "Edtor", Scopes: []mapping.RoleScope{{Scope: "account", Roles: []string{"a"}}}}}}},
			[]string{"app role Editor are skipped", "app role Viewer are skipped", "app role Guests are skipped", `mapping_roles of entitlements names "Edtor", which is no enabled app role of the application; did you mean Editor?`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.spec.Path == "" {
				c.spec.Path = "userType"
			}
			if c.spec.Expr == "" && c.spec.Roles == nil {
				c.spec.Expr = "SingleAppRoleAssignment([appRoleAssignments])"
			}
			m, faults := mapping.New(target.User, []mapping.Spec{c.spec})
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			got := m.Attributes()[0].RoleWarnings(roles)
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			for i := range got {
				if !strings.Contains(got[i], c.want[i]) {
					t.Errorf("got %q, want %q in it", got[i], c.want[i])
				}
			}
		})
	}
}
