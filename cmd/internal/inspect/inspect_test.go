package inspect

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entrasync/cmd/internal/advice"
	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

var contoso, fabrikam = graphsync.ID{0xc0}, graphsync.ID{0xfa}

// open opens a configuration with one sync of two tenants.
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
  app: {type: file, path: "`+filepath.Join(dir, "{tenant}.jsonl")+`"}
syncs:
  people: {from: [contoso, fabrikam], to: app, scope: {users: all}, users: {attributes: {userName: "[userPrincipalName]"}}}
`), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	w, err := worker.Open(cfg, syncs, worker.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// write changes a tenant's state.
func write(t *testing.T, w *worker.Worker, tenant graphsync.ID, change func(*state.Tx) error) {
	t.Helper()
	opened, err := w.Store.Tenant(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if err := opened.Update(change); err != nil {
		t.Fatal(err)
	}
}

var started = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// run is a past run as the state keeps it.
func run(id, result string, after time.Duration) state.Run {
	return state.Run{ID: id, Started: started.Add(after), Result: result, Report: []byte(`{"run":"` + id + `","result":"` + result + `"}`)}
}

// The result of a sync is that of its last run, and partial while records wait for a retry.
func TestStatus(t *testing.T) {
	t.Parallel()
	w := open(t)
	if s, err := StatusOf(w, w.Syncs[0]); err != nil || s.LastRun != nil || s.Result != "" || s.Linked != 0 {
		t.Errorf("before the first run: %+v, %v", s, err)
	}
	write(t, w, contoso, func(tx *state.Tx) error {
		return errors.Join(tx.PutSyncInfo("people", state.SyncInfo{LastRun: started}), tx.Runs("people").Put(run("r1", "failed", 0)), tx.Runs("people").Put(run("r2", "ok", time.Hour)),
			tx.Holds("people").Put(state.Hold{ID: "h-1", Guard: "removals", Cause: "left", Count: 2}))
	})
	if s, err := StatusOf(w, w.Syncs[0]); err != nil || s.LastRun.Run != "r2" || s.Result != reconcile.OK || s.Holds != 1 || s.Retrying != 0 {
		t.Errorf("after two runs: %+v, %v", s, err)
	}
	write(t, w, contoso, func(tx *state.Tx) error {
		return errors.Join(
			tx.Retries("people").Put(state.Retry{Key: state.PendingKey{Kind: graphsync.User, ID: graphsync.ID{1}}, Code: "target_rejected", Next: started.Add(2 * time.Hour)}),
			tx.Retries("people").Put(state.Retry{Key: state.PendingKey{Kind: graphsync.User, ID: graphsync.ID{2}}, Code: "target_rejected", Next: started.Add(time.Hour)}),
			tx.Retries("people").Put(state.Retry{Key: state.PendingKey{Kind: graphsync.User, ID: graphsync.ID{3}}, Code: "required_missing", Skipped: true}))
	})
	s, err := StatusOf(w, w.Syncs[0])
	if err != nil || s.Result != reconcile.Partial || s.Retrying != 2 || s.Skipped != 1 || !s.Waiting.Next["target_rejected"].Equal(started.Add(time.Hour)) {
		t.Errorf("with records that wait: %+v, %v", s, err)
	}
	if other, err := StatusOf(w, w.Syncs[1]); err != nil || other.LastRun != nil || other.Holds != 0 {
		t.Errorf("the other tenant: %+v, %v", other, err)
	}
}

// Runs come newest first, and latest is the newest.
func TestRuns(t *testing.T) {
	t.Parallel()
	w := open(t)
	write(t, w, contoso, func(tx *state.Tx) error {
		for i, id := range []string{"r1", "r2", "r3"} {
			if err := tx.Runs("people").Put(run(id, "ok", time.Duration(i)*time.Hour)); err != nil {
				return err
			}
		}
		return errors.Join(tx.Runs("people").AppendLine("r2", []byte(`{"op":"create"}`)), tx.Runs("people").AppendLine("r2", []byte(`{"op":"update"}`)))
	})
	reports, err := Runs(w, w.Syncs[0], RunQuery{Limit: 2})
	if err != nil || len(reports) != 2 || reports[0].Run != "r3" || reports[1].Run != "r2" {
		t.Errorf("the newest two: %+v, %v", reports, err)
	}
	for id, want := range map[string]string{"r2": "r2", Latest: "r3"} {
		if r, err := RunOf(w, w.Syncs[0], id); err != nil || r == nil || r.Report.Run != want {
			t.Errorf("%s: %+v, %v", id, r, err)
		}
	}
	if r, _ := RunOf(w, w.Syncs[0], "r2"); len(r.Actions) != 2 || string(r.Actions[1]) != `{"op":"update"}` {
		t.Errorf("its actions: %s", r.Actions)
	}
	for _, s := range w.Syncs[1:] {
		for _, id := range []string{"r2", Latest} {
			if r, err := RunOf(w, s, id); r != nil || err != nil {
				t.Errorf("%s of the other tenant: %+v, %v", id, r, err)
			}
		}
	}
}

// A decision is for one hold, or for the holds of one cause in one tenant, and for nothing where that is not certain.
func TestDecision(t *testing.T) {
	t.Parallel()
	w := open(t)
	for tenant, holds := range map[graphsync.ID][]state.Hold{
		contoso:  {{ID: "h-1", Cause: "Sales"}, {ID: "h-2", Cause: "Sales"}, {ID: "h-3", Cause: "only here"}},
		fabrikam: {{ID: "h-1", Cause: "Sales"}, {ID: "h-9", Cause: "other"}},
	} {
		write(t, w, tenant, func(tx *state.Tx) error {
			for _, h := range holds {
				if err := tx.Holds("people").Put(h); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for name, tt := range map[string]struct {
		decision Decision
		want     string // tenant/hold of each, or the error
		hint     string
	}{
		"one":                       {Decision{Hold: "h-2"}, "contoso/h-2", ""},
		"of several tenants":        {Decision{Hold: "h-1"}, "hold h-1 is there in several tenants: contoso, fabrikam", "--tenant"},
		"of the tenant named":       {Decision{Hold: "h-1", Selection: lookup.Selection{Tenants: []string{"fabrikam"}}}, "fabrikam/h-1", ""},
		"none":                      {Decision{Hold: "h-7"}, "there is no hold h-7", "entrasync holds"},
		"a cause":                   {Decision{Cause: "only here"}, "contoso/h-3", ""},
		"a cause of several":        {Decision{Cause: "Sales"}, "holds of this cause are there in several tenants: contoso, fabrikam", "--all-tenants"},
		"a cause in all tenants":    {Decision{Cause: "Sales", AllTenants: true}, "contoso/h-1 contoso/h-2 fabrikam/h-1", ""},
		"a cause in one tenant":     {Decision{Cause: "Sales", Selection: lookup.Selection{Tenants: []string{"contoso"}}}, "contoso/h-1 contoso/h-2", ""},
		"a cause that is not there": {Decision{Cause: "Sale"}, `there is no hold of the cause "Sale"`, "entrasync holds"},
	} {
		syncs, err := tt.decision.Of(w)
		if err != nil {
			t.Fatal(err)
		}
		holds, err := tt.decision.Holds(w, syncs)
		var got []string
		for _, h := range holds {
			got = append(got, h.TenantName+"/"+h.Hold)
		}
		text := strings.Join(got, " ")
		if err != nil {
			text = err.Error()
		}
		if text != tt.want || !strings.Contains(advice.Of(err), tt.hint) {
			t.Errorf("%s: %s (%s), want %s", name, text, advice.Of(err), tt.want)
		}
	}
}

// A decision is recorded in the tenant of its hold alone.
func TestDecide(t *testing.T) {
	t.Parallel()
	w := open(t)
	for _, tenant := range []graphsync.ID{contoso, fabrikam} {
		write(t, w, tenant, func(tx *state.Tx) error { return tx.Holds("people").Put(state.Hold{ID: "h-1", Count: 1}) })
	}
	holds, err := Holds(w, w.Syncs[:1], nil, false)
	if err != nil || len(holds) != 1 {
		t.Fatalf("%+v, %v", holds, err)
	}
	do := func(tx *state.Tx, sync, hold string, _ plan.Decision) (int, error) {
		return 7, tx.Holds(sync).Delete(hold)
	}
	if n, err := Decide(w, &holds[0], do, plan.Decision{}); n != 7 || err != nil {
		t.Errorf("decided %d, %v", n, err)
	}
	left, err := Holds(w, w.Syncs, nil, false)
	if err != nil || len(left) != 1 || left[0].TenantName != "fabrikam" {
		t.Errorf("left: %+v, %v", left, err)
	}
	refuse := func(*state.Tx, string, string, plan.Decision) (int, error) { return 0, errors.New("it is gone") }
	if _, err := Decide(w, &left[0], refuse, plan.Decision{}); err == nil || err.Error() != "sync people, tenant fabrikam, hold h-1: it is gone" {
		t.Errorf("refused: %v", err)
	}
}

// Links that were made are listed newest first, each with its state and why.
func TestInvitations(t *testing.T) {
	t.Parallel()
	w := open(t)
	if list, err := Invitations(w.Store, started); err != nil || list == nil || len(list) != 0 {
		t.Errorf("none: %v, %v", list, err)
	}
	for i, invitation := range []state.Invitation{
		{Note: "first", Created: started, Expires: started.Add(time.Hour)},
		{Note: "second", Created: started.Add(time.Minute), Expires: started.Add(24 * time.Hour), Tenant: contoso},
	} {
		if err := w.Store.Invitations().Put(state.InvitationKey{byte(i)}, invitation); err != nil {
			t.Fatal(err)
		}
	}
	list, err := Invitations(w.Store, started.Add(2*time.Hour))
	if err != nil || len(list) != 2 || list[0].Note != "second" || list[0].State != "open" || *list[0].Tenant != contoso.String() || list[1].State != "expired" || list[1].Tenant != nil {
		t.Errorf("listed %+v, %v", list, err)
	}
}
