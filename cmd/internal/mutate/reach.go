package main

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A reach says which tests of a package execute which of its lines. A test that never executes
// the line of a fault cannot notice it and is not run.
type reach struct {
	tests []reachingTest // those that take least time first
}

type reachingTest struct {
	name  string
	took  time.Duration
	spans map[string][]span // lines executed, by name of the file
}

type span struct{ from, to int }

// A packageCache prepares each package once.
type packageCache struct {
	mu    sync.Mutex
	known map[string]*prepared
}

// prepared is what the faults of one package share.
type prepared struct {
	reach    *reach
	combined *combined
	err      error // why the faults of the package cannot be tried
}

// of returns what there is of a package, for the faults that are to be tried.
func (c *packageCache) of(ctx context.Context, pkg string, faults []mutation, scratch string) (*prepared, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.known[pkg]; known != nil {
		return known, known.err
	}
	p := &prepared{}
	if c.known == nil {
		c.known = map[string]*prepared{}
	}
	c.known[pkg] = p
	if p.reach, p.err = measure(ctx, pkg, scratch); p.err != nil {
		p.err = fmt.Errorf("which lines the tests of %s execute: %w", pkg, p.err)
	} else {
		p.combined, p.err = combine(ctx, pkg, faults, scratch)
	}
	return p, p.err
}

// measure runs every test of a package alone, with coverage.
func measure(ctx context.Context, pkg, scratch string) (*reach, error) {
	dir, err := os.MkdirTemp(scratch, "")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binary, profile := filepath.Join(dir, filepath.Base(pkg)+".test"), filepath.Join(dir, "profile")
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-cover", "-o", binary, pkg).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, tail(string(out)))
	}
	r := &reach{}
	if _, err := os.Stat(binary); err != nil {
		return r, nil // it has no tests
	}
	names, err := exec.CommandContext(ctx, binary, "-test.list=^(Test|Example|Fuzz)").Output()
	if err != nil {
		return nil, err
	}
	for _, name := range strings.Fields(string(names)) {
		began := time.Now()
		run := runBinary(ctx, binary, pkg, "", []string{"-test.v", "-test.run=^" + name + "$", "-test.coverprofile=" + profile})
		if run.failed != "" {
			return nil, fmt.Errorf("%s fails alone, without a fault\n%s", name, run.output)
		}
		text, err := os.ReadFile(profile)
		if err != nil {
			return nil, err
		}
		r.tests = append(r.tests, reachingTest{name, time.Since(began), executed(string(text))})
	}
	slices.SortFunc(r.tests, func(a, b reachingTest) int { return int(a.took - b.took) })
	return r, nil
}

// block is a line of a coverage profile: file:line.column,line.column statements count.
var block = regexp.MustCompile(`([^/:\n]+\.go):(\d+)\.\d+,(\d+)\.\d+ \d+ [1-9]`)

// executed are the lines of a coverage profile that were executed.
func executed(profile string) map[string][]span {
	spans := map[string][]span{}
	for _, found := range block.FindAllStringSubmatch(profile, -1) {
		var s span
		if _, err := fmt.Sscan(found[2]+" "+found[3], &s.from, &s.to); err == nil {
			spans[found[1]] = append(spans[found[1]], s)
		}
	}
	return spans
}

// executedWith are the lines of which a coverage profile says that text between two offsets of a file
// was evaluated. A profile has no lines for the condition of a case, only for what follows when
// it is met: for a condition they are those from its switch on. ok is false for text outside functions.
func executedWith(source string, from, to int) (lines span, ok bool) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, "", source, parser.SkipObjectResolution)
	if err != nil {
		return span{}, false
	}
	lines.from = strings.Count(source[:from], "\n") + 1
	lines.to = lines.from + strings.Count(source[from:to], "\n")
	overlaps := func(begin, end token.Pos) bool {
		return set.Position(begin).Offset < to && from < set.Position(end).Offset
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		if body, is := n.(*ast.BlockStmt); is && overlaps(body.Pos(), body.End()) {
			ok = true
		}
		for _, c := range cases(n) {
			if overlaps(c.begin, c.end) {
				lines.from = min(lines.from, set.Position(n.Pos()).Line)
			}
		}
		return true
	})
	return lines, ok
}

// A condition is where a case of a switch says when it is met.
type condition struct{ begin, end token.Pos }

// cases are the conditions of a switch.
func cases(n ast.Node) (out []condition) {
	var body *ast.BlockStmt
	switch n := n.(type) {
	case *ast.SwitchStmt:
		body = n.Body
	case *ast.TypeSwitchStmt:
		body = n.Body
	case *ast.SelectStmt:
		body = n.Body
	default:
		return nil
	}
	for _, clause := range body.List {
		switch clause := clause.(type) {
		case *ast.CaseClause:
			out = append(out, condition{clause.Pos(), clause.Colon})
		case *ast.CommClause:
			out = append(out, condition{clause.Pos(), clause.Colon})
		}
	}
	return out
}

// groups are the tests that execute some of the lines of a file, as values of -test.run: those
// that take little time before those that take much. Without a file they are all tests.
func (r *reach) groups(file string, lines span) []string {
	var quick, middle, slow []string
	for _, t := range r.tests {
		switch {
		case file != "" && !slices.ContainsFunc(t.spans[file], func(s span) bool { return s.from <= lines.to && lines.from <= s.to }):
		case len(quick) < 20:
			quick = append(quick, t.name)
		case t.took < time.Second:
			middle = append(middle, t.name)
		default:
			slow = append(slow, t.name)
		}
	}
	var out []string
	for _, group := range [][]string{quick, middle, slow} {
		if len(group) > 0 {
			out = append(out, "^("+strings.Join(group, "|")+")$")
		}
	}
	return out
}
