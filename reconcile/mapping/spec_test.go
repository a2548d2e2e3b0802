package mapping_test

import (
	"strings"
	"testing"

	"entrasync/reconcile/mapping"
	"entrasync/target"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	table := func(roles ...mapping.MappingRole) mapping.Spec {
		return mapping.Spec{Path: "entitlements", Roles: &mapping.RolesSpec{From: "[department]", Roles: roles}}
	}
	sales := mapping.MappingRole{Name: "Sales", Scopes: []mapping.RoleScope{{Scope: "account", Roles: []string{"Viewer"}}}}
	for _, test := range []struct {
		name   string
		spec   mapping.Spec
		field  string
		column int
		says   string
	}{
		{"path", mapping.Spec{Path: "emails[type eq", Expr: "[mail]"}, "path", 0, ""},
		{"empty path", mapping.Spec{Expr: "[mail]"}, "path", 0, ""},
		{"expression", mapping.Spec{Path: "title", Expr: "ToLower([jobTitle]"}, "expr", 8, "has no )"},
		{"function", mapping.Spec{Path: "title", Expr: `Append(ToLowr([jobTitle]), "x")`}, "expr", 8, "did you mean ToLower?"},
		{"property", mapping.Spec{Path: "title", Expr: "ToLower([jobTitlee])"}, "expr", 9, "did you mean [jobTitle]?"},
		{"property by one letter", mapping.Spec{Path: "title", Expr: "[departement]"}, "expr", 1, "did you mean [department]?"},
		{"an attribute of SCIM as a source", mapping.Spec{Path: "title", Expr: `[emails[type eq "work"].value]`}, "expr", 1, "no property of Graph"},
		{"no expression", mapping.Spec{Path: "title"}, "expr", 0, "empty"},
		{"constant and expression", mapping.Spec{Path: "title", Expr: "[jobTitle]", Constant: true}, "expr", 0, "both"},
		{"constant that is not allowed", mapping.Spec{Path: "userType", Expr: "premium", Allowed: []string{"Premium"}}, "expr", 0, "did you mean Premium?"},
		{"apply", mapping.Spec{Path: "title", Expr: "[jobTitle]", Apply: "creat"}, "apply", 0, "did you mean create?"},
		{"on_null", mapping.Spec{Path: "title", Expr: "[jobTitle]", OnNull: "empty"}, "on_null", 0, "keep, clear, default"},
		{"owner", mapping.Spec{Path: "title", Expr: "[jobTitle]", Owner: "Login"}, "owner", 0, "did you mean login?"},
		{"on_null that takes the default away", mapping.Spec{Path: "title", Expr: "[jobTitle]", OnNull: "clear", Default: "x"}, "on_null", 0, "as soon as it was written"},
		{"on_null without default", mapping.Spec{Path: "title", Expr: "[jobTitle]", OnNull: "default"}, "on_null", 0, "no default"},
		{"default that is not allowed", mapping.Spec{Path: "title", Expr: "[jobTitle]", Default: "x", Allowed: []string{"a", "b"}}, "default", 0, "allowed are a, b"},
		{"alias of itself", mapping.Spec{Path: "title", Expr: "[jobTitle]", Aliases: map[string]string{"a": "a"}}, "aliases", 0, "itself"},
		{"chained aliases", mapping.Spec{Path: "title", Expr: "[jobTitle]", Aliases: map[string]string{"a": "b", "b": "c"}}, "aliases", 0, "alias too"},
		{"alias of nothing", mapping.Spec{Path: "title", Expr: "[jobTitle]", Aliases: map[string]string{"a": "b"}, Allowed: []string{"c"}}, "aliases", 0, "neither"},
		{"priority of a list", mapping.Spec{Path: "x", Expr: "[otherMails]", Multi: true, Priority: []string{"a"}}, "priority", 0, "multi"},
		{"no mapping role", table(), "roles", 0, "no mapping role"},
		{"a scope twice", table(mapping.MappingRole{Name: "Sales", Scopes: []mapping.RoleScope{
			{Scope: "account", Roles: []string{"Viewer"}}, {Scope: " Account", Roles: []string{"Editor"}}}}), "roles", 0, "twice"},
		{"a role twice", table(sales, sales), "roles", 0, "there twice"},
		{"no scope", table(mapping.MappingRole{Name: "Sales"}), "roles", 0, "no scope"},
		{"no role", table(mapping.MappingRole{Name: "Sales", Scopes: []mapping.RoleScope{{Scope: "account"}}}), "roles", 0, "no role"},
		{"no scope id", table(mapping.MappingRole{Name: "Sales", Scopes: []mapping.RoleScope{{Scope: "project:", Roles: []string{"x"}}}}), "roles", 0, "project:emea"},
		{"policy", mapping.Spec{Path: "entitlements", Roles: &mapping.RolesSpec{From: "[department]", NoValue: "ignore", Roles: []mapping.MappingRole{sales}}}, "no_value", 0, "error, skip, keep"},
		{"source", mapping.Spec{Path: "entitlements", Roles: &mapping.RolesSpec{From: "[department", Roles: []mapping.MappingRole{sales}}}, "from", 1, "no ]"},
		{"random source", mapping.Spec{Path: "entitlements", Roles: &mapping.RolesSpec{From: "Guid()", Roles: []mapping.MappingRole{sales}}}, "from", 0, "every cycle"},
	} {
		m, faults := mapping.New(target.User, []mapping.Spec{test.spec})
		if m != nil || len(faults) != 1 {
			t.Errorf("%s: got %v and %v", test.name, m, faults)
			continue
		}
		f := faults[0]
		if f.Path != test.spec.Path || f.Field != test.field || f.Column != test.column || !strings.Contains(f.Message, test.says) {
			t.Errorf("%s: got %+v, want %s at %d with %q", test.name, f, test.field, test.column, test.says)
		}
	}
}

func TestEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	_, faults := mapping.New(target.User, []mapping.Spec{
		{Path: "title", Expr: "[jobTitle", Apply: "never", Owner: "x", OnNull: "y"}, {Path: "userName", Expr: "[mail]"}, {Path: "USERNAME", Expr: "[userPrincipalName]"},
	})
	var fields []string
	for _, f := range faults {
		fields = append(fields, f.Field)
	}
	if got := strings.Join(fields, " "); got != "apply expr on_null owner path" {
		t.Errorf("got faults in %s", got)
	}
}

func TestMappingTellsAboutItself(t *testing.T) {
	t.Parallel()
	m := compiled(t,
		mapping.Spec{Path: "userName", Expr: "ToLower([userPrincipalName])"}, mapping.Spec{Path: "nickName", Expr: "RandomString(6, 1, 1, 1, 1)"},
		mapping.Spec{Path: "title", Expr: `IIF(DateDiff("d", Now(), CDate([employeeHireDate])) > 0, "Joiner", [jobTitle])`},
		mapping.Spec{Path: "userType", Expr: "Standard"}, mapping.Spec{Path: "externalId", Expr: "[objectId]", Apply: "create"},
		mapping.Spec{Path: "entitlements", Roles: &mapping.RolesSpec{From: "[department]", Roles: []mapping.MappingRole{
			{Name: "Sales", Scopes: []mapping.RoleScope{{Scope: "account", Roles: []string{"Viewer"}}}}}}})
	if got := strings.Join(m.Sources(), " "); got != "department employeeHireDate jobTitle objectId userPrincipalName" {
		t.Errorf("sources %s", got)
	}
	if !m.ReadsClock() {
		t.Error("the mapping reads the clock")
	}
	warned := ""
	for _, w := range m.Warnings() {
		warned += w.Error() + "\n"
	}
	if !strings.Contains(warned, "nickName: apply: the value would be another one in every cycle") {
		t.Errorf("warnings:\n%s", warned)
	}
	for _, a := range m.Attributes() {
		once := map[string]bool{"nickName": true, "externalId": true}[a.Path.String()]
		if a.OnCreateOnly() != once {
			t.Errorf("%s: on create only %v", a.Path, a.OnCreateOnly())
		}
	}
}

// App roles as texts cannot be written where SCIM has objects.
func TestRoleTextsForObjects(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"roles", "entitlements", "Roles"} {
		_, faults := mapping.New(target.User, []mapping.Spec{{Path: path, Expr: "AppRoleAssignments([appRoleAssignments])"}})
		if len(faults) != 1 || faults[0].Field != "expr" || !strings.Contains(faults[0].Message, "use AppRoleAssignmentsComplex") {
			t.Errorf("%s: %v", path, faults)
		}
	}
	for _, path := range []string{"urn:acme:User:roleNames", "roles.value", "nickName"} {
		if _, faults := mapping.New(target.User, []mapping.Spec{{Path: path, Expr: "AppRoleAssignments([appRoleAssignments])", Multi: true}}); len(faults) != 0 {
			t.Errorf("%s: %v", path, faults)
		}
	}
}

// A text cannot be written where SCIM has objects: a warning names the path to a value.
func TestTextsForObjects(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"emails": `emails[type eq "work"].value`, "phoneNumbers": `phoneNumbers[type eq "work"].value`, "roles": `roles[primary eq "True"].value`,
		`emails[type eq "work"].value`: "", "title": "", "urn:acme:User:emails": "",
	} {
		warnings := compiled(t, mapping.Spec{Path: path, Expr: "[mail]"}).Warnings()
		switch {
		case want == "" && len(warnings) != 0, want != "" && len(warnings) != 1:
			t.Errorf("%s: %v", path, warnings)
		case want != "" && !strings.HasSuffix(warnings[0].Message, "such as "+want):
			t.Errorf("%s: %s", path, warnings[0].Message)
		}
	}
	if w := compiled(t, mapping.Spec{Path: "roles", Expr: "AppRoleAssignmentsComplex([appRoleAssignments])"}).Warnings(); len(w) != 0 {
		t.Errorf("roles as objects: %v", w)
	}
}
