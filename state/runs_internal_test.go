package state

import (
	"fmt"
	"testing"
	"time"
)

// Runs that did nothing become one row behind the newest 200, and those that did something stay until they are too
// old. Every run is found by its id.
func TestRunsFold(t *testing.T) {
	t.Parallel()
	tenant := auditLog(t)
	id := func(n int) string { return fmt.Sprintf("run-%05d", n) }
	const runs, active = 1000, 100 // each so many-th run did something
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	err := tenant.Update(func(tx *Tx) error {
		for n := range runs {
			if err := tx.Runs("front").Put(Run{ID: id(n), Started: start.Add(time.Duration(n) * time.Hour), Result: "ok", Idle: n%active != 0}); err != nil {
				return err
			}
			if err := tx.Runs("front").AppendLine(id(n), []byte("{}")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = tenant.View(func(tx *Tx) error {
		rows, counted := 0, 0
		for run := range tx.Runs("front").Newest() {
			rows, counted = rows+1, counted+max(run.Times, 1)
		}
		if want := keptRuns + 8 + 8; rows != want || counted != runs { // 0, 100, … 700 and the idle ones between them
			t.Errorf("%d rows for %d runs, want %d for %d", rows, counted, want, runs)
		}
		for n := range runs {
			run, found := tx.Runs("front").Get(id(n))
			if !found || run.Idle == (n%active == 0) || n%active == 0 && run.ID != id(n) || run.ID < id(n) {
				t.Fatalf("%s is found as %+v, %v", id(n), run, found)
			}
		}
		if _, found := tx.Runs("front").Get(id(runs)); found {
			t.Error("a run is found that never was")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = tenant.Update(func(tx *Tx) error {
		for range 3 {
			if err := tx.Runs("front").Prune(start.Add(350 * time.Hour)); err != nil {
				return err
			}
		}
		oldest := ""
		for run := range tx.Runs("front").Newest() {
			oldest = run.ID
		}
		if oldest != id(399) || tx.Runs("front").CountLines(id(300)) != 0 || tx.Runs("front").CountLines(id(400)) != 1 {
			t.Errorf("the oldest run after pruning is %s", oldest)
		}
		return tx.Runs("front").Prune(start.Add(runs * time.Hour))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = tenant.View(func(tx *Tx) error {
		rows := 0
		for range tx.Runs("front").Newest() {
			rows++
		}
		if rows != keptRuns {
			t.Errorf("%d rows are left, want the newest %d", rows, keptRuns)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
