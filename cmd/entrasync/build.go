package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/scheduler"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/graphsync/msgraph"
	"entrasync/reconcile"
	"entrasync/state"
)

// A worker is a configuration brought to life: the state, a source per tenant, an adapter per
// target, and the syncs between them. Parts are made when first needed, so that a command
// that reads the state alone touches nothing else.
type worker struct {
	cfg   *configs.Config
	log   *slog.Logger
	store *state.Store
	syncs []*compile.Sync

	graph http.RoundTripper // reaches Graph in tests and demos; nil for the network

	configured []*compile.Sync // those of syncs whose tenants the configuration names
	tenants    *openTenants
	parts      *parts
	shared     bool // the service closes it, not the command that works with it

	// Of the service; nil outside of one.
	changed func() error                  // takes up a change of the tenants
	next    func(*compile.Sync) time.Time // the next planned cycle; zero for none
}

// openTenants are the tenants whose state is open, one turn for each over all workers of a
// process. Nobody's is open for longer than somebody works with it or waits to: hundreds of
// idle tenants cost neither memory nor descriptors.
type openTenants struct {
	mu   sync.Mutex // protects byID and the uses
	byID map[graphsync.ID]*tenantState
}

// tenantState is a tenant's open state. Runs of one tenant's syncs take turns: they share a
// snapshot.
type tenantState struct {
	*state.Tenant
	turn chan struct{}
	uses int // those that have the turn or wait for it
}

// loadConfig reads the configuration with everything that can be known wrong of it.
func (a *app) loadConfig() (*configs.Config, []*compile.Sync, error) {
	file, err := configs.Find(a.configFile)
	if err != nil {
		return nil, nil, err
	}
	return compile.Load(file)
}

// open loads the configuration and opens the state. While a service owns the state, that runs
// this command instead, and the error is how it ended.
func (a *app) open() (*worker, error) {
	if a.borrow != nil {
		return a.borrow()
	}
	cfg, syncs, err := a.loadConfig()
	if err != nil {
		return nil, a.handOverUnread(err)
	}
	w, err := a.openWith(cfg, syncs, a.logger(slog.LevelWarn))
	var held *state.InUseError
	if errors.As(err, &held) {
		return nil, a.handOver(held)
	}
	return w, err
}

