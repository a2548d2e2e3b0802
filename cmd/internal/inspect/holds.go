package inspect

import (
	"fmt"
	"slices"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A Hold is one entry of `holds --json`.
type Hold struct {
	Hold       string    `json:"hold"`
	Sync       string    `json:"sync"`
	Tenant     string    `json:"tenant"`
	TenantName string    `json:"tenant_name"`
	Guard      string    `json:"guard"`
	Cause      string    `json:"cause"`
	Count      int       `json:"count"`
	Since      time.Time `json:"since"` // of a rejected hold, when it was rejected
	Sample     []string  `json:"sample"`
	// Removes names the first people who would lose a membership, RemovesCount is how many do.
	Removes      []string `json:"removes,omitempty"`
	RemovesCount int      `json:"removes_count,omitempty"`

	Rejected *Rejection `json:"rejected,omitempty"`

	Actions []guard.HeldAction `json:"actions,omitempty"` // of a hold that was asked for

	Of *compile.Sync `json:"-"` // the sync it is of
}

// A Rejection is who rejected a hold, when and why.
type Rejection struct {
	plan.Decision
	Expires *time.Time `json:"expires"` // null: not before its source changes
}

// Holds reads the holds of syncs: those that wait, those that were rejected, or those of
// some ids, whichever they are, with all their actions.
func Holds(w *worker.Worker, syncs []*compile.Sync, ids []string, rejected bool) ([]Hold, error) {
	holds := []Hold{}
	err := eachTenant(w, syncs, func(s *compile.Sync, tx *state.Tx) error {
		var found []Hold
		if !rejected || len(ids) > 0 {
			for h := range tx.Holds(s.Name).All() {
				found = append(found, waitingHold(s, h))
			}
		}
		if rejected || len(ids) > 0 {
			refused, err := guard.RejectedHolds(tx, s.Name)
			if err != nil {
				return err
			}
			for _, h := range refused {
				found = append(found, rejectedHold(s, h))
			}
		}
		for _, h := range found {
			if len(ids) > 0 && !slices.Contains(ids, h.Hold) {
				continue
			}
			if err := h.readActions(tx, len(ids) > 0); err != nil {
				return err
			}
			holds = append(holds, h)
		}
		return nil
	})
	return holds, err
}

func waitingHold(s *compile.Sync, h state.Hold) Hold {
	return Hold{Hold: h.ID, Sync: s.Name, Tenant: s.Tenant.String(), TenantName: s.TenantName, Guard: h.Guard, Cause: h.Cause, Count: h.Count, Since: h.Since, Sample: h.Sample, Of: s}
}

func rejectedHold(s *compile.Sync, h guard.RejectedHold) Hold {
	shown := Hold{Hold: h.Hold, Sync: s.Name, Tenant: s.Tenant.String(), TenantName: s.TenantName, Guard: h.Guard, Cause: h.Cause, Count: h.Count, Since: h.At, Sample: h.Sample,
		Rejected: &Rejection{Decision: h.Decision}, Of: s}
	if ends := h.Ends(s.Guard.Rejections); !ends.IsZero() {
		shown.Rejected.Expires = &ends
	}
	return shown
}

// readActions reads what a hold holds: all of it, or of removals from groups the first names.
func (h *Hold) readActions(tx *state.Tx, all bool) error {
	for action, err := range guard.HeldActions(tx, h.Sync, h.Hold) {
		if err != nil {
			return err
		}
		for _, member := range action.Members {
			if member.Change != "remove" {
				break // those who leave come first
			}
			if h.RemovesCount++; len(h.Removes) < membersShown {
				h.Removes = append(h.Removes, member.Key)
			}
		}
		if all {
			h.Actions = append(h.Actions, action)
		}
	}
	return nil
}

// membersShown is how many people a list of holds names who would lose a membership.
const membersShown = 10

// eachTenant visits the state of each sync.
func eachTenant(w *worker.Worker, syncs []*compile.Sync, visit func(*compile.Sync, *state.Tx) error) error {
	for _, s := range syncs {
		tenant, err := w.Store.Tenant(s.Tenant)
		if err != nil {
			return err
		}
		err = tenant.View(func(tx *state.Tx) error { return visit(s, tx) })
		tenant.Close()
		if err != nil {
			return fmt.Errorf("read the holds of sync %s, tenant %s: %w", s.Name, s.TenantName, err)
		}
	}
	return nil
}

// EachHold visits the holds of syncs that wait for a decision.
func EachHold(w *worker.Worker, syncs []*compile.Sync, visit func(s *compile.Sync, h state.Hold)) error {
	return eachTenant(w, syncs, func(s *compile.Sync, tx *state.Tx) error {
		for hold := range tx.Holds(s.Name).All() {
			visit(s, hold)
		}
		return nil
	})
}
