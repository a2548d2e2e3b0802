package mapping_test

import (
	"fmt"
	"strings"
	"testing"

	"entrasync/reconcile/mapping"

	"github.com/google/go-cmp/cmp"
)

// user makes a source out of names and values.
func user(pairs ...any) *mapping.Env {
	record := mapping.Record{}
	for i := 0; i < len(pairs); i += 2 {
		record[pairs[i].(string)] = mapping.FromAny(pairs[i+1])
	}
	return &mapping.Env{Source: record}
}

// show prints what one attribute came to: a value, keep, clear, or a problem's code.
func show(m *mapping.Mapping, env *mapping.Env, creating bool) string {
	r := m.Evaluate(env, creating)
	switch {
	case r.Problem != nil:
		return r.Problem.Code + ": " + r.Problem.Message
	case r.IgnoreObject:
		return "ignore: " + strings.Join(r.Notes, "; ")
	}
	switch d := r.Attributes[0]; d.Do {
	case mapping.Keep:
		return "keep"
	case mapping.Clear:
		return "clear"
	default:
		return fmt.Sprintf("%T %v", d.Value, d.Value)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	plain := mapping.Spec{Path: "title", Expr: "[jobTitle]"}
	with := func(change func(*mapping.Spec)) mapping.Spec { s := plain; change(&s); return s }
	required := with(func(s *mapping.Spec) { s.Required = true })
	fallback := with(func(s *mapping.Spec) { s.Default = "Staff" })
	cleared := with(func(s *mapping.Spec) { s.OnNull = "clear" })
	always := with(func(s *mapping.Spec) { s.Default, s.OnNull = "Staff", "default" })
	requiredDefault := with(func(s *mapping.Spec) { s.Default, s.Required = "Staff", true })
	create := with(func(s *mapping.Spec) { s.Apply = "create" })
	login := with(func(s *mapping.Spec) { s.Owner, s.Default, s.Required = "login", "Standard User", true })
	allowed := with(func(s *mapping.Spec) {
		s.Allowed, s.Aliases = []string{"SuperUser", "GeneralUser"}, map[string]string{"BasicUser": "GeneralUser"}
	})
	multi := with(func(s *mapping.Spec) {
		s.Path, s.Expr, s.Multi = "urn:x:2.0:User:folders", `Split([jobTitle], ",")`, true
	})
	single := with(func(s *mapping.Spec) { s.Expr = `Split([jobTitle], ",")` })
	chosen := with(func(s *mapping.Spec) { s.Expr, s.Priority = `Split([jobTitle], ",")`, []string{"a", "b"} })
	secret := with(func(s *mapping.Spec) { s.Redact, s.Allowed = true, []string{"b"} })

	for _, test := range []struct {
		name             string
		spec             mapping.Spec
		env              *mapping.Env
		creating, update string
	}{
		{"a value", plain, user("jobTitle", "CTO"), "string CTO", "string CTO"},
		{"null", plain, user(), "keep", "keep"},
		{"empty text counts as null", plain, user("jobTitle", ""), "keep", "keep"},
		{"required", required, user(), "required_missing: title is required and jobTitle is empty", "required_missing: title is required and jobTitle is empty"},
		{"default at creation only", fallback, user(), "string Staff", "keep"},
		{"default on null", always, user(), "string Staff", "string Staff"},
		{"default gives way", always, user("jobTitle", "CTO"), "string CTO", "string CTO"},
		{"required with a default", requiredDefault, user(), "string Staff", "keep"},
		{"clear", cleared, user(), "keep", "clear"},
		{"apply create", create, user("jobTitle", "CTO"), "string CTO", "keep"},
		{"owner login", login, user(), "string Standard User", "keep"},
		{"owner login leaves the role alone", login, user("jobTitle", "CTO"), "string CTO", "keep"},
		{"allowed", allowed, user("jobTitle", "SuperUser"), "string SuperUser", "string SuperUser"},
		{"allowed as an alias", allowed, user("jobTitle", "BasicUser"), "string BasicUser", "string BasicUser"},
		{"near miss", allowed, user("jobTitle", "superuser"), "value_not_allowed: title: the value superuser is not allowed; did you mean SuperUser?",
			"value_not_allowed: title: the value superuser is not allowed; did you mean SuperUser?"},
		{"far miss", allowed, user("jobTitle", "Boss"), "value_not_allowed: title: the value Boss is not allowed; allowed are SuperUser, GeneralUser",
			"value_not_allowed: title: the value Boss is not allowed; allowed are SuperUser, GeneralUser"},
		{"multi", multi, user("jobTitle", "Folder 1, ,Folder 2,Folder 1"), "[]interface {} [Folder 1 Folder 2]", "[]interface {} [Folder 1 Folder 2]"},
		{"multi of nothing", multi, user("jobTitle", " , "), "keep", "keep"},
		{"a list into one value", single, user("jobTitle", "a,b"), "several_values: title: the expression yields a list (a, b) and the attribute takes one value; use Item or Join, give priority, or set multi: true",
			"several_values: title: the expression yields a list (a, b) and the attribute takes one value; use Item or Join, give priority, or set multi: true"},
		{"priority chooses", chosen, user("jobTitle", "c,b,a"), "string a", "string a"},
		{"priority knows none", chosen, user("jobTitle", "c,d"), "several_values: title: it has the values c, d and priority names none of them", "several_values: title: it has the values c, d and priority names none of them"},
		{"redacted", secret, user("jobTitle", "top secret"), "value_not_allowed: title: the value [Redact] is not allowed; allowed are b", "value_not_allowed: title: the value [Redact] is not allowed; allowed are b"},
		{"failing", with(func(s *mapping.Spec) { s.Expr = "CDate([jobTitle])" }), user("jobTitle", "soon"),
			`expression_error: title: "soon" is not a date such as 2025-12-31, 2025-12-31T23:59:59Z or 12/31/2025 11:59:59 PM`,
			`expression_error: title: "soon" is not a date such as 2025-12-31, 2025-12-31T23:59:59Z or 12/31/2025 11:59:59 PM`},
		{"failing at creation only", with(func(s *mapping.Spec) { s.Expr, s.Apply = `Error("no")`, "create" }), user(), "expression_error: title: no", "keep"},
		{"ignored attribute", with(func(s *mapping.Spec) {
			s.Expr, s.Default, s.OnNull = "IgnoreFlowIfNullOrEmpty([jobTitle])", "x", "default"
		}), user(), "keep", "keep"},
		{"ignored object", with(func(s *mapping.Spec) { s.Expr = `IIF([jobTitle] = "x", IgnoreObjectFlow, "y")` }), user("jobTitle", "x"),
			"ignore: the expression of title says to ignore this object", "ignore: the expression of title says to ignore this object"},
		{"random once", with(func(s *mapping.Spec) { s.Expr = "RandomString(3, 3, 0, 0, 0, \"123456789\")" }), user(), "string 000", "keep"},
		{"several app roles", with(func(s *mapping.Spec) { s.Expr = "SingleAppRoleAssignment([r])" }), user("r", []any{"Admin", "User"}),
			"ambiguous_roles: title: the user has 2 app roles where one is expected: Admin, User (list the roles under priority, the one that should win first)",
			"ambiguous_roles: title: the user has 2 app roles where one is expected: Admin, User (list the roles under priority, the one that should win first)"},
		{"several app roles with priority", with(func(s *mapping.Spec) { s.Expr, s.Priority = "SingleAppRoleAssignment([r])", []string{"User"} }), user("r", []any{"Admin", "User"}), "string User", "string User"},
		{"a boolean", mapping.Spec{Path: "active", Expr: `Switch([off], , "False", "True", "True", "False")`}, user("off", false), "bool true", "bool true"},
		{"a boolean by Not", mapping.Spec{Path: "active", Expr: `Not([off])`}, user("off", true), "bool false", "bool false"},
		{"a constant", mapping.Spec{Path: "title", Expr: "Acme Corp"}, user(), "string Acme Corp", "string Acme Corp"},
		{"a constant in quotes", mapping.Spec{Path: "title", Expr: `"Acme (UK)"`}, user(), "string Acme (UK)", "string Acme (UK)"},
		{"a constant of JSON", mapping.Spec{Path: "active", Constant: true}, user(), "bool true", "bool true"},
		{"a number", mapping.Spec{Path: "x", Expr: "Count([jobTitle])"}, user("jobTitle", "x"), "int64 1", "int64 1"},
		{"a date", mapping.Spec{Path: "x", Expr: "CDate([jobTitle])"}, user("jobTitle", "2021-01-02"), "string 1/2/2021 12:00:00 AM", "string 1/2/2021 12:00:00 AM"},
		{"roles", mapping.Spec{Path: "roles", Expr: "AppRoleAssignmentsComplex([r])"}, user("r", []any{"Admin"}),
			"[]interface {} [map[display:Admin primary:false type:WindowsAzureActiveDirectoryRole value:Admin]]",
			"[]interface {} [map[display:Admin primary:false type:WindowsAzureActiveDirectoryRole value:Admin]]"},
	} {
		m := compiled(t, test.spec)
		if got := show(m, test.env, true); got != test.creating {
			t.Errorf("%s, creating: got %s, want %s", test.name, got, test.creating)
		}
		if got := show(m, test.env, false); got != test.update {
			t.Errorf("%s, updating: got %s, want %s", test.name, got, test.update)
		}
	}
}

func TestEveryProblemIsNamed(t *testing.T) {
	t.Parallel()
	m := compiled(t, mapping.Spec{Path: "name.givenName", Expr: "[givenName]", Required: true}, mapping.Spec{Path: "name.familyName", Expr: "[surname]", Required: true})
	p := m.Evaluate(user(), true).Problem
	if p == nil || p.Code != mapping.RequiredMissing || p.Attribute != "name.givenName" ||
		p.Message != "name.givenName is required and givenName is empty; name.familyName is required and surname is empty" {
		t.Errorf("got %+v", p)
	}
}

func TestMappingRoles(t *testing.T) {
	t.Parallel()
	table := func(change func(*mapping.RolesSpec)) *mapping.Mapping {
		spec := mapping.RolesSpec{From: "[department]", Roles: []mapping.MappingRole{
			{Name: "Sales", Scopes: []mapping.RoleScope{{Scope: "project:emea", Roles: []string{"Editor", "Analyst"}}, {Scope: "account", Roles: []string{"Viewer"}}}},
			{Name: "IT", Scopes: []mapping.RoleScope{{Scope: "account", Roles: []string{"Admin", "Viewer"}}}},
		}}
		change(&spec)
		return compiled(t, mapping.Spec{Path: "entitlements", Roles: &spec})
	}
	const (
		sales = "[]interface {} [map[type:account value:Viewer] map[type:project:emea value:Analyst] map[type:project:emea value:Editor]]"
		it    = "[]interface {} [map[type:account value:Admin] map[type:account value:Viewer]]"
		both  = "[]interface {} [map[type:account value:Admin] map[type:account value:Viewer] map[type:project:emea value:Analyst] map[type:project:emea value:Editor]]"
	)
	two := user("department", []any{"IT", "Sales", "Other"})
	for _, test := range []struct {
		name   string
		change func(*mapping.RolesSpec)
		env    *mapping.Env
		want   string
	}{
		{"by its exact name", func(*mapping.RolesSpec) {}, user("department", "Sales"), sales},
		{"another case is no match", func(*mapping.RolesSpec) {}, user("department", "sales"), "role_unknown: entitlements: there is no mapping role sales; did you mean Sales?"},
		{"no value", func(*mapping.RolesSpec) {}, user(), "role_missing: entitlements: no mapping role can be chosen: department is empty"},
		{"no value, skip", func(s *mapping.RolesSpec) { s.NoValue = "skip" }, user(), "ignore: entitlements: no mapping role can be chosen: department is empty"},
		{"no value, keep", func(s *mapping.RolesSpec) { s.NoValue = "keep" }, user(), "keep"},
		{"no match, skip", func(s *mapping.RolesSpec) { s.NoMatch = "skip" }, user("department", "x"), "ignore: entitlements: there is no mapping role x"},
		{"no match, keep", func(s *mapping.RolesSpec) { s.NoMatch = "keep" }, user("department", "x"), "keep"},
		{"several is an error unless declared", func(*mapping.RolesSpec) {}, two, "ambiguous_roles: entitlements: the values name several mapping roles: Sales, IT (set several to union or first)"},
		{"union", func(s *mapping.RolesSpec) { s.Several = "union" }, two, both},
		{"first", func(s *mapping.RolesSpec) { s.Several = "first" }, two, sales},
		{"a constant", func(s *mapping.RolesSpec) { s.From = "IT" }, user(), it},
		{"an expression", func(s *mapping.RolesSpec) { s.From = `Switch([department], "Sales", "ops", "IT")` }, user("department", "ops"), it},
		{"one of several values matches", func(*mapping.RolesSpec) {}, user("department", []any{"Other", "IT", "IT"}), it},
		{"failing", func(s *mapping.RolesSpec) { s.From = `Error("x" & [department])` }, user(), "expression_error: entitlements: x"},
	} {
		if got := show(table(test.change), test.env, false); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestAttributeExplains(t *testing.T) {
	t.Parallel()
	m := compiled(t, mapping.Spec{Path: "title", Expr: "SingleAppRoleAssignment([r])", Priority: []string{"User"}})
	a := m.Attributes()[0]
	if a.Expression() != "SingleAppRoleAssignment([r])" {
		t.Errorf("expression %s", a.Expression())
	}
	hidden := compiled(t, mapping.Spec{Path: "title", Expr: "ToLower([x])", Redact: true}).Attributes()[0]
	for _, step := range hidden.Explain(user("x", "Secret")) {
		if step.Value.Shown() != "[Redact]" {
			t.Errorf("%s shows %s", step.Text, step.Value.Shown())
		}
	}
	steps := a.Explain(user("r", []any{"Admin", "User"}))
	if len(steps) != 2 || steps[0].Value.Text() != "User" || steps[1].Value.Text() != "Admin; User" {
		t.Errorf("steps %+v", steps)
	}
}

func TestGraphNames(t *testing.T) {
	t.Parallel()
	raw := map[string]string{
		"id": `"1"`, "userPrincipalName": `"ada_x.example#EXT#@contoso.onmicrosoft.com"`, "businessPhones": `["1","2"]`, "officeLocation": `"L"`, "faxNumber": `"F"`, "mobilePhone": `"M"`,
		"onPremisesExtensionAttributes": `{"extensionAttribute1":"E1","extensionAttribute2":null}`, "extension_abc_x": `"X"`, "employeeOrgData": `{"division":"D"}`, "broken": `{`,
	}
	for name, want := range map[string]struct {
		property string
		computed bool
		value    any
	}{
		"objectId": {"id", false, "1"}, "mobile": {"mobilePhone", false, "M"}, "telephoneNumber": {"businessPhones", false, "1"}, "physicalDeliveryOfficeName": {"officeLocation", false, "L"},
		"facsimileTelephoneNumber": {"faxNumber", false, "F"}, "extensionAttribute1": {"onPremisesExtensionAttributes", false, "E1"}, "extensionAttribute2": {"onPremisesExtensionAttributes", false, nil},
		"extension_abc_x": {"extension_abc_x", false, "X"}, "employeeOrgData.division": {"employeeOrgData", false, "D"}, "businessPhones": {"businessPhones", false, []any{"1", "2"}},
		"userPrincipalName": {"userPrincipalName", false, "ada@x.example"}, "originalUserPrincipalName": {"userPrincipalName", false, "ada_x.example#EXT#@contoso.onmicrosoft.com"},
		"IsSoftDeleted": {"", true, nil}, "appRoleAssignments": {"", true, nil}, "memberOf": {"", true, nil}, "tenantId": {"", true, nil}, "broken": {"broken", false, nil}, "none": {"none", false, nil},
	} {
		property, computed := mapping.GraphProperty(name)
		if property != want.property || computed != want.computed {
			t.Errorf("%s: property %q, computed %v", name, property, computed)
		}
		v := mapping.GraphValue(name, 1, func(p string) []byte { return []byte(raw[p]) })
		if diff := cmp.Diff(want.value, v.Any()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for upn, want := range map[string]string{
		"ada@contoso.example": "ada@contoso.example", "a_b_x.example#EXT#@c": "a_b@x.example", "_x#EXT#@c": "_x", "x_#EXT#@c": "x_", "plain#EXT#@c": "plain",
	} {
		if got := mapping.GuestName(upn); got != want {
			t.Errorf("%s: got %s, want %s", upn, got, want)
		}
	}
}
