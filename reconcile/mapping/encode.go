package mapping

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
)

func evalToBase64(r *run, n *call) (Value, error) {
	return n.mapText(r, func(s string) string {
		units := utf16.Encode([]rune(s))
		raw := make([]byte, 0, 2*len(units))
		for _, unit := range units {
			raw = binary.LittleEndian.AppendUint16(raw, unit)
		}
		return base64.StdEncoding.EncodeToString(raw)
	})
}

func evalFromBase64(r *run, n *call) (Value, error) {
	encoding, ok, err := n.str(r, 1)
	if err != nil {
		return Value{}, err
	}
	if !ok {
		encoding = "Unicode"
	}
	v, err := n.arg(r, 0)
	if err != nil {
		return Value{}, err
	}
	return n.each(r, v, func(s string) (Value, error) {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
		if err != nil {
			return Value{}, n.fail(TypeMismatch, "%s is not Base64", r.quote(s))
		}
		switch strings.ToLower(encoding) {
		case "unicode":
			units := make([]uint16, len(raw)/2)
			for i := range units {
				units[i] = binary.LittleEndian.Uint16(raw[2*i:])
			}
			text := string(utf16.Decode(units))
			if len(raw)%2 != 0 {
				text += "\uFFFD"
			}
			return StringValue(text), nil
		case "utf8", "utf-8":
			return StringValue(strings.ToValidUTF8(string(raw), "\uFFFD")), nil
		case "ascii":
			for i, b := range raw {
				if b > 127 {
					raw[i] = '?'
				}
			}
			return StringValue(string(raw)), nil
		}
		return Value{}, n.fail(TypeMismatch, "%.40q is not an encoding; they are Unicode, ASCII and UTF8", encoding)
	})
}

func evalToUTF8Hex(r *run, n *call) (Value, error) {
	return n.mapText(r, func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) })
}

func evalGuid(r *run, n *call) (Value, error) {
	var b [16]byte
	if _, err := io.ReadFull(r.random(), b[:]); err != nil {
		return Value{}, n.fail(Range, "no random bytes: %v", err)
	}
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80 // version 4 (RFC 9562, section 5.4)
	return StringValue(fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])), nil
}

// The sorts of characters of a random string.
const (
	digits   = "0123456789"
	specials = "!@#$%^&*()-_=+[]{};:,.<>?/|~"
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	smalls   = "abcdefghijklmnopqrstuvwxyz"

	maxRandom = 256
)

// randomCounts checks the five numbers: length, then the least of each sort in the order of
// the parameters.
func (n *call) randomCounts(counts []int64) error {
	sum := int64(0)
	for i, count := range counts {
		if count < 0 || i > 0 && count > maxRandom {
			return n.fail(Range, "%s of RandomString is %d", n.param(i), count)
		}
		if i > 0 {
			sum += count
		}
	}
	switch length := counts[0]; {
	case length < 1 || length > maxRandom:
		return n.fail(Range, "Length of RandomString is %d; it must be from 1 to %d", length, maxRandom)
	case sum > length:
		return n.fail(Range, "RandomString of %d characters cannot hold the %d asked for", length, sum)
	}
	return nil
}

func checkRandomString(n *call) error {
	counts := make([]int64, 5)
	for i := range counts {
		c, ok := n.args[i].(*constant)
		if !ok {
			return nil
		}
		var err error
		if counts[i], _, err = (&call{fn: n.fn, of: n.of, args: n.args[:i+1]}).integer(&run{}, i); err != nil {
			return err
		}
		if c.value.IsNull() {
			return nil
		}
	}
	return n.randomCounts(counts)
}

