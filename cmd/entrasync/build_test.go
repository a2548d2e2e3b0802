package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"

	"entrasync/cmd/internal/compile"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

// A tenant's state is open while somebody has the turn or waits for it, and then no more: the
// store refuses to remove one that is.
func TestIdleTenantsAreClosed(t *testing.T) {
	t.Parallel()
	store, err := state.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorker(&configs.Config{}, nil, store, slog.New(slog.DiscardHandler))
	defer w.Close()
	id := graphsync.ID{1}

	first, release, err := w.tenant(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := w.tenant(impatient, id); !errors.Is(err, context.Canceled) {
		t.Errorf("a second turn beside the first: %v", err)
	}
	if err := first.View(func(*state.Tx) error { return nil }); err != nil {
		t.Errorf("one who gave up waiting closed it for the other: %v", err)
	}
	if !w.busy(id) || store.RemoveTenant(id) == nil {
		t.Error("the tenant is not open during a turn")
	}

	type turn struct {
		tenant  *state.Tenant
		release func()
		err     error
	}
	next := make(chan turn)
	go func() {
		var t2 turn
		t2.tenant, t2.release, t2.err = w.tenant(t.Context(), id)
		next <- t2
	}()
	release()
	second := <-next
	if second.err != nil {
		t.Fatal(second.err)
	}
	if err := second.tenant.View(func(*state.Tx) error { return nil }); err != nil {
		t.Errorf("the next turn: %v", err)
	}
	second.release()
	if len(w.tenants.byID) > 0 || w.busy(id) {
		t.Error("an idle tenant is still held")
	}
	if err := store.RemoveTenant(id); err != nil {
		t.Errorf("an idle tenant is still open: %v", err)
	}
}

// Whatever goes wrong between taking a tenant's turn and having all that a run needs, the turn is
// given back: else nothing runs for the tenant any more.
func TestTurnIsGivenBack(t *testing.T) {
	t.Parallel()
	w := consentedWorker(t, state.TenantRecord{Name: "fabrikam", ID: graphsync.ID{0xfa}, Origin: fromConsent})
	healthy := w.syncs[slices.IndexFunc(w.syncs, func(s *compile.Sync) bool { return s.TenantName == "fabrikam" })]
	broken := *healthy
	broken.Sync = &reconcile.Sync{Name: "broken", Tenant: healthy.Tenant}
	w.syncs = append(w.syncs, &broken)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the sync without a mapping did no harm: the test shows nothing")
			}
		}()
		_, _, _ = w.syncer(t.Context(), healthy, nil)
	}()
	if w.busy(healthy.Tenant) {
		t.Error("the turn is still taken")
	}
}
