package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/check"
	"entrasync/cmd/internal/worker"
)

func runCommand(a *app) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run as a service: every sync on its schedule",
		Long: `Runs a first cycle of every sync at once and then on the schedule. A cycle that is still running
when its time comes again is skipped, not queued. SIGTERM stops within one request, and the next
start resumes there; SIGHUP reads the configuration again.

With the state in a PostgreSQL database any number of these processes share the tenants: a cycle runs on
one of them, and another takes over what one does not end. Cycles run with one configuration, that of
the first process until another is activated. With --pages-only a process serves the pages, the consent
pages and the admin API, and runs no cycles.`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context(), f) },
	}
	cmd.Flags().BoolVar(&f.activate, "activate", false, "make this configuration the one that the workers of a shared state run cycles with")
	cmd.Flags().BoolVar(&f.migrate, "migrate", false, "bring a state in a database to the version of this program")
	cmd.Flags().BoolVar(&f.pagesOnly, "pages-only", false, "serve the pages and the admin API and run no cycles: the workers that share the state run them")
	cmd.MarkFlagsMutuallyExclusive("activate", "pages-only")
	return cmd
}

// runFlags are the options of run.
type runFlags struct{ activate, migrate, pagesOnly bool }

func (a *app) run(ctx context.Context, f runFlags) error {
	cfg, syncs, err := a.loadConfig()
	if err != nil {
		return err
	}
	if f.pagesOnly && !cfg.State.InDatabase() {
		return advice.With(errors.New("--pages-only needs a state that workers share: the configuration keeps it in the folder "+worker.StateName(cfg)),
			"give state a PostgreSQL database, or run without --pages-only: one process serves the pages and runs the cycles")
	}
	options := a.options(slog.LevelInfo)
	options.Migrate = f.migrate
	w, err := worker.Open(cfg, syncs, options)
	if err != nil {
		return err
	}
	defer w.Close()
	for _, warning := range check.SecretWarnings(cfg) {
		w.Log.Warn(warning)
	}
	return a.serve(ctx, w, f, func(string) {})
}
