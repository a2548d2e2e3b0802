package configs_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"entrasync/configs"
)

// The schema kept beside the code leaves the options of targets open, which this package does not
// know.
func TestSchemaIsCurrent(t *testing.T) {
	t.Parallel()
	const file = "entrasync.schema.json"
	got, err := configs.Schema(nil)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, file), got) {
		t.Errorf("%s is not current: run go test ./configs -update", file)
	}
}

func TestSchemaAcceptsGood(t *testing.T) {
	t.Parallel()
	compiled := compileSchema(t)
	for _, file := range files(t, "testdata/good/*.yaml") {
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
