package worker

import (
	"context"
	"time"

	"entrasync/state"
)

// Remove drops what the state holds of a tenant, when its running cycle has ended, and takes it off the
// registry. The caller has paused the tenant. One that the configuration names stays registered, paused.
// Accounts stay as they are.
func (w *Worker) Remove(ctx context.Context, t Tenant) error {
	if err := w.forget(ctx, t); err != nil {
		return err
	}
	if err := w.Tenants.strike(t); err != nil {
		return err
	}
	return w.Tenants.TakeUp()
}

// strike takes a tenant off the registry, with the invitations that are for it alone. The registry keeps
// that it was removed: an open link must not bring it back.
func (t *Tenants) strike(of Tenant) error {
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
	})
}

// forget drops a tenant's state, when its running cycle has ended.
func (w *Worker) forget(ctx context.Context, t Tenant) error {
	held, release, err := w.turns.take(ctx, w.Store, t.ID)
	if err != nil {
		return err
	}
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
