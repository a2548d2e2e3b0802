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
out. With --csv it prints those that no user in the directory has, in the form in which Entra's
"Bulk create" takes users. The column of initial passwords is left for you to fill in.`,
		Args: oneArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			selection.Syncs = args
			return a.withSyncs(selection, func(w *worker.Worker, syncs []*compile.Sync) error {
				return discovery{a, w}.list(cmd.Context(), syncs, asCSV)
			})
		},
	}
	tenantFlag(cmd, &selection)
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print the accounts without a user as CSV for Entra's bulk import")
	return cmd
}

// A discovery lists the accounts of a target.
type discovery struct {
	app    *app
	worker *worker.Worker
}

func (d discovery) list(ctx context.Context, syncs []*compile.Sync, asCSV bool) error {
	several := len(syncs) > 1
	if several && asCSV {
		return advice.With(fmt.Errorf("the users to import are those that one tenant lacks, and sync %s reads from %d", syncs[0].Name, len(syncs)), "name the tenant with --tenant")
	}
	if asCSV {
		return d.csv(ctx, syncs)
	}
	for _, s := range syncs {
		if several && !d.app.json {
			fmt.Fprintf(d.app.out, "tenant %s:\n", s.TenantName)
		}
		err := d.accounts(ctx, s, func(account reconcile.Account) error {
			switch {
			case several && account.Others: // it is listed where it belongs
				return nil
			case d.app.json:
				return d.app.printJSON(discovered{account, s.Tenant.String(), s.TenantName})
			}
			return d.print(account)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// csv prints the accounts that no user of the directory has, for Entra's bulk import.
func (d discovery) csv(ctx context.Context, syncs []*compile.Sync) error {
	out, err := bulkimport.New(d.app.out)
	if err != nil {
		return err
	}
	for _, s := range syncs {
		if err := d.accounts(ctx, s, func(account reconcile.Account) error { return out.Add(&account) }); err != nil {
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

func (d discovery) accounts(ctx context.Context, s *compile.Sync, visit func(reconcile.Account) error) error {
	progress, done := d.app.progress(s.Name)
	defer done()
	syncer, release, err := d.worker.Syncer(ctx, s, progress)
	if err != nil {
		return err
	}
	defer release()
	return syncer.Discover(ctx, visit)
}

// print prints one account.
func (d discovery) print(account reconcile.Account) error {
	_, err := fmt.Fprintf(d.app.out, "%-10s %s  %s\n", account.State, console.Printable(account.Key), d.app.console().Paint(console.Faint, "("+console.Printable(account.TargetID+": "+account.Why)+")"))
	return err
}
