package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/arguments"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/demo"
	"entrasync/cmd/internal/sample"
	"entrasync/cmd/internal/worker"
)

func demoCommand(a *app) *cobra.Command {
	users := 12
	serve := false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See all of it at work; needs nothing",
		Long: `Starts the Graph emulator with a sample tenant and keeps the accounts of an embedded target in step
with it, in one process: a plan, its application, a joiner, a mover and a leaver, the next cycle,
and why one person has the account that came out. Nothing outside a temporary folder is touched.`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), users, serve) },
	}
	cmd.Flags().IntVar(&users, "users", users, "people in the sample tenant")
	cmd.Flags().BoolVar(&serve, "serve", false, "keep running afterwards, a cycle every minute, until interrupted")
	return cmd
}

func (a *app) demo(ctx context.Context, users int, serve bool) error {
	if users < 3 {
		return fmt.Errorf("--users is %d, want at least 3: one joins, one moves, one leaves", users)
	}
	dir, err := os.MkdirTemp("", "entrasync-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer os.RemoveAll(dir)
	server, tenants := sample.Server(users, 1, 1)
	running, err := server.Start("")
	if err != nil {
		return err
	}
	defer running.Close()
	file := filepath.Join(dir, "people.jsonl")
	cfg, syncs, err := compile.Parse("demo.yaml", sample.Configuration(running.URL, filepath.Join(dir, "state"), file), os.LookupEnv)
	if err != nil {
		return err
	}
	a.graph = running.Client().Transport
	w, err := worker.Open(cfg, syncs, a.options(slog.LevelWarn))
	if err != nil {
		return err
	}
	defer w.Close()
	d := demo.Demo{Cycles: a.cycles(w), Sync: syncs[0], Tenant: tenants[0]}
	if err := d.Show(ctx); err != nil {
		return err
	}
	if !serve {
		return nil
	}
	return a.serve(ctx, w, runFlags{}, func(url string) {
		fmt.Fprintf(a.out, "\nServing %s: a cycle every minute against %s; accounts are in %s. Ctrl-C ends it.\n", url, running.URL, file)
	})
}
