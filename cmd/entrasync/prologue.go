package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
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

// subjectOf is the user or group that a command line names, nil for all.
func subjectOf(user, group string) *reconcile.Subject {
	switch {
	case user != "":
		return &reconcile.Subject{Kind: graphsync.User, Key: user}
	case group != "":
		return &reconcile.Subject{Kind: graphsync.Group, Key: group}
	}
	return nil
}

// sound leaves out, and names on notes, the syncs that do not fit their tenants: what they would say of a user is wrong.
func sound(syncs []*compile.Sync, notes io.Writer) []*compile.Sync {
	return slices.DeleteFunc(slices.Clone(syncs), func(s *compile.Sync) bool {
		err := s.Sound()
		if err != nil {
			fmt.Fprintf(notes, "entrasync: %v\n", err)
		}
		return err != nil
	})
}
