// Package worker opens what a configuration names: the state, a source for each tenant, an adapter for
// each application, and the syncs between them. Commands and the service work through it.
//
// It is not the service: it has no schedule, no pages and no goroutines. It does not know Microsoft
// Graph: [Options.OpenSource] is how it reaches a directory, so that its tests need no Graph SDK.
//
// It promises that the syncs of one tenant take turns, that one section of a configuration has one
// source or adapter in a process, and that a tenant's state is open only while a cycle works with it.
package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/scheduler"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

// Options are what a worker is given besides its configuration.
type Options struct {
	// OpenSource makes the source of a tenant. It makes no request.
	OpenSource func(Connection) (graphsync.Source, error)
	Version    string     // of entrasync, told to the applications
	Term       state.Term // of a tenant in a database; zero for the default
	Migrate    bool       // brings a state in a database to the present version
	Log        *slog.Logger
}

// A Worker is an open configuration. Sources and adapters are opened when they are first needed, so
// that a command which reads the state alone touches nothing else. It is safe for concurrent use.
type Worker struct {
	Config  *configs.Config
	Syncs   []*compile.Sync // of the tenants of the configuration and of those that joined by consent
	Tenants *Tenants
	Store   *state.Store // nil for tests of connections only
	Log     *slog.Logger

	Directories Directories

	options    Options
	configured []*compile.Sync // those of Syncs whose tenants the configuration names
	turns      *turns
	parts      *parts
	lent       bool
	service    Service
}

// Service is what a worker of the running service knows of it. The zero value is for none.
type Service struct {
	Changed func() error                  // takes up a change of the tenants in the registry
	Next    func(*compile.Sync) time.Time // when a sync runs next; zero when no cycle is planned
}

