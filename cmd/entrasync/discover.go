package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/bulkimport"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile"
)

func discoverCommand(a *app) *cobra.Command {
	var selection lookup.Selection
	asCSV := false
	cmd := &cobra.Command{
		Use:   "discover SYNC",
		Short: "List the target's accounts: kept, would be adopted, without a user in the directory",
		Long: `Reads the directory and lists the target's accounts with who they belong to. Nothing is changed.
Where the sync reads from several tenants it is told for each, and what another one keeps is left
out. With --csv it prints those that nobody in the directory has, in the form in which Entra's
"Bulk create" takes users. The column of initial passwords is left for you to fill in.`,
		Args: oneArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			selection.Syncs = args
			return a.withSyncs(selection, func(w *worker.Worker, syncs []*compile.Sync) error { return a.discover(cmd.Context(), w, syncs, asCSV) })
		},
	}
	tenantFlag(cmd, &selection)
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print the accounts without a user as CSV for Entra's bulk import")
	return cmd
}

func (a *app) discover(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, asCSV bool) error {
	several := len(syncs) > 1
	if several && asCSV {
		return advice.With(fmt.Errorf("the users to import are those that one tenant lacks, and sync %s reads from %d", syncs[0].Name, len(syncs)), "name the tenant with --tenant")
	}
	if asCSV {
		return a.discoverCSV(ctx, w, syncs)
	}
	for _, s := range syncs {
		if several && !a.json {
			fmt.Fprintf(a.out, "tenant %s:\n", s.TenantName)
		}
		err := a.discoverOne(ctx, w, s, func(account reconcile.Account) error {
			switch {
			case several && account.Others: // it is listed where it belongs
				return nil
			case a.json:
				return a.printJSON(discovered{account, s.Tenant.String(), s.TenantName})
			}
			return a.printAccount(account)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// discoverCSV prints the accounts that no user of the directory has, for Entra's bulk import.
func (a *app) discoverCSV(ctx context.Context, w *worker.Worker, syncs []*compile.Sync) error {
	out, err := bulkimport.New(a.out)
	if err != nil {
		return err
	}
	for _, s := range syncs {
		if err := a.discoverOne(ctx, w, s, func(account reconcile.Account) error { return out.Add(&account) }); err != nil {
			return err
		}
	}
	return out.Close()
}

// A discovered account is one line of `discover --json`.
type discovered struct {
	reconcile.Account
	Tenant     string `json:"tenant"`
	TenantName string `json:"tenant_name"`
}

func (a *app) discoverOne(ctx context.Context, w *worker.Worker, s *compile.Sync, visit func(reconcile.Account) error) error {
	progress, done := a.progress(s.Name)
	defer done()
	syncer, release, err := w.Syncer(ctx, s, progress)
	if err != nil {
		return err
	}
	defer release()
	return syncer.Discover(ctx, visit)
}

// printAccount prints one account.
func (a *app) printAccount(account reconcile.Account) error {
	_, err := fmt.Fprintf(a.out, "%-10s %s  %s\n", account.State, console.Printable(account.Key), a.console().Paint(console.Faint, "("+console.Printable(account.TargetID+": "+account.Why)+")"))
	return err
}
