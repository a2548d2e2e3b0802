package main

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"slices"
	"sync"

	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/target"
	"entrasync/target/all"
)

// parts are what is open to the outside: one for each section over all workers of a process. After
// a reload, and in a command with an edited file, a section that is the same goes on with the part
// it has. Cycles that are going on still use it, and an application must not see two that each
// keep to its limits.
type parts struct {
	mu      sync.Mutex              // protects what follows
	sources map[string][]sourcePart // by tenant name and id
	targets map[string][]targetPart // by what names the application
}

func newParts() *parts {
	return &parts{sources: map[string][]sourcePart{}, targets: map[string][]targetPart{}}
}

// A sourcePart is a source and the sections it was made from.
type sourcePart struct {
	cloud  configs.Cloud
	app    *configs.App
	source graphsync.Source
}

// A targetPart is an adapter and what it was made from.
type targetPart struct {
	options all.Options
	trusted []byte // see trusts
	adapter target.Adapter
}

// source returns the source of a tenant.
func (w *worker) source(name string, tenant configs.Tenant) (graphsync.Source, error) {
	w.parts.mu.Lock()
	defer w.parts.mu.Unlock()
	key := sourceKey(name, tenant.ID)
	part := sourcePart{cloud: w.cfg.CloudOf(tenant), app: w.cfg.AppOf(tenant)}
	if at := slices.IndexFunc(w.parts.sources[key], part.same); at >= 0 {
		return w.parts.sources[key][at].source, nil
	}
	var err error
	if part.source, err = w.openSource(tenant); err != nil {
		return nil, fmt.Errorf("tenant %s: %w", name, err)
	}
	w.parts.sources[key] = append(w.parts.sources[key], part)
	return part.source, nil
}

func sourceKey(name, id string) string { return name + "\x00" + id }

func (p sourcePart) same(other sourcePart) bool {
	return reflect.DeepEqual(p.cloud, other.cloud) && reflect.DeepEqual(p.app, other.app)
}

// target returns the adapter of a target. `{tenant}` in its options is the tenant's name; a
// target whose options name it has one adapter per tenant.
func (w *worker) target(name string, s *plannedSync) (target.Adapter, error) {
	w.parts.mu.Lock()
	defer w.parts.mu.Unlock()
	options, key, err := w.application(name, s)
	if err != nil {
		return nil, err
	}
	part := targetPart{options: options}
	if at := slices.IndexFunc(w.parts.targets[key], part.same); at >= 0 {
		return w.parts.targets[key][at].adapter, nil
	}
	part.trusted = trusts(options)
	if part.adapter, err = options.Open(all.Env{Version: versionText()}); err != nil {
		return nil, fmt.Errorf("open target %s: %w", name, err)
	}
	w.parts.targets[key] = append(w.parts.targets[key], part)
	return part.adapter, nil
}

func (p targetPart) same(other targetPart) bool { return reflect.DeepEqual(p.options, other.options) }

// trusts is what an adapter reads when it is made and never again: the certificates of ca_file.
func trusts(options all.Options) []byte {
	scim, ok := options.(*all.SCIM)
	if !ok || scim.CAFile == "" {
		return nil
	}
	pem, err := os.ReadFile(scim.CAFile)
	if err != nil {
		return nil // opening says so
	}
	return pem
}

// letGo drops the parts that the syncs of a worker have no use for: those of former sections, and
// of a ca_file that has changed. Cycles that are going on keep theirs.
func (w *worker) letGo() {
	w.parts.mu.Lock()
	defer w.parts.mu.Unlock()
	used := newParts()
	for _, s := range w.syncs {
		key := sourceKey(s.tenantName, s.tenant.ID)
		source := sourcePart{cloud: w.cfg.CloudOf(s.tenant), app: w.cfg.AppOf(s.tenant)}
		if at := slices.IndexFunc(w.parts.sources[key], source.same); at >= 0 {
			used.sources[key] = w.parts.sources[key][at : at+1]
		}
		options, key, err := w.application(s.TargetName, s)
		if err != nil {
			continue // its cycles say so
		}
		at := slices.IndexFunc(w.parts.targets[key], targetPart{options: options}.same)
		if at < 0 {
			continue
		}
		part := w.parts.targets[key][at]
		if now := trusts(options); now == nil || bytes.Equal(now, part.trusted) {
			used.targets[key] = []targetPart{part}
		}
	}
	w.parts.sources, w.parts.targets = used.sources, used.targets
}
