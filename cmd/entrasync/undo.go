package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/exit"
	"entrasync/cmd/internal/undoing"
	"entrasync/cmd/internal/worker"
)

// undoFlags choose what is undone.
type undoFlags struct {
	undoing.Request
	user, group, out string
	yes              bool
}

func undoCommand(a *app) *cobra.Command {
	var f undoFlags
	cmd := &cobra.Command{
		Use:   "undo [RUN]",
		Short: "Put back what a run changed, as far as nothing has changed since",
		Long: `Plans from the audit log what puts back the changes of a run, of one user (the newest run that changed the user,
without RUN and --since), or of all runs since a time: values, memberships, activity and links. RUN may be
latest. What has changed since is left alone and named, and so is what cannot be put back, such as a deletion.
Guards review the plan. On a terminal it is a dry run unless --yes is given; --out keeps the plan for sync --plan.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Run = strings.Join(args, "")
			return a.withSyncs(f.Selection, func(w *worker.Worker, syncs []*compile.Sync) error { return a.undo(cmd.Context(), w, syncs, f) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.user, "user", "", "only what was done to this user: object id, user principal name or address")
	flags.StringVar(&f.group, "group", "", "only what was done to this group: object id or name")
	flags.StringVar(&f.Since, "since", "", "what was done from this `TIME` on")
	flags.BoolVar(&f.DryRun, "dry-run", false, "show the plan and change nothing")
	flags.BoolVar(&f.yes, "yes", false, "apply it, also on a terminal")
	flags.StringVar(&f.out, "out", "", "keep the plan in this file, for sync --plan, and change nothing")
	flags.StringArrayVar(&f.Approve, "approve", nil, "let pass what this `GUARD` holds; may be repeated")
	flags.BoolVar(&f.Pin, "pin", false, "pin what is put back: nothing changes it until it is unpinned")
	flags.BoolVar(&f.Pause, "pause", false, "pause the tenant before: no cycle makes the changes again")
	flags.StringVar(&f.Reason, "reason", "", "why, for the pins")
	syncFlag(cmd, &f.Selection)
	tenantFlag(cmd, &f.Selection)
	cmd.MarkFlagsMutuallyExclusive("user", "group")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "yes")
	cmd.MarkFlagsMutuallyExclusive("out", "yes")
	return cmd
}

func (a *app) undo(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, f undoFlags) error {
	f.Subject, f.By = subjectOf(f.user, f.group), a.actor()
	f.DryRun = f.DryRun || f.out != "" || !f.yes && console.IsTerminal(a.out)
	out := undoing.Console{Out: a.console(), JSON: a.json, Waiting: a.cycles(w).NoteWaiting}
	var kept bytes.Buffer
	if f.out != "" {
		out.Keep = &kept
	}
	reports, err := undoing.Run(ctx, w, syncs, f.Request, out)
	if err != nil {
		return err
	}
	if f.out != "" {
		if err := a.writeFile(f.out, kept.Bytes()); err != nil {
			return fmt.Errorf("keep plan: %w", err)
		}
	}
	code := exit.Done
	for _, report := range reports {
		code = exit.Worst(code, exit.Of(report))
	}
	return exit.With(code)
}
