package inspect

import (
	"fmt"
	"slices"
	"strings"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A Decision is which holds a user decides about: one by its id, or all of one cause.
type Decision struct {
	lookup.Selection
	Hold       string // "" with a cause
	Cause      string
	AllTenants bool // with a cause: it may be in several tenants
}

// Holds returns the holds that a decision is for, of syncs: those that wait, or, where none does, those that were
// rejected. It is an error when that is not certain.
func (d *Decision) Holds(w *worker.Worker, syncs []*compile.Sync) ([]Hold, error) {
	for _, rejected := range []bool{false, true} {
		holds, err := Holds(w, syncs, nil, rejected)
		if err != nil {
			return nil, err
		}
		holds = slices.DeleteFunc(holds, func(h Hold) bool {
			return d.Hold != "" && h.Hold != d.Hold || d.Cause != "" && h.Cause != d.Cause
		})
		if len(holds) > 0 {
			return holds, d.certain(holds)
		}
	}
	return nil, d.certain(nil)
}

// certain makes sure that it is clear which holds a decision is for. Ids are counted per tenant and
// sync, and a cause such as a group's name is likely to be there in many tenants: a decision meant
// for one of them must not remove the people of another.
func (d *Decision) certain(matches []Hold) error {
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
		err := fmt.Errorf("there is no hold of the cause %q", d.Cause)
		if d.Hold != "" {
			err = fmt.Errorf("there is no hold %s", d.Hold)
		}
		return advice.With(err, "list them with: entrasync holds, entrasync holds --rejected")
	case d.Hold != "" && len(tenants) > 1:
		return advice.With(fmt.Errorf("hold %s is there in several tenants: %s", d.Hold, strings.Join(tenants, ", ")), "name one with --tenant")
	case d.Hold != "" && len(syncs) > 1:
		return advice.With(fmt.Errorf("hold %s is there in several syncs: %s", d.Hold, strings.Join(syncs, ", ")), "name one with --sync")
	case len(tenants) > 1 && len(d.Tenants) == 0 && !d.AllTenants:
		return advice.With(fmt.Errorf("holds of this cause are there in several tenants: %s", strings.Join(tenants, ", ")),
			"name one with --tenant, or say --all-tenants")
	}
	return nil
}

// Decide approves or rejects one hold, as do does, and returns how many actions are in it.
func Decide(w *worker.Worker, h *Hold, do func(*state.Tx, string, string, plan.Decision) (int, error), by plan.Decision) (n int, err error) {
	s := h.Of
	tenant, err := w.Store.Tenant(s.Tenant)
	if err != nil {
		return 0, err
	}
	defer tenant.Close()
	err = tenant.Update(func(tx *state.Tx) (err error) {
		n, err = do(tx, s.Name, h.Hold, by)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sync %s, tenant %s, hold %s: %w", s.Name, s.TenantName, h.Hold, err)
	}
	return n, nil
}

// A DecidedHold is one entry of what approve and reject print with --json.
type DecidedHold struct {
	Hold       string `json:"hold"`
	Sync       string `json:"sync"`
	Tenant     string `json:"tenant"`
	TenantName string `json:"tenant_name"`
	Actions    int    `json:"actions"`
}

// DecidedDocument makes the document of what was decided: approved or rejected.
func DecidedDocument(done string, holds []DecidedHold) any {
	return struct {
		Format string        `json:"format"`
		Answer string        `json:"answer"`
		Holds  []DecidedHold `json:"holds"`
	}{"entrasync/answer/1", done, holds}
}
