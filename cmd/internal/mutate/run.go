package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A mutation is one fault.
type mutation struct {
	id    string
	fault string // what goes wrong, in words
	file  string // from the module's root
	old   string // what the line reads, once in the file
	new   string // what it reads with the fault
}

// pkg is the package that the fault is in, as the go command takes it.
func (m *mutation) pkg() string { return "./" + filepath.ToSlash(filepath.Dir(m.file)) }

// place finds the file that the fault is for, which may have moved within its package, and
// returns it with the fault in it.
func (m *mutation) place() (file, text string, err error) {
	sources, err := filepath.Glob(filepath.Join(filepath.Dir(m.file), "*.go"))
	if err != nil {
		return "", "", err
	}
	found := 0
	for _, source := range append([]string{m.file}, sources...) {
		if strings.HasSuffix(source, "_test.go") || source == m.file && found > 0 {
			continue
		}
		whole, err := os.ReadFile(source)
		if err != nil {
			continue // the named file is gone
		}
		n := strings.Count(string(whole), m.old)
		if found += n; n == 1 {
			file, text = source, strings.Replace(string(whole), m.old, m.new, 1)
		}
		if n == 1 && source == m.file {
			return file, text, nil
		}
	}
	if found != 1 {
		return "", "", fmt.Errorf("its text is in %s, and the other files of the package, %d times", m.file, found)
	}
	return file, text, nil
}

// lines are those that a test executes when it evaluates the text that the fault replaces, and the
// name of their file. The name is empty for text outside functions, which every test may depend on.
func (m *mutation) lines() (file string, lines span) {
	path, _, err := m.place()
	if err != nil {
		return "", span{}
	}
	whole, _ := os.ReadFile(path) // place has read it
	from := strings.Index(string(whole), m.old)
	lines, ok := executedWith(string(whole), from, from+len(m.old))
	if !ok {
		return "", span{}
	}
	return filepath.Base(path), lines
}

