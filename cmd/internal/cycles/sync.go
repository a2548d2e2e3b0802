package cycles

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/exit"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/report"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
)

// A SyncRequest is what a command line asks to sync.
type SyncRequest struct {
	Full, Removals bool
	Plan           string             // file of the plan to apply; may be empty
	Subject        *reconcile.Subject // provision on demand; nil: a whole cycle
	Members        []string           // of the group in Subject: these users in place of the group
}

// SyncMembers provisions the chosen members of a group on demand, one after another: a failure of one does not stop the others.
func (r Runner) SyncMembers(ctx context.Context, syncs []*compile.Sync, q SyncRequest) error {
	code := exit.Done
	for _, key := range q.Members {
		one := q
		one.Members, one.Subject = nil, &reconcile.Subject{Kind: graphsync.User, Key: key, MemberOf: q.Subject.Key}
		if err := r.Sync(ctx, syncs, one); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			code = exit.Worst(code, exit.CodeOf(err, r.Print.Err))
		}
	}
	return exit.With(code)
}

// Sync runs one cycle of each sync and prints what it did.
func (r Runner) Sync(ctx context.Context, syncs []*compile.Sync, q SyncRequest) (err error) {
	r.NoteNoTenant()
	var documents []reconcile.Document
	if q.Plan != "" {
		if documents, err = r.readPlan(q.Plan); err != nil {
			return err
		}
		if syncs, err = plannedOnly(r.Worker, syncs, documents); err != nil {
			return err
		}
	}
	options := reconcile.Options{Apply: true, Full: q.Full, Removals: q.Removals, Actor: r.Actor, Subject: q.Subject}
	code := exit.Done
	found, lacking := false, []*compile.Sync(nil) // who a provision on demand is for
	for _, s := range syncs {
		if s.Paused != "" {
			fmt.Fprintf(r.Print.Err, "entrasync: sync %s: tenant %s is paused %s\n", s.Name, s.TenantName, s.Paused)
			continue
		}
		for i := range documents {
			if documents[i].Sync == s.Name && documents[i].Tenant == s.Tenant {
				options.Expect = &documents[i]
			}
		}
		done, err := r.SyncOne(ctx, s, options)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, reconcile.ErrUnknownSubject):
			lacking = append(lacking, s)
		case err != nil:
			code = exit.Worst(code, exit.CodeOf(err, r.Print.Err))
		default:
			found = true
			code = exit.Worst(code, exit.Of(done))
		}
	}
	if len(lacking) > 0 && !found {
		err := fmt.Errorf("%s %q is not in %s: %w", q.Subject.Kind, q.Subject.Key, lookup.TenantNames(lacking), reconcile.ErrUnknownSubject)
		code = exit.Worst(code, exit.CodeOf(err, r.Print.Err))
	}
	return exit.With(code)
}

func (r Runner) readPlan(name string) ([]reconcile.Document, error) {
	text, err := r.Files.Read(name)
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

// SyncOne runs one cycle and prints what it did: nothing when it is on demand for a user whom the
// tenant does not have.
func (r Runner) SyncOne(ctx context.Context, s *compile.Sync, options reconcile.Options) (*reconcile.Report, error) {
	progress, done := r.Print.Progress(s.Name)
	r.NoteWaiting(s)
	syncer, release, err := r.Worker.Syncer(ctx, s, progress)
	if err != nil {
		r.Worker.NoteHealth(ctx, s, nil, err)
		return nil, err
	}
	defer release()
	end, err := r.Worker.Begin(syncer, worker.ByCommand)
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
	r.Worker.NoteHealth(ctx, s, syncer.Source, err)
	if errors.Is(err, reconcile.ErrUnknownSubject) {
		return result, err
	}
	if r.Print.JSON {
		if perr := r.Print.Document(result); perr != nil {
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
	if lookup.Several(r.Worker, s) {
		fmt.Fprintf(r.Print.Out.W, "%s: tenant %s → target %s\n", s.Name, s.TenantName, s.TargetName)
	}
	if err := report.Sync(r.Print.Out, s, result, syncer.Plan(result), options.Subject != nil); err != nil {
		r.Worker.Log.Warn("the skipped records cannot be read", "error", err)
	}
	return result, nil
}
