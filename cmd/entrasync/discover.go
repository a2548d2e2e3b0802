package main

import (
	"github.com/spf13/cobra"

	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/discovery"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
)

func discoverCommand(a *app) *cobra.Command {
	var selection lookup.Selection
	asCSV := false
	cmd := &cobra.Command{
		Use:   "discover SYNC",
		Short: "List the target's accounts: kept, would be adopted, without a user in the directory",
		Long: `Reads the directory and lists the target's accounts with who they belong to. Nothing is changed.
Where the sync reads from several tenants it is told for each, and what another one keeps is left
out. With --csv it prints those that no user in the directory has, in the form in which Entra's
"Bulk create" takes users. The column of initial passwords is left for you to fill in.`,
		Args: arguments.One,
		RunE: func(cmd *cobra.Command, args []string) error {
			selection.Syncs = args
			return a.withSyncs(selection, func(w *worker.Worker, syncs []*compile.Sync) error {
				c := discovery.Command{Worker: w, Print: a.printer()}
				if asCSV {
					return c.CSV(cmd.Context(), syncs)
				}
				return c.List(cmd.Context(), syncs)
			})
		},
	}
	tenantFlag(cmd, &selection)
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print the accounts without a user as CSV for Entra's bulk import")
	return cmd
}
