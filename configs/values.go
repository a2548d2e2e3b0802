package configs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

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

// A Map is a section with names of the user's choice, in the order written.
type Map[V any] []Entry[V]

// An Entry is one name of a Map and what is under it.
type Entry[V any] struct {
	Name  string
	Pos   Position // of the name
	Value V
}

// Get returns what is under a name.
func (m Map[V]) Get(name string) (V, bool) {
	for _, e := range m {
		if e.Name == name {
			return e.Value, true
		}
	}
	var none V
	return none, false
}

// All yields names and values in the order written.
func (m Map[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, e := range m {
			if !yield(e.Name, e.Value) {
				return
			}
		}
	}
}

// Names returns the names in the order written.
func (m Map[V]) Names() []string {
	names := make([]string, len(m))
	for i, e := range m {
		names[i] = e.Name
	}
	return names
}

// MarshalJSON writes an object with the names in the order written, without places.
func (m Map[V]) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, e := range m {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(e.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(e.Value)
		if err != nil {
			return nil, err
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func (m *Map[V]) decode(d *decoder, n *node, key string, f field) {
	if n.kind != section {
		d.wrong(n, key, "a section of keys")
		return
	}
	*m = make(Map[V], len(n.pairs))
	for i, p := range n.pairs {
		e := &(*m)[i]
		e.Name, e.Pos = p.key, p.value.key
		d.value(p.value, reflect.ValueOf(&e.Value).Elem(), join(key, p.key), field{})
	}
	if f.required && len(*m) == 0 {
		d.faults.add(n.key, key, "", "%s is empty", key)
	}
}

// A Percent is a share of a hundred, written 10 or 10%.
type Percent float64

// String returns the percent as 10%.
func (p Percent) String() string { return strconv.FormatFloat(float64(p), 'g', -1, 64) + "%" }

func (p *Percent) decode(d *decoder, n *node, key string, _ field) {
	v, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(n.text, "%")), 64)
	if n.kind != scalar || err != nil || math.IsNaN(v) || v < 0 || v > 100 {
		d.wrong(n, key, "a percentage from 0% to 100%")
		return
	}
	*p = Percent(v)
}

// ParseDuration reads Go's durations and, before them, weeks and days: 90s, 1h30m, 30d, 2w, 1d12h.
// A day has 24 hours. Negative durations are refused.
func ParseDuration(s string) (time.Duration, error) {
	var total time.Duration
	rest := s
	for _, u := range []struct {
		name   string
		length time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		digits, after, ok := strings.Cut(rest, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 16) // 65535 weeks fit
		if err != nil {
			return 0, fmt.Errorf("read duration %s: write it as 90s, 15m, 12h, 30d or 2w", quote(s))
		}
		total += time.Duration(n) * u.length
		rest = after
	}
	if rest == "" && s != "" {
		return total, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || total+d < 0 {
		return 0, fmt.Errorf("read duration %s: write it as 90s, 15m, 12h, 30d or 2w", quote(s))
	}
	return total + d, nil
}

// A Cloud is one of Microsoft's by name, or the addresses of another.
type Cloud struct {
	Name      string // "public", "usgov", "usgov-dod" or "china"; "" with addresses
	Authority string // where tokens come from
	Graph     string // where Graph is
}

var clouds = []string{"public", "usgov", "usgov-dod", "china"}

type cloudAddresses struct {
	Authority string `yaml:"authority" format:"https" required:"true" doc:"Where tokens come from, such as https://login.microsoftonline.com."`
	Graph     string `yaml:"graph" format:"https" required:"true" doc:"Where Graph is, such as https://graph.microsoft.com."`
}

func (c *Cloud) decode(d *decoder, n *node, key string, _ field) {
	if n.kind == section {
		var a cloudAddresses
		d.section(n, reflect.ValueOf(&a).Elem(), key)
		*c = Cloud{Authority: a.Authority, Graph: a.Graph}
		return
	}
	if name, ok := d.text(n, key, field{enum: clouds}); ok {
		*c = Cloud{Name: name}
	}
}

// From is where a sync reads: tenants by name, or all that joined by consent.
type From struct {
	Tenants   []Text
	Consented bool
}

const consented = "consented"

func (f *From) decode(d *decoder, n *node, key string, _ field) {
	if n.kind == list {
		d.list(n, reflect.ValueOf(&f.Tenants).Elem(), key, field{})
		if len(n.items) == 0 {
			d.fault(n, key, "", "%s is empty", key)
		}
		return
	}
	var name Text
	name.decode(d, n, key, field{})
	if f.Consented = name.Value == consented; !f.Consented && name.Value != "" {
		f.Tenants = []Text{name}
	}
}

// A Filter is a scoping filter: AND inside a group of clauses, OR between the groups. An empty
// one lets everyone pass.
type Filter [][]Clause

// GroupSource says which groups are provisioned: those assigned, all, or those that pass a filter.
type GroupSource struct {
	Kind   string // "assigned" or "all"; "" with a filter
	Filter Filter
}

var groupSources = []string{"assigned", "all"}

func (s *GroupSource) decode(d *decoder, n *node, key string, _ field) {
	if n.kind == list {
		s.Kind = ""
		d.list(n, reflect.ValueOf(&s.Filter).Elem(), key, field{})
		return
	}
	if word, ok := d.text(n, key, field{enum: groupSources}); ok {
		*s = GroupSource{Kind: word}
	}
}

var removals = []string{"deactivate", "delete", "nothing"}

type deleteAfter struct {
	After time.Duration `yaml:"delete_after" required:"true" doc:"Deactivated at once, deleted after this time, such as 30d."`
}

func (o *OnRemove) decode(d *decoder, n *node, key string, _ field) {
	if n.kind == section {
		var a deleteAfter
		d.section(n, reflect.ValueOf(&a).Elem(), key)
		*o = OnRemove{Action: "delete", DeleteAfter: a.After}
		return
	}
	if word, ok := d.text(n, key, field{enum: removals}); ok {
		*o = OnRemove{Action: word}
	}
}

// The long forms of values that also have a short one.
type (
	limitNumbers     Limit
	attributeOptions Attribute
)

func (l *Limit) decode(d *decoder, n *node, key string, _ field) {
	if n.kind == section {
		d.section(n, reflect.ValueOf((*limitNumbers)(l)).Elem(), key)
		return
	}
	if n.text != "off" {
		d.wrong(n, key, "off, or a section such as {count: 25, percent: 10}")
		return
	}
	*l = Limit{}
}

func (a *Attribute) decode(d *decoder, n *node, key string, _ field) {
	a.SetDefaults()
	if n.kind == section {
		d.section(n, reflect.ValueOf((*attributeOptions)(a)).Elem(), key)
		return
	}
	if n.kind != scalar {
		d.wrong(n, key, "an expression or a section with expr")
		return
	}
	a.Expr.decode(d, n, key, field{})
}

// A Target is one application. What its type of application needs is in Options.
type Target struct {
	Name    string
	Type    string
	Pos     Position `json:"-"` // of the type
	Options Node
}

func (t *Target) decode(d *decoder, n *node, key string, _ field) {
	if n.kind != section {
		d.wrong(n, key, "a section of keys")
		return
	}
	t.Name = strings.TrimPrefix(key, "targets.")
	rest := *n
	rest.pairs = nil
	for _, p := range n.pairs {
		if p.key == "type" {
			t.Type, _ = d.text(p.value, join(key, "type"), field{})
			t.Pos = p.value.pos
			continue
		}
		rest.pairs = append(rest.pairs, p)
	}
	if t.Type == "" && n.get("type") == nil {
		d.faults.add(n.key, join(key, "type"), "such as type: scim", "%s is missing", join(key, "type"))
	}
	t.Options = Node{node: &rest, dir: d.dir, key: key}
}

// A Node is a section that is kept for others to decode.
type Node struct {
	node *node
	dir  string
	key  string
}

// Decode puts the section into a struct, a pointer to which is given, as strictly as the rest of
// the configuration is read. The error is [Faults]; keys already decoded keep their values.
func (n Node) Decode(into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("configs: Decode needs a pointer to a struct, not %T", into))
	}
	if n.node == nil {
		return nil
	}
	var faults Faults
	d := &decoder{dir: n.dir, faults: &faults}
	d.section(n.node, v.Elem(), n.key)
	return faults.Err()
}

// Position returns where the key at a path inside the section has its value, or the nearest
// section around it that exists.
func (n Node) Position(path ...string) Position {
	if n.node == nil {
		return Position{}
	}
	return n.node.find(path).place()
}
