package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
	"entrasync/target"
)

func (a *app) explainCommand() *cobra.Command {
	var sel selection
	group, list := false, false
	cmd := &cobra.Command{
		Use:   "explain KEY",
		Short: "Explain why a user has, or has not, an account and these values",
		Long: `KEY is an object id, a user principal name, an address or a part of a name; with --group it names
a group. A code from a report, such as required_missing, is explained too; --codes lists them all.
No call to Graph or a target is made: what is printed comes from the snapshot and the links.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if list {
				return noArguments(cmd, args)
			}
			return oneArgument(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				return a.listCodes()
			}
			if text, ok := codes[args[0]]; ok {
				return a.printCode(args[0], text)
			}
			subject := reconcile.Subject{Kind: graphsync.User, Key: args[0]}
			if group {
				subject.Kind = graphsync.Group
			}
			return a.explain(cmd.Context(), subject, sel)
		},
	}
	cmd.Flags().BoolVar(&group, "group", false, "KEY is a group")
	cmd.Flags().BoolVar(&list, "codes", false, "list every code with what to do about it")
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
	syncs, err := selected(w, sel)
	if err != nil {
		return err
	}
	syncs = a.soundOf(syncs)
	found, err := a.explainIn(ctx, w, syncs, subject)
	if err != nil || found {
		return err
	}
	near, err := search(ctx, w, syncs, subject)
	switch {
	case err != nil:
		return err
	case len(near) == 1:
		subject.Key = near[0].ID.String()
		_, err = a.explainIn(ctx, w, syncs, subject)
		return err
	}
	return notFound(subject, syncs, near)
}

// explainIn explains an object in each sync whose tenant has it, and reports whether one has.
func (a *app) explainIn(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, subject reconcile.Subject) (found bool, err error) {
	for _, s := range syncs {
		err := a.explainOne(ctx, w, s, subject)
		if errors.Is(err, reconcile.ErrUnknownSubject) {
			continue
		}
		if err != nil {
			return found, err
		}
		found = true
	}
	return found, nil
}

// nearMost is how many objects a message names that a key may have meant.
const nearMost = 10

// search finds the objects of the tenants whose name or address contains a key.
func search(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, subject reconcile.Subject) (found []reconcile.Match, err error) {
	searched := map[graphsync.ID]bool{}
	for _, s := range syncs {
		if searched[s.Tenant] || len(found) > nearMost {
			continue
		}
		searched[s.Tenant] = true
		tenant, err := w.Store.Tenant(s.Tenant)
		if err != nil {
			return nil, err
		}
		matches, err := reconcile.Search(ctx, tenant, subject.Key, nearMost+1-len(found), subject.Kind)
		tenant.Close()
		if err != nil {
			return nil, fmt.Errorf("search the snapshot of tenant %s: %w", s.TenantName, err)
		}
		found = append(found, matches...)
	}
	return found, ctx.Err()
}

// nearCode asks whether a key was meant to be one of the codes that explain knows, "" when it is like none.
func nearCode(key string) string {
	if near := target.Near(key, slices.Collect(maps.Keys(codes))); near != "" {
		return "did you mean the code " + near + "? "
	}
	return ""
}

// notFound is the error of a key that no object has, with those that come near.
func notFound(subject reconcile.Subject, syncs []*compile.Sync, near []reconcile.Match) error {
	if len(near) == 0 {
		return advice.With(fmt.Errorf("%s %q is not in the snapshot of %s", subject.Kind, subject.Key, tenantsOf(syncs)),
			nearCode(subject.Key)+"the snapshot is as of the last plan or sync; try the object id, or run: entrasync plan")
	}
	var names []string
	for _, match := range near[:min(len(near), nearMost)] {
		name := match.Address
		if name == "" {
			name = match.Name
		}
		names = append(names, printable(fmt.Sprintf("%s (%s)", name, match.ID)))
	}
	slices.Sort(names)
	more := ""
	if len(near) > nearMost {
		more = ", …"
	}
	return advice.With(fmt.Errorf("several %ss of %s contain %q: %s%s", subject.Kind, tenantsOf(syncs), subject.Key, strings.Join(names, ", "), more),
		"name one by its object id")
}

func (a *app) explainOne(ctx context.Context, w *worker.Worker, s *compile.Sync, subject reconcile.Subject) error {
	tenant, err := w.Store.Tenant(s.Tenant)
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
	fmt.Fprintf(a.out, "%s, tenant %s: %s %s (%s)\n", s.Name, s.TenantName, x.Subject.Kind, printable(x.Subject.Key), x.Subject.SourceID)
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
			fmt.Fprintf(a.out, "  last outcome: %s at %s\n", o.Op, localTime(*o.At))
		}
	}
	return nil
}

// linked returns the linked and active people of the demonstration, by id.
func (d *demonstration) linked() (links []state.Link, err error) {
	tenant, err := d.worker.Store.Tenant(d.sync.Tenant)
	if err != nil {
		return nil, err
	}
	defer tenant.Close()
	err = tenant.View(func(tx *state.Tx) error {
		for link, err := range tx.Links(d.sync.Name).All(graphsync.User, graphsync.ID{}) {
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
	_, users := tx.Links(sync).Count(graphsync.User)
	_, groups := tx.Links(sync).Count(graphsync.Group)
	return users + groups
}
