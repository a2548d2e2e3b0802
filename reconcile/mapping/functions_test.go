package mapping_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"entrasync/reconcile/mapping"

	"github.com/google/go-cmp/cmp"
)

// fails is the outcome of an error of a kind.
func fails(kind mapping.Kind) any { return map[string]any{"error": string(kind)} }

// TestFunctions holds what the vectors leave out: the edges of each function and the choices
// made where the language is open.
func TestFunctions(t *testing.T) {
	t.Parallel()
	list := mapping.ListValue(mapping.StringValue("b"), mapping.StringValue("a"), mapping.StringValue("B"))
	source := mapping.Record{
		"list": list, "empty": mapping.StringValue(""), "flag": mapping.BoolValue(true), "half": mapping.FloatValue(1.5), "n": mapping.IntValue(7),
		"s": mapping.StringValue("Ada"), "date": mapping.StringValue("2012-03-16-07:00"), "roles": mapping.ListValue(mapping.RoleValue("1", "Admin", "Admins")),
	}
	for _, test := range []struct {
		expr string
		want any
	}{
		// null and lists in functions of text
		{`Append([none], "x")`, nil}, {`Append("x", [none])`, nil}, {`Prepend("x", [none])`, nil}, {`ToLower([none])`, nil}, {`StripSpaces([none])`, nil},
		{`Replace([none], "a", , , "b", , )`, nil}, {`NormalizeDiacritics([none])`, nil}, {`Split([none], ",")`, nil}, {`CDate([none])`, nil}, {`CBool([none])`, nil},
		{`DateAdd("d", 1, [none])`, nil}, {`BitAnd([none], 1)`, nil}, {`InStr([none], "a")`, nil}, {`Item([none], 1)`, nil}, {`RemoveDuplicates([none])`, nil},
		{`Left([none], 3)`, ""}, {`Mid([none], 1, 2)`, ""}, {`Word([none], 1, " ")`, ""}, {`Count([none])`, 0.0}, {`Join(",", [none])`, ""}, {`Not([none])`, true},
		{`ToUpper([list])`, []any{"B", "A", "B"}}, {`Append([list], "!")`, []any{"b!", "a!", "B!"}}, {`Append("x", [list])`, fails(mapping.TypeMismatch)},
		{`IIF([list] = "a", "y", "n")`, fails(mapping.TypeMismatch)}, {`ToLower([roles])`, fails(mapping.TypeMismatch)}, {`Switch([list], "d", "a", "x")`, fails(mapping.TypeMismatch)},

		// numbers
		{`Append(007, "")`, "007"}, {`Append(-3, "")`, "-3"}, {`Append(1.50, "")`, "1.50"}, {`Append(&Hff, "")`, "255"}, {`Append([half], "")`, "1.5"},
		{`IIF("007" = 7, "y", "n")`, "y"}, {`IIF("1.50" = "1.5", "y", "n")`, "y"}, {`IIF("10" > "9", "y", "n")`, "y"}, {`IIF("-2" < "-1.5", "y", "n")`, "y"},
		{`IIF("9223372036854775808" > "9223372036854775807", "y", "n")`, "y"}, {`IIF("a" > "B", "y", "n")`, "y"}, {`IIF("10" > "9x", "y", "n")`, "n"},
		{`IIF("-0" = "0", "y", "n")`, "y"}, {`BitAnd("1.5", 1)`, fails(mapping.TypeMismatch)}, {`CBool("0.0")`, false}, {`CBool("TRUE")`, true}, {`CBool("yes")`, fails(mapping.TypeMismatch)},

		// conditions
		{`IIF([none] <> "x", "y", "n")`, "n"}, {`IIF([empty] = "", "y", "n")`, "y"}, {`IIF([none], "y", "n")`, "n"}, {`IIF([empty], "y", "n")`, "n"}, {`IIF("False", "y", "n")`, "n"},
		{`IIF("perhaps", "y", "n")`, fails(mapping.TypeMismatch)}, {`IIF([flag] = "True", "y", )`, "y"}, {`IIF([flag] = "x", "y", )`, nil},
		{`IIF("a" = "a", "y", Error("never"))`, "y"}, {`Switch("k", Error("never"), "k", "v", "z", Error("never"))`, "v"}, {`Coalesce("a", Error("never"))`, "a"},
		{`IIF(CDate("2021-01-02") > CDate("2020-12-31"), "y", "n")`, "y"}, {`CDate("2021-01-02") = "1/2/2021 12:00:00 AM"`, true},
		{`Coalesce([empty], [none], "")`, ""}, {`Coalesce([none])`, nil}, {`Not("true")`, true}, {`Not(0)`, true}, {`IsString([n])`, true}, {`IsString([list])`, false},
		{`IsNullOrEmpty([list])`, false}, {`IsNull([empty])`, false}, {`IsNothing([none])`, true}, {`[s] & "-" & [n]`, "Ada-7"}, {`[none] & ""`, ""}, {`[none] & [none]`, nil},
		{`[list] & "x"`, fails(mapping.TypeMismatch)}, {`Switch([s], "d", , "v")`, "d"}, {`Switch([none], "d", , "v")`, "v"}, {`Switch([s], "d")`, "d"},
		{`iif("a" = "a", "y", "n")`, "y"}, {`Redact([s])`, "Ada"},

		// markers
		{`IIF([s] = "Ada", IgnoreObjectFlow, "x")`, map[string]any{"ignore": "object"}}, {`Join("-", IgnoreFlowIfNullOrEmpty([none]), "x")`, "x"},
		{`IIF("a" = "a", IgnoreFlowIfNullOrEmpty([none]), "x")`, nil}, {`Append(IIF([s] = "Ada", IgnoreAttributeFlow, "y"), "x")`, nil},
		{`IgnoreFlowIfNullOrEmpty(IgnoreObjectFlow)`, map[string]any{"ignore": "object"}},

		// text
		{`Left("a😀b", 3)`, "a😀"}, {`Left("a😀b", 2)`, "a\uFFFD"}, {`Mid("a😀b", 4, 1)`, "b"}, {`Mid("abc", 4, 1)`, "abc"}, {`Mid("abc", 0, 1)`, "abc"},
		{`Mid("abc", 1, -1)`, "abc"}, {`Mid("abc", 3, 1)`, "c"}, {`Mid("abc", 1, 9223372036854775807)`, "abc"}, {`Left("abc", 9223372036854775807)`, "abc"}, {`Left("é", 9223372036854775807)`, "é"},
		{`InStr("a😀b", "b")`, 4.0}, {`InStr("abc", "")`, 1.0}, {`InStr("", "")`, 0.0}, {`InStr("abc", "c", 9)`, 0.0}, {`InStr("abc", "a", 0)`, fails(mapping.Range)},
		{`InStr("ÀB", "b", 1, vbTextCompare)`, 2.0}, {`InStr("abc", "c", , vbBinaryCompare)`, 3.0}, {`InStr("abc", "c", 1, "x")`, fails(mapping.TypeMismatch)},
		{`ToLower("TITLE İ", "tr-TR")`, "tıtle i"}, {`ToUpper("title ı", "az")`, "TİTLE I"}, {`ToLower("İ")`, "İ"}, {`ToUpper("ı")`, "ı"}, {`ToLower("A", "en-GB")`, "a"},
		{`ToLower("A", "not a culture")`, fails(mapping.TypeMismatch)},
		{`PCase("o'neil de'silva 2nd 2ND a1b")`, "O'neil De'silva 2Nd 2Nd A1b"}, {`PCase("ǆungla")`, "ǅungla"}, {`PCase("IBM CORP")`, "Ibm Corp"}, {`PCase("a.b@c_d", "")`, "A.b@c_d"},
		{`NormalizeDiacritics("Łódź ØRSTED straße Œuvre đ")`, "Lodz OERSTED strasse OEuvre đ"}, {`NormalizeDiacritics("が한글")`, "が한글"}, {`NormalizeDiacritics("ồ")`, "o"},
		{`Word("a,,b", 2, ",")`, "b"}, {`Word("a b", 3, " ")`, ""}, {`Word("a b", 1, "")`, "a b"}, {`Word("a b", -1, " ")`, ""}, {`Trim([list])`, []any{"b", "a", "B"}},
		{`CStr([flag])`, "True"}, {`Join("; ", [list], [n])`, "b; a; B; 7"}, {`Join(",", [roles])`, fails(mapping.TypeMismatch)},

		// lists
		{`Split(" a ,, b ", ",")`, []any{"a", "", "b"}}, {`Split("a;;b", ";;")`, []any{"a", "b"}}, {`Split(" a  b ")`, []any{"a", "b"}}, {`Split("ab", "")`, []any{"ab"}},
		{`Item([s], 1)`, "Ada"}, {`Item([list], 4)`, fails(mapping.Index)}, {`Item([list], "2")`, "a"}, {`Item([list], "x")`, fails(mapping.TypeMismatch)},
		{`RemoveDuplicates([list])`, []any{"b", "a", "B"}}, {`Count(Split("a,b", ","))`, 2.0},

		// encodings
		{`ConvertFromBase64("SGVsbG8gd29ybGQh", UTF8)`, "Hello world!"}, {`ConvertFromBase64("SGVsbG8gd29ybGQh", "ascii")`, "Hello world!"}, {`ConvertFromBase64("?")`, fails(mapping.TypeMismatch)},
		{`ConvertFromBase64("SGVs", "EBCDIC")`, fails(mapping.TypeMismatch)}, {`ConvertFromBase64(ConvertToBase64("a😀"))`, "a😀"},
		{`DNComponent("CN=Joe\\, Jr,OU=Sales", 1)`, "Joe, Jr"}, {`DNComponent("CN=Joe,OU=Sales", 2)`, "Sales"}, {`DNComponent("CN=Joe", 2)`, nil}, {`DNComponent("CN=Joe", 0)`, fails(mapping.Index)},
		{`StringFromSid("AQUAAAAAAAUVAAAAFc1bBxXNWwcVzVsH9AEAAA==")`, "S-1-5-21-123456789-123456789-123456789-500"}, {`StringFromSid("S-1-5-18")`, "S-1-5-18"}, {`StringFromSid("AQU=")`, fails(mapping.TypeMismatch)},
		{`DefaultDomain()`, fails(mapping.TypeMismatch)}, {`Error("no " & [s])`, fails(mapping.Custom)},

		// random
		{`RandomString(0, 0, 0, 0, 0)`, fails(mapping.Range)}, {`RandomString(3, 2, 1, 1, 0)`, fails(mapping.Range)}, {`RandomString(3, -1, 0, 0, 0)`, fails(mapping.Range)},
		{`RandomString(4, 1, 0, 0, 0, "0123456789")`, fails(mapping.Range)}, {`RandomString([n], 8, 0, 0, 0)`, fails(mapping.Range)}, {`RandomString("x", 0, 0, 0, 0)`, fails(mapping.TypeMismatch)},

		// roles
		{`SingleAppRoleAssignment([roles])`, "Admin"}, {`SingleAppRoleAssignment("Admin")`, "Admin"}, {`SingleAppRoleAssignment([none])`, nil}, {`AppRoleAssignments([none])`, nil},
		{`SingleAppRoleAssignment([n])`, fails(mapping.TypeMismatch)},

		// SelectUniqueValue
		{`SelectUniqueValue([none], "", "c")`, "c"}, {`SelectUniqueValue("taken", "taken too")`, fails(mapping.NotUnique)}, {`SelectUniqueValue([none], "")`, nil},
		{`IIF("a" = "a", SelectUniqueValue("a", "b"), "c")`, fails(mapping.Nested)},
	} {
		env := &mapping.Env{Source: source, Taken: func(v string) (bool, error) { return strings.HasPrefix(v, "taken"), nil }}
		if diff := cmp.Diff(test.want, outcome(test.expr, env)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.expr, diff)
		}
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		source, args string
		want         any
	}{
		// what is not one of the five uses
		{"a", `, , , , , , `, fails(mapping.Arity)}, {"a", `, "a", , , , , `, fails(mapping.Arity)}, {"a", `, "a", "b", , "c", , `, fails(mapping.Arity)},
		{"a", `, , "a", , , "b", `, fails(mapping.Arity)}, {"a", `, , "a", "g", , , `, fails(mapping.Arity)}, {"a", `, "a", , , "b", , "t"`, fails(mapping.Arity)},

		// replacement patterns of .NET
		{"ab", `, , "(a)(b)", , "$2$1", , `, "ba"}, {"ab", `, , "(a)", , "$1x", , `, "axb"}, {"ab", `, , "(a)", , "$10", , `, "a0b"}, {"ab", `, , "a", , "$9", , `, "$9b"},
		{"ab", `, , "a", , "${no}", , `, "${no}b"}, {"ab", `, , "a", , "[$&]", , `, "[a]b"}, {"abc", `, , "b", , "<$` + "`" + `|$'|$_>", , `, "a<a|c|abc>c"},
		{"ab", `, , "(a)(?<n>b)", , "$+", , `, "b"}, {"ab", `, , "(?<n>a)(b)", , "$1$2", , `, "ba"}, {"ab", `, , "a", , "$", , `, "$b"}, {"ab", `, , "(a)|(b)", , "<$1>", , `, "<a><>"},

		// empty matches, as .NET walks them
		{"abc", `, , "x*", , "-", , `, "-a-b-c-"}, {"baac", `, , "a*", , "X", , `, "XbXXcX"}, {"aé", `, , "", , "-", , `, "-a-é-"}, {"ab ab", `, , "\\bab|", , "X", , `, "XX XX"},
		{"a1", `, , "^\\d*", , "#", , `, "#a1"}, {"a\nb", `, , "(?m)^", , "> ", , `, "> a\n> b"},

		// Unicode classes
		{"٣x", `, , "\\d", , "#", , `, "#x"}, {"é_", `, , "\\w", , "#", , `, "##"}, {"a\u00a0b", `, , "\\s", , "", , `, "ab"}, {"é!", `, , "\\W", , "", , `, "é"}, {"é !", `, , "[\\W]", , "", , `, "é"},
		{"é !", `, , "[^\\w]", , "", , `, "é"}, {"a b", `, , "[\\S]", , "", , `, " "}, {"a٣", `, , "[\\D]", , "", , `, "٣"}, {"a-b", `, , "[\\s-]", , "", , `, "ab"}, {"a-z", `, , "[\\w-z]", , "", , `, ""},
		{"a]b", `, , "[]]", , "", , `, "ab"}, {"a^b", `, , "[a^]", , "", , `, "b"}, {"[:alpha:]", `, , "[[:alph]", , "", , `, "]"}, {"abc", `, , "[a-b]", , "", , `, "c"},
		{"aBc", `, , "(?i)b", , "", , `, "ac"}, {"ab", `, , "(?'x'a)", , "${x}${x}", , `, "aab"}, {"ab", `, , "a(?# comment)", , "", , `, "b"}, {"aéb", `, , "\\u00e9", , "", , `, "ab"},
		{"a\x1bb", `, , "\\e", , "", , `, "ab"}, {"a-b", `, , "a\\-b", , "", , `, ""}, {"aéb", `, , "\\é", , "", , `, "ab"}, {"a.b", `, , "\\x2e", , "", , `, "ab"},

		// what cannot run, or is no pattern
		{"a", `, , "(?=a)", , "", , `, fails(mapping.Regex)}, {"a", `, , "(?<!a)", , "", , `, fails(mapping.Regex)}, {"a", `, , "(a)\\1", , "", , `, fails(mapping.Regex)},
		{"a", `, , "(?>a)", , "", , `, fails(mapping.Regex)}, {"a", `, , "[a-z-[aeiou]]", , "", , `, fails(mapping.Regex)}, {"a", `, , "\\p{IsGreek}", , "", , `, fails(mapping.Regex)},
		{"a", `, , "a\\Z", , "", , `, fails(mapping.Regex)}, {"a", `, , "\\Gb", , "", , `, fails(mapping.Regex)}, {"a", `, , "(?x)a", , "", , `, fails(mapping.Regex)}, {"a", `, , "(?n)a", , "", , `, fails(mapping.Regex)},
		{"a", `, , "(?P<n>a)", , "", , `, fails(mapping.Regex)}, {"a", `, , "[a", , "", , `, fails(mapping.Regex)}, {"a", `, , "a\\", , "", , `, fails(mapping.Regex)}, {"a", `, , "\\q", , "", , `, fails(mapping.Regex)},
		{"a", `, , "a++", , "", , `, fails(mapping.Regex)}, {"a", `, , "(?<a-b>x)", , "", , `, fails(mapping.Regex)}, {"a", `, , "(?(a)b)", , "", , `, fails(mapping.Regex)}, {"a", `, , "(((a{100}){9}){9}){9}", , "", , `, fails(mapping.Regex)},
		{"a", `, , "(?<g>a)", "other", "x", , `, fails(mapping.Regex)},

		// a group
		{"a1b2", `, , "(?<l>[a-z])\\d", "l", "X", , `, "X1X2"}, {"ab", `, , "(?<x>c)?a", "x", "Y", , `, "ab"}, {"ab", `, , "(a)", "1", "X", , `, "Xb"}, {"ab", `, , "(?<x>a)", "x", "$1", , `, "$1b"},

		// the other attribute, literals, templates
		{"given", `, , "(?<x>a)", "x", , "bab", `, "given"}, {"", `, , "(?<x>a)", "x", , "bab", `, "a"}, {"", `, , "(?<x>c)", "x", , "bab", `, nil}, {"", `, , "(?<x>c)", "x", , [none], `, nil},
		{"aa", `, "", , , "x", , `, "aa"}, {"aa", `, "a", , , [none], , `, ""}, {"x", `, "@", , , , , "<@|@>"`, "<x|x>"}, {"x", `, "@", , , , , [none]`, nil},

		// patterns that are known only when evaluated
		{"a.c", `, , [pattern], , "-", , `, "a-c"}, {"abc", `, , [bad], , "-", , `, fails(mapping.Regex)}, {"abc", `, , [none], , "-", , `, "abc"},
	} {
		env := &mapping.Env{Source: mapping.Record{"a": mapping.StringValue(test.source), "pattern": mapping.StringValue(`\.`), "bad": mapping.StringValue("(")}}
		if diff := cmp.Diff(test.want, outcome("Replace([a]"+test.args+")", env)); diff != "" {
			t.Errorf("Replace(%q%s) (-want +got):\n%s", test.source, test.args, diff)
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	admin, user := mapping.RoleValue("1", "Admin", "Administrators"), mapping.RoleValue("2", "User", "Users")
	unnamed, fallback := mapping.RoleValue("3", "", "Guests"), mapping.RoleValue("00000000-0000-0000-0000-000000000000", "", "Default Access")
	for _, test := range []struct {
		roles    []mapping.Value
		priority []string
		want     any
	}{
		{nil, nil, nil}, {[]mapping.Value{admin}, nil, "Admin"}, {[]mapping.Value{unnamed}, nil, "Guests"}, {[]mapping.Value{fallback}, nil, nil},
		{[]mapping.Value{fallback, user}, nil, "User"}, {[]mapping.Value{user, user}, nil, "User"}, {[]mapping.Value{user, admin}, nil, fails(mapping.TypeMismatch)},
		{[]mapping.Value{user, admin}, []string{"Admin", "User"}, "Admin"}, {[]mapping.Value{admin, user}, []string{"Owner", "User"}, "User"},
		{[]mapping.Value{user, admin}, []string{"Owner"}, fails(mapping.TypeMismatch)}, {[]mapping.Value{user}, []string{"Owner"}, "User"},
	} {
		env := &mapping.Env{Source: mapping.Record{"appRoleAssignments": mapping.ListValue(test.roles...)}, Priority: test.priority}
		if diff := cmp.Diff(test.want, outcome("SingleAppRoleAssignment([appRoleAssignments])", env)); diff != "" {
			t.Errorf("%v with priority %q (-want +got):\n%s", test.roles, test.priority, diff)
		}
	}
	e, err := mapping.Compile("SingleAppRoleAssignment([appRoleAssignments])")
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Eval(&mapping.Env{Source: mapping.Record{"appRoleAssignments": mapping.ListValue(user, admin)}})
	if err == nil || !strings.Contains(err.Error(), "Admin, User") || !strings.Contains(err.Error(), "priority") {
		t.Errorf("the error names neither the roles nor the way out: %v", err)
	}
}

func TestRandom(t *testing.T) {
	t.Parallel()
	for expr, form := range map[string]string{
		`RandomString(6, 3, 0, 0, 3)`:            `^[0-9a-z]{6}$`,
		`RandomString(10, 2, 2, 2, 1, "?,")`:     `^[^?,]{10}$`,
		`RandomString(3, 3, 0, 0, 0, )`:          `^[0-9]{3}$`,
		`RandomString(256, 0, 0, 256, 0)`:        `^[A-Z]{256}$`,
		`RandomString(8, 0, 0, 0, 0, "abcdefg")`: `^[0-9A-Zh-z]{8}$`,
		`Guid()`:                                 `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
	} {
		got := map[any]bool{}
		for range 20 {
			v, _ := outcome(expr, &mapping.Env{}).(string)
			if !regexp.MustCompile(form).MatchString(v) {
				t.Errorf("%s gives %q", expr, v)
			}
			got[v] = true
		}
		if len(got) < 10 {
			t.Errorf("%s gives %d different values in 20", expr, len(got))
		}
	}
	stream := func() any {
		return outcome("RandomString(12, 2, 2, 2, 2)", &mapping.Env{Random: bytes.NewReader(bytes.Repeat([]byte("entrasync"), 50))})
	}
	if a, b := stream(), stream(); a != b {
		t.Errorf("the same random bytes give %q and %q", a, b)
	}
	if got := outcome("Guid()", &mapping.Env{Random: bytes.NewReader(nil)}); !cmp.Equal(got, fails(mapping.Range)) {
		t.Errorf("without random bytes: %v", got)
	}
	if got := outcome("RandomString(4, 1, 1, 1, 1)", &mapping.Env{Random: repeating{}}); !cmp.Equal(got, fails(mapping.Range)) {
		t.Errorf("with a source that repeats one byte: %v", got)
	}
}

type repeating struct{}

func (repeating) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 0xFF
	}
	return len(p), nil
}

func TestSelectUniqueValueCannotAsk(t *testing.T) {
	t.Parallel()
	e, err := mapping.Compile(`SelectUniqueValue("a", "b")`)
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("target is down")
	_, err = e.Eval(&mapping.Env{Now: time.Now(), Taken: func(string) (bool, error) { return false, cause }})
	if !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause", err)
	}
}

func TestFunctionTable(t *testing.T) {
	t.Parallel()
	for _, f := range mapping.Functions() {
		if f.Doc == "" || !strings.HasPrefix(f.Signature, f.Name+"(") {
			t.Errorf("%s is not documented: %+v", f.Name, f)
		}
		text, ok := samples[f.Name]
		if !ok {
			t.Errorf("no sample of %s: add a call of it to samples in bench_test.go", f.Name)
			continue
		}
		if got, failed := outcome(text, sampleEnv()).(map[string]any); failed {
			t.Errorf("%s: %v", text, got)
		}
	}
}
