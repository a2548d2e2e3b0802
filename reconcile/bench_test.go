package reconcile_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// BenchmarkInitialCycle provisions everybody: pages decoded before, an application that only
// counts, so that what is measured is the work between them.
func BenchmarkInitialCycle(b *testing.B) {
	for _, n := range []int{1_000, 20_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				w := newBenchWorker(b, n)
				w.cycle(b)
				w.close(b)
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "users/s")
		})
	}
}

// BenchmarkNoChangeCycle must cost the same at any size of the directory.
func BenchmarkNoChangeCycle(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			w := newBenchWorker(b, n)
			defer w.close(b)
			w.cycle(b)
			for b.Loop() {
				if report := w.cycle(b); report.Summary.Changes() != 0 {
					b.Fatalf("a cycle without a change did %+v", report.Summary)
				}
			}
		})
	}
}

// BenchmarkOneChangeCycle must cost what changed, not what exists.
func BenchmarkOneChangeCycle(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			w := newBenchWorker(b, n)
			defer w.close(b)
			w.cycle(b)
			for i := 0; b.Loop(); i++ {
				w.source.pending = []graphsync.Change{benchUser(7, i+1)}
				if report := w.cycle(b); report.Summary.Update != 1 {
					b.Fatalf("a cycle after one change did %+v", report.Summary)
				}
			}
		})
	}
}

type benchWorker struct {
	source *benchSource
	store  *state.Store
	tenant *state.Tenant
	syncer *reconcile.Syncer
}

func newBenchWorker(b testing.TB, users int) *benchWorker {
	b.Helper()
	store, err := state.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	return newBenchWorkerOn(b, store, users)
}

func newBenchWorkerOn(b testing.TB, store *state.Store, users int) *benchWorker {
	b.Helper()
	id := graphsync.ID{1}
	tenant, err := store.Own(id)
	if err != nil {
		b.Fatal(err)
	}
	m, faults := mapping.New(target.User, []mapping.Spec{
		{Path: "externalId", Expr: "[objectId]"},
		{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
		{Path: "active", Expr: "Not([IsSoftDeleted])"},
		{Path: "displayName", Expr: "[displayName]"},
		{Path: "name.givenName", Expr: "[givenName]"},
		{Path: "name.familyName", Expr: "[surname]"},
		{Path: "title", Expr: "[jobTitle]"},
		{Path: `emails[type eq "work"].value`, Expr: "[mail]"},
		{Path: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", Expr: "[department]"},
	})
	if len(faults) > 0 {
		b.Fatal(faults)
	}
	s := &reconcile.Sync{Name: "bench", TargetName: "bench", Tenant: id, Scope: desired.Scope{All: true, Guests: true}, Text: "bench",
		Users: desired.Rules{Mapping: m, Match: []string{"externalId", "userName"}, OnRemove: desired.OnRemove{Do: plan.Deactivate},
			Actions: map[plan.Op]bool{plan.Create: true, plan.Update: true, plan.Deactivate: true, plan.Reactivate: true}}}
	source := &benchSource{users: users}
	return &benchWorker{source: source, store: store, tenant: tenant, syncer: &reconcile.Syncer{
		Sync: s, Requirements: reconcile.RequirementsOf([]*reconcile.Sync{s}), TenantSyncs: []string{s.Name}, Source: source, Store: store, Tenant: tenant,
		Target: &benchTarget{}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}}
}

func (w *benchWorker) cycle(b testing.TB) *reconcile.Report {
	b.Helper()
	report, err := w.syncer.Run(context.Background(), reconcile.Options{Apply: true})
	if err != nil {
		b.Fatal(err)
	}
	return report
}

func (w *benchWorker) close(b testing.TB) {
	b.Helper()
	if err := w.tenant.Close(); err != nil {
		b.Fatal(err)
	}
	if err := w.store.Close(); err != nil {
		b.Fatal(err)
	}
}

// benchSource serves made-up users in pages of 200, then whatever is pending.
type benchSource struct {
	graphsync.Source // not called
	users            int
	pending          []graphsync.Change
}

func benchUser(n, version int) graphsync.Change {
	id := graphsync.ID{byte(n >> 16), byte(n >> 8), byte(n), 0, 0, 1}
	text := func(name, value string) graphsync.Property {
		return graphsync.Property{Name: name, Value: []byte(strconv.Quote(value))}
	}
	name := "user" + strconv.Itoa(n)
	return graphsync.Change{Kind: graphsync.User, ID: id, Properties: []graphsync.Property{
		{Name: "accountEnabled", Value: []byte("true")},
		text("userPrincipalName", name+"@contoso.example"), text("mail", name+"@contoso.example"), text("displayName", "User "+name),
		text("givenName", "Given "+name), text("surname", "Family "+name), text("jobTitle", "Engineer, level "+strconv.Itoa(version)),
		text("department", "Department "+strconv.Itoa(n%40)), text("userType", "Member"),
	}}
}

func (s *benchSource) DeltaPage(_ context.Context, _ graphsync.Stream, _ []string, link string) (*graphsync.Page, error) {
	const size = 200
	if link == "delta" {
		page := &graphsync.Page{Delta: "delta", Changes: s.pending}
		s.pending = nil
		return page, nil
	}
	from := 0
	if link != "" {
		if _, err := fmt.Sscanf(link, "next%d", &from); err != nil {
			return nil, err
		}
	}
	page := &graphsync.Page{Bytes: size * 500}
	for n := from; n < min(from+size, s.users); n++ {
		page.Changes = append(page.Changes, benchUser(n, 0))
	}
	if from+size < s.users {
		page.Next = "next" + strconv.Itoa(from+size)
	} else {
		page.Delta = "delta"
	}
	return page, nil
}

func (s *benchSource) Traffic() graphsync.Traffic { return graphsync.Traffic{} }

// benchTarget is an application without accounts that takes everything at once.
type benchTarget struct {
	mu   sync.Mutex
	last int
}

func (t *benchTarget) Probe(context.Context, map[target.Kind][]target.Path) (*target.Profile, error) {
	return &target.Profile{}, nil
}

func (t *benchTarget) Find(context.Context, target.Kind, target.Path, string) ([]target.Resource, error) {
	return nil, nil
}

func (t *benchTarget) List(context.Context, target.Kind, func([]target.Resource) error) error {
	return nil
}

func (t *benchTarget) Create(_ context.Context, kind target.Kind, _ []target.Attribute) (*target.Resource, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	return &target.Resource{Ref: target.Ref{Kind: kind, ID: strconv.Itoa(t.last)}}, nil
}

func (t *benchTarget) Update(context.Context, target.Ref, []target.Attribute) (*target.Resource, error) {
	return nil, nil
}

func (t *benchTarget) Delete(context.Context, target.Ref) error { return nil }
