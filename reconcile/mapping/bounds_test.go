package mapping_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"entrasync/reconcile/mapping"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// hostileEnv has what the directory should not hold: very long text, very long lists.
func hostileEnv() *mapping.Env {
	many := make([]mapping.Value, 20_000)
	for i := range many {
		many[i] = mapping.StringValue(fmt.Sprint("item ", i))
	}
	return &mapping.Env{
		Now: time.Date(2025, 7, 30, 0, 0, 0, 0, time.UTC),
		Source: mapping.Record{
			"a": mapping.StringValue(strings.Repeat("a", 200_000)), "many": mapping.ListValue(many...),
		},
	}
}

// TestBounded evaluates what would run out of memory, or run for hours, without limits.
func TestBounded(t *testing.T) {
	t.Parallel()
	grow := `"aaaaaaaaaa"`
	for range 60 {
		grow = `Replace(` + grow + `, "a", , , "aaaaaaaaaa", , )`
	}
	double := `[a]`
	for range 90 {
		double = `Join([a], ` + double + `, [a])`
	}
	for name, text := range map[string]string{
		"nested replacements":     grow,
		"nested joins":            double,
		"separator of a list":     `Join([a], [many])`,
		"append to a list":        `Append([many], [a])`,
		"template":                `Replace([a], "a", , , , , [a])`,
		"replacement":             `Replace([a], "a", , , [a], , )`,
		"replacement by pattern":  `Replace([a], , "a", , [a], , )`,
		"whole text each time":    `Replace([a], , "a", , "$_", , )`,
		"quadratic search":        `Replace([a], , "a(.*b)?", , "x", , )`,
		"nested repetition":       `Replace([a], , "(a*)*b", , "x", , )`,
		"large program":           `Replace([a], , "(?:a{0,40}){0,40}b", , "x", , )`,
		"empty matches":           `Replace([a], , "", , "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", , )`,
		"pattern from the source": `Replace([a], , [a], , "x", , )`,
		"split into characters":   `Split(Replace([a], "a", , , "a;", , ), ";")`,
		"replacement of dollars":  `Replace([a], , "b", , Replace([a], "a", , , "$$", , ), , )`,
		"words":                   `Word([a], 1, [a])`,
		"format":                  `FormatDateTime(Now(), , , [a])`,
		"separators":              `PCase([a], [a])`,
	} {
		start := time.Now()
		got := outcome(text, hostileEnv())
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%s takes %v", name, took)
		}
		if s, ok := got.(string); ok && len(s) > 8<<20 {
			t.Errorf("%s gives %d bytes", name, len(s))
		}
	}
	if got := outcome(grow, hostileEnv()); !cmp.Equal(got, fails(mapping.Range)) {
		t.Errorf("nested replacements: %.100v", got)
	}
}

// expression draws an expression out of the function table; most are well-formed, and some
// make no sense.
func expression(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		leaf := rapid.SampledFrom([]string{
			`[a]`, `[s]`, `[n]`, `[d]`, `[flag]`, `[roles]`, `[none]`, `[many]`, `"x"`, `""`, `"True"`, `"d"`, `"yyyy-MM-dd"`, `" "`, `"(?<g>[a-z])*"`, `"g"`, `"$1${g}$$"`,
			`0`, `1`, `-1`, `7`, `"2"`, `&HF`, `1.5`, `vbTextCompare`, `UTF8`, `IgnoreAttributeFlow`, `CDate([d])`, `Now()`, ``,
		})
		if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
			return leaf.Draw(t, "leaf text")
		}
		inner := expression(depth - 1)
		switch rapid.IntRange(0, 9).Draw(t, "shape") {
		case 0:
			return inner.Draw(t, "left") + rapid.SampledFrom([]string{"=", "<>", ">", ">=", "<", "<="}).Draw(t, "operator") + inner.Draw(t, "right")
		case 1:
			return inner.Draw(t, "left") + " & " + inner.Draw(t, "right")
		}
		f := rapid.SampledFrom(mapping.Functions()).Draw(t, "function")
		count := strings.Count(f.Signature, ",") + 1
		if strings.HasSuffix(f.Signature, "()") {
			count = 0
		}
		if strings.Contains(f.Signature, "*") {
			count += 2 * rapid.IntRange(0, 1).Draw(t, "more")
		}
		args := make([]string, count)
		for i := range args {
			args[i] = inner.Draw(t, "argument")
		}
		return f.Name + "(" + strings.Join(args, ", ") + ")"
	})
}

