package evaluation_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"entrasync/cmd/internal/evaluation"
	"entrasync/reconcile/mapping"

	"github.com/google/go-cmp/cmp"
)

// document returns what `eval --json` would print, decoded.
func document(t testing.TB, o *evaluation.Outcome) map[string]any {
	t.Helper()
	raw, err := json.Marshal(o.Document())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(raw, []byte(`{"format":"entrasync/eval/1",`)) {
		t.Errorf("the document does not begin with its format: %s", raw)
	}
	var decoded map[string]any
	if err := json.Unmarshal(raw, &decoded); err != nil {
		t.Fatal(err)
	}
	delete(decoded, "format")
	return decoded
}

// The vectors of the language come out of the command as they do of the language.
func TestVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../../reconcile/mapping/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Expr   string          `json:"expr"`
		Source json.RawMessage `json:"source"`
		Want   any             `json:"want"`
		Ctx    struct {
			Now           string   `json:"now"`
			DefaultDomain string   `json:"defaultDomain"`
			Taken         []string `json:"taken"`
		} `json:"ctx"`
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 257 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		source, err := evaluation.ReadSource("-", v.Source)
		if err != nil {
			t.Fatal(err)
		}
		options := evaluation.Options{DefaultDomain: v.Ctx.DefaultDomain, Taken: v.Ctx.Taken}
		if v.Ctx.Now != "" {
			if options.Now, err = evaluation.ParseTime(v.Ctx.Now); err != nil {
				t.Fatal(err)
			}
		}
		got := document(t, evaluation.Try(v.Expr, source, options))
		want := map[string]any{"value": v.Want}
		if special, ok := v.Want.(map[string]any); ok && special["error"] != nil {
			failed, _ := got["error"].(map[string]any)
			if column, _ := failed["column"].(float64); failed["message"] == "" || column < 1 {
				t.Errorf("%s: the error %v has no message or no column", v.Expr, failed)
			}
			got, want = map[string]any{"error": failed["kind"]}, special
		} else if ok && special["ignore"] != nil {
			want = special
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s with %s (-want +got):\n%s", v.Expr, v.Source, diff)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	source := mapping.Record{"givenName": mapping.StringValue("Ada"), "surname": mapping.StringValue("Lovelace"), "n": mapping.IntValue(3)}
	tests := []struct{ expression, want string }{
		{`Join(" ", [givenName], [surname])`, "Ada Lovelace"},
		{`[n]`, "3"},
		{`[nothing]`, "null"},
		{`Split("a,b", ",")`, `["a","b"]`},
		{`IsNull([nothing])`, "true"},
		{`IgnoreFlowIfNullOrEmpty([nothing])`, "(ignored: the attribute is left as it is)"},
		{`IIF(IsNull([nothing])="True", IgnoreObjectFlow, "x")`, "(ignored: the object is left out)"},
		{`Redact([surname])`, "[Redact]"},
	}
	for _, tt := range tests {
		if got := evaluation.Try(tt.expression, source, evaluation.Options{}).Text(); got != tt.want {
			t.Errorf("%s shows %q, want %q", tt.expression, got, tt.want)
		}
	}
}

