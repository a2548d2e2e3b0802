package worker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/subscriptions"
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

// Tenants are the tenants of the configuration and those that joined by consent, with what the registry records of them.
type Tenants struct {
	config  *configs.Config
	store   *state.Store
	log     *slog.Logger
	changed func() error // takes up a change of the registry; nil where no service runs
}

// joined are the tenants that are synced because they joined by consent. The configuration has
// precedence: a tenant whose id it holds is not among them, and one whose name it holds is renamed.
func (t *Tenants) joined(records []state.TenantRecord) (joined []state.TenantRecord, err error) {
	for i, record := range records {
		if record.Origin != FromConsent || !record.Removed.IsZero() || t.Configures(record.ID) {
			continue
		}
		if _, taken := t.config.Tenants.Get(record.Name); taken {
			former := record.Name
			records[i].Name = uniqueName(record.Name, record.ID, t.namesTaken(records))
			record = records[i]
			err := t.store.TenantRecords().Change(record.ID, func(r *state.TenantRecord) error { r.Name = record.Name; return nil })
			if err != nil {
				return nil, err
			}
			t.log.Warn("a tenant that joined by consent is renamed, because the configuration uses its name",
				"former", former, "tenant", record.Name, "id", record.ID)
		}
		joined = append(joined, record)
	}
	return joined, nil
}

// namesTaken are the names of all tenants.
func (t *Tenants) namesTaken(records []state.TenantRecord) []string {
	names := t.config.Tenants.Names()
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
	// Notifications are the subscriptions to change notifications.
	Notifications []subscriptions.Status `json:"notifications,omitempty"`
}

// List lists the tenants of the configuration and those that joined, by name.
func (t *Tenants) List() ([]Tenant, error) {
	records, err := t.store.TenantRecords().All()
	if err != nil {
		return nil, err
	}
	notifications, err := subscriptions.Of(t.store.Subscriptions(), time.Now())
	if err != nil {
		return nil, err
	}
	byID := make(map[graphsync.ID]state.TenantRecord, len(records))
	for _, record := range records {
		byID[record.ID] = record
	}
	tenants := []Tenant{}
	configured := map[graphsync.ID]bool{}
	for name, tenant := range t.config.Tenants.All() {
		id, err := graphsync.ParseID(tenant.ID)
		if err != nil {
			return nil, fmt.Errorf("tenant %s: %w", name, err)
		}
		configured[id] = true
		one := Tenant{Name: name, ID: id, Origin: FromFile, State: Active, Message: "no cycle has run yet", Notifications: notifications[id]}
		if record, known := byID[id]; known {
			one.take(record)
		}
		if tenant.Paused {
			one.State, one.Message = "paused", "paused in the configuration"
		}
		tenants = append(tenants, one)
	}
	for _, record := range records {
		if configured[record.ID] || !record.Removed.IsZero() {
			continue
		}
		one := Tenant{Name: record.Name, ID: record.ID, Origin: record.Origin, State: Active, Notifications: notifications[record.ID]}
		one.take(record)
		if record.Origin != FromConsent {
			one.State, one.Message = "not_configured", "no longer in the configuration; forget it with: entrasync tenants remove "+record.Name
		}
		tenants = append(tenants, one)
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

// Named finds a tenant by its id or its name. Ids go first, so that no tenant's name can be taken
// for the id of another.
func (t *Tenants) Named(name string) (Tenant, error) {
	tenants, err := t.List()
	if err != nil {
		return Tenant{}, err
	}
	var names []string
	for _, one := range tenants {
		if strings.EqualFold(one.ID.String(), name) {
			return one, nil
		}
		names = append(names, one.Name)
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

// SetPaused pauses or resumes a tenant for a user, at once where a service runs.
func (t *Tenants) SetPaused(of Tenant, paused bool, by state.Actor) error {
	event := "tenant_resumed"
	if paused {
		event = "tenant_paused"
	}
	err := t.store.TenantRecords().Change(of.ID, func(r *state.TenantRecord) error {
		if r.Origin == "" {
			r.Origin, r.Name = of.Origin, of.Name
		}
		r.Paused = paused
		return nil
	}, auditEntry(event, of, by))
	if err != nil {
		return err
	}
	return t.applyChanges()
}

// auditEntry is a line about a tenant for the audit log of the service.
func auditEntry(event string, of Tenant, by state.Actor) state.AuditEntry {
	about, _ := json.Marshal(struct {
		Name   string `json:"tenant_name"`
		Origin string `json:"origin"`
	}{of.Name, of.Origin}) // of two strings
	return state.AuditEntry{At: time.Now(), Event: event, Actor: by, Tenant: of.ID, Result: "done", About: about}
}

// applyChanges has the running service, if any, apply what changed in the registry.
func (t *Tenants) applyChanges() error {
	if t.changed == nil {
		return nil
	}
	return t.changed()
}

// TakesConsented reports whether any sync is for tenants that join.
func (t *Tenants) TakesConsented() bool {
	for _, entry := range t.config.Syncs {
		if entry.Value.From.Consented {
			return true
		}
	}
	return false
}

// Paused reports whether a tenant is paused by command, or removed, as the registry has it now.
func (t *Tenants) Paused(id graphsync.ID) (bool, error) {
	record, err := t.store.TenantRecords().Get(id)
	return record.Paused || !record.Removed.IsZero(), err
}

// Configures reports whether a tenant is in the configuration.
func (t *Tenants) Configures(id graphsync.ID) bool {
	for _, tenant := range t.config.Tenants.All() {
		if tenant.ID == id.String() {
			return true
		}
	}
	return false
}
