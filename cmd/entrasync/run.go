package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/check"
	"entrasync/cmd/internal/worker"
)

func runCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run as a service: every sync on its schedule",
		Long: `Runs a first cycle of every sync at once and then on the schedule. A cycle that is still running
when its time comes again is skipped, not queued. SIGTERM stops within one request, and the next
start resumes there; SIGHUP reads the configuration again.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context()) },
	}
}

func (a *app) run(ctx context.Context) error {
	cfg, syncs, err := a.loadConfig()
	if err != nil {
		return err
	}
	w, err := worker.Open(cfg, syncs, a.options(slog.LevelInfo))
	if err != nil {
		return err
	}
	defer w.Close()
	for _, warning := range check.SecretWarnings(cfg) {
		w.Log.Warn(warning)
	}
	return a.serve(ctx, w, func(string) {})
}
