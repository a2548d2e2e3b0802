package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// syncStatus is one entry of `status --json`.
type syncStatus struct {
	Sync   string `json:"sync"`
	Tenant string `json:"tenant"`
	Target string `json:"target"`
	Linked int    `json:"linked"`
	Users  int    `json:"linked_users"`
	Groups int    `json:"linked_groups"`
	// Result is that of the last run, "" before the first. It is partial and not ok while records wait for a
	// retry or the target is paused.
	Result     reconcile.Result  `json:"result"`
	LastRun    *reconcile.Report `json:"last_run"`
	NextRun    *time.Time        `json:"next_run"`
	Holds      int               `json:"holds"`
	Rejected   int               `json:"rejected"` // actions that are due and were rejected
	Retrying   int               `json:"retrying"`
	Skipped    int               `json:"skipped"`
	Quarantine *state.Quarantine `json:"quarantine"`
	Error      *stateError       `json:"error,omitempty"`

	tenantName string
	paused     string
	waiting    waitingRecords
}

func (a *app) statusCommand() *cobra.Command {
	var sel selection
	cmd := &cobra.Command{Use: "status [SYNC...]", Short: "Show the state of every sync", RunE: func(cmd *cobra.Command, names []string) error {
		sel.syncs = names
		w, err := a.open()
		if err != nil {
			return err
		}
		defer w.Close()
		syncs, err := selected(w, sel)
		if err != nil {
			return err
		}
		a.sayNobody(w)
		var unread unreadStates
		var readable []*compile.Sync
		statuses := make([]syncStatus, 0, len(syncs))
		for _, s := range syncs {
			status, err := statusOf(w, s)
			if !unread.add(err) {
				readable = append(readable, s)
			}
			status.Error = stateErrorOf(err)
			statuses = append(statuses, status)
		}
		unconfigured, err := w.Unconfigured(readable)
		if unread.add(err) {
			fmt.Fprintf(a.err, "entrasync: %v\n", err)
		}
		if a.json {
			err = a.printJSON(map[string]any{"format": "entrasync/status/1", "syncs": statuses, "unconfigured": unconfigured})
			return errors.Join(err, unread.outcome())
		}
		if len(w.Syncs) == 0 && w.TakesConsented() {
			fmt.Fprintln(a.out, "No sync has a tenant. Invite a tenant: entrasync consent --note NAME")
		} else if err := a.printStatus(statuses); err != nil {
			return err
		}
		for _, u := range unconfigured {
			fmt.Fprintf(a.out, "\n%s\n  → %s\n", printable(u.String()), worker.UnconfiguredAdvice)
		}
		return unread.outcome()
	}}
	sel.tenantFlag(cmd)
	return cmd
}

