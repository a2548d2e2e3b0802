// Package report prints plans, runs, status, holds and explanations for people.
//
// Each function is given an output and the document that --json prints; it reads nothing besides and decides nothing.
// It promises that records with the same reason are one line with their number, that what is held, rejected, skipped or
// failed is always named, and that values of others cannot steer the terminal.
package report

import (
	"cmp"
	"fmt"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/words"
	"entrasync/reconcile"
)

// Plan prints a plan for people.
func Plan(o console.Output, s *compile.Sync, report *reconcile.Report, plan *reconcile.Plan) error {
	fmt.Fprintf(o.W, "%s: tenant %s → target %s (%s)\n", s.Name, s.TenantName, s.TargetName, report.Cycle)
	for action, err := range plan.Actions() {
		if err != nil {
			return err
		}
		printAction(o, &action)
	}
	for held, err := range plan.Held() {
		if err != nil {
			return err
		}
		as := ""
		if held.Hold != "" {
			as = " as " + held.Hold
		}
		fmt.Fprintf(o.W, "  ! held by guard %s%s: %s %s %s (%s)%s\n", held.Guard, as, held.Action.Op, held.Action.Kind, console.Printable(held.Action.Key), console.Printable(held.Cause), displayed(&held.Action))
		Changes(o, &held.Action)
		printMembers(o, held.Members, len(held.Action.Remove), len(held.Action.Add))
		for _, note := range held.Action.Notes {
			fmt.Fprintf(o.W, "      note: %s\n", console.Printable(note))
		}
	}
	for no, err := range plan.Rejected() {
		if err != nil {
			return err
		}
		fmt.Fprintf(o.W, "  ! rejected as %s: %s %s %s (%s)%s\n", no.Hold, no.Action.Op, no.Action.Kind, console.Printable(no.Action.Key), console.Printable(cmp.Or(no.Reason, no.Cause)), displayed(&no.Action))
		printMembers(o, no.Members, len(no.Action.Remove), len(no.Action.Add))
	}
	if err := printSkipped(o, "· skipped", plan); err != nil {
		return err
	}
	printNotes(o, report)
	printUpcoming(o, report)
	fmt.Fprintf(o.W, "%s: %s\n", s.Name, words.Planned(report.Summary))
	if report.Summary.Held > 0 {
		fmt.Fprintf(o.W, "To see what is held: entrasync holds HOLD. To approve it: entrasync approve HOLD.\n")
	}
	sayRejected(o, report)
	return nil
}

// sayRejected says that something is due that a person rejected: whom it should have removed still
// has an account.
func sayRejected(o console.Output, report *reconcile.Report) {
	if n := report.Summary.Rejected; n > 0 {
		fmt.Fprintf(o.W, "%s, and not done: entrasync holds --rejected\n", words.Count(n, "action is due but was rejected", "actions are due but were rejected"))
	}
}

// printUpcoming lists by day what dates change, one object by name where there is one.
func printUpcoming(o console.Output, report *reconcile.Report) {
	for _, day := range report.Upcoming {
		first := day.Examples[0]
		fmt.Fprintf(o.W, "  on %s dates change who is in scope: %s %s at %s", day.Day, console.Printable(first.Key), becomes(first.InScope), first.At.Format(time.RFC3339))
		if more := day.Objects - 1; more > 0 {
			fmt.Fprintf(o.W, ", and %s", words.Count(more, "other", "others"))
		}
		fmt.Fprintln(o.W)
	}
}

func becomes(inScope bool) string {
	if inScope {
		return "enters scope"
	}
	return "leaves scope"
}

func printNotes(o console.Output, report *reconcile.Report) {
	if report.PlanOf != "" {
		fmt.Fprintf(o.W, "  note: the plan made at %s was applied: nothing had changed since\n", report.PlanOf)
	}
	for _, note := range report.Notes {
		fmt.Fprintf(o.W, "  note: %s\n", console.Printable(note))
	}
	for _, about := range report.Attention {
		fmt.Fprintf(o.W, "  attention: %s (%s)\n", console.Printable(about.Message), about.Code)
	}
}

// Sync prints what a sync did. verbose adds its actions. An error means that the skipped records cannot be read; the rest
// is printed.
func Sync(o console.Output, s *compile.Sync, report *reconcile.Report, plan *reconcile.Plan, verbose bool) error {
	for _, step := range report.Steps {
		fmt.Fprintf(o.W, "  %s %-8s %s\n", step.Mark(), step.Name, console.Printable(step.Detail))
	}
	if verbose {
		for action, err := range plan.Actions() {
			if err == nil {
				printAction(o, &action)
			}
		}
	}
	printFailures(o, report)
	unread := printSkipped(o, "skipped:", plan)
	var waiting waitingActions
	for i := range report.Held {
		waiting.add(report.Held[i].Hold, report.Held[i].Guard, report.Held[i].Cause, &report.Held[i].Action)
	}
	printActionsWaiting(o, "held:", &waiting, report.Summary.Held)
	printNotes(o, report)
	fmt.Fprintf(o.W, "%s: %s; %d Graph and %d target requests in %s\n", s.Name, words.Done(report), report.Graph.Requests, report.Target.Requests,
		(time.Duration(report.DurationMS) * time.Millisecond).Round(time.Millisecond))
	sayRejected(o, report)
	return unread
}
