package mapping

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of the language and of this implementation.
const (
	maxCharacters = 10_000 // of an expression (known issues page, Microsoft)
	maxNesting    = 100    // of calls; the language documents none
)

type termKind uint8

const (
	callTerm termKind = iota
	attributeTerm
	textTerm
	numberTerm // number or &H literal; text is as written
	wordTerm
	compareTerm // text is the operator
	joinTerm    // "&"
)

// A term is a node of the syntax tree. An omitted argument is a nil term.
type term struct {
	kind   termKind
	text   string // name, content of a string, number as written, operator
	args   []*term
	column int
}

// write appends the canonical text.
func (t *term) write(b *strings.Builder) {
	switch t.kind {
	case callTerm:
		b.WriteString(t.text)
		b.WriteByte('(')
		for i, arg := range t.args {
			if i > 0 {
				b.WriteString(", ")
			}
			if arg != nil {
				arg.write(b)
			}
		}
		b.WriteByte(')')
	case attributeTerm:
		b.WriteByte('[')
		b.WriteString(t.text)
		b.WriteByte(']')
	case textTerm:
		b.WriteByte('"')
		for i := range len(t.text) {
			if c := t.text[i]; c == '"' || c == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(t.text[i])
		}
		b.WriteByte('"')
	case numberTerm, wordTerm:
		b.WriteString(t.text)
	case compareTerm, joinTerm:
		for i, arg := range t.args {
			if i > 0 {
				b.WriteByte(' ')
				b.WriteString(t.text)
				b.WriteByte(' ')
			}
			arg.write(b)
		}
	}
}

func (t *term) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

// words are the bare words of the language.
var words = []string{"vbTextCompare", "vbBinaryCompare", "UTF8", "Unicode", "ASCII", "IgnoreAttributeFlow", "IgnoreObjectFlow"}

type parser struct {
	text     string
	pos      int
	depth    int
	warnings []string
	// The column of byte mark, so that columns are counted once from left to right.
	mark, markColumn int
}

// parse returns the syntax tree of a whole text.
func parse(text string) (*term, []string, error) {
	p := &parser{text: text, markColumn: 1}
	if !utf8.ValidString(text) {
		return nil, nil, p.fail(0, "the text is not valid UTF-8", "")
	}
	if n := utf8.RuneCountInString(text); n > maxCharacters {
		return nil, nil, p.fail(0, fmt.Sprintf("the expression has %d characters, more than the %d that Entra allows", n, maxCharacters), "")
	}
	t, err := p.expression()
	if err != nil {
		return nil, nil, err
	}
	if p.skip(); p.pos < len(text) {
		return nil, nil, p.unexpected("the end of the expression")
	}
	return t, p.warnings, nil
}

func (p *parser) column(pos int) int {
	if pos < p.mark {
		return utf8.RuneCountInString(p.text[:pos]) + 1
	}
	p.markColumn += utf8.RuneCountInString(p.text[p.mark:pos])
	p.mark = pos
	return p.markColumn
}

func (p *parser) fail(pos int, message, hint string) error {
	return &Error{Kind: Parse, Message: message, Column: p.column(pos), Hint: hint}
}

// unexpected says what stands where something else was wanted.
func (p *parser) unexpected(want string) error {
	if p.pos >= len(p.text) {
		return p.fail(p.pos, "the expression ends where "+want+" is expected", "")
	}
	rest, hint := p.text[p.pos:], ""
	found := wordAt(rest)
	switch {
	case strings.EqualFold(found, "and") || strings.EqualFold(found, "or"):
		hint = "the language has no AND and OR; nest IIF inside IIF instead"
	case found == "":
		r, _ := utf8.DecodeRuneInString(rest)
		found = string(r)
		switch found {
		case "[":
			hint = "an index is written Item(list, number)"
		case ")":
			hint = "there is one ) too many"
		case "'", "‘", "’", "“", "”":
			hint = `text is written between straight double quotes, "like this"`
		case "+":
			hint = "text is joined by Append, Join or &; there is no arithmetic"
		}
	}
	return p.fail(p.pos, fmt.Sprintf("%q stands where %s is expected", found, want), hint)
}

