package compile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"entrasync/cmd/internal/compile"
	"entrasync/configs"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/scope"
)

const fabrikamConfig = `state: %q
app: {client_id: 6a1e0000-0000-0000-0000-000000000001, client_secret: s}
consent: {public_url: "https://sync.example.com"}
tenants:
  contoso: {id: 11111111-1111-1111-1111-111111111111}
  fabrikam.com: {id: 22222222-2222-2222-2222-222222222222}
targets:
  people: {type: file, path: people.jsonl}
syncs:
  people:
    to: people
`

// loaded returns the syncs of a configuration with one sync, whose keys are given.
func loaded(t *testing.T, keys string) (*configs.Config, []*compile.Sync, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "entrasync.yaml")
	text := fmt.Sprintf(fabrikamConfig, filepath.Join(filepath.Dir(file), "state")) + keys
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return compile.Load(file)
}

// {tenant} is filled in wherever a sync has a constant.
func TestTenantInConstants(t *testing.T) {
	t.Parallel()
	_, syncs, err := loaded(t, `
    from: [contoso, fabrikam.com]
    scope:
      filter:
        - - {attribute: department, operator: EQUALS, value: "filter {tenant}"}
          - {attribute: city, operator: REGEX MATCH, value: "pattern {tenant}"}
      exclude: {users: ["user@{tenant}"], groups: ["group {tenant}"]}
      protect: ['userName eq "protect {tenant}"']
    guard: {administrators: 'title eq "administrator {tenant}"'}
    users:
      attributes:
        userName: "[userPrincipalName]"
        displayName: '"expr {tenant}"'
        nickName: {expr: "[mailNickname]", default: "default {tenant}", allowed: ["default {tenant}", "allowed {tenant}"]}
        title: {expr: "[jobTitle]", aliases: {"alias {tenant}": "aliased {tenant}"}}
        'roles[primary eq "True"].value': {expr: "SingleAppRoleAssignment([appRoleAssignments])", priority: ["priority {tenant}"]}
      mapping_roles:
        from: 'Append([department], "from {tenant}")'
        to: entitlements
        roles: {"role {tenant}": {"project:{tenant}": ["member {tenant}"]}}
    groups:
      enabled: true
      source: [[{attribute: displayName, operator: EQUALS, value: "source {tenant}"}]]
      attributes: {displayName: '"group expr {tenant}"'}
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range syncs {
		text := s.Text + s.Guard.Administrators.String()
		for _, want := range []string{"filter {tenant}", "user@{tenant}", "group {tenant}", "protect {tenant}", "administrator {tenant}", "expr {tenant}",
			"default {tenant}", "allowed {tenant}", "alias {tenant}", "aliased {tenant}", "priority {tenant}", "from {tenant}", "role {tenant}", "project:{tenant}",
			"member {tenant}", "source {tenant}", "group expr {tenant}"} {
			if want = strings.ReplaceAll(want, "{tenant}", s.TenantName); !strings.Contains(text, want) {
				t.Errorf("%s: there is no %q", s.TenantName, want)
			}
		}
		if strings.Contains(text, "{tenant}") {
			t.Errorf("%s: {tenant} is left in %s", s.TenantName, text)
		}
		// A dot in a name is no pattern.
		if want := strings.ReplaceAll("pattern "+s.TenantName, ".", `\\\\.`); !strings.Contains(text, want) {
			t.Errorf("%s: there is no %q in %s", s.TenantName, want, text)
		}
	}
}

// What is wrong once {tenant} is filled in is a fault of the configuration, with its place and the
// tenant; what is wrong without, and right with it, is none; what it has nothing to do with is told
// once, at its place in what was written.
func TestTenantFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ keys, want string }{
		"one tenant's": {`
    from: [contoso, fabrikam.com]
    users: {attributes: {userName: "[mail]", title: {expr: "[jobTitle]", aliases: {"{tenant}": fabrikam.com}}}}
`, `14:74: "fabrikam.com" is an alias of itself, where {tenant} is fabrikam.com`},
		"every tenant's": {`
    from: [contoso, fabrikam.com]
    users: {attributes: {userName: "[mail]", title: {expr: "[jobTitle]", default: "{tenant}", allowed: [other]}}}
`, "14:83: title: the value contoso is not allowed; allowed are other, where {tenant} is contoso"},
		"two spellings of one": {`
    from: [contoso, fabrikam.com]
    users: {attributes: {userName: "[mail]", title: {expr: "[jobTitle]", aliases: {"{tenant}": a, contoso: a}}}}
`, `14:74: "contoso" is there twice, where {tenant} is contoso`},
		"right with it": {`
    from: contoso
    users: {attributes: {userName: "[mail]", title: {expr: "[jobTitle]", default: "{tenant}", allowed: [contoso]}}}
`, ""},
		"nothing to do with it": {`
    from: [contoso, fabrikam.com]
    users: {attributes: {userName: "[mail]", title: 'Join("{tenant}", ToLowr([mail]))'}}
`, `14:71: there is no function ToLowr (did you mean ToLower?)`},
		"of those who may join": {`
    from: consented
    users: {attributes: {userName: "[mail]", title: {expr: "[jobTitle]", default: "{tenant}", allowed: [contoso]}}}
`, "14:83: title: the value " + compile.AnyTenant + " is not allowed; allowed are contoso, where {tenant} is " + compile.AnyTenant},
	} {
		_, _, err := loaded(t, tt.keys)
		got := ""
		if err != nil {
			_, got, _ = strings.Cut(err.Error(), "entrasync.yaml:")
		}
		if got != tt.want {
			t.Errorf("%s: %s\nwant %s", name, got, tt.want)
		}
	}
}

// Editors offer the operators that a scoping filter knows: the schema's words and the evaluation's are
// one list.
func TestSchemaOffersEveryOperator(t *testing.T) {
	t.Parallel()
	field, ok := reflect.TypeFor[configs.Clause]().FieldByName("Operator")
	if offered := strings.Split(field.Tag.Get("suggest"), ","); !ok || !slices.Equal(offered, scope.Operators()) {
		t.Errorf("configs.Clause suggests %q, scoping filters know %q", offered, scope.Operators())
	}
}

// Every limit of the section guard reaches the guard of the sync under the same name: one that is not
// compiled would hold nothing.
func TestEveryLimitIsCompiled(t *testing.T) {
	t.Parallel()
	section := reflect.TypeFor[configs.Guard]()
	keys, set := "    guard: {", map[string]int{}
	for i := range section.NumField() {
		if field := section.Field(i); field.Type == reflect.TypeFor[configs.Limit]() {
			set[field.Name] = 100 + i
			keys += fmt.Sprintf("%s: {count: %d}, ", field.Tag.Get("yaml"), 100+i)
		}
	}
	_, syncs, err := loaded(t, strings.TrimSuffix(keys, ", ")+"}\n    from: contoso\n    users: {attributes: {userName: \"[userPrincipalName]\"}}\n")
	if err != nil || len(syncs) == 0 {
		t.Fatalf("%d syncs, %v", len(syncs), err)
	}
	compiled := reflect.ValueOf(syncs[0].Guard)
	for name, want := range set {
		limit, ok := compiled.FieldByName(name).Interface().(guard.Limit)
		if !ok || limit.Count == nil || *limit.Count != want {
			t.Errorf("guard.Guard.%s is %+v, want the count %d", name, limit, want)
		}
	}
	if len(set) < 7 {
		t.Errorf("only the limits %v", set)
	}
}
