package manual

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A node is the part of a JSON Schema that the reference is made from.
type node struct {
	Ref         string           `json:"$ref"`
	Description string           `json:"description"`
	Default     json.RawMessage  `json:"default"`
	Enum        []any            `json:"enum"`
	Const       any              `json:"const"`
	Type        any              `json:"type"`
	Pattern     string           `json:"pattern"`
	Format      string           `json:"format"`
	Minimum     *float64         `json:"minimum"`
	Maximum     *float64         `json:"maximum"`
	Properties  map[string]*node `json:"properties"`
	Additional  json.RawMessage  `json:"additionalProperties"`
	Items       *node            `json:"items"`
	AnyOf       []*node          `json:"anyOf"`
	AllOf       []*node          `json:"allOf"`
	Then        *node            `json:"then"`
	Required    []string         `json:"required"`
	Defs        map[string]*node `json:"$defs"`
}

// UnmarshalJSON takes a schema that is only true or false, which says nothing, as well.
func (n *node) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] != '{' {
		return nil
	}
	type plainNode node
	return json.Unmarshal(text, (*plainNode)(n))
}

// Configuration is the reference of the configuration's keys as one page, from its JSON Schema.
func Configuration(schema []byte) (string, error) {
	var root node
	if err := json.Unmarshal(schema, &root); err != nil {
		return "", fmt.Errorf("read the schema: %w", err)
	}
	r := reference{defs: root.Defs, done: map[string]bool{}}
	r.text.WriteString("# Configuration\n\nEvery key of `entrasync.yaml`. This page is made from the schema that editors use, `configs/entrasync.schema.json`:\n`go test ./cmd/entrasync -run Reference -update`. " +
		"A key with `_file` at its end is read again when the file changes. `${NAME}` in a value is replaced from the environment.\n")
	r.section("The file", "", &root)
	for len(r.queue) > 0 {
		next := r.queue[0]
		r.queue = r.queue[1:]
		r.section(next.title, next.path, next.node)
	}
	return r.text.String(), nil
}

type part struct {
	title, path string
	node        *node
}

type reference struct {
	text  strings.Builder
	defs  map[string]*node
	done  map[string]bool
	queue []part
}

// section writes the keys of one section.
func (r *reference) section(title, path string, n *node) {
	fmt.Fprintf(&r.text, "\n## %s\n\n", title)
	if n.Description != "" {
		fmt.Fprintf(&r.text, "%s\n\n", cell(n.Description))
	}
	r.text.WriteString("| key | meaning | default | value |\n|---|---|---|---|\n")
	for _, key := range slices.Sorted(maps.Keys(n.Properties)) {
		of := n.Properties[key]
		standard := "none"
		if len(of.Default) > 0 {
			standard = "`" + cell(string(of.Default)) + "`"
		} else if slices.Contains(n.Required, key) {
			standard = "**required**"
		}
		below := strings.TrimPrefix(path+"."+key, ".")
		fmt.Fprintf(&r.text, "| `%s` | %s | %s | %s |\n", key, cell(r.description(of)), standard, r.value(of, below))
	}
}

func (r *reference) description(n *node) string {
	if n.Description == "" && n.Ref != "" {
		return r.resolve(n).Description
	}
	return n.Description
}

func (r *reference) resolve(n *node) *node {
	if def, ok := r.defs[strings.TrimPrefix(n.Ref, "#/$defs/")]; ok {
		return def
	}
	return n
}

// value says what may stand there, with an example where that is not plain.
func (r *reference) value(n *node, path string) string {
	switch {
	case n.Ref == "#/$defs/variable":
		return ""
	case n.Ref != "":
		return r.link(strings.TrimPrefix(n.Ref, "#/$defs/"), path, r.resolve(n))
	case len(n.AnyOf) > 0:
		var ways []string
		for _, way := range n.AnyOf {
			if text := r.value(way, path); text != "" && !slices.Contains(ways, text) {
				ways = append(ways, text)
			}
		}
		return strings.Join(ways, ", or ")
	case len(n.AllOf) > 0:
		var ways []string
		for _, way := range n.AllOf {
			if way.Then != nil {
				ways = append(ways, r.value(way.Then, path))
			}
		}
		return strings.Join(ways, ", or ")
	case len(n.Enum) > 0:
		var words []string
		for _, word := range n.Enum {
			words = append(words, fmt.Sprintf("`%v`", word))
		}
		return strings.Join(words, ", ")
	case n.Const != nil:
		return fmt.Sprintf("`%v`", n.Const)
	case len(n.Properties) > 0:
		return r.link(path, path, n)
	case n.Items != nil:
		return "a list: " + r.value(n.Items, path)
	}
	var of node
	if json.Unmarshal(n.Additional, &of) == nil && len(n.Additional) > 0 {
		return "sections by name: " + r.value(&of, path+".NAME")
	}
	return plain(n)
}

// link leads to a section, which is written once.
func (r *reference) link(name, path string, n *node) string {
	if len(n.Properties) == 0 {
		return r.value(n, path)
	}
	title := "`" + path + "`"
	if kind, ok := strings.CutPrefix(name, "target."); ok {
		title = "`" + path + "` of type " + kind
	}
	if !r.done[name] {
		r.done[name] = true
		r.queue = append(r.queue, part{title, path, n})
		return "section, see " + title
	}
	return "section, as elsewhere (" + name + ")"
}

func plain(n *node) string {
	var text string
	switch kind := fmt.Sprint(n.Type); kind {
	case "boolean":
		return "`true` or `false`"
	case "string":
		if text = "text"; n.Format != "" {
			text += " (" + n.Format + ")"
		}
		if strings.Contains(n.Pattern, "[0-9a-fA-F]{8}") {
			text = "id, such as `11111111-1111-1111-1111-111111111111`"
		}
		if strings.Contains(n.Pattern, "ms|s|m|h") || strings.Contains(n.Pattern, "[smhdw]") {
			text = "duration, such as `90s`, `15m`, `12h` or `30d`"
		}
	case "integer", "number":
		if text = "number"; n.Minimum != nil && n.Maximum != nil {
			text += fmt.Sprintf(" from %v to %v", *n.Minimum, *n.Maximum)
		}
	case "object":
		text = "section"
	case "<nil>":
		text = "any"
	default:
		text = "text or number"
	}
	return text
}

func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(text)
}