func (p *parser) skip() {
	for p.pos < len(p.text) {
		switch r, n := utf8.DecodeRuneInString(p.text[p.pos:]); r {
		case ' ', '\t', '\n', '\r', '\v', '\f', '\u00a0', '\u200b', '\ufeff': // the last ones come with pasted text
			p.pos += n
		default:
			return
		}
	}
}

func (p *parser) peek() byte {
	if p.skip(); p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func (p *parser) expression() (*term, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	if c := p.peek(); c != '=' && c != '<' && c != '>' {
		return left, nil
	}
	at, op := p.pos, p.text[p.pos:p.pos+1]
	if len(p.text) > p.pos+1 {
		switch two := p.text[p.pos : p.pos+2]; two {
		case "<>", ">=", "<=":
			op = two
		case "==", "=<", "=>":
			return nil, p.fail(at, fmt.Sprintf("%q is not an operator", two), "comparisons are =  <>  >  >=  <  <=")
		}
	}
	p.pos += len(op)
	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	if c := p.peek(); c == '=' || c == '<' || c == '>' {
		return nil, p.fail(p.pos, "a comparison cannot be compared again", "nest IIF inside IIF instead")
	}
	return &term{kind: compareTerm, text: op, args: []*term{left, right}, column: p.column(at)}, nil
}

func (p *parser) operand() (*term, error) {
	first, err := p.primary()
	if err != nil {
		return nil, err
	}
	if p.peek() != '&' {
		return first, nil
	}
	t := &term{kind: joinTerm, text: "&", args: []*term{first}, column: p.column(p.pos)}
	for p.peek() == '&' {
		p.pos++
		next, err := p.primary()
		if err != nil {
			return nil, err
		}
		t.args = append(t.args, next)
	}
	return t, nil
}

func (p *parser) primary() (*term, error) {
	c := p.peek()
	at := p.pos
	switch {
	case c == '"':
		return p.str()
	case c == '[':
		return p.attribute()
	case c == '-' || c >= '0' && c <= '9':
		return p.numeral()
	case c == '&':
		digits := hexAt(p.text[p.pos:])
		if digits == "" {
			return nil, p.unexpected("a value")
		}
		if len(digits) > 16 {
			return nil, p.fail(at, "&H"+digits+" is too large a number", "")
		}
		p.pos += len("&H") + len(digits)
		return &term{kind: numberTerm, text: "&H" + strings.ToUpper(digits), column: p.column(at)}, p.boundary()
	}
	name := wordAt(p.text[p.pos:])
	if name == "" {
		return nil, p.unexpected("a function, an [attribute] or a \"text\"")
	}
	p.pos += len(name)
	if p.peek() == '(' {
		return p.call(name, at)
	}
	for _, word := range words {
		if strings.EqualFold(word, name) {
			return &term{kind: wordTerm, text: word, column: p.column(at)}, nil
		}
	}
	hint := fmt.Sprintf("write [%s] for the attribute or \"%s\" for the text", name, name)
	if near := nearest(name, words); near != "" {
		hint = "did you mean " + near + "?"
	}
	return nil, p.fail(at, fmt.Sprintf("%q is not a word of the language", name), hint)
}

func (p *parser) call(name string, at int) (*term, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, p.fail(at, fmt.Sprintf("functions are nested more than %d deep", maxNesting), "")
	}
	defer func() { p.depth-- }()
	t := &term{kind: callTerm, text: name, column: p.column(at)}
	open := p.pos
	p.pos++ // the parenthesis
	if p.peek() == ')' {
		p.pos++
		return t, nil
	}
	for {
		var arg *term
		if c := p.peek(); c != ',' && c != ')' {
			var err error
			if arg, err = p.expression(); err != nil {
				return nil, err
			}
		}
		t.args = append(t.args, arg)
		switch p.peek() {
		case ',':
			p.pos++
		case ')':
			p.pos++
			return t, nil
		case 0:
			return nil, p.fail(open, fmt.Sprintf("the ( of %s has no )", name), "")
		default:
			return nil, p.unexpected(`"," or ")"`)
		}
	}
}

