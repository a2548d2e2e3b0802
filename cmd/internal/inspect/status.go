// Package inspect reads what a state says of its syncs: their status, their past runs, what guards hold and which of it
// a decision is for. Its types are the documents of status, runs, show, holds, approve and reject with --json.
//
// It is not a printer: package report prints these documents for people. It starts no cycle and asks neither Graph
// nor a target. It promises that a state which cannot be read hides no other.
package inspect

import (
	"encoding/json"
	"fmt"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/drift"
	"entrasync/reconcile/guard"
	"entrasync/state"
)

// A Status is one entry of `status --json`.
type Status struct {
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
	Drift      int               `json:"drift"` // accounts, groups and memberships that the last compare found changed in the application
	Quarantine *state.Quarantine `json:"quarantine"`
	Error      *StateError       `json:"error,omitempty"`

	TenantName string         `json:"-"`
	Paused     string         `json:"-"` // where the tenant is paused, "" when it is not
	Waiting    WaitingRecords `json:"-"`
}

// StatusOf reads the state of one sync. Where it cannot be read, the status has what is known without it.
func StatusOf(w *worker.Worker, s *compile.Sync) (Status, error) {
	out := Status{Sync: s.Name, Tenant: s.Tenant.String(), Target: s.TargetName, TenantName: s.TenantName, Paused: s.Paused}
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
		out.Rejected = guard.CountRejected(tx, s.Name)
		accounts, members := drift.In(tx, s.Name).Count()
		out.Drift = accounts + members
		out.Retrying, out.Skipped = tx.Retries(s.Name).Count()
		for retry := range tx.Retries(s.Name).All() {
			out.Waiting.Add(&retry)
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

// linked counts the active accounts and the groups a sync keeps.
func linked(tx *state.Tx, sync string) int {
	_, users := tx.Links(sync).Count(graphsync.User)
	_, groups := tx.Links(sync).Count(graphsync.Group)
	return users + groups
}
