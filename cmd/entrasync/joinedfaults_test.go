package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/cmd/internal/compile"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

const fabrikamConfig = `state: %q
app: {client_id: 6a1e0000-0000-0000-0000-000000000001, client_secret: s}
consent: {public_url: "https://sync.example.com"}
tenants:
  contoso: {id: 11111111-1111-1111-1111-111111111111}
  fabrikam.com: {id: 22222222-2222-2222-2222-222222222222}
targets:
  people: {type: file, path: people.jsonl}
syncs:
  people:
    to: people
`

// loaded returns the syncs of a configuration with one sync, whose keys are given.
func loaded(t *testing.T, keys string) (*configs.Config, []*compile.Sync, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "entrasync.yaml")
	text := fmt.Sprintf(fabrikamConfig, filepath.Join(filepath.Dir(file), "state")) + keys
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return compile.Load(file)
}

// A fault that one tenant brings about when it joins stops that tenant alone, and names it.
func TestTenantFaultOfOneWhoJoins(t *testing.T) {
	t.Parallel()
	a, b := graphsync.ID{0xaa}, graphsync.ID{0xbb}
	cfg, syncs, err := loaded(t, fmt.Sprintf(`
    from: consented
    users: {attributes: {userName: "[mail]", title: {expr: "[jobTitle]", aliases: {"{tenant}": %s}}}}
`, a))
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.Open(cfg.State)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorker(cfg, syncs, store, slog.New(slog.DiscardHandler))
	defer w.Close()
	for name, id := range map[string]graphsync.ID{"litware": a, "tailspin": b} {
		if err := store.PutTenantRecord(state.TenantRecord{Name: name, ID: id, Origin: fromConsent}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.register(); err != nil {
		t.Fatal(err)
	}
	if len(w.syncs) != 2 {
		t.Fatalf("%d syncs, want one for each", len(w.syncs))
	}
	for _, s := range w.syncs {
		_, release, err := w.syncer(t.Context(), s, nil)
		switch {
		case s.Tenant == b && err != nil:
			t.Errorf("%s: %v", s.TenantName, err)
		case s.Tenant == b:
			release()
		case err == nil || !strings.Contains(err.Error(), "tenant litware") || !strings.Contains(err.Error(), "is an alias of itself"):
			t.Errorf("%s: %v", s.TenantName, err)
		}
	}

	// What looks through all tenants tells of it and goes on.
	var told strings.Builder
	a2 := &app{out: io.Discard, err: &told, borrow: func() (*worker, error) { return w, nil }}
	w.shared = true
	defer func() { w.shared = false }()
	for name, look := range map[string]func() error{
		"explain": func() error {
			return a2.explain(t.Context(), reconcile.Subject{Kind: graphsync.User, Key: "ada"}, selection{})
		},
		"eval": func() error { return a2.evalUser(t.Context(), "[mail]", evalFlags{user: "ada"}) },
	} {
		told.Reset()
		err := look()
		if err == nil || !strings.HasSuffix(err.Error(), "is not in the snapshot of tenant tailspin") || !strings.Contains(told.String(), "does not fit tenant litware") {
			t.Errorf("%s: %v\n%s", name, err, told.String())
		}
	}
}
