package main

import (
	"github.com/spf13/cobra"

	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/invitations"
	"entrasync/cmd/internal/worker"
)

func consentCommand(a *app) *cobra.Command {
	var tenant, note, expires string
	cmd := &cobra.Command{
		Use:   "consent",
		Short: "Print the link on which a customer's administrator gives consent",
		Long: `Prints a link to send to the administrator of another tenant, a Global Administrator or Privileged
Role Administrator. It leads to Microsoft's consent page, works once, and expires. When the consent
is proven the tenant joins: its syncs (from: consented) start while the service runs. A tenant that
is in the configuration already can renew its consent with such a link. With --tenant the link is
good for that tenant alone, which is safest. Without it the administrator also signs in, unless
consent.sign_in is false: then --tenant is required.`,
		Example: `  entrasync consent --note "Contoso Ltd"
  entrasync consent --tenant 11111111-1111-1111-1111-111111111111 --expires 2d`,
		Args: arguments.None,
		RunE: func(*cobra.Command, []string) error {
			request, err := invitations.ParseRequest(tenant, note, expires)
			if err != nil {
				return err
			}
			return withInvitations(a, func(c invitations.Command) error { return c.Make(request) })
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "only this tenant may use it: its id, or the name of one that is known")
	cmd.Flags().StringVar(&note, "note", "", "for whom it is, for your own lists and logs")
	cmd.Flags().StringVar(&expires, "expires", "7d", "how long the link is good, such as 12h, 7d or 2w")
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List the links that were made, with their states", Args: arguments.None,
		RunE: func(*cobra.Command, []string) error { return withInvitations(a, invitations.Command.List) },
	}, &cobra.Command{
		Use: "withdraw INVITATION", Short: "Take a link back: it leads nowhere from then on", Args: arguments.One,
		RunE: func(_ *cobra.Command, args []string) error {
			return withInvitations(a, func(c invitations.Command) error { return c.Withdraw(args[0]) })
		},
	})
	return cmd
}

// withInvitations opens the state and closes it after do.
func withInvitations(a *app, do func(invitations.Command) error) error {
	return a.withWorker(func(w *worker.Worker) error {
		return do(invitations.Command{Worker: w, Print: a.printer(), Actor: a.actor()})
	})
}
