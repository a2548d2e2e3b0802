package web

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// A statuses holds how each sync stands: what was read of a sync is kept while its tenant's state is what it was.
type statuses struct {
	service *Service

	mu   sync.Mutex // protects kept
	kept map[syncKey]*syncStatus
}

type syncKey struct {
	sync   string
	tenant graphsync.ID
}

func newStatuses(service *Service) *statuses {
	return &statuses{service: service, kept: map[syncKey]*syncStatus{}}
}

// of returns how a sync stands, from memory while its tenant's state is what it was.
func (s *statuses) of(ctx context.Context, sync *Sync) *syncStatus {
	key, commits := syncKey{sync.Name, sync.Tenant}, s.service.Store.Commits(sync.Tenant)
	s.mu.Lock()
	known := s.kept[key]
	s.mu.Unlock()
	if known != nil && known.commits == commits {
		return known
	}
	if ctx.Err() != nil {
		return &syncStatus{ReadError: ctx.Err()}
	}
	read := &syncStatus{commits: commits}
	err := view(s.service.Store, sync.Tenant, func(tx *state.Tx) error { return read.read(tx, sync.Sync) })
	if err != nil {
		s.service.Log.Error("read state for the status page", "sync", sync.Name, "tenant", sync.TenantName, "error", err)
		return &syncStatus{ReadError: err} // not kept: it may heal
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[key] = read
	return read
}

// rows are all syncs, those that need attention first.
func (s *statuses) rows(ctx context.Context) []row {
	syncs := s.service.Syncs()
	access := s.access()
	rows := make([]row, 0, len(syncs))
	for i := range syncs {
		row := s.row(ctx, &syncs[i])
		row.Access = access[row.Tenant]
		rows = append(rows, row)
	}
	s.prune(syncs)
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(slices.Index(conditions, a.State)-slices.Index(conditions, b.State),
			strings.Compare(a.TenantName, b.TenantName), strings.Compare(a.Name, b.Name))
	})
	return rows
}

// access is how each directory can be read.
func (s *statuses) access() map[graphsync.ID]Tenant {
	tenants, err := s.service.Tenants()
	if err != nil {
		s.service.Log.Error("read the tenants for the status page", "error", err)
	}
	access := make(map[graphsync.ID]Tenant, len(tenants))
	for _, t := range tenants {
		access[t.ID] = t
	}
	return access
}

// prune forgets syncs that are no longer configured.
func (s *statuses) prune(syncs []Sync) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) <= len(syncs) {
		return
	}
	configured := map[syncKey]bool{}
	for i := range syncs {
		configured[syncKey{syncs[i].Name, syncs[i].Tenant}] = true
	}
	maps.DeleteFunc(s.kept, func(key syncKey, _ *syncStatus) bool { return !configured[key] })
}

func (s *statuses) row(ctx context.Context, sync *Sync) row {
	syncStatus := s.of(ctx, sync)
	return row{Sync: *sync, syncStatus: syncStatus, State: conditionOf(sync, syncStatus)}
}

// find returns the sync that a path names.
func (s *statuses) find(ctx context.Context, name, tenant string) (row, error) {
	for _, sync := range s.service.Syncs() {
		if sync.Name == name && sync.TenantName == tenant {
			row := s.row(ctx, &sync)
			row.Access = s.access()[sync.Tenant]
			return row, nil
		}
	}
	return row{}, errNotFound
}

// A SyncStatus is a sync in figures, as its page shows them.
type SyncStatus struct {
	Sync, Tenant string // names
	Linked       int    // active accounts and groups
	Holds        int    // causes that wait for an approval
	Rejected     int    // actions that are due and were rejected
	Retrying     int
	Skipped      int
	Drift        int // accounts, groups and memberships that were changed in the application
	Pins         int // users and groups that are pinned
	Quarantined  bool
	Mostly       bool // more of the scope is skipped than guard.skipped lets pass
	LastSuccess  time.Time
	Behind       time.Duration // how old a change that takes access away may be at most; 0 before the first success
	Freshness    time.Duration // its objective, 0 for none
}

// Statuses returns all syncs whose state can be read, for metrics.
func (s *Server) Statuses(ctx context.Context) []SyncStatus {
	var all []SyncStatus
	for _, r := range s.statuses.rows(ctx) {
		if r.ReadError == nil {
			all = append(all, SyncStatus{
				Sync: r.Name, Tenant: r.TenantName, Linked: r.Linked(), Holds: len(r.Holds), Rejected: r.RejectedActions(), Retrying: r.Retrying, Skipped: r.Skipped, Drift: r.Drift, Pins: r.Pins,
				Quarantined: r.Info.Quarantine != nil, Mostly: r.mostlySkipped() != nil, LastSuccess: r.Info.LastSuccess,
				Behind: r.Behind(s.Now()), Freshness: r.Freshness,
			})
		}
	}
	return all
}
