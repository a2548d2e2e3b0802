package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/worker"
)

func configCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Say which configuration the workers of a shared state run cycles with",
		Long: `Where several workers share a state in a database, cycles run with one configuration: that of the first
worker until another is activated. A worker whose configuration is another one serves its pages and runs
no cycles.`,
		Args: arguments.Subcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "activate",
		Short: "Make this configuration the active one",
		Long: `Makes the configuration of this command the one that cycles run with. Workers that were started with it,
or have reloaded it, run cycles from then on; the others run none. A cycle that is running ends with the
configuration that it began with.`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.activate(cmd.Context()) },
	})
	return cmd
}

// activate makes the configuration the active one.
func (a *app) activate(ctx context.Context) error {
	cfg, syncs, err := a.loadConfig()
	if err != nil {
		return err
	}
	if !cfg.State.InDatabase() {
		return advice.With(errors.New("the state is in files, whose one service loads its configuration at its start"), "have it reload: kill -HUP, or systemctl reload")
	}
	w, err := worker.Open(cfg, syncs, a.options(slog.LevelWarn))
	if err != nil {
		return err
	}
	defer w.Close()
	hash, err := w.ConfigHash()
	if err != nil {
		return err
	}
	generation, changed, err := w.Store.Workers().Activate(ctx, hash)
	if err != nil {
		return err
	}
	if a.json {
		return a.printer().Document(map[string]any{"format": "entrasync/activated/1", "generation": generation, "changed": changed, "hash": fmt.Sprintf("%x", hash)})
	}
	if !changed {
		fmt.Fprintf(a.out, "This configuration is the active one already, generation %d.\n", generation)
		return nil
	}
	fmt.Fprintf(a.out, "This configuration is now the active one, generation %d.\n", generation)
	return nil
}
