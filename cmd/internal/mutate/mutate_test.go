package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A fault is found where its line is now, within its package; a line that is gone, or there twice,
// is reported and never guessed.
func TestPlace(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		in    string // file that the fault ends up in
		want  string // its text
	}{
		"in its file":                  {map[string]string{"a.go": "x := one\n", "b.go": "y\n"}, "a.go", "x := two\n"},
		"moved to another file":        {map[string]string{"a.go": "y\n", "b.go": "x := one\n"}, "b.go", "x := two\n"},
		"its file is gone":             {map[string]string{"b.go": "x := one\n"}, "b.go", "x := two\n"},
		"elsewhere too, its own first": {map[string]string{"a.go": "x := one\n", "b.go": "x := one\n"}, "a.go", "x := two\n"},
		"twice in its file":            {map[string]string{"a.go": "x := one\nx := one\n"}, "", ""},
		"in two other files":           {map[string]string{"b.go": "x := one\n", "c.go": "x := one\n"}, "", ""},
		"in a test only":               {map[string]string{"a_test.go": "x := one\n"}, "", ""},
		"gone":                         {map[string]string{"a.go": "y\n"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range test.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			m := mutation{id: "X1", file: filepath.Join(dir, "a.go"), old: "x := one", new: "x := two"}
			file, text, err := m.place()
			if test.in == "" {
				if err == nil {
					t.Errorf("placed in %s", file)
				}
				return
			}
			if err != nil || filepath.Base(file) != test.in || text != test.want {
				t.Errorf("in %s: %q, %v", file, text, err)
			}
		})
	}
}

// The same seed draws the same sample, of faults that survivors.md does not name.
func TestSample(t *testing.T) {
	t.Parallel()
	all := func() []mutation {
		return []mutation{{id: "A1"}, {id: "A2"}, {id: "A3"}, {id: "A4"}, {id: "B1"}, {id: "B2"}, {id: "B3"}}
	}
	survivors := "Text of A4.\n\n- Part: A1 B1\n- Another part: B3\n\n- **A2** It changes nothing: see there.\n"
	ids := func(only string, sample int, seed uint64) (out []string) {
		chosen, err := choose(all(), survivors, only, sample, seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range chosen {
			out = append(out, m.id)
		}
		return out
	}
	if a, b := ids("", 2, 7), ids("", 2, 7); len(a) != 2 || !slices.Equal(a, b) {
		t.Errorf("%v and %v", a, b)
	}
	sample := ids("", 9, 7)
	if slices.Sort(sample); !slices.Equal(sample, []string{"A3", "A4", "B2"}) {
		t.Errorf("drawn from %v", sample)
	}
	if named := ids("^B", 0, 7); !slices.Equal(named, []string{"B1", "B2", "B3"}) {
		t.Errorf("without a sample: %v", named)
	}
}

// Every survivor is a fault of the list, an accepted one has a reason, and none is in the file twice;
// every fault changes something.
func TestLists(t *testing.T) {
	t.Parallel()
	all := allMutations()
	known := func(id string) bool { return slices.ContainsFunc(all, func(m mutation) bool { return m.id == id }) }
	accepted, passing := explained(survivorsText), unexplained(survivorsText)
	for id, reason := range accepted {
		if !known(id) || len(strings.Fields(reason)) < 5 {
			t.Errorf("survivors.md: %s: %q", id, reason)
		}
	}
	for i, id := range passing {
		if !known(id) || accepted[id] != "" || slices.Contains(passing[:i], id) {
			t.Errorf("survivors.md: %s is no fault of the list, or there twice", id)
		}
	}
	for _, m := range all {
		if m.old == m.new || m.old == "" || m.fault == "" {
			t.Errorf("%s: it changes nothing or has no words", m.id)
		}
	}
}

// Every fault applies to the code as it is: who changes a line that an entry quotes changes the
// entry with it.
func TestFaultsApply(t *testing.T) {
	t.Parallel()
	if _, err := choose(allMutations(), "", "", 0, 1); err != nil {
		t.Error(err) // an id that two have
	}
	for _, m := range allMutations() {
		m.file = filepath.Join("..", "..", "..", m.file)
		if _, _, err := m.place(); err != nil {
			t.Errorf("%s no longer applies: %v\n%s", m.id, err, m.old)
		}
	}
}
