package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of what is read, far above any real configuration: a file that reaches them is a
// mistake or an attack, such as aliases of aliases of aliases.
const (
	maxFile  = 4 << 20  // bytes in the file
	maxText  = 16 << 20 // bytes in all values once variables are replaced
	maxNodes = 100_000  // values once aliases are expanded
	maxDepth = 64       // sections inside sections
)

type kind int

const (
	scalar kind = iota
	list
	section
)

// A node is a YAML value with aliases and merge keys expanded and variables replaced.
type node struct {
	kind  kind
	pos   Position // of the value
	key   Position // of the key that leads to it, the value's own place in a list
	tag   string   // "!!str", "!!int", … as YAML resolves it
	style yaml.Style
	text  string  // of a scalar
	raw   string  // of a scalar, before variables were replaced: fit for messages
	items []*node // of a list
	pairs []pair  // of a section, as written
	index map[string]*node
}

type pair struct {
	key   string
	value *node
}

func (n *node) get(key string) *node { return n.index[key] }

func (n *node) add(key string, value *node) {
	n.pairs = append(n.pairs, pair{key, value})
	n.index[key] = value
}

// find follows keys down and returns the last node there is.
func (n *node) find(path []string) *node {
	for _, key := range path {
		next := n.get(key)
		if next == nil {
			break
		}
		n = next
	}
	return n
}

// A reader turns YAML's nodes into ours.
type reader struct {
	file      string
	lookupEnv func(string) (string, bool)
	faults    Faults
	nodes     int
	text      int
	open      map[*yaml.Node]bool // anchors being expanded
	full      bool                // a bound was reached
}

// read parses the one document of a file. The node is nil when it cannot be parsed or is empty.
func (r *reader) read(data []byte) *node {
	start := Position{r.file, 1, 1}
	switch {
	case len(data) > maxFile:
		r.faults.add(start, "", "", "the file is larger than %d MiB", maxFile>>20)
		return nil
	case !utf8.Valid(data):
		at := len(data) - len(bytes.TrimLeftFunc(data, func(c rune) bool { return c != utf8.RuneError }))
		r.faults.add(r.offset(data, at), "", "save the file as UTF-8", "the file is not UTF-8 text")
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		r.faults.add(start, "", "", "the file is empty")
		return nil
	} else if err != nil {
		r.faults = append(r.faults, explain(r.file, data, err))
		return nil
	}
	if err := dec.Decode(&second); err == nil {
		r.faults.add(Position{r.file, max(second.Line, 1), max(second.Column, 1)}, "", "remove the line ---", "a second document begins")
	} else if !errors.Is(err, io.EOF) {
		r.faults = append(r.faults, explain(r.file, data, err))
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		r.faults.add(start, "", "", "the file is empty")
		return nil
	}
	r.open = map[*yaml.Node]bool{}
	return r.node(doc.Content[0], "", 0)
}

func (r *reader) offset(data []byte, at int) Position {
	before := data[:at]
	line := bytes.Count(before, []byte("\n"))
	return Position{r.file, line + 1, utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1}
}

func (r *reader) place(n *yaml.Node) Position { return Position{r.file, n.Line, n.Column} }

// node converts n, nil when a bound is reached or an alias leads back to itself.
func (r *reader) node(n *yaml.Node, key string, depth int) *node {
	if r.full {
		return nil
	}
	if r.nodes++; r.nodes > maxNodes || depth > maxDepth {
		r.full = true
		if depth > maxDepth {
			r.faults.add(r.place(n), "", "", "sections are nested more than %d deep", maxDepth)
		} else {
			r.faults.add(r.place(n), "", "use fewer aliases", "the file has more than %d values", maxNodes)
		}
		return nil
	}
	out := &node{pos: r.place(n), key: r.place(n), tag: n.ShortTag(), style: n.Style}
	switch n.Kind {
	case yaml.AliasNode:
		if r.open[n.Alias] {
			r.faults.add(r.place(n), key, "", "the alias *%s contains itself", n.Value)
			return nil
		}
		return r.node(n.Alias, key, depth)
	case yaml.SequenceNode:
		out.kind = list
		r.open[n] = true
		for i, item := range n.Content {
			if c := r.node(item, fmt.Sprintf("%s[%d]", key, i), depth+1); c != nil {
				out.items = append(out.items, c)
			}
		}
		delete(r.open, n)
	case yaml.MappingNode:
		out.kind = section
		r.open[n] = true
		r.section(out, n, key, depth)
		delete(r.open, n)
	default:
		out.raw = n.Value
		out.text = r.replace(n.Value, out.pos, key)
		// A number or boolean that comes from a variable has its type from what it became.
		if out.text != out.raw && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
			out.tag = (&yaml.Node{Kind: yaml.ScalarNode, Value: out.text}).ShortTag()
		}
	}
	return out
}

