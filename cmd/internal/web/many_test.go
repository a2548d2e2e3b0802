package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"entrasync/cmd/internal/web"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

// manyTenants is a service with n tenants, each with a history of so many runs.
func manyTenants(tb testing.TB, n, runs int) *bench {
	b := newBench(tb, nil)
	for i := range n {
		sync := b.sync("front", fmt.Sprintf("tenant-%03d", i), i+1)
		b.tenants = append(b.tenants, web.Tenant{Name: sync.TenantName, ID: sync.Tenant, State: "active"})
		b.write(sync.Tenant, func(tx *state.Tx) error {
			for run := range runs {
				started := now.Add(-time.Duration(run) * 30 * time.Minute)
				report := reconcile.Report{Result: reconcile.OK, Started: started, DurationMS: 900, Summary: reconcile.Summary{Update: run % 5}}
				id := started.Format("20060102T150405.000Z")
				if err := tx.Runs("front").Put(state.Run{ID: id, Started: started, Result: "ok", Report: encode(tb, report)}); err != nil {
					return err
				}
			}
			return tx.PutSyncInfo("front", state.SyncInfo{LastRun: now})
		})
	}
	return b
}

// The overview reads a tenant's state once, and again only when it has changed: with the store
// closed, what is read no more is still shown, and what would be read cannot be.
func TestOverviewReadsWhatChanged(t *testing.T) {
	t.Parallel()
	b := manyTenants(t, 150, 30)
	first := b.get("/").Body.String()
	if n := strings.Count(first, "<svg class=\"trend\""); n != 100 {
		t.Fatalf("%d syncs on the first page, want 100", n)
	}
	b.write(id(7), func(tx *state.Tx) error {
		return tx.Pending("front").Add(state.PendingKey{Kind: graphsync.User, ID: id(1)})
	})
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	second := b.get("/").Body.String()
	if n := strings.Count(second, "<article class=\"trouble"); n != 1 || !strings.Contains(second, "<bdi>tenant-006</bdi></a></h3>") {
		t.Errorf("%d tenants were read, want only the one that changed", n)
	}
	if !strings.Contains(second, `150 syncs of 150 tenants. One needs attention.`) {
		t.Errorf("the others are not shown as they were:\n%.3000s", second)
	}
}

func TestOverviewPages(t *testing.T) {
	t.Parallel()
	b := manyTenants(t, 201, 1)
	for path, want := range map[string]string{
		"/": "1 to 100 of 201", "/?page=2": "101 to 200 of 201", "/?page=3": "201 to 201 of 201", "/?page=99": "201 to 201 of 201", "/?page=-1": "1 to 100 of 201", "/?page=x": "1 to 100 of 201",
	} {
		if page := b.get(path).Body.String(); !strings.Contains(page, want) {
			t.Errorf("GET %s does not show %s", path, want)
		}
	}
	if page := b.get("/tenants?page=3").Body.String(); !strings.Contains(page, "201 to 201 of 201") || !strings.Contains(page, "tenant-200") || strings.Contains(page, "tenant-199") {
		t.Error("the third part of the tenants is not the last one alone")
	}
	if page := b.get("/tenants?q=TENANT-1").Body.String(); strings.Contains(page, "tenant-099") || !strings.Contains(page, "tenant-199") {
		t.Error("the search for tenants shows others, or not all")
	}
	if page := b.get("/?q=TENANT-1&state=ok").Body.String(); strings.Contains(page, "tenant-099") || !strings.Contains(page, "tenant-199") || strings.Contains(page, "class=\"pager\"") {
		t.Error("the search shows others, or not all")
	}
}

