package mapping_test

import (
	"errors"
	"strings"
	"testing"

	"entrasync/reconcile/mapping"

	"github.com/google/go-cmp/cmp"
)

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text   string
		kind   mapping.Kind
		column int
		says   string // part of the whole message
	}{
		{``, mapping.Parse, 1, "ends where"},
		{`  `, mapping.Parse, 3, "ends where"},
		{`Append([a] "x")`, mapping.Parse, 12, `"," or ")"`},
		{`Append([a], "x"))`, mapping.Parse, 17, "too many"},
		{`Append([a], "x"`, mapping.Parse, 7, "has no )"},
		{`Append([a, "x")`, mapping.Parse, 8, "has no ]"},
		{`Append("x, [a])`, mapping.Parse, 8, "closing"},
		{`Append([], "x")`, mapping.Parse, 8, "no attribute name"},
		{`Append('x', [a])`, mapping.Parse, 8, "double quotes"},
		{`Append(“x”, [a])`, mapping.Parse, 8, "straight"},
		{`IIF([a]="1" AND [b]="2","x","y")`, mapping.Parse, 13, "nest IIF"},
		{`IIF([a]="1" = "2","x","y")`, mapping.Parse, 13, "compared again"},
		{`IIF([a]=="1","x","y")`, mapping.Parse, 8, "comparisons are"},
		{`Split([a], ",")[0]`, mapping.Parse, 16, "Item(list, number)"},
		{`Append([a] + "x")`, mapping.Parse, 12, "no arithmetic"},
		{`ToLower(mail)`, mapping.Parse, 9, "write [mail]"},
		{`InStr([a], "b", 1, vbTextCompar)`, mapping.Parse, 20, "vbTextCompare"},
		{`Mid([a], 1x, 2)`, mapping.Parse, 11, `"x"`},
		{`Mid([a], 1., 2)`, mapping.Parse, 12, "after its point"},
		{`BitAnd(&Hfffffffffffffffff, 1)`, mapping.Parse, 8, "too large"},
		{`ToLower([ä], Lower([b]))`, mapping.UnknownFunction, 14, ""},
		{`ToLowr([a])`, mapping.UnknownFunction, 1, "did you mean ToLower?"},
		{`Switsch([a], "b")`, mapping.UnknownFunction, 1, "did you mean Switch?"},
		{`ToLower(Len([a]))`, mapping.UnknownFunction, 9, "Connect sync"},
		{`LCase([a])`, mapping.UnknownFunction, 1, "use ToLower"},
		{`Append([a])`, mapping.Arity, 1, "Append(source, suffix)"},
		{`Append(, "x")`, mapping.Arity, 1, "source, cannot be omitted"},
		{`Switch([a], "d", "k")`, mapping.Arity, 1, "even number"},
		{`Trim([a], , )`, mapping.Arity, 1, "at most 1 argument"},
		{`Now("x")`, mapping.Arity, 1, "at most 0"},
		{`Join(",")`, mapping.Arity, 1, "at least 2"},
		{`Append("x", DateAdd("q", 1, Now()))`, mapping.TypeMismatch, 13, "yyyy"},
		{`Replace([a], , "(?=x)", , "", , )`, mapping.Regex, 1, "look-around"},
		{`ToLower(SelectUniqueValue("a", "b"))`, mapping.Nested, 9, "inside another"},
		{"Append(\"\xff\", [a])", mapping.Parse, 1, "UTF-8"},
		{strings.Repeat("ToLower(", 101) + "[a]" + strings.Repeat(")", 101), mapping.Parse, 801, "nested"},
		{`Append([a], "` + strings.Repeat("é", 10_000) + `")`, mapping.Parse, 1, "10000"},
	} {
		e, err := mapping.Compile(test.text)
		var failure *mapping.Error
		if !errors.As(err, &failure) || e != nil {
			t.Errorf("%.60s: got %v, %v", test.text, e, err)
			continue
		}
		if failure.Kind != test.kind || failure.Column != test.column || !strings.Contains(failure.Error(), test.says) {
			t.Errorf("%.60s: got %s at %d: %v; want %s at %d with %q", test.text, failure.Kind, failure.Column, failure, test.kind, test.column, test.says)
		}
	}
}

