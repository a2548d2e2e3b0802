package service

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/scheduler"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/state"
)

// Where workers share the state, each plans every sync by its own schedule. Before a cycle it asks the state when the sync ran last,
// whichever worker did that, and owns the tenant while the cycle runs. What it does besides is here.

const (
	lookEvery   = time.Second      // for cycles that other workers did not end
	longestWait = 30 * time.Second // between two attempts to reach the state
	beatTime    = 2 * time.Second  // between two signs of life in the state
	lastWord    = 5 * time.Second  // that a worker which ends may need to say so
)

// A fleet is what this worker knows of the others.
type fleet struct {
	mu      sync.Mutex // guards the fields below
	known   state.Fleet
	lost    error // why the state could not be reached at the last attempt, nil when it was
	records []state.TenantRecord
}

// joinFleet shows the other workers that this one lives, takes over what they did not end, and takes up changes of the tenants that
// they or commands made, until ctx ends. Before it returns it has shown itself once.
func (s *Service) joinFleet(ctx context.Context) error {
	if !s.worker.Load().Store.Workers().Shared() {
		return nil
	}
	if s.options.Activate {
		if err := s.activate(ctx); err != nil {
			return err
		}
	}
	if err := s.showSelf(ctx); err != nil {
		return err
	}
	s.work.Go(func() {
		if !s.options.PagesOnly {
			defer s.leaveFleet()
		}
		wait, shown := lookEvery, time.Now()
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			var err error
			if !s.options.PagesOnly {
				err = s.takeOver(ctx)
			}
			if err == nil && time.Since(shown) >= beatTime {
				shown, err = time.Now(), s.showSelf(ctx)
			}
			if back := s.noteReach(err); back {
				s.retryFailed(ctx)
			}
			if err == nil {
				wait = lookEvery
			} else {
				wait = min(2*wait, longestWait)
			}
		}
	})
	return nil
}

// retryFailed runs the cycles that failed while the state could not be reached. Those that are not due do nothing.
func (s *Service) retryFailed(ctx context.Context) {
	for _, job := range s.scheduler.Status() {
		if job.LastError != nil {
			s.work.Go(func() { _ = s.scheduler.Trigger(ctx, job.Name, nil) }) // the cycle reports its own result
		}
	}
}

// activate makes the configuration of this worker the active one.
func (s *Service) activate(ctx context.Context) error {
	w := s.worker.Load()
	hash, err := w.ConfigHash()
	if err != nil {
		return err
	}
	generation, changed, err := w.Store.Workers().Activate(ctx, hash)
	if err == nil && changed {
		s.log.Info("configuration activated", "generation", generation)
	}
	return err
}

// noteReach keeps and logs whether the state can be reached. back says that it can again.
func (s *Service) noteReach(err error) (back bool) {
	s.fleet.mu.Lock()
	was := s.fleet.lost
	s.fleet.lost = err
	s.fleet.mu.Unlock()
	switch {
	case err != nil && errors.Is(err, context.Canceled):
	case err != nil && was == nil:
		s.log.Error("the state's database is lost: running cycles end, no user is removed, and cycles run again when it is back", "error", err)
	case err == nil && was != nil:
		s.log.Info("the state's database is back")
		return true
	}
	return false
}

// showSelf notes that this worker runs and with which configuration, and takes up what it learns.
func (s *Service) showSelf(ctx context.Context) error {
	w := s.worker.Load()
	hash, err := w.ConfigHash()
	if err != nil {
		return err
	}
	asked, cancel := context.WithTimeout(ctx, 2*beatTime)
	defer cancel()
	show := w.Store.Workers().Beat
	if s.options.PagesOnly { // it is no worker: rates are not divided by it, and its configuration does not become the active one
		show = func(ctx context.Context, _ []byte) (state.Fleet, error) { return w.Store.Workers().Fleet(ctx) }
	}
	now, err := show(asked, hash)
	if err != nil {
		return err
	}
	s.fleet.mu.Lock()
	before := s.fleet.known
	s.fleet.known = now
	s.fleet.mu.Unlock()
	if before.Workers != now.Workers && !s.options.PagesOnly {
		s.log.Info("workers that share the state", "workers", now.Workers, "this", w.Store.Workers().Name())
		w.Share(now.Workers)
	}
	if active := now.Active(hash); !active && !s.options.PagesOnly && (before.Generation != now.Generation || before.Workers == 0) {
		s.log.Warn("another configuration is the active one: this worker runs no cycles until its own is activated with: entrasync config activate", "generation", now.Generation, "activated_by", now.By)
	}
	if before.Sequence != now.Sequence {
		return s.followTenants(w)
	}
	return nil
}

