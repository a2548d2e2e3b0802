package report

import (
	"fmt"

	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/inspect"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
)

// printSkipped prints the skipped records of a plan, those with the same reason on one line.
func printSkipped(o console.Output, prefix string, plan *reconcile.Plan) error {
	var causes reconcile.Causes
	for skipped, err := range plan.Skipped() {
		if err != nil {
			return err
		}
		causes.Add(skipped.Kind, "", skipped.Code, skipped.Why, skipped.Key)
	}
	printSkippedCauses(o, prefix, &causes)
	return nil
}

func printSkippedCauses(o console.Output, prefix string, causes *reconcile.Causes) {
	for _, c := range causes.List() {
		if c.Count == 1 {
			fmt.Fprintf(o.W, "  %s %s %s: %s (%s)\n", prefix, c.Kind, console.Printable(c.Who()), console.Printable(c.Text), c.Code)
			continue
		}
		fmt.Fprintf(o.W, "  %s %d %ss: %s (%s): %s\n", prefix, c.Count, c.Kind, console.Printable(c.Text), c.Code, console.Printable(c.Who()))
	}
}

// waitingActions are actions that a guard holds, or that were rejected, by hold and cause.
type waitingActions struct {
	causes reconcile.Causes
	names  map[string]string // display names by key
	n      int
}

func (w *waitingActions) add(hold, guard, cause string, action *plan.Action) {
	if w.names == nil {
		w.names = map[string]string{}
	}
	w.n++
	w.names[action.Key] = displayed(action)
	w.causes.Add(action.Kind, action.Op, hold+", guard "+guard, cause, action.Key)
}

// printActionsWaiting prints them, those of one hold and cause on one line. total is how many there
// are where a report keeps the first only.
func printActionsWaiting(o console.Output, prefix string, w *waitingActions, total int) {
	for _, c := range w.causes.List() {
		if c.Count == 1 {
			fmt.Fprintf(o.W, "  %s %s %s %s (%s: %s)%s\n", prefix, c.Op, c.Kind, console.Printable(c.Who()), console.Printable(c.Code), console.Printable(c.Text), w.names[c.Names[0]])
			continue
		}
		fmt.Fprintf(o.W, "  %s %s %d %ss (%s: %s): %s\n", prefix, c.Op, c.Count, c.Kind, console.Printable(c.Code), console.Printable(c.Text), console.Printable(c.Who()))
	}
	if more := total - w.n; w.n > 0 && more > 0 {
		fmt.Fprintf(o.W, "  %s and %d more; list them with: entrasync holds HOLD\n", prefix, more)
	}
}

// printFailures prints the failed actions of a report, those with the same reason on one line.
func printFailures(o console.Output, report *reconcile.Report) {
	var causes reconcile.Causes
	next := map[string]string{} // the first time of a code
	for _, f := range report.Errors {
		causes.Add(f.Kind, f.Op, f.Code, f.Message, f.Key)
		if first := next[f.Code]; f.RetryAt != "" && (first == "" || f.RetryAt < first) {
			next[f.Code] = f.RetryAt
		}
	}
	for _, c := range causes.List() {
		if c.Count == 1 {
			fmt.Fprintf(o.W, "  failed: %s %s %s: %s (%s", c.Op, c.Kind, console.Printable(c.Who()), console.Printable(c.Text), c.Code)
		} else {
			fmt.Fprintf(o.W, "  failed: %s %d %ss: %s (%s", c.Op, c.Count, c.Kind, console.Printable(c.Text), c.Code)
		}
		if at := next[c.Code]; at != "" {
			fmt.Fprintf(o.W, ", tried again after %s", at)
		}
		if c.Count == 1 {
			fmt.Fprintln(o.W, ")")
		} else {
			fmt.Fprintf(o.W, "): %s\n", console.Printable(c.Who()))
		}
	}
}

// printWaiting prints what waits for another attempt or a change at its source.
func printWaiting(o console.Output, r *inspect.WaitingRecords) {
	for _, list := range []struct {
		causes []*reconcile.Cause
		when   func(*reconcile.Cause) string
	}{
		{r.Failed.List(), func(c *reconcile.Cause) string { return "next attempt after " + console.LocalTime(r.Next[c.Code]) }},
		{r.Skipped.List(), func(*reconcile.Cause) string { return "looked at again in every cycle" }},
	} {
		for _, c := range list.causes {
			if c.Count == 1 {
				fmt.Fprintf(o.W, "  %s: %s (%s; %s)\n", console.Printable(c.Who()), console.Printable(c.Text), c.Code, list.when(c))
				continue
			}
			fmt.Fprintf(o.W, "  %d %ss: %s (%s; %s): %s\n", c.Count, c.Kind, console.Printable(c.Text), c.Code, list.when(c), console.Printable(c.Who()))
		}
	}
}
