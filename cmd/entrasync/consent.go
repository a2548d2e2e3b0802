package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/web"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/state"
)

func (a *app) consentCommand() *cobra.Command {
	var tenant, note, expires string
	cmd := &cobra.Command{
		Use:   "consent",
		Short: "Print the link on which a customer's administrator gives consent",
		Long: `Prints a link to send to the administrator of another tenant, a Global Administrator or Privileged
Role Administrator. It leads to Microsoft's consent page, works once, and expires. When the consent
is proven the tenant joins: its syncs (from: consented) start while the service runs. A tenant that
is in the configuration already can renew its consent with such a link.`,
		Example: `  entrasync consent --note "Contoso Ltd"
  entrasync consent --tenant 11111111-1111-1111-1111-111111111111 --expires 2d`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.consent(tenant, note, expires) },
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "only this tenant may use it: its id, or its name in the configuration")
	cmd.Flags().StringVar(&note, "note", "", "for whom it is, for your own lists and logs")
	cmd.Flags().StringVar(&expires, "expires", "7d", "how long the link is good, such as 12h, 7d or 2w")
	return cmd
}

// longestInvitation bounds how long a link that was sent by mail is good.
const longestInvitation = 90 * 24 * time.Hour

func (a *app) consent(tenant, note, expires string) error {
	lasts, err := configs.ParseDuration(expires)
	switch {
	case err != nil:
		return fmt.Errorf("--expires: %w", err)
	case lasts < time.Minute || lasts > longestInvitation:
		return fmt.Errorf("--expires is %s, want from 1m to 90d", expires)
	case len(note) > 200:
		return fmt.Errorf("--note has %d characters, want at most 200", len(note))
	}
	w, err := a.open()
	if err != nil {
		return err
	}
	defer w.Close()
	if w.cfg.Consent == nil || w.cfg.App == nil {
		return withHint(fmt.Errorf("the configuration has no pages on which to consent"), "add the section consent with public_url, and the section app")
	}
	now := time.Now().UTC().Truncate(time.Second)
	invitation := state.Invitation{Note: note, Created: now, Expires: now.Add(lasts)}
	if tenant != "" {
		if section, ok := w.cfg.Tenants.Get(tenant); ok {
			tenant = section.ID
		}
		if invitation.Tenant, err = graphsync.ParseID(tenant); err != nil {
			return withHint(fmt.Errorf("--tenant: %w", err), "give the tenant ID (directory ID), or a tenant's name in the configuration")
		}
	}
	if !w.takesConsented() && !w.configures(invitation.Tenant) {
		fmt.Fprintln(a.err, "note: no sync has from: consented, so a tenant that joins is registered and not synced")
	}
	url, err := web.Invite(w.store, w.cfg.Consent.PublicURL, invitation)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			Format  string    `json:"format"`
			URL     string    `json:"url"`
			Expires time.Time `json:"expires"`
		}{"entrasync/consent/1", url, invitation.Expires})
	}
	fmt.Fprintln(a.out, url)
	fmt.Fprintf(a.err, "Good once, until %s. It works while entrasync run is running, and the app registration must have the redirect URI\n  %s\n",
		invitation.Expires.Local().Format(time.DateTime), web.ConsentRedirect(w.cfg.Consent.PublicURL))
	return nil
}

// takesConsented reports whether any sync is for tenants that join.
func (w *worker) takesConsented() bool {
	for _, entry := range w.cfg.Syncs {
		if entry.Value.From.Consented {
			return true
		}
	}
	return false
}

// configures reports whether a tenant is in the configuration.
func (w *worker) configures(id graphsync.ID) bool {
	for _, tenant := range w.cfg.Tenants.All() {
		if tenant.ID == id.String() {
			return true
		}
	}
	return false
}
