package file_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/target"
	"entrasync/target/file"
	"entrasync/target/targettest"
)

func open(tb testing.TB, path string) *file.Adapter {
	tb.Helper()
	a, err := file.New(file.Config{Path: path})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { a.Close(tb.Context()) })
	return a
}

// openSmall opens the file with sizes at which a few lines have several blocks and an index.
func openSmall(tb testing.TB, path string) *file.Adapter {
	tb.Helper()
	a, err := file.NewSmall(file.Config{Path: path})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { a.Close(tb.Context()) })
	return a
}

func TestConformanceOfAnIndexedFile(t *testing.T) {
	t.Parallel()
	targettest.Run(t, targettest.Harness{
		New: func(tb testing.TB) targettest.App {
			path := filepath.Join(tb.TempDir(), "people.jsonl")
			a := openSmall(tb, path)
			return targettest.App{Adapter: a, Reopen: func(tb testing.TB) target.Adapter {
				if err := a.Close(tb.Context()); err != nil {
					tb.Fatal(err)
				}
				return openSmall(tb, path)
			}}
		},
	})
}

func TestConformance(t *testing.T) {
	t.Parallel()
	folders, err := target.ParsePath("urn:ietf:params:scim:schemas:extension:2.0:CustomExtensionName:folders")
	if err != nil {
		t.Fatal(err)
	}
	targettest.Run(t, targettest.Harness{
		Many: 2500,
		More: []target.Attribute{{Path: folders, Value: []any{"a", "b"}}},
		New: func(tb testing.TB) targettest.App {
			path := filepath.Join(tb.TempDir(), "new", "people.jsonl")
			a := open(tb, path)
			return targettest.App{Adapter: a, Reopen: func(tb testing.TB) target.Adapter { return open(tb, path) }}
		},
	})
}

// The same, with the file itself as the witness after a Close.
func TestConformanceReadBack(t *testing.T) {
	t.Parallel()
	targettest.Run(t, targettest.Harness{
		New: func(tb testing.TB) targettest.App {
			path := filepath.Join(tb.TempDir(), "people.jsonl")
			a := open(tb, path)
			return targettest.App{Adapter: a, ReadBack: func(tb testing.TB) (users, groups []target.Resource) {
				if err := a.Close(t.Context()); err != nil {
					tb.Fatal(err)
				}
				for _, line := range lines(tb, path) {
					var attrs map[string]any
					if err := json.Unmarshal([]byte(line), &attrs); err != nil {
						tb.Fatalf("%v in %s", err, line)
					}
					r := target.Resource{Ref: target.Ref{Kind: target.User, ID: attrs["id"].(string)}, Attributes: attrs}
					if attrs["meta"].(map[string]any)["resourceType"] == "Group" {
						r.Kind = target.Group
						groups = append(groups, r)
					} else {
						users = append(users, r)
					}
				}
				return users, groups
			}}
		},
	})
}

func lines(tb testing.TB, path string) []string {
	tb.Helper()
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		tb.Fatal(err)
	}
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}
