package configs_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"entrasync/configs"
)

func TestSchemaAcceptsGood(t *testing.T) {
	t.Parallel()
	compiled := compileSchema(t)
	for _, file := range append(files(t, "testdata/good/*.yaml"), files(t, "examples/*.yaml")...) {
		if v := verdict(compiled, read(t, file)); v != "accepts" {
			t.Errorf("%s: the schema %s it", file, v)
		}
	}
	if v := verdict(compiled, []byte(configs.Starter())); v != "accepts" {
		t.Errorf("starter: the schema %s it", v)
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := configs.Schema(optionTypes())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("entrasync.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("entrasync.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// verdict is what an editor would say of a file: accepts, refuses, or cannot read.
func verdict(s *jsonschema.Schema, data []byte) string {
	var value any
	if err := yaml.Unmarshal(data, &value); err != nil {
		return "cannot read"
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "cannot read"
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return "cannot read"
	}
	if s.Validate(doc) != nil {
		return "refuses"
	}
	return "accepts"
}

// What the loader takes the schema takes too, whatever is changed in a good file.
func TestSchemaIsNotStricterThanTheLoader(t *testing.T) {
	t.Parallel()
	compiled := compileSchema(t)
	var sources [][]byte
	for _, file := range files(t, "testdata/good/*.yaml") {
		sources = append(sources, read(t, file))
	}
	var loaded, refused atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		var doc yaml.Node
		if err := yaml.Unmarshal(rapid.SampledFrom(sources).Draw(t, "file"), &doc); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			change(t, doc.Content[0])
		}
		data, err := yaml.Marshal(&doc)
		if err != nil {
			t.Skip("the change left no YAML")
		}
		_, err = configs.Parse("c.yaml", data, forms, targets)
		if err != nil {
			refused.Add(1)
			return
		}
		loaded.Add(1)
		if v := verdict(compiled, data); v != "accepts" {
			t.Fatalf("the loader takes this, the schema %s it:\n%s", v, data)
		}
	})
	t.Logf("%d changed files load, %d do not", loaded.Load(), refused.Load())
	if loaded.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d changed files load, %d do not: the changes show nothing", loaded.Load(), refused.Load())
	}
}

// change removes, replaces or copies something below a node.
func change(t *rapid.T, n *yaml.Node) {
	for (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) && len(n.Content) > 0 {
		step := 1
		if n.Kind == yaml.MappingNode {
			step = 2
		}
		i := step*rapid.IntRange(0, len(n.Content)/step-1).Draw(t, "child") + step - 1
		switch child := n.Content[i]; {
		case rapid.IntRange(0, 9).Draw(t, "stop") == 0:
			n.Content = slices.Delete(n.Content, i+1-step, i+1)
			return
		case child.Kind == yaml.AliasNode:
			return
		default:
			n = child
		}
	}
	value := rapid.SampledFrom([]string{"all", "off", "true", "5", "-1", "0", "60%", "12.5 %", "30d", "1h", "@daily", "* * * * *", "delete",
		"https://x.example/{tenant}", "http://127.0.0.1:1/", "contoso", "consented", ":80", "11111111-2222-3333-4444-555555555555", "${COUNT}", "default", "x"}).Draw(t, "value")
	*n = yaml.Node{Kind: yaml.ScalarNode, Value: value}
}
