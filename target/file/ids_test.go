package file_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/target"
	"entrasync/target/file"
)

// Ids and members that are numbers in a file are ids digit for digit, and a change of something
// else leaves every digit of the line.
func TestNumbersForIDs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	err := os.WriteFile(path, []byte(`{"id":9007199254740993,"userName":"ada","badge":9007199254740995}
{"id":9007199254740992,"userName":"bob"}
{"id":"g","meta":{"resourceType":"Group"},"displayName":"Sales","members":[{"value":9007199254740993},9007199254740992]}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	a, err := file.New(file.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	ids, _, err := a.Members(ctx, target.Ref{Kind: target.Group, ID: "g"})
	if err != nil || strings.Join(ids, " ") != "9007199254740992 9007199254740993" {
		t.Errorf("members are %v, %v", ids, err)
	}
	title, err := target.ParsePath("title")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Update(ctx, target.Ref{Kind: target.User, ID: "9007199254740993"}, []target.Attribute{{Path: title, Value: "Analyst"}}); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(ctx); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`{"id":"9007199254740993","meta":{"resourceType":"User"},"badge":9007199254740995,"title":"Analyst","userName":"ada"}`, `{"id":9007199254740992,"userName":"bob"}`} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("the file is\n%s\nand lacks %s", text, line)
		}
	}
}
