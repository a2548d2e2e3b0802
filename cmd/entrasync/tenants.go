package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/tenants"
	"entrasync/cmd/internal/worker"
)

func tenantsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tenants",
		Short: "List, pause, resume and remove tenants",
		Long:  `Tenants are those of the configuration file and those that joined by consent.`,
		Args:  arguments.Subcommand,
		RunE:  func(*cobra.Command, []string) error { return withTenants(a, tenants.Command.List) },
	}
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List the tenants with the state of their consent and credential", Args: arguments.None,
		RunE: func(*cobra.Command, []string) error { return withTenants(a, tenants.Command.List) },
	}, &cobra.Command{
		Use: "pause TENANT", Short: "Run no cycle of a tenant until it is resumed", Args: arguments.One,
		RunE: func(_ *cobra.Command, args []string) error {
			return withTenants(a, func(c tenants.Command) error { return c.Pause(args[0]) })
		},
	}, &cobra.Command{
		Use: "resume TENANT", Short: "Run the cycles of a paused tenant again", Args: arguments.One,
		RunE: func(_ *cobra.Command, args []string) error {
			return withTenants(a, func(c tenants.Command) error { return c.Resume(args[0]) })
		},
	}, removeTenantCommand(a))
	return cmd
}

// withTenants opens the state and closes it after do.
func withTenants(a *app, do func(tenants.Command) error) error {
	return a.withWorker(func(w *worker.Worker) error {
		return do(tenants.Command{Worker: w, Print: a.printer(), Actor: a.actor()})
	})
}

func removeTenantCommand(a *app) *cobra.Command {
	accounts := ""
	cmd := &cobra.Command{
		Use:   "remove TENANT",
		Short: "Forget a tenant; its accounts are kept as they are, or deactivated",
		Long: `Stops the syncs of a tenant and forgets its snapshot and its claims on accounts. With
--accounts deactivate every account it keeps is deactivated first; nothing is ever deleted. A
tenant of the configuration file stays paused until it is taken out of there.`,
		Args: arguments.One,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if accounts == "" {
				if accounts, err = askForAccounts(a, args[0]); err != nil {
					return err
				}
			}
			if accounts != "keep" && accounts != "deactivate" {
				return fmt.Errorf("--accounts is %q, want keep or deactivate", accounts)
			}
			return withTenants(a, func(c tenants.Command) error { return c.Remove(cmd.Context(), args[0], accounts == "deactivate") })
		},
	}
	cmd.Flags().StringVar(&accounts, "accounts", "", "what to do with its accounts: keep or deactivate (asked on a terminal)")
	return cmd
}

// askForAccounts asks at the terminal what to do with a tenant's accounts. The choice is passed on when a service
// runs the command.
func askForAccounts(a *app, tenant string) (string, error) {
	if a.client != nil {
		if choice, ok := a.printer().Ask(a.keyboard(), fmt.Sprintf("Keep or deactivate the accounts of tenant %s? [keep/deactivate] ", tenant)); ok {
			a.client.Add("--accounts=" + choice)
			return choice, nil
		}
	}
	return "", advice.With(fmt.Errorf("--accounts is required to remove tenant %s", tenant), "give --accounts keep or --accounts deactivate")
}
