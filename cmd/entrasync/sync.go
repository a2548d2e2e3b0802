package main

import (
	"errors"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/cycles"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
)

func planCommand(a *app) *cobra.Command {
	var selection lookup.Selection
	var p cycles.PlanRequest
	cmd := &cobra.Command{
		Use:   "plan [SYNC...]",
		Short: "Dry run: print what would change and why, write nothing to any target",
		Long: `Reads the directory, compares it with what was last applied, and prints what a sync would do.
Nothing is written to any target. With --no-refresh no call to Graph is made either: the plan is
made from the snapshot, which shows at once what a changed mapping or filter would do.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			selection.Syncs = names
			return a.withSyncs(selection, func(w *worker.Worker, syncs []*compile.Sync) error {
				return a.cycles(w).Plan(cmd.Context(), syncs, p)
			})
		},
	}
	tenantFlag(cmd, &selection)
	cmd.Flags().StringVar(&p.Out, "out", "", "keep the plan in this file, for sync --plan")
	cmd.Flags().BoolVar(&p.ExitCode, "exit-code", false, "exit with 2 when changes are pending")
	cmd.Flags().BoolVar(&p.NoRefresh, "no-refresh", false, "plan from the snapshot alone, without a Graph call")
	cmd.Flags().BoolVar(&p.Full, "full", false, "read everything again and evaluate everybody")
	removalsFlag(cmd, &p.Removals)
	return cmd
}

func syncCommand(a *app) *cobra.Command {
	var selection lookup.Selection
	var r cycles.SyncRequest
	user, group := "", ""
	cmd := &cobra.Command{
		Use:   "sync [SYNC...]",
		Short: "Run one cycle and apply it",
		RunE: func(cmd *cobra.Command, names []string) error {
			selection.Syncs, r.Subject = names, subjectOf(user, group)
			if len(r.Members) > 0 && group == "" {
				return advice.With(errors.New("--member names members of a group, and no group is named"), "add --group, or name a user with --user")
			}
			return a.withSyncs(selection, func(w *worker.Worker, syncs []*compile.Sync) error {
				if len(r.Members) > 0 {
					return a.cycles(w).SyncMembers(cmd.Context(), syncs, r)
				}
				return a.cycles(w).Sync(cmd.Context(), syncs, r)
			})
		},
	}
	tenantFlag(cmd, &selection)
	cmd.Flags().StringVar(&r.Plan, "plan", "", "apply exactly the plan in this file, or nothing if anything moved since")
	cmd.Flags().BoolVar(&r.Full, "full", false, "initial cycle: read everything again and evaluate everybody")
	cmd.Flags().StringVar(&user, "user", "", "provision on demand: this user only (object id, user principal name or address)")
	cmd.Flags().StringVar(&group, "group", "", "provision on demand: this group only (object id or name)")
	cmd.Flags().StringArrayVar(&r.Members, "member", nil, "with --group: this member of the group only, with the steps; may be repeated")
	removalsFlag(cmd, &r.Removals)
	cmd.MarkFlagsMutuallyExclusive("plan", "user", "group", "removals")
	return cmd
}

func removalsFlag(cmd *cobra.Command, removals *bool) {
	cmd.Flags().BoolVar(removals, "removals", false, "only what takes access away or gives it back; the rest waits for the next cycle")
	cmd.MarkFlagsMutuallyExclusive("full", "removals")
}

// cycles plans and runs cycles for this command.
func (a *app) cycles(w *worker.Worker) cycles.Runner {
	return cycles.Runner{Worker: w, Print: a.printer(), Actor: a.actor(), Files: cycles.Files{Read: a.readFile, Write: a.writeFile}}
}
