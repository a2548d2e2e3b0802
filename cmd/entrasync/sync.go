package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/report"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
)

type syncFlags struct {
	lookup.Selection
	full      bool
	noRefresh bool
	removals  bool
	exitCode  bool
	out       string
	plan      string
	user      string
	group     string
}

func planCommand(a *app) *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:   "plan [SYNC...]",
		Short: "Dry run: print what would change and why, write nothing to any target",
		Long: `Reads the directory, compares it with what was last applied, and prints what a sync would do.
Nothing is written to any target. With --no-refresh no call to Graph is made either: the plan is
made from the snapshot, which shows at once what a changed mapping or filter would do.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			f.Syncs = names
			return a.withSyncs(f.Selection, func(w *worker.Worker, syncs []*compile.Sync) error { return cycles{a, w}.plan(cmd.Context(), syncs, f) })
		},
	}
	tenantFlag(cmd, &f.Selection)
	cmd.Flags().StringVar(&f.out, "out", "", "keep the plan in this file, for sync --plan")
	cmd.Flags().BoolVar(&f.exitCode, "exit-code", false, "exit with 2 when changes are pending")
	cmd.Flags().BoolVar(&f.noRefresh, "no-refresh", false, "plan from the snapshot alone, without a Graph call")
	cmd.Flags().BoolVar(&f.full, "full", false, "read everything again and evaluate everybody")
	removalsFlag(cmd, &f)
	return cmd
}

func syncCommand(a *app) *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:   "sync [SYNC...]",
		Short: "Run one cycle and apply it",
		RunE: func(cmd *cobra.Command, names []string) error {
			f.Syncs = names
			return a.withSyncs(f.Selection, func(w *worker.Worker, syncs []*compile.Sync) error { return cycles{a, w}.sync(cmd.Context(), syncs, f) })
		},
	}
	tenantFlag(cmd, &f.Selection)
	cmd.Flags().StringVar(&f.plan, "plan", "", "apply exactly the plan in this file, or nothing if anything moved since")
	cmd.Flags().BoolVar(&f.full, "full", false, "initial cycle: read everything again and evaluate everybody")
	cmd.Flags().StringVar(&f.user, "user", "", "provision on demand: this user only (object id, user principal name or address)")
	cmd.Flags().StringVar(&f.group, "group", "", "provision on demand: this group only (object id or name)")
	removalsFlag(cmd, &f)
	cmd.MarkFlagsMutuallyExclusive("plan", "user", "group", "removals")
	return cmd
}

func removalsFlag(cmd *cobra.Command, f *syncFlags) {
	cmd.Flags().BoolVar(&f.removals, "removals", false, "only what takes access away or gives it back; the rest waits for the next cycle")
	cmd.MarkFlagsMutuallyExclusive("full", "removals")
}

// cycles plan and run the cycles of syncs, and print what they would do or did.
type cycles struct {
	app    *app
	worker *worker.Worker
}

func (c cycles) plan(ctx context.Context, syncs []*compile.Sync, f syncFlags) error {
	c.app.noteNoTenant(c.worker)
	var kept bytes.Buffer
	var keep io.Writer
	if f.out != "" {
		keep = &kept
	}
	code := exitDone
	for _, s := range syncs {
		err := c.planOne(ctx, s, f, keep, &code)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			code = worst(code, exitCode(err, c.app.err))
		}
	}
	if f.out != "" && code != exitFailed {
		if err := c.app.writeFile(f.out, kept.Bytes()); err != nil {
			return fmt.Errorf("keep plan: %w", err)
		}
	}
	return codeError(code)
}

func (c cycles) planOne(ctx context.Context, s *compile.Sync, f syncFlags, keep io.Writer, code *int) error {
	progress, done := c.app.progress(s.Name)
	c.noteWaiting(s)
	syncer, release, err := c.worker.Syncer(ctx, s, progress)
	if err != nil {
		return err
	}
	defer release()
	result, err := syncer.Run(ctx, reconcile.Options{Full: f.full, NoRefresh: f.noRefresh, Removals: f.removals})
	done()
	if err != nil {
		return worker.RunError(s, result, err)
	}
	plan := syncer.Plan(result)
	if keep != nil {
		if err := plan.WriteJSON(keep); err != nil {
			return err
		}
	}
	if c.app.json {
		err = plan.WriteJSON(c.app.out)
	} else {
		err = report.Plan(c.app.console(), s, result, plan)
	}
	switch {
	case f.exitCode && result.Summary.Changes() > 0:
		*code = worst(*code, exitPending)
	case result.Summary.Held > 0:
		*code = worst(*code, exitHeld)
	}
	return err
}

func (c cycles) sync(ctx context.Context, syncs []*compile.Sync, f syncFlags) (err error) {
	c.app.noteNoTenant(c.worker)
	var documents []reconcile.Document
	if f.plan != "" {
		if documents, err = c.readPlan(f.plan); err != nil {
			return err
		}
		if syncs, err = plannedOnly(c.worker, syncs, documents); err != nil {
			return err
		}
	}
	options := reconcile.Options{Apply: true, Full: f.full, Removals: f.removals, Actor: c.app.actor()}
	switch {
	case f.user != "":
		options.Subject = &reconcile.Subject{Kind: graphsync.User, Key: f.user}
	case f.group != "":
		options.Subject = &reconcile.Subject{Kind: graphsync.Group, Key: f.group}
	}
	code := exitDone
	found, lacking := false, []*compile.Sync(nil) // who a provision on demand is for
	for _, s := range syncs {
		if s.Paused != "" {
			fmt.Fprintf(c.app.err, "entrasync: sync %s: tenant %s is paused %s\n", s.Name, s.TenantName, s.Paused)
			continue
		}
		for i := range documents {
			if documents[i].Sync == s.Name && documents[i].Tenant == s.Tenant {
				options.Expect = &documents[i]
			}
		}
		report, err := c.syncOne(ctx, s, options)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, reconcile.ErrUnknownSubject):
			lacking = append(lacking, s)
		case err != nil:
			code = worst(code, exitCode(err, c.app.err))
		default:
			found = true
			code = worst(code, exitOf(report))
		}
	}
	if len(lacking) > 0 && !found {
		err := fmt.Errorf("%s %q is not in %s: %w", options.Subject.Kind, options.Subject.Key, lookup.TenantNames(lacking), reconcile.ErrUnknownSubject)
		code = worst(code, exitCode(err, c.app.err))
	}
	return codeError(code)
}

func (c cycles) readPlan(name string) ([]reconcile.Document, error) {
	text, err := c.app.readFile(name)
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	documents, err := reconcile.ReadDocuments(bytes.NewReader(text))
	if err != nil {
		return nil, advice.With(fmt.Errorf("%s: %w", name, err), "make it with: entrasync plan --out "+name)
	}
	if len(documents) == 0 {
		return nil, fmt.Errorf("%s holds no plan", name)
	}
	return documents, nil
}

// plannedOnly keeps the syncs a plan is for.
func plannedOnly(w *worker.Worker, syncs []*compile.Sync, documents []reconcile.Document) (out []*compile.Sync, err error) {
	for i := range documents {
		d := &documents[i]
		found := false
		for _, s := range syncs {
			if s.Name == d.Sync && s.Tenant == d.Tenant {
				out, found = append(out, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("the plan is for sync %s of tenant %s, which is not in the configuration or not selected", d.Sync, lookup.Called(w, d.Tenant))
		}
	}
	return out, nil
}

// syncOne runs one cycle and prints what it did: nothing when it is on demand for a user whom the
// tenant does not have.
func (c cycles) syncOne(ctx context.Context, s *compile.Sync, options reconcile.Options) (*reconcile.Report, error) {
	progress, done := c.app.progress(s.Name)
	c.noteWaiting(s)
	syncer, release, err := c.worker.Syncer(ctx, s, progress)
	if err != nil {
		c.worker.NoteHealth(ctx, s, nil, err)
		return nil, err
	}
	defer release()
	end, err := c.worker.Begin(syncer, worker.ByCommand)
	if err != nil {
		return nil, err
	}
	run := syncer.Run
	if options.Expect != nil && options.Expect.Undo != nil { // the plan of an undo
		options.Undo, run = options.Expect.Undo, syncer.Undo
	}
	result, err := run(ctx, options)
	end(ctx, err)
	done()
	c.worker.NoteHealth(ctx, s, syncer.Source, err)
	if errors.Is(err, reconcile.ErrUnknownSubject) {
		return result, err
	}
	if c.app.json {
		if perr := c.app.printJSON(result); perr != nil {
			return result, perr
		}
		if err != nil {
			return result, worker.RunError(s, result, err)
		}
		return result, nil
	}
	if err != nil {
		return result, worker.RunError(s, result, err)
	}
	if lookup.Several(c.worker, s) {
		fmt.Fprintf(c.app.out, "%s: tenant %s → target %s\n", s.Name, s.TenantName, s.TargetName)
	}
	if err := report.Sync(c.app.console(), s, result, syncer.Plan(result), options.Subject != nil); err != nil {
		c.worker.Log.Warn("the skipped records cannot be read", "error", err)
	}
	return result, nil
}

// noteWaiting says why nothing seems to happen for a while.
func (c cycles) noteWaiting(s *compile.Sync) {
	if c.worker.Busy(s.Tenant) {
		fmt.Fprintf(c.app.err, "%s: waiting for the running cycle of tenant %s\n", s.Name, s.TenantName)
	}
}

func codeError(code int) error {
	if code == exitDone {
		return nil
	}
	return exitError(code)
}
