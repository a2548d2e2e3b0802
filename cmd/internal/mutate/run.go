package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A mutation is one fault.
type mutation struct {
	id    string
	fault string   // what goes wrong, in words
	file  string   // from the module's root
	old   string   // what the line reads, once in the file
	new   string   // what it reads with the fault
	own   bool     // tests of its own package have been seen to notice it
	tests []string // arguments of "go test" that come first, one command each
}

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

// wideTests take what tests of one package let pass: histories over the whole pipeline, then
// the stories of the command.
var wideTests = []string{"./cmd/internal/safety", "./cmd/entrasync"}

// commands are the arguments of "go test" to run, in order, until one notices the fault.
func (r *runner) commands(m *mutation) []string {
	if r.with != "" {
		return []string{r.with}
	}
	dir := "./" + filepath.ToSlash(filepath.Dir(m.file))
	commands := slices.Clone(m.tests)
	if !slices.Contains(commands, dir) {
		commands = append(commands, dir)
	}
	if dir == "./state" || dir == "./target" {
		commands = append(commands, map[string]string{"./state": "./reconcile", "./target": "./target/scim"}[dir])
	}
	if !r.own {
		commands = append(commands, wideTests...)
	}
	return commands
}

type outcome string

const (
	noticed  outcome = "noticed"
	survived outcome = "SURVIVED"
	applies  outcome = "applies"
	unfit    outcome = "NO LONGER APPLIES"
	broken   outcome = "DOES NOT BUILD"
)

// A result is what came of one mutation.
type result struct {
	mutation mutation
	outcome  outcome
	by       string // the test that noticed it, or why it could not be tried
}

// A runner tries mutations.
type runner struct {
	own   bool   // only tests of the fault's own package
	with  string // instead of any other test
	jobs  int
	dry   bool
	trust bool // that the tests pass without a fault

	mu      sync.Mutex // guards results and the output
	results []result
}

// run tries all mutations, after it has seen that the tests pass without any.
func (r *runner) run(ctx context.Context, all []mutation) error {
	scratch, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if !r.dry && !r.trust {
		if err := r.baseline(ctx, all); err != nil {
			return err
		}
	}
	work := make(chan mutation)
	var workers sync.WaitGroup
	for range max(1, r.jobs) {
		workers.Go(func() {
			for m := range work {
				r.try(ctx, m, scratch)
			}
		})
	}
	for _, m := range all {
		work <- m
	}
	close(work)
	workers.Wait()
	return ctx.Err()
}

// baseline runs every command once without a fault: what fails then would notice everything.
func (r *runner) baseline(ctx context.Context, all []mutation) error {
	var commands []string
	for _, m := range all {
		for _, c := range r.commands(&m) {
			if !slices.Contains(commands, c) {
				commands = append(commands, c)
			}
		}
	}
	for _, c := range commands {
		if out, err := goTest(ctx, c, ""); err != nil {
			return fmt.Errorf("go test %s fails without a fault: %w\n%s", c, err, tail(out))
		}
	}
	return nil
}

// try runs the tests with one mutation.
func (r *runner) try(ctx context.Context, m mutation, scratch string) {
	began := time.Now()
	res := result{mutation: m, outcome: survived}
	overlay, err := m.overlay(scratch)
	switch {
	case err != nil:
		res.outcome, res.by = unfit, err.Error()
	case r.dry:
		res.outcome = applies
	default:
		res.outcome, res.by = r.test(ctx, m, overlay)
	}
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, res)
	if res.outcome == applies {
		return
	}
	fmt.Printf("%-17s %-6s %4.0fs  %s  [%s]\n", res.outcome, m.id, time.Since(began).Seconds(), m.fault, res.by)
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

var (
	failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	notBuilt   = regexp.MustCompile(`(?m)\[(build|setup) failed\]$`)
)

func (r *runner) test(ctx context.Context, m mutation, overlay string) (outcome, string) {
	for _, command := range r.commands(&m) {
		out, err := goTest(ctx, command, overlay)
		switch {
		case err == nil:
			continue
		case notBuilt.MatchString(out):
			return broken, tail(out)
		}
		by := command
		if names := failedTest.FindAllStringSubmatch(out, -1); len(names) > 0 {
			by += " " + names[len(names)-1][1]
		}
		return noticed, by
	}
	return survived, strings.Join(r.commands(&m), ", ")
}

// goTest runs "go test" with the arguments of a command. A test that hangs on a fault notices it.
func goTest(ctx context.Context, command, overlay string) (string, error) {
	args := []string{"test", "-vet=off", "-failfast", "-timeout=5m"}
	if overlay != "" {
		args = append(args, "-overlay="+overlay)
	}
	out, err := exec.CommandContext(ctx, "go", append(args, strings.Fields(command)...)...).CombinedOutput()
	return string(out), err
}

func tail(text string) string {
	const kept = 3000
	return text[max(0, len(text)-kept):]
}
