package main

import (
	"bytes"
	"os"
	"testing"
)

// The schema kept next to the code is the one that init writes.
func TestSchemaIsCurrent(t *testing.T) {
	t.Parallel()
	const kept = "../../configs/" + schemaFile
	want, err := configSchema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(kept, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not current: run go test ./cmd/entrasync -run SchemaIsCurrent -update", kept)
	}
}
