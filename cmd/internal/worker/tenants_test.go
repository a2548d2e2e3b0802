package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
	"entrasync/target"
)

func TestUniqueName(t *testing.T) {
	t.Parallel()
	id := graphsync.ID{0xab}
	for _, tt := range []struct{ organization, want string }{
		{"Contoso", "contoso-2"},
		{"Fabrikam Ltd.", "fabrikam-ltd-3"},
		{"  Tail -- Spin/../Toys ", "tail-spin-toys"},
		{"Ærø Færgerne A/S", "r-f-rgerne-a-s"},
		{"株式会社", "tenant-ab000000"},
		{"", "tenant-ab000000"},
		{"consented", "tenant-ab000000"},
		{"11111111-1111-1111-1111-111111111111", "tenant-ab000000"},
		{strings.Repeat("Long ", 30), "long-long-long-long-long-long-long-long"},
	} {
		got := uniqueName(tt.organization, id, []string{"contoso", "fabrikam-ltd", "fabrikam-ltd-2"})
		if got != tt.want {
			t.Errorf("%q: %s, want %s", tt.organization, got, tt.want)
		}
	}
}

func TestHealthOf(t *testing.T) {
	t.Parallel()
	failure := func(class graphsync.Class) error {
		return fmt.Errorf("sync people: %w", &graphsync.Error{Class: class, Message: "it went wrong", Hint: "do something"})
	}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"all is well":     {nil, "active: "},
		"consent":         {failure(graphsync.ConsentMissing), "consent_missing: it went wrong; do something"},
		"permission":      {failure(graphsync.PermissionMissing), "permission_missing: it went wrong; do something"},
		"credential":      {failure(graphsync.CredentialExpired), "credential_expired: it went wrong; do something"},
		"policy":          {failure(graphsync.Policy), "policy: it went wrong; do something"},
		"the network":     {failure(graphsync.Unreachable), "unknown"},
		"throttled":       {failure(graphsync.Throttled), "unknown"},
		"this machine":    {errors.New("the disk is full"), "unknown"},
		"the application": {fmt.Errorf("sync people: %w", &target.Error{Code: target.Unavailable}), "active: "},
		"quarantine":      {fmt.Errorf("sync people: %w", reconcile.ErrPaused), "active: "},
	} {
		word, message, known := healthOf(tt.err)
		got := word + ": " + message
		if !known {
			got = "unknown"
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// A sync that needs less does not hide what another lacks; the one that lacked it tells that it has it.
func TestHealthOfSeveralSyncs(t *testing.T) {
	t.Parallel()
	fabrikam := graphsync.ID{0xfa}
	w := consentedWorker(t, state.TenantRecord{Name: "fabrikam", ID: fabrikam, Origin: FromConsent, State: Active})
	syncs := map[string]*compile.Sync{}
	for _, s := range w.Syncs {
		syncs[s.Name] = s
	}
	missing := &graphsync.Error{Class: graphsync.PermissionMissing, Message: "it lacks one"}
	for i, step := range []struct {
		sync string
		err  error
		want string
	}{
		{"own", nil, "active"}, {"common", missing, "permission_missing"}, {"own", nil, "permission_missing"}, {"common", nil, "active"},
		{"common", missing, "permission_missing"}, {"gone", nil, "permission_missing"},
	} {
		s, ok := syncs[step.sync]
		if !ok {
			s = &compile.Sync{Sync: &reconcile.Sync{Name: step.sync, Tenant: fabrikam}, TenantName: "fabrikam"}
		}
		w.NoteHealth(t.Context(), s, nil, step.err)
		records, err := w.Store.TenantRecords().All()
		if err != nil || records[0].State != step.want {
			t.Errorf("step %d: %s, %v, want %s", i, records[0].State, err, step.want)
		}
	}
	w.Syncs = []*compile.Sync{syncs["own"]}
	w.NoteHealth(t.Context(), syncs["own"], nil, nil)
	if records, err := w.Store.TenantRecords().All(); err != nil || records[0].State != Active {
		t.Errorf("what a sync met that there is no more: %+v, %v", records, err)
	}
}

func TestEndWarning(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		ends time.Time
		want string
	}{
		"not known":   {time.Time{}, ""},
		"for long":    {now.AddDate(1, 0, 0), ""},
		"soon":        {now.AddDate(0, 0, 5), "ends on 2026-11-27; add a new client secret"},
		"by now, yet": {now.AddDate(0, 0, -1), "was to end on 2026-11-21, and still works"},
	} {
		if got := EndWarning(tt.ends, now); !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

const consentedConfig = `state: %q
app: {client_id: 6a1e0000-0000-0000-0000-000000000001, client_secret: s}
consent: {public_url: "https://sync.example.com"}
tenants:
  contoso: {id: 11111111-1111-1111-1111-111111111111}
targets:
  own: {type: file, path: "{tenant}.jsonl"}
  common: {type: file, path: all.jsonl}
syncs:
  own: &sync
    from: consented
    to: own
    guard: {first_run_removals: allow}
    users:
      attributes:
        userName: "[userPrincipalName]"
        externalId: "[objectId]"
        title: {expr: '"of {tenant}"', default: "{tenant}"}
  common: {from: consented, to: common, users: {attributes: {userName: "[userPrincipalName]"}}}
  named: {from: contoso, to: common, users: {attributes: {userName: "[userPrincipalName]"}}}
`

func consentedWorker(t *testing.T, records ...state.TenantRecord) *Worker {
	t.Helper()
	file := filepath.Join(t.TempDir(), "entrasync.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, consentedConfig, filepath.Join(filepath.Dir(file), "state")), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, syncs, err := compile.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return openWith(t, cfg, syncs, records...)
}

// openWith opens a configuration whose registry has some records.
func openWith(t *testing.T, cfg *configs.Config, syncs []*compile.Sync, records ...state.TenantRecord) *Worker {
	t.Helper()
	store, err := state.Open(cfg.State.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		if err := store.TenantRecords().Put(record); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	w, err := Open(cfg, syncs, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// testOptions open sources that make no request.
func testOptions() Options {
	return Options{
		OpenSource: func(Connection) (graphsync.Source, error) { return &unread{}, nil },
		Log:        slog.New(slog.DiscardHandler),
	}
}

// unread is a source that no test reads.
type unread struct {
	graphsync.Source
	_ byte // so that two of them are not one
}

// Every tenant that joined has each of the syncs, with its own constants; one whose id the
// configuration has is not taken twice, and one whose name it has takes another.
func TestConsentedSyncs(t *testing.T) {
	t.Parallel()
	contoso, err := graphsync.ParseID("11111111-1111-1111-1111-111111111111")
	if err != nil {
		t.Fatal(err)
	}
	fabrikam, tailspin := graphsync.ID{0xfa}, graphsync.ID{0x7a}
	w := consentedWorker(t,
		state.TenantRecord{Name: "fabrikam", ID: fabrikam, Origin: FromConsent, State: "consent_missing", Message: "it is gone"},
		state.TenantRecord{Name: "tailspin", ID: tailspin, Origin: FromConsent, Paused: true},
		state.TenantRecord{Name: "contoso", ID: graphsync.ID{9}, Origin: FromConsent},
		state.TenantRecord{Name: "contoso-again", ID: contoso, Origin: FromConsent},
		state.TenantRecord{Name: "old", ID: graphsync.ID{8}, Origin: FromFile, State: Active},
		state.TenantRecord{Name: "gone", ID: graphsync.ID{7}, Origin: FromConsent, Removed: time.Now()},
	)
	got := map[string]string{}
	for _, s := range w.Syncs {
		application, err := w.Application(s)
		if err != nil {
			t.Fatal(err)
		}
		if s.Guard.FirstRunRemovals {
			t.Errorf("the first sync of %s may remove a user", s.TenantName)
		}
		if bounded := s.Guard.Domains != nil; bounded != (s.Name == "common") {
			t.Errorf("sync %s of %s, whose domains are not known: adoptions by address are bounded: %t", s.Name, s.TenantName, bounded)
		}
		got[s.Name+"/"+s.TenantName] = strings.TrimSpace(application.Key + " " + s.Paused)
		if s.Name == "own" && !strings.Contains(s.Text, `of `+s.Tenant.String()) {
			t.Errorf("%s: {tenant} is not filled in: %s", s.TenantName, s.Text)
		}
	}
	want := map[string]string{
		"named/contoso": "common",
		"own/fabrikam":  "own/" + fabrikam.String(), "common/fabrikam": "common",
		"own/tailspin": "own/" + tailspin.String() + " by command", "common/tailspin": "common by command",
		"own/contoso-2": "own/" + (graphsync.ID{9}).String(), "common/contoso-2": "common",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("syncs %v\nwant  %v", got, want)
	}
	tenants, err := w.Tenants.List()
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, s := range tenants {
		states = append(states, s.Name+" "+s.Origin+" "+s.State)
	}
	if got, want := strings.Join(states, ", "), "contoso file active, contoso-2 consent active, "+
		"fabrikam consent consent_missing, old file not_configured, tailspin consent paused"; got != want {
		t.Errorf("tenants %s\nwant    %s", got, want)
	}
}

// A tenant that only waits costs little: what is the same for all is shared.
func TestConsentedSyncsShare(t *testing.T) {
	t.Parallel()
	w := consentedWorker(t, state.TenantRecord{Name: "a", ID: graphsync.ID{1}, Origin: FromConsent}, state.TenantRecord{Name: "b", ID: graphsync.ID{2}, Origin: FromConsent})
	mappings := map[string]map[any]bool{}
	for _, s := range w.Syncs {
		if mappings[s.Name] == nil {
			mappings[s.Name] = map[any]bool{}
		}
		mappings[s.Name][s.Users.Mapping] = true
	}
	if len(mappings["common"]) != 1 || len(mappings["own"]) != 2 {
		t.Errorf("mappings: %d common, %d of their own, want 1 and 2", len(mappings["common"]), len(mappings["own"]))
	}
}

// The state can be found in a file that has other faults, and where it is in none.
func TestStateDirOfAFaultyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for text, want := range map[string]string{
		"state: here\nschedule: ${NOT_SET_ANYWHERE}": filepath.Join(dir, "here"),
		"state: /there\nnonsense: 1":                 "/there",
		"syncs: {}":                                  configs.DefaultState,
		"state: ${NOT_SET_ANYWHERE}":                 "",
		"state: [a]":                                 "",
		"state: {":                                   "",
	} {
		file := filepath.Join(dir, "entrasync.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := configs.StateDir(file); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", text, got, ok, want)
		}
	}
}
