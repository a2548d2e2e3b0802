package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/consentweb"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/inspect"
	"entrasync/cmd/internal/report"
	"entrasync/cmd/internal/service"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/state"
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
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return invitations{a}.make(tenant, note, expires) },
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "only this tenant may use it: its id, or the name of one that is known")
	cmd.Flags().StringVar(&note, "note", "", "for whom it is, for your own lists and logs")
	cmd.Flags().StringVar(&expires, "expires", "7d", "how long the link is good, such as 12h, 7d or 2w")
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List the links that were made, with their states", Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return invitations{a}.list() },
	}, &cobra.Command{
		Use: "withdraw INVITATION", Short: "Take a link back: it leads nowhere from then on", Args: oneArgument,
		RunE: func(_ *cobra.Command, args []string) error { return invitations{a}.withdraw(args[0]) },
	})
	return cmd
}

// invitations make, list and take back the links on which tenants consent.
type invitations struct{ app *app }

// longestInvitation bounds how long a link that was sent by mail is good.
const longestInvitation = 90 * 24 * time.Hour

func (i invitations) make(tenant, note, expires string) error {
	lasts, err := configs.ParseDuration(expires)
	switch {
	case err != nil:
		return fmt.Errorf("--expires: %w", err)
	case lasts < time.Minute || lasts > longestInvitation:
		return fmt.Errorf("--expires is %s, want from 1m to 90d", expires)
	case len(note) > 200:
		return fmt.Errorf("--note has %d characters, want at most 200", len(note))
	}
	w, err := i.app.open()
	if err != nil {
		return err
	}
	defer w.Close()
	now := time.Now().UTC()
	invitation := state.Invitation{By: i.app.actor(), Note: note, Created: now, Expires: now.Add(lasts).Truncate(time.Second)}
	if tenant != "" {
		if known, err := w.Tenants.Named(tenant); err == nil {
			invitation.Tenant = known.ID
		} else if invitation.Tenant, err = graphsync.ParseID(tenant); err != nil {
			return advice.With(fmt.Errorf("--tenant: %w", err), "give the tenant ID (directory ID), or the name of a tenant that is known: entrasync tenants list")
		}
	}
	settings, err := service.ConsentSettings(w.Config, invitation.Tenant)
	if err != nil {
		return err
	}
	if !w.Tenants.TakesConsented() && !w.Tenants.Configures(invitation.Tenant) {
		fmt.Fprintln(i.app.err, "note: no sync has from: consented, so a tenant that joins is registered and not synced")
	}
	url, key, err := consentweb.Invite(w.Store, settings, invitation)
	if errors.Is(err, consentweb.ErrOpenLink) {
		return advice.With(err, "give --tenant and the customer's tenant ID, or take consent.sign_in: false out of the configuration")
	}
	if err != nil {
		return err
	}
	w.Log.Info("invitation made", "invitation", key.Name(), "note", note, "for", tenant, "expires", invitation.Expires)
	if i.app.json {
		return i.app.printJSON(struct {
			Format     string    `json:"format"`
			URL        string    `json:"url"`
			Expires    time.Time `json:"expires"`
			Invitation string    `json:"invitation"`
		}{"entrasync/consent/1", url, invitation.Expires, key.Name()})
	}
	fmt.Fprintln(i.app.out, url)
	fmt.Fprintf(i.app.err, "Good once, until %s; take it back with: entrasync consent withdraw %s. It works while entrasync run is running, and the app registration must have the redirect URI\n  %s\n",
		console.LocalTime(invitation.Expires), key.Name(), consentweb.RedirectURI(w.Config.Consent.PublicURL))
	return nil
}

func (i invitations) list() error {
	return i.app.withWorker(func(w *worker.Worker) error {
		links, err := inspect.Invitations(w.Store, time.Now())
		if err != nil {
			return err
		}
		if i.app.json {
			return i.app.printJSON(struct {
				Format      string               `json:"format"`
				Invitations []inspect.Invitation `json:"invitations"`
			}{"entrasync/invitations/1", links})
		}
		return report.Invitations(i.app.console(), links)
	})
}

func (i invitations) withdraw(name string) error {
	w, err := i.app.open()
	if err != nil {
		return err
	}
	defer w.Close()
	withdrawn, err := w.Store.Invitations().Withdraw(name, time.Now(), i.app.actor())
	switch {
	case errors.Is(err, state.ErrInvitationUsed):
		return advice.With(fmt.Errorf("invitation %s has been used", name), "remove the tenant that joined with it: entrasync tenants remove")
	case errors.Is(err, state.ErrNoInvitation):
		return advice.With(fmt.Errorf("there is no invitation %q", name), "list them with: entrasync consent list")
	case err != nil:
		return err
	}
	w.Log.Info("invitation withdrawn", "invitation", name, "note", withdrawn.Note)
	if i.app.json {
		return i.app.printJSON(struct {
			Format     string `json:"format"`
			Invitation string `json:"invitation"`
		}{"entrasync/withdrawn/1", name})
	}
	fmt.Fprintf(i.app.out, "Invitation %s is withdrawn: its link leads nowhere from now on.\n", name)
	return nil
}