// attribute reads to the matching bracket; names of SCIM payloads hold brackets and quoted
// text themselves, as in [emails[type eq "work"].value].
func (p *parser) attribute() (*term, error) {
	at, depth, quoted := p.pos, 0, false
	for i := at; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[':
			depth++
		case c == ']':
			if depth--; depth == 0 {
				name := p.text[at+1 : i]
				if strings.TrimSpace(name) == "" {
					return nil, p.fail(at, "the brackets hold no attribute name", "")
				}
				p.pos = i + 1
				return &term{kind: attributeTerm, text: name, column: p.column(at)}, nil
			}
		}
	}
	return nil, p.fail(at, "the [ has no ]", "")
}

// str reads a string constant. Only \\ and \" are escapes; another backslash stays, with a
// warning (open point 2 of the language).
func (p *parser) str() (*term, error) {
	at := p.pos
	var b strings.Builder
	for i := at + 1; i < len(p.text); i++ {
		c := p.text[i]
		switch {
		case c == '"':
			p.pos = i + 1
			return &term{kind: textTerm, text: b.String(), column: p.column(at)}, nil
		case c == '\\' && i+1 < len(p.text) && (p.text[i+1] == '\\' || p.text[i+1] == '"'):
			i++
			b.WriteByte(p.text[i])
		default:
			if c == '\\' && i+1 < len(p.text) {
				r, _ := utf8.DecodeRuneInString(p.text[i+1:])
				p.warnings = append(p.warnings, fmt.Sprintf(
					`column %d: \%c is not an escape of the language and is taken as these two characters; write \\%c`, p.column(i), r, r))
			}
			b.WriteByte(c)
		}
	}
	return nil, p.fail(at, `the " has no closing "`, `inside of text, a double quote is written \" and a backslash \\`)
}

func (p *parser) numeral() (*term, error) {
	at := p.pos
	end := at
	if p.text[end] == '-' {
		end++
	}
	digits := func() bool {
		from := end
		for end < len(p.text) && p.text[end] >= '0' && p.text[end] <= '9' {
			end++
		}
		return end > from
	}
	if !digits() {
		return nil, p.unexpected("a value")
	}
	if end < len(p.text) && p.text[end] == '.' {
		if end++; !digits() {
			return nil, p.fail(end, "the number has no digits after its point", "")
		}
	}
	p.pos = end
	return &term{kind: numberTerm, text: p.text[at:end], column: p.column(at)}, p.boundary()
}

// boundary refuses a letter right after a number.
func (p *parser) boundary() error {
	if word := wordAt(p.text[p.pos:]); word != "" {
		return p.unexpected(`"," or ")"`)
	}
	return nil
}

// numberValue returns the value of a numeral. One whose text an integer would not keep
// (leading zeros, a fraction, more than 64 bits) is that text, because Entra stores numbers
// as strings and 1 and "1" mean the same.
func numberValue(text string) Value {
	if hex, ok := strings.CutPrefix(text, "&H"); ok {
		n, err := strconv.ParseUint(hex, 16, 64)
		if err != nil {
			return StringValue(text)
		}
		return IntValue(int64(n))
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
		return IntValue(n)
	}
	return StringValue(text)
}

// wordAt returns the name s begins with: letters, digits and underscores, or "".
func wordAt(s string) string {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return s[:i]
		}
	}
	return s
}

// hexAt returns the digits of the &H literal s begins with, or "".
func hexAt(s string) string {
	if len(s) < 3 || s[0] != '&' || s[1]|0x20 != 'h' {
		return ""
	}
	end := 2
	for end < len(s) && strings.IndexByte("0123456789abcdefABCDEF", s[end]) >= 0 {
		end++
	}
	return s[2:end]
}
