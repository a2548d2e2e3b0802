package main

import (
	"errors"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/inspect"
	"entrasync/cmd/internal/report"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

func approveCommand(a *app) *cobra.Command {
	return decisionCommand(a, "approve", "approved", guard.Approve, &cobra.Command{
		Use:   "approve HOLD",
		Short: "Approve a hold: its actions run in the next sync",
		Long: `Approves the actions of a hold. The approval is valid while what they remove or take over is what
was shown; when that changes, they are held again and the report says why. A rejected hold is
approved in the same way: that takes the rejection back. HOLD may be left out with --cause. Each
tenant counts its holds for itself: where several have the same, --tenant says whose is meant.`,
	})
}

func rejectCommand(a *app) *cobra.Command {
	return decisionCommand(a, "reject", "rejected", guard.Reject, &cobra.Command{
		Use:   "reject HOLD",
		Short: "Reject a hold: its actions do not run until their source changes",
		Long: `Rejects the actions of a hold: they do not run until their source changes, until the time in
guard.rejections is over, or until entrasync approve HOLD takes the rejection back. What is rejected
and still due is counted and listed: entrasync holds --rejected. HOLD may be left out with --cause.
Each tenant counts its holds for itself: where several have the same, --tenant says whose is meant.`,
	})
}

// A verdict is what a user decides about holds.
type verdict struct {
	inspect.Decision
	done   string // the word for it afterwards
	do     func(tx *state.Tx, sync, hold string, by plan.Decision) (actions int, err error)
	reason string
}

func decisionCommand(a *app, verb, done string, do func(*state.Tx, string, string, plan.Decision) (int, error), cmd *cobra.Command) *cobra.Command {
	v := verdict{done: done, do: do}
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		v.Hold = strings.Join(args, "")
		switch {
		case v.Hold == "" && v.Cause == "":
			return advice.With(errors.New("no hold is named"), "list them with: entrasync holds")
		case v.AllTenants && v.Hold != "":
			return advice.With(errors.New("--all-tenants goes with --cause, not with a hold"), "name the tenant of the hold with --tenant")
		}
		return a.withSyncs(v.Selection, func(w *worker.Worker, syncs []*compile.Sync) error { return decide(a, w, syncs, &v) })
	}
	cmd.Flags().StringVar(&v.Cause, "cause", "", verb+" every hold of this cause")
	cmd.Flags().StringVar(&v.reason, "reason", "", "why, for those who look at it later")
	cmd.Flags().BoolVar(&v.AllTenants, "all-tenants", false, "with --cause: in whichever tenants it is")
	syncFlag(cmd, &v.Selection)
	tenantFlag(cmd, &v.Selection)
	cmd.MarkFlagsMutuallyExclusive("tenant", "all-tenants")
	return cmd
}

// decide approves or rejects holds.
func decide(a *app, w *worker.Worker, syncs []*compile.Sync, v *verdict) error {
	holds, err := v.Holds(w, syncs)
	if err != nil {
		return err
	}
	actor := a.actor()
	by := plan.Decision{By: actor.Name, Via: actor.Kind, Reason: strings.TrimSpace(v.reason), At: time.Now().UTC().Truncate(time.Second)}
	decided := []inspect.DecidedHold{}
	for i := range holds {
		h := &holds[i]
		n, err := inspect.Decide(w, h, v.do, by)
		if err != nil {
			return err
		}
		w.Log.Info("hold "+v.done, "sync", h.Sync, "tenant", h.TenantName, "hold", h.Hold, "cause", h.Cause, "actions", n, "by", by.By, "reason", by.Reason)
		decided = append(decided, inspect.DecidedHold{Hold: h.Hold, Sync: h.Sync, Tenant: h.Tenant, TenantName: h.TenantName, Actions: n})
		if !a.json {
			report.Decided(a.console(), v.done, &decided[i])
		}
	}
	if a.json {
		return a.printer().Document(inspect.DecidedDocument(v.done, decided))
	}
	return nil
}

// actor is who runs the command, for the audit log.
func (a *app) actor() state.Actor {
	if a.byAPI {
		return state.Actor{Kind: state.ActorAPI, Name: a.person()}
	}
	return state.Actor{Kind: state.ActorCommand, Name: a.person()}
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
