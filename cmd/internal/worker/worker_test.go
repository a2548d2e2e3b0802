package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"entrasync/cmd/internal/compile"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

// A tenant's state is open while a cycle has the turn or waits for it, and no longer: the store refuses to
// remove one that is open.
func TestIdleTenantsAreClosed(t *testing.T) {
	t.Parallel()
	store, err := state.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	w := New(&configs.Config{}, nil, store, testOptions())
	defer w.Close()
	id := graphsync.ID{1}

	first, release, err := w.turns.take(t.Context(), store, id)
	if err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := w.turns.take(impatient, store, id); !errors.Is(err, context.Canceled) {
		t.Errorf("a second turn during the first: %v", err)
	}
	if err := first.View(func(*state.Tx) error { return nil }); err != nil {
		t.Errorf("a cycle that gave up waiting closed it for the other: %v", err)
	}
	if !w.Busy(id) || store.RemoveTenant(id) == nil {
		t.Error("the tenant is not open during a turn")
	}

	type taken struct {
		tenant  *state.Tenant
		release func()
		err     error
	}
	next := make(chan taken)
	go func() {
		var t2 taken
		t2.tenant, t2.release, t2.err = w.turns.take(t.Context(), store, id)
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
	if len(w.turns.byID) > 0 || w.Busy(id) {
		t.Error("an idle tenant is still held")
	}
	if err := store.RemoveTenant(id); err != nil {
		t.Errorf("an idle tenant is still open: %v", err)
	}
}

// The turn is released whatever goes wrong between taking it and having all that a run needs: otherwise
// no cycle of the tenant runs again.
func TestTurnIsReleased(t *testing.T) {
	t.Parallel()
	w := consentedWorker(t, state.TenantRecord{Name: "fabrikam", ID: graphsync.ID{0xfa}, Origin: FromConsent})
	healthy := w.Syncs[slices.IndexFunc(w.Syncs, func(s *compile.Sync) bool { return s.TenantName == "fabrikam" })]
	broken := *healthy
	broken.Sync = &reconcile.Sync{Name: "broken", Tenant: healthy.Tenant}
	w.Syncs = append(w.Syncs, &broken)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the sync without a mapping did not panic: the test shows nothing")
			}
		}()
		_, _, _ = w.Syncer(t.Context(), healthy, nil)
	}()
	if w.Busy(healthy.Tenant) {
		t.Error("the turn is still taken")
	}
}

// What no section names any more is not kept: a service that is reloaded for months must not grow.
func TestReleaseDropsFormerSections(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	load := func(secret, path string) (*configs.Config, []*compile.Sync) {
		t.Helper()
		cfg, syncs, err := compile.Parse("entrasync.yaml", fmt.Appendf(nil, `state: %q
app: {client_id: 6a1e0000-0000-0000-0000-000000000001, client_secret: %s}
tenants: {contoso: {id: 11111111-1111-1111-1111-111111111111}}
targets: {people: {type: file, path: %q}}
syncs: {people: {from: contoso, to: people, users: {attributes: {userName: "[mail]"}}}}
`, filepath.Join(dir, "state"), secret, filepath.Join(dir, path)), os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		return cfg, syncs
	}
	cfg, syncs := load("secret-1", "people-1.jsonl")
	w := openWith(t, cfg, syncs)
	use := func(w *Worker) {
		t.Helper()
		_, sourceErr := w.Source(w.Syncs[0])
		_, targetErr := w.Target(w.Syncs[0])
		if err := errors.Join(sourceErr, targetErr); err != nil {
			t.Fatal(err)
		}
	}
	use(w)
	next, err := w.WithConfig(load("secret-2", "people-2.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	use(next)
	count := func() (sources, targets, limiters int) {
		for _, made := range next.parts.sources {
			sources += len(made)
		}
		for _, made := range next.parts.targets {
			targets += len(made)
		}
		for _, made := range next.parts.limiters {
			limiters += len(made)
		}
		return sources, targets, limiters
	}
	if s, a, l := count(); s != 2 || a != 2 || l != 2 {
		t.Fatalf("before: %d sources, %d adapters, %d limiters, want two of each", s, a, l)
	}
	next.Release()
	if s, a, l := count(); s != 1 || a != 1 || l != 1 {
		t.Errorf("after: %d sources, %d adapters, %d limiters, want one of each", s, a, l)
	}
}
