package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/inspect"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
)

// withWorker opens what the configuration names and closes it after do. While a service owns the state, the
// service runs this command instead, and the error is how it ended.
func (a *app) withWorker(do func(w *worker.Worker) error) error {
	w, err := a.open()
	if err != nil {
		return err
	}
	defer w.Close()
	return do(w)
}

// withSyncs is withWorker with the syncs that a command line selects.
func (a *app) withSyncs(selection lookup.Selection, do func(w *worker.Worker, syncs []*compile.Sync) error) error {
	return a.withWorker(func(w *worker.Worker) error {
		syncs, err := selection.Of(w)
		if err != nil {
			return err
		}
		return do(w, syncs)
	})
}

// tenantFlag gives a command the option --tenant.
func tenantFlag(cmd *cobra.Command, selection *lookup.Selection) {
	cmd.Flags().StringArrayVar(&selection.Tenants, "tenant", nil, "only this `TENANT`: its name or id; may be repeated")
}

// syncFlag gives --sync to a command whose arguments are not syncs.
func syncFlag(cmd *cobra.Command, selection *lookup.Selection) {
	cmd.Flags().StringArrayVar(&selection.Syncs, "sync", nil, "only this `SYNC`; may be repeated")
}

// noteNoTenant says why there is nothing to show or do where all tenants are yet to join.
func (a *app) noteNoTenant(w *worker.Worker) {
	if len(w.Syncs) == 0 && w.Tenants.TakesConsented() {
		fmt.Fprintln(a.err, "note: no tenant has joined yet; invite one: entrasync consent")
	}
}

// sound leaves out, and names, the syncs that do not fit their tenants: what they would say of a user is wrong.
func (a *app) sound(syncs []*compile.Sync) []*compile.Sync {
	return slices.DeleteFunc(slices.Clone(syncs), func(s *compile.Sync) bool {
		err := s.Sound()
		if err != nil {
			fmt.Fprintf(a.err, "entrasync: %v\n", err)
		}
		return err != nil
	})
}

// unread collects the tenants of a command whose state cannot be read: each is named, and the others are shown.
type unread struct {
	app  *app
	some bool
}

// add notes an error of reading a sync's state and reports whether there is one.
func (u *unread) add(err error) bool {
	u.some = u.some || err != nil
	return err != nil
}

// report is add for a list that leaves the sync out.
func (u *unread) report(s *compile.Sync, err error) bool {
	if u.add(err) {
		fmt.Fprintf(u.app.err, "entrasync: sync %s, tenant %s: %s\n", s.Name, s.TenantName, console.Printable(inspect.StateErrorOf(err).Message))
	}
	return err != nil
}

// outcome is how a command ends that has shown all that can be read; err is how showing it ended.
func (u *unread) outcome(err error) error {
	if u.some {
		return errors.Join(err, exitError(exitPartial))
	}
	return err
}
