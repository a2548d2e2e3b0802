package mapping_test

import (
	"fmt"

	"entrasync/reconcile/mapping"
	"entrasync/target"
)

// An expression is compiled once and evaluated for every object.
func ExampleCompile() {
	e, err := mapping.Compile(`Join("@", ToLower(NormalizeDiacritics([givenName])), DefaultDomain())`)
	if err != nil {
		fmt.Println(err)
		return
	}
	env := mapping.Env{Source: mapping.Record{"givenName": mapping.StringValue("Zoë")}, DefaultDomain: "contoso.example"}
	v, err := e.Eval(&env)
	fmt.Println(v.Text(), err)
	// Output: zoe@contoso.example <nil>
}

// An error names the column and what was probably meant.
func ExampleCompile_error() {
	_, err := mapping.Compile(`Append(ToLowr([mail]), ".test")`)
	fmt.Println(err)
	// Output: column 8: there is no function ToLowr (did you mean ToLower?)
}

// A mapping says what an account should be; Changes says what of it differs.
func ExampleMapping() {
	m, faults := mapping.New(target.User, []mapping.Spec{
		{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
		{Path: "userType", Expr: "[companyName]", Default: "Standard", Allowed: []string{"Premium", "Standard"}},
	})
	if len(faults) > 0 {
		fmt.Println(faults)
		return
	}
	env := mapping.Env{Source: mapping.Record{"userPrincipalName": mapping.StringValue("Ada@contoso.example")}}
	result := m.Evaluate(&env, true)
	held := func(path string) (any, bool) { return "ADA@contoso.example", path == "userName" }
	for _, change := range m.Changes(result.Attributes, held, true) {
		fmt.Println(change.Attribute.Path, change.Old, change.New)
	}
	// Output: userType <nil> Standard
}
