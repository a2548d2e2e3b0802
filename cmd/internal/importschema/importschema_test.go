package importschema_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"entrasync/cmd/internal/importschema"
	"entrasync/configs"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/scope"
	"entrasync/target"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// head is what a section needs around it.
const head = `
app: {client_id: 6a1e0000-0000-0000-0000-000000000001, client_secret_file: secret}
tenants: {main: {id: 11111111-1111-1111-1111-111111111111}}
targets: {app: {type: scim, url: "https://scim.example.com/v2"}}
`

// load reads a section as check --offline does: as a configuration, with its expressions and
// filters compiled.
func load(section string) (*configs.Config, error) {
	return configs.Parse("imported.yaml", []byte(head+section), func(string) (string, bool) { return "", false }, compile)
}

func compile(cfg *configs.Config) (faults configs.Faults) {
	fault := func(what string, err error) {
		faults = append(faults, configs.Fault{Message: what + ": " + err.Error()})
	}
	for _, sync := range cfg.Syncs {
		for kind, attributes := range map[target.Kind]configs.Map[configs.Attribute]{target.User: sync.Value.Users.Attributes, target.Group: sync.Value.Groups.Attributes} {
			if _, fs := mapping.New(kind, specs(attributes)); len(fs) > 0 {
				fault(fmt.Sprint(kind), fs[0])
			}
		}
		for name, filter := range map[string]configs.Filter{"scope.filter": sync.Value.Scope.Filter, "groups.source": sync.Value.Groups.Source.Filter} {
			if _, fs := scope.Compile(clauses(filter), nil); len(fs) > 0 {
				fault(name, fs[0])
			}
		}
	}
	return faults
}

func specs(attributes configs.Map[configs.Attribute]) (out []mapping.Spec) {
	for _, e := range attributes {
		spec := mapping.Spec{Path: e.Name, Expr: e.Value.Expr.Value, Required: e.Value.Required, Apply: e.Value.Apply, OnNull: e.Value.OnNull, Owner: e.Value.Owner, Multi: e.Value.Multi}
		if e.Value.Default != nil {
			spec.Default = e.Value.Default.Value
		}
		out = append(out, spec)
	}
	return out
}

func clauses(filter configs.Filter) (out [][]scope.Clause) {
	for _, group := range filter {
		var g []scope.Clause
		for _, c := range group {
			clause := scope.Clause{Attribute: c.Attribute.Value, Operator: c.Operator.Value}
			if c.Value != nil {
				clause.Value = c.Value.Value
			}
			g = append(g, clause)
		}
		out = append(out, g)
	}
	return out
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func convert(t testing.TB, name string) (*importschema.Result, *configs.Config) {
	t.Helper()
	result, err := importschema.Convert(name, readFile(t, name), importschema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := load(result.YAML)
	if err != nil {
		t.Fatalf("the section does not load: %v\n%s", err, result.YAML)
	}
	return result, cfg
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"default", "everything"} {
		result, _ := convert(t, name+".json")
		golden := "testdata/" + name + ".yaml"
		if *update {
			if err := os.WriteFile(golden, []byte(result.YAML), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(string(readFile(t, name+".yaml")), result.YAML); diff != "" {
			t.Errorf("%s (-want +got), -update accepts it:\n%s", name, diff)
		}
	}
}
