package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entrasync/reconcile"
	"entrasync/state"
)

// shownHold is one entry of `holds --json`.
type shownHold struct {
	Hold       string    `json:"hold"`
	Sync       string    `json:"sync"`
	Tenant     string    `json:"tenant"`
	TenantName string    `json:"tenant_name"`
	Guard      string    `json:"guard"`
	Cause      string    `json:"cause"`
	Count      int       `json:"count"`
	Since      time.Time `json:"since"`
	Sample     []string  `json:"sample"`
}

func (a *app) holdsCommand() *cobra.Command {
	var sel selection
	cmd := &cobra.Command{Use: "holds [SYNC...]", Short: "List what a guard held, by cause", RunE: func(cmd *cobra.Command, names []string) error {
		sel.syncs = names
		w, err := a.open()
		if err != nil {
			return err
		}
		defer w.Close()
		syncs, err := w.selected(sel)
		if err != nil {
			return err
		}
		holds := []shownHold{}
		err = w.eachHold(syncs, func(s *plannedSync, h state.Hold) {
			holds = append(holds, shownHold{h.ID, s.Name, s.Tenant.String(), s.tenantName, h.Guard, h.Cause, h.Count, h.Since, h.Sample})
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
		return a.table("hold\tsync\ttenant\tguard\tcause\tcount\tsince\tsuch as", func(row func(...any)) {
			for _, h := range holds {
				sample := strings.Join(h.Sample[:min(3, len(h.Sample))], ", ")
				if len(h.Sample) > 3 {
					sample += ", …"
				}
				row(h.Hold, h.Sync, h.TenantName, h.Guard, h.Cause, h.Count, localTime(h.Since), sample)
			}
		})
	}}
	sel.tenantFlag(cmd)
	return cmd
}

func (w *worker) eachHold(syncs []*plannedSync, visit func(s *plannedSync, h state.Hold)) error {
	for _, s := range syncs {
		tenant, err := w.store.Tenant(s.Tenant)
		if err != nil {
			return err
		}
		err = tenant.View(func(tx *state.Tx) error {
			for hold := range tx.Holds(s.Name) {
				visit(s, hold)
			}
			return nil
		})
		tenant.Close()
		if err != nil {
			return fmt.Errorf("read the holds of sync %s, tenant %s: %w", s.Name, s.tenantName, err)
		}
	}
	return nil
}

func (a *app) approveCommand() *cobra.Command {
	return a.answerCommand("approve", "approved", reconcile.Approve, &cobra.Command{
		Use:   "approve HOLD",
		Short: "Let exactly what a hold shows go on, with the next sync",
		Long: `Approves the actions of a hold as they were shown. If the directory has moved on since, what
differs is held again. HOLD may be left out with --cause. Each tenant counts its holds for itself:
where several have the same, --tenant says whose is meant.`,
	})
}

func (a *app) rejectCommand() *cobra.Command {
	return a.answerCommand("reject", "rejected", reconcile.Reject, &cobra.Command{
		Use:   "reject HOLD",
		Short: "Drop what a hold shows: it is not done until its source changes",
		Long: `Drops the actions of a hold: they are not planned again as they are, until their source changes.
HOLD may be left out with --cause. Each tenant counts its holds for itself: where several have the
same, --tenant says whose is meant.`,
	})
}

// An answer is what somebody says to holds.
type answer struct {
	selection
	done       string // the word for it afterwards
	do         func(tx *state.Tx, sync, hold string) (actions int, err error)
	hold       string // "" with a cause
	cause      string
	allTenants bool
}

func (a *app) answerCommand(verb, done string, do func(*state.Tx, string, string) (int, error), cmd *cobra.Command) *cobra.Command {
	answer := answer{done: done, do: do}
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		answer.hold = strings.Join(args, "")
		return a.answer(answer)
	}
	cmd.Flags().StringVar(&answer.cause, "cause", "", verb+" every hold of this cause")
	cmd.Flags().BoolVar(&answer.allTenants, "all-tenants", false, "with --cause: in whichever tenants it is")
	answer.syncFlag(cmd)
	answer.tenantFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("tenant", "all-tenants")
	return cmd
}

// answeredHold is one entry of what approve and reject print with --json.
type answeredHold struct {
	Hold       string `json:"hold"`
	Sync       string `json:"sync"`
	Tenant     string `json:"tenant"`
	TenantName string `json:"tenant_name"`
	Actions    int    `json:"actions"`
}

// A heldSet is a hold and the sync whose it is.
type heldSet struct {
	sync *plannedSync
	hold state.Hold
}

// answer approves or rejects holds.
func (a *app) answer(ans answer) error {
	switch {
	case ans.hold == "" && ans.cause == "":
		return withHint(fmt.Errorf("no hold is named"), "list them with: entrasync holds")
	case ans.allTenants && ans.hold != "":
		return withHint(fmt.Errorf("--all-tenants goes with --cause, not with a hold"), "name the tenant of the hold with --tenant")
	}
	w, err := a.open()
	if err != nil {
		return err
	}
	defer w.Close()
	syncs, err := w.selected(ans.selection)
	if err != nil {
		return err
	}
	var matches []heldSet
	err = w.eachHold(syncs, func(s *plannedSync, h state.Hold) {
		if (ans.hold == "" || h.ID == ans.hold) && (ans.cause == "" || h.Cause == ans.cause) {
			matches = append(matches, heldSet{s, h})
		}
	})
	if err != nil {
		return err
	}
	if err := ans.certain(matches); err != nil {
		return err
	}
	answered := []answeredHold{}
	for _, m := range matches {
		tenant, err := w.store.Tenant(m.sync.Tenant)
		if err != nil {
			return err
		}
		n := 0
		err = tenant.Update(func(tx *state.Tx) (err error) {
			n, err = ans.do(tx, m.sync.Name, m.hold.ID)
			return err
		})
		tenant.Close()
		if err != nil {
			return fmt.Errorf("sync %s, tenant %s, hold %s: %w", m.sync.Name, m.sync.tenantName, m.hold.ID, err)
		}
		w.log.Info("hold "+ans.done, "sync", m.sync.Name, "tenant", m.sync.tenantName, "hold", m.hold.ID, "cause", m.hold.Cause, "actions", n)
		answered = append(answered, answeredHold{m.hold.ID, m.sync.Name, m.sync.Tenant.String(), m.sync.tenantName, n})
		if !a.json {
			fmt.Fprintf(a.out, "%s %s of sync %s, tenant %s: %d actions. ", m.hold.ID, ans.done, m.sync.Name, m.sync.tenantName, n)
			if ans.done == "rejected" {
				fmt.Fprintln(a.out, "They are not done until their source changes; entrasync explain tells of it.")
			} else {
				fmt.Fprintf(a.out, "The next cycle acts on it: entrasync sync %s --tenant %s\n", m.sync.Name, m.sync.tenantName)
			}
		}
	}
	if a.json {
		return a.printJSON(struct {
			Format string         `json:"format"`
			Answer string         `json:"answer"`
			Holds  []answeredHold `json:"holds"`
		}{"entrasync/answer/1", ans.done, answered})
	}
	return nil
}

// certain makes sure that it is clear which holds an answer is for. Ids are counted per tenant and
// sync, and a cause such as a group's name is likely to be there in many tenants: an answer meant
// for one of them must not remove the people of another.
func (ans *answer) certain(matches []heldSet) error {
	var tenants, syncs []string
	for _, m := range matches {
		if !slices.Contains(tenants, m.sync.tenantName) {
			tenants = append(tenants, m.sync.tenantName)
		}
		if !slices.Contains(syncs, m.sync.Name) {
			syncs = append(syncs, m.sync.Name)
		}
	}
	switch {
	case len(matches) == 0:
		return withHint(fmt.Errorf("no such hold"), "list them with: entrasync holds")
	case ans.hold != "" && len(tenants) > 1:
		return withHint(fmt.Errorf("hold %s is there in several tenants: %s", ans.hold, strings.Join(tenants, ", ")), "name one with --tenant")
	case ans.hold != "" && len(syncs) > 1:
		return withHint(fmt.Errorf("hold %s is there in several syncs: %s", ans.hold, strings.Join(syncs, ", ")), "name one with --sync")
	case len(tenants) > 1 && len(ans.tenants) == 0 && !ans.allTenants:
		return withHint(fmt.Errorf("holds of this cause are there in several tenants: %s", strings.Join(tenants, ", ")),
			"name one with --tenant, or say --all-tenants")
	}
	return nil
}
