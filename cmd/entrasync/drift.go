package main

import (
	"github.com/spf13/cobra"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/drifting"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
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
				return drifting.Run(cmd.Context(), a.cycles(w), syncs, exitCode)
			})
		},
	}
	tenantFlag(cmd, &selection)
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 2 when something differs")
	return cmd
}
