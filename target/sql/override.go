package sql

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An override is a statement of the configuration: pieces of its text, and a parameter behind each but the last.
type override struct {
	pieces []string
	params []string
}

// knows reports whether a parameter stands for something of a table: an attribute, a column or active.
func (t *table) knows(param string) bool {
	_, _, ok := t.param(param)
	return ok
}

// param returns the column that a parameter means, or the value that is fixed.
func (t *table) param(name string) (c *column, value string, ok bool) {
	for i := range t.columns {
		if t.columns[i].name == name || strings.EqualFold(t.columns[i].path.String(), name) || t.columns[i].path.Equal(pathOf(name)) {
			return &t.columns[i], "", true
		}
	}
	for _, f := range t.fixed {
		if f.name == name {
			return nil, f.value, true
		}
	}
	if t.active != nil && (name == "active" || name == t.active.column) {
		return &column{activePath, t.active.column}, "", true
	}
	return nil, "", false
}

var activePath = pathOf("active")

func (o *override) names() []string { return o.params }

// fill binds the values of the parameters.
func (o *override) fill(d *dialect, value func(name string) any) statement {
	b := d.build(o.pieces[0])
	for i, name := range o.params {
		b.add(b.bind(value(name)), o.pieces[i+1])
	}
	return b.done()
}

// parseOverride finds the parameters of a statement, :name or :{emails[type eq "work"].value}. What stands in a text, a
// quoted name or a comment is none, and neither is the cast ::text.
func parseOverride(text string, d *dialect) (*override, error) {
	text = strings.TrimSpace(text)
	text = strings.TrimSpace(strings.TrimSuffix(text, ";"))
	if text == "" {
		return nil, errors.New("is empty")
	}
	if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
		return nil, errors.New("is no text of a statement")
	}
	o, begin := &override{}, 0
	for at := 0; at < len(text); {
		if skip, err := quoted(text[at:], d); err != nil {
			return nil, err
		} else if skip > 0 {
			at += skip
			continue
		}
		switch {
		case text[at] == ';':
			return nil, errors.New("is more than one statement")
		case text[at] == '?' && d.mark(1) == "?", text[at] == '$' && d.dollars && at+1 < len(text) && unicode.IsDigit(rune(text[at+1])),
			strings.HasPrefix(text[at:], "@p") && d.output:
			return nil, errors.New("has a parameter without a name; write :userName")
		case strings.HasPrefix(text[at:], "::"), strings.HasPrefix(text[at:], ":="):
			at += 2
		case text[at] == ':':
			name, n := paramName(text[at+1:])
			if n == 0 {
				at++
				continue
			}
			o.pieces, o.params = append(o.pieces, text[begin:at]), append(o.params, name)
			at += 1 + n
			begin = at
		default:
			at++
		}
	}
	o.pieces = append(o.pieces, text[begin:])
	return o, nil
}

// paramName reads a parameter's name and how many bytes it takes, 0 for none.
func paramName(text string) (name string, n int) {
	if strings.HasPrefix(text, "{") {
		end := strings.IndexByte(text, '}')
		if end < 0 {
			return "", 0
		}
		return strings.TrimSpace(text[1:end]), end + 1
	}
	for n < len(text) {
		c := text[n]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (n == 0 || (c < '0' || c > '9') && c != '.') {
			break
		}
		n++
	}
	for n > 0 && text[n-1] == '.' {
		n--
	}
	return text[:n], n
}

// quoted returns the length of the text, quoted name or comment that a statement has next, 0 for none.
func quoted(text string, d *dialect) (int, error) {
	open := errors.New("has a text, name or comment without an end")
	until := func(end string, from int) (int, error) {
		i := strings.Index(text[from:], end)
		if i < 0 {
			return 0, open
		}
		return from + i + len(end), nil
	}
	switch {
	case strings.HasPrefix(text, "--"), d.escapes && text[0] == '#':
		if i := strings.IndexByte(text, '\n'); i >= 0 {
			return i + 1, nil
		}
		return len(text), nil
	case strings.HasPrefix(text, "/*"):
		return until("*/", 2)
	case text[0] == '[' && d.output:
		return until("]", 1)
	case text[0] == '$' && d.dollars:
		if tag := strings.IndexByte(text[1:], '$'); tag >= 0 && plainTag(text[1:1+tag]) {
			return until(text[:tag+2], tag+2)
		}
		return 0, nil
	case text[0] == '\'', text[0] == '"', text[0] == '`':
		for i := 1; i < len(text); i++ {
			switch {
			case text[i] == '\\' && d.escapes && text[0] != '`':
				i++
			case text[i] == text[0]: // a doubled one begins again at once
				return i + 1, nil
			}
		}
		return 0, open
	}
	return 0, nil
}

func plainTag(tag string) bool {
	return !strings.ContainsFunc(tag, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) &&
		(tag == "" || !unicode.IsDigit(rune(tag[0])))
}

// value returns what a parameter of a user's or group's statement stands for: own parameters first, then what the row
// has as text.
func (t *table) value(name string, own, row map[string]any) any {
	if v, ok := own[name]; ok {
		return v
	}
	c, fixedValue, ok := t.param(name)
	switch {
	case !ok:
		return nil
	case c == nil:
		return fixedValue
	}
	return row[c.name]
}
