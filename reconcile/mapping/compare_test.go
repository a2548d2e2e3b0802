package mapping_test

import (
	"encoding/json"
	"testing"

	"entrasync/reconcile/mapping"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEqual(t *testing.T) {
	t.Parallel()
	role := map[string]any{"type": "account", "value": "Viewer"}
	for _, test := range []struct {
		spec      mapping.Spec
		want, got any
		equal     bool
	}{
		{mapping.Spec{Path: "title"}, "CTO", "CTO", true}, {mapping.Spec{Path: "title"}, "CTO", "cto", false}, {mapping.Spec{Path: "title"}, nil, "", true}, {mapping.Spec{Path: "title"}, "", []any{}, true},
		{mapping.Spec{Path: "title"}, "x", nil, false}, {mapping.Spec{Path: "active"}, true, "True", true}, {mapping.Spec{Path: "active"}, false, "False", true}, {mapping.Spec{Path: "active"}, true, false, false},
		{mapping.Spec{Path: "x"}, int64(5), "5", true}, {mapping.Spec{Path: "x"}, "5", 5.0, true}, {mapping.Spec{Path: "x"}, int64(5), 5.0, true}, {mapping.Spec{Path: "x"}, "07", 7.0, false},
		{mapping.Spec{Path: "x"}, int64(5), json.Number("5"), true}, {mapping.Spec{Path: "userName"}, "Ada@x.example", "ada@X.example", true},
		{mapping.Spec{Path: `emails[type eq "work"].value`}, "Ada@x.example", "ada@x.example", true}, {mapping.Spec{Path: "externalId"}, "A", "a", false},
		{mapping.Spec{Path: "x", Multi: true}, []any{"a", "b"}, []any{"b", "a", "b"}, true}, {mapping.Spec{Path: "x", Multi: true}, []any{"a"}, "a", true}, {mapping.Spec{Path: "x", Multi: true}, []any{"a"}, []any{"a", "b"}, false},
		{mapping.Spec{Path: "x", Aliases: map[string]string{"BasicUser": "GeneralUser"}}, "BasicUser", "GeneralUser", true},
		{mapping.Spec{Path: "x", Aliases: map[string]string{"BasicUser": "GeneralUser"}}, "GeneralUser", "BasicUser", true},
		{mapping.Spec{Path: "x", Aliases: map[string]string{"BasicUser": "GeneralUser"}}, "GeneralUser", "SuperUser", false},
		{mapping.Spec{Path: "entitlements"}, []any{role}, []any{map[string]any{"value": "Viewer", "type": "account", "primary": false}}, true},
		{mapping.Spec{Path: "entitlements"}, []any{role}, []any{map[string]any{"value": "Editor", "type": "account"}}, false},
	} {
		test.spec.Expr = "[mail]"
		a := compiled(t, test.spec).Attributes()[0]
		if got := a.Equal(test.want, test.got); got != test.equal {
			t.Errorf("%s: %#v and %#v: %v", test.spec.Path, test.want, test.got, got)
		}
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	a := compiled(t, mapping.Spec{Path: "x", Expr: "[mail]", Multi: true, Aliases: map[string]string{"b": "B"}}).Attributes()[0]
	for _, test := range []struct{ in, want any }{
		{nil, nil}, {"", nil}, {[]any{}, nil}, {[]any{"", nil}, nil}, {"a", []any{"a"}}, {[]any{"c", "a", "b", "a"}, []any{"B", "a", "c"}}, {[]string{"b"}, []any{"B"}}, {[]any{2.0, 1}, []any{int64(1), int64(2)}},
		{[]any{map[string]any{"value": "b", "n": nil, "empty": ""}}, []any{map[string]any{"value": "b"}}},
	} {
		if diff := cmp.Diff(test.want, a.Canonical(test.in)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.in, diff)
		}
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	m := compiled(t,
		mapping.Spec{Path: "title", Expr: "[jobTitle]", OnNull: "clear"}, mapping.Spec{Path: "nickName", Expr: "[mailNickname]", Apply: "create"},
		mapping.Spec{Path: "userType", Expr: "[companyName]", Redact: true}, mapping.Spec{Path: "displayName", Expr: "[displayName]"})
	list := func(held map[string]any, creating bool, env *mapping.Env) map[string][2]any {
		out := map[string][2]any{}
		for _, c := range m.Changes(m.Evaluate(env, creating).Attributes, func(path string) (any, bool) { v, ok := held[path]; return v, ok }, creating) {
			old, new := c.Shown()
			out[c.Attribute.Path.String()] = [2]any{old, new}
		}
		return out
	}
	full := user("jobTitle", "CTO", "mailNickname", "ada", "companyName", "Secret", "displayName", "Ada")
	for name, test := range map[string]struct {
		held     map[string]any
		creating bool
		env      *mapping.Env
		want     map[string][2]any
	}{
		"creation":         {nil, true, full, map[string][2]any{"title": {nil, "CTO"}, "nickName": {nil, "ada"}, "userType": {nil, "[Redact]"}, "displayName": {nil, "Ada"}}},
		"nothing changed":  {map[string]any{"title": "CTO", "userType": "Secret", "displayName": "Ada"}, false, full, map[string][2]any{}},
		"changed":          {map[string]any{"title": "CEO", "userType": "Old", "displayName": "Ada", "nickName": "x"}, false, full, map[string][2]any{"title": {"CEO", "CTO"}, "userType": {"[Redact]", "[Redact]"}}},
		"source gone":      {map[string]any{"title": "CTO", "displayName": "Ada"}, false, user(), map[string][2]any{"title": {"CTO", nil}}},
		"nothing to clear": {map[string]any{"title": ""}, false, user(), map[string][2]any{}},
		"adopted":          {map[string]any{}, false, full, map[string][2]any{"title": {nil, "CTO"}, "userType": {nil, "[Redact]"}, "displayName": {nil, "Ada"}}},
	} {
		if diff := cmp.Diff(test.want, list(test.held, test.creating, test.env)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestAppliedThenNothing: whatever the mapping and the user, once the changes are written to an
// account, or their canonical form is kept as JSON, the same user gives no change.
func TestAppliedThenNothing(t *testing.T) {
	t.Parallel()
	paths := []string{"title", "active", "userName", "externalId", "name.givenName", `emails[type eq "work"].value`, `phoneNumbers[type eq "mobile"].value`, `roles[primary eq "True"].value`,
		"roles", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "urn:ietf:params:scim:schemas:extension:2.0:CustomExtensionName:folders"}
	exprs := []string{"[a]", "[b]", "Constant", "ToLower([a])", `Split([a], ",")`, `Join(",", [a], [b])`, "Not([flag])", "Count([b])", "[list]", "AppRoleAssignmentsComplex([list])",
		"SingleAppRoleAssignment([list])", "RandomString(5, 1, 1, 1, 1)", "IgnoreFlowIfNullOrEmpty([a])", "CDate([a])", "Redact([a])"}
	values := []any{nil, "", "x", "X,y , x", "True", "5", "2021-01-01", true, int64(7), 1.5, []any{"b", "a", "b", ""}, []any{}}
	rapid.Check(t, func(t *rapid.T) {
		var specs []mapping.Spec
		for _, path := range rapid.SliceOfNDistinct(rapid.SampledFrom(paths), 1, 6, rapid.ID[string]).Draw(t, "paths") {
			spec := mapping.Spec{
				Path: path, Expr: rapid.SampledFrom(exprs).Draw(t, "expr"), Multi: rapid.Bool().Draw(t, "multi"), Redact: rapid.Bool().Draw(t, "redact"),
				Apply: rapid.SampledFrom([]string{"", "always", "create"}).Draw(t, "apply"), OnNull: rapid.SampledFrom([]string{"", "keep", "clear"}).Draw(t, "on_null"),
			}
			if spec.OnNull != "clear" && rapid.Bool().Draw(t, "has default") {
				spec.Default = "fallback"
			}
			if rapid.Bool().Draw(t, "has aliases") {
				spec.Aliases = map[string]string{"x": "y"}
			}
			if path == "roles" && len(specs) > 0 || len(specs) > 0 && specs[0].Path == "roles" {
				continue // one would contain the other
			}
			specs = append(specs, spec)
		}
		m, faults := mapping.New("user", specs)
		if len(faults) > 0 {
			t.Fatalf("%+v: %v", specs, faults)
		}
		pick := rapid.SampledFrom(values)
		env := user("a", pick.Draw(t, "a"), "b", pick.Draw(t, "b"), "flag", pick.Draw(t, "flag"), "list", pick.Draw(t, "list"))
		account, link := map[string]any{}, map[string]any{}
		fromAccount := func(path string) (any, bool) {
			for _, a := range m.Attributes() {
				if a.Path.String() == path {
					v := a.Path.Get(account)
					return v, v != nil
				}
			}
			return nil, false
		}
		fromLink := func(path string) (any, bool) { v, ok := link[path]; return v, ok }
		for _, creating := range []bool{true, false} {
			desired := m.Evaluate(env, creating).Attributes
			for _, c := range m.Changes(desired, fromAccount, creating) {
				c.Attribute.Path.Set(account, c.New)
			}
			for _, c := range m.Changes(desired, fromLink, creating) {
				raw, err := json.Marshal(c.Attribute.Canonical(c.New))
				if err != nil {
					t.Fatal(err)
				}
				var kept any
				if err := json.Unmarshal(raw, &kept); err != nil {
					t.Fatal(err)
				}
				link[c.Attribute.Path.String()] = kept
			}
		}
		again := m.Evaluate(env, false).Attributes
		if changes := m.Changes(again, fromAccount, false); len(changes) > 0 {
			t.Fatalf("%s differs from the account: %#v, %#v", changes[0].Attribute.Path, changes[0].Old, changes[0].New)
		}
		if changes := m.Changes(again, fromLink, false); len(changes) > 0 {
			t.Fatalf("%s differs from the link: %#v, %#v", changes[0].Attribute.Path, changes[0].Old, changes[0].New)
		}
	})
}
