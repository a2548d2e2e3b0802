package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/inspect"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/report"
	"entrasync/cmd/internal/worker"
)

// holdID is the form of a hold's id.
var holdID = regexp.MustCompile(`^h-[0-9]+$`)

func holdsCommand(a *app) *cobra.Command {
	var selection lookup.Selection
	rejected := false
	cmd := &cobra.Command{
		Use:   "holds [SYNC | HOLD]...",
		Short: "List what a guard held, by cause",
		Long: `Lists what waits for an approval, by cause. With a HOLD, such as h-12, lists every action in it with
the values that would change and the people who would join or leave a group. With --rejected lists
what was rejected and is still due, with who rejected it, when and why; entrasync approve HOLD takes
a rejection back.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withWorker(func(w *worker.Worker) (err error) {
				var ids []string
				selection.Syncs, ids = partHolds(args, compile.Names(w.Syncs))
				syncs, err := selection.Of(w)
				if err != nil {
					return err
				}
				return listings{a}.holds(w, syncs, ids, rejected)
			})
		},
	}
	cmd.Flags().BoolVar(&rejected, "rejected", false, "list what was rejected and is still due")
	tenantFlag(cmd, &selection)
	return cmd
}

// partHolds tells ids of holds from names of syncs.
func partHolds(args, syncs []string) (names, ids []string) {
	for _, arg := range args {
		if holdID.MatchString(arg) && !slices.Contains(syncs, arg) {
			ids = append(ids, arg)
		} else {
			names = append(names, arg)
		}
	}
	return names, ids
}

func (l listings) holds(w *worker.Worker, syncs []*compile.Sync, ids []string, rejected bool) error {
	unread := report.Unread{W: l.app.err}
	holds := []inspect.Hold{}
	for _, s := range syncs {
		found, err := inspect.Holds(w, []*compile.Sync{s}, ids, rejected)
		unread.Report(s, err)
		holds = append(holds, found...)
	}
	if len(ids) > 0 && len(holds) == 0 && !unread.Some {
		return advice.With(fmt.Errorf("there is no hold %s", strings.Join(ids, ", ")), "list them with: entrasync holds, entrasync holds --rejected")
	}
	if l.app.json {
		return unread.Outcome(l.app.printer().Document(map[string]any{"format": "entrasync/holds/1", "holds": holds}))
	}
	return unread.Outcome(report.Holds(l.app.console(), holds, len(ids) > 0, rejected))
}
