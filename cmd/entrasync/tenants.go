package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/inspect"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile/plan"
)

func tenantsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tenants",
		Short: "List, pause, resume and remove tenants",
		Long:  `Tenants are those of the configuration file and those that joined by consent.`,
		Args:  commandsOnly,
		RunE:  func(*cobra.Command, []string) error { return tenantCommands{a}.list() },
	}
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List the tenants with the state of their consent and credential", Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return tenantCommands{a}.list() },
	}, &cobra.Command{
		Use: "pause TENANT", Short: "Run no cycle of a tenant until it is resumed", Args: oneArgument,
		RunE: func(_ *cobra.Command, args []string) error { return tenantCommands{a}.pause(args[0], true) },
	}, &cobra.Command{
		Use: "resume TENANT", Short: "Run the cycles of a paused tenant again", Args: oneArgument,
		RunE: func(_ *cobra.Command, args []string) error { return tenantCommands{a}.pause(args[0], false) },
	}, removeTenantCommand(a))
	return cmd
}

// tenantCommands list, pause, resume and remove tenants.
type tenantCommands struct{ app *app }

func removeTenantCommand(a *app) *cobra.Command {
	accounts := ""
	cmd := &cobra.Command{
		Use:   "remove TENANT",
		Short: "Forget a tenant; its accounts are kept as they are, or deactivated",
		Long: `Stops the syncs of a tenant and forgets its snapshot and its claims on accounts. With
--accounts deactivate every account it keeps is deactivated first; nothing is ever deleted. A
tenant of the configuration file stays paused until it is taken out of there.`,
		Args: oneArgument,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if accounts == "" {
				if accounts, err = (tenantCommands{a}).ask(args[0]); err != nil {
					return err
				}
			}
			if accounts != "keep" && accounts != "deactivate" {
				return fmt.Errorf("--accounts is %q, want keep or deactivate", accounts)
			}
			return tenantCommands{a}.remove(cmd.Context(), args[0], accounts == "deactivate")
		},
	}
	cmd.Flags().StringVar(&accounts, "accounts", "", "what to do with its accounts: keep or deactivate (asked on a terminal)")
	return cmd
}

// ask asks at the terminal what to do with a tenant's accounts. The choice is passed on when a service
// runs the command.
func (c tenantCommands) ask(name string) (string, error) {
	if c.app.client != nil {
		if file, ok := c.app.client.stdin.Reader.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
			fmt.Fprintf(c.app.err, "Keep or deactivate the accounts of tenant %s? [keep/deactivate] ", name)
			line, _ := bufio.NewReader(file).ReadString('\n')
			choice := strings.ToLower(strings.TrimSpace(line))
			c.app.client.args = append(c.app.client.args, "--accounts="+choice)
			return choice, nil
		}
	}
	return "", advice.With(fmt.Errorf("--accounts is required to remove tenant %s", name), "give --accounts keep or --accounts deactivate")
}

func (c tenantCommands) list() error {
	return c.app.withWorker(func(w *worker.Worker) error {
		tenants, err := w.Tenants.List()
		if err != nil {
			return err
		}
		unread := unread{app: c.app}
		for i := range tenants {
			if err := w.Store.Inspect(tenants[i].ID); unread.add(err) {
				why := inspect.StateErrorOf(err)
				tenants[i].State, tenants[i].Message = why.Code, why.Message
			}
		}
		if c.app.json {
			return unread.outcome(c.app.printJSON(map[string]any{"format": "entrasync/tenants/1", "tenants": tenants}))
		}
		if len(tenants) == 0 {
			fmt.Fprintln(c.app.out, "There is no tenant. Add one to the configuration, or invite one: entrasync consent")
			return nil
		}
		return unread.outcome(c.app.console().Table("name\tid\torigin\tstate\tmessage", func(row func(...any)) {
			for _, t := range tenants {
				row(t.Name, t.ID, t.Origin, t.State, t.Message)
			}
		}))
	})
}

func (c tenantCommands) pause(name string, pause bool) error {
	w, err := c.app.open()
	if err != nil {
		return err
	}
	defer w.Close()
	t, err := w.Tenants.Named(name)
	if err != nil {
		return err
	}
	if section, ok := w.Config.Tenants.Get(t.Name); ok && section.Paused && !pause {
		return advice.With(fmt.Errorf("tenant %s is paused in the configuration", t.Name), "take paused: true out of it there")
	}
	if err := w.Tenants.SetPaused(t, pause, c.app.actor()); err != nil {
		return err
	}
	w.Log.Info(map[bool]string{true: "tenant paused by command", false: "tenant resumed by command"}[pause], "tenant", t.Name, "id", t.ID)
	if t, err = w.Tenants.Named(t.ID.String()); err != nil {
		return err
	}
	if c.app.json {
		return c.app.printJSON(map[string]any{"format": "entrasync/tenants/1", "tenants": []worker.Tenant{t}})
	}
	done := "resumed; its next cycle comes with the service, or with entrasync sync"
	if pause {
		done = "paused; accounts stay as they are"
	}
	fmt.Fprintf(c.app.out, "Tenant %s is %s.\n", t.Name, done)
	return nil
}

func (c tenantCommands) remove(ctx context.Context, name string, deactivate bool) error {
	w, err := c.app.open()
	if err != nil {
		return err
	}
	defer w.Close()
	t, err := w.Tenants.Named(name)
	if err != nil {
		return err
	}
	// First of all no cycle may come in between.
	if err := w.Tenants.SetPaused(t, true, c.app.actor()); err != nil {
		return err
	}
	deactivated := 0
	if deactivate {
		if deactivated, err = worker.DeactivateAll(ctx, w, t, c.app.actor(), func(f plan.Failure) {
			fmt.Fprintf(c.app.err, "  failed: %s: %s (%s)\n", console.Printable(f.Key), console.Printable(f.Message), f.Code)
		}); err != nil {
			return err
		}
	}
	if err := w.Remove(ctx, t, c.app.actor()); err != nil {
		return err
	}
	configured := w.Tenants.Configures(t.ID)
	w.Log.Info("tenant removed by command", "tenant", t.Name, "id", t.ID, "deactivated", deactivated, "in_configuration", configured)
	if c.app.json {
		return c.app.printJSON(struct {
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
	fmt.Fprintf(c.app.out, "Tenant %s is removed; %s.\n", t.Name, kept)
	if configured {
		fmt.Fprintf(c.app.out, "It is paused for as long as it stands in the configuration: take it out of there.\n")
	}
	return nil
}
