package lookup

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/mapping"
	"entrasync/state"
)

var contoso, fabrikam = graphsync.ID{0xc0}, graphsync.ID{0xfa}

// open opens a configuration of two syncs and two tenants, each with users in its snapshot.
func open(t *testing.T) *worker.Worker {
	t.Helper()
	dir := t.TempDir()
	cfg, syncs, err := compile.Parse("entrasync.yaml", []byte(`
state: `+filepath.Join(dir, "state")+`
app: {client_id: 6a1e0000-0000-0000-0000-000000000001, client_secret: s}
tenants:
  contoso: {id: `+contoso.String()+`}
  fabrikam: {id: `+fabrikam.String()+`}
targets:
  a: {type: file, path: `+filepath.Join(dir, "a.jsonl")+`}
  b: {type: file, path: "`+filepath.Join(dir, "b-{tenant}.jsonl")+`"}
syncs:
  people: {from: contoso, to: a, scope: {users: all}, users: {attributes: {userName: "[userPrincipalName]"}}}
  both: {from: [contoso, fabrikam], to: b, scope: {users: all}, users: {attributes: {userName: "[userPrincipalName]"}}}
`), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	w, err := worker.Open(cfg, syncs, worker.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	for tenant, names := range map[graphsync.ID][]string{contoso: {"ada", "bob", "both"}, fabrikam: {"zoe", "both"}} {
		put(t, w, tenant, names)
	}
	return w
}

// put adds users to a tenant's snapshot.
func put(t *testing.T, w *worker.Worker, tenant graphsync.ID, names []string) {
	t.Helper()
	opened, err := w.Store.Tenant(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	err = opened.Update(func(tx *state.Tx) error {
		for i, name := range names {
			address := name + "@example.com"
			change := graphsync.Change{ID: graphsync.ID{tenant[0], byte(i)}, Properties: []graphsync.Property{
				{Name: "displayName", Value: []byte(`"` + strings.ToUpper(name) + `"`)},
				{Name: "userPrincipalName", Value: []byte(`"` + address + `"`)},
			}}
			change.Kind = graphsync.User
			if err := tx.Objects().Put(&change, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A selection finds what it names, and what it names in vain is an error with the nearest name.
func TestSelection(t *testing.T) {
	t.Parallel()
	w := open(t)
	for name, tt := range map[string]struct {
		selection Selection
		want      string // sync/tenant of each, or the error
	}{
		"all":                   {Selection{}, "people/contoso both/contoso both/fabrikam"},
		"a sync":                {Selection{Syncs: []string{"both"}}, "both/contoso both/fabrikam"},
		"a tenant":              {Selection{Tenants: []string{"fabrikam"}}, "both/fabrikam"},
		"a tenant by its id":    {Selection{Tenants: []string{strings.ToUpper(contoso.String())}}, "people/contoso both/contoso"},
		"a sync and a tenant":   {Selection{Syncs: []string{"both"}, Tenants: []string{"contoso"}}, "both/contoso"},
		"a misspelled sync":     {Selection{Syncs: []string{"peple"}}, `there is no sync "peple"`},
		"a tenant not there":    {Selection{Tenants: []string{"fabricam"}}, `there is no tenant "fabricam"`},
		"a tenant it reads not": {Selection{Syncs: []string{"people"}, Tenants: []string{"fabrikam"}}, "sync people does not read from tenant fabrikam"},
	} {
		syncs, err := tt.selection.Of(w)
		var got []string
		for _, s := range syncs {
			got = append(got, s.Name+"/"+s.TenantName)
		}
		text := strings.Join(got, " ")
		if err != nil {
			text = err.Error()
		}
		if text != tt.want {
			t.Errorf("%s: %s, want %s", name, text, tt.want)
		}
	}
}

// A user is explained in each sync that has them; a part of a name is enough where it means one user.
func TestExplain(t *testing.T) {
	t.Parallel()
	w := open(t)
	for key, want := range map[string]string{
		"ada@example.com":  "people/ada@example.com both/ada@example.com",
		"zo":               "both/zoe@example.com",
		"both@example.com": "people/both@example.com both/both@example.com both/both@example.com",
		"example.com":      `several users of the tenants contoso, fabrikam contain "example.com"`,
		"unknown":          `user "unknown" is not in the snapshot of the tenants contoso, fabrikam`,
	} {
		var got []string
		err := Explain(t.Context(), w, w.Syncs, reconcile.Subject{Kind: graphsync.User, Key: key}, func(s *compile.Sync, x *reconcile.Explanation) error {
			got = append(got, s.Name+"/"+x.Subject.Key)
			return nil
		})
		text := strings.Join(got, " ")
		if err != nil {
			text = err.Error()
		}
		if !strings.HasPrefix(text, want) || want == "" {
			t.Errorf("%s: %s, want %s", key, text, want)
		}
	}
}

// An expression is evaluated on one user: one whom several tenants have is not chosen between.
func TestUser(t *testing.T) {
	t.Parallel()
	w := open(t)
	for key, want := range map[string]string{
		"ada@example.com":  "people",
		"zoe@example.com":  "both",
		"both@example.com": `user "both@example.com" is in the tenants contoso and fabrikam`,
		"eve@example.com":  `user "eve@example.com" is not in the snapshot of the tenants contoso, fabrikam`,
	} {
		calls := 0
		seen, err := User(t.Context(), w, w.Syncs, key, func(_ *compile.Sync, source mapping.Source, _ string) { calls++ })
		text := ""
		if err != nil {
			text = err.Error()
		} else if text = seen.Name; calls != 1 {
			t.Errorf("%s was presented %d times", key, calls)
		}
		if text != want {
			t.Errorf("%s: %s, want %s", key, text, want)
		}
	}
}

// Names of tenants are listed up to five, so that a message stays one line.
func TestTenantNames(t *testing.T) {
	t.Parallel()
	var syncs []*compile.Sync
	for want, names := range map[string][]string{
		"any tenant":                           nil,
		"tenant a":                             {"a", "a"},
		"the tenants a, b":                     {"a", "b", "a"},
		"the tenants a, b, c, d, e and 2 more": {"a", "b", "c", "d", "e", "f", "g"},
	} {
		syncs = nil
		for _, name := range names {
			syncs = append(syncs, &compile.Sync{TenantName: name})
		}
		if got := TenantNames(syncs); got != want {
			t.Errorf("%v: %s, want %s", names, got, want)
		}
	}
}
