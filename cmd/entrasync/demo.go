package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/sample"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/reconcile"
	"entrasync/state"
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
		Args: noArguments,
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
	d := demonstration{app: a, worker: w, sync: syncs[0], tenant: tenants[0], file: file}
	if err := d.show(ctx); err != nil {
		return err
	}
	if !serve {
		return nil
	}
	return a.serve(ctx, w, false, func(url string) {
		fmt.Fprintf(a.out, "\nServing %s: a cycle every minute against %s; accounts are in %s. Ctrl-C ends it.\n", url, running.URL, file)
	})
}

// A demonstration shows two cycles and what led to them.
type demonstration struct {
	app    *app
	worker *worker.Worker
	sync   *compile.Sync
	tenant *graphtest.Tenant
	file   string
}

func (d *demonstration) show(ctx context.Context) error {
	heading := func(format string, args ...any) {
		fmt.Fprintf(d.app.out, "\n%s\n", d.app.console().Paint(console.Bold, fmt.Sprintf(format, args...)))
	}
	heading("1. The plan: what a first cycle would do (nothing is written)")
	code := exitDone
	if err := (cycles{d.app, d.worker}).planOne(ctx, d.sync, syncFlags{}, nil, &code); err != nil {
		return err
	}
	heading("2. The first cycle, applied")
	if err := d.cycle(ctx); err != nil {
		return err
	}
	heading("3. The directory changes: one joins, one moves, one leaves")
	joiner, err := d.change()
	if err != nil {
		return err
	}
	heading("4. The plan now, and nothing else in it")
	if err := (cycles{d.app, d.worker}).planOne(ctx, d.sync, syncFlags{}, nil, &code); err != nil {
		return err
	}
	heading("5. The second cycle")
	if err := d.cycle(ctx); err != nil {
		return err
	}
	heading("6. The third cycle has nothing to do")
	if err := d.cycle(ctx); err != nil {
		return err
	}
	heading("7. Why has the new person this account?")
	subject := reconcile.Subject{Kind: graphsync.User, Key: joiner.String()}
	if err := lookup.Explain(ctx, d.worker, []*compile.Sync{d.sync}, subject, explanations{d.app}.print); err != nil {
		return err
	}
	fmt.Fprintf(d.app.out, "\nThat was all. Next: entrasync init writes a configuration for your own tenant.\n")
	return nil
}

func (d *demonstration) cycle(ctx context.Context) error {
	_, err := cycles{d.app, d.worker}.syncOne(ctx, d.sync, reconcile.Options{Apply: true, Actor: d.app.actor()})
	return err
}

// change makes the edits of the demo, and returns the user who joins.
func (d *demonstration) change() (joiner graphsync.ID, err error) {
	assigned, err := d.linked()
	if err != nil {
		return joiner, err
	}
	if len(assigned) < 2 {
		return joiner, fmt.Errorf("the sample tenant has %d people assigned, the demo needs two", len(assigned))
	}
	mover, leaver := assigned[0], assigned[1]
	joiner, address := sample.Change(d.tenant, mover.Source, leaver.Source)
	fmt.Fprintf(d.app.out, "  %s is hired and assigned the app role SuperUser\n  %s moves to Strategy\n  %s is deleted\n", address, mover.Key, leaver.Key)
	return joiner, nil
}

// linked returns the linked and active users of the demo, by id.
func (d *demonstration) linked() (links []state.Link, err error) {
	err = d.worker.View(d.sync.Tenant, func(tx *state.Tx) error {
		for link, err := range tx.Links(d.sync.Name).All(graphsync.User, graphsync.ID{}) {
			if err != nil {
				return err
			}
			if link.Active {
				links = append(links, link)
			}
		}
		return nil
	})
	return links, err
}
