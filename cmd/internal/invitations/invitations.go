// Package invitations makes, lists and takes back the links on which tenants consent, for a command.
//
// The pages behind a link are those of package consentweb. This package promises that a link is good for a bounded time,
// and that what was made is logged without the secret in it.
package invitations

import (
	"errors"
	"fmt"
	"time"

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

// A Command works with the invitations of one worker.
type Command struct {
	Worker *worker.Worker
	Print  console.Printer
	Actor  state.Actor // who runs the command
}

// A Request is for one link.
type Request struct {
	Tenant string // name or id of the only tenant that may use it; empty: any
	Note   string // for whom it is
	Lasts  time.Duration
}

// longest bounds how long a link that was sent by mail is good.
const longest = 90 * 24 * time.Hour

// ParseRequest checks what a command line asks for.
func ParseRequest(tenant, note, expires string) (Request, error) {
	lasts, err := configs.ParseDuration(expires)
	switch {
	case err != nil:
		return Request{}, fmt.Errorf("--expires: %w", err)
	case lasts < time.Minute || lasts > longest:
		return Request{}, fmt.Errorf("--expires is %s, want from 1m to 90d", expires)
	case len(note) > 200:
		return Request{}, fmt.Errorf("--note has %d characters, want at most 200", len(note))
	}
	return Request{Tenant: tenant, Note: note, Lasts: lasts}, nil
}

// Make makes a link and prints it.
func (c Command) Make(r Request) error {
	w := c.Worker
	now := time.Now().UTC()
	invitation := state.Invitation{By: c.Actor, Note: r.Note, Created: now, Expires: now.Add(r.Lasts).Truncate(time.Second)}
	if r.Tenant != "" {
		if known, err := w.Tenants.Named(r.Tenant); err == nil {
			invitation.Tenant = known.ID
		} else if invitation.Tenant, err = graphsync.ParseID(r.Tenant); err != nil {
			return advice.With(fmt.Errorf("--tenant: %w", err), "give the tenant ID (directory ID), or the name of a tenant that is known: entrasync tenants list")
		}
	}
	settings, err := service.ConsentSettings(w.Config, invitation.Tenant)
	if err != nil {
		return err
	}
	if !w.Tenants.TakesConsented() && !w.Tenants.Configures(invitation.Tenant) {
		fmt.Fprintln(c.Print.Err, "note: no sync has from: consented, so a tenant that joins is registered and not synced")
	}
	url, key, err := consentweb.Invite(w.Store, settings, invitation)
	if errors.Is(err, consentweb.ErrOpenLink) {
		return advice.With(err, "give --tenant and the customer's tenant ID, or take consent.sign_in: false out of the configuration")
	}
	if err != nil {
		return err
	}
	w.Log.Info("invitation made", "invitation", key.Name(), "note", r.Note, "for", r.Tenant, "expires", invitation.Expires)
	if c.Print.JSON {
		return c.Print.Document(struct {
			Format     string    `json:"format"`
			URL        string    `json:"url"`
			Expires    time.Time `json:"expires"`
			Invitation string    `json:"invitation"`
		}{"entrasync/consent/1", url, invitation.Expires, key.Name()})
	}
	fmt.Fprintln(c.Print.Out.W, url)
	fmt.Fprintf(c.Print.Err, "Good once, until %s; take it back with: entrasync consent withdraw %s. It works while entrasync run is running, and the app registration must have the redirect URI\n  %s\n",
		console.LocalTime(invitation.Expires), key.Name(), consentweb.RedirectURI(w.Config.Consent.PublicURL))
	return nil
}

// List prints the links that were made.
func (c Command) List() error {
	links, err := inspect.Invitations(c.Worker.Store, time.Now())
	if err != nil {
		return err
	}
	if c.Print.JSON {
		return c.Print.Document(struct {
			Format      string               `json:"format"`
			Invitations []inspect.Invitation `json:"invitations"`
		}{"entrasync/invitations/1", links})
	}
	return report.Invitations(c.Print.Out, links)
}

// Withdraw takes a link back.
func (c Command) Withdraw(name string) error {
	withdrawn, err := c.Worker.Store.Invitations().Withdraw(name, time.Now(), c.Actor)
	switch {
	case errors.Is(err, state.ErrInvitationUsed):
		return advice.With(fmt.Errorf("invitation %s has been used", name), "remove the tenant that joined with it: entrasync tenants remove")
	case errors.Is(err, state.ErrNoInvitation):
		return advice.With(fmt.Errorf("there is no invitation %q", name), "list them with: entrasync consent list")
	case err != nil:
		return err
	}
	c.Worker.Log.Info("invitation withdrawn", "invitation", name, "note", withdrawn.Note)
	if c.Print.JSON {
		return c.Print.Document(struct {
			Format     string `json:"format"`
			Invitation string `json:"invitation"`
		}{"entrasync/withdrawn/1", name})
	}
	fmt.Fprintf(c.Print.Out.W, "Invitation %s is withdrawn: its link leads nowhere from now on.\n", name)
	return nil
}
