package scope_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrasync/reconcile/scope"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// one compiles a filter of a single clause.
func one(t testing.TB, attribute, operator, value string) *scope.Filter {
	t.Helper()
	return compile(t, [][]scope.Clause{{{Attribute: attribute, Operator: operator, Value: value}}})
}

func compile(t testing.TB, groups [][]scope.Clause) *scope.Filter {
	t.Helper()
	f, faults := scope.Compile(groups, nil)
	if len(faults) > 0 {
		t.Fatalf("Compile: %v", faults)
	}
	return f
}

// object looks up properties in Graph's JSON.
func object(properties map[string]string) scope.Lookup {
	return func(attribute string) scope.Value { return scope.JSON([]byte(properties[attribute])) }
}

// The truth table of Entra's documented operators and its rule for empty values: "Scoping
// filters will return false if the value is null / empty".
func TestTruthTable(t *testing.T) {
	t.Parallel()
	columns := []string{`"sales"`, `"Sales"`, `""`, `null`, `15`, `true`, ``, `"15"`, `false`, `["sales"]`, `[]`, `"2026-11-30T11:00:00Z"`, `"2026-11-30T13:00:00Z"`}
	rows := []struct{ operator, value, want string }{
		{"EQUALS", "sales", "TFFFFFFFFIFFF"},
		{"EQUALS", "15", "FFFFTFFTFIFFF"},
		{"EQUALS", "true", "FFFFFTFFFIFFF"},
		{"NOT EQUALS", "sales", "FTFFTTFTTIFTT"},
		{"IS NULL", "", "FFTTFFTFFFTFF"},
		{"IS NOT NULL", "", "TTFFTTFTTTFTT"},
		{"IS TRUE", "", "FFFFFTFFFIFFF"},
		{"IS FALSE", "", "FFFFFFFFTIFFF"},
		{"INCLUDES", "ale", "TTFFFFFFFIFFF"},
		{"ENDS_WITH", "les", "TTFFFFFFFIFFF"},
		{"REGEX MATCH", "s.*", "TFFFFFFFFIFFF"},
		{"REGEX MATCH", "ale", "FFFFFFFFFIFFF"}, // the whole value, not a part
		{"NOT REGEX MATCH", "s.*", "FTFFTTFTTIFTT"},
		{"GREATER_THAN", "10", "IIFFTIFTIIFII"},
		{"GREATER_THAN", "15", "IIFFFIFFIIFII"},
		{"BEFORE", "now", "IIFFIIFIIIFTF"},
		{"AFTER", "now", "IIFFIIFIIIFFT"},
		{"WITHIN", "now to now + 1h", "IIFFIIFIIIFFT"},
		{"GREATER_THAN_OR_EQUALS", "15", "IIFFTIFTIIFII"},
	}
	for _, operator := range scope.Operators() {
		if !slices.ContainsFunc(rows, func(row struct{ operator, value, want string }) bool { return row.operator == operator }) {
			t.Errorf("operator %s has no row in the truth table", operator)
		}
	}
	letters := map[scope.Verdict]string{scope.In: "T", scope.Out: "F", scope.Invalid: "I"}
	for _, row := range rows {
		filter := one(t, "a", row.operator, row.value)
		for i, column := range columns {
			verdict, why := filter.Match(object(map[string]string{"a": column}), noon)
			if got, want := letters[verdict], row.want[i:i+1]; got != want {
				t.Errorf("%s %s on %s = %s, want %s", row.operator, row.value, column, got, want)
			}
			if (verdict == scope.In) != (len(why.Failures) == 0) {
				t.Errorf("%s %s on %s: verdict %v with reasons %q", row.operator, row.value, column, verdict, why)
			}
		}
	}
}

