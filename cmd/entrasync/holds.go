package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"entrasync/reconcile"
	"entrasync/state"
)

// shownHold is one entry of `holds --json`.
type shownHold struct {
	Hold   string    `json:"hold"`
	Sync   string    `json:"sync"`
	Tenant string    `json:"tenant"`
	Guard  string    `json:"guard"`
	Cause  string    `json:"cause"`
	Count  int       `json:"count"`
	Since  time.Time `json:"since"`
	Sample []string  `json:"sample"`
}

func (a *app) holdsCommand() *cobra.Command {
	return &cobra.Command{Use: "holds [SYNC...]", Short: "List what a guard held, by cause", RunE: func(cmd *cobra.Command, names []string) error {
		w, err := a.open()
		if err != nil {
			return err
		}
		defer w.Close()
		syncs, err := w.selected(selection{syncs: names})
		if err != nil {
			return err
		}
		holds := []shownHold{}
		err = w.eachHold(syncs, func(s *plannedSync, h state.Hold) error {
			holds = append(holds, shownHold{h.ID, s.Name, s.Tenant.String(), h.Guard, h.Cause, h.Count, h.Since, h.Sample})
			return nil
		})
		if err != nil {
			return err
		}
		if a.json {
			return a.printJSON(map[string]any{"format": "entrasync/holds/1", "holds": holds})
		}
		if len(holds) == 0 {
			fmt.Fprintln(a.out, "Nothing is held.")
			return nil
		}
		return a.table("hold\tsync\tguard\tcause\tcount\tsince\tsuch as", func(row func(...any)) {
			for _, h := range holds {
				sample := ""
				for i, name := range h.Sample {
					if i == 3 {
						sample += ", …"
						break
					}
					if i > 0 {
						sample += ", "
					}
					sample += name
				}
				row(h.Hold, h.Sync, h.Guard, h.Cause, h.Count, h.Since.Local().Format(time.DateTime), sample)
			}
		})
	}}
}

func (w *worker) eachHold(syncs []*plannedSync, visit func(s *plannedSync, h state.Hold) error) error {
	for _, s := range syncs {
		tenant, err := w.store.Tenant(s.Tenant)
		if err != nil {
			return err
		}
		var holds []state.Hold
		err = tenant.View(func(tx *state.Tx) error {
			for hold := range tx.Holds(s.Name) {
				holds = append(holds, hold)
			}
			return nil
		})
		tenant.Close()
		if err != nil {
			return fmt.Errorf("read the holds of sync %s: %w", s.Name, err)
		}
		for _, hold := range holds {
			if err := visit(s, hold); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *app) approveCommand() *cobra.Command {
	var sync, cause string
	cmd := &cobra.Command{
		Use:   "approve HOLD",
		Short: "Let exactly what a hold shows go on, with the next sync",
		Long: `Approves the actions of a hold as they were shown. If the directory has moved on since, what
differs is held again. HOLD may be left out with --cause.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.answer(args, sync, cause, "approved", reconcile.Approve)
		},
	}
	cmd.Flags().StringVar(&cause, "cause", "", "approve every hold of this cause")
	cmd.Flags().StringVar(&sync, "sync", "", "only of this sync")
	return cmd
}

func (a *app) rejectCommand() *cobra.Command {
	var sync, cause string
	cmd := &cobra.Command{
		Use:   "reject HOLD",
		Short: "Drop what a hold shows: it is not done until its source changes",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.answer(args, sync, cause, "rejected", reconcile.Reject)
		},
	}
	cmd.Flags().StringVar(&cause, "cause", "", "reject every hold of this cause")
	cmd.Flags().StringVar(&sync, "sync", "", "only of this sync")
	return cmd
}

// answer approves or rejects holds.
func (a *app) answer(args []string, sync, cause, word string, do func(*state.Tx, string, string) (int, error)) error {
	if len(args) == 0 && cause == "" {
		return withHint(fmt.Errorf("no hold is named"), "list them with: entrasync holds")
	}
	w, err := a.open()
	if err != nil {
		return err
	}
	defer w.Close()
	var names []string
	if sync != "" {
		names = []string{sync}
	}
	syncs, err := w.selected(selection{syncs: names})
	if err != nil {
		return err
	}
	type match struct {
		sync *plannedSync
		hold state.Hold
	}
	var matches []match
	err = w.eachHold(syncs, func(s *plannedSync, h state.Hold) error {
		if (len(args) == 0 || h.ID == args[0]) && (cause == "" || h.Cause == cause) {
			matches = append(matches, match{s, h})
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch {
	case len(matches) == 0:
		return withHint(fmt.Errorf("no such hold"), "list them with: entrasync holds")
	case len(matches) > 1 && cause == "":
		return withHint(fmt.Errorf("hold %s exists in %d syncs", args[0], len(matches)), "name the sync with --sync")
	}
	answered := []map[string]any{}
	for _, m := range matches {
		tenant, err := w.store.Tenant(m.sync.Tenant)
		if err != nil {
			return err
		}
		n := 0
		err = tenant.Update(func(tx *state.Tx) (err error) {
			n, err = do(tx, m.sync.Name, m.hold.ID)
			return err
		})
		tenant.Close()
		if err != nil {
			return fmt.Errorf("sync %s, hold %s: %w", m.sync.Name, m.hold.ID, err)
		}
		answered = append(answered, map[string]any{"hold": m.hold.ID, "sync": m.sync.Name, "actions": n})
		if !a.json {
			fmt.Fprintf(a.out, "%s %s of sync %s: %d actions. The next cycle acts on it: entrasync sync %s\n", m.hold.ID, word, m.sync.Name, n, m.sync.Name)
		}
	}
	if a.json {
		return a.printJSON(map[string]any{"format": "entrasync/answer/1", "answer": word, "holds": answered})
	}
	return nil
}
