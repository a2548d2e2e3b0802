package scope

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// compilePattern turns a .NET regular expression into one for RE2 that must match the whole
// value. Where the two differ silently it is translated or refused: .NET's \d, \w and \s know
// all of Unicode, and RE2 reads class subtraction [a-z-[aeiou]] as something else.
func compilePattern(pattern string) (*regexp.Regexp, error) {
	translated, err := translate(pattern)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q cannot be used: %w", shorten(pattern), err)
	}
	// Parsed alone first: `a)(b` must not become valid by the group around it.
	if _, err = syntax.Parse(translated, syntax.Perl); err == nil {
		var re *regexp.Regexp
		if re, err = regexp.Compile(`\A(?:` + translated + `)\z`); err == nil {
			return re, nil
		}
	}
	reason := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	return nil, fmt.Errorf("regular expression %q is not valid: %s", shorten(pattern), reason)
}

// Members of .NET's character classes in RE2's terms (.NET "Character classes in regular
// expressions": \w is L, Mn, Nd, Pc; \s is [\f\n\r\t\v\x85\p{Z}]; \d is \p{Nd}).
const (
	wordClass  = `\p{L}\p{Mn}\p{Nd}\p{Pc}`
	spaceClass = `\p{Z}\x{85}\t-\r`
)

// Groups RE2 does not have, by what follows "(?". The longer prefix comes first.
var missingGroups = []struct{ prefix, what string }{
	{"=", "look-ahead (?=…)"},
	{"!", "look-ahead (?!…)"},
	{"<=", "look-behind (?<=…)"},
	{"<!", "look-behind (?<!…)"},
	{">", "an atomic group (?>…)"},
	{"(", "a conditional (?(…)…)"},
	{"#", "a comment (?#…)"},
	{"'", "a group named in quotes; write (?<name>…)"},
}

func translate(pattern string) (string, error) {
	var out strings.Builder
	inClass, classStart := false, 0
	for i := 0; i < len(pattern); i++ {
		c, rest := pattern[i], pattern[i+1:]
		switch {
		case c == '\\':
			if rest == "" {
				return "", fmt.Errorf("it ends with a backslash")
			}
			text, used, err := translateEscape(rest, inClass)
			if err != nil {
				return "", err
			}
			out.WriteString(text)
			i += used
			continue
		case inClass && c == '-' && strings.HasPrefix(rest, "["):
			return "", fmt.Errorf("class subtraction […-[…]] is not supported")
		case inClass && c == '[' && strings.HasPrefix(rest, ":"):
			return "", fmt.Errorf("[: inside a class means different things to different engines; write [\\p{L}] and the like")
		case inClass && c == ']' && i > classStart:
			inClass = false
		case !inClass && c == '[':
			inClass, classStart = true, i+1
			if strings.HasPrefix(rest, "^") {
				classStart++ // a ] right after [ or [^ is a member
			}
		case !inClass && c == '(' && strings.HasPrefix(rest, "?"):
			if err := checkGroup(rest[1:]); err != nil {
				return "", err
			}
		}
		out.WriteByte(c)
	}
	return out.String(), nil
}

// checkGroup looks at what follows "(?".
func checkGroup(s string) error {
	for _, g := range missingGroups {
		if strings.HasPrefix(s, g.prefix) {
			return fmt.Errorf("%s is not supported", g.what)
		}
	}
	if end := strings.IndexAny(s, ":)"); end >= 0 && !strings.HasPrefix(s, "<") && !strings.HasPrefix(s, "P") {
		for _, flag := range s[:end] {
			if flag == 'x' || flag == 'n' {
				return fmt.Errorf("the option (?%c) is not supported", flag)
			}
		}
	}
	return nil
}

// translateEscape translates what follows a backslash and returns how many bytes it used.
func translateEscape(s string, inClass bool) (text string, used int, err error) {
	bracket := func(members string) string {
		if inClass {
			return members
		}
		return "[" + members + "]"
	}
	negated := func(members string) (string, int, error) {
		if inClass {
			return "", 0, fmt.Errorf("\\%c inside a class is not supported", s[0])
		}
		return "[^" + members + "]", 1, nil
	}
	switch c := s[0]; {
	case c == 'd':
		return `\p{Nd}`, 1, nil
	case c == 'D':
		return `\P{Nd}`, 1, nil
	case c == 'w':
		return bracket(wordClass), 1, nil
	case c == 'W':
		return negated(wordClass)
	case c == 's':
		return bracket(spaceClass), 1, nil
	case c == 'S':
		return negated(spaceClass)
	case c == 'u' && len(s) >= 5:
		return `\x{` + s[1:5] + `}`, 5, nil
	case c == 'e':
		return `\x1b`, 1, nil
	case '1' <= c && c <= '9', c == 'k':
		return "", 0, fmt.Errorf("the back-reference \\%c is not supported", c)
	case strings.IndexByte("abfnrtvxpPABz", c) >= 0, !isLetter(c):
		return `\` + s[:1], 1, nil
	default:
		return "", 0, fmt.Errorf("the escape \\%c is not supported", c)
	}
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
