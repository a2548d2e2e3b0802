package reconcile_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// A service is a state directory, and what a configuration says of it: which target its syncs
// write to, and where that is.
type service struct {
	t     testing.TB
	dir   string
	store *state.Store
	now   time.Time

	to     string                    // name of the target section
	places map[string]string         // address of each section
	apps   map[string]target.Adapter // by address

	through func(*application) target.Adapter // how the application is reached; nil: directly
}

func newService(t testing.TB) *service {
	t.Helper()
	s := &service{t: t, dir: filepath.Join(t.TempDir(), "state"), now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
		to: "people", places: map[string]string{"people": "https://one"}, apps: map[string]target.Adapter{"https://one": newApplication()}}
	s.open()
	t.Cleanup(func() {
		if s.store != nil {
			s.store.Close()
		}
	})
	return s
}

func (s *service) open() {
	s.t.Helper()
	var err error
	if s.store, err = state.Open(s.dir); err != nil {
		s.t.Fatal(err)
	}
}

// restart continues as a new process, after something was done to the files.
func (s *service) restart(damage func() error) {
	s.t.Helper()
	if err := s.store.Close(); err != nil {
		s.t.Fatal(err)
	}
	if err := damage(); err != nil {
		s.t.Fatal(err)
	}
	s.open()
}

func (s *service) loseRegistry() error { return os.Remove(filepath.Join(s.dir, "registry.db")) }

// app is the application that the syncs write to now.
func (s *service) app() *application { return s.apps[s.places[s.to]].(*application) }

// adapter is the application as the syncs reach it.
func (s *service) adapter() target.Adapter {
	if s.through != nil {
		return s.through(s.app())
	}
	return s.apps[s.places[s.to]]
}

// A customer is a tenant of the service.
type customer struct {
	*service
	id     graphsync.ID
	source *directory
	reader graphsync.Source // what cycles read; nil: source
	name   string
	sync   string   // name of its sync
	peers  []string // all syncs of the tenant; nil: no other
	delete bool     // leavers are deleted

	onRemove desired.OnRemove // when not zero, instead

	change func(*reconcile.Sync) // may be nil
}

func (s *service) customer(name string) *customer {
	id := graphsync.ID{0xc0, byte(len(name))}
	copy(id[2:], name)
	return &customer{service: s, id: id, name: name, sync: "people", source: &directory{people: map[graphsync.ID]graphsync.Change{}, removed: map[graphsync.ID]graphsync.Removal{}}}
}

func (c *customer) rules() *reconcile.Sync {
	c.t.Helper()
	// Without an externalId, which would tell whose an account is, so that only claims do.
	m, faults := mapping.New(target.User, []mapping.Spec{
		{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
		{Path: "active", Expr: "Not([IsSoftDeleted])"},
		{Path: "displayName", Expr: "[displayName]"},
	})
	if len(faults) > 0 {
		c.t.Fatal(faults)
	}
	place := c.places[c.to]
	location, err := c.store.Locate(c.to, place, func(key string) string { return c.places[key] })
	if err != nil {
		c.t.Fatal(err)
	}
	s := &reconcile.Sync{Name: c.sync, TargetName: c.to, Location: location, Tenant: c.id, Scope: desired.Scope{All: true, Guests: true}, Text: "to " + c.to,
		Users: desired.Rules{Mapping: m, Match: []string{"userName"}, OnRemove: desired.OnRemove{Do: plan.Deactivate},
			Actions: map[plan.Op]bool{plan.Create: true, plan.Update: true, plan.Deactivate: true, plan.Reactivate: true, plan.Delete: true}},
		Guard: guard.Guard{FirstRunRemovals: true}}
	if c.delete {
		s.Users.OnRemove.Do = plan.Delete
	}
	if c.onRemove != (desired.OnRemove{}) {
		s.Users.OnRemove = c.onRemove
		s.Text += fmt.Sprint(c.onRemove)
	}
	if c.change != nil {
		c.change(s)
	}
	return s
}

// run makes a cycle, half an hour after the last one.
func (c *customer) run(opts reconcile.Options) (*reconcile.Report, error) {
	c.t.Helper()
	return c.runIn(context.Background(), opts)
}

// runIn makes a cycle that ends with a context.
func (c *customer) runIn(ctx context.Context, opts reconcile.Options) (report *reconcile.Report, err error) {
	c.t.Helper()
	c.syncing(func(s *reconcile.Syncer) { report, err = s.Run(ctx, opts) })
	return report, err
}

// document makes a cycle and returns its plan as it is written to a file.
func (c *customer) document(opts reconcile.Options) string {
	c.t.Helper()
	var text strings.Builder
	c.syncing(func(s *reconcile.Syncer) {
		report, err := s.Run(context.Background(), opts)
		if err == nil {
			err = s.Plan(report).WriteJSON(&text)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	})
	return text.String()
}

// syncing hands out the syncer for a cycle, half an hour after the last one.
func (c *customer) syncing(do func(*reconcile.Syncer)) {
	c.t.Helper()
	c.service.now = c.now.Add(30 * time.Minute)
	tenant, err := c.store.Tenant(c.id)
	if err != nil {
		c.t.Fatal(err)
	}
	defer tenant.Close()
	sync, peers := c.rules(), c.peers
	if peers == nil {
		peers = []string{sync.Name}
	}
	source := c.reader
	if source == nil {
		source = c.source
	}
	do(&reconcile.Syncer{
		Sync: sync, Requirements: reconcile.RequirementsOf([]*reconcile.Sync{sync}), TenantSyncs: peers, Source: source, Store: c.store, Tenant: tenant,
		Target: c.adapter(), Concurrency: 1, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return c.now },
	})
}

// cycle makes one that has no reason to fail, and returns what it did in short.
func (c *customer) cycle() string {
	c.t.Helper()
	return c.must(reconcile.Options{Apply: true})
}

func (c *customer) must(opts reconcile.Options) string {
	c.t.Helper()
	report, err := c.run(opts)
	if err != nil || len(report.Errors) > 0 {
		c.t.Fatalf("%s: %v %v", c.name, err, report.Errors)
	}
	return told(report)
}

// told puts a report in short.
func told(r *reconcile.Report) string {
	var parts []string
	for _, n := range []struct {
		name string
		n    int
	}{{"created", r.Summary.Create}, {"adopted", r.Summary.Adopt}, {"updated", r.Summary.Update}, {"deactivated", r.Summary.Deactivate},
		{"reactivated", r.Summary.Reactivate}, {"deleted", r.Summary.Delete}, {"unchanged", r.Summary.Unchanged}} {
		if n.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.n, n.name))
		}
	}
	for _, held := range r.Held {
		parts = append(parts, fmt.Sprintf("held by %s: %s %s", held.Guard, held.Action.Op, held.Action.Key))
	}
	for _, skipped := range r.Skipped {
		parts = append(parts, fmt.Sprintf("skipped %s: %s", skipped.Key, skipped.Code))
	}
	return strings.Join(parts, ", ")
}

// want compares texts.
func want(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s\nwant %s", what, got, want)
	}
}