func (r *reader) section(out *node, n *yaml.Node, key string, depth int) {
	out.index = make(map[string]*node, len(n.Content)/2)
	var merged []pair
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode || k.ShortTag() == "!!null" {
			r.faults.add(r.place(k), key, "", "a key must be a word")
			continue
		}
		if k.ShortTag() == "!!merge" {
			merged = append(merged, r.merge(v, key, depth)...)
			continue
		}
		if first, ok := lines[k.Value]; ok {
			r.faults.add(r.place(n.Content[i]), join(key, k.Value), "remove one of them",
				"%s is given twice, first on line %d", k.Value, first)
			continue
		}
		lines[k.Value] = k.Line
		if c := r.node(v, join(key, k.Value), depth+1); c != nil {
			c.key = r.place(n.Content[i])
			out.add(k.Value, c)
		}
	}
	for _, p := range merged {
		if out.get(p.key) == nil {
			out.add(p.key, p.value)
		}
	}
}

// merge returns the pairs that a merge key brings (<<: *base, or a list of them).
func (r *reader) merge(v *yaml.Node, key string, depth int) []pair {
	m := r.node(v, key, depth+1)
	switch {
	case m == nil:
		return nil
	case m.kind == section:
		return m.pairs
	case m.kind == list:
		var all []pair
		for _, item := range m.items {
			if item.kind != section {
				break
			}
			all = append(all, item.pairs...)
		}
		return all
	}
	r.faults.add(r.place(v), key, "", "<< must lead to a section, such as <<: *name")
	return nil
}

// replace puts the environment into a value: ${NAME}, ${NAME:-default}; $${ stands for ${.
func (r *reader) replace(s string, at Position, key string) string {
	if !strings.Contains(s, "${") {
		return s
	}
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		if !found {
			out.WriteString(s)
			return out.String()
		}
		if strings.HasSuffix(before, "$") {
			out.WriteString(before + "{")
			s = rest
			continue
		}
		out.WriteString(before)
		inside, after, closed := strings.Cut(rest, "}")
		name, fallback, hasFallback := strings.Cut(inside, ":-")
		const literal = "to mean the characters themselves write $${"
		if !closed || !isVariable(name) {
			r.faults.add(at, key, literal, "${ does not begin a variable such as ${NAME}")
			return out.String()
		}
		value, ok := r.lookupEnv(name)
		switch {
		case hasFallback && value == "":
			value = fallback
		case !ok:
			r.faults.add(at, key, "set it, or write ${"+name+":-default}; "+literal, "the environment variable %s is not set", name)
		}
		if r.text += len(value); r.text > maxText {
			if !r.full {
				r.full = true
				r.faults.add(at, key, "", "environment variables make the values longer than %d MiB", maxText>>20)
			}
			return ""
		}
		out.WriteString(value)
		s = after
	}
}

func isVariable(s string) bool {
	for i, c := range s {
		switch {
		case c == '_', 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', i > 0 && '0' <= c && c <= '9':
		default:
			return false
		}
	}
	return s != ""
}

// Escape returns s in the form in which the loader takes it for s itself, with no variable
// replaced in it. Quoting for YAML is another matter.
func Escape(s string) string { return strings.ReplaceAll(s, "${", "$${") }

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// place is where messages about the value point to: a section begins with its key.
func (n *node) place() Position {
	if n.kind == section {
		return n.key
	}
	return n.pos
}
