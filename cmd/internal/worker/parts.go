package worker

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"

	"golang.org/x/time/rate"

	"entrasync/cmd/internal/compile"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/target"
	"entrasync/target/all"
)

// parts are the open sources and adapters: one for each section, shared by all workers of a process.
// After a reload, and in a command with an edited file, a section that did not change keeps the part it
// has. Running cycles still use it, and an application must not see two that each keep to its limits.
type parts struct {
	mu       sync.Mutex                          // protects what follows
	sources  map[string][]part[graphsync.Source] // by tenant name and id
	targets  map[string][]part[opened]           // by what names the application
	limiters map[string][]part[*rate.Limiter]    // by target name: the rate is for all its applications
	workers  int                                 // that share the applications' limits; 0: this one alone
}

// A part is something made from sections of a configuration.
type part[T any] struct {
	of   any // the sections, as reflect.DeepEqual compares them
	made T
}

// opened is an adapter and the certificates it trusts, which it reads once, when it is opened.
type opened struct {
	adapter target.Adapter
	trusted []byte
}

func newParts() *parts {
	return &parts{
		sources: map[string][]part[graphsync.Source]{}, targets: map[string][]part[opened]{}, limiters: map[string][]part[*rate.Limiter]{},
	}
}

// find returns what was made from the same sections.
func find[T any](parts []part[T], of any) (made T, ok bool) {
	for _, p := range parts {
		if reflect.DeepEqual(p.of, of) {
			return p.made, true
		}
	}
	return made, false
}

// Source returns the source of a sync's tenant.
func (w *Worker) Source(s *compile.Sync) (graphsync.Source, error) {
	name, tenant := s.TenantName, s.Section
	w.parts.mu.Lock()
	defer w.parts.mu.Unlock()
	key, of := sourceKey(name, tenant.ID), sourceSections(w.Config, tenant)
	if source, ok := find(w.parts.sources[key], of); ok {
		return source, nil
	}
	source, err := w.Directories.source(name, tenant)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", name, err)
	}
	w.parts.sources[key] = append(w.parts.sources[key], part[graphsync.Source]{of, source})
	return source, nil
}

func sourceKey(name, id string) string { return name + "\x00" + id }

// sourceSections are the sections that the source of a tenant is made from.
func sourceSections(cfg *configs.Config, tenant configs.Tenant) any {
	return struct {
		cloud configs.Cloud
		app   *configs.App
	}{cfg.CloudOf(tenant), cfg.AppOf(tenant)}
}

// Target returns the adapter of a sync's application. A target whose options hold `{tenant}` has one
// adapter per tenant.
func (w *Worker) Target(s *compile.Sync) (target.Adapter, error) {
	w.parts.mu.Lock()
	defer w.parts.mu.Unlock()
	application, err := w.Application(s)
	if err != nil {
		return nil, err
	}
	options := application.Options
	if adapter, ok := find(w.parts.targets[application.Key], options); ok {
		return adapter.adapter, nil
	}
	trusted := options.Trusts()
	adapter, err := options.Open(all.Env{Version: w.options.Version, Log: w.options.Log, Limiter: w.parts.limiter(s.TargetName, writtenOptions(w.Config, s.TargetName))})
	if err != nil {
		return nil, fmt.Errorf("open target %s: %w", s.TargetName, err)
	}
	share(adapter, w.parts.workers)
	w.parts.targets[application.Key] = append(w.parts.targets[application.Key], part[opened]{options, opened{adapter, trusted}})
	return adapter, nil
}

// Share has each application keep to this worker's part of its rate and its requests in flight, of so many workers.
func (w *Worker) Share(workers int) {
	w.parts.mu.Lock()
	defer w.parts.mu.Unlock()
	w.parts.workers = workers
	for _, opened := range w.parts.targets {
		for _, one := range opened {
			share(one.made.adapter, workers)
		}
	}
}

func share(adapter target.Adapter, workers int) {
	if sharer, ok := adapter.(target.Sharer); ok && workers > 0 {
		sharer.Share(workers)
	}
}

// limiter returns what paces all applications of a target with these options. The caller holds mu.
func (p *parts) limiter(name string, section any) *rate.Limiter {
	limiter, ok := find(p.limiters[name], section)
	if !ok {
		limiter = rate.NewLimiter(rate.Inf, 1)
		p.limiters[name] = append(p.limiters[name], part[*rate.Limiter]{section, limiter})
	}
	return limiter
}

// writtenOptions are a target's options as they are written, {tenant} included.
func writtenOptions(cfg *configs.Config, name string) any {
	section, _ := cfg.Targets.Get(name)
	options, _ := compile.Options(section)
	return options
}

// Release drops the sources and adapters that no sync of w uses: those of former sections, and those of a
// ca_file that has changed. Running cycles keep theirs.
func (w *Worker) Release() {
	w.parts.mu.Lock()
	defer w.parts.mu.Unlock()
	used := newParts()
	for _, s := range w.Syncs {
		tenant, of := sourceKey(s.TenantName, s.Section.ID), sourceSections(w.Config, s.Section)
		if source, ok := find(w.parts.sources[tenant], of); ok {
			used.sources[tenant] = []part[graphsync.Source]{{of, source}}
		}
		application, err := w.Application(s)
		if err != nil {
			continue // its cycles say so
		}
		key, options := application.Key, application.Options
		adapter, ok := find(w.parts.targets[key], options)
		if now := options.Trusts(); ok && (now == nil || bytes.Equal(now, adapter.trusted)) {
			used.targets[key] = []part[opened]{{options, adapter}}
		}
		section := writtenOptions(w.Config, s.TargetName)
		if limiter, ok := find(w.parts.limiters[s.TargetName], section); ok {
			used.limiters[s.TargetName] = []part[*rate.Limiter]{{section, limiter}}
		}
	}
	w.parts.sources, w.parts.targets, w.parts.limiters = used.sources, used.targets, used.limiters
}

// forgetSource has the next cycle of a tenant open its source again.
func (p *parts) forgetSource(name string, id graphsync.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sources, sourceKey(name, id.String()))
}