func evalRandomString(r *run, n *call) (Value, error) {
	counts := make([]int64, 5)
	for i := range counts {
		var ok bool
		var err error
		if counts[i], ok, err = n.integer(r, i); err != nil || !ok {
			return Value{}, err
		}
	}
	if err := n.randomCounts(counts); err != nil {
		return Value{}, err
	}
	avoid, _, err := n.str(r, 5)
	if err != nil {
		return Value{}, err
	}
	sorts := []string{digits, specials, capitals, smalls}
	all := ""
	for i, sort := range sorts {
		sorts[i] = strings.Map(func(c rune) rune {
			if strings.ContainsRune(avoid, c) {
				return -1
			}
			return c
		}, sort)
		if counts[i+1] > 0 && sorts[i] == "" {
			return Value{}, n.fail(Range, "CharactersToAvoid leaves nothing for %s", n.param(i+1))
		}
		if sort != specials || counts[i+1] > 0 {
			all += sorts[i]
		}
	}
	out := make([]byte, 0, maxRandom)
	pick := func(from string, count int64) error {
		for ; count > 0; count-- {
			i, err := randomBelow(r.random(), len(from))
			if err != nil {
				return n.fail(Range, "no random bytes: %v", err)
			}
			out = append(out, from[i])
		}
		return nil
	}
	rest := counts[0]
	for i, sort := range sorts {
		rest -= counts[i+1]
		if err := pick(sort, counts[i+1]); err != nil {
			return Value{}, err
		}
	}
	if rest > 0 && all == "" {
		return Value{}, n.fail(Range, "CharactersToAvoid leaves no characters")
	}
	if err := pick(all, rest); err != nil {
		return Value{}, err
	}
	for i := len(out) - 1; i > 0; i-- {
		j, err := randomBelow(r.random(), i+1)
		if err != nil {
			return Value{}, n.fail(Range, "no random bytes: %v", err)
		}
		out[i], out[j] = out[j], out[i]
	}
	return StringValue(string(out)), nil
}

// randomBelow returns a number below n, at most 256, every one equally likely.
func randomBelow(random io.Reader, n int) (int, error) {
	var b [1]byte
	for range 1000 {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return 0, err
		}
		if limit := 256 - 256%n; int(b[0]) < limit {
			return int(b[0]) % n, nil
		}
	}
	return 0, fmt.Errorf("the random source repeats itself")
}

func evalDNComponent(r *run, n *call) (Value, error) {
	number, ok, err := n.integer(r, 1)
	if err != nil || !ok {
		return Value{}, err
	}
	v, err := n.arg(r, 0)
	if err != nil {
		return Value{}, err
	}
	if number < 1 {
		return Value{}, n.fail(Index, "there is no component %d; the first is 1", number)
	}
	return n.each(r, v, func(s string) (Value, error) {
		var component strings.Builder
		at, value := int64(1), false
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case c == '\\' && i+1 < len(s):
				i++
				if at == number && value {
					component.WriteByte(s[i])
				}
			case c == ',':
				if at++; at > number {
					return StringValue(strings.TrimSpace(component.String())), nil
				}
				value = false
			case c == '=' && !value:
				value = true
			case at == number && value:
				component.WriteByte(c)
			}
		}
		if at < number {
			return Value{}, nil
		}
		return StringValue(strings.TrimSpace(component.String())), nil
	})
}

func evalStringFromSid(r *run, n *call) (Value, error) {
	v, err := n.arg(r, 0)
	if err != nil {
		return Value{}, err
	}
	return n.each(r, v, func(s string) (Value, error) {
		if strings.HasPrefix(s, "S-1-") {
			return StringValue(s), nil
		}
		// Revision, count, 48-bit authority, then 32-bit sub-authorities (MS-DTYP 2.4.2.2).
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil || len(raw) < 8 || len(raw) != 8+4*int(raw[1]) {
			return Value{}, n.fail(TypeMismatch, "%s is not a security identifier", r.quote(s))
		}
		authority := uint64(binary.BigEndian.Uint16(raw[2:]))<<32 | uint64(binary.BigEndian.Uint32(raw[4:]))
		var b strings.Builder
		fmt.Fprintf(&b, "S-%d-%d", raw[0], authority)
		for i := 8; i < len(raw); i += 4 {
			fmt.Fprintf(&b, "-%d", binary.LittleEndian.Uint32(raw[i:]))
		}
		return StringValue(b.String()), nil
	})
}
