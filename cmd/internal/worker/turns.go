package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"entrasync/graphsync"
	"entrasync/state"
)

// turns are the tenants whose state is open. The cycles of one tenant take turns, because its syncs
// share a snapshot. A tenant's state is closed when no cycle works with it or waits for it: hundreds of
// idle tenants cost neither memory nor descriptors.
type turns struct {
	log  *slog.Logger
	mu   sync.Mutex // protects byID and the uses
	byID map[graphsync.ID]*turn
}

// A turn is a tenant's open state.
type turn struct {
	tenant *state.Tenant
	taken  chan struct{}
	uses   int // cycles that have the turn or wait for it
}

func newTurns(log *slog.Logger) *turns {
	return &turns{log: log, byID: map[graphsync.ID]*turn{}}
}

// take returns a tenant's state when its turn is free. release ends the turn. Where workers share the state, this one owns the
// tenant meanwhile; while another one does, the error is a *[state.HeldError].
func (t *turns) take(ctx context.Context, store *state.Store, id graphsync.ID) (tenant *state.Tenant, release func(), err error) {
	for {
		held, err := t.join(store, id)
		if err != nil {
			return nil, nil, err
		}
		select {
		case held.taken <- struct{}{}:
		case <-ctx.Done():
			t.leave(held)
			return nil, nil, ctx.Err()
		}
		release := func() { <-held.taken; t.leave(held) }
		if held.tenant.Context().Err() != nil { // lost while another one had the turn
			t.forgetTurn(held)
			release()
			continue
		}
		return held.tenant, release, nil
	}
}

// join opens a tenant's state, or takes part in that which is open.
func (t *turns) join(store *state.Store, id graphsync.ID) (*turn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	held := t.byID[id]
	if held == nil {
		opened, err := store.Own(id)
		if err != nil {
			return nil, err
		}
		held = &turn{tenant: opened, taken: make(chan struct{}, 1)}
		t.byID[id] = held
	}
	held.uses++
	return held, nil
}

// forgetTurn has the next turn of a tenant open its state again, unless that has happened.
func (t *turns) forgetTurn(held *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id := held.tenant.ID(); t.byID[id] == held {
		delete(t.byID, id)
	}
}

// leave closes a tenant's state after its last user.
func (t *turns) leave(held *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if held.uses--; held.uses > 0 {
		return
	}
	id := held.tenant.ID()
	if t.byID[id] == held {
		delete(t.byID, id)
	}
	// What was committed is on disk already.
	if err := held.tenant.Close(); err != nil {
		t.log.Warn("close state", "tenant", id, "error", err)
	}
}

// busy reports whether a tenant's turn is taken.
func (t *turns) busy(id graphsync.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	held := t.byID[id]
	return held != nil && len(held.taken) > 0
}

// forget has the next turn of a tenant open its state again.
func (t *turns) forget(id graphsync.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, id)
}

// close closes the state of every tenant.
func (t *turns) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, held := range t.byID {
		errs = append(errs, held.tenant.Close())
	}
	return errors.Join(errs...)
}