func (a *app) openWith(cfg *configs.Config, syncs []*compile.Sync, log *slog.Logger) (*worker, error) {
	store, err := state.Open(cfg.State)
	if err != nil {
		return nil, err
	}
	w := newWorker(cfg, syncs, store, log)
	if err := w.register(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return w, nil
}

// newWorker makes a worker; without a store it serves for tests of connections only.
func newWorker(cfg *configs.Config, syncs []*compile.Sync, store *state.Store, log *slog.Logger) *worker {
	return &worker{
		cfg: cfg, log: log, store: store, syncs: syncs, configured: syncs,
		parts:   newParts(),
		tenants: &openTenants{byID: map[graphsync.ID]*tenantState{}},
	}
}

// Close releases the state.
func (w *worker) Close() error {
	if w.shared {
		return nil
	}
	w.tenants.mu.Lock()
	defer w.tenants.mu.Unlock()
	var errs []error
	for _, tenant := range w.tenants.byID {
		errs = append(errs, tenant.Close())
	}
	return errors.Join(append(errs, w.store.Close())...)
}

// openSource makes the source of a tenant.
func (w *worker) openSource(name string, tenant configs.Tenant) (graphsync.Source, error) {
	id, err := graphsync.ParseID(tenant.ID)
	if err != nil {
		return nil, err
	}
	cloud, err := cloudOf(w.cfg.CloudOf(tenant))
	if err != nil {
		return nil, err
	}
	credential, err := credentialOf(w.cfg.AppOf(tenant))
	if err != nil {
		return nil, err
	}
	source, err := msgraph.Open(msgraph.Config{Tenant: id, Cloud: cloud, Credential: credential, HTTP: w.toGraph(), UserAgent: "entrasync/" + versionText(), Log: w.log.With("tenant", name)})
	if err != nil { // such as a certificate that cannot be read: the tenant's health tells of it
		return nil, &graphsync.Error{Class: graphsync.CredentialInvalid, Message: err.Error(), Hint: "correct the app's credential on this machine", Err: err}
	}
	return source, nil
}

// toGraph carries the requests of all tenants: hundreds of them share their connections.
func (w *worker) toGraph() http.RoundTripper {
	if w.graph != nil {
		return w.graph
	}
	return w.parts.graph
}

func cloudOf(c configs.Cloud) (graphsync.Cloud, error) {
	if c.Name != "" {
		return graphsync.ParseCloud(c.Name)
	}
	return graphsync.CustomCloud(c.Authority, c.Graph)
}

func credentialOf(app *configs.App) (msgraph.Credential, error) {
	if app == nil {
		return msgraph.Credential{}, withHint(errors.New("no app registration is configured"), "add an app: section with client_id and client_secret_file")
	}
	c := msgraph.Credential{ClientID: app.ClientID}
	switch {
	case !app.ClientSecret.IsZero():
		c.Secret = app.ClientSecret.Read
	case !app.Certificate.IsZero():
		c.Certificate = &msgraph.Certificate{File: app.Certificate.File}
		if !app.CertificatePassword.IsZero() {
			c.Certificate.Password = app.CertificatePassword.Read
		}
	case app.WorkloadIdentity != nil:
		c.WorkloadIdentity = &msgraph.WorkloadIdentity{TokenFile: app.WorkloadIdentity.TokenFile}
	case app.ManagedIdentity != nil:
		c.ManagedIdentity = &msgraph.ManagedIdentity{ClientID: app.ManagedIdentity.ClientID}
	}
	return c, nil
}

// application returns what a sync writes to.
func (w *worker) application(s *compile.Sync) (compile.Application, error) {
	return compile.ApplicationOf(w.cfg, s.TargetName, s.Expansion)
}

// locate returns the registry's location of an application, which changes with its place.
func (w *worker) locate(a compile.Application) (state.Location, error) {
	return w.store.Locate(a.Key, a.Place, func(key string) string { return compile.PlaceOf(w.cfg, key) })
}

// tenant returns a tenant's state, waiting for its turn. release ends the turn.
func (w *worker) tenant(ctx context.Context, id graphsync.ID) (t *state.Tenant, release func(), err error) {
	w.tenants.mu.Lock()
	held := w.tenants.byID[id]
	if held == nil {
		opened, err := w.store.Tenant(id)
		if err != nil {
			w.tenants.mu.Unlock()
			return nil, nil, err
		}
		held = &tenantState{Tenant: opened, turn: make(chan struct{}, 1)}
		w.tenants.byID[id] = held
	}
	held.uses++
	w.tenants.mu.Unlock()
	select {
	case held.turn <- struct{}{}:
		return held.Tenant, func() { <-held.turn; w.leave(held) }, nil
	case <-ctx.Done():
		w.leave(held)
		return nil, nil, ctx.Err()
	}
}

// leave closes a tenant's state behind the last who used it.
func (w *worker) leave(held *tenantState) {
	w.tenants.mu.Lock()
	defer w.tenants.mu.Unlock()
	if held.uses--; held.uses > 0 {
		return
	}
	if w.tenants.byID[held.ID()] == held {
		delete(w.tenants.byID, held.ID())
	}
	// What was committed is on disk already.
	if err := held.Close(); err != nil {
		w.log.Warn("close state", "tenant", held.ID(), "error", err)
	}
}

// busy reports whether a tenant's turn is taken.
func (w *worker) busy(id graphsync.ID) bool {
	w.tenants.mu.Lock()
	defer w.tenants.mu.Unlock()
	held := w.tenants.byID[id]
	return held != nil && len(held.turn) > 0
}

// peers are the compiled syncs that read from the same tenant.
func (w *worker) peers(id graphsync.ID) (syncs []*reconcile.Sync, names []string) {
	for _, s := range w.syncs {
		if s.Tenant == id {
			syncs, names = append(syncs, s.Sync), append(names, s.Name)
		}
	}
	return syncs, names
}

// syncer puts together what a run of one sync needs. It holds the tenant's turn until release.
func (w *worker) syncer(ctx context.Context, s *compile.Sync, progress reconcile.Progress) (syncer *reconcile.Syncer, release func(), err error) {
	if err := s.Sound(); err != nil {
		return nil, nil, err
	}
	source, err := w.source(s.TenantName, s.Section)
	if err != nil {
		return nil, nil, err
	}
	adapter, err := w.target(s)
	if err != nil {
		return nil, nil, err
	}
	own := *s.Sync
	// Accounts are claimed by application: the ids of one tenant's are not those of another's.
	application, err := w.application(s)
	if err != nil {
		return nil, nil, err
	}
	own.TargetName = application.Key
	if own.Location, err = w.locate(application); err != nil {
		return nil, nil, err
	}
	tenant, release, err := w.tenant(ctx, s.Tenant)
	if err != nil {
		return nil, nil, err
	}
	end := release // an error sets release to nil
	defer func() {
		if syncer == nil {
			end()
		}
	}()
	if err := w.checkSharedByClaims(ctx, s, application.Key, adapter, tenant); err != nil {
		return nil, nil, err
	}
	every, err := scheduler.Parse(w.cfg.Schedule)
	if err != nil {
		return nil, nil, err
	}
	peers, names := w.peers(s.Tenant)
	return &reconcile.Syncer{
		Sync: &own, Needs: reconcile.NeedsOf(peers), Peers: names, Source: source, Store: w.store, Tenant: tenant,
		Target: adapter, Log: w.log.With("tenant_name", s.TenantName), Progress: progress, Now: time.Now, Interval: every.Rest(),
	}, release, nil
}

// stateDir is the absolute folder of the state, for messages.
func stateDir(cfg *configs.Config) string {
	dir, err := filepath.Abs(cfg.State)
	if err != nil {
		return cfg.State
	}
	return dir
}
