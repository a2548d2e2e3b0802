package mapping

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxProgram bounds the size of a compiled pattern, counted with its repetitions written out.
const maxProgram = 10_000

// A pattern is a .NET regular expression run by RE2. What RE2 cannot run (look-around, back
// references, ...) is refused; what it would read differently is translated (\d, \w and \s are
// Unicode classes) or refused (class subtraction). Two differences remain: \b looks at ASCII
// letters, and $ does not match before a final line break.
type pattern struct {
	first *regexp.Regexp // at the beginning of a text
	later *regexp.Regexp // behind one character of context; nil when context does not matter
	size  int
	// groups maps .NET's group numbers and names to RE2's: unnamed groups are numbered first.
	groups map[string]int
	last   int // the group of .NET's highest number, 0 without groups
}

func compilePattern(text string) (*pattern, []string, error) {
	t := translator{in: text}
	if err := t.translate(); err != nil {
		return nil, nil, err
	}
	translated := t.out.String()
	tree, err := syntax.Parse(translated, syntax.Perl)
	if err != nil {
		return nil, nil, fmt.Errorf("the pattern %.80q cannot be run: %s", text, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	p := &pattern{size: programSize(tree)}
	if p.size > maxProgram {
		return nil, nil, fmt.Errorf("the pattern %.80q is too large once its repetitions are written out", text)
	}
	if p.first, err = regexp.Compile(translated); err != nil {
		return nil, nil, fmt.Errorf("the pattern %.80q cannot be run: %w", text, err)
	}
	if looksBehind(tree) {
		if p.later, err = regexp.Compile(`\A(?s:.)(?s:.*?)(` + translated + `)`); err != nil {
			return nil, nil, fmt.Errorf("the pattern %.80q cannot be run: %w", text, err)
		}
	}
	p.number()
	return p, t.warnings, nil
}

// number gives the groups their .NET numbers: the unnamed ones from left to right, then the
// named ones.
func (p *pattern) number() {
	names := p.first.SubexpNames()
	p.groups = map[string]int{"0": 0}
	next := 1
	for _, named := range []bool{false, true} {
		for i := 1; i < len(names); i++ {
			if (names[i] != "") != named {
				continue
			}
			p.groups[strconv.Itoa(next)] = i
			if named {
				p.groups[names[i]] = i
			}
			p.last = i
			next++
		}
	}
}

// programSize estimates the number of instructions before RE2 would build them.
func programSize(re *syntax.Regexp) int {
	size := 1
	switch re.Op {
	case syntax.OpLiteral:
		size = len(re.Rune)
	case syntax.OpCharClass:
		size = 1 + len(re.Rune)/16
	}
	for _, sub := range re.Sub {
		size += programSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		size *= max(re.Min, re.Max, 1)
	}
	return min(size, 1<<40)
}

func looksBehind(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpBeginLine, syntax.OpBeginText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	}
	for _, sub := range re.Sub {
		if looksBehind(sub) {
			return true
		}
	}
	return false
}

// matches calls found with each match as .NET walks them: an empty match right behind another
// match counts (Go's own walk leaves it out). found gets the positions of the groups and
// returns false to stop. Work is charged before each search.
func (p *pattern) matches(r *run, n *call, s string, found func(m []int) bool) error {
	for pos := 0; pos <= len(s); {
		if r.work -= (len(s) - pos + 1) * (1 + p.size/4); r.work < 0 {
			return n.fail(Range, "the pattern takes too long on so long a text")
		}
		m := p.find(s, pos)
		if m == nil || !found(m) {
			return nil
		}
		if pos = m[1]; m[0] == m[1] {
			_, width := utf8.DecodeRuneInString(s[pos:])
			pos += max(width, 1)
		}
	}
	return nil
}

// find returns the leftmost match at or behind pos.
func (p *pattern) find(s string, pos int) []int {
	base, drop, re := pos, 0, p.first
	if pos > 0 && p.later != nil {
		_, width := utf8.DecodeLastRuneInString(s[:pos])
		base, drop, re = pos-width, 2, p.later
	}
	m := re.FindStringSubmatchIndex(s[base:])
	if m == nil {
		return nil
	}
	m = m[drop:]
	for i := range m {
		if m[i] >= 0 {
			m[i] += base
		}
	}
	return m
}

// A replacement is a .NET replacement pattern, taken apart.
type replacement []replacementPart

type replacementPart struct {
	text  string
	group int // -1: the text; else a group's text
	mark  byte
}

// compileReplacement reads $1, ${1}, ${name}, $$, $&, $`, $', $+ and $_. A $ before anything
// else, and a reference to a group that does not exist, are literal.
func (p *pattern) compileReplacement(s string) replacement {
	var parts replacement
	literal := func(text string) {
		if text != "" {
			parts = append(parts, replacementPart{text: text, group: -1})
		}
	}
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || i == len(s)-1 {
			literal(s)
			return parts
		}
		literal(s[:i])
		s = s[i+1:]
		switch c := s[0]; {
		case c == '$':
			literal("$")
			s = s[1:]
		case c == '&':
			parts = append(parts, replacementPart{group: 0})
			s = s[1:]
		case c == '`' || c == '\'' || c == '_':
			parts = append(parts, replacementPart{group: -1, mark: c})
			s = s[1:]
		case c == '+':
			parts = append(parts, replacementPart{group: p.last})
			s = s[1:]
		case c == '{':
			end := strings.IndexByte(s, '}')
			if group, ok := p.groups[s[1:max(end, 1)]]; end > 0 && ok {
				parts = append(parts, replacementPart{group: group})
				s = s[end+1:]
			} else {
				literal("$")
			}
		default:
			// The longest number that is a group, so that $10 is group 1 and a 0 where there are not ten.
			width := 0
			for width < len(s) && width < 5 && s[width] >= '0' && s[width] <= '9' {
				width++
			}
			for ; width > 0; width-- {
				if group, ok := p.groups[s[:width]]; ok {
					parts = append(parts, replacementPart{group: group})
					break
				}
			}
			if width == 0 {
				literal("$")
			}
			s = s[width:]
		}
	}
}

// appendTo writes the replacement of a match.
func (parts replacement) appendTo(out []byte, s string, m []int) []byte {
	for _, part := range parts {
		switch {
		case part.group >= 0:
			if m[2*part.group] >= 0 {
				out = append(out, s[m[2*part.group]:m[2*part.group+1]]...)
			}
		case part.mark == '`':
			out = append(out, s[:m[0]]...)
		case part.mark == '\'':
			out = append(out, s[m[1]:]...)
		case part.mark == '_':
			out = append(out, s...)
		default:
			out = append(out, part.text...)
		}
	}
	return out
}
