// Package cycles plans and runs cycles for a command, one sync after the other, and prints what they would do or did.
//
// What a cycle does is decided and done by package reconcile. This package chooses the options of each cycle, applies a
// kept plan to the syncs that it was made for, and derives the exit code. It promises that a fault of one sync does not
// keep the others from running, and that the exit code is that of the sync that needs most attention.
package cycles

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/exit"
	"entrasync/cmd/internal/report"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile"
	"entrasync/state"
)

// A Runner plans and runs the cycles of syncs.
type Runner struct {
	Worker *worker.Worker
	Print  console.Printer
	Actor  state.Actor // who runs the command
	Files  Files       // what the command's line names is read and written here
}

// Files are those of the user who gave the command, who may be at another process.
type Files struct {
	Read  func(name string) ([]byte, error)
	Write func(name string, data []byte) error
}

// A PlanRequest is what a command line asks a plan for.
type PlanRequest struct {
	Full, NoRefresh, Removals bool
	ExitCode                  bool   // pending changes are an outcome of their own
	Out                       string // file that keeps the plan; may be empty
}

// Plan prints what a cycle of each sync would do.
func (r Runner) Plan(ctx context.Context, syncs []*compile.Sync, p PlanRequest) error {
	r.NoteNoTenant()
	var kept bytes.Buffer
	var keep io.Writer
	if p.Out != "" {
		keep = &kept
	}
	code := exit.Done
	for _, s := range syncs {
		outcome, err := r.PlanOne(ctx, s, p, keep)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			outcome = exit.CodeOf(err, r.Print.Err)
		}
		code = exit.Worst(code, outcome)
	}
	if p.Out != "" && code != exit.Failed {
		if err := r.Files.Write(p.Out, kept.Bytes()); err != nil {
			return fmt.Errorf("keep plan: %w", err)
		}
	}
	return exit.With(code)
}

// PlanOne prints what a cycle of one sync would do and returns the exit code. keep takes the plan as a document; it may be nil.
func (r Runner) PlanOne(ctx context.Context, s *compile.Sync, p PlanRequest, keep io.Writer) (code int, err error) {
	progress, done := r.Print.Progress(s.Name)
	r.NoteWaiting(s)
	syncer, release, err := r.Worker.Syncer(ctx, s, progress)
	if err != nil {
		return exit.Failed, err
	}
	defer release()
	result, err := syncer.Run(ctx, reconcile.Options{Full: p.Full, NoRefresh: p.NoRefresh, Removals: p.Removals})
	done()
	if err != nil {
		return exit.Failed, worker.RunError(s, result, err)
	}
	plan := syncer.Plan(result)
	if keep != nil {
		if err := plan.WriteJSON(keep); err != nil {
			return exit.Failed, err
		}
	}
	if r.Print.JSON {
		err = plan.WriteJSON(r.Print.Out.W)
	} else {
		err = report.Plan(r.Print.Out, s, result, plan)
	}
	switch {
	case p.ExitCode && result.Summary.Changes() > 0:
		code = exit.Pending
	case result.Summary.Held > 0:
		code = exit.Held
	}
	return code, err
}

// NoteWaiting says why nothing seems to happen for a while.
func (r Runner) NoteWaiting(s *compile.Sync) {
	if r.Worker.Busy(s.Tenant) {
		fmt.Fprintf(r.Print.Err, "%s: waiting for the running cycle of tenant %s\n", s.Name, s.TenantName)
	}
}

// NoteNoTenant says why there is nothing to show or do where all tenants are yet to join.
func (r Runner) NoteNoTenant() {
	if len(r.Worker.Syncs) == 0 && r.Worker.Tenants.TakesConsented() {
		fmt.Fprintln(r.Print.Err, "note: no tenant has joined yet; invite one: entrasync consent")
	}
}
