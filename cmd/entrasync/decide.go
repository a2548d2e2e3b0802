package main

import (
	"fmt"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

func (a *app) approveCommand() *cobra.Command {
	return a.decisionCommand("approve", "approved", reconcile.Approve, &cobra.Command{
		Use:   "approve HOLD",
		Short: "Approve a hold: its actions run in the next sync",
		Long: `Approves the actions of a hold. The approval is valid while what they remove or take over is what
was shown; when that changes, they are held again and the report says why. A rejected hold is
approved in the same way: that takes the rejection back. HOLD may be left out with --cause. Each
tenant counts its holds for itself: where several have the same, --tenant says whose is meant.`,
	})
}

func (a *app) rejectCommand() *cobra.Command {
	return a.decisionCommand("reject", "rejected", reconcile.Reject, &cobra.Command{
		Use:   "reject HOLD",
		Short: "Reject a hold: its actions do not run until their source changes",
		Long: `Rejects the actions of a hold: they do not run until their source changes, until the time in
guard.rejections is over, or until entrasync approve HOLD takes the rejection back. What is rejected
and still due is counted and listed: entrasync holds --rejected. HOLD may be left out with --cause.
Each tenant counts its holds for itself: where several have the same, --tenant says whose is meant.`,
	})
}

// A verdict is what a person decides about holds.
type verdict struct {
	selection
	done       string // the word for it afterwards
	do         func(tx *state.Tx, sync, hold string, by plan.Decision) (actions int, err error)
	hold       string // "" with a cause
	cause      string
	reason     string
	allTenants bool
}

func (a *app) decisionCommand(verb, done string, do func(*state.Tx, string, string, plan.Decision) (int, error), cmd *cobra.Command) *cobra.Command {
	v := verdict{done: done, do: do}
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		v.hold = strings.Join(args, "")
		return a.decide(v)
	}
	cmd.Flags().StringVar(&v.cause, "cause", "", verb+" every hold of this cause")
	cmd.Flags().StringVar(&v.reason, "reason", "", "why, for those who look at it later")
	cmd.Flags().BoolVar(&v.allTenants, "all-tenants", false, "with --cause: in whichever tenants it is")
	v.syncFlag(cmd)
	v.tenantFlag(cmd)
	cmd.MarkFlagsMutuallyExclusive("tenant", "all-tenants")
	return cmd
}

// decidedHold is one entry of what approve and reject print with --json.
type decidedHold struct {
	Hold       string `json:"hold"`
	Sync       string `json:"sync"`
	Tenant     string `json:"tenant"`
	TenantName string `json:"tenant_name"`
	Actions    int    `json:"actions"`
}

// decide approves or rejects holds.
func (a *app) decide(v verdict) error {
	switch {
	case v.hold == "" && v.cause == "":
		return advice.With(fmt.Errorf("no hold is named"), "list them with: entrasync holds")
	case v.allTenants && v.hold != "":
		return advice.With(fmt.Errorf("--all-tenants goes with --cause, not with a hold"), "name the tenant of the hold with --tenant")
	}
	w, err := a.open()
	if err != nil {
		return err
	}
	defer w.Close()
	syncs, err := selected(w, v.selection)
	if err != nil {
		return err
	}
	matches, err := v.matches(w, syncs)
	if err != nil {
		return err
	}
	if err := v.certain(matches); err != nil {
		return err
	}
	by := plan.Decision{By: a.person(), Reason: strings.TrimSpace(v.reason), At: time.Now().UTC().Truncate(time.Second)}
	decided := []decidedHold{}
	for _, m := range matches {
		n, err := v.apply(w, m.sync, m.Hold, by)
		if err != nil {
			return err
		}
		w.Log.Info("hold "+v.done, "sync", m.Sync, "tenant", m.TenantName, "hold", m.Hold, "cause", m.Cause, "actions", n, "by", by.By, "reason", by.Reason)
		decided = append(decided, decidedHold{m.Hold, m.Sync, m.Tenant, m.TenantName, n})
		if !a.json {
			fmt.Fprintf(a.out, "%s %s of sync %s, tenant %s: %s. ", m.Hold, v.done, m.Sync, m.TenantName, words.Count(n, "action", "actions"))
			if v.done == "rejected" {
				fmt.Fprintln(a.out, "They do not run until their source changes; they stay listed: entrasync holds --rejected")
			} else {
				fmt.Fprintf(a.out, "The next cycle acts on it: entrasync sync %s --tenant %s\n", m.Sync, m.TenantName)
			}
		}
	}
	if a.json {
		return a.printJSON(struct {
			Format string        `json:"format"`
			Answer string        `json:"answer"`
			Holds  []decidedHold `json:"holds"`
		}{"entrasync/answer/1", v.done, decided})
	}
	return nil
}

// person names who runs the command, for decisions that others look at later.
func (a *app) person() string {
	if a.caller != "" {
		return a.caller
	}
	if a.env != nil {
		if name, set := a.env("SUDO_USER"); set && name != "" {
			return name
		}
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// matches returns the holds that a decision may be about: those that wait, or, where none does,
// those that were rejected.
func (v *verdict) matches(w *worker.Worker, syncs []*compile.Sync) ([]shownHold, error) {
	for _, rejected := range []bool{false, true} {
		holds, err := shownHolds(w, syncs, nil, rejected)
		if err != nil {
			return nil, err
		}
		holds = slices.DeleteFunc(holds, func(h shownHold) bool {
			return v.hold != "" && h.Hold != v.hold || v.cause != "" && h.Cause != v.cause
		})
		if len(holds) > 0 {
			return holds, nil
		}
	}
	return nil, nil
}

func (v *verdict) apply(w *worker.Worker, s *compile.Sync, hold string, by plan.Decision) (n int, err error) {
	tenant, err := w.Store.Tenant(s.Tenant)
	if err != nil {
		return 0, err
	}
	defer tenant.Close()
	err = tenant.Update(func(tx *state.Tx) (err error) {
		n, err = v.do(tx, s.Name, hold, by)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sync %s, tenant %s, hold %s: %w", s.Name, s.TenantName, hold, err)
	}
	return n, nil
}

// certain makes sure that it is clear which holds a decision is for. Ids are counted per tenant and
// sync, and a cause such as a group's name is likely to be there in many tenants: a decision meant
// for one of them must not remove the people of another.
func (v *verdict) certain(matches []shownHold) error {
	var tenants, syncs []string
	for _, m := range matches {
		if !slices.Contains(tenants, m.TenantName) {
			tenants = append(tenants, m.TenantName)
		}
		if !slices.Contains(syncs, m.Sync) {
			syncs = append(syncs, m.Sync)
		}
	}
	switch {
	case len(matches) == 0:
		err := fmt.Errorf("there is no hold of the cause %q", v.cause)
		if v.hold != "" {
			err = fmt.Errorf("there is no hold %s", v.hold)
		}
		return advice.With(err, "list them with: entrasync holds, entrasync holds --rejected")
	case v.hold != "" && len(tenants) > 1:
		return advice.With(fmt.Errorf("hold %s is there in several tenants: %s", v.hold, strings.Join(tenants, ", ")), "name one with --tenant")
	case v.hold != "" && len(syncs) > 1:
		return advice.With(fmt.Errorf("hold %s is there in several syncs: %s", v.hold, strings.Join(syncs, ", ")), "name one with --sync")
	case len(tenants) > 1 && len(v.tenants) == 0 && !v.allTenants:
		return advice.With(fmt.Errorf("holds of this cause are there in several tenants: %s", strings.Join(tenants, ", ")),
			"name one with --tenant, or say --all-tenants")
	}
	return nil
}