func TestSteps(t *testing.T) {
	t.Parallel()
	source := mapping.Record{"country": mapping.StringValue("DE"), "name": mapping.StringValue("Ada\x1b[2J")}
	var b strings.Builder
	if err := evaluation.Try(`IIF([country]="US", ToUpper([name]), ToLower([name]))`, source, evaluation.Options{}).WriteSteps(&b); err != nil {
		t.Fatal(err)
	}
	want := `  IIF([country] = "US", ToUpper([name]), ToLower([name]))  →  "ada\u001b[2j"
    [country] = "US"  →  false
      [country]  →  "DE"
    ToUpper([name])  →  (not evaluated)
      [name]  →  (not evaluated)
    ToLower([name])  →  "ada\u001b[2j"
      [name]  →  "Ada\u001b[2J"
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// What is random is the same in the value and in the steps.
func TestStepsFitTheValue(t *testing.T) {
	t.Parallel()
	o := evaluation.Try(`Append(Guid(), RandomString(8,2,0,0,0))`, nil, evaluation.Options{})
	if o.Err != nil || o.Value.Text() == "" || o.Steps[0].Value.Text() != o.Value.Text() {
		t.Errorf("value %q (%v), first step %q", o.Value.Text(), o.Err, o.Steps[0].Value.Text())
	}
	if again := evaluation.Try(`Guid()`, nil, evaluation.Options{}); again.Value.Text() == evaluation.Try(`Guid()`, nil, evaluation.Options{}).Value.Text() {
		t.Error("two evaluations gave the same random value")
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	long := `Join("", ` + strings.Repeat(`"äöü", `, 40) + `ToLowr([mail]), ` + strings.Repeat(`"äöü", `, 40) + `"")`
	tests := []struct{ name, expression, want string }{
		{"an unknown function", `ToLowr([mail])`, `there is no function ToLowr (unknown_function, column 1)
    ToLowr([mail])
    ^
  → did you mean ToLower?
`},
		{"in the second line", "Append(\n  \"x\",\n  Lowre())", `there is no function Lowre (unknown_function, column 18)
      Lowre())
      ^
`},
		{"at the end", `ToLower([mail]`, `the ( of ToLower has no ) (parse, column 8)
    ToLower([mail]
           ^
`},
		{"of evaluation", `Append("a", Item(Split("a,b", ","), 5))`, ""},
		{"in a long expression", long, ""},
	}
	for _, tt := range tests {
		o := evaluation.Try(tt.expression, nil, evaluation.Options{})
		if o.Err == nil {
			t.Errorf("%s: no error", tt.name)
			continue
		}
		var b strings.Builder
		if err := o.WriteError(&b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, b.String()); tt.want != "" && diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		// The caret is under the character of the column.
		lines := strings.Split(b.String(), "\n")
		caret := len([]rune(lines[2])) - 1
		if pointed, meant := []rune(lines[1]), []rune(tt.expression); o.Err.Column <= len(meant) && pointed[caret] != meant[o.Err.Column-1] {
			t.Errorf("%s: the caret is under %q, want %q:\n%s", tt.name, pointed[caret], meant[o.Err.Column-1], b.String())
		}
	}
}

func TestReadSource(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"no object", `["Ada"]`, "person.json:1:1: the whole is an array, which it cannot be"},
		{"null", `null`, `person.json holds null; write an object`},
		{"no JSON", "{\n  givenName: 1}", "person.json:2:3: this is not JSON"},
		{"two objects", `{} {"a": 1}`, "person.json:1:4: something follows the JSON"},
		{"cut", `{"a": "b`, "the JSON ends too early"},
		{"empty", " ", "person.json is empty"},
	}
	for _, tt := range tests {
		if _, err := evaluation.ReadSource("person.json", []byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
	record, err := evaluation.ReadSource("-", []byte(`{"emails[type eq \"work\"].value": "a@b.example", "big": 133835135990000000, "list": ["x", 1, true], "none": null}`))
	if err != nil {
		t.Fatal(err)
	}
	for expression, want := range map[string]string{
		`ToUpper([emails[type eq "work"].value])`: "A@B.EXAMPLE", `[big]`: "133835135990000000", `Join("-", [list])`: "x-1-True", `[none]`: "null",
	} {
		if got := evaluation.Try(expression, record, evaluation.Options{}).Text(); got != want {
			t.Errorf("%s shows %s, want %s", expression, got, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	want := time.Date(2021, 7, 2, 15, 33, 38, 0, time.UTC)
	for _, text := range []string{"2021-07-02T15:33:38Z", "2021-07-02T17:33:38+02:00", "2021-07-02 15:33:38", "7/2/2021 3:33:38 PM"} {
		if got, err := evaluation.ParseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%s is %s, %v", text, got, err)
		}
	}
	if _, err := evaluation.ParseTime("tomorrow"); err == nil || !strings.Contains(err.Error(), "2026-07-02T15:33:38Z") {
		t.Errorf("error %v does not say how to write a time", err)
	}
}
