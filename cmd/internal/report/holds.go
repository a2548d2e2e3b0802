package report

import (
	"cmp"
	"fmt"
	"strings"

	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/inspect"
	"entrasync/cmd/internal/words"
)

// Holds prints holds: whole, with every action in them, or as a table of those that wait or were rejected.
func Holds(o console.Output, holds []inspect.Hold, whole, rejected bool) error {
	switch {
	case whole:
		for i := range holds {
			printHold(o, &holds[i])
		}
		return nil
	case len(holds) == 0 && rejected:
		fmt.Fprintln(o.W, "Nothing that is due was rejected.")
		return nil
	case len(holds) == 0:
		fmt.Fprintln(o.W, "Nothing is held.")
		return nil
	case rejected:
		return o.Table("hold\tsync\ttenant\tguard\tcause\tcount\trejected\tby\tuntil\treason\tsuch as", func(row func(...any)) {
			for i := range holds {
				h := &holds[i]
				until := "its source changes"
				if h.Rejected.Expires != nil {
					until = console.LocalTime(*h.Rejected.Expires)
				}
				row(h.Hold, h.Sync, h.TenantName, h.Guard, h.Cause, h.Count, console.LocalTimeOr(h.Since), cmp.Or(h.Rejected.By, "-"), until, cmp.Or(h.Rejected.Reason, "-"), namesIn(h))
			}
		})
	}
	return o.Table("hold\tsync\ttenant\tguard\tcause\tcount\tsince\tsuch as", func(row func(...any)) {
		for i := range holds {
			h := &holds[i]
			row(h.Hold, h.Sync, h.TenantName, h.Guard, h.Cause, h.Count, console.LocalTimeOr(h.Since), namesIn(h))
		}
	})
}

// namesIn are the first of a hold, and of removals from groups those of the people.
func namesIn(h *inspect.Hold) string {
	text := strings.Join(h.Sample[:min(3, len(h.Sample))], ", ")
	if len(h.Sample) > 3 {
		text += ", …"
	}
	if h.RemovesCount > 0 {
		text += " (removes " + listed(h.Removes, h.RemovesCount) + ")"
	}
	return text
}

// printHold prints everything that one hold holds.
func printHold(o console.Output, h *inspect.Hold) {
	fmt.Fprintf(o.W, "%s of sync %s, tenant %s: %s, guard %s: %s\n", h.Hold, h.Sync, h.TenantName, words.Count(h.Count, "action", "actions"), h.Guard, console.Printable(h.Cause))
	if r := h.Rejected; r != nil {
		fmt.Fprintf(o.W, "  rejected at %s by %s: %s\n", console.LocalTimeOr(r.At), console.Printable(cmp.Or(r.By, "-")), console.Printable(cmp.Or(r.Reason, "no reason was given")))
	} else {
		fmt.Fprintf(o.W, "  held since %s\n", console.LocalTimeOr(h.Since))
	}
	for i := range h.Actions {
		printAction(o, &h.Actions[i].Action)
		printMembers(o, h.Actions[i].Members, len(h.Actions[i].Remove), len(h.Actions[i].Add))
	}
}

// Decided prints that a hold was decided about, and what comes of it. done is approved or rejected.
func Decided(o console.Output, done string, h *inspect.DecidedHold) {
	fmt.Fprintf(o.W, "%s %s of sync %s, tenant %s: %s. ", h.Hold, done, h.Sync, h.TenantName, words.Count(h.Actions, "action", "actions"))
	if done == "rejected" {
		fmt.Fprintln(o.W, "They do not run until their source changes; they stay listed: entrasync holds --rejected")
	} else {
		fmt.Fprintf(o.W, "The next cycle acts on it: entrasync sync %s --tenant %s\n", h.Sync, h.TenantName)
	}
}