// Open opens the state that a configuration names. It fails with [*state.InUseError] while another
// process has it.
func Open(cfg *configs.Config, syncs []*compile.Sync, options Options) (*Worker, error) {
	store, err := openState(cfg, state.Options{Migrate: options.Migrate, Term: options.Term})
	if err != nil {
		return nil, err
	}
	w := New(cfg, syncs, store, options)
	if err := w.register(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return w, nil
}

// New makes a worker that knows the tenants of the configuration alone.
func New(cfg *configs.Config, syncs []*compile.Sync, store *state.Store, options Options) *Worker {
	return &Worker{
		Config: cfg, Tenants: &Tenants{config: cfg, store: store, log: options.Log}, Log: options.Log, Store: store, Syncs: syncs, configured: syncs, options: options,
		Directories: Directories{config: cfg, open: options.OpenSource, log: options.Log},
		parts:       newParts(), turns: newTurns(options.Log),
	}
}

// WithConfig makes a worker of another configuration that shares the state, the tenants' turns, the
// sources and the adapters of w.
func (w *Worker) WithConfig(cfg *configs.Config, syncs []*compile.Sync) (*Worker, error) {
	next := New(cfg, syncs, w.Store, w.options)
	next.turns, next.parts, next.service = w.turns, w.parts, w.service
	next.Tenants.changed = w.Tenants.changed
	return next, next.register()
}

// Again makes the worker of the same configuration with the tenants that the registry has now.
func (w *Worker) Again() (*Worker, error) { return w.WithConfig(w.Config, w.configured) }

// Serve makes w, and every worker made from it, one of the running service.
func (w *Worker) Serve(service Service) { w.service, w.Tenants.changed = service, service.Changed }

// Shared is w for a command that the service runs: Close leaves it open.
func (w *Worker) Shared() *Worker {
	lent := *w
	lent.lent = true
	return &lent
}

// Close releases the state.
func (w *Worker) Close() error {
	if w.lent {
		return nil
	}
	return errors.Join(w.turns.close(), w.Store.Close())
}

// Next returns when the service runs a sync next; zero when no cycle is planned.
func (w *Worker) Next(s *compile.Sync) time.Time {
	if w.service.Next == nil {
		return time.Time{}
	}
	return w.service.Next(s)
}

// Application returns what a sync writes to.
func (w *Worker) Application(s *compile.Sync) (compile.Application, error) {
	return compile.ApplicationOf(w.Config, s.TargetName, s.Expansion)
}

// locate returns the registry's location of an application, which changes with its place.
func (w *Worker) locate(a compile.Application) (state.Location, error) {
	return w.Store.Locate(a.Key, a.Place, func(key string) string { return compile.PlaceOf(w.Config, key) })
}

// Busy reports whether a cycle of a tenant is running.
func (w *Worker) Busy(id graphsync.ID) bool { return w.turns.busy(id) }

// View reads a tenant's state.
func (w *Worker) View(id graphsync.ID, read func(*state.Tx) error) error {
	tenant, err := w.Store.Tenant(id)
	if err != nil {
		return err
	}
	defer tenant.Close()
	return tenant.View(read)
}

// TenantSyncs are the syncs that read from the same tenant, and their names.
func (w *Worker) TenantSyncs(id graphsync.ID) (syncs []*reconcile.Sync, names []string) {
	for _, s := range w.Syncs {
		if s.Tenant == id {
			syncs, names = append(syncs, s.Sync), append(names, s.Name)
		}
	}
	return syncs, names
}

// auditBytes is how large the audit log of a tenant may be: about 40 million lines.
const auditBytes = 4 << 30

// pruneAudit deletes what the audit log of the service has that is older than history keeps it.
func (w *Worker) pruneAudit() {
	var before time.Time
	if kept := time.Duration(w.Config.History); kept > 0 {
		before = time.Now().Add(-kept)
	}
	if err := w.Store.Audit().Prune(time.Now(), before, auditBytes); err != nil {
		w.Log.Warn("the audit log of the service keeps what is older than history", "error", err)
	}
}

// Syncer returns what runs one sync of one tenant. It waits for the tenant's turn and holds it until
// release.
func (w *Worker) Syncer(ctx context.Context, s *compile.Sync, progress reconcile.Progress) (syncer *reconcile.Syncer, release func(), err error) {
	if err := s.Sound(); err != nil {
		return nil, nil, err
	}
	source, err := w.Source(s)
	if err != nil {
		return nil, nil, err
	}
	adapter, err := w.Target(s)
	if err != nil {
		return nil, nil, err
	}
	own := *s.Sync
	// Accounts are claimed by application: the ids of one tenant's are not those of another's.
	application, err := w.Application(s)
	if err != nil {
		return nil, nil, err
	}
	own.TargetName = application.Key
	if own.Location, err = w.locate(application); err != nil {
		return nil, nil, err
	}
	tenant, release, err := w.turns.take(ctx, w.Store, s.Tenant)
	if err != nil {
		return nil, nil, err
	}
	end := release // an error sets release to nil
	defer func() {
		if syncer == nil {
			end()
		}
	}()
	if err := reportInterrupted(tenant); err != nil {
		return nil, nil, err
	}
	if err := (sharedAccounts{w}).check(ctx, s, application.Key, adapter, tenant); err != nil {
		return nil, nil, err
	}
	every, err := scheduler.Parse(w.Config.Schedule)
	if err != nil {
		return nil, nil, err
	}
	w.pruneAudit()
	tenantSyncs, names := w.TenantSyncs(s.Tenant)
	return &reconcile.Syncer{
		Sync: &own, Requirements: reconcile.RequirementsOf(tenantSyncs), TenantSyncs: names, Source: source, Store: w.Store, Tenant: tenant,
		Target: adapter, Log: w.Log.With("tenant_name", s.TenantName), Progress: progress, Now: time.Now, Interval: every.Rest(),
		History: reconcile.History{For: time.Duration(w.Config.History), Bytes: auditBytes},
	}, release, nil
}
