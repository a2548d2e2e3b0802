package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
)

type syncFlags struct {
	selection
	full      bool
	noRefresh bool
	exitCode  bool
	out       string
	plan      string
	user      string
	group     string
}

func (a *app) planCommand() *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:   "plan [SYNC...]",
		Short: "Dry run: print what would change and why, write nothing to any target",
		Long: `Reads the directory, compares it with what was last applied, and prints what a sync would do.
Nothing is written to any target. With --no-refresh no call to Graph is made either: the plan is
made from the snapshot, which shows at once what a changed mapping or filter would do.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			f.syncs = names
			return a.plan(cmd.Context(), f)
		},
	}
	f.tenantFlag(cmd)
	cmd.Flags().StringVar(&f.out, "out", "", "keep the plan in this file, for sync --plan")
	cmd.Flags().BoolVar(&f.exitCode, "exit-code", false, "exit with 2 when changes are pending")
	cmd.Flags().BoolVar(&f.noRefresh, "no-refresh", false, "plan from the snapshot alone, without a Graph call")
	cmd.Flags().BoolVar(&f.full, "full", false, "read everything again and evaluate everybody")
	return cmd
}

func (a *app) syncCommand() *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:   "sync [SYNC...]",
		Short: "Run one cycle and apply it",
		RunE: func(cmd *cobra.Command, names []string) error {
			f.syncs = names
			return a.sync(cmd.Context(), f)
		},
	}
	f.tenantFlag(cmd)
	cmd.Flags().StringVar(&f.plan, "plan", "", "apply exactly the plan in this file, or nothing if anything moved since")
	cmd.Flags().BoolVar(&f.full, "full", false, "initial cycle: read everything again and evaluate everybody")
	cmd.Flags().StringVar(&f.user, "user", "", "provision on demand: this user only (object id, user principal name or address)")
	cmd.Flags().StringVar(&f.group, "group", "", "provision on demand: this group only (object id or name)")
	cmd.MarkFlagsMutuallyExclusive("plan", "user", "group")
	return cmd
}

func (a *app) plan(ctx context.Context, f syncFlags) error {
	w, err := a.open()
	if err != nil {
		return err
	}
	defer w.Close()
	syncs, err := selected(w, f.selection)
	if err != nil {
		return err
	}
	a.sayNobody(w)
	var kept bytes.Buffer
	var keep io.Writer
	if f.out != "" {
		keep = &kept
	}
	code := exitDone
	for _, s := range syncs {
		err := a.planOne(ctx, w, s, f, keep, &code)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			code = worst(code, exitCode(err, a.err))
		}
	}
	if f.out != "" && code != exitFailed {
		if err := a.writeFile(f.out, kept.Bytes()); err != nil {
			return fmt.Errorf("keep plan: %w", err)
		}
	}
	return codeError(code)
}

func (a *app) planOne(ctx context.Context, w *worker.Worker, s *compile.Sync, f syncFlags, keep io.Writer, code *int) error {
	progress, done := a.progress(s.Name)
	a.sayWaiting(w, s)
	syncer, release, err := w.Syncer(ctx, s, progress)
	if err != nil {
		return err
	}
	defer release()
	report, err := syncer.Run(ctx, reconcile.Options{Full: f.full, NoRefresh: f.noRefresh})
	done()
	if err != nil {
		return explained(s, report, err)
	}
	plan := syncer.Plan(report)
	if keep != nil {
		if err := plan.WriteJSON(keep); err != nil {
			return err
		}
	}
	if a.json {
		err = plan.WriteJSON(a.out)
	} else {
		err = a.printPlan(s, report, plan)
	}
	switch {
	case f.exitCode && report.Summary.Changes() > 0:
		*code = worst(*code, exitPending)
	case report.Summary.Held > 0:
		*code = worst(*code, exitHeld)
	}
	return err
}

// printPlan prints a plan for people.
func (a *app) printPlan(s *compile.Sync, report *reconcile.Report, plan *reconcile.Plan) error {
	fmt.Fprintf(a.out, "%s: tenant %s → target %s (%s)\n", s.Name, s.TenantName, s.TargetName, report.Cycle)
	for action, err := range plan.Actions() {
		if err != nil {
			return err
		}
		a.printAction(a.out, &action)
	}
	for held, err := range plan.Held() {
		if err != nil {
			return err
		}
		as := ""
		if held.Hold != "" {
			as = " as " + held.Hold
		}
		fmt.Fprintf(a.out, "  ! held by guard %s%s: %s %s %s (%s)%s\n", held.Guard, as, held.Action.Op, held.Action.Kind, printable(held.Action.Key), printable(held.Cause), displayed(&held.Action))
		a.printChanges(a.out, &held.Action)
		a.printMembers(held.Members, len(held.Action.Remove), len(held.Action.Add))
		for _, note := range held.Action.Notes {
			fmt.Fprintf(a.out, "      note: %s\n", printable(note))
		}
	}
	for no, err := range plan.Rejected() {
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "  ! rejected as %s: %s %s %s (%s)%s\n", no.Hold, no.Action.Op, no.Action.Kind, printable(no.Action.Key), printable(or(no.Reason, no.Cause)), displayed(&no.Action))
		a.printMembers(no.Members, len(no.Action.Remove), len(no.Action.Add))
	}
	if err := a.printSkipped("· skipped", plan); err != nil {
		return err
	}
	a.printNotes(report)
	fmt.Fprintf(a.out, "%s: %s\n", s.Name, words.Planned(report.Summary))
	if report.Summary.Held > 0 {
		fmt.Fprintf(a.out, "To see what is held: entrasync holds HOLD. To approve it: entrasync approve HOLD.\n")
	}
	a.sayRejected(report)
	return nil
}

// sayRejected says that something is due that a person rejected: whom it should have removed still
// has an account.
func (a *app) sayRejected(report *reconcile.Report) {
	if n := report.Summary.Rejected; n > 0 {
		fmt.Fprintf(a.out, "%s, and not done: entrasync holds --rejected\n", words.Count(n, "action is due but was rejected", "actions are due but were rejected"))
	}
}

func (a *app) printNotes(report *reconcile.Report) {
	for _, note := range report.Notes {
		fmt.Fprintf(a.out, "  note: %s\n", printable(note))
	}
	for _, about := range report.Attention {
		fmt.Fprintf(a.out, "  attention: %s (%s)\n", printable(about.Message), about.Code)
	}
}

func (a *app) sync(ctx context.Context, f syncFlags) error {
	w, err := a.open()
	if err != nil {
		return err
	}
	defer w.Close()
	syncs, err := selected(w, f.selection)
	if err != nil {
		return err
	}
	a.sayNobody(w)
	var documents []reconcile.Document
	if f.plan != "" {
		if documents, err = a.readPlan(f.plan); err != nil {
			return err
		}
		if syncs, err = plannedOnly(w, syncs, documents); err != nil {
			return err
		}
	}
	options := reconcile.Options{Apply: true, Full: f.full}
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
			fmt.Fprintf(a.err, "entrasync: sync %s: tenant %s is paused %s\n", s.Name, s.TenantName, s.Paused)
			continue
		}
		for i := range documents {
			if documents[i].Sync == s.Name && documents[i].Tenant == s.Tenant {
				options.Expect = &documents[i]
			}
		}
		report, err := a.syncOne(ctx, w, s, options)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, reconcile.ErrUnknownSubject):
			lacking = append(lacking, s)
		case err != nil:
			code = worst(code, exitCode(err, a.err))
		default:
			found = true
			code = worst(code, exitOf(report))
		}
	}
	if len(lacking) > 0 && !found {
		err := fmt.Errorf("%s %q is not in %s: %w", options.Subject.Kind, options.Subject.Key, tenantsOf(lacking), reconcile.ErrUnknownSubject)
		code = worst(code, exitCode(err, a.err))
	}
	return codeError(code)
}

func (a *app) readPlan(name string) ([]reconcile.Document, error) {
	text, err := a.readFile(name)
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
			return nil, fmt.Errorf("the plan is for sync %s of tenant %s, which is not in the configuration or not selected", d.Sync, called(w, d.Tenant))
		}
	}
	return out, nil
}

// syncOne runs one cycle and prints what it did: nothing when it is on demand for somebody whom the
// tenant does not have.
func (a *app) syncOne(ctx context.Context, w *worker.Worker, s *compile.Sync, options reconcile.Options) (*reconcile.Report, error) {
	progress, done := a.progress(s.Name)
	a.sayWaiting(w, s)
	syncer, release, err := w.Syncer(ctx, s, progress)
	if err != nil {
		w.NoteHealth(ctx, s, nil, err)
		return nil, err
	}
	defer release()
	report, err := syncer.Run(ctx, options)
	done()
	w.NoteHealth(ctx, s, syncer.Source, err)
	if errors.Is(err, reconcile.ErrUnknownSubject) {
		return report, err
	}
	if a.json {
		if perr := a.printJSON(report); perr != nil {
			return report, perr
		}
		if err != nil {
			return report, explained(s, report, err)
		}
		return report, nil
	}
	if err != nil {
		return report, explained(s, report, err)
	}
	if several(w, s) {
		fmt.Fprintf(a.out, "%s: tenant %s → target %s\n", s.Name, s.TenantName, s.TargetName)
	}
	a.printReport(s, report, syncer.Plan(report), options.Subject != nil)
	return report, nil
}

// printReport prints what a sync did.
func (a *app) printReport(s *compile.Sync, report *reconcile.Report, plan *reconcile.Plan, verbose bool) {
	for _, step := range report.Steps {
		fmt.Fprintf(a.out, "  %s %-8s %s\n", step.Mark(), step.Name, printable(step.Detail))
	}
	if verbose {
		for action, err := range plan.Actions() {
			if err == nil {
				a.printAction(a.out, &action)
			}
		}
	}
	a.printFailures(report)
	if err := a.printSkipped("skipped:", plan); err != nil {
		a.logger(slog.LevelWarn).Warn("the skipped records cannot be read", "error", err)
	}
	var waiting waitingActions
	for i := range report.Held {
		waiting.add(report.Held[i].Hold, report.Held[i].Guard, report.Held[i].Cause, &report.Held[i].Action)
	}
	a.printActionsWaiting("held:", &waiting, report.Summary.Held)
	a.printNotes(report)
	fmt.Fprintf(a.out, "%s: %s; %d Graph and %d target requests in %s\n", s.Name, words.Done(report), report.Graph.Requests, report.Target.Requests,
		(time.Duration(report.DurationMS) * time.Millisecond).Round(time.Millisecond))
	a.sayRejected(report)
}

// sayWaiting tells why nothing seems to happen for a while.
func (a *app) sayWaiting(w *worker.Worker, s *compile.Sync) {
	if w.Busy(s.Tenant) {
		fmt.Fprintf(a.err, "%s: waiting for the running cycle of tenant %s\n", s.Name, s.TenantName)
	}
}

// explained adds to the error of a run the tenant's name, where the run knows the id alone, and
// the advice that its report carries.
func explained(s *compile.Sync, report *reconcile.Report, err error) error {
	if report == nil || report.Failure == nil {
		return err
	}
	if cause := errors.Unwrap(err); cause != nil {
		err = fmt.Errorf("sync %s, tenant %s (%s): %w", s.Name, s.TenantName, s.Tenant, cause)
	}
	if errors.As(err, new(advice.Error)) {
		return err
	}
	return advice.With(err, report.Failure.Hint)
}

func codeError(code int) error {
	if code == exitDone {
		return nil
	}
	return exitError(code)
}
