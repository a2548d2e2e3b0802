package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"entrasync/cmd/internal/scheduler"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/graphsync/msgraph"
	"entrasync/reconcile"
	"entrasync/state"
	"entrasync/target/all"
)

// A worker is a configuration brought to life: the state, a source per tenant, an adapter per
// target, and the syncs between them. Parts are made when first needed, so that a command
// that reads the state alone touches nothing else.
type worker struct {
	cfg   *configs.Config
	log   *slog.Logger
	store *state.Store
	syncs []*plannedSync

	graph http.RoundTripper // reaches Graph in tests and demos; nil for the network

	configured []*plannedSync // those of syncs whose tenants the configuration names
	tenants    *openTenants
	parts      *parts
	shared     bool // the service closes it, not the command that works with it

	// Of the service; nil outside of one.
	changed func() error                 // takes up a change of the tenants
	next    func(*plannedSync) time.Time // the next planned cycle; zero for none
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
func (a *app) loadConfig() (*configs.Config, []*plannedSync, error) {
	file, err := configs.Find(a.configFile)
	if err != nil {
		return nil, nil, err
	}
	var syncs []*plannedSync
	cfg, err := configs.Load(file,
		func(cfg *configs.Config) (faults configs.Faults) { syncs, faults = compileSyncs(cfg); return faults },
		checkTargets, checkSchedules, checkPlaceholders,
		func(cfg *configs.Config) configs.Faults { return checkSameAccounts(cfg, syncs) },
	)
	return cfg, syncs, err
}

// checkTargets decodes each target's options with the type's own struct.
func checkTargets(cfg *configs.Config) (faults configs.Faults) {
	for _, entry := range cfg.Targets {
		if _, fs := targetOptions(entry.Value); len(fs) > 0 {
			faults = append(faults, fs...)
		}
	}
	return faults
}

func targetOptions(t configs.Target) (all.Options, configs.Faults) {
	fresh, known := all.Types[t.Type]
	if !known {
		if t.Type == "" {
			return nil, nil // configs has said so
		}
		names := slices.Sorted(maps.Keys(all.Types))
		hint := "known types: " + strings.Join(names, ", ")
		if near := configs.Nearest(t.Type, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		return nil, configs.Faults{{Position: t.Pos, Key: "targets." + t.Name + ".type", Message: fmt.Sprintf("%q is not a type of target", t.Type), Hint: hint}}
	}
	options := fresh()
	if err := t.Options.Decode(options); err != nil {
		var faults configs.Faults
		if errors.As(err, &faults) {
			return nil, faults
		}
		return nil, configs.Faults{{Position: t.Pos, Key: "targets." + t.Name, Message: err.Error()}}
	}
	var faults configs.Faults
	for _, f := range options.Validate() {
		faults = append(faults, configs.Fault{Position: t.Options.Position(f.Key...), Key: "targets." + t.Name + "." + strings.Join(f.Key, "."), Message: f.Message, Hint: f.Hint})
	}
	return options, faults
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

func (a *app) openWith(cfg *configs.Config, syncs []*plannedSync, log *slog.Logger) (*worker, error) {
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
func newWorker(cfg *configs.Config, syncs []*plannedSync, store *state.Store, log *slog.Logger) *worker {
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

// application returns a target's options for the tenant of a sync, and what names the
// application: the target, or with {tenant} in its options the target and the tenant.
func (w *worker) application(name string, s *plannedSync) (options all.Options, key string, err error) {
	section, ok := w.cfg.Targets.Get(name)
	if !ok {
		return nil, "", fmt.Errorf("there is no target %q", name)
	}
	common, faults := targetOptions(section)
	if err := faults.Err(); err != nil {
		return nil, "", err
	}
	options = common.For(s.word)
	if reflect.DeepEqual(options, common) {
		return options, name, nil
	}
	return options, name + "/" + s.word, nil
}

// placeOf returns where the configuration has the application of a key, "" when it has none.
func (w *worker) placeOf(key string) string {
	name, word, _ := strings.Cut(key, "/")
	options, present, err := w.application(name, &plannedSync{word: word})
	if err != nil || present != key {
		return ""
	}
	return w.place(name, options)
}

// place tells the places of accounts apart. It is a digest, as an address may hold a secret.
func (w *worker) place(target string, options all.Options) string {
	section, _ := w.cfg.Targets.Get(target)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(section.Type+" "+options.Place())))
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
func (w *worker) syncer(ctx context.Context, s *plannedSync, progress reconcile.Progress) (syncer *reconcile.Syncer, release func(), err error) {
	if err := s.sound(); err != nil {
		return nil, nil, err
	}
	source, err := w.source(s.tenantName, s.tenant)
	if err != nil {
		return nil, nil, err
	}
	adapter, err := w.target(s.TargetName, s)
	if err != nil {
		return nil, nil, err
	}
	own := *s.Sync
	// Accounts are claimed by application: the ids of one tenant's are not those of another's.
	options, key, err := w.application(s.TargetName, s)
	if err != nil {
		return nil, nil, err
	}
	own.TargetName = key
	if own.Location, err = w.store.Locate(key, w.place(s.TargetName, options), w.placeOf); err != nil {
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
	if err := w.checkSharedByClaims(ctx, s, key, adapter, tenant); err != nil {
		return nil, nil, err
	}
	every, err := scheduler.Parse(w.cfg.Schedule)
	if err != nil {
		return nil, nil, err
	}
	peers, names := w.peers(s.Tenant)
	return &reconcile.Syncer{
		Sync: &own, Needs: reconcile.NeedsOf(peers), Peers: names, Source: source, Store: w.store, Tenant: tenant,
		Target: adapter, Log: w.log.With("tenant_name", s.tenantName), Progress: progress, Now: time.Now, Interval: every.Rest(),
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
