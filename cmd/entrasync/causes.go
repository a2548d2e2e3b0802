package main

import (
	"fmt"
	"time"

	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// printSkipped prints the skipped records of a plan, those with the same reason on one line.
func (a *app) printSkipped(prefix string, plan *reconcile.Plan) error {
	var causes reconcile.Causes
	for skipped, err := range plan.Skipped() {
		if err != nil {
			return err
		}
		causes.Add(skipped.Kind, "", skipped.Code, skipped.Why, skipped.Key)
	}
	a.printSkippedCauses(prefix, &causes)
	return nil
}

func (a *app) printSkippedCauses(prefix string, causes *reconcile.Causes) {
	for _, c := range causes.List() {
		if c.Count == 1 {
			fmt.Fprintf(a.out, "  %s %s %s: %s (%s)\n", prefix, c.Kind, printable(c.Who()), printable(c.Text), c.Code)
			continue
		}
		fmt.Fprintf(a.out, "  %s %d %ss: %s (%s): %s\n", prefix, c.Count, c.Kind, printable(c.Text), c.Code, printable(c.Who()))
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
func (a *app) printActionsWaiting(prefix string, w *waitingActions, total int) {
	for _, c := range w.causes.List() {
		if c.Count == 1 {
			fmt.Fprintf(a.out, "  %s %s %s %s (%s: %s)%s\n", prefix, c.Op, c.Kind, printable(c.Who()), printable(c.Code), printable(c.Text), w.names[c.Names[0]])
			continue
		}
		fmt.Fprintf(a.out, "  %s %s %d %ss (%s: %s): %s\n", prefix, c.Op, c.Count, c.Kind, printable(c.Code), printable(c.Text), printable(c.Who()))
	}
	if more := total - w.n; w.n > 0 && more > 0 {
		fmt.Fprintf(a.out, "  %s and %d more; list them with: entrasync holds HOLD\n", prefix, more)
	}
}

// printFailures prints the failed actions of a report, those with the same reason on one line.
func (a *app) printFailures(report *reconcile.Report) {
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
			fmt.Fprintf(a.out, "  failed: %s %s %s: %s (%s", c.Op, c.Kind, printable(c.Who()), printable(c.Text), c.Code)
		} else {
			fmt.Fprintf(a.out, "  failed: %s %d %ss: %s (%s", c.Op, c.Count, c.Kind, printable(c.Text), c.Code)
		}
		if at := next[c.Code]; at != "" {
			fmt.Fprintf(a.out, ", tried again after %s", at)
		}
		if c.Count == 1 {
			fmt.Fprintln(a.out, ")")
		} else {
			fmt.Fprintf(a.out, "): %s\n", printable(c.Who()))
		}
	}
}

// waitingRecords are the records of a sync that failed or were skipped, by cause.
type waitingRecords struct {
	failed, skipped reconcile.Causes
	next            map[string]time.Time // of failed records, by code: the first of their next attempts
}

func (r *waitingRecords) add(retry *state.Retry) {
	if retry.Skipped {
		r.skipped.Add(retry.Key.Kind, "", retry.Code, retry.Message, retry.Name)
		return
	}
	r.failed.Add(retry.Key.Kind, plan.Op(retry.Op), retry.Code, retry.Message, retry.Name)
	if r.next == nil {
		r.next = map[string]time.Time{}
	}
	if first, ok := r.next[retry.Code]; !ok || retry.Next.Before(first) {
		r.next[retry.Code] = retry.Next
	}
}

// printWaiting prints what waits for another attempt or a change at its source.
func (a *app) printWaiting(r *waitingRecords) {
	for _, list := range []struct {
		causes []*reconcile.Cause
		when   func(*reconcile.Cause) string
	}{
		{r.failed.List(), func(c *reconcile.Cause) string { return "next attempt after " + localTime(r.next[c.Code]) }},
		{r.skipped.List(), func(*reconcile.Cause) string { return "looked at again in every cycle" }},
	} {
		for _, c := range list.causes {
			if c.Count == 1 {
				fmt.Fprintf(a.out, "  %s: %s (%s; %s)\n", printable(c.Who()), printable(c.Text), c.Code, list.when(c))
				continue
			}
			fmt.Fprintf(a.out, "  %d %ss: %s (%s; %s): %s\n", c.Count, c.Kind, printable(c.Text), c.Code, list.when(c), printable(c.Who()))
		}
	}
}
