package target

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds on what is parsed; nothing a person writes comes near them.
const (
	maxText  = 8192
	maxDepth = 32
)

// A parser reads paths and filters. The libraries for the grammar were not enough: an
// administrator needs the column, and nesting has to be bounded.
type parser struct {
	text  string
	what  string // "attribute path" or "filter", for messages
	pos   int
	depth int
}

var operators = []string{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"}

func (p *parser) errorf(pos int, format string, args ...any) error {
	column := utf8.RuneCountInString(p.text[:min(pos, len(p.text))]) + 1
	return fmt.Errorf("%s %.120q, column %d: %s", p.what, p.text, column, fmt.Sprintf(format, args...))
}

func (p *parser) check() error {
	switch {
	case len(p.text) > maxText:
		return p.errorf(maxText, "it is longer than %d bytes", maxText)
	case !utf8.ValidString(p.text):
		return p.errorf(0, "it is not valid UTF-8")
	case strings.TrimSpace(p.text) == "":
		return p.errorf(0, "it is empty; write an attribute such as userName")
	}
	return nil
}

// path reads a whole path.
func (p *parser) path() (reference, error) {
	if err := p.check(); err != nil {
		return reference{}, err
	}
	ref, err := p.reference(false)
	if err != nil {
		return reference{}, err
	}
	if p.pos < len(p.text) {
		return reference{}, p.errorf(p.pos, "%s after the attribute's end", p.rest())
	}
	if ref.filter == nil {
		return ref, nil
	}
	return ref, p.checkMakeable(ref)
}

// checkMakeable refuses a filter from which no element can be made.
func (p *parser) checkMakeable(ref reference) error {
	open := strings.IndexByte(p.text, '[') + 1
	seen := map[string]bool{}
	var walk func(n node) error
	walk = func(n node) error {
		switch n := n.(type) {
		case conjunction:
			if err := walk(n.left); err != nil {
				return err
			}
			return walk(n.right)
		case comparison:
			name := strings.ToLower(n.ref.name)
			switch {
			case n.op != "eq" || n.value == nil || n.ref.sub != "":
			case seen[name]:
				return p.errorf(open, "the filter asks for two values of %s", n.ref.name)
			default:
				seen[name] = true
				return nil
			}
		}
		return p.errorf(open, `only eq and and can be used here, as in %s[type eq "work"]: a missing element is made from its filter`, ref.name)
	}
	return walk(ref.filter)
}

// filter reads a whole filter.
func (p *parser) filter() (node, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	n, err := p.or(false)
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos < len(p.text) {
		return nil, p.errorf(p.pos, "%s where and, or or the end was expected", p.rest())
	}
	return n, nil
}

func (p *parser) or(nested bool) (node, error) {
	return p.chain(nested, "or", p.and, func(l, r node) node { return disjunction{l, r} })
}

func (p *parser) and(nested bool) (node, error) {
	return p.chain(nested, "and", p.term, func(l, r node) node { return conjunction{l, r} })
}

func (p *parser) chain(nested bool, word string, operand func(bool) (node, error), join func(l, r node) node) (node, error) {
	left, err := operand(nested)
	for count := 0; err == nil && p.word(word); count++ {
		if count == 256 {
			return nil, p.errorf(p.pos, "more than 256 conditions")
		}
		var right node
		if right, err = operand(nested); err == nil {
			left = join(left, right)
		}
	}
	return left, err
}

// term reads not(…), (…) or a comparison. nested is true between brackets.
func (p *parser) term(nested bool) (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf(p.pos, "nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	start := p.pos
	not := p.word("not")
	if p.space(); p.peek('(') {
		open := p.pos
		p.pos++
		n, err := p.or(nested)
		if err != nil {
			return nil, err
		}
		if p.space(); !p.peek(')') {
			return nil, p.errorf(p.pos, "the parenthesis of column %d is not closed", open+1)
		}
		p.pos++
		if not {
			return negation{n}, nil
		}
		return n, nil
	}
	if not {
		return nil, p.errorf(start, "not needs parentheses: not (…)")
	}
	return p.comparison(nested)
}

func (p *parser) comparison(nested bool) (node, error) {
	p.space()
	start := p.pos
	ref, err := p.reference(nested)
	if err != nil {
		return nil, err
	}
	if p.space(); ref.filter != nil && ref.sub == "" && !p.atOperator() {
		return comparison{ref: ref, op: "pr"}, nil // emails[…] alone: some element matches
	}
	at := p.pos
	op := strings.ToLower(p.take(func(c byte) bool { return c > ' ' && !strings.ContainsRune(`"[]()`, rune(c)) }))
	if !slices.Contains(operators, op) {
		switch op {
		case "":
			if nested {
				return nil, p.errorf(start, "%s is no condition; a filter is written [type eq %q]", ref.key(), ref.key())
			}
			return nil, p.errorf(at, "a comparison is missing after %s, such as eq %q", ref.key(), "value")
		case "=", "==", "equals", "is":
			return nil, p.errorf(at, "%q is not an operator; write eq", op)
		case "!=", "<>":
			return nil, p.errorf(at, "%q is not an operator; write ne", op)
		}
		return nil, p.errorf(at, "%.40q is not an operator; use one of %s", op, strings.Join(operators, ", "))
	}
	if op == "pr" {
		return comparison{ref: ref, op: op}, nil
	}
	value, err := p.value(op)
	return comparison{ref: ref, op: op, value: value}, err
}

// atOperator looks whether a comparison follows.
func (p *parser) atOperator() bool {
	return p.pos+2 <= len(p.text) && slices.Contains(operators, strings.ToLower(p.text[p.pos:p.pos+2]))
}

// value reads a JSON string, number, true, false or null.
func (p *parser) value(op string) (any, error) {
	p.space()
	start := p.pos
	if p.peek('"') {
		for p.pos++; p.pos < len(p.text) && p.text[p.pos] != '"'; p.pos++ {
			if p.text[p.pos] == '\\' {
				p.pos++
			}
		}
		if p.pos >= len(p.text) {
			return nil, p.errorf(start, "the quote is not closed")
		}
		p.pos++
		var s string
		if err := json.Unmarshal([]byte(p.text[start:p.pos]), &s); err != nil {
			return nil, p.errorf(start, `%s is not a text; quotes and backslashes inside are written \" and \\`, p.text[start:p.pos])
		}
		return s, nil
	}
	word := p.take(func(c byte) bool { return c > ' ' && !strings.ContainsRune(`[]()`, rune(c)) })
	switch strings.ToLower(word) {
	case "":
		return nil, p.errorf(start, "a value is missing after %s, in double quotes", op)
	case "true", "false":
		return strings.EqualFold(word, "true"), nil
	case "null":
		return nil, nil
	}
	var number float64
	if err := json.Unmarshal([]byte(word), &number); err != nil {
		return nil, p.errorf(start, "%.60s has to be in double quotes: %s %q", word, op, strings.Trim(word, `'"`))
	}
	return number, nil
}

// reference reads an attribute with its URN, value filter and sub-attribute.
func (p *parser) reference(nested bool) (reference, error) {
	start := p.pos
	word := p.take(func(c byte) bool { return c > ' ' && !strings.ContainsRune(`"[]()`, rune(c)) })
	var ref reference
	at := start
	if i := strings.LastIndexByte(word, ':'); i >= 0 {
		ref.schema, word, at = word[:i], word[i+1:], start+i+1
		lower := strings.ToLower(ref.schema)
		if !strings.HasPrefix(lower, "urn:") && !strings.HasPrefix(lower, "http:") && !strings.HasPrefix(lower, "https:") {
			return ref, p.errorf(start, "%.60q is not a schema; write the whole URN before the last colon, such as urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", ref.schema)
		}
		if strings.HasPrefix(lower, "urn:ietf:params:scim:schemas:core:2.0:") {
			ref.schema = ""
		}
	}
	name, sub, dotted := strings.Cut(word, ".")
	if err := p.name(at, name); err != nil {
		return ref, err
	}
	ref.name = name
	if dotted {
		if deep := strings.Split(sub, "."); len(deep) > 1 {
			return ref, p.errorf(at, "%s has two dots; an element of a list is chosen by a filter: %s[type eq %q].%s", word, name, deep[0], deep[1])
		}
		at += len(name) + 1
		if err := p.name(at, sub); err != nil {
			return ref, err
		}
		ref.sub = sub
	}
	if nested || !p.peek('[') {
		return ref, nil
	}
	return p.bracket(ref)
}

// bracket reads [filter] and the sub-attribute behind it.
func (p *parser) bracket(ref reference) (reference, error) {
	open := p.pos
	if ref.sub != "" {
		return ref, p.errorf(open, "a filter belongs before the sub-attribute: %s[…].%s", ref.name, ref.sub)
	}
	p.pos++
	n, err := p.or(true)
	if err != nil {
		return ref, err
	}
	if p.space(); !p.peek(']') {
		return ref, p.errorf(p.pos, "] is missing; the bracket was opened in column %d", open+1)
	}
	p.pos++
	ref.filter = n
	if !p.peek('.') {
		return ref, nil
	}
	p.pos++
	at := p.pos
	ref.sub = p.take(func(c byte) bool { return c > ' ' && !strings.ContainsRune(`"[]()`, rune(c)) })
	return ref, p.name(at, ref.sub)
}

// name checks an attribute name: a letter (or the $ of $ref), then letters, digits, - and _.
func (p *parser) name(at int, name string) error {
	if name == "" {
		return p.errorf(at, "an attribute name is missing")
	}
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i == 0 && c == '$'
		if letter || i > 0 && (c == '-' || c == '_' || c >= '0' && c <= '9') {
			continue
		}
		if c == '[' || c == ']' {
			return p.errorf(at+i, "%q does not belong here", c)
		}
		return p.errorf(at+i, "%q cannot be in an attribute name (letters, digits, - and _, beginning with a letter)", c)
	}
	return nil
}

func (p *parser) space() {
	for p.peek(' ') || p.peek('\t') {
		p.pos++
	}
}

func (p *parser) peek(c byte) bool { return p.pos < len(p.text) && p.text[p.pos] == c }

func (p *parser) take(while func(byte) bool) string {
	start := p.pos
	for p.pos < len(p.text) && while(p.text[p.pos]) {
		p.pos++
	}
	return p.text[start:p.pos]
}

// word takes a keyword that stands alone.
func (p *parser) word(word string) bool {
	p.space()
	end := p.pos + len(word)
	if end > len(p.text) || !strings.EqualFold(p.text[p.pos:end], word) {
		return false
	}
	if end < len(p.text) && !strings.ContainsRune(" \t(", rune(p.text[end])) {
		return false
	}
	p.pos = end
	return true
}

func (p *parser) rest() string { return strconv.Quote(fmt.Sprintf("%.20s", p.text[p.pos:])) }
