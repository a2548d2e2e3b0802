package ldap

import (
	"testing"

	"github.com/go-ldap/ldap/v3"
	"pgregory.net/rapid"
)

// Whatever a value holds, a filter asks for that value of that attribute and for nothing else.
func TestFiltersAreEscaped(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.StringMatching(`[*()\\|&=!\x00a]{0,8}`)).Draw(t, "value")
		packet, err := ldap.CompileFilter(equals("uid", value))
		if err != nil {
			t.Fatal(err)
		}
		if packet.Tag != ldap.FilterEqualityMatch {
			if value == "" {
				t.Skip("an empty value is refused before")
			}
			t.Fatalf("%q became a filter of kind %d", value, packet.Tag)
		}
		if got := packet.Children[1].Data.String(); got != value {
			t.Fatalf("%q became %q", value, got)
		}
	})
}

// Whatever a value holds, it names one entry directly below the base.
func TestNamesAreEscaped(t *testing.T) {
	t.Parallel()
	const base = "ou=people,dc=example"
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.StringN(1, 20, -1), rapid.StringMatching(`[ #,+"\\<>;=\x00a]{1,8}`)).Draw(t, "value")
		name := avaOf("uid", value) + "," + base
		rdn, above, err := split(name)
		if err != nil {
			t.Fatalf("%q became %q: %v", value, name, err)
		}
		if above != base || len(rdn.Attributes) != 1 {
			t.Fatalf("%q became %q, below %q with %d parts", value, name, above, len(rdn.Attributes))
		}
		if got, ok := namedBy(rdn, "UID"); !ok || got != value {
			t.Fatalf("%q became %q", value, got)
		}
		if !below(name, base) || below(base, name) || nameKey(name) == nameKey(base) {
			t.Fatalf("%q is not below its base", name)
		}
	})
}

func TestNameKey(t *testing.T) {
	t.Parallel()
	for _, same := range [][2]string{
		{"uid=Ada,ou=People,dc=example", "UID=ada, OU=people, DC=example"},
		{`cn=\C5\BB\C3\B3\C5\82\C4\87,dc=example`, "cn=żółć,dc=example"},
		{`cn=a+uid=b,dc=example`, `uid=B+cn=A,dc=example`},
		{`cn=a\,b,dc=example`, `cn=a\2cb,dc=example`},
	} {
		if nameKey(same[0]) != nameKey(same[1]) {
			t.Errorf("%q and %q: %q and %q", same[0], same[1], nameKey(same[0]), nameKey(same[1]))
		}
	}
	if nameKey("cn=a,dc=example") == nameKey(`cn=a\,dc=example`) {
		t.Error("two names have one key")
	}
}

func TestRenamed(t *testing.T) {
	t.Parallel()
	rdn, _, err := split("cn=Ada+uid=ada,dc=example")
	if err != nil {
		t.Fatal(err)
	}
	if text, same := renamed(rdn, "UID", "lovelace, a"); text != `cn=Ada+uid=lovelace\, a` || same {
		t.Errorf("got %q, %v", text, same)
	}
	if text, same := renamed(rdn, "cn", "Ada"); text != "cn=Ada+uid=ada" || !same {
		t.Errorf("got %q, %v", text, same)
	}
}
