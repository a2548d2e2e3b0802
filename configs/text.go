package configs

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Text is a value that is compiled or looked up elsewhere, with the place it comes from.
type Text struct {
	Value string
	Pos   Position // of its first character, or of the quote before it

	skip string // characters that quoting doubled
	lead int    // 1 when a quote stands before the text
	far  bool   // the text does not stand in the file as it is
}

// String returns the value.
func (t Text) String() string { return t.Value }

// At returns the place of the text's n-th character, counted from 1. Where that cannot be known
// (a block of several lines, a variable in the text) it is where the text begins.
func (t Text) At(n int) Position {
	p := t.Pos
	if t.far || n < 1 {
		return p
	}
	p.Column += t.lead
	for i, c := range []rune(t.Value) {
		if i+1 >= n {
			break
		}
		p.Column++
		if strings.ContainsRune(t.skip, c) {
			p.Column++
		}
	}
	return p
}

// MarshalText leaves the place out: what is made of it stays the same when lines move.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.Value), nil }

func (t *Text) decode(d *decoder, n *node, key string, f field) {
	text, ok := d.text(n, key, f)
	if !ok {
		return
	}
	*t = Text{Value: text, Pos: n.pos, far: n.text != n.raw || strings.Contains(text, "\n")}
	switch n.style &^ yaml.TaggedStyle {
	case yaml.SingleQuotedStyle:
		t.lead, t.skip = 1, "'"
	case yaml.DoubleQuotedStyle:
		t.lead, t.skip = 1, "\"\\\t"
	case 0:
	default:
		t.far = true
	}
	if n.style&yaml.TaggedStyle != 0 {
		t.far = true
	}
}