func statusOf(w *worker.Worker, s *compile.Sync) (syncStatus, error) {
	out := syncStatus{Sync: s.Name, Tenant: s.Tenant.String(), Target: s.TargetName, tenantName: s.TenantName, paused: s.Paused}
	if next := w.Next(s); !next.IsZero() {
		out.NextRun = new(next.UTC().Truncate(time.Second))
	}
	tenant, err := w.Store.Tenant(s.Tenant)
	if err != nil {
		return out, err
	}
	defer tenant.Close()
	err = tenant.View(func(tx *state.Tx) error {
		out.Linked = linked(tx, s.Name)
		_, out.Users = tx.Links(s.Name).Count(graphsync.User)
		out.Groups = out.Linked - out.Users
		out.Quarantine = tx.SyncInfo(s.Name).Quarantine
		for range tx.Holds(s.Name).All() {
			out.Holds++
		}
		out.Rejected = reconcile.CountRejected(tx, s.Name)
		out.Retrying, out.Skipped = tx.Retries(s.Name).Count()
		for retry := range tx.Retries(s.Name).All() {
			out.waiting.add(&retry)
		}
		runs := tx.Runs(s.Name).Latest(1)
		if len(runs) == 0 {
			return nil
		}
		out.LastRun = new(reconcile.Report)
		if err := json.Unmarshal(runs[0].Report, out.LastRun); err != nil {
			return err
		}
		if out.Result = out.LastRun.Result; out.Result == reconcile.OK && (out.Retrying > 0 || out.Quarantine != nil) {
			out.Result = reconcile.Partial
		}
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("read the state of sync %s, tenant %s: %w", s.Name, s.TenantName, err)
	}
	return out, nil
}

func (a *app) printStatus(statuses []syncStatus) error {
	err := a.table("sync\ttenant\ttarget\tlinked\tlast run\tresult\theld\trejected\tretrying\tskipped\tusers\tgroups", func(row func(...any)) {
		for _, s := range statuses {
			last, result := "never", "-"
			if s.LastRun != nil {
				last, result = localTime(s.LastRun.Started), string(s.Result)
			}
			if s.Error != nil {
				last, result = "-", s.Error.Code
			}
			if s.paused != "" {
				result += ", paused"
			}
			row(s.Sync, s.tenantName, s.Target, s.Linked, last, result, s.Holds, s.Rejected, s.Retrying, s.Skipped, s.Users, s.Groups)
		}
	})
	if err != nil {
		return err
	}
	for _, s := range statuses {
		if s.Error != nil {
			fmt.Fprintf(a.out, "\n%s, tenant %s: %s\n", s.Sync, s.tenantName, printable(s.Error.Message))
		}
		if s.LastRun != nil && s.LastRun.Failure != nil {
			fmt.Fprintf(a.out, "\n%s, tenant %s: the last run could not run: %s\n", s.Sync, s.tenantName, printable(s.LastRun.Failure.Message))
			if s.LastRun.Failure.Hint != "" {
				fmt.Fprintf(a.out, "  → %s\n", printable(s.LastRun.Failure.Hint))
			}
		}
		if s.Quarantine != nil {
			fmt.Fprintf(a.out, "\n%s, tenant %s: paused since %s: %s; tried again at %s\n", s.Sync, s.tenantName, localTime(s.Quarantine.Since), printable(s.Quarantine.Message), localTime(s.Quarantine.NextProbe))
		}
		if s.LastRun != nil {
			for _, about := range s.LastRun.Attention {
				fmt.Fprintf(a.out, "\n%s, tenant %s: %s (%s)\n", s.Sync, s.tenantName, printable(about.Message), about.Code)
			}
		}
		if s.Rejected > 0 {
			fmt.Fprintf(a.out, "\n%s, tenant %s: %s: entrasync holds --rejected\n", s.Sync, s.tenantName, words.Count(s.Rejected, "action is due but was rejected", "actions are due but were rejected"))
		}
		if s.Retrying+s.Skipped > 0 {
			fmt.Fprintf(a.out, "\n%s, tenant %s:\n", s.Sync, s.tenantName)
			a.printWaiting(&s.waiting)
		}
	}
	return nil
}

func (a *app) runsCommand() *cobra.Command {
	var sel selection
	limit := 20
	cmd := &cobra.Command{Use: "runs [SYNC...]", Short: "List past runs", RunE: func(cmd *cobra.Command, names []string) error {
		sel.syncs = names
		w, err := a.open()
		if err != nil {
			return err
		}
		defer w.Close()
		syncs, err := selected(w, sel)
		if err != nil {
			return err
		}
		var reports []reconcile.Report
		var tenants []string // of each
		var unread unreadStates
		for _, s := range syncs {
			err := w.View(s.Tenant, func(tx *state.Tx) error {
				for _, run := range tx.Runs(s.Name).Latest(limit) {
					var report reconcile.Report
					if err := json.Unmarshal(run.Report, &report); err != nil {
						return err
					}
					reports, tenants = append(reports, report), append(tenants, s.TenantName)
				}
				return nil
			})
			if unread.add(err) {
				a.sayUnread(s, err)
			}
		}
		if a.json {
			return errors.Join(a.printJSON(map[string]any{"format": "entrasync/runs/1", "runs": reports}), unread.outcome())
		}
		err = a.table("run\tsync\ttenant\tcycle\tresult\twhat\ttook", func(row func(...any)) {
			for i := range reports {
				r := &reports[i]
				what := words.Done(r)
				if r.Failure != nil {
					what = "could not run: " + printable(r.Failure.Message)
				}
				row(r.Run, r.Sync, tenants[i], r.Cycle, r.Result, what, (time.Duration(r.DurationMS) * time.Millisecond).String())
			}
		})
		return errors.Join(err, unread.outcome())
	}}
	sel.tenantFlag(cmd)
	cmd.Flags().IntVar(&limit, "limit", limit, "maximum number of runs of each sync")
	return cmd
}

func (a *app) showCommand() *cobra.Command {
	var sel selection
	cmd := &cobra.Command{Use: "show RUN", Short: "Show one run's actions, skips and errors; RUN may be latest", Args: oneArgument, RunE: func(cmd *cobra.Command, args []string) error {
		w, err := a.open()
		if err != nil {
			return err
		}
		defer w.Close()
		syncs, err := selected(w, sel)
		if err != nil {
			return err
		}
		var unread unreadStates
		found := false
		for _, s := range syncs {
			shown, err := a.showRun(w, s, args[0])
			if unread.add(err) {
				a.sayUnread(s, err)
			}
			found = found || shown
		}
		if !found && unread.some {
			return unread.outcome()
		}
		if !found {
			if args[0] == latestRun {
				return advice.With(errors.New("no sync has run yet"), "run: entrasync sync")
			}
			return advice.With(fmt.Errorf("there is no run %q", args[0]), "list them with: entrasync runs")
		}
		return unread.outcome()
	}}
	sel.tenantFlag(cmd)
	return cmd
}

// latestRun names the newest run of each sync.
const latestRun = "latest"

func (a *app) showRun(w *worker.Worker, s *compile.Sync, id string) (found bool, err error) {
	tenant, err := w.Store.Tenant(s.Tenant)
	if err != nil {
		return false, err
	}
	defer tenant.Close()
	err = tenant.View(func(tx *state.Tx) error {
		run, ok := tx.Runs(s.Name).Get(id)
		if newest := tx.Runs(s.Name).Latest(1); id == latestRun && len(newest) == 1 {
			run, ok = newest[0], true
			id = run.ID
		}
		if !ok {
			return nil
		}
		found = true
		var report reconcile.Report
		if err := json.Unmarshal(run.Report, &report); err != nil {
			return err
		}
		lines := []json.RawMessage{}
		for line := range tx.Runs(s.Name).Lines(id) {
			lines = append(lines, append(json.RawMessage(nil), line...))
		}
		if a.json {
			return a.printJSON(struct {
				Format  string            `json:"format"`
				Report  reconcile.Report  `json:"report"`
				Actions []json.RawMessage `json:"actions"`
			}{"entrasync/run/1", report, lines})
		}
		fmt.Fprintf(a.out, "%s, tenant %s: run %s, %s, %s\n", s.Name, s.TenantName, report.Run, report.Cycle, report.Result)
		if f := report.Failure; f != nil {
			fmt.Fprintf(a.out, "  it could not run: %s (%s)\n", printable(f.Message), f.Code)
			if f.Hint != "" {
				fmt.Fprintf(a.out, "  → %s\n", printable(f.Hint))
			}
		}
		for _, line := range lines {
			var action struct {
				plan.Action
				Outcome string
				Error   *plan.Failure
			}
			if err := json.Unmarshal(line, &action); err != nil {
				return err
			}
			a.printAction(a.out, &action.Action)
			if action.Error != nil {
				fmt.Fprintf(a.out, "      failed: %s (%s)\n", printable(action.Error.Message), action.Error.Code)
			}
		}
		var skipped reconcile.Causes
		for _, s := range report.Skipped {
			skipped.Add(s.Kind, "", s.Code, s.Why, s.Key)
		}
		a.printSkippedCauses("· skipped", &skipped)
		if more := report.Summary.Skipped - len(report.Skipped); more > 0 {
			fmt.Fprintf(a.out, "  · and %s, which the run did not keep\n", words.Count(more, "more skipped record", "more skipped records"))
		}
		var held, rejected waitingActions
		for i := range report.Held {
			held.add(report.Held[i].Hold, report.Held[i].Guard, report.Held[i].Cause, &report.Held[i].Action)
		}
		for i := range report.Rejected {
			no := &report.Rejected[i]
			rejected.add(no.Hold, no.Guard, or(no.Reason, no.Cause), &no.Action)
		}
		a.printActionsWaiting("! held", &held, report.Summary.Held)
		a.printActionsWaiting("! rejected", &rejected, report.Summary.Rejected)
		a.printNotes(&report)
		return nil
	})
	return found, err
}
