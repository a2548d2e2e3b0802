package worker

import (
	"entrasync/cmd/internal/compile"
	"entrasync/graphsync"
	"entrasync/state"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A configuration that does not fit a tenant that joins stops that tenant alone, and the error names it.
func TestFaultOfATenantThatJoins(t *testing.T) {
	t.Parallel()
	a, b := graphsync.ID{0xaa}, graphsync.ID{0xbb}
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
`, filepath.Join(t.TempDir(), "state"), a), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	w := openWith(t, cfg, syncs, state.TenantRecord{Name: "litware", ID: a, Origin: FromConsent}, state.TenantRecord{Name: "tailspin", ID: b, Origin: FromConsent})
	if len(w.Syncs) != 2 {
		t.Fatalf("%d syncs, want one for each", len(w.Syncs))
	}
	for _, s := range w.Syncs {
		_, release, err := w.Syncer(t.Context(), s, nil)
		switch {
		case s.Tenant == b && err != nil:
			t.Errorf("%s: %v", s.TenantName, err)
		case s.Tenant == b:
			release()
		case err == nil || !strings.Contains(err.Error(), "tenant litware") || !strings.Contains(err.Error(), "is an alias of itself"):
			t.Errorf("%s: %v", s.TenantName, err)
		}
	}
}
