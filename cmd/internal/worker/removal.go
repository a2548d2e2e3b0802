package worker

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"entrasync/cmd/internal/subscriptions"
	"entrasync/graphsync"
	"entrasync/state"
)

// Remove drops what the state holds of a tenant, when its running cycle has ended, and takes it off the
// registry. The caller has paused the tenant. One that the configuration names stays registered, paused.
// Accounts stay as they are. The audit log of the service says who removed it, and with which line the
// tenant's own log ended, which goes with the state.
func (w *Worker) Remove(ctx context.Context, t Tenant, by state.Actor) error {
	entry := auditEntry("tenant_removed", t, by)
	err := w.View(t.ID, func(tx *state.Tx) error {
		last, head := tx.Audit().Head()
		about, err := json.Marshal(struct {
			Name string `json:"tenant_name"`
			Last uint64 `json:"last_line"`
			Head string `json:"last_hash"`
		}{t.Name, last, head.String()})
		entry.About = about
		return err
	})
	if damaged := (*state.DamagedError)(nil); err != nil && !errors.As(err, &damaged) {
		return err
	}
	if err := w.forget(ctx, t); err != nil {
		return err
	}
	if err := w.Tenants.strike(t, entry); err != nil {
		return err
	}
	return w.Tenants.applyChanges()
}

// strike takes a tenant off the registry, with the invitations that are for it alone. The registry keeps
// that it was removed: an open link must not bring it back.
func (t *Tenants) strike(of Tenant, entry state.AuditEntry) error {
	_, err := t.store.Invitations().Drop(func(_ state.InvitationKey, i state.Invitation) bool {
		return i.Tenant == of.ID || i.Claim.Proving() && i.Claim.Tenant == of.ID
	})
	if err != nil {
		return err
	}
	return t.store.TenantRecords().Change(of.ID, func(r *state.TenantRecord) error {
		*r = state.TenantRecord{
			ID: of.ID, Name: of.Name, Origin: of.Origin, Note: r.Note, Paused: t.Configures(of.ID),
			Removed: time.Now().UTC().Truncate(time.Second),
		}
		return nil
	}, entry)
}

// endSubscriptions has Graph post no more change notifications of a tenant. Where that cannot be done those it still has expire
// within a month, and what they deliver is refused.
func (w *Worker) endSubscriptions(ctx context.Context, t Tenant) {
	known, err := w.Store.Subscriptions().Of(t.ID)
	if err == nil && len(known) == 0 {
		return
	}
	var graph graphsync.Subscriber
	if source, opened := w.Directories.source(t.Name, TenantOf(w.Config, t.ID)); opened == nil {
		if notifier, ok := source.(graphsync.Notifier); ok {
			graph = notifier.Subscriptions()
		}
	}
	if err == nil {
		err = subscriptions.EndAll(ctx, w.Store.Subscriptions(), t.ID, graph)
	}
	if err != nil {
		w.Log.Warn("subscriptions to change notifications could not be ended; they expire within a month, and what they deliver is refused", "tenant", t.Name, "error", err)
	}
}

// forget drops a tenant's state, when its running cycle has ended.
func (w *Worker) forget(ctx context.Context, t Tenant) error {
	held, release, err := w.turns.take(ctx, w.Store, t.ID)
	if err != nil {
		return err
	}
	w.endSubscriptions(ctx, t)
	w.turns.forget(t.ID)
	release()
	w.parts.forgetSource(t.Name, t.ID)
	if err := held.Close(); err != nil {
		return err
	}
	// The status page may be reading it, for a moment.
	for tries := 0; ; tries++ {
		err := w.Store.RemoveTenant(t.ID)
		if err == nil || tries == 20 {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
