package worker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/state"
)

// The origins of tenants, and the state of one whose last cycle read its directory. The other states are
// "paused", "not_configured" and the [graphsync.Class] of the error that stopped the tenant.
const (
	FromFile    = "file"
	FromConsent = "consent"
	Active      = "active"
)

// register adds what the registry knows: the syncs of tenants that joined by consent, and which tenants
// are paused by command.
func (w *Worker) register() error {
	records, err := w.Store.TenantRecords()
	if err != nil {
		return err
	}
	joined, err := w.joined(records)
	if err != nil {
		return err
	}
	syncs := slices.Clone(w.configured)
	for _, entry := range w.Config.Syncs {
		if !entry.Value.From.Consented {
			continue
		}
		t, faults := compile.NewTemplate(w.Config, entry)
		if err := faults.Err(); err != nil {
			return err
		}
		for _, record := range joined {
			// {tenant} is the id: the organization that joins chooses its name, and must not choose
			// with it which place in an application its accounts go to.
			planned, _ := t.For(record.Name, record.ID.String(), configs.Tenant{ID: record.ID.String()})
			if planned == nil {
				continue
			}
			boundJoined(w.Config, planned, record)
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
	w.Syncs = syncs
	return nil
}

// joined are the tenants that are synced because they joined by consent. The configuration has
// precedence: a tenant whose id it holds is not among them, and one whose name it holds is renamed.
func (w *Worker) joined(records []state.TenantRecord) (joined []state.TenantRecord, err error) {
	for i, record := range records {
		if record.Origin != FromConsent || !record.Removed.IsZero() || w.Configures(record.ID) {
			continue
		}
		if _, taken := w.Config.Tenants.Get(record.Name); taken {
			former := record.Name
			records[i].Name = uniqueName(record.Name, record.ID, w.namesTaken(records))
			record = records[i]
			err := w.Store.ChangeTenantRecord(record.ID, func(r *state.TenantRecord) error { r.Name = record.Name; return nil })
			if err != nil {
				return nil, err
			}
			w.Log.Warn("a tenant that joined by consent is renamed, because the configuration uses its name",
				"former", former, "tenant", record.Name, "id", record.ID)
		}
		joined = append(joined, record)
	}
	return joined, nil
}

// namesTaken are the names of all tenants.
func (w *Worker) namesTaken(records []state.TenantRecord) []string {
	names := w.Config.Tenants.Names()
	for _, record := range records {
		if record.Removed.IsZero() {
			names = append(names, record.Name)
		}
	}
	return names
}

// A Tenant is one entry of `tenants list --json`.
type Tenant struct {
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

// Tenants lists the tenants of the configuration and those that joined, by name.
func (w *Worker) Tenants() ([]Tenant, error) {
	records, err := w.Store.TenantRecords()
	if err != nil {
		return nil, err
	}
	byID := make(map[graphsync.ID]state.TenantRecord, len(records))
	for _, record := range records {
		byID[record.ID] = record
	}
	tenants := []Tenant{}
	configured := map[graphsync.ID]bool{}
	for name, tenant := range w.Config.Tenants.All() {
		id, err := graphsync.ParseID(tenant.ID)
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", name, err)
		}
		configured[id] = true
		t := Tenant{Name: name, ID: id, Origin: FromFile, State: Active, Message: "no cycle has run yet"}
		if record, known := byID[id]; known {
			t.take(record)
		}
		if tenant.Paused {
			t.State, t.Message = "paused", "paused in the configuration"
		}
		tenants = append(tenants, t)
	}
	for _, record := range records {
		if configured[record.ID] || !record.Removed.IsZero() {
			continue
		}
		t := Tenant{Name: record.Name, ID: record.ID, Origin: record.Origin, State: Active}
		t.take(record)
		if record.Origin != FromConsent {
			t.State, t.Message = "not_configured", "no longer in the configuration; forget it with: entrasync tenants remove "+record.Name
		}
		tenants = append(tenants, t)
	}
	slices.SortFunc(tenants, func(a, b Tenant) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return tenants, nil
}

// take fills in what the registry records of a tenant.
func (t *Tenant) take(r state.TenantRecord) {
	t.State, t.Message, t.Note = cmp.Or(r.State, Active), r.Message, r.Note
	if !r.Since.IsZero() {
		t.Since = &r.Since
	}
	if ends := r.Credential.Ends; !ends.IsZero() {
		t.CredentialEnds = &ends
		if warning := EndWarning(ends, time.Now()); warning != "" && t.State == Active {
			t.Message = warning
		}
	}
	if r.Paused {
		t.State, t.Message = "paused", "paused by command"
	}
}

// TenantNamed finds a tenant by its id or its name. Ids go first, so that no tenant's name can be taken
// for the id of another.
func (w *Worker) TenantNamed(name string) (Tenant, error) {
	tenants, err := w.Tenants()
	if err != nil {
		return Tenant{}, err
	}
	var names []string
	for _, t := range tenants {
		if strings.EqualFold(t.ID.String(), name) {
			return t, nil
		}
		names = append(names, t.Name)
	}
	if at := slices.Index(names, name); at >= 0 {
		return tenants[at], nil
	}
	hint := "list them with: entrasync tenants list"
	if near := configs.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return Tenant{}, advice.With(fmt.Errorf("there is no tenant %q", name), hint)
}

// SetPaused pauses or resumes a tenant, at once where a service runs.
func (w *Worker) SetPaused(t Tenant, paused bool) error {
	err := w.Store.ChangeTenantRecord(t.ID, func(r *state.TenantRecord) error {
		if r.Origin == "" {
			r.Origin, r.Name = t.Origin, t.Name
		}
		r.Paused = paused
		return nil
	})
	if err != nil {
		return err
	}
	return w.TakeUp()
}

// TakeUp has the running service, if any, take up what changed in the registry.
func (w *Worker) TakeUp() error {
	if w.service.Changed == nil {
		return nil
	}
	return w.service.Changed()
}

// TakesConsented reports whether any sync is for tenants that join.
func (w *Worker) TakesConsented() bool {
	for _, entry := range w.Config.Syncs {
		if entry.Value.From.Consented {
			return true
		}
	}
	return false
}

// Configures reports whether a tenant is in the configuration.
func (w *Worker) Configures(id graphsync.ID) bool {
	for _, tenant := range w.Config.Tenants.All() {
		if tenant.ID == id.String() {
			return true
		}
	}
	return false
}
