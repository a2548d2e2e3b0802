package service

import (
	"context"
	"errors"
	"sync"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/consentweb"
	"entrasync/cmd/internal/subscriptions"
	"entrasync/cmd/internal/worker"
	"entrasync/configs"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

// early starts removals cycles before their time, when Graph notifies of a change.
type early struct {
	service       *Service
	subscriptions *subscriptions.Subscriptions
	allowances    subscriptions.Allowances

	mu    sync.Mutex // guards hints
	hints map[string]hint
}

// A hint is why a removals cycle comes before its time: something may have changed before at. The zero value is for none.
type hint struct {
	at    time.Time
	again bool // the cycle before found nothing: the change could perhaps not be read yet
}

const (
	elsewhereAgain = 2 * time.Second  // when another worker has the tenant
	lookAgain      = 30 * time.Second // after a notification of a change that was not found
)

func newEarly(s *Service, w *worker.Worker) *early {
	e := &early{service: s, hints: map[string]hint{}}
	e.subscriptions = &subscriptions.Subscriptions{
		Store: w.Store.Subscriptions(), Log: s.log, Now: time.Now, Hint: e.hint, NameOf: w.Store.TenantRecords().NameOf,
	}
	return e
}

// wantedOf returns the change notifications that a tenant should have.
func wantedOf(w *worker.Worker, section configs.Tenant) subscriptions.Wanted {
	wanted := subscriptions.Wanted{Notifications: w.Config.NotificationsOf(section)}
	if w.Config.Consent != nil {
		wanted.URL = consentweb.NotificationsURL(w.Config.Consent.PublicURL)
	}
	return wanted
}

// hint plans a removals cycle for each sync of a tenant, as far as its allowance lasts.
func (e *early) hint(tenant graphsync.ID, _ graphsync.Stream) {
	now := time.Now()
	at, ok := e.allowances.Plan(tenant, now)
	if !ok {
		return
	}
	for _, planned := range e.service.worker.Load().Syncs {
		if planned.Tenant == tenant && planned.Paused == "" {
			e.hasten(planned, hint{at: now}, at)
		}
	}
}

func (e *early) hasten(planned *compile.Sync, of hint, at time.Time) {
	e.mu.Lock()
	e.hints[removalsName(planned)] = of
	e.mu.Unlock()
	e.service.scheduler.Hasten(removalsName(planned), at)
}

// take returns why a removals cycle that begins comes now.
func (e *early) take(planned *compile.Sync) hint {
	e.mu.Lock()
	defer e.mu.Unlock()
	of := e.hints[removalsName(planned)]
	delete(e.hints, removalsName(planned))
	return of
}

// postpone follows a hint later, when another worker had the tenant.
func (e *early) postpone(planned *compile.Sync, of hint, err error) {
	if !of.at.IsZero() && errors.As(err, new(*state.HeldError)) {
		e.hasten(planned, of, time.Now().Add(elsewhereAgain))
	}
}

// observe judges the subscriptions of a tenant by a cycle that read it from a time on, keeps them as the configuration wants
// them, and reads once more where the change that a hint was about was not found.
func (e *early) observe(ctx context.Context, w *worker.Worker, planned *compile.Sync, syncer *reconcile.Syncer, of hint, began time.Time, report *reconcile.Report, failed error) {
	if failed == nil && report.Cycle == reconcile.RemovalsOnly && !report.Looked {
		return // it waits for another cycle
	}
	wanted := wantedOf(w, planned.Section)
	if failed == nil && report.Graph.Requests > 0 && report.Cycle != reconcile.Initial {
		changed := report.Changed
		e.subscriptions.Observe(planned.Tenant, wanted, began, map[graphsync.Stream]bool{graphsync.Users: changed.Users > 0, graphsync.Groups: changed.Groups > 0})
		if nothing := changed == (reconcile.Changed{}); nothing && !of.at.IsZero() && !of.again && wanted.Any() {
			e.hasten(planned, hint{at: time.Now(), again: true}, time.Now().Add(lookAgain))
		}
	}
	if graph, ok := syncer.Source.(graphsync.Notifier); ok {
		e.subscriptions.Keep(ctx, planned.Tenant, wanted, graph.Subscriptions())
	}
}