func TestCanonicalText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"switch ( [a] ,, \"k\",\n\"v\" )":               `Switch([a], , "k", "v")`,
		`ToLower([emails[type eq "work"].value],)`:      `ToLower([emails[type eq "work"].value], )`,
		`IIF([a]<>&hf,"x",IGNOREATTRIBUTEFLOW)`:         `IIF([a] <> &HF, "x", IgnoreAttributeFlow)`,
		`Append("a\d\\\"", 007)`:                        `Append("a\\d\\\"", 007)`,
		`[a]&"-"&[b]`:                                   `[a] & "-" & [b]`,
		"Now( )":                                        "Now()",
		"\ufeffAppend(\u00a0[a], \"b\")":                `Append([a], "b")`,
		`Replace([a], "x", , , "", ,  )`:                `Replace([a], "x", , , "", , )`,
		`IIF(DateDiff("d", Now(), CDate([x]))>=-1,1,0)`: `IIF(DateDiff("d", Now(), CDate([x])) >= -1, 1, 0)`,
	} {
		e, err := mapping.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := e.String(); got != want {
			t.Errorf("%s prints as %s, want %s", text, got, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`ToLower([a])`:                                 "",
		`tolower([a])`:                                 "spelled ToLower",
		`Replace([a], , "\d+", , "", , )`:              `\d is not an escape`,
		`IIF(IsPresent([a]), [a], "x")`:                "not supported by Entra",
		`IIF([a] = "", "x", [a])`:                      "does not find absent",
		`Switch(IsPresent([a]), "d", "True", [a])`:     "not recommended",
		`IIF([a] = "x", CDate("soon"), "y")`:           "always fails",
		`Replace([a], , "\\bx", , "", , )`:             "ASCII letters",
		`[a] & "x"`:                                    "cloud-sync",
		`Join("-", IgnoreFlowIfNullOrEmpty([a]), [b])`: "only as the outermost",
	} {
		e, err := mapping.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := strings.Join(e.Warnings(), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s warns %q, want %q", text, got, want)
		}
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text                      string
		attributes                []string
		volatile, clock, redacted bool
	}{
		{`Join([b], [a], ToLower([b]))`, []string{"a", "b"}, false, false, false},
		{`RandomString(8, 1, 1, 1, 1)`, nil, true, false, false},
		{`IIF([a] = Guid(), "x", "y")`, []string{"a"}, true, false, false},
		{`FormatDateTime(Now(), , , "yyyy")`, nil, true, true, false},
		{`IIF(DateDiff("d", Now(), CDate([a])) > 5, "False", "True")`, []string{"a"}, false, true, false},
		{`Switch(FormatDateTime(Now(), , , "ddd"), "work", "Sun", "rest")`, nil, false, true, false},
		{`DateDiff("d", CDate([a]), Now())`, []string{"a"}, true, true, false},
		{`SelectUniqueValue([a], [b])`, []string{"a", "b"}, true, false, false},
		{`SingleAppRoleAssignment([appRoleAssignments])`, []string{"appRoleAssignments"}, false, false, false},
		{`Append(Redact([a]), "x")`, []string{"a"}, false, false, true},
	} {
		e, err := mapping.Compile(test.text)
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		if diff := cmp.Diff(test.attributes, e.Attributes()); diff != "" {
			t.Errorf("%s reads (-want +got):\n%s", test.text, diff)
		}
		if e.Volatile() != test.volatile || e.ReadsClock() != test.clock || e.Redacts() != test.redacted {
			t.Errorf("%s: volatile %v, reads the clock %v, redacts %v", test.text, e.Volatile(), e.ReadsClock(), e.Redacts())
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	env := &mapping.Env{Source: mapping.Record{"a": mapping.StringValue("x"), "b": mapping.StringValue("secret")}}
	explain := func(text string) []string {
		e, err := mapping.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, step := range e.Explain(env) {
			line := strings.Repeat(" ", step.Depth) + step.Text + " → "
			switch {
			case step.Unused:
				line += "unused"
			case step.Err != nil:
				line += string(step.Err.Kind)
			default:
				line += step.Value.Shown()
			}
			lines = append(lines, line)
		}
		return lines
	}
	for text, want := range map[string][]string{
		`IIF([a] = "x", Append([a], "1"), CDate([b]))`: {
			`IIF([a] = "x", Append([a], "1"), CDate([b])) → x1`, ` [a] = "x" → True`, `  [a] → x`, ` Append([a], "1") → x1`, `  [a] → x`, ` CDate([b]) → unused`, `  [b] → unused`,
		},
		`Append(CDate([a]), "1")`:     {`Append(CDate([a]), "1") → type`, ` CDate([a]) → type`, `  [a] → x`},
		`ToUpper(Redact([b]))`:        {`ToUpper(Redact([b])) → [Redact]`, ` Redact([b]) → [Redact]`, `  [b] → [Redact]`},
		`Append(Append("p", "q"), 1)`: {`Append(Append("p", "q"), 1) → pq1`, ` Append("p", "q") → unused`},
	} {
		if diff := cmp.Diff(want, explain(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	e, err := mapping.Compile(`CDate(Redact([b]))`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Eval(env); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("the error of a redacted expression is %v", err)
	}
}
