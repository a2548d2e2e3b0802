package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
	"entrasync/target"
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
	joined, err := w.joined(records)
	if err != nil {
		return err
	}
	syncs := slices.Clone(w.configured)
	for _, entry := range w.cfg.Syncs {
		if !entry.Value.From.Consented {
			continue
		}
		t, faults := compile.NewTemplate(w.cfg, entry)
		if err := faults.Err(); err != nil {
			return err
		}
		for _, record := range joined {
			// {tenant} is the id: who joins chooses the organization's name, and must not choose
			// with it whose place in an application the accounts go to.
			planned, _ := t.For(record.Name, record.ID.String(), configs.Tenant{ID: record.ID.String()})
			if planned == nil {
				continue
			}
			w.boundJoined(planned, record)
			syncs = append(syncs, planned)
		}
	}
	for i, planned := range syncs {
		at := slices.IndexFunc(records, func(r state.TenantRecord) bool { return r.ID == planned.Tenant })
		if at < 0 || !records[at].Paused || planned.Paused != "" {
			continue
		}
		paused := *planned
		paused.Paused = "by command"
		syncs[i] = &paused
	}
	w.syncs = syncs
	return nil
}

// joined are the tenants that are synced because they joined by consent. The configuration has
// precedence: one whose id it has is not among them, and one whose name it has takes another.
func (w *worker) joined(records []state.TenantRecord) (joined []state.TenantRecord, err error) {
	for i, record := range records {
		if record.Origin != fromConsent || !record.Removed.IsZero() || w.configures(record.ID) {
			continue
		}
		if _, taken := w.cfg.Tenants.Get(record.Name); taken {
			former := record.Name
			records[i].Name = uniqueName(record.Name, record.ID, w.namesTaken(records))
			record = records[i]
			err := w.store.ChangeTenantRecord(record.ID, func(r *state.TenantRecord) error { r.Name = record.Name; return nil })
			if err != nil {
				return nil, err
			}
			w.log.Warn("a tenant that joined by consent has another name, as the configuration has taken its former one",
				"former", former, "tenant", record.Name, "id", record.ID)
		}
		joined = append(joined, record)
	}
	return joined, nil
}

// namesTaken are the names of all tenants there are.
func (w *worker) namesTaken(records []state.TenantRecord) []string {
	names := w.cfg.Tenants.Names()
	for _, record := range records {
		if record.Removed.IsZero() {
			names = append(names, record.Name)
		}
	}
	return names
}

// noteHealth keeps in the registry what a cycle told of its tenant.
func (w *worker) noteHealth(ctx context.Context, s *compile.Sync, source graphsync.Source, cycleErr error) {
	now := time.Now().UTC().Truncate(time.Second)
	var credential state.Credential
	domains := ""
	if cycleErr == nil {
		if credential = w.credential(ctx, s, source, now); credential.Asked.Equal(now) && !w.configures(s.Tenant) {
			domains = w.domains(ctx, s, source)
		}
	}
	learned := false // other domains than were known: the syncs are made with them
	err := w.store.ChangeTenantRecord(s.Tenant, func(r *state.TenantRecord) error {
		if cycleErr == nil {
			learned = domains != "" && r.Domains != domains
			r.Credential, r.Domains = credential, cmp.Or(domains, r.Domains)
		}
		word, message, known := healthOf(cycleErr)
		switch {
		case (!r.Removed.IsZero() || r.Origin == "") && !w.configures(s.Tenant):
			return errRemoved
		case r.Origin == "":
			r.Origin = fromFile
		}
		if r.Origin == fromFile {
			r.Name = s.TenantName
		}
		// What one sync met is over when that one gets through, not when another does, which may
		// need less.
		if !known || word == active && r.State != active && r.Sync != s.Name && w.reads(r.Sync, s.Tenant) {
			return nil
		}
		if r.State != word {
			r.Since = now
		}
		r.State, r.Message, r.Sync = word, message, s.Name
		return nil
	})
	if err == nil && learned {
		err = w.takeUp()
	}
	if err != nil && !errors.Is(err, errRemoved) {
		w.log.Error("keep the state of a tenant", "tenant", s.TenantName, "error", err)
	}
}

// domains reads the verified domains of a tenant that joined, once a day with its credential's end.
func (w *worker) domains(ctx context.Context, s *compile.Sync, source graphsync.Source) string {
	organization, err := source.Organization(ctx)
	if err != nil {
		w.log.Info("the domains of a tenant could not be read again", "tenant", s.TenantName, "because", err)
	}
	return strings.Join(organization.Domains, " ")
}

// errRemoved: the tenant was removed while its last cycle went on.
var errRemoved = errors.New("the tenant was removed")

// passing are the failures that say nothing about a tenant's consent and credential.
var passing = []graphsync.Class{graphsync.Unreachable, graphsync.Throttled, graphsync.Transient, graphsync.BadResponse}

// healthOf says what a cycle tells of its tenant; known is false when that is nothing.
func healthOf(err error) (word, message string, known bool) {
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
	case err == nil, errors.Is(err, reconcile.ErrPlanMoved), errors.Is(err, reconcile.ErrPaused), errors.As(err, new(*target.Error)):
		return active, "", true // the directory was read before the application was asked
	}
	return "", "", false // this machine
}

// reads reports whether a sync of that name runs for a tenant.
func (w *worker) reads(sync string, tenant graphsync.ID) bool {
	return slices.ContainsFunc(w.syncs, func(s *compile.Sync) bool { return s.Name == sync && s.Tenant == tenant && s.Paused == "" })
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
	// CredentialEnds is when the client secret or certificate that reads it ends, if that is known.
	CredentialEnds *time.Time `json:"credential_ends,omitempty"`
}

// registered lists the tenants of the configuration and those that joined, by name.
func (w *worker) registered() ([]shownTenant, error) {
	records, err := w.store.TenantRecords()
	if err != nil {
		return nil, err
	}
	byID := make(map[graphsync.ID]state.TenantRecord, len(records))
	for _, record := range records {
		byID[record.ID] = record
	}
	shown := []shownTenant{}
	configured := map[graphsync.ID]bool{}
	for name, tenant := range w.cfg.Tenants.All() {
		id, err := graphsync.ParseID(tenant.ID)
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", name, err)
		}
		configured[id] = true
		t := shownTenant{Name: name, ID: id, Origin: fromFile, State: active, Message: "no cycle has run yet"}
		if record, known := byID[id]; known {
			t.take(record)
		}
		if tenant.Paused {
			t.State, t.Message = "paused", "paused in the configuration"
		}
		shown = append(shown, t)
	}
	for _, record := range records {
		if configured[record.ID] || !record.Removed.IsZero() {
			continue
		}
		t := shownTenant{Name: record.Name, ID: record.ID, Origin: record.Origin, State: active}
		t.take(record)
		if record.Origin != fromConsent {
			t.State, t.Message = "not_configured", "no longer in the configuration; forget it with: entrasync tenants remove "+record.Name
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
	if ends := r.Credential.Ends; !ends.IsZero() {
		t.CredentialEnds = &ends
		if warning := endWarning(ends, time.Now()); warning != "" && t.State == active {
			t.Message = warning
		}
	}
	if r.Paused {
		t.State, t.Message = "paused", "paused by command"
	}
}