// followTenants takes up changes of the tenants in the registry.
func (s *Service) followTenants(w *worker.Worker) error {
	records, err := w.Store.TenantRecords().All()
	if err != nil {
		return err
	}
	decisive := make([]state.TenantRecord, 0, len(records))
	for _, r := range records {
		decisive = append(decisive, state.TenantRecord{ID: r.ID, Name: r.Name, Origin: r.Origin, Paused: r.Paused, Domains: r.Domains, Removed: r.Removed})
	}
	s.fleet.mu.Lock()
	same := s.fleet.records != nil && reflect.DeepEqual(s.fleet.records, decisive)
	first := s.fleet.records == nil
	s.fleet.records = decisive
	s.fleet.mu.Unlock()
	if same || first {
		return nil
	}
	return s.applyTenantChanges()
}

// takeOver begins the cycles that other workers did not end: theirs, whose lease has ended.
func (s *Service) takeOver(ctx context.Context) error {
	w := s.worker.Load()
	asked, cancel := context.WithTimeout(ctx, 2*beatTime)
	defer cancel()
	cycles, err := w.Store.Workers().Unfinished(asked)
	if err != nil {
		return err
	}
	for _, c := range cycles {
		for _, planned := range w.Syncs {
			if planned.Tenant != c.Tenant || planned.Name != c.Sync || planned.Paused != "" {
				continue
			}
			name := jobName(planned)
			switch c.Kind {
			case worker.Removals:
				name = removalsName(planned)
			case worker.Drift:
				name = driftName(planned)
			}
			s.work.Go(func() {
				err := s.scheduler.Trigger(ctx, name, nil)
				if err == nil {
					s.log.Info("cycle taken over", "sync", c.Sync, "tenant", planned.TenantName, "from", c.Worker, "began", c.Began)
				}
			})
		}
	}
	return nil
}

// leaveFleet notes that this worker has ended.
func (s *Service) leaveFleet() {
	ctx, cancel := context.WithTimeout(context.Background(), lastWord)
	defer cancel()
	if err := s.worker.Load().Store.Workers().Leave(ctx); err != nil {
		s.log.Warn("tell the other workers that this one has ended", "error", err)
	}
}

// turn reports whether a cycle of a sync is due on this worker. Where workers share the state, one that another worker has run is
// not due before the next tick: the error is then a [*scheduler.NotDue]. The clock that counts is the database's.
func (s *Service) turn(ctx context.Context, w *worker.Worker, planned *compile.Sync, kind string, schedule scheduler.Schedule, early hint) error {
	if !w.Store.Workers().Shared() {
		return nil
	}
	tick, err := w.Tick(ctx, planned, kind)
	if err != nil {
		return err
	}
	if tick.Never || tick.Unfinished {
		return nil
	}
	if !early.at.IsZero() {
		if tick.Now.Sub(tick.Began) < time.Since(early.at) {
			return &scheduler.NotDue{} // another worker has begun one since
		}
		return nil
	}
	if wait := schedule.After(tick.Began).Sub(tick.Now); wait > dueTolerance {
		return &scheduler.NotDue{At: time.Now().Add(wait)}
	}
	return nil
}

// dueTolerance is how long before its time a cycle may run, so that one that began a moment late does not have the next one
// come late.
const dueTolerance = 500 * time.Millisecond

// elsewhere logs that a cycle is not for this worker, and reports whether err says so.
func elsewhere(log *slog.Logger, err error) bool {
	var held *state.HeldError
	var inactive *state.InactiveError
	switch {
	case errors.As(err, &held):
		log.Debug("another worker has the tenant", "worker", held.Holder)
	case errors.As(err, &inactive):
		log.Debug("another configuration is the active one", "generation", inactive.Generation)
	default:
		return false
	}
	return true
}

// pausedNow reports whether a command paused a tenant since this worker learned of its tenants.
func pausedNow(w *worker.Worker, id graphsync.ID) bool {
	if !w.Store.Workers().Shared() {
		return false
	}
	paused, err := w.Tenants.Paused(id)
	return err == nil && paused
}
