package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const reached = `package p

var limit = map[string]int{"a": 1}

func judge(n int) string {
	switch m := n + 1; {
	case m > 9 &&
		m < 20:
		return "some"
	case m > 30:
		return "many"
	}
	if n == 4 {
		return "four"
	}
	return "few"
}
`

// A profile has no lines for the condition of a case. The tests that evaluate it are those that
// execute the switch, whichever case they meet.
func TestExecutedWith(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]span{
		`m < 20`:             {6, 8},
		`m > 30`:             {6, 10},
		`m > 30:` + "\n\t\t": {6, 11},
		`return "many"`:      {11, 11},
		`n == 4`:             {13, 13},
		`m := n + 1`:         {6, 6},
		`{"a": 1}`:           {},
	} {
		from := strings.Index(reached, text)
		lines, ok := executedWith(reached, from, from+len(text))
		if ok != (want != span{}) || ok && lines != want {
			t.Errorf("%q: %v, %v, want %v", text, lines, ok, want)
		}
	}
}

// Tests that execute a line are run, quick ones before slow ones, and no others; text outside functions
// is a matter of all tests.
func TestGroups(t *testing.T) {
	t.Parallel()
	r := &reach{}
	for n := range 22 {
		r.tests = append(r.tests, reachingTest{name: "TestQuick" + string(rune('A'+n)), spans: map[string][]span{"a.go": {{3, 5}, {9, 9}}}})
	}
	r.tests = append(r.tests,
		reachingTest{name: "TestElsewhere", spans: map[string][]span{"b.go": {{1, 99}}}},
		reachingTest{name: "TestSlow", took: time.Minute, spans: map[string][]span{"a.go": {{9, 12}}}})
	for name, tt := range map[string]struct {
		file  string
		lines span
		want  []int // how many tests are in each group
	}{
		"executed by all":    {"a.go", span{9, 9}, []int{20, 2, 1}},
		"by quick ones":      {"a.go", span{5, 8}, []int{20, 2}},
		"by the slow one":    {"a.go", span{10, 10}, []int{1}},
		"by one elsewhere":   {"b.go", span{7, 7}, []int{1}},
		"by none":            {"a.go", span{6, 8}, nil},
		"outside functions":  {"", span{}, []int{20, 3, 1}},
		"in another file":    {"c.go", span{1, 99}, nil},
		"around executed":    {"a.go", span{1, 99}, []int{20, 2, 1}},
		"the line before it": {"a.go", span{2, 2}, nil},
	} {
		groups := r.groups(tt.file, tt.lines)
		got := make([]int, 0, len(groups))
		for _, group := range groups {
			got = append(got, strings.Count(group, "|")+1)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, groups, tt.want)
		}
	}
}

// module is a package of its own in the folder that the test runs in.
func module(t *testing.T, files map[string]string) (scratch string) {
	t.Helper()
	t.Chdir(t.TempDir())
	files["go.mod"] = "module example.com/p\n\ngo 1.26\n"
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return t.TempDir()
}

const judging = `package p

import "testing"

func TestFew(t *testing.T)  { if judge(1) != "few" { t.Fail() } }
func TestFour(t *testing.T) { if judge(4) != "four" { t.Fail() } }
func TestSome(t *testing.T) { if judge(12) != "some" { t.Fail() } }
func TestLimit(t *testing.T) { if limit["a"] != 1 { t.Fail() } }
`

// What tests execute is measured by running each of them alone.
func TestMeasure(t *testing.T) {
	scratch := module(t, map[string]string{"p/p.go": reached, "p/p_test.go": judging})
	r, err := measure(t.Context(), "./p", scratch)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		`m > 30`:        {"TestFew", "TestFour", "TestSome"},
		`return "some"`: {"TestSome"},
		`return "many"`: nil,
		`n == 4`:        {"TestFew", "TestFour"},
		`{"a": 1}`:      {"TestFew", "TestFour", "TestLimit", "TestSome"},
	} {
		m := mutation{file: "p/p.go", old: text}
		var got []string
		for _, group := range r.groups(m.lines()) {
			got = append(got, strings.Split(strings.Trim(group, "^()$"), "|")...)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%q is executed by %v, want %v", text, got, want)
		}
	}
}
