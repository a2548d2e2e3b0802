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
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

// Commands that look through all tenants name one that its configuration does not fit, and answer for the
// others.
func TestFaultOfATenantThatJoins(t *testing.T) {
	t.Parallel()
	litware, tailspin := graphsync.ID{0xaa}, graphsync.ID{0xbb}
	cfg, syncs, err := compile.Parse("entrasync.yaml", fmt.Appendf(nil, `state: %q
app: {client_id: 6a1e0000-0000-0000-0000-000000000001, client_secret: s}
consent: {public_url: "https://sync.example.com"}
targets:
  people: {type: file, path: people.jsonl}
syncs:
  people:
    from: consented
    to: people
    users: {attributes: {userName: "[mail]", title: {expr: "[jobTitle]", aliases: {"{tenant}": %s}}}}
`, filepath.Join(t.TempDir(), "state"), litware), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.Open(cfg.State.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]graphsync.ID{"litware": litware, "tailspin": tailspin} {
		if err := store.TenantRecords().Put(state.TenantRecord{Name: name, ID: id, Origin: worker.FromConsent}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	w, err := worker.Open(cfg, syncs, worker.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var printed strings.Builder
	a := &app{out: io.Discard, err: &printed, attach: func() (*worker.Worker, error) { return w.Shared(), nil }}
	for name, look := range map[string]func() error{
		"explain": func() error {
			return explanations{a}.explain(t.Context(), reconcile.Subject{Kind: graphsync.User, Key: "ada"}, lookup.Selection{})
		},
		"eval": func() error { return (&evaluator{a, evalFlags{user: "ada"}}).user(t.Context(), "[mail]") },
	} {
		printed.Reset()
		err := look()
		if err == nil || !strings.HasSuffix(err.Error(), "is not in the snapshot of tenant tailspin") || !strings.Contains(printed.String(), "does not fit tenant litware") {
			t.Errorf("%s: %v\n%s", name, err, printed.String())
		}
	}
}
