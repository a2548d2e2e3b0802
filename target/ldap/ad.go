package ldap

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/google/uuid"

	"entrasync/target"
)

// A flavor is a kind of server.
type flavor struct {
	ad   bool
	id   string // attribute that identifies an entry
	name string // attribute with the entry's name
}

var flavors = map[string]flavor{
	"openldap": {id: "entryUUID", name: "entryDN"},
	"ad":       {ad: true, id: "objectGUID", name: "distinguishedName"},
}

// idOf is the id of an entry as text, "" where the value is none.
func (f flavor) idOf(value []byte) string {
	if !f.ad {
		return string(value)
	}
	id, err := uuid.FromBytes(swapped(value))
	if err != nil {
		return ""
	}
	return id.String()
}

// byID is the filter for an id. ok is false for a text that no entry can have as its id.
func (f flavor) byID(id string) (filter string, ok bool) {
	parsed, err := uuid.Parse(id)
	if err != nil || len(id) != 36 {
		return "", false
	}
	if !f.ad {
		return equals(f.id, id), true
	}
	var b strings.Builder
	for _, octet := range swapped(parsed[:]) {
		fmt.Fprintf(&b, "\\%02x", octet)
	}
	return "(" + f.id + "=" + b.String() + ")", true
}

// swapped turns a GUID as a directory keeps it into a UUID and back: the first three parts have the other order of bytes
// ([MS-DTYP], section 2.3.4.2).
func swapped(guid []byte) []byte {
	if len(guid) != 16 {
		return nil
	}
	out := make([]byte, 16)
	copy(out[8:], guid[8:])
	binary.BigEndian.PutUint32(out, binary.LittleEndian.Uint32(guid))
	binary.BigEndian.PutUint16(out[4:], binary.LittleEndian.Uint16(guid[4:]))
	binary.BigEndian.PutUint16(out[6:], binary.LittleEndian.Uint16(guid[6:]))
	return out
}

// Flags of userAccountControl ([MS-ADTS], section 2.2.16).
const (
	accountControl  = "userAccountControl"
	accountDisabled = 0x2
	normalAccount   = 0x200
)

// disabled reads userAccountControl.
func disabled(value string) (flags int64, off, ok bool) {
	flags, err := strconv.ParseInt(value, 10, 64)
	return flags, flags&accountDisabled != 0, err == nil
}

// switched is userAccountControl with the flag set or not, and the others as they are.
func switched(flags int64, on bool) string {
	if on {
		return strconv.FormatInt(flags&^accountDisabled, 10)
	}
	return strconv.FormatInt(flags|accountDisabled, 10)
}

// passwordOf is a password in the form of unicodePwd: quoted, as UTF-16 with the low byte first ([MS-ADTS], section 3.1.1.3.1.5).
func passwordOf(text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(`"` + text + `"`)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return string(out)
}

// randomPassword has 192 random bits, and characters of each class that a policy may ask for.
func randomPassword() string {
	random := make([]byte, 24)
	_, _ = rand.Read(random) // never fails
	return "aA1!" + base64.RawURLEncoding.EncodeToString(random)
}

// Longest account names of Active Directory: sAMAccountName of a user ([MS-SAMR], section 3.1.1.8.4), and of a group.
const (
	longestUser  = 20
	longestGroup = 256
)

// accountName refuses a sAMAccountName that Active Directory does not take, with what to do.
func accountName(op string, kind target.Kind, path, value string) error {
	most := longestUser
	if kind == target.Group {
		most = longestGroup
	}
	switch {
	case len([]rune(value)) > most:
		return refusal(op, path, fmt.Sprintf("sAMAccountName has at most %d characters, and %q has %d", most, target.Clean(value), len([]rune(value))),
			"map it by an expression that shortens it, such as Left([mailNickname], 20), or map userPrincipalName and leave sAMAccountName to the directory")
	case strings.ContainsAny(value, "\"/\\[]:;|=,+*?<>@") || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' }):
		return refusal(op, path, fmt.Sprintf("sAMAccountName %q has a character that Active Directory does not take in it", target.Clean(value)),
			`map it by an expression without "/\[]:;|=,+*?<>@, such as [mailNickname]; addresses belong into userPrincipalName`)
	case strings.HasSuffix(value, "."):
		return refusal(op, path, fmt.Sprintf("sAMAccountName %q ends in a period", target.Clean(value)), "map it by an expression that leaves it away")
	}
	return nil
}

// A valueRange is a part of the values of an attribute: member;range=0-1499 ([MS-ADTS], section 3.1.1.3.1.3.3).
type valueRange struct {
	attribute string
	next      int // number of the first value that is not in it
	last      bool
}

// rangeOf reads the name of an attribute as an answer has it. ok is false for one without a range.
func rangeOf(name string) (r valueRange, ok bool) {
	attribute, option, found := strings.Cut(name, ";range=")
	if !found {
		return valueRange{}, false
	}
	_, end, found := strings.Cut(option, "-")
	if end == "*" && found {
		return valueRange{attribute: attribute, last: true}, true
	}
	high, err := strconv.Atoi(end)
	if err != nil || high < 0 {
		return valueRange{}, false
	}
	return valueRange{attribute: attribute, next: high + 1}, true
}