// Groups are alternatives, clauses in a group conditions; what cannot be judged decides only
// where nothing else does.
func TestGroups(t *testing.T) {
	t.Parallel()
	a := scope.Clause{Attribute: "a", Operator: "EQUALS", Value: "1"}
	b := scope.Clause{Attribute: "b", Operator: "EQUALS", Value: "1"}
	c := scope.Clause{Attribute: "c", Operator: "EQUALS", Value: "1"}
	odd := scope.Clause{Attribute: "odd", Operator: "GREATER_THAN", Value: "1"} // odd is always a text below
	tests := []struct {
		name   string
		groups [][]scope.Clause
		true_  string // attributes that are "1"
		want   scope.Verdict
	}{
		{"no groups", nil, "", scope.In},
		{"both of a group", [][]scope.Clause{{a, b}, {c}}, "ab", scope.In},
		{"half of a group", [][]scope.Clause{{a, b}, {c}}, "a", scope.Out},
		{"the other group", [][]scope.Clause{{a, b}, {c}}, "c", scope.In},
		{"none", [][]scope.Clause{{a, b}, {c}}, "", scope.Out},
		{"invalid and true", [][]scope.Clause{{a, odd}}, "a", scope.Invalid},
		{"invalid or false", [][]scope.Clause{{odd, a}}, "", scope.Out},
		{"invalid group, true group", [][]scope.Clause{{odd}, {a}}, "a", scope.In},
		{"invalid group, false group", [][]scope.Clause{{odd}, {a}}, "", scope.Invalid},
	}
	for _, tt := range tests {
		lookup := func(attribute string) scope.Value {
			switch {
			case attribute == "odd":
				return scope.String("odd")
			case strings.Contains(tt.true_, attribute):
				return scope.String("1")
			}
			return scope.Value{}
		}
		if got, _ := compile(t, tt.groups).Match(lookup, noon); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if got, _ := (*scope.Filter)(nil).Match(object(nil), noon); got != scope.In {
		t.Errorf("a nil filter says %v, want in", got)
	}
}

func TestOperatorSpellings(t *testing.T) {
	t.Parallel()
	for canonical, spellings := range map[string][]string{
		`a EQUALS "1"`:                 {"EQUALS", "Equals", "equals"},
		`a NOT EQUALS "1"`:             {"NOT EQUALS", "NOT_EQUALS", "Not Equals", "NotEquals"},
		`a IS TRUE`:                    {"IS TRUE", "Is True", "IS_TRUE"},
		`a IS FALSE`:                   {"IS FALSE", "is false"},
		`a IS NULL`:                    {"IS NULL", "IsNull", "IS_NULL"},
		`a IS NOT NULL`:                {"IS NOT NULL", "is  not null", "IsNotNull"},
		`a REGEX MATCH "1"`:            {"REGEX MATCH", "Regex Match", "REGEX_MATCH"},
		`a NOT REGEX MATCH "1"`:        {"NOT REGEX MATCH", "Not Regex Match"},
		`a GREATER_THAN "1"`:           {"Greater_Than", "GREATER_THAN", "Greater Than"},
		`a GREATER_THAN_OR_EQUALS "1"`: {"Greater_Than_OR_EQUALS", "GREATER_THAN_OR_EQUALS"},
		`a INCLUDES "1"`:               {"Includes", "INCLUDES"},
		`a ENDS_WITH "1"`:              {"ENDS_WITH", "Ends With", "EndsWith"},
	} {
		for _, spelling := range spellings {
			value := "1"
			if !strings.Contains(canonical, `"`) {
				value = ""
			}
			if got := one(t, "a", spelling, value).String(); got != "("+canonical+")" {
				t.Errorf("%q is %s, want (%s)", spelling, got, canonical)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ attribute, operator, value, field, message string }{
		{"", "EQUALS", "1", "attribute", "the attribute is missing"},
		{"[department]", "EQUALS", "1", "attribute", "without brackets"},
		{"job title", "EQUALS", "1", "attribute", "not the name of an attribute"},
		{"members", "EQUALS", "1", "attribute", "members is a reference"},
		{"manager", "IS NULL", "", "attribute", "manager is a reference"},
		{"appRoleAssignments", "EQUALS", "1", "attribute", "appRoleAssignments is a reference"},
		{"proxyAddresses", "INCLUDES", "x", "attribute", "proxyAddresses has several values"},
		{"employeeHireDate", "GREATER_THAN", "1", "attribute", "employeeHireDate is a date"},
		{"a", "", "1", "operator", "the operator is missing"},
		{"a", "EQUAL", "1", "operator", `"EQUAL" is not an operator; the nearest is EQUALS`},
		{"a", "GREATER", "1", "operator", "the nearest is GREATER_THAN"},
		{"a", "NOT REGEX", "1", "operator", "the nearest is NOT REGEX MATCH"},
		{"a", "&", "1", "operator", "one|two"},
		{"a", "!&", "1", "operator", "NOT REGEX MATCH"},
		{"a", "PRESENT", "", "operator", "write IS NOT NULL"},
		{"a", "VALID CERT MATCH", "1", "operator", "not documented"},
		{"a", "IsMemberOf", "1", "operator", "assign the group"},
		{"a", "EQUALS", "", "value", "write IS NULL"},
		{"a", "IS NULL", "x", "value", `IS NULL takes no value, found "x"`},
		{"a", "GREATER_THAN", "ten", "value", `"ten" is none`},
		{"a", "REGEX MATCH", "(", "value", `regular expression "(" is not valid: missing closing )`},
		{"a", "REGEX MATCH", "a)(b", "value", "unexpected )"},
		{"a", "REGEX MATCH", `a\`, "value", "ends with a backslash"},
		{"a", "REGEX MATCH", "(?=x)", "value", "look-ahead"},
		{"a", "NOT REGEX MATCH", "(?<!x)y", "value", "look-behind"},
		{"a", "REGEX MATCH", "(?>x)", "value", "atomic group"},
		{"a", "REGEX MATCH", `(x)\1`, "value", `back-reference \1`},
		{"a", "REGEX MATCH", `(?x) a`, "value", "option (?x)"},
		{"a", "REGEX MATCH", `(?#c)a`, "value", "comment"},
		{"a", "REGEX MATCH", `(?'n'a)`, "value", "(?<name>…)"},
		{"a", "REGEX MATCH", `[a-z-[aeiou]]`, "value", "class subtraction"},
		{"a", "REGEX MATCH", `[[:alpha:]]`, "value", "[: inside a class"},
		{"a", "REGEX MATCH", `[\W]`, "value", `\W inside a class`},
		{"a", "REGEX MATCH", `a\Z`, "value", `escape \Z`},
		{"a", "REGEX MATCH", `\p{IsGreek}`, "value", "invalid character class range"},
		{"a", "REGEX MATCH", `a{2000}`, "value", "invalid repeat count"},
	}
	for _, tt := range tests {
		f, faults := scope.Compile([][]scope.Clause{{{Attribute: tt.attribute, Operator: tt.operator, Value: tt.value}}}, nil)
		if f != nil || len(faults) != 1 {
			t.Errorf("%v: %v with %d faults, want none with 1", tt, f, len(faults))
			continue
		}
		if got := faults[0]; got.Field != tt.field || !strings.Contains(got.Message, tt.message) {
			t.Errorf("%v: %s: %s", tt, got.Field, got.Message)
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	good := scope.Clause{Attribute: "a", Operator: "EQUALS", Value: "1"}
	bad := scope.Clause{Attribute: "a", Operator: "EQUALZ", Value: "1"}
	_, faults := scope.Compile([][]scope.Clause{{good, bad}, {}, {bad}}, nil)
	var got []string
	for _, f := range faults {
		got = append(got, f.Error())
	}
	want := []string{
		`group 1, clause 2: "EQUALZ" is not an operator; the nearest is EQUALS`,
		"group 2: has no clauses and would let everybody pass; leave out the whole filter if that is meant",
		`group 3, clause 1: "EQUALZ" is not an operator; the nearest is EQUALS`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What .NET and RE2 read differently is translated.
func TestPatterns(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, value string
		want           bool
	}{
		{`.*\@contoso.com`, "ada@contoso.com", true},
		{`([1-9][0-9])`, "42", true},
		{`([1-9][0-9])`, "100", false},
		{`(1[0-9][0-9][0-9][0-9][0-9][0-9])`, "12345678", false},
		{`^Sales$`, "Sales", true},
		{`Sales|Marketing`, "Marketing", true},
		{`Sales|Marketing`, "Sales team", false},
		{`(?i)sales`, "SALES", true},
		{`\w+`, "Zoë", true},
		{`[\w-]+`, "Jean-Rene\u0301", true},
		{`\W`, "é", false},
		{`\d+`, "٣", true},
		{`\D`, "٣", false},
		{`a\sb`, "a\u00a0b", true},
		{`a[\s]b`, "a\vb", true},
		{`a\Sb`, "a\u00a0b", false},
		{`[]a]+`, "]a", true},
		{`[^]a]`, "]", false},
		{`\u0041`, "A", true},
		{`(?<year>\d{4})-.*`, "2026-11", true},
		{`.*`, "two\nlines", false},
		{`(?s).*`, "two\nlines", true},
	}
	for _, tt := range tests {
		f := one(t, "a", "REGEX MATCH", tt.pattern)
		verdict, _ := f.Match(func(string) scope.Value { return scope.String(tt.value) }, noon)
		if got := verdict == scope.In; got != tt.want {
			t.Errorf("%s on %q = %v, want %v", tt.pattern, tt.value, got, tt.want)
		}
	}
}

func TestWhy(t *testing.T) {
	t.Parallel()
	lookup := object(map[string]string{
		"department": `"HR"`, "accountEnabled": `false`, "employeeId": `"x7"`, "level": `3`, "extension": `["a","b"]`, "mail": `null`,
		"long": `"` + strings.Repeat("ä", 100) + `"`,
	})
	tests := []struct{ attribute, operator, value, want string }{
		{"department", "EQUALS", "Sales", `department is "HR", not "Sales"`},
		{"department", "NOT EQUALS", "HR", `department is "HR"`},
		{"department", "IS NULL", "", `department is "HR", not empty`},
		{"department", "REGEX MATCH", "S.*", `department is "HR", which does not match "S.*"`},
		{"department", "NOT REGEX MATCH", "H.*", `department is "HR", which matches "H.*"`},
		{"department", "INCLUDES", "S", `department is "HR", which does not include "S"`},
		{"department", "ENDS_WITH", "S", `department is "HR", which does not end with "S"`},
		{"accountEnabled", "IS TRUE", "", `accountEnabled is False, not true`},
		{"department", "IS FALSE", "", `department is "HR", not false`},
		{"mail", "EQUALS", "x", `mail is empty, not "x"`},
		{"mail", "IS NOT NULL", "", `mail is empty`},
		{"mail", "NOT EQUALS", "x", `mail is empty, and NOT EQUALS is false for an empty value`},
		{"level", "GREATER_THAN", "3", `level is 3, not greater than 3`},
		{"level", "GREATER_THAN_OR_EQUALS", "4", `level is 3, less than 4`},
		{"employeeId", "GREATER_THAN", "3", `employeeId is "x7", not an integer`},
		{"extension", "EQUALS", "a", `extension is a list, which a filter cannot compare`},
		{"long", "EQUALS", "a", `long is "` + strings.Repeat("ä", 60) + `…", not "a"`},
	}
	for _, tt := range tests {
		if _, why := one(t, tt.attribute, tt.operator, tt.value).Match(lookup, noon); why.String() != tt.want {
			t.Errorf("%s %s %s: %s\nwant %s", tt.attribute, tt.operator, tt.value, why, tt.want)
		}
	}

	_, why := compile(t, [][]scope.Clause{
		{{"department", "EQUALS", "Sales"}, {"level", "EQUALS", "3"}, {"mail", "IS NOT NULL", ""}},
		{{"accountEnabled", "IS TRUE", ""}},
	}).Match(lookup, noon)
	if got, want := why.String(), `department is "HR", not "Sales" and mail is empty; or accountEnabled is False, not true`; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	why.Failures[0].Hidden = true
	if got := why.String(); strings.Contains(got, "HR") {
		t.Errorf("a hidden value shows: %s", got)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]scope.Value{
		``:                {},
		`null`:            {},
		`[]`:              {},
		`"`:               {},
		`"\u00e`:          {},
		`"ä"`:             scope.String("ä"),
		`"a\"\u00e4\nb"`:  scope.String("a\"ä\nb"),
		`-7`:              {Kind: scope.Number, Text: []byte("-7")},
		`true`:            scope.Boolean(true),
		`false`:           scope.Boolean(false),
		`{"a":1}`:         {Kind: scope.List, Text: []byte(`{"a":1}`)},
		`["a"]`:           {Kind: scope.List, Text: []byte(`["a"]`)},
		`"with \\ slash"`: scope.String(`with \ slash`),
	} {
		if diff := cmp.Diff(want, scope.JSON([]byte(raw))); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}

func TestCanonicalText(t *testing.T) {
	t.Parallel()
	one := compile(t, [][]scope.Clause{
		{{"mail", "IsNotNull", ""}, {"department", "equals", `S"1`}, {"mail", "IS NOT NULL", ""}},
		{{"city", "Includes", "x"}},
	})
	other := compile(t, [][]scope.Clause{
		{{"city", "INCLUDES", "x"}},
		{{"department", "EQUALS", `S"1`}, {"mail", "IS_NOT_NULL", ""}},
		{{"city", "INCLUDES", "x"}},
	})
	want := `(city INCLUDES "x") OR (department EQUALS "S\"1" AND mail IS NOT NULL)`
	if one.String() != want || other.String() != want {
		t.Errorf("%s\n%s\nwant %s", one, other, want)
	}
	if diff := cmp.Diff([]string{"city", "department", "mail"}, one.Attributes()); diff != "" {
		t.Error(diff)
	}
	if none := compile(t, nil); none.String() != "" || none.Attributes() != nil {
		t.Errorf("no groups: %q, %q", none, none.Attributes())
	}
}

func FuzzCompile(f *testing.F) {
	f.Add("department", "EQUALS", "Sales", `"Sales"`)
	f.Add("a", "REGEX MATCH", `(?i)[\w-]+\s\d{2,3}\u0041`, `"x"`)
	f.Add("a", "Greater_Than", "-5", `12`)
	f.Add("a", "NOT REGEX MATCH", `[^]a-[b]`, `["x"]`)
	f.Fuzz(func(t *testing.T, attribute, operator, value, raw string) {
		groups := [][]scope.Clause{{{attribute, operator, value}}}
		filter, faults := scope.Compile(groups, nil)
		if (filter == nil) == (len(faults) == 0) {
			t.Fatalf("filter %v with faults %v", filter, faults)
		}
		if filter == nil {
			return
		}
		v := scope.JSON([]byte(raw))
		verdict, why := filter.Match(func(string) scope.Value { return v }, noon)
		if (verdict == scope.In) != (why.String() == "") {
			t.Fatalf("%v because %q", verdict, why)
		}
		again, _ := scope.Compile(append(groups, groups[0]), nil)
		if got, _ := again.Match(func(string) scope.Value { return v }, noon); got != verdict || again.String() != filter.String() {
			t.Fatalf("repeating a group changes %v to %v, %s to %s", verdict, got, filter, again)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	filter := compile(b, [][]scope.Clause{
		{{"department", "EQUALS", "Sales"}, {"mail", "IS NOT NULL", ""}, {"employeeId", "GREATER_THAN", "1000"}},
		{{"userPrincipalName", "REGEX MATCH", `.*@contoso\.example`}},
	})
	raw := map[string][]byte{
		"department": []byte(`"Sales"`), "mail": []byte(`"ada@contoso.example"`), "employeeId": []byte(`"123456"`),
		"userPrincipalName": []byte(`"ada@contoso.example"`), "jobTitle": []byte(`"Engineer"`),
	}
	lookup := func(attribute string) scope.Value { return scope.JSON(raw[attribute]) }
	first := compile(b, [][]scope.Clause{{{"department", "EQUALS", "HR"}}})
	for name, f := range map[string]*scope.Filter{"in": filter, "out": first} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.Match(lookup, noon)
			}
		})
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	filter := compile(t, [][]scope.Clause{
		{{"department", "EQUALS", "HR"}},
		{{"department", "EQUALS", "Sales"}, {"employeeId", "GREATER_THAN", "1000"}, {"department", "REGEX MATCH", "S.*"}},
	})
	raw := map[string][]byte{"department": []byte(`"Sales"`), "employeeId": []byte(`"123456"`)}
	lookup := func(attribute string) scope.Value { return scope.JSON(raw[attribute]) }
	if n := testing.AllocsPerRun(100, func() {
		if verdict, _ := filter.Match(lookup, noon); verdict != scope.In {
			t.Error("not in scope")
		}
	}); n != 0 {
		t.Errorf("%v allocations for an object in scope, want none", n)
	}
}