// One secret that has expired is one thing to do, however many tenants it serves; so is one that
// soon will.
func TestOverviewSaysACauseOnce(t *testing.T) {
	t.Parallel()
	b := manyTenants(t, 30, 30)
	for i := range 30 {
		sync := &b.syncs[i]
		if i < 12 {
			b.run(sync, -time.Second, reconcile.Report{Result: reconcile.Failed, Failure: &reconcile.CycleFailure{Code: "credential_expired", Message: "the client secret has expired", Hint: "make a new one"}})
		}
		b.tenants[i].CredentialEnds, b.tenants[i].Message = now.AddDate(0, 0, 9), "it ends on 2026-12-01"
	}
	page := b.get("/").Body.String()
	if n := strings.Count(page, "<article class=\"trouble"); n != 2 {
		t.Errorf("%d causes, want 2", n)
	}
	for _, want := range []string{"and 7 others</h3>", "and 25 others</h3>", "30 syncs of 30 tenants. 30 need attention."} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// A run is shown in parts, each read from where it begins.
func TestLongRun(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	sync := b.sync("front", "contoso", 1)
	lines := make([]string, 250)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"op":"create","kind":"user","source_id":"%s","target_id":"t","key":"user-%03d","why":"assigned directly","outcome":"done"}`, id(i+1), i)
	}
	run := b.run(sync, time.Minute, reconcile.Report{Result: reconcile.OK, Summary: reconcile.Summary{Create: 250}}, lines...)
	path := sync.Path() + "/runs/" + run
	for page, want := range map[string]struct {
		first, last string
		n           int
	}{"": {"user-000", "user-099", 100}, "&page=2": {"user-100", "user-199", 100}, "&page=3": {"user-200", "user-249", 50}} {
		text := b.get(path + "?show=actions" + page).Body.String()
		if !strings.Contains(text, want.first) || !strings.Contains(text, want.last) || strings.Count(text, "<bdi>user-") != want.n {
			t.Errorf("page %q does not show %s to %s alone", page, want.first, want.last)
		}
	}
	if text := b.get(path + "?page=2").Body.String(); !strings.Contains(text, `href="`+path+`?page=3&amp;show=actions"`) || !strings.Contains(text, `href="`+path+`?page=1&amp;show=actions"`) {
		t.Error("the second part does not lead to the others")
	}
}

// Retries are shown in parts, each beginning behind the last one shown.
func TestManyRetries(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	sync := b.sync("front", "contoso", 1)
	b.write(sync.Tenant, func(tx *state.Tx) error {
		for n := range 150 {
			key := state.PendingKey{Kind: graphsync.User, ID: id(n + 1)}
			if n >= 100 {
				key = state.Membership(id(500), id(n+1))
			}
			if err := tx.Retries("front").Put(state.Retry{Key: key, Name: fmt.Sprintf("record-%03d", n), Code: "required_missing", First: now, Next: now, Attempts: 1}); err != nil {
				return err
			}
		}
		return nil
	})
	first := b.get(sync.Path()).Body.String()
	next := "?after=user." + id(100).String() + "#records"
	if !strings.Contains(first, "record-099") || strings.Contains(first, "<bdi>record-100</bdi>") || !strings.Contains(first, next) {
		t.Fatalf("the first part is not the first hundred, or does not lead on to %s", next)
	}
	second := b.get(sync.Path() + strings.TrimSuffix(next, "#records")).Body.String()
	if strings.Contains(second, "<bdi>record-099</bdi>") || !strings.Contains(second, "record-100") || !strings.Contains(second, "record-149") || !strings.Contains(second, "Fill the directory attribute") {
		t.Error("the second part is not the rest, or has no advice")
	}
	for _, after := range []string{"x", "user.x", "group." + id(1).String() + ".x", "user." + id(1).String() + "..", "planet." + id(1).String()} {
		if w := b.get(sync.Path() + "?after=" + after); w.Code != 404 {
			t.Errorf("after=%s: %d, want 404", after, w.Code)
		}
	}
}

// A damaged tenant is said to be so, and the others are shown.
func TestUnreadableTenant(t *testing.T) {
	t.Parallel()
	b := manyTenants(t, 3, 30)
	b.write(id(2), func(tx *state.Tx) error {
		return tx.Runs("front").Put(state.Run{ID: "x", Report: []byte(`"nonsense"`)})
	})
	page := b.get("/")
	if text := page.Body.String(); page.Code != 200 || !strings.Contains(text, "read run x") || !strings.Contains(text, "tenant-002") {
		t.Errorf("%d\n%s", page.Code, text)
	}
	if w := b.get("/syncs/front/tenant-001"); w.Code != 500 || !strings.Contains(w.Body.String(), "read run x") {
		t.Errorf("the page of the damaged one: %d\n%s", w.Code, w.Body)
	}
}

// overviewLimit is how long the overview of 500 tenants may take.
const overviewLimit = 50 * time.Millisecond

func BenchmarkOverview(bench *testing.B) {
	b := manyTenants(bench, 500, 30)
	bench.Run("first", func(bench *testing.B) {
		for bench.Loop() {
			bench.StopTimer()
			fresh := newBench(bench, nil)
			fresh.store.Close()
			fresh.pages.Store, fresh.syncs = b.store, b.syncs
			bench.StartTimer()
			fresh.get("/")
		}
	})
	bench.Run("then", func(bench *testing.B) {
		b.get("/")
		for bench.Loop() {
			b.get("/")
		}
		if each := bench.Elapsed() / time.Duration(bench.N); each > overviewLimit {
			bench.Errorf("the overview of 500 tenants takes %v, more than %v", each, overviewLimit)
		}
	})
}
