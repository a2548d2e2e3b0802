package ldap

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"pgregory.net/rapid"

	"entrasync/target"
)

// The example of Microsoft's own documentation of objectGUID and its text.
func TestObjectGUID(t *testing.T) {
	t.Parallel()
	ad := flavors["ad"]
	octets, _ := hex.DecodeString("8b2e1d6b3c4f5a4d9e0fa1b2c3d4e5f6")
	const text = "6b1d2e8b-4f3c-4d5a-9e0f-a1b2c3d4e5f6"
	if got := ad.idOf(octets); got != text {
		t.Errorf("got %s, want %s", got, text)
	}
	if got, ok := ad.byID(text); !ok || got != `(objectGUID=\8b\2e\1d\6b\3c\4f\5a\4d\9e\0f\a1\b2\c3\d4\e5\f6)` {
		t.Errorf("got %q, %v", got, ok)
	}
	if got := ad.idOf(octets[:15]); got != "" {
		t.Errorf("15 octets became %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		guid := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "guid")
		if string(swapped(swapped(guid))) != string(guid) {
			t.Fatalf("%x does not come back", guid)
		}
	})
	for _, id := range []string{"", "*", "{" + text + "}", "urn:uuid:" + text, strings.ReplaceAll(text, "-", ""), text + ")(uid=*"} {
		for name, f := range flavors {
			if filter, ok := f.byID(id); ok {
				t.Errorf("%s: %q became %q", name, id, filter)
			}
		}
	}
}

func TestAccountControl(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]struct {
		off      bool
		on, off2 string
	}{
		"512":         {false, "512", "514"},
		"514":         {true, "512", "514"},
		"66050":       {true, "66048", "66050"}, // the password does not expire
		"-2147483648": {false, "-2147483648", "-2147483646"},
	} {
		flags, off, ok := disabled(value)
		if !ok || off != want.off || switched(flags, true) != want.on || switched(flags, false) != want.off2 {
			t.Errorf("%s: %v, %v, %s, %s", value, off, ok, switched(flags, true), switched(flags, false))
		}
	}
	for _, value := range []string{"", "x", "0x200"} {
		if _, _, ok := disabled(value); ok {
			t.Errorf("%q is taken for flags", value)
		}
	}
}

func TestPasswordOf(t *testing.T) {
	t.Parallel()
	if got := hex.EncodeToString([]byte(passwordOf("aü"))); got != "22006100fc002200" {
		t.Errorf("got %s", got)
	}
	one, other := randomPassword(), randomPassword()
	if one == other || len(one) < 30 {
		t.Errorf("got %q and %q", one, other)
	}
}

func TestAccountName(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]bool{
		"ada": false, strings.Repeat("a", 20): false, strings.Repeat("ü", 20): false, strings.Repeat("a", 21): true,
		"ada@example.com": true, `a\b`: true, "a*": true, "a\tb": true, "ada.": true, "a.b": false, "a b": false,
	} {
		err := accountName("create user", target.User, "userName", name)
		if (err != nil) != refused {
			t.Errorf("%q: %v", name, err)
		}
		if err != nil && (target.CodeOf(err) != target.Rejected || err.(*target.Error).Attribute != "userName" || err.(*target.Error).Hint == "") {
			t.Errorf("%q: %#v", name, err)
		}
	}
	if err := accountName("create group", target.Group, "displayName", strings.Repeat("a", 200)); err != nil {
		t.Error(err)
	}
}

func TestRangeOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]valueRange{
		"member;range=0-1499":    {attribute: "member", next: 1500},
		"member;range=1500-2999": {attribute: "member", next: 3000},
		"member;range=3000-*":    {attribute: "member", last: true},
	} {
		if got, ok := rangeOf(name); !ok || got != want {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
	for _, name := range []string{"member", "member;binary", "member;range=", "member;range=0", "member;range=0-x", "member;range=0--5"} {
		if got, ok := rangeOf(name); ok {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What Active Directory says, as its documentation and its answers have it, and what is made of it.
func TestAnswersOfActiveDirectory(t *testing.T) {
	t.Parallel()
	a := &Adapter{users: &section{}}
	for text, c := range map[string]struct {
		code uint16
		want target.Code
		word string // of message and hint
	}{
		"0000052D: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0":                                               {53, target.Rejected, "users.password"},
		"0000001F: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0":                                               {53, target.Rejected, "start_tls"},
		"000021C8: AtrErr: DSID-03200EB5, #1: 0: 000021C8: DSID-03200EB5, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 90290": {19, target.Conflict, "unique"},
		"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 52e, v3839":                                {49, target.Unauthorized, "the password is wrong"},
		"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 532, v3839":                                {49, target.Unauthorized, "expired"},
		"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 775, v3839":                                {49, target.Unauthorized, "locked"},
		"000004DC: LdapErr: DSID-0C0907E1, comment: In order to perform this operation a successful bind must be completed":      {1, target.Unauthorized, "bind_dn"},
		"00002028: LdapErr: DSID-0C090259, comment: The server requires binds to turn on integrity checking":                     {8, target.Untrusted, "ldaps"},
		"0000202B: RefErr: DSID-03100781, data 0, 1 access points":                                                               {10, target.Forbidden, "url"},
		"00000005: SecErr: DSID-03152E29, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0":                                           {50, target.Forbidden, "right"},
	} {
		got := a.translated(c.code, &ldap.Error{ResultCode: c.code, Err: errors.New(text)})
		if got.Code != c.want || !strings.Contains(got.Message+got.Hint, c.word) {
			t.Errorf("%s: %s, %s (%s)", text, got.Code, got.Message, got.Hint)
		}
	}
	in := &ldap.Error{ResultCode: 68, Err: errors.New("00000562: UpdErr: DSID-031A1261, problem 6005 (ENTRY_EXISTS), data 0")}
	out := &ldap.Error{ResultCode: 53, Err: errors.New("00000561: SvcErr: DSID-031A1261, problem 5003 (WILL_NOT_PERFORM), data 0")}
	if !memberIn(in) || memberIn(out) || !memberOut(out) || memberOut(in) || memberOut(&ldap.Error{ResultCode: 53, Err: errors.New("0000052D: SvcErr")}) {
		t.Error("members that are there and that are not are mixed up")
	}
}
