package desired_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
)

func TestGroupList(t *testing.T) {
	t.Parallel()
	id, err := graphsync.ParseID("3ee357da-0f4e-4a90-af5e-e29e59de9f78")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		entry, name string
		want        bool
	}{
		{"3EE357DA-0f4e-4a90-af5e-e29e59de9f78", "Sales", true},
		{"sales", "Sales", true},
		{"Sale", "Sales", false},
		{"Sale*", "Sales", true},
		{"Sales*", "Sales", true},
		{"*sales", "EMEA Sales", true},
		{"*", "", true},
		{"", "Sales", false},
		{"app-*-prod", "APP-crm-Prod", true},
		{"app-*-prod", "app-prod", false}, // the hyphen cannot be both
		{"a*a", "a", false},
		{"*a*b*", "xbya", false},
		{"*a*b*", "xaybz", true},
		{"a*b*ab", "abab", true},
		{"[a-z]*", "b", false}, // nothing but * is special
		{"grüße*", "GRÜSSE", false},
		{"grün*", "GRÜN1", true},
		{"3ee357da*", "Sales", false}, // a pattern is one of names
	} {
		if got := (desired.GroupList{"none", tt.entry}).Has(id, tt.name); got != tt.want {
			t.Errorf("%q has %q: %v", tt.entry, tt.name, got)
		}
	}
}

// A pattern is what a regular expression with .* in place of each star is.
func TestGroupPattern(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		pattern := rapid.StringOfN(rapid.SampledFrom([]rune("aB*")), 0, 8, -1).Draw(rt, "pattern") + "*" + rapid.StringOfN(rapid.SampledFrom([]rune("aB*")), 0, 4, -1).Draw(rt, "more")
		name := rapid.StringOfN(rapid.SampledFrom([]rune("aAbB")), 0, 10, -1).Draw(rt, "name")
		want := regexp.MustCompile("(?i)^" + strings.ReplaceAll(pattern, "*", ".*") + "$").MatchString(name)
		if got := (desired.GroupList{pattern}).Has(graphsync.ID{1}, name); got != want {
			rt.Fatalf("%q has %q: %v, want %v", pattern, name, got, want)
		}
	})
}
