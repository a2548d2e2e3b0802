package main

import (
	"maps"
	"slices"
	"testing"
)

// Faults of a package are in one test binary, and one of them is switched on at a time: tests notice
// that one and no other. What cannot be chosen at run time is left out.
func TestCombine(t *testing.T) {
	scratch := module(t, map[string]string{"p/p.go": reached, "p/p_test.go": judging})
	faults := []mutation{
		{id: "CASE", file: "p/p.go", old: `m > 9 &&`, new: `m > 90 &&`},
		{id: "WITHIN", file: "p/p.go", old: `return "some"`, new: `return "others"`}, // of the same switch
		{id: "IF", file: "p/p.go", old: `n == 4`, new: `n == 5`},
		{id: "SAME", file: "p/p.go", old: `return "many"`, new: `return "lots"`}, // no test asks
		{id: "TABLE", file: "p/p.go", old: `{"a": 1}`, new: `{"a": 2}`},          // outside functions
		{id: "BROKEN", file: "p/p.go", old: `return "four"`, new: `return four`},
		{id: "GONE", file: "p/p.go", old: `return "five"`, new: `return "six"`},
	}
	c, err := combine(t.Context(), "./p", faults, scratch)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(c.ids)); !slices.Equal(got, []string{"CASE", "IF", "SAME", "WITHIN"}) {
		t.Fatalf("in the binary: %v", got)
	}
	for fault, want := range map[string]string{"": "", "CASE": "TestSome", "WITHIN": "TestSome", "IF": "TestFour", "SAME": ""} {
		if run := runBinary(t.Context(), c.binary, "./p", fault, []string{"-test.v"}); run.failed != want || run.broken {
			t.Errorf("with %q %q fails, want %q\n%s", fault, run.failed, want, run.output)
		}
	}
}

// Statements that define something are no alternatives to each other: what they define would end
// with the alternative. The statement around them is one where there is one.
func TestVariant(t *testing.T) {
	module(t, map[string]string{"p/p.go": `package p

func sum(list []int) int {
	total := 0
	for _, n := range list {
		half := n / 2
		total += half
	}
	return total
}
`})
	for old, want := range map[string]string{
		`total := 0`:               "",
		`half := n / 2`:            "for _, n := range list {\n\t\thalf := n / 2\n\t\ttotal += half\n\t}",
		`total += half`:            "total += half",
		`return total`:             "return total",
		`range list {`:             "for _, n := range list {\n\t\thalf := n / 2\n\t\ttotal += half\n\t}",
		`func sum(list`:            "",
		`total := 0` + "\n\tfor _": "",
	} {
		m := mutation{file: "p/p.go", old: old, new: "x" + old}
		_, text, err := (&mutation{file: "p/p.go", old: "package p", new: "package p"}).place()
		if err != nil {
			t.Fatal(err)
		}
		v, ok := m.variant()
		if ok != (want != "") || ok && text[v.from:v.to] != want {
			t.Errorf("%q: %v %q, want %q", old, ok, text[v.from:v.to], want)
		}
	}
}

// A fault that does not build is told from one that does, without running a test.
func TestCheck(t *testing.T) {
	module(t, map[string]string{"p/p.go": reached, "p/p_test.go": judging})
	r := &runner{dry: true, build: true, jobs: 1}
	if err := r.run(t.Context(), []mutation{
		{id: "FINE", file: "p/p.go", old: `n == 4`, new: `n == 5`},
		{id: "BROKEN", file: "p/p.go", old: `return "four"`, new: `return four`},
		{id: "GONE", file: "p/p.go", old: `return "five"`, new: `return "six"`},
	}); err != nil {
		t.Fatal(err)
	}
	got := map[string]outcome{}
	for _, res := range r.results {
		got[res.mutation.id] = res.outcome
	}
	if want := map[string]outcome{"FINE": applies, "BROKEN": broken, "GONE": unfit}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
