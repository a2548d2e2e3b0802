package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

func (a *app) explainCommand() *cobra.Command {
	var sel selection
	group := false
	cmd := &cobra.Command{
		Use:   "explain KEY",
		Short: "Tell why somebody has, or has not, an account and these values",
		Long: `KEY is an object id, a user principal name or an address; with --group a group's name. A code
from a report, such as required_missing, is explained too. No call is made: the answer comes from
the snapshot and the links.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if text, ok := codes[args[0]]; ok {
				if a.json {
					return a.printJSON(struct {
						Format string `json:"format"`
						Code   string `json:"code"`
						Text   string `json:"text"`
					}{"entrasync/code/1", args[0], text})
				}
				fmt.Fprintf(a.out, "%s: %s\n", args[0], text)
				return nil
			}
			subject := reconcile.Subject{Kind: graphsync.User, Key: args[0]}
			if group {
				subject.Kind = graphsync.Group
			}
			return a.explain(cmd.Context(), subject, sel)
		},
	}
	cmd.Flags().BoolVar(&group, "group", false, "KEY is a group")
	sel.syncFlag(cmd)
	sel.tenantFlag(cmd)
	return cmd
}

func (a *app) explain(ctx context.Context, subject reconcile.Subject, sel selection) error {
	w, err := a.open()
	if err != nil {
		return err
	}
	defer w.Close()
	syncs, err := w.selected(sel)
	if err != nil {
		return err
	}
	syncs = a.soundOf(syncs)
	found := false
	for _, s := range syncs {
		err := a.explainOne(ctx, w, s, subject)
		if errors.Is(err, reconcile.ErrUnknownSubject) {
			continue
		}
		if err != nil {
			return err
		}
		found = true
	}
	if !found {
		return withHint(fmt.Errorf("%s %q is not in the snapshot of %s", subject.Kind, subject.Key, tenantsOf(syncs)),
			"the snapshot is as of the last plan or sync; try the object id, or run: entrasync plan")
	}
	return nil
}

func (a *app) explainOne(ctx context.Context, w *worker, s *plannedSync, subject reconcile.Subject) error {
	tenant, err := w.store.Tenant(s.Tenant)
	if err != nil {
		return err
	}
	defer tenant.Close()
	x, err := reconcile.Explain(ctx, s.Sync, tenant, subject, time.Now().UTC())
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(x)
	}
	fmt.Fprintf(a.out, "%s, tenant %s: %s %s (%s)\n", s.Name, s.tenantName, x.Subject.Kind, printable(x.Subject.Key), x.Subject.SourceID)
	for _, step := range x.Because {
		fmt.Fprintf(a.out, "  %-10s %-9s %s\n", step.Step, step.Result, printable(step.Detail))
	}
	if len(x.Attributes) > 0 {
		err := a.table("  attribute\texpression\tvalue\tapplied", func(row func(...any)) {
			for _, attribute := range x.Attributes {
				row("  "+attribute.Attribute, attribute.Expression, shown(attribute.Value), shown(attribute.Applied))
			}
		})
		if err != nil {
			return err
		}
	}
	for _, pending := range x.Pending {
		fmt.Fprintf(a.out, "  pending: %s\n", printable(pending))
	}
	if o := x.LastOutcome; o != nil {
		switch {
		case o.Code != "":
			fmt.Fprintf(a.out, "  last outcome: %s: %s (%s)\n", o.Op, printable(o.Message), o.Code)
		case o.At != nil:
			fmt.Fprintf(a.out, "  last outcome: %s at %s\n", o.Op, o.At.Local().Format(time.DateTime))
		}
	}
	return nil
}

// linked returns the linked and active people of the demonstration, by id.
func (d *demonstration) linked() (links []state.Link, err error) {
	tenant, err := d.worker.store.Tenant(d.sync.Tenant)
	if err != nil {
		return nil, err
	}
	defer tenant.Close()
	err = tenant.View(func(tx *state.Tx) error {
		for link, err := range tx.Links(d.sync.Name, graphsync.User, graphsync.ID{}) {
			if err != nil {
				return err
			}
			if link.Active {
				links = append(links, link)
			}
		}
		return nil
	})
	return links, err
}

// linked counts the active accounts and the groups a sync keeps.
func linked(tx *state.Tx, sync string) int {
	_, users := tx.CountLinks(sync, graphsync.User)
	_, groups := tx.CountLinks(sync, graphsync.Group)
	return users + groups
}
