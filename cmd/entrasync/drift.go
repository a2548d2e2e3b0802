package main

import (
	"context"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/drifting"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile"
)

func driftCommand(a *app) *cobra.Command {
	var selection lookup.Selection
	exitCode := false
	cmd := &cobra.Command{
		Use:   "drift [SYNC...]",
		Short: "Compare what was applied with what the application holds",
		Long: `Reads the linked accounts, groups and memberships in the application and prints what differs from what was applied:
what was applied, what the application has, since which compare, and what the configuration says to do about it.
Nothing is changed in the application, and nothing is read from the directory. Accounts that no sync made are listed by
discover.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			selection.Syncs = names
			return a.withSyncs(selection, func(w *worker.Worker, syncs []*compile.Sync) error {
				return cycles{a, w}.drift(cmd.Context(), syncs, exitCode)
			})
		},
	}
	tenantFlag(cmd, &selection)
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 2 when something differs")
	return cmd
}

func (c cycles) drift(ctx context.Context, syncs []*compile.Sync, exitsPending bool) error {
	c.app.noteNoTenant(c.worker)
	code := exitDone
	for _, s := range syncs {
		progress, done := c.app.progress(s.Name)
		c.noteWaiting(s)
		document, result, err := drifting.Compare(ctx, c.worker, s, c.app.actor(), progress)
		done()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			code = worst(code, exitCode(err, c.app.err))
			continue
		case c.app.json:
			err = document.WriteJSON(c.app.out)
		default:
			err = drifting.Print(c.app.console(), s, document)
		}
		if err != nil {
			return err
		}
		switch {
		case result.Result == reconcile.Partial:
			code = worst(code, exitPartial)
		case exitsPending && document.Summary.Total() > 0:
			code = worst(code, exitPending)
		}
	}
	return codeError(code)
}
