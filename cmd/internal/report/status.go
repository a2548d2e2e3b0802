package report

import (
	"fmt"

	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/inspect"
	"entrasync/cmd/internal/words"
)

// Status prints the state of syncs: a table, and below it what needs attention.
func Status(o console.Output, statuses []inspect.Status) error {
	err := o.Table("sync\ttenant\ttarget\tlinked\tlast run\tresult\theld\trejected\tretrying\tskipped\tusers\tgroups", func(row func(...any)) {
		for _, s := range statuses {
			last, result := "never", "-"
			if s.LastRun != nil {
				last, result = console.LocalTime(s.LastRun.Started), string(s.Result)
			}
			if s.Error != nil {
				last, result = "-", s.Error.Code
			}
			if s.Paused != "" {
				result += ", paused"
			}
			row(s.Sync, s.TenantName, s.Target, s.Linked, last, result, s.Holds, s.Rejected, s.Retrying, s.Skipped, s.Users, s.Groups)
		}
	})
	if err != nil {
		return err
	}
	for _, s := range statuses {
		if s.Error != nil {
			fmt.Fprintf(o.W, "\n%s, tenant %s: %s\n", s.Sync, s.TenantName, console.Printable(s.Error.Message))
		}
		if s.LastRun != nil && s.LastRun.Failure != nil {
			fmt.Fprintf(o.W, "\n%s, tenant %s: the last run could not run: %s\n", s.Sync, s.TenantName, console.Printable(s.LastRun.Failure.Message))
			if s.LastRun.Failure.Hint != "" {
				fmt.Fprintf(o.W, "  → %s\n", console.Printable(s.LastRun.Failure.Hint))
			}
		}
		if s.Quarantine != nil {
			fmt.Fprintf(o.W, "\n%s, tenant %s: paused since %s: %s; tried again at %s\n", s.Sync, s.TenantName, console.LocalTime(s.Quarantine.Since), console.Printable(s.Quarantine.Message), console.LocalTime(s.Quarantine.NextProbe))
		}
		if s.LastRun != nil {
			for _, about := range s.LastRun.Attention {
				fmt.Fprintf(o.W, "\n%s, tenant %s: %s (%s)\n", s.Sync, s.TenantName, console.Printable(about.Message), about.Code)
			}
		}
		if s.Rejected > 0 {
			fmt.Fprintf(o.W, "\n%s, tenant %s: %s: entrasync holds --rejected\n", s.Sync, s.TenantName, words.Count(s.Rejected, "action is due but was rejected", "actions are due but were rejected"))
		}
		if s.Retrying+s.Skipped > 0 {
			fmt.Fprintf(o.W, "\n%s, tenant %s:\n", s.Sync, s.TenantName)
			printWaiting(o, &s.Waiting)
		}
	}
	return nil
}
