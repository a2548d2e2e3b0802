// Package tenants lists, pauses, resumes and removes tenants for a command, and prints what was done.
//
// What a tenant is and what pausing does is decided by package worker. This package promises that a tenant is paused before
// its accounts are deactivated, so that no cycle comes in between.
package tenants

import (
	"context"
	"fmt"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/inspect"
	"entrasync/cmd/internal/report"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A Command works with the tenants of one worker.
type Command struct {
	Worker *worker.Worker
	Print  console.Printer
	Actor  state.Actor // who runs the command
}

// document is what is printed of tenants with --json.
func document(tenants []worker.Tenant) any {
	return map[string]any{"format": "entrasync/tenants/1", "tenants": tenants}
}

// List prints all tenants.
func (c Command) List() error {
	tenants, err := c.Worker.Tenants.List()
	if err != nil {
		return err
	}
	unread := report.Unread{W: c.Print.Err}
	for i := range tenants {
		if err := c.Worker.Store.Inspect(tenants[i].ID); unread.Add(err) {
			why := inspect.StateErrorOf(err)
			tenants[i].State, tenants[i].Message = why.Code, why.Message
		}
	}
	if c.Print.JSON {
		return unread.Outcome(c.Print.Document(document(tenants)))
	}
	if len(tenants) == 0 {
		fmt.Fprintln(c.Print.Out.W, "There is no tenant. Add one to the configuration, or invite one: entrasync consent")
		return nil
	}
	return unread.Outcome(c.Print.Out.Table("name\tid\torigin\tstate\tmessage", func(row func(...any)) {
		for _, t := range tenants {
			row(t.Name, t.ID, t.Origin, t.State, t.Message)
		}
	}))
}

// Pause runs no cycle of a tenant until [Command.Resume].
func (c Command) Pause(name string) error {
	t, err := c.Worker.Tenants.Named(name)
	if err != nil {
		return err
	}
	return c.setPaused(t, true, "tenant paused by command", "paused; accounts stay as they are")
}

// Resume runs the cycles of a paused tenant again. What the configuration pauses stays paused, which is an error.
func (c Command) Resume(name string) error {
	t, err := c.Worker.Tenants.Named(name)
	if err != nil {
		return err
	}
	if section, ok := c.Worker.Config.Tenants.Get(t.Name); ok && section.Paused {
		return advice.With(fmt.Errorf("tenant %s is paused in the configuration", t.Name), "take paused: true out of it there")
	}
	return c.setPaused(t, false, "tenant resumed by command", "resumed; its next cycle comes with the service, or with entrasync sync")
}

func (c Command) setPaused(t worker.Tenant, paused bool, logged, done string) error {
	if err := c.Worker.Tenants.SetPaused(t, paused, c.Actor); err != nil {
		return err
	}
	c.Worker.Log.Info(logged, "tenant", t.Name, "id", t.ID)
	t, err := c.Worker.Tenants.Named(t.ID.String())
	if err != nil {
		return err
	}
	if c.Print.JSON {
		return c.Print.Document(document([]worker.Tenant{t}))
	}
	fmt.Fprintf(c.Print.Out.W, "Tenant %s is %s.\n", t.Name, done)
	return nil
}

// Remove forgets a tenant, after it has deactivated its accounts if deactivate says so.
func (c Command) Remove(ctx context.Context, name string, deactivate bool) error {
	w := c.Worker
	t, err := w.Tenants.Named(name)
	if err != nil {
		return err
	}
	// First of all no cycle may come in between.
	if err := w.Tenants.SetPaused(t, true, c.Actor); err != nil {
		return err
	}
	deactivated := 0
	if deactivate {
		if deactivated, err = worker.DeactivateAll(ctx, w, t, c.Actor, func(f plan.Failure) {
			fmt.Fprintf(c.Print.Err, "  failed: %s: %s (%s)\n", console.Printable(f.Key), console.Printable(f.Message), f.Code)
		}); err != nil {
			return err
		}
	}
	if err := w.Remove(ctx, t, c.Actor); err != nil {
		return err
	}
	configured := w.Tenants.Configures(t.ID)
	w.Log.Info("tenant removed by command", "tenant", t.Name, "id", t.ID, "deactivated", deactivated, "in_configuration", configured)
	if c.Print.JSON {
		return c.Print.Document(struct {
			Format      string       `json:"format"`
			Name        string       `json:"name"`
			ID          graphsync.ID `json:"id"`
			Deactivated int          `json:"deactivated"`
			Configured  bool         `json:"in_configuration"` // it stays there, paused
		}{"entrasync/removed/1", t.Name, t.ID, deactivated, configured})
	}
	kept := "its accounts stay as they are"
	if deactivate {
		kept = words.Count(deactivated, "account was", "accounts were") + " deactivated"
	}
	fmt.Fprintf(c.Print.Out.W, "Tenant %s is removed; %s.\n", t.Name, kept)
	if configured {
		fmt.Fprintf(c.Print.Out.W, "It is paused for as long as it stands in the configuration: take it out of there.\n")
	}
	return nil
}
