package mapping

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// .NET's \d, \w and \s, as members of an RE2 class (".NET regular expressions, character
// classes").
const (
	digitClass = `\p{Nd}`
	wordClass  = `\p{L}\p{Mn}\p{Nd}\p{Pc}`
	spaceClass = `\t\n\v\f\r\x{85}\p{Z}`
)

// A translator rewrites a .NET pattern for RE2, refusing what has no equal there.
type translator struct {
	in       string
	pos      int
	out      strings.Builder
	warnings []string
}

func (t *translator) refuse(what string) error {
	return fmt.Errorf("the pattern %.80q uses %s, which cannot be run here (patterns run in time linear to the text)", t.in, what)
}

func (t *translator) malformed(why string) error {
	return fmt.Errorf("the pattern %.80q is malformed: %s", t.in, why)
}

func (t *translator) translate() error {
	for t.pos < len(t.in) {
		var err error
		switch t.in[t.pos] {
		case '\\':
			err = t.escape()
		case '[':
			err = t.class()
		case '(':
			err = t.group()
		case '$':
			t.out.WriteByte('$')
			t.pos++
		default:
			_, width := utf8.DecodeRuneInString(t.in[t.pos:])
			t.out.WriteString(t.in[t.pos : t.pos+width])
			t.pos += width
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// escape translates a backslash outside of a class.
func (t *translator) escape() error {
	if t.pos+1 == len(t.in) {
		return t.malformed("it ends in a backslash")
	}
	switch c := t.in[t.pos+1]; {
	case c == 'd':
		t.out.WriteString(digitClass)
	case c == 'D':
		t.out.WriteString(`\P{Nd}`)
	case c == 'w' || c == 'W' || c == 's' || c == 'S':
		class := wordClass
		if c|0x20 == 's' {
			class = spaceClass
		}
		t.out.WriteByte('[')
		if c == 'W' || c == 'S' {
			t.out.WriteByte('^')
		}
		t.out.WriteString(class + "]")
	case c == 'b' || c == 'B':
		t.warnings = append(t.warnings, `\`+string(c)+` finds the edges of words of ASCII letters only`)
		t.out.WriteString(`\` + string(c))
	case c == 'A' || c == 'z':
		t.out.WriteString(`\` + string(c))
	case c == 'Z' || c == 'G':
		return t.refuse(`\` + string(c))
	case c >= '1' && c <= '9' || c == 'k':
		return t.refuse("a back reference")
	default:
		return t.character(false)
	}
	t.pos += 2
	return nil
}

// character translates an escape that stands for one character, or a category.
func (t *translator) character(inClass bool) error {
	if t.pos+1 == len(t.in) {
		return t.malformed("it ends in a backslash")
	}
	rest := t.in[t.pos+1:]
	c, width := utf8.DecodeRuneInString(rest)
	switch {
	case c == 'p' || c == 'P':
		end := strings.IndexByte(rest, '}')
		if len(rest) < 2 || rest[1] != '{' || end < 0 {
			return t.malformed(`\` + string(c) + " needs a category in braces")
		}
		if name := rest[2:end]; strings.HasPrefix(name, "Is") {
			return t.refuse("the Unicode block " + name)
		}
		t.out.WriteString(`\` + rest[:end+1])
		t.pos += end + 2
	case c == 'u' || c == 'x':
		digits := map[rune]int{'u': 4, 'x': 2}[c]
		if len(rest) < 1+digits || !isHex(rest[1:1+digits]) {
			return t.malformed(fmt.Sprintf(`\%c needs %d hexadecimal digits`, c, digits))
		}
		t.out.WriteString(`\x{` + rest[1:1+digits] + `}`)
		t.pos += 2 + digits
	case c == 'c':
		if len(rest) < 2 || rest[1]|0x20 < 'a' || rest[1]|0x20 > 'z' {
			return t.malformed(`\c needs a letter`)
		}
		fmt.Fprintf(&t.out, `\x{%x}`, rest[1]&0x1F)
		t.pos += 3
	case c == '0':
		value, width := 0, 1
		for width < len(rest) && width < 3 && rest[width] >= '0' && rest[width] <= '7' {
			value = value*8 + int(rest[width]-'0')
			width++
		}
		fmt.Fprintf(&t.out, `\x{%x}`, value)
		t.pos += 1 + width
	case c == 'e':
		t.out.WriteString(`\x{1b}`)
		t.pos += 2
	case c == 'b' && inClass:
		t.out.WriteString(`\x{8}`)
		t.pos += 2
	case strings.ContainsRune("aftnrv", c):
		t.out.WriteString(`\` + string(c))
		t.pos += 2
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '1' && c <= '9':
		return t.malformed(fmt.Sprintf(`\%c is not an escape`, c))
	default:
		t.literal(c)
		t.pos += 1 + width
	}
	return nil
}

// literal writes a character that stands for itself, inside and outside of a class.
func (t *translator) literal(c rune) { fmt.Fprintf(&t.out, `\x{%x}`, c) }

func isHex(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool {
		return !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F')
	}) < 0
}

// group translates what stands behind an opening parenthesis.
func (t *translator) group() error {
	rest := t.in[t.pos+1:]
	if !strings.HasPrefix(rest, "?") {
		t.out.WriteByte('(')
		t.pos++
		return nil
	}
	rest = rest[1:]
	switch {
	case strings.HasPrefix(rest, "="), strings.HasPrefix(rest, "!"), strings.HasPrefix(rest, "<="), strings.HasPrefix(rest, "<!"):
		return t.refuse("look-around (?" + rest[:1])
	case strings.HasPrefix(rest, ">"):
		return t.refuse("an atomic group (?>")
	case strings.HasPrefix(rest, "("):
		return t.refuse("a condition (?(")
	case strings.HasPrefix(rest, "P"):
		return t.malformed("a named group is written (?<name>...)")
	case strings.HasPrefix(rest, "#"):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return t.malformed("a comment has no end")
		}
		t.pos += 2 + end + 1
		return nil
	case strings.HasPrefix(rest, "<"), strings.HasPrefix(rest, "'"):
		closing := map[byte]byte{'<': '>', '\'': '\''}[rest[0]]
		end := strings.IndexByte(rest[1:], closing)
		if end <= 0 {
			return t.malformed("a group's name has no end")
		}
		name := rest[1 : 1+end]
		if strings.Contains(name, "-") {
			return t.refuse("a balancing group")
		}
		t.out.WriteString("(?P<" + name + ">")
		t.pos += 2 + 1 + end + 1
		return nil
	}
	end := strings.IndexAny(rest, ":)")
	if end < 0 {
		return t.malformed("a group has no end")
	}
	for _, flag := range rest[:end] {
		switch flag {
		case 'i', 'm', 's', '-':
		case 'n', 'x':
			return t.refuse(fmt.Sprintf("the option %c", flag))
		default:
			return t.malformed(fmt.Sprintf("(?%c is not a group", flag))
		}
	}
	t.out.WriteString("(?" + rest[:end+1])
	t.pos += 2 + end + 1
	return nil
}

// class translates a character class. A hyphen is a range only between two characters.
func (t *translator) class() error {
	start := t.pos
	t.pos++
	t.out.WriteByte('[')
	if strings.HasPrefix(t.in[t.pos:], "^") {
		t.out.WriteByte('^')
		t.pos++
	}
	first, single, ranged := true, false, false
	for ; t.pos < len(t.in); first = false {
		c, width := utf8.DecodeRuneInString(t.in[t.pos:])
		switch {
		case c == ']' && !first:
			t.out.WriteByte(']')
			t.pos++
			return nil
		case c == '-' && !first && strings.HasPrefix(t.in[t.pos:], "-["):
			return t.refuse("class subtraction -[")
		case c == '-' && single && !ranged && t.pos+1 < len(t.in) && t.in[t.pos+1] != ']' && !t.classEscapeAt(t.pos+1):
			t.out.WriteByte('-')
			t.pos++
			ranged = true
			continue
		case c == '\\' && t.classEscapeAt(t.pos):
			t.classEscape(t.in[t.pos+1])
			t.pos += 2
			single, ranged = false, false
			continue
		case c == '\\':
			category := strings.HasPrefix(t.in[t.pos:], `\p`) || strings.HasPrefix(t.in[t.pos:], `\P`)
			if category && ranged {
				return t.malformed("a category cannot end a range")
			}
			if err := t.character(true); err != nil {
				return err
			}
			single = !category && !ranged
		default:
			t.literal(c)
			t.pos += width
			single = !ranged
		}
		ranged = false
	}
	return t.malformed(fmt.Sprintf("the [ at character %d has no ]", utf8.RuneCountInString(t.in[:start])+1))
}

// classEscapeAt reports whether a \d, \w or \s in either case stands at i.
func (t *translator) classEscapeAt(i int) bool {
	return i+1 < len(t.in) && t.in[i] == '\\' && strings.IndexByte("dDwWsS", t.in[i+1]) >= 0
}

func (t *translator) classEscape(c byte) {
	switch c {
	case 'd':
		t.out.WriteString(digitClass)
	case 'w':
		t.out.WriteString(wordClass)
	case 's':
		t.out.WriteString(spaceClass)
	case 'D':
		t.out.WriteString(`\P{Nd}`)
	case 'W':
		t.out.WriteString(complement(wordClass))
	case 'S':
		t.out.WriteString(complement(spaceClass))
	}
}

// complement writes out all characters outside of a class, as members of another.
func complement(class string) string {
	tree, err := syntax.Parse("[^"+class+"]", syntax.Perl)
	if err != nil {
		return ""
	}
	var b strings.Builder
	for i := 0; i+1 < len(tree.Rune); i += 2 {
		fmt.Fprintf(&b, `\x{%x}-\x{%x}`, tree.Rune[i], tree.Rune[i+1])
	}
	return b.String()
}
