// Command mutate asks whether the tests would notice a fault. It puts one small fault at a time
// into the code that decides about accounts, runs the tests, and reports which faults no test
// noticed. The checkout is not changed: a mutated file reaches the compiler through go's -overlay.
//
// It is arranged for two cores. The tests of the fault's own package come first, then those of a
// neighbour; the stories of the command and the histories over the whole pipeline, which link the
// Graph SDK, see only what these let pass. The faults of a package are compiled into one test binary,
// as alternatives that an environment variable chooses between, and built alone only where that is
// not possible. Tests that never execute the lines of a fault are left out, quick ones come first, the
// first failure ends a run, and tests keep their files in memory.
//
// Each result is appended to .cache/mutate.jsonl as it comes. With -resume, a run that was interrupted
// leaves out what was noticed or passed before; -own stops after the tests of the own package, -near after those of its neighbour.
//
// -list checks that the faults apply, -build in addition that they build: some seconds for each.
//
// The faults are a list and not generated. A generated fault is a flipped operator; these are
// the mistakes whose harm is known, such as "a refused deletion counts as done", each at the
// place where one line stands between it and a user. A fault whose old text is no longer in its
// file exactly once no longer applies: change the entry together with the line.
//
// Survivors that are accepted are listed with the reason in survivors.md. Any other survivor,
// an entry that no longer applies or does not build, and tests that fail without a fault make
// the exit code 1.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"time"
)

//go:embed survivors.md
var survivorsText string

func main() {
	only := flag.String("only", "", "regular expression of the ids to run")
	sample := flag.Int("sample", 0, "run this many, drawn from those that survivors.md does not name; 0 runs all")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "what the sample is drawn by")
	own := flag.Bool("own", false, "run the tests of the fault's own package only")
	near := flag.Bool("near", false, "run the tests of the fault's own package, and of the neighbour that works with it, and no wider ones")
	with := flag.String("with", "", "tests to run instead: a package and flags of its test binary, such as './reconcile -test.run=TestRefused'")
	keep := flag.String("results", ".cache/mutate.jsonl", "file that keeps the result of each fault")
	resume := flag.Bool("resume", false, "continue the run that was interrupted: leave out what the file of results says was noticed or passed")
	jobs := flag.Int("j", 2, "faults tried at once")
	trust := flag.Bool("trust", false, "do not run the tests without a fault first")
	list := flag.Bool("list", false, "list the faults and check that they apply, without running anything")
	build := flag.Bool("build", false, "check that the faults build, without running tests")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	chosen, err := choose(allMutations(), survivorsText, *only, *sample, *seed)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if *sample > 0 {
		fmt.Printf("%d of %d faults, drawn with -seed %d\n", len(chosen), len(allMutations()), *seed)
	}
	r := &runner{own: *own || *sample > 0, near: *near, with: *with, jobs: *jobs, dry: *list || *build, build: *build, trust: *trust}
	if !r.dry {
		if r.file, err = openResults(*keep, *resume); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := r.run(ctx, chosen); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if !summarize(r.results, explained(survivorsText), r.dry) {
		os.Exit(1)
	}
}

// choose selects from the list. A sample is drawn from what tests of its own package notice, which is
// all that survivors.md does not name: the wider tests take minutes for each fault.
func choose(all []mutation, survivors, only string, sample int, seed uint64) ([]mutation, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	for i, m := range all {
		if slices.ContainsFunc(all[:i], func(other mutation) bool { return other.id == m.id }) {
			return nil, fmt.Errorf("two faults have the id %s", m.id)
		}
	}
	accepted, passing := explained(survivors), unexplained(survivors)
	chosen := slices.DeleteFunc(all, func(m mutation) bool {
		return !pattern.MatchString(m.id) || sample > 0 && (accepted[m.id] != "" || slices.Contains(passing, m.id))
	})
	if sample > 0 && sample < len(chosen) {
		rng := rand.New(rand.NewPCG(seed, 0))
		rng.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		chosen = chosen[:sample]
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no fault is selected")
	}
	return chosen, nil
}

// explained reads the accepted survivors: lines of the form "- **ID** reason".
func explained(text string) map[string]string {
	reasons := map[string]string{}
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, "- **")
		if id, reason, found := strings.Cut(rest, "**"); ok && found {
			reasons[id] = strings.TrimSpace(reason)
		}
	}
	return reasons
}

// unexplained reads the survivors that are not accepted: lines of the form "- part: ID ID".
func unexplained(text string) (ids []string) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, "- ")
		if _, list, found := strings.Cut(rest, ": "); ok && found && !strings.HasPrefix(rest, "**") {
			ids = append(ids, strings.Fields(list)...)
		}
	}
	return ids
}

// summarize prints the score and what has to be done, and reports whether all is in order.
func summarize(results []result, accepted map[string]string, dry bool) bool {
	count := map[outcome]int{}
	fine := true
	for _, r := range results {
		count[r.outcome]++
		switch reason := accepted[r.mutation.id]; {
		case r.outcome == survived && reason == "":
			fmt.Printf("no test notices %s (%s): %s\n", r.mutation.id, r.mutation.file, r.mutation.fault)
			fine = false
		case r.outcome == noticed && reason != "":
			fmt.Printf("%s is listed in survivors.md, but a test notices it: remove the entry there\n", r.mutation.id)
		case r.outcome == unfit || r.outcome == broken:
			fine = false
		}
	}
	if dry {
		fmt.Printf("%d faults, %d no longer apply", len(results), count[unfit])
		if count[broken] > 0 {
			fmt.Printf(", %d do not build", count[broken])
		}
		fmt.Println()
		return fine
	}
	tried := count[noticed] + count[survived]
	fmt.Printf("noticed %d of %d (%.0f %%), %d survived, %d no longer apply, %d do not build\n",
		count[noticed], tried, 100*float64(count[noticed])/float64(max(1, tried)), count[survived], count[unfit], count[broken])
	return fine
}