// checkText holds what is true of every text: it compiles or fails with an *Error, prints
// stably, and evaluates to a value or an *Error, the same each time.
func checkText(t interface{ Fatalf(string, ...any) }, text string, env func() *mapping.Env) {
	e, err := mapping.Compile(text)
	if err != nil {
		if _, ok := err.(*mapping.Error); !ok || e != nil {
			t.Fatalf("%q fails with %T %v and gives %v", text, err, err, e)
		}
		return
	}
	canonical := e.String()
	again, err := mapping.Compile(canonical)
	if err != nil {
		if len(canonical) > 10_000 {
			return // written out, an expression just below the limit can pass it
		}
		t.Fatalf("%q prints as %q, which fails: %v", text, canonical, err)
	}
	if printed := again.String(); printed != canonical {
		t.Fatalf("%q prints as %q and then as %q", text, canonical, printed)
	}
	if e.Volatile() || again.Volatile() {
		e.Eval(env())
		return
	}
	first, second := outcome(text, env()), outcome(canonical, env())
	if !cmp.Equal(first, second) {
		t.Fatalf("%q gives %v, its canonical text %v", text, first, second)
	}
	e.Explain(env())
}

// smallEnv has what the directory does hold.
func smallEnv() *mapping.Env {
	return &mapping.Env{
		Now: time.Date(2025, 7, 30, 0, 0, 0, 0, time.UTC),
		Source: mapping.Record{
			"a": mapping.StringValue("Aa b-c 12"), "many": mapping.ListValue(mapping.StringValue("a"), mapping.StringValue(" b "), mapping.IntValue(3)),
			"s": mapping.StringValue("Zoë x"), "n": mapping.IntValue(3), "d": mapping.StringValue("2025-01-31"), "flag": mapping.BoolValue(true),
			"roles": mapping.ListValue(mapping.RoleValue("1", "Admin", "Admins")),
		},
	}
}

func TestRandomExpressions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { checkText(t, expression(4).Draw(t, "expression"), smallEnv) })
}

func FuzzCompile(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Expr)
	}
	f.Add(`Replace([a], , "[\\w-]+$|(?i)x{2,3}", , "$1", , )`)
	f.Fuzz(func(t *testing.T, text string) { checkText(t, text, smallEnv) })
}

func FuzzPattern(f *testing.F) {
	for _, pattern := range []string{`(?<g>\d+)[^\w-]`, `[a-z-[aeiou]]`, `\u00e9\x41\cA\0`, `(?'n'a)|(?:b)`, `^$\b`} {
		f.Add("a b-c 12", pattern, "${g}$1$$")
	}
	f.Fuzz(func(t *testing.T, text, pattern, by string) {
		env := &mapping.Env{Source: mapping.Record{"s": mapping.StringValue(text), "p": mapping.StringValue(pattern), "r": mapping.StringValue(by)}}
		outcome(`Replace([s], , [p], , [r], , )`, env)
	})
}

func FuzzDateFormat(f *testing.F) {
	f.Add("2015-01-23", "yyyy-MM-dd", "dddd, d MMMM yy 'x' zzz K FFF")
	f.Add("20150123105347.1Z", "yyyyMMddHHmmss.fZ", "%d")
	f.Fuzz(func(t *testing.T, text, in, out string) {
		env := &mapping.Env{Now: time.Unix(0, 0), Source: mapping.Record{"s": mapping.StringValue(text), "i": mapping.StringValue(in), "o": mapping.StringValue(out)}}
		outcome(`FormatDateTime([s], , [i], [o])`, env)
		outcome(`CDate([s])`, env)
	})
}

func FuzzFromJSON(f *testing.F) {
	for _, text := range []string{`"a"`, `["a","b"]`, `[]`, `null`, `12`, `1e400`, `{"a":[1]}`, `"\u0041"`, `["a",]`, ` "a" `} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := mapping.FromJSON(raw)
		if err != nil && !v.IsNull() {
			t.Fatalf("%q fails and gives %v", raw, v)
		}
		if err == nil {
			v.Text()
			v.Any()
		}
	})
}
