// Package undoing is what the undo command does and prints: it puts back what a run, or what was done to one user,
// changed.
//
// What is put back is planned, reviewed and applied by package reconcile. This package finds the syncs that a command line
// means, shows the plan, and says what the next cycle will do. It promises that a run which several syncs have is an
// error and never a guess, and that a dry run changes nothing.
package undoing

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/audit"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/report"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/undo"
	"entrasync/state"
)

// A Request is what a command line asks for.
type Request struct {
	lookup.Selection
	Run, Since string
	Subject    *reconcile.Subject // nil: of all
	DryRun     bool
	Approve    []string // guards that may let pass what they hold
	Pin, Pause bool
	Reason     string // of pins
	By         state.Actor
}

// A Console is where the plan and the reports go.
type Console struct {
	Out     console.Output
	JSON    bool
	Keep    io.Writer // takes the plan as a document; may be nil
	Waiting func(*compile.Sync)
}

// A part is what is undone in one sync.
type part struct {
	sync *compile.Sync
	undo undo.Request
}

// Run undoes what is asked for and returns the report of each sync.
func Run(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, r Request, out Console) ([]*reconcile.Report, error) {
	parts, err := find(ctx, w, syncs, r)
	if err != nil {
		return nil, err
	}
	var reports []*reconcile.Report
	for _, p := range parts {
		if r.Pause && !r.DryRun { // before, so that no cycle comes in between
			if err := pause(w, p.sync, r.By); err != nil {
				return reports, err
			}
		}
		done, err := one(ctx, w, p, r, out)
		if err != nil {
			return reports, err
		}
		reports = append(reports, done)
	}
	if !out.JSON {
		sayNext(out.Out.W, reports, r)
	}
	return reports, nil
}

// find returns what is undone in which sync.
func find(ctx context.Context, w *worker.Worker, syncs []*compile.Sync, r Request) (parts []part, err error) {
	since, err := audit.ParseTime(r.Since, time.Now())
	if err != nil {
		return nil, fmt.Errorf("--since: %w", err)
	}
	if r.Run == "" && r.Since == "" && r.Subject == nil {
		return nil, advice.With(errors.New("nothing is named that could be undone"), "name a run (entrasync runs), a user with --user, or a time with --since")
	}
	for _, s := range syncs {
		asked := undo.Request{Run: r.Run, Since: since, Approve: r.Approve}
		found, ok, err := findIn(ctx, w, s, asked, r.Subject)
		if err != nil {
			return nil, fmt.Errorf("sync %s, tenant %s: %w", s.Name, s.TenantName, err)
		}
		if ok {
			parts = append(parts, part{s, found})
		}
	}
	switch {
	case len(parts) == 0:
		return nil, advice.With(fmt.Errorf("%w, in %s", reconcile.ErrNothingToUndo, lookup.TenantNames(syncs)), "see what was done: entrasync audit, entrasync runs")
	case r.Run != "" && len(parts) > 1:
		var names []string
		for _, p := range parts {
			names = append(names, fmt.Sprintf("sync %s of tenant %s", p.sync.Name, p.sync.TenantName))
		}
		return nil, advice.With(fmt.Errorf("run %s is there in several: %s", r.Run, strings.Join(names, ", ")), "name one with --sync and --tenant")
	}
	return parts, nil
}

func findIn(ctx context.Context, w *worker.Worker, s *compile.Sync, asked undo.Request, subject *reconcile.Subject) (undo.Request, bool, error) {
	if has, err := w.Store.HasTenant(s.Tenant); err != nil || !has {
		return asked, false, err
	}
	tenant, err := w.Store.Tenant(s.Tenant)
	if err != nil {
		return asked, false, err
	}
	defer tenant.Close()
	if subject != nil {
		asked.Kind = subject.Kind
		if asked.Object, err = graphsync.ParseID(subject.Key); err != nil {
			asked.Object, err = reconcile.Find(ctx, tenant, *subject)
		}
		if errors.Is(err, reconcile.ErrUnknownSubject) {
			return asked, false, nil
		}
		if err != nil {
			return asked, false, err
		}
	}
	return reconcile.FindUndo(ctx, s.Sync, tenant, asked)
}

func pause(w *worker.Worker, s *compile.Sync, by state.Actor) error {
	t, err := w.Tenants.Named(s.Tenant.String())
	if err != nil {
		return err
	}
	return w.Tenants.SetPaused(t, true, by)
}

// one undoes in one sync.
func one(ctx context.Context, w *worker.Worker, p part, r Request, out Console) (*reconcile.Report, error) {
	out.Waiting(p.sync)
	syncer, release, err := w.Syncer(ctx, p.sync, nil)
	if err != nil {
		return nil, err
	}
	defer release()
	options := reconcile.Options{Apply: !r.DryRun, Undo: &p.undo, Actor: r.By}
	if r.Pin {
		options.Pin = cmp.Or(strings.TrimSpace(r.Reason), "undo of "+p.undo.Words())
	}
	end, err := w.Begin(syncer, worker.ByCommand)
	if err != nil {
		return nil, err
	}
	done, err := syncer.Undo(ctx, options)
	end(ctx, err)
	if err != nil {
		return nil, worker.RunError(p.sync, done, err)
	}
	plan := syncer.Plan(done)
	if out.Keep != nil {
		if err := plan.WriteJSON(out.Keep); err != nil {
			return nil, err
		}
	}
	switch {
	case out.JSON && r.DryRun:
		return done, plan.WriteJSON(out.Out.W)
	case out.JSON:
		return done, json.NewEncoder(out.Out.W).Encode(done)
	case r.DryRun:
		return done, report.Plan(out.Out, p.sync, done, plan)
	}
	fmt.Fprintf(out.Out.W, "%s: tenant %s → target %s (undo of %s)\n", p.sync.Name, p.sync.TenantName, p.sync.TargetName, p.undo.Words())
	return done, report.Sync(out.Out, p.sync, done, plan, true)
}

// sayNext says what the next cycle does, and how to apply a dry run.
func sayNext(w io.Writer, reports []*reconcile.Report, r Request) {
	changes, held := 0, 0
	for _, done := range reports {
		changes += done.Summary.Changes()
		held += done.Summary.Held
	}
	if held > 0 {
		fmt.Fprintln(w, "To let pass what a guard holds, name the guard: --approve GUARD")
	}
	if r.DryRun {
		fmt.Fprintln(w, "Nothing was changed. To apply it, give --yes.")
	}
	switch {
	case changes == 0:
	case r.Pause:
		fmt.Fprintln(w, "The tenant is paused: no cycle makes these changes again until entrasync tenants resume.")
	case r.Pin:
		fmt.Fprintln(w, "What is put back is pinned: nothing changes it until entrasync links unpin.")
	default:
		fmt.Fprintln(w, "The next cycle makes the same changes again while the directory and the configuration ask for them. Correct these first, or give --pause (no cycle of the tenant) or --pin (nothing changes these accounts).")
	}
}
