package state_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entrasync/state"
)

// The lines of a run come back in their order from any number on, however they were added.
func TestLinesOfARun(t *testing.T) {
	t.Parallel()
	store := open(t)
	tn := tenant(t, store)
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		run := fmt.Sprint("run-", runs)
		var want []string
		for range rapid.IntRange(1, 5).Draw(t, "commits") {
			n := rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(0, 700)).Draw(t, "lines")
			long := rapid.Bool().Draw(t, "long")
			var lines [][]byte
			for range n {
				line := fmt.Sprintf(`{"line":%d}`, len(want))
				if long {
					line += strings.Repeat("x", 100)
				}
				want = append(want, line)
				lines = append(lines, []byte(line))
			}
			if err := tn.Update(func(tx *state.Tx) error { return tx.Runs("front").AppendLines(run, lines) }); err != nil {
				t.Fatal(err)
			}
		}
		after := rapid.IntRange(-1, len(want)+1).Draw(t, "after")
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		err := tn.View(func(tx *state.Tx) error {
			if n := tx.Runs("front").CountLines(run); n != len(want) {
				t.Fatalf("%d lines, want %d", n, len(want))
			}
			var all, some []string
			for line := range tx.Runs("front").LinesAfter(run, after) {
				all = append(all, string(line))
			}
			for line := range tx.Runs("front").LinesAfter(run, after) {
				if some = append(some, string(line)); len(some) == limit {
					break
				}
			}
			rest := want[min(max(after, 0), len(want)):]
			if !slices.Equal(all, rest) || !slices.Equal(some, rest[:min(limit, len(rest))]) {
				t.Fatalf("after %d of %d lines: %d lines, the first %.40q", after, len(want), len(all), all)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
