package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/report"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
)

func explainCommand(a *app) *cobra.Command {
	var selection lookup.Selection
	group, list, history := false, false, false
	cmd := &cobra.Command{
		Use:   "explain KEY",
		Short: "Explain why a user has, or has not, an account and these values",
		Long: `KEY is an object id, a user principal name, an address or a part of a name; with --group it names
a group. A code from a report, such as required_missing, is explained too; --codes lists them all.
No call to Graph or a target is made: what is printed comes from the snapshot and the links.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if list {
				return arguments.None(cmd, args)
			}
			return arguments.One(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				return explanations{a}.listCodes()
			}
			if text, ok := advice.Codes[args[0]]; ok {
				return explanations{a}.printCode(args[0], text)
			}
			subject := reconcile.Subject{Kind: graphsync.User, Key: args[0]}
			if group {
				subject.Kind = graphsync.Group
			}
			if history {
				f := auditFlags{Selection: selection}
				if f.user = args[0]; group {
					f.user, f.group = "", args[0]
				}
				return a.withSyncs(selection, func(w *worker.Worker, syncs []*compile.Sync) error {
					return auditLogs{a}.list(cmd.Context(), w, syncs, f)
				})
			}
			return explanations{a}.explain(cmd.Context(), subject, selection)
		},
	}
	cmd.Flags().BoolVar(&group, "group", false, "KEY is a group")
	cmd.Flags().BoolVar(&list, "codes", false, "list every code with what to do about it")
	cmd.Flags().BoolVar(&history, "history", false, "list what was done to it in all syncs, from the audit log")
	syncFlag(cmd, &selection)
	tenantFlag(cmd, &selection)
	return cmd
}

// explanations print what the state, or the list of codes, has on a key.
type explanations struct{ app *app }

func (e explanations) explain(ctx context.Context, subject reconcile.Subject, selection lookup.Selection) error {
	return e.app.withSyncs(selection, func(w *worker.Worker, syncs []*compile.Sync) error {
		return lookup.Explain(ctx, w, sound(syncs, e.app.err), subject, e.print)
	})
}

func (e explanations) print(s *compile.Sync, x *reconcile.Explanation) error {
	if e.app.json {
		return e.app.printer().Document(x)
	}
	return report.Explanation(e.app.console(), s, x)
}

// printCode prints what to do about one code.
func (e explanations) printCode(code, text string) error {
	if e.app.json {
		return e.app.printer().Document(advice.CodeDocument(code))
	}
	_, err := fmt.Fprintf(e.app.out, "%s: %s\n", code, text)
	return err
}

// listCodes prints every code in alphabetical order.
func (e explanations) listCodes() error {
	if e.app.json {
		return e.app.printer().Document(advice.CodesDocument())
	}
	return e.app.console().Table("code\twhat to do", func(row func(...any)) {
		for _, code := range slices.Sorted(maps.Keys(advice.Codes)) {
			row(code, advice.Codes[code])
		}
	})
}
