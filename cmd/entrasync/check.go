package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/check"
	"entrasync/cmd/internal/exit"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/state"
)

type checkFlags struct {
	lookup.Selection
	offline bool
	timeout time.Duration
}

func checkCommand(a *app) *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Test the configuration, then every connection",
		Long: `Loads the configuration and names every fault with its place. Then it tests what the service would
do: it opens the state, tries the addresses to listen on, and tests each tenant (token, each Graph
permission the configuration needs, the enterprise application and its app roles), those that joined
by consent too, and each target. Nothing is changed in a tenant or a target. Each connection has a
time limit. A warning does not change the exit code.`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return checks{a}.run(cmd.Context(), f) },
	}
	cmd.Flags().BoolVar(&f.offline, "offline", false, "stop after the configuration")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 0, "time limit of each connection (default 30s for a target, 2m for a tenant)")
	tenantFlag(cmd, &f.Selection)
	return cmd
}

// checks run the command check.
type checks struct{ app *app }

func (k checks) run(ctx context.Context, f checkFlags) error {
	w, opened, err := k.open(f.offline)
	var faults configs.Faults
	if errors.As(err, &faults) && k.app.json {
		return k.finish(check.DocumentOf(&check.Section{}, faults))
	}
	if err != nil {
		return err
	}
	if w.Store != nil {
		defer w.Close()
	}
	c := check.New(w, f.timeout, func(s *check.Section) {
		if !k.app.json {
			check.Print(k.app.console(), s)
		}
	})
	if opened != nil {
		c.Add(opened)
	}
	syncs, err := f.Of(w)
	if err != nil {
		return err
	}
	c.Configuration(syncs, w.Store != nil && k.app.attach == nil)
	if !f.offline {
		c.Connections(ctx, syncs, len(f.Tenants) > 0)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	document := check.DocumentOf(&c.Tested, nil)
	if !k.app.json {
		fmt.Fprintln(k.app.err, check.Next(document.OK, f.offline))
	}
	return k.finish(document)
}

// open reads the configuration and opens the state, as the service would, and returns what came of that;
// nothing when the state is not tested. While a service owns the state, that runs the command instead and the error
// is how it ended.
func (k checks) open(offline bool) (*worker.Worker, *check.Section, error) {
	if k.app.attach != nil {
		w, err := k.app.open()
		return w, nil, err
	}
	cfg, syncs, err := k.app.loadConfig()
	if err != nil {
		return nil, nil, err
	}
	options := k.app.options(slog.LevelError)
	if offline {
		return worker.New(cfg, syncs, nil, options), nil, nil
	}
	var opened check.Section
	w, err := worker.Open(cfg, syncs, options)
	var held *state.InUseError
	switch {
	case errors.As(err, &held):
		return nil, nil, k.app.client.Exec(k.app.invocation(), held)
	case err != nil:
		if !cfg.State.InDatabase() {
			err = advice.With(err, "see that the user who runs entrasync may write there")
		}
		opened.Fail("state "+worker.StateName(cfg), err)
		return worker.New(cfg, syncs, nil, options), &opened, nil
	}
	opened.Pass("state", "%s", worker.StateName(cfg))
	opened.State(w)
	return w, &opened, nil
}

// finish prints the document and returns how the command ends.
func (k checks) finish(document check.Document) error {
	if k.app.json {
		if err := k.app.printer().Document(document); err != nil {
			return err
		}
	}
	if !document.OK {
		return exit.With(exit.Failed)
	}
	return nil
}
