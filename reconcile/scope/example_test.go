package scope_test

import (
	"fmt"
	"time"

	"entrasync/reconcile/scope"
)

// Clauses of one group are joined by AND, groups by OR. Why names the clause that decided.
func ExampleCompile() {
	filter, faults := scope.Compile([][]scope.Clause{
		{{Attribute: "department", Operator: "EQUALS", Value: "Sales"}, {Attribute: "mail", Operator: "IS NOT NULL"}},
		{{Attribute: "jobTitle", Operator: "INCLUDES", Value: "manager"}},
	}, nil)
	if len(faults) > 0 {
		fmt.Println(faults)
		return
	}
	people := []map[string]string{
		{"department": "Sales", "mail": "ada@contoso.example"},
		{"department": "Sales"},
		{"department": "Research", "jobTitle": "Senior manager"},
	}
	for _, person := range people {
		verdict, _ := filter.Match(func(attribute string) scope.Value {
			text, ok := person[attribute]
			if !ok {
				return scope.Value{} // null
			}
			return scope.String(text)
		}, time.Now())
		fmt.Println(verdict)
	}
	// Output:
	// in
	// out
	// in
}

// What is wrong with a filter is said of the clause that is wrong.
func ExampleCompile_fault() {
	_, faults := scope.Compile([][]scope.Clause{{{Attribute: "department", Operator: "EQUAL", Value: "Sales"}}}, nil)
	fmt.Println(len(faults), faults[0])
	// Output: 1 group 1, clause 1: "EQUAL" is not an operator; the nearest is EQUALS
}
