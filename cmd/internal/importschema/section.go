package importschema

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"entrasync/configs"
)

// head is the comment above the section.
func (c *converter) head() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "# "+format+"\n", args...) }
	line("Made by entrasync import-schema from the provisioning job's rule %s, %s to %s.",
		oneLine(quote(c.rule.Name)), oneLine(quote(c.rule.Source)), oneLine(quote(c.rule.Target)))
	if c.From == "consented" {
		line("It goes into a configuration that has the section consent and the target %s; then: entrasync check --offline", c.To)
	} else {
		line("It goes into a configuration that has the tenant %s and the target %s; then: entrasync check --offline", c.From, c.To)
	}
	for _, part := range []struct {
		kind  Kind
		title string
	}{{LeftOut, "Not carried over:"}, {Changed, "Carried over, with another meaning than in Entra:"}, {Advice, "Worth a look:"}} {
		first := true
		for _, note := range c.notes {
			if note.Kind != part.kind {
				continue
			}
			if first {
				b.WriteString("#\n")
				line("%s", part.title)
				first = false
			}
			line("  - %s", note)
		}
	}
	b.WriteString("\n")
	return b.String()
}

// section writes the section syncs:.
func (c *converter) section(users, groups *part) (string, error) {
	scope := block()
	scope.put("users", text("assigned"))
	if len(users.filter) > 0 {
		scope.put("filter", filterNode(users.filter))
	}
	u := block()
	if len(users.match) > 0 {
		u.put("match", words(users.match))
	}
	u.put("actions", words(users.actions))
	if users.onRemove != "" {
		u.put("on_remove", text(users.onRemove))
	}
	u.put("attributes", attributesNode(users.attributes))
	sync := block()
	sync.put("from", text(c.From))
	sync.put("to", text(c.To))
	sync.put("scope", scope)
	sync.put("users", u)
	if groups != nil {
		g := block()
		g.put("enabled", boolean())
		g.put("source", text("assigned"))
		if len(groups.filter) > 0 {
			g.Content[len(g.Content)-1] = (*yaml.Node)(filterNode(groups.filter))
		}
		if len(groups.match) > 0 {
			g.put("match", words(groups.match))
		}
		g.put("actions", words(groups.actions))
		g.put("attributes", attributesNode(groups.attributes))
		sync.put("groups", g)
	}
	syncs := block()
	syncs.put(c.Sync, sync)
	doc := block()
	doc.put("syncs", syncs)

	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode((*yaml.Node)(doc)); err != nil {
		return "", fmt.Errorf("write section: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return "", fmt.Errorf("write section: %w", err)
	}
	return out.String(), nil
}

func attributesNode(attributes []attribute) *node {
	n := block()
	for _, a := range attributes {
		s := a.spec
		value := expression(s.Expr)
		if s.Required || s.Default != nil || s.Apply != "" || s.Multi {
			value = inline()
			value.put("expr", expression(s.Expr))
			if s.Required {
				value.put("required", boolean())
			}
			if s.Default != nil {
				value.put("default", text(fmt.Sprint(s.Default)))
			}
			if s.Apply != "" {
				value.put("apply", text(s.Apply))
			}
			if s.Multi {
				value.put("multi", boolean())
			}
		}
		n.put(s.Path, value)
		n.Content[len(n.Content)-2].HeadComment = strings.Join(a.notes, "\n")
	}
	return n
}

func filterNode(groups []group) *node {
	n := &node{Kind: yaml.SequenceNode}
	for _, g := range groups {
		clauses := &yaml.Node{Kind: yaml.SequenceNode, HeadComment: oneLine(g.name)}
		for _, c := range g.clauses {
			clause := inline()
			clause.put("attribute", text(c.Attribute))
			clause.put("operator", text(c.Operator))
			if c.Value != "" {
				clause.put("value", text(c.Value))
			}
			clauses.Content = append(clauses.Content, (*yaml.Node)(clause))
		}
		n.Content = append(n.Content, clauses)
	}
	return n
}

// A node is a YAML node being built.
type node yaml.Node

func block() *node  { return &node{Kind: yaml.MappingNode} }
func inline() *node { return &node{Kind: yaml.MappingNode, Style: yaml.FlowStyle} }

// put adds a key. Keys are taken as they are: variables are replaced in values only.
func (n *node) put(key string, value *node) {
	name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}
	if strings.ContainsAny(key, `[]"`) {
		name.Style = yaml.SingleQuotedStyle
	}
	n.Content = append(n.Content, name, (*yaml.Node)(value))
}

func boolean() *node { return &node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"} }

func text(value string) *node {
	return &node{Kind: yaml.ScalarNode, Tag: "!!str", Value: configs.Escape(value)}
}

// expression quotes: brackets and commas would mean something to YAML.
func expression(value string) *node {
	n := text(value)
	switch {
	case plain.MatchString(value):
	case strings.ContainsAny(value, `"\`) && !strings.ContainsAny(value, "\r\n"):
		n.Style = yaml.SingleQuotedStyle
	default:
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

func words(values []string) *node {
	n := &node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, value := range values {
		n.Content = append(n.Content, (*yaml.Node)(text(value)))
	}
	return n
}