// overlay writes the mutated file and the JSON that has the compiler read it.
func (m *mutation) overlay(scratch string) (string, error) {
	file, mutated, err := m.place()
	if err != nil {
		return "", err
	}
	original, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	source, list := filepath.Join(scratch, m.id+".go"), filepath.Join(scratch, m.id+".json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: source}})
	if err != nil {
		return "", err
	}
	return list, errors.Join(os.WriteFile(source, []byte(mutated), 0o600), os.WriteFile(list, replace, 0o600))
}

// testedBy are the packages whose tests are tried when those of the fault's own let it pass.
var testedBy = map[string]string{
	"./reconcile/desired": "./reconcile", "./reconcile/guard": "./reconcile", "./reconcile/plan": "./reconcile", "./reconcile/links": "./reconcile",
	"./reconcile/ownership": "./reconcile", "./reconcile/scope": "./reconcile", "./reconcile/snapshot": "./reconcile", "./reconcile/undo": "./reconcile",
	"./state": "./reconcile", "./target": "./target/scim",
}

// wideTests take what tests of single packages let pass: the stories of the command, then
// histories over the whole pipeline. They link the Graph SDK and take minutes for each fault.
var wideTests = []string{"./cmd/entrasync", "./cmd/internal/safety"}

// stages are the tests to run, cheapest first, until one notices the fault: each a package, and
// flags of its test binary.
func (r *runner) stages(m *mutation) []string {
	if r.with != "" {
		return []string{r.with}
	}
	dir := m.pkg()
	stages := []string{dir}
	if !r.own {
		if next := testedBy[dir]; next != "" {
			stages = append(stages, next)
		}
		if !r.near {
			stages = append(stages, wideTests...)
		}
	}
	return stages
}

// worthPreparing is for how many faults of a package it pays to measure its tests and to combine the
// faults in one binary.
const worthPreparing = 5

// A runner tries mutations.
type runner struct {
	own      bool   // only tests of the fault's own package
	near     bool   // only these, and those of the neighbour in testedBy
	with     string // instead of any other test
	jobs     int
	dry      bool // no test is run
	build    bool // in a dry run, the faults are built
	trust    bool // that the tests pass without a fault
	file     *resultFile
	packages packageCache
	faults   map[string][]mutation // to be tried, by package

	mu      sync.Mutex // guards results and the output
	results []result
}

// run tries all mutations, after it has seen that the tests pass without any. Every fault meets
// the tests of its own package before one meets those that take minutes.
func (r *runner) run(ctx context.Context, all []mutation) error {
	scratch, err := os.MkdirTemp(memory(), "mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if !r.dry && !r.trust {
		if err := r.baseline(ctx, all, scratch); err != nil {
			return err
		}
	}
	left := make([]*result, len(all))
	r.faults = map[string][]mutation{}
	for i, m := range all {
		left[i] = r.file.begin(m)
		if pkg := m.pkg(); left[i].outcome == "" && !slices.Contains(left[i].Passed, pkg) {
			r.faults[pkg] = append(r.faults[pkg], m)
		}
	}
	for stage := 0; len(left) > 0 && ctx.Err() == nil; stage++ {
		r.inParallel(left, func(res *result) { r.try(ctx, res, stage, scratch) })
		left = slices.DeleteFunc(left, func(res *result) bool {
			if res.outcome != "" {
				r.results = append(r.results, *res)
			}
			return res.outcome != ""
		})
	}
	return ctx.Err()
}

func (r *runner) inParallel(list []*result, do func(*result)) {
	work := make(chan *result)
	var workers sync.WaitGroup
	for range max(1, r.jobs) {
		workers.Go(func() {
			for res := range work {
				do(res)
			}
		})
	}
	for _, res := range list {
		work <- res
	}
	close(work)
	workers.Wait()
}

// baseline runs every test once without a fault: what fails then would notice everything.
func (r *runner) baseline(ctx context.Context, all []mutation, scratch string) error {
	var seen []string
	for _, m := range all {
		for _, tests := range r.stages(&m) {
			if slices.Contains(seen, tests) {
				continue
			}
			seen = append(seen, tests)
			if run := runTests(ctx, tests, nil, "", scratch); run.failed != "" {
				return fmt.Errorf("%s: %s fails without a fault\n%s", tests, run.failed, run.output)
			}
		}
	}
	return nil
}

// try runs the tests of one stage with one mutation. The result has an outcome when no further
// stage is needed.
func (r *runner) try(ctx context.Context, res *result, stage int, scratch string) {
	began := time.Now()
	if res.outcome != "" || ctx.Err() != nil {
		return
	}
	stages := r.stages(&res.mutation)
	overlay, err := res.mutation.overlay(scratch)
	switch {
	case err != nil:
		res.outcome, res.By = unfit, err.Error()
	case r.dry:
		if res.outcome, res.By = r.check(ctx, &res.mutation, overlay); res.outcome == applies {
			return
		}
	case slices.Contains(res.Passed, stages[stage]): // in the run that is resumed
	default:
		run := r.test(ctx, &res.mutation, stages[stage], overlay, scratch)
		if ctx.Err() != nil {
			return
		}
		res.Seconds += time.Since(began).Seconds()
		switch {
		case run.broken:
			res.outcome, res.By = broken, run.output
		case run.failed != "":
			res.outcome, res.By = noticed, stages[stage]+" "+run.failed
		default:
			res.Passed = append(res.Passed, stages[stage])
		}
	}
	if res.outcome == "" && stage+1 == len(stages) {
		res.outcome = survived
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.file.add(res)
	if res.outcome != "" {
		fmt.Printf("%-17s %-6s %4.0fs  %s  [%s]\n", res.outcome, res.mutation.id, res.Seconds, res.mutation.fault, res.by())
	}
}

// check is what a dry run does with a mutation that applies: it builds it, if it is to.
func (r *runner) check(ctx context.Context, m *mutation, overlay string) (is outcome, why string) {
	if !r.build {
		return applies, ""
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-o", os.DevNull, "-overlay="+overlay, m.pkg()).CombinedOutput()
	if err != nil {
		return broken, tail(string(out))
	}
	return applies, ""
}

// test runs the tests of one stage with one mutation. Of the mutation's own package they are those
// that execute its lines.
func (r *runner) test(ctx context.Context, m *mutation, tests, overlay, scratch string) testRun {
	if tests != m.pkg() || len(r.faults[tests]) < worthPreparing {
		return runTests(ctx, tests, nil, overlay, scratch)
	}
	p, err := r.packages.of(ctx, tests, r.faults[tests], scratch)
	if err != nil {
		return testRun{broken: true, output: err.Error()}
	}
	groups := p.reach.groups(m.lines())
	if len(groups) == 0 {
		return testRun{}
	}
	if p.combined.ids[m.id] {
		return runGroups(ctx, p.combined.binary, tests, m.id, groups, []string{"-test.v", "-test.failfast", "-test.timeout=10m"})
	}
	return runTests(ctx, tests, groups, overlay, scratch)
}
