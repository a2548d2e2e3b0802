package worker

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
	"entrasync/target"
)

// NoteHealth records in the registry what a cycle showed of its tenant's consent and credential. source is
// nil when the cycle could not open one.
func (w *Worker) NoteHealth(ctx context.Context, s *compile.Sync, source graphsync.Source, cycleErr error) {
	now := time.Now().UTC().Truncate(time.Second)
	var credential state.Credential
	domains := ""
	if cycleErr == nil {
		if credential = w.CredentialOf(ctx, s, source, now); credential.Asked.Equal(now) && !w.Tenants.Configures(s.Tenant) {
			domains = domainsOf(ctx, s, source, w.Log)
		}
	}
	learned := false // domains changed, and the syncs are made with them
	err := w.Store.TenantRecords().Change(s.Tenant, func(r *state.TenantRecord) error {
		if cycleErr == nil {
			learned = domains != "" && r.Domains != domains
			r.Credential, r.Domains = credential, cmp.Or(domains, r.Domains)
		}
		word, message, known := healthOf(cycleErr)
		switch {
		case (!r.Removed.IsZero() || r.Origin == "") && !w.Tenants.Configures(s.Tenant):
			return errRemoved
		case r.Origin == "":
			r.Origin = FromFile
		}
		if r.Origin == FromFile {
			r.Name = s.TenantName
		}
		// What one sync met is over when that sync succeeds, not when another does, which may need
		// fewer permissions.
		if !known || word == Active && r.State != Active && r.Sync != s.Name && reads(w.Syncs, r.Sync, s.Tenant) {
			return nil
		}
		if r.State != word {
			r.Since = now
		}
		r.State, r.Message, r.Sync = word, message, s.Name
		return nil
	})
	if err == nil && learned {
		err = w.Tenants.applyChanges()
	}
	if err != nil && !errors.Is(err, errRemoved) {
		w.Log.Error("record the state of a tenant", "tenant", s.TenantName, "error", err)
	}
}

// domainsOf reads the verified domains of a tenant that joined, once a day with its credential's end.
func domainsOf(ctx context.Context, s *compile.Sync, source graphsync.Source, log *slog.Logger) string {
	organization, err := source.Organization(ctx)
	if err != nil {
		log.Info("the domains of a tenant could not be read again", "tenant", s.TenantName, "because", err)
	}
	return strings.Join(organization.Domains, " ")
}

// errRemoved means that the tenant was removed during its last cycle.
var errRemoved = errors.New("the tenant was removed")

// passing are the failures that say nothing about a tenant's consent and credential.
var passing = []graphsync.Class{graphsync.Unreachable, graphsync.Throttled, graphsync.Transient, graphsync.BadResponse}

// healthOf returns the state and message that the outcome of a cycle gives its tenant; known is false when
// the outcome says nothing about the tenant.
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
		return Active, "", true // the directory was read before the application was asked
	}
	return "", "", false // a fault of this machine
}

// reads reports whether a sync of that name runs for a tenant.
func reads(syncs []*compile.Sync, sync string, tenant graphsync.ID) bool {
	return slices.ContainsFunc(syncs, func(s *compile.Sync) bool { return s.Name == sync && s.Tenant == tenant && s.Paused == "" })
}
