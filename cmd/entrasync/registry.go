package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

// The origins and the first state of tenants. Beside active and paused a state is the class of
// the error that stopped the tenant.
const (
	fromFile    = "file"
	fromConsent = "consent"
	active      = "active"
)

// register adds what the registry knows to a worker: the syncs of tenants that joined by
// consent, and who is paused by command.
func (w *worker) register() error {
	records, err := w.store.TenantRecords()
	if err != nil {
		return err
	}
	syncs := slices.Clone(w.configured)
	for _, entry := range w.cfg.Syncs {
		if !entry.Value.From.Consented {
			continue
		}
		t, faults := newTemplate(w.cfg, entry)
		if err := faults.Err(); err != nil {
			return err
		}
		for _, record := range records {
			if record.Origin != fromConsent || w.clashes(record) {
				continue
			}
			// {tenant} is the id: who joins chooses the organization's name, and must not choose
			// with it whose place in an application the accounts go to.
			if planned := t.of(record.Name, record.ID.String(), configs.Tenant{ID: record.ID.String()}); planned != nil {
				syncs = append(syncs, planned)
			}
		}
	}
	for i, planned := range syncs {
		at := slices.IndexFunc(records, func(r state.TenantRecord) bool { return r.Name == planned.tenantName })
		if at < 0 || !records[at].Paused || planned.paused != "" {
			continue
		}
		paused := *planned
		paused.paused = "by command"
		syncs[i] = &paused
	}
	w.syncs = syncs
	return nil
}

// clashes reports whether a tenant that joined by consent has the name or the id of one in the
// configuration, which has precedence.
func (w *worker) clashes(record state.TenantRecord) bool {
	for name, tenant := range w.cfg.Tenants.All() {
		if name == record.Name || tenant.ID == record.ID.String() {
			return true
		}
	}
	return false
}

// expiryNotice is how long before its end an expiring credential is told of.
const expiryNotice = 30 * 24 * time.Hour

// noteHealth keeps in the registry what a cycle told of its tenant.
func (w *worker) noteHealth(s *plannedSync, source graphsync.Source, cycleErr error) {
	word, message, known := healthOf(source, cycleErr, time.Now())
	if !known {
		return
	}
	err := w.store.ChangeTenantRecord(s.tenantName, func(r *state.TenantRecord) error {
		switch {
		case r.Origin != "":
		case w.configures(s.Tenant):
			r.Origin = fromFile
		default:
			return errRemoved
		}
		if r.State != word {
			r.Since = time.Now().UTC().Truncate(time.Second)
		}
		r.ID, r.State, r.Message = s.Tenant, word, message
		return nil
	})
	if err != nil && !errors.Is(err, errRemoved) {
		w.log.Error("keep the state of a tenant", "tenant", s.tenantName, "error", err)
	}
}

// errRemoved: the tenant was removed while its last cycle went on.
var errRemoved = errors.New("the tenant was removed")

// passing are the failures that say nothing about a tenant's consent and credential.
var passing = []graphsync.Class{graphsync.Unreachable, graphsync.Throttled, graphsync.Transient, graphsync.BadResponse}

// healthOf says what a cycle tells of its tenant; known is false when that is nothing.
func healthOf(source graphsync.Source, err error, now time.Time) (word, message string, known bool) {
	var e *graphsync.Error
	switch {
	case errors.As(err, &e):
		if slices.Contains(passing, e.Class) {
			return "", "", false
		}
		message = e.Message
		if e.Hint != "" {
			message += "; " + e.Hint
		}
		return string(e.Class), message, true
	case err != nil && !errors.Is(err, reconcile.ErrPlanMoved):
		return "", "", false // the application, or this machine
	}
	if credential, ok := source.(interface{ CredentialExpiry() time.Time }); ok {
		if ends := credential.CredentialExpiry(); !ends.IsZero() && ends.Sub(now) < expiryNotice {
			message = fmt.Sprintf("the certificate expires on %s; upload a new one to the app registration and put it in place, it is picked up without a restart", ends.UTC().Format(time.DateOnly))
		}
	}
	return active, message, true
}

// A shownTenant is one entry of `tenants list --json`.
type shownTenant struct {
	Name    string       `json:"name"`
	ID      graphsync.ID `json:"id"`
	Origin  string       `json:"origin"`
	State   string       `json:"state"`
	Message string       `json:"message"`
	Note    string       `json:"note,omitempty"`
	Since   *time.Time   `json:"since,omitempty"`
}

// registered lists the tenants of the configuration and those that joined, by name.
func (w *worker) registered() ([]shownTenant, error) {
	records, err := w.store.TenantRecords()
	if err != nil {
		return nil, err
	}
	shown := []shownTenant{}
	for name, tenant := range w.cfg.Tenants.All() {
		id, err := graphsync.ParseID(tenant.ID)
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", name, err)
		}
		t := shownTenant{Name: name, ID: id, Origin: fromFile, State: active, Message: "no cycle has run yet"}
		at := slices.IndexFunc(records, func(r state.TenantRecord) bool { return r.Name == name && r.ID == id })
		if at >= 0 {
			t.take(records[at])
			t.Origin = fromFile
		}
		if tenant.Paused {
			t.State, t.Message = "paused", "paused in the configuration"
		}
		shown = append(shown, t)
	}
	for _, record := range records {
		if slices.ContainsFunc(shown, func(t shownTenant) bool { return t.Name == record.Name && t.ID == record.ID }) {
			continue
		}
		t := shownTenant{Name: record.Name, ID: record.ID, Origin: record.Origin, State: active}
		t.take(record)
		switch {
		case record.Origin != fromConsent:
			t.State, t.Message = "not_configured", "no longer in the configuration; forget it with: entrasync tenants remove "+record.Name
		case w.clashes(record):
			t.State, t.Message = "not_configured", "the configuration has a tenant of this name or id, which has precedence"
		}
		shown = append(shown, t)
	}
	slices.SortFunc(shown, func(a, b shownTenant) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return shown, nil
}

// take fills in what a record says.
func (t *shownTenant) take(r state.TenantRecord) {
	t.State, t.Message, t.Note = cmp.Or(r.State, active), r.Message, r.Note
	if !r.Since.IsZero() {
		t.Since = &r.Since
	}
	if r.Paused {
		t.State, t.Message = "paused", "paused by command"
	}
}
