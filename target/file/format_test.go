package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/target"

	"github.com/google/go-cmp/cmp"
)

func TestTheFormOfALine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	a := open(t, path)
	user, err := a.Create(t.Context(), target.User, attrs(t,
		"userName", "ada", "title", "R&D <head>", "active", false, "name.familyName", "Lovelace",
		`emails[type eq "work"].value`, "ada@example.com",
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "Sales"))
	if err != nil {
		t.Fatal(err)
	}
	group, err := a.Create(t.Context(), target.Group, attrs(t, "displayName", "Sales"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.ChangeMembers(t.Context(), group.Ref, []string{user.ID}, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"id":"` + user.ID + `","meta":{"resourceType":"User"},"active":false,"emails":[{"type":"work","value":"ada@example.com"}],` +
			`"name":{"familyName":"Lovelace"},"title":"R&D <head>","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales"},"userName":"ada"}`,
		`{"id":"` + group.ID + `","meta":{"resourceType":"Group"},"displayName":"Sales","members":[{"value":"` + user.ID + `"}]}`,
	}
	if diff := cmp.Diff(want, lines(t, path)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnchangedLinesStayAsTheyWere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "people.jsonl")
	odd := `{ "userName":"odd",  "id":"1", "big":12345678901234567890, "meta":{"resourceType":"User","note":"kept"} }`
	if err := os.WriteFile(path, []byte(odd+"\r\n\n"+`{"id":"2","userName":"two","custom":{"a":[1]},"meta":{"note":"kept"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	a := open(t, path)
	if _, err := a.Update(t.Context(), target.Ref{Kind: target.User, ID: "2"}, attrs(t, "active", false)); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{odd, `{"id":"2","meta":{"note":"kept","resourceType":"User"},"active":false,"custom":{"a":[1]},"userName":"two"}`}
	if diff := cmp.Diff(want, lines(t, path)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestABadFileNamesTheLine(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"{\"id\":\"1\",\"userName\":\"a\"}\n{\"id\":": "line 2: not JSON at column 6",
		"\n[1]":            "line 2: not a JSON object",
		`{"userName":"a"}`: "line 1: id is missing",
		`{"id":"1"}`:       "line 1: meta.resourceType",
		"{\"id\":\"1\",\"userName\":\"a\"}\n{\"id\":\"1\",\"userName\":\"b\"}": `line 2: the id "1" is that of line 1 too`,
	} {
		path := filepath.Join(t.TempDir(), "people.jsonl")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		a := open(t, path)
		for call, err := range map[string]error{
			"probe": func() error { _, err := a.Probe(t.Context(), nil); return err }(),
			"list":  a.List(t.Context(), target.User, func([]target.Resource) error { return nil }),
		} {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s of %q: %v, want %q", call, content, err, want)
			}
		}
		if got := strings.Join(lines(t, path), "\n"); got != content {
			t.Errorf("the bad file was changed to %q", got)
		}
	}
}

func TestIDAndUserNameAreGuarded(t *testing.T) {
	t.Parallel()
	a := open(t, filepath.Join(t.TempDir(), "people.jsonl"))
	if _, err := a.Create(t.Context(), target.User, attrs(t, "active", true)); target.CodeOf(err) != target.Rejected {
		t.Errorf("a user without userName: %v", err)
	}
	ada := create(t, a, "ada")
	if _, err := a.Update(t.Context(), ada, attrs(t, "id", "mine")); target.CodeOf(err) != target.Rejected {
		t.Errorf("a written id: %v", err)
	}
	if _, err := a.Update(t.Context(), ada, attrs(t, "userName", nil)); target.CodeOf(err) != target.Rejected {
		t.Errorf("a cleared userName: %v", err)
	}
	for range 2 {
		if _, err := a.Create(t.Context(), target.Group, attrs(t, "displayName", "Same")); err != nil {
			t.Errorf("two groups of one name: %v", err)
		}
	}
}

// Whatever a file holds: it is refused with its line, or read and written back so that it reads
// the same.
func FuzzFile(f *testing.F) {
	f.Add(`{"id":"1","userName":"a","emails":[{"type":"work","value":"x"}]}`)
	f.Add(`{"id":"1","meta":{"resourceType":"Group"},"members":[{"value":"2","display":"b"},"3","",{}]}` + "\n\n" + `{"id":"2","userName":"b"}`)
	f.Add(`{"id":"1","userName":5,"meta":3}`)
	f.Fuzz(func(t *testing.T, content string) {
		path := filepath.Join(t.TempDir(), "people.jsonl")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		read := func() (all []target.Resource, err error) {
			a := open(t, path)
			for _, kind := range []target.Kind{target.User, target.Group} {
				err = a.List(t.Context(), kind, func(page []target.Resource) error {
					for _, r := range page {
						got, err := a.Get(t.Context(), r.Ref)
						if err != nil {
							return err
						}
						all = append(all, *got)
					}
					return nil
				})
				if err != nil {
					return nil, err
				}
			}
			return all, nil
		}
		before, err := read()
		if err != nil {
			return
		}
		a := open(t, path)
		extra, err := a.Create(t.Context(), target.Group, attrs(t, "displayName", "forces a write"))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		after, err := read()
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if diff := cmp.Diff(append(before, *extra), after); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
	})
}

// A path may lead to a file of something else, one with secrets: its lines are not repeated.
func TestLinesOfAForeignFileAreNotRepeated(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"root:$6$planted:19000:0:99999:7:::",
		`"planted"`,
		`{"id":"planted","password":"planted"}`,
		`{"id":"1","meta":{"resourceType":"planted"},"userName":"planted"}`,
		"{\"id\":\"1\",\"userName\":\"a\"}\nplanted",
		`{"client_secret":planted}`,
		`{"id":"1","userName":"planted`,
	} {
		path := filepath.Join(t.TempDir(), "foreign")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := open(t, path).Probe(t.Context(), nil)
		if err == nil || strings.Contains(err.Error(), "planted") || !strings.Contains(err.Error(), path+" line ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
