package main

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/exit"
	"entrasync/cmd/internal/links"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
)

// A linkFlags is what a links command is given.
type linkFlags struct {
	lookup.Selection
	group bool
}

func linksCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "links",
		Short: "List, show, break, set and pin the links of users to accounts",
		Long: `A link ties a user or group of the directory to its account in the application: only what is linked
is changed. USER is an object id, a user principal name or an address; with --group it names a group.`,
		Args: arguments.Subcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(listLinksCommand(a), showLinkCommand(a),
		changeLinkCommand(a, "break USER", "Break a link: the account stays as it is, and is linked again only with an approval", one(links.Break)),
		changeLinkCommand(a, "set USER ACCOUNT", "Choose the account of a user, by its id in the application", one(links.Set)),
		changeLinkCommand(a, "pin USER", "Change nothing about an account until it is unpinned", links.Pin),
		changeLinkCommand(a, "unpin USER", "Carry out again what is due to a pinned account", links.Unpin))
	return cmd
}

func listLinksCommand(a *app) *cobra.Command {
	var selection lookup.Selection
	var filter reconcile.LinkFilter
	cmd := &cobra.Command{
		Use: "list", Short: "List links, and accounts that should have one", Args: arguments.None,
		Long: `Lists the links of users and groups, from the state alone. The options choose what to list; several are
alternatives.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withSyncs(selection, func(w *worker.Worker, syncs []*compile.Sync) error {
				return links.List(cmd.Context(), w, syncs, filter, a.console(), a.json)
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&filter.Pinned, "pinned", false, "what is pinned")
	flags.BoolVar(&filter.Broken, "broken", false, "users of whom a link was broken")
	flags.BoolVar(&filter.Chosen, "chosen", false, "users for whom an account was chosen that is not linked yet")
	flags.BoolVar(&filter.Ambiguous, "ambiguous", false, "users whom several accounts match")
	flags.BoolVar(&filter.Orphaned, "orphaned", false, "accounts that are provably of a user and have no link")
	flags.BoolVar(&filter.Mismatch, "mismatch", false, "links whose account is another one in the application now")
	flags.BoolVar(&filter.Inactive, "inactive", false, "links whose account is switched off")
	syncFlag(cmd, &selection)
	tenantFlag(cmd, &selection)
	return cmd
}

func showLinkCommand(a *app) *cobra.Command {
	var f linkFlags
	cmd := &cobra.Command{
		Use: "show USER", Short: "Show the link of one user, with what was applied and what was decided", Args: arguments.One,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withSyncs(f.Selection, func(w *worker.Worker, syncs []*compile.Sync) error {
				return links.Show(cmd.Context(), w, syncs, f.subject(args[0]), a.console(), a.json)
			})
		},
	}
	f.add(cmd)
	return cmd
}

// A linkChange changes links and returns what came of each.
type linkChange func(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, c links.Change) ([]*links.Outcome, error)

// one is a change of one link.
func one(change func(context.Context, *worker.Worker, []*compile.Sync, links.Change) (*links.Outcome, error)) linkChange {
	return func(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, c links.Change) ([]*links.Outcome, error) {
		o, err := change(ctx, w, syncs, c)
		if err != nil {
			return nil, err
		}
		return []*links.Outcome{o}, nil
	}
}

func changeLinkCommand(a *app, use, short string, change linkChange) *cobra.Command {
	var f linkFlags
	reason := ""
	cmd := &cobra.Command{
		Use: use, Short: short, Args: arguments.Of(use),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withSyncs(f.Selection, func(w *worker.Worker, syncs []*compile.Sync) error {
				c := links.Change{Subject: f.subject(args[0]), Account: strings.Join(args[1:], ""), Reason: reason, By: a.actor(), Waiting: a.cycles(w).NoteWaiting}
				outcomes, err := change(cmd.Context(), w, syncs, c)
				code := exit.Done
				for _, o := range outcomes {
					err = errors.Join(err, o.Print(a.console(), a.json))
					if o.Waits() {
						code = exit.Worst(code, exit.Held)
					} else if o.Failed() {
						code = exit.Worst(code, exit.Partial)
					}
				}
				return cmp.Or(err, exit.With(code))
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who look at it later")
	f.add(cmd)
	return cmd
}

func (f *linkFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.group, "group", false, "USER is a group, by object id or name")
	syncFlag(cmd, &f.Selection)
	tenantFlag(cmd, &f.Selection)
}

func (f *linkFlags) subject(key string) reconcile.Subject {
	if f.group {
		return reconcile.Subject{Kind: graphsync.Group, Key: key}
	}
	return reconcile.Subject{Kind: graphsync.User, Key: key}
}
