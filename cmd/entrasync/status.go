package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/audit"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/inspect"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/report"
	"entrasync/cmd/internal/worker"
)

func statusCommand(a *app) *cobra.Command {
	var selection lookup.Selection
	cmd := &cobra.Command{Use: "status [SYNC...]", Short: "Show the state of every sync", RunE: func(cmd *cobra.Command, names []string) error {
		selection.Syncs = names
		return a.withSyncs(selection, listings{a}.status)
	}}
	tenantFlag(cmd, &selection)
	return cmd
}

// listings print what the state has of syncs and their runs.
type listings struct{ app *app }

func (l listings) status(w *worker.Worker, syncs []*compile.Sync) error {
	l.app.cycles(w).NoteNoTenant()
	unread := report.Unread{W: l.app.err}
	var readable []*compile.Sync
	statuses := make([]inspect.Status, 0, len(syncs))
	for _, s := range syncs {
		status, err := inspect.StatusOf(w, s)
		if !unread.Add(err) {
			readable = append(readable, s)
		}
		status.Error = inspect.StateErrorOf(err)
		statuses = append(statuses, status)
	}
	unconfigured, err := w.Unconfigured(readable)
	if unread.Add(err) {
		fmt.Fprintf(l.app.err, "entrasync: %v\n", err)
	}
	if l.app.json {
		return unread.Outcome(l.app.printer().Document(map[string]any{"format": "entrasync/status/1", "syncs": statuses, "unconfigured": unconfigured}))
	}
	if len(w.Syncs) == 0 && w.Tenants.TakesConsented() {
		fmt.Fprintln(l.app.out, "No sync has a tenant. Invite a tenant: entrasync consent --note NAME")
	} else if err := report.Status(l.app.console(), statuses); err != nil {
		return err
	}
	for _, u := range unconfigured {
		fmt.Fprintf(l.app.out, "\n%s\n  → %s\n", console.Printable(u.String()), worker.UnconfiguredAdvice)
	}
	return unread.Outcome(nil)
}

func runsCommand(a *app) *cobra.Command {
	var selection lookup.Selection
	query, since, all := inspect.RunQuery{Limit: 20}, "", false
	cmd := &cobra.Command{
		Use: "runs [SYNC...]", Short: "List past runs",
		Long: `Lists past runs of each sync, newest first. Runs that did nothing are folded into one row behind the newest 200.
Runs that did something are kept for the time in history, by default 400 days.`,
		RunE: func(cmd *cobra.Command, names []string) (err error) {
			selection.Syncs = names
			if query.Since, err = audit.ParseTime(since, time.Now()); err != nil {
				return fmt.Errorf("--since: %w", err)
			}
			if !query.Since.IsZero() && !cmd.Flags().Changed("limit") {
				query.Limit = 0
			}
			return a.withSyncs(selection, func(w *worker.Worker, syncs []*compile.Sync) error { return listings{a}.runs(w, syncs, query, all) })
		},
	}
	tenantFlag(cmd, &selection)
	cmd.Flags().IntVar(&query.Limit, "limit", query.Limit, "maximum number of runs of each sync; with --all, of all")
	cmd.Flags().StringVar(&since, "since", "", "that started at this `TIME` or later: RFC 3339, a day, or how long ago, such as 7d")
	cmd.Flags().BoolVar(&query.Failed, "failed", false, "only runs that could not run or in which records failed")
	cmd.Flags().BoolVar(&all, "all", false, "by time over all syncs and tenants")
	return cmd
}

func (l listings) runs(w *worker.Worker, syncs []*compile.Sync, query inspect.RunQuery, all bool) error {
	runs := []inspect.PastRun{}
	unread := report.Unread{W: l.app.err}
	for _, s := range syncs {
		found, err := inspect.Runs(w, s, query)
		unread.Report(s, err)
		runs = append(runs, found...)
	}
	if all {
		runs = inspect.ByTime(runs, query.Limit)
	}
	if l.app.json {
		return unread.Outcome(l.app.printer().Document(map[string]any{"format": "entrasync/runs/1", "runs": runs}))
	}
	return unread.Outcome(report.Runs(l.app.console(), runs))
}

func showCommand(a *app) *cobra.Command {
	var selection lookup.Selection
	cmd := &cobra.Command{Use: "show RUN", Short: "Show one run's actions, skips and errors; RUN may be latest", Args: arguments.One, RunE: func(cmd *cobra.Command, args []string) error {
		return a.withSyncs(selection, func(w *worker.Worker, syncs []*compile.Sync) error { return listings{a}.show(w, syncs, args[0]) })
	}}
	tenantFlag(cmd, &selection)
	return cmd
}

func (l listings) show(w *worker.Worker, syncs []*compile.Sync, id string) error {
	unread := report.Unread{W: l.app.err}
	found := false
	for _, s := range syncs {
		run, err := inspect.RunOf(w, s, id)
		if err == nil && run != nil {
			found = true
			err = l.showRun(s, run)
		}
		unread.Report(s, err)
	}
	switch {
	case found || unread.Some:
		return unread.Outcome(nil)
	case id == inspect.Latest:
		return advice.With(errors.New("no sync has run yet"), "run: entrasync sync")
	}
	return advice.With(fmt.Errorf("there is no run %q", id), "list them with: entrasync runs")
}

func (l listings) showRun(s *compile.Sync, run *inspect.Run) error {
	if l.app.json {
		return l.app.printer().Document(run)
	}
	return report.Run(l.app.console(), s, run)
}
