package target_test

import (
	"strings"
	"testing"

	"entrasync/target"
)

func TestFilterMatch(t *testing.T) {
	t.Parallel()
	attrs := object(t, `{"userName":"Root@Example.com","externalId":"aB","userType":"Service","active":true,"loginMethod":"built-in","level":7,
		"emails":[{"type":"work","value":"a@x.example"},{"type":"home","value":"b@y.example"}],"roles":["admin"],
		"`+enterprise+`":{"department":"Sales","manager":{"value":"m"}}}`)
	for text, want := range map[string]bool{
		`userName eq "root@example.com"`:                      true,
		`USERNAME EQ "root@example.com"`:                      true,
		`userType eq "service" and active eq true`:            true,
		`userType eq "service" and active eq false`:           false,
		`active eq "True"`:                                    true,
		`loginMethod eq "built-in"`:                           true,
		`externalId eq "ab"`:                                  false,
		`externalId sw "a"`:                                   true,
		`userName co "@" and userName ew ".com"`:              true,
		`level gt 6 and level le 7`:                           true,
		`level gt "6"`:                                        false,
		`title pr`:                                            false,
		`emails pr`:                                           true,
		`title eq null`:                                       true,
		`title ne "x"`:                                        true,
		`not (userType eq "service")`:                         false,
		`not(title pr)`:                                       true,
		`title pr or active eq true and level eq 0`:           false,
		`(title pr or active eq true) and level eq 7`:         true,
		`emails[type eq "work" and value co "@x"]`:            true,
		`emails[type eq "home" and value co "@x"]`:            false,
		`emails[type eq "work"].value ew "x.example"`:         true,
		`emails.value eq "b@y.example"`:                       true,
		`emails co "@y"`:                                      true,
		`roles eq "ADMIN"`:                                    true,
		enterprise + `:department eq "sales"`:                 true,
		enterprise + `:manager eq "m"`:                        true,
		`urn:ietf:params:scim:schemas:core:2.0:User:title pr`: false,
	} {
		f, err := target.ParseFilter(text)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := f.Match(attrs); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if (target.Filter{}).Match(attrs) {
		t.Error("the zero filter matches")
	}
}

func TestParseFilterErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`userName`:                     "column 9: a comparison is missing after userName",
		`userName eq`:                  "a value is missing after eq, in double quotes",
		`userName eq root`:             `root has to be in double quotes: eq "root"`,
		`userName == "x"`:              "write eq",
		`userName eq "x" active pr`:    `where and, or or the end was expected`,
		`(userName eq "x"`:             "the parenthesis of column 1 is not closed",
		`not userName pr`:              "not needs parentheses",
		`a eq "\q"`:                    "is not a text",
		strings.Repeat("(", 100_000):   "longer than 8192 bytes",
		strings.Repeat("not (", 1_000): "nested more than 32 deep",
	} {
		_, err := target.ParseFilter(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s\n got %v\nwant %s", text, err, want)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{`userName eq "x"`, `not (a pr) or b sw "x" and c gt 3`, `emails[type eq "work" and value co "@x"]`, `a eq null`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := target.ParseFilter(text)
		attrs := map[string]any{"userName": "x", "emails": []any{map[string]any{"type": "work"}, "x", 1.0}, "a": nil}
		if err != nil {
			if parsed.Match(attrs) {
				t.Fatal("an error and a filter")
			}
			return
		}
		again, err := target.ParseFilter(parsed.String())
		if err != nil || again.Match(attrs) != parsed.Match(attrs) {
			t.Fatalf("%q read again: %v", text, err)
		}
	})
}
