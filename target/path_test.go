package target_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"entrasync/target"
)

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

func path(t testing.TB, text string) target.Path {
	t.Helper()
	p, err := target.ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func object(t testing.TB, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, schema, name, sub string }{
		{"userName", "", "userName", ""},
		{"name.givenName", "", "name", "givenName"},
		{"members.$ref", "", "members", "$ref"},
		{`emails[type eq "work"].value`, "", "emails", "value"},
		{`emails[type eq "a]b\"c" and primary eq true].value`, "", "emails", "value"},
		{`addresses[type eq "work"]`, "", "addresses", ""},
		{enterprise + ":department", enterprise, "department", ""},
		{enterprise + ":manager.value", enterprise, "manager", "value"},
		{"urn:ietf:params:scim:schemas:core:2.0:User:name.givenName", "", "name", "givenName"},
		{"urn:ietf:params:scim:schemas:extension:acme:2.0:Metadata:key", "urn:ietf:params:scim:schemas:extension:acme:2.0:Metadata", "key", ""},
		{`urn:x:roles[value eq "a:b"].display`, "urn:x", "roles", "display"},
		{"urn:ietf:params:scim:schemas:extension:2.0:CustomExtensionName:folders", "urn:ietf:params:scim:schemas:extension:2.0:CustomExtensionName", "folders", ""},
	} {
		p := path(t, tt.text)
		if p.String() != tt.text || p.Schema() != tt.schema || p.Name() != tt.name || p.Sub() != tt.sub {
			t.Errorf("%s: got %q %q %q %q", tt.text, p, p.Schema(), p.Name(), p.Sub())
		}
	}
}

func TestParsePathErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                        "it is empty",
		"user name":                               "column 5: \" name\" after the attribute's end",
		"emails[type eq work].value":              `column 16: work has to be in double quotes: eq "work"`,
		"emails[type eq 'work'].value":            `eq "work"`,
		`emails[type = "work"].value`:             `column 13: "=" is not an operator; write eq`,
		`emails[type eg "work"].value`:            `"eg" is not an operator; use one of eq`,
		`emails[type eq "work".value`:             "] is missing; the bracket was opened in column 7",
		`emails[type eq "work].value`:             "column 16: the quote is not closed",
		`emails[work].value`:                      `a filter is written [type eq "work"]`,
		`emails[type co "w"].value`:               "only eq and and can be used here",
		`emails[type eq "a" or type eq "b"]`:      "only eq and and can be used here",
		`emails[type eq "a" and type eq "b"]`:     "two values of type",
		"emails.work.value":                       `emails[type eq "work"].value`,
		`name.x[type eq "work"]`:                  "before the sub-attribute",
		"enterprise:department":                   "whole URN",
		enterprise + ":":                          "an attribute name is missing",
		"urn:ietf:params:scim:schemas:core:2.0":   `column 35: '2' cannot be in an attribute name`,
		"n\u00e4me":                               "column 2: 'ä' cannot",
		`emails[type eq "work"].va lue`:           "after the attribute's end",
		`emails[` + strings.Repeat("(", 99) + `]`: "nested more than 32 deep",
	} {
		_, err := target.ParsePath(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestPathGet(t *testing.T) {
	t.Parallel()
	attrs := object(t, `{"UserName":"ada","name":{"givenName":"Ada"},"active":true,
		"emails":[{"type":"home","value":"h"},{"Type":"Work","value":"w","primary":"True"}],
		"roles":["a","b"],"manager":"m1",
		"`+strings.ToUpper(enterprise)+`":{"department":"Sales","manager":{"value":"m2"}}}`)
	for text, want := range map[string]any{
		"username":       "ada",
		"name.givenName": "Ada",
		"urn:ietf:params:scim:schemas:core:2.0:User:active": true,
		`emails[type eq "work"].value`:                      "w",
		`emails[primary eq true].value`:                     "w",
		`emails[type eq "other"].value`:                     nil,
		"emails.value":                                      []any{"h", "w"},
		`roles[value eq "b"].value`:                         "b",
		"manager.value":                                     "m1",
		enterprise + ":department":                          "Sales",
		enterprise + ":manager.value":                       "m2",
		"department":                                        nil,
		"urn:other:department":                              nil,
	} {
		if diff := cmp.Diff(want, path(t, text).Get(attrs)); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	if got := (target.Path{}).Get(attrs); got != nil {
		t.Errorf("the zero path reads %v", got)
	}
}

func TestPathSet(t *testing.T) {
	t.Parallel()
	type step struct {
		path  string
		value any
	}
	for _, tt := range []struct {
		name, before string
		steps        []step
		after        string
	}{
		{"nested and extension", `{}`, []step{{"name.givenName", "Ada"}, {enterprise + ":department", "Sales"}},
			`{"name":{"givenName":"Ada"},"` + enterprise + `":{"department":"Sales"}}`},
		{"elements carry their filter", `{}`, []step{{`emails[type eq "work"].value`, "a"}, {`emails[type eq "work"].display`, "A"}, {`emails[type eq "home"].value`, "b"}},
			`{"emails":[{"type":"work","value":"a","display":"A"},{"type":"home","value":"b"}]}`},
		{"a boolean written as text", `{}`, []step{{`roles[primary eq "True"].value`, "Admin"}},
			`{"roles":[{"primary":true,"value":"Admin"}]}`},
		{"two conditions", `{}`, []step{{`emails[type eq "work" and primary eq true].value`, "a"}},
			`{"emails":[{"type":"work","primary":true,"value":"a"}]}`},
		{"an element as a whole", `{}`, []step{{`addresses[type eq "work"]`, map[string]any{"locality": "Bern"}}},
			`{"addresses":[{"type":"work","locality":"Bern"}]}`},
		{"the server's spelling stays", `{"UserName":"a","Emails":[{"Type":"Work","Value":"a"}]}`, []step{{"userName", "b"}, {`emails[type eq "work"].value`, "b"}},
			`{"UserName":"b","Emails":[{"Type":"Work","Value":"b"}]}`},
		{"removal takes what is left empty", `{"name":{"givenName":"Ada"},"title":"x","` + enterprise + `":{"department":"Sales"},"emails":[{"type":"work","value":"a"}]}`,
			[]step{{"name.givenName", nil}, {"title", nil}, {enterprise + ":department", nil}, {`emails[type eq "work"].value`, nil}, {"absent.sub", nil}, {"urn:none:x", nil}},
			`{}`},
		{"removal leaves the rest", `{"name":{"givenName":"Ada","familyName":"L"},"addresses":[{"type":"work","locality":"Bern","country":"CH"},{"type":"home","locality":"Thun"}]}`,
			[]step{{"name.givenName", nil}, {`addresses[type eq "work"].locality`, nil}, {`addresses[type eq "home"]`, nil}},
			`{"name":{"familyName":"L"},"addresses":[{"type":"work","country":"CH"}]}`},
		{"a list's elements together", `{"roles":[{"value":"a"},{"value":"b"}]}`, []step{{"roles.type", "x"}},
			`{"roles":[{"value":"a","type":"x"},{"value":"b","type":"x"}]}`},
	} {
		attrs := object(t, tt.before)
		for _, s := range tt.steps {
			path(t, s.path).Set(attrs, s.value)
		}
		if diff := cmp.Diff(object(t, tt.after), attrs); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestPathSetCopies(t *testing.T) {
	t.Parallel()
	list := []any{map[string]any{"value": "a", "type": "work"}}
	attrs := map[string]any{}
	path(t, "emails").Set(attrs, list)
	path(t, `emails[type eq "work"].value`).Set(attrs, "b")
	if got := list[0].(map[string]any)["value"]; got != "a" {
		t.Errorf("the caller's list was changed to %v", got)
	}
}

func TestPathEqual(t *testing.T) {
	t.Parallel()
	for _, same := range [][2]string{
		{"userName", "USERNAME"},
		{"userName", "urn:ietf:params:scim:schemas:core:2.0:User:userName"},
		{`emails[type eq "work"].value`, `emails[ type  EQ "work" ].value`},
	} {
		if !path(t, same[0]).Equal(path(t, same[1])) {
			t.Errorf("%s and %s differ", same[0], same[1])
		}
	}
	if path(t, `emails[type eq "work"].value`).Equal(path(t, `emails[type eq "home"].value`)) {
		t.Error("work and home are equal")
	}
	if got := path(t, `urn:ietf:params:scim:schemas:core:2.0:User:roles[Primary EQ "True" and  type eq "x"].value`).Canonical(); got != `roles[Primary eq true and type eq "x"].value` {
		t.Errorf("canonical form is %s", got)
	}
	if got := path(t, enterprise+`:x[type eq "a"].value`).Whole().String(); got != enterprise+":x" {
		t.Errorf("whole attribute is %s", got)
	}
}

func TestHolds(t *testing.T) {
	t.Parallel()
	attrs := object(t, `{"id":"Ab","externalId":"Xy","userName":"Ada@X.example","emails":[{"value":"A@x.example"}],"active":true}`)
	for _, tt := range []struct {
		path, value string
		want        bool
	}{
		{"userName", "ada@x.EXAMPLE", true}, {"userName", "ada", false},
		{"externalId", "Xy", true}, {"externalId", "xy", false}, {"id", "ab", false},
		{"emails.value", "a@x.example", true}, {"emails", "a@x.example", true}, {"active", "True", true}, {"title", "", false},
	} {
		if got := path(t, tt.path).Holds(attrs, tt.value); got != tt.want {
			t.Errorf("%s holds %q: %v", tt.path, tt.value, got)
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		path, want, got string
		same            bool
	}{
		{"active", `true`, `"True"`, true}, {"active", `false`, `true`, false}, {"active", `false`, `null`, false},
		{"userName", `"A@x"`, `"a@x"`, true}, {"displayName", `"Ada"`, `"ada"`, false},
		{"title", `null`, `""`, true}, {"title", `"x"`, `null`, false}, {"employeeNumber", `7`, `"7"`, true},
		{`phoneNumbers[type eq "work"].value`, `"+41 31 555"`, `"tel:+41-31-555"`, true},
		{"roles", `["a","b"]`, `[{"value":"b"},{"value":"a","type":"x"}]`, true}, {"roles", `["a"]`, `["a","b"]`, false},
		{enterprise + ":manager", `{"value":"m"}`, `{"value":"m","displayName":"M"}`, true}, {enterprise + ":manager", `{"value":"m"}`, `"m"`, true},
		{"name", `{"givenName":"a"}`, `{"givenName":"b"}`, false}, {"folders", `[]`, `null`, true}, {"folders", `["a"]`, `"a"`, true}, {"folders", `"a"`, `["a"]`, true},
	} {
		var want, got any
		if json.Unmarshal([]byte(tt.want), &want) != nil || json.Unmarshal([]byte(tt.got), &got) != nil {
			t.Fatal(tt)
		}
		if same := path(t, tt.path).Same(want, got); same != tt.same {
			t.Errorf("%s: %s and %s: same is %v", tt.path, tt.want, tt.got, same)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"userName", `emails[type eq "work"].value`, `roles[primary eq "True"].value`, enterprise + ":manager", `a[b eq 1.5e3 and $c eq "\u00e4"]`, `x[y eq "\ud800"]`} {
		f.Add(seed, "v")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		p, err := target.ParsePath(text)
		if err != nil {
			if !p.Equal(target.Path{}) {
				t.Fatal("an error and a path")
			}
			return
		}
		again, err := target.ParsePath(p.String())
		if err != nil || !again.Equal(p) {
			t.Fatalf("%q read again: %v", text, err)
		}
		attrs := map[string]any{}
		p.Set(attrs, value)
		if selfContradicting(p) {
			return
		}
		if got := p.Get(attrs); value != "" && got == nil {
			t.Fatalf("%q: nothing where %q was written: %v", text, value, attrs)
		}
		p.Set(attrs, nil)
		if p.Sub() != "" && len(attrs) != 0 {
			t.Fatalf("%q: %v is left", text, attrs)
		}
	})
}

// selfContradicting tells paths such as x[type eq "a"].type, whose value is their filter's.
func selfContradicting(p target.Path) bool {
	lower := strings.ToLower(p.String())
	return p.Filtered() && (p.Sub() == "" || strings.Contains(lower[:strings.LastIndex(lower, "]")], strings.ToLower(p.Sub())))
}

func BenchmarkPathGet(b *testing.B) {
	attrs := object(b, `{"userName":"a","name":{"givenName":"x"},"emails":[{"type":"home","value":"h"},{"type":"work","value":"w"}]}`)
	for _, text := range []string{"userName", "name.givenName", `emails[type eq "work"].value`, "title"} {
		p := path(b, text)
		b.Run(text, func(b *testing.B) {
			for b.Loop() {
				p.Get(attrs)
			}
		})
	}
}

func BenchmarkPathSet(b *testing.B) {
	for _, text := range []string{"userName", "name.givenName", `emails[type eq "work"].value`} {
		p := path(b, text)
		b.Run(text, func(b *testing.B) {
			for b.Loop() {
				p.Set(map[string]any{}, "x")
			}
		})
	}
}
