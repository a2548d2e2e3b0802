package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/inspect"
	"entrasync/cmd/internal/words"
	"entrasync/reconcile"
)

// Runs prints a table of runs.
func Runs(o console.Output, runs []inspect.PastRun) error {
	return o.Table("run\tsync\ttenant\tcycle\tresult\twhat\ttook", func(row func(...any)) {
		for i := range runs {
			r := &runs[i].Report
			what := words.Done(r)
			if n := runs[i].Times; n > 1 {
				what += fmt.Sprintf(" (%d runs since %s)", n, runs[i].First)
			}
			if r.Failure != nil {
				what = "could not run: " + console.Printable(r.Failure.Message)
			}
			row(r.Run, r.Sync, runs[i].TenantName, r.Cycle, r.Result, what, (time.Duration(r.DurationMS) * time.Millisecond).String())
		}
	})
}

// Run prints a run with its actions, skips, errors and holds.
func Run(o console.Output, s *compile.Sync, run *inspect.Run) error {
	report := &run.Report
	fmt.Fprintf(o.W, "%s, tenant %s: run %s, %s, %s\n", s.Name, s.TenantName, report.Run, report.Cycle, report.Result)
	if f := report.Failure; f != nil {
		fmt.Fprintf(o.W, "  it could not run: %s (%s)\n", console.Printable(f.Message), f.Code)
		if f.Hint != "" {
			fmt.Fprintf(o.W, "  → %s\n", console.Printable(f.Hint))
		}
	}
	for _, line := range run.Actions {
		var action inspect.RunAction
		if err := json.Unmarshal(line, &action); err != nil {
			return err
		}
		printAction(o, &action.Action)
		if action.Error != nil {
			fmt.Fprintf(o.W, "      failed: %s (%s)\n", console.Printable(action.Error.Message), action.Error.Code)
		}
	}
	var skipped reconcile.Causes
	for _, s := range report.Skipped {
		skipped.Add(s.Kind, "", s.Code, s.Why, s.Key)
	}
	printSkippedCauses(o, "· skipped", &skipped)
	if more := report.Summary.Skipped - len(report.Skipped); more > 0 {
		fmt.Fprintf(o.W, "  · and %s, which the run did not keep\n", words.Count(more, "more skipped record", "more skipped records"))
	}
	var held, rejected waitingActions
	for i := range report.Held {
		held.add(report.Held[i].Hold, report.Held[i].Guard, report.Held[i].Cause, &report.Held[i].Action)
	}
	for i := range report.Rejected {
		no := &report.Rejected[i]
		rejected.add(no.Hold, no.Guard, cmp.Or(no.Reason, no.Cause), &no.Action)
	}
	printActionsWaiting(o, "! held", &held, report.Summary.Held)
	printActionsWaiting(o, "! rejected", &rejected, report.Summary.Rejected)
	printNotes(o, report)
	return nil
}
