package service

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/scheduler"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/state"
)

// fullSpread is for how long complete compares are spread for each sync after the first, and
// longestSpread for how long in all.
const (
	fullSpread    = time.Minute
	longestSpread = 6 * time.Hour
)

// schedule replaces the jobs by those of a worker. A process that serves pages only has none.
func (s *Service) schedule(w *worker.Worker) error {
	if s.options.PagesOnly {
		return nil
	}
	every, err := scheduler.Parse(w.Config.Schedule)
	if err != nil {
		return err
	}
	full, err := scheduler.Parse(w.Config.FullCycle)
	if err != nil {
		return err
	}
	// A complete compare is as much work as an initial cycle: those of many tenants are spread.
	spread := min(time.Duration(max(0, len(w.Syncs)-1))*fullSpread, longestSpread)
	jobs, err := s.backups.job(w)
	if err != nil {
		return err
	}
	for _, planned := range w.Syncs {
		if planned.Paused != "" {
			s.log.Info("tenant is paused "+planned.Paused, "sync", planned.Name, "tenant", planned.TenantName)
			continue
		}
		jobs = append(jobs, scheduler.Job{
			Name: jobName(planned), Schedules: []scheduler.Schedule{every},
			Group: planned.Tenant.String(),
			// Also where each tenant has an application of its own there: they tend to fail together.
			Resource: planned.TargetName,
			Run:      func(ctx context.Context) error { return s.cycle(ctx, w, planned, every, full, spread) },
		})
		more, err := s.betweenCycles(w, planned)
		if err != nil {
			return err
		}
		jobs = append(jobs, more...)
	}
	s.scheduler.Set(jobs...)
	return nil
}

// betweenCycles are the jobs of a sync with schedules of their own.
func (s *Service) betweenCycles(w *worker.Worker, planned *compile.Sync) (jobs []scheduler.Job, err error) {
	for _, job := range []struct {
		name, schedule string
		run            func(context.Context, *worker.Worker, *compile.Sync, scheduler.Schedule) error
	}{{removalsName(planned), planned.Removals, s.removals}, {driftName(planned), planned.DriftTimes, s.drift}} {
		made := scheduler.Job{Name: job.name, Group: planned.Tenant.String(), Resource: planned.TargetName}
		var times scheduler.Schedule
		switch {
		case job.schedule != "":
			if times, err = scheduler.Parse(job.schedule); err != nil {
				return nil, err
			}
			made.Schedules = []scheduler.Schedule{times}
		case job.name != removalsName(planned) || !wantedOf(w, planned.Section).Any():
			continue
		} // else it runs when a notification comes
		made.Run = func(ctx context.Context) error { return job.run(ctx, w, planned, times) }
		jobs = append(jobs, made)
	}
	return jobs, nil
}

// fullDue reports whether a complete compare is due after the last one, in its own place within
// the time over which they are spread.
func fullDue(full scheduler.Schedule, last time.Time, place time.Duration, now time.Time) bool {
	// Counted from where the schedule had the last one, so that the place does not add up. A schedule
	// "@every" counts from the last one itself, and is spread as the first ones were.
	next := full.Next(last, last.Add(-place))
	if next.Equal(last) {
		next, place = full.Next(last, last), 0
	}
	return !next.IsZero() && !next.Add(place).After(now)
}

func jobName(s *compile.Sync) string { return s.Name + "/" + s.TenantName }

func removalsName(s *compile.Sync) string { return jobName(s) + " removals" }

func driftName(s *compile.Sync) string { return jobName(s) + " drift" }

// cycle runs one sync of one tenant and logs its result. A failure stays with this tenant.
func (s *Service) cycle(ctx context.Context, w *worker.Worker, planned *compile.Sync, every, full scheduler.Schedule, spread time.Duration) (err error) {
	log := s.log.With("sync", planned.Name, "tenant", planned.TenantName)
	syncer, end, err := s.begin(ctx, w, planned, worker.OnSchedule, every, hint{})
	if err != nil {
		if elsewhere(log, err) {
			return nil
		}
		if ctx.Err() == nil && !errors.As(err, new(*scheduler.NotDue)) {
			log.Error("cycle could not run", "error", err)
			w.NoteHealth(ctx, planned, nil, err)
			s.pages.observe(planned, nil, err)
		}
		return err
	}
	defer func() { end(ctx, err) }()
	options := reconcile.Options{Apply: true, Scheduled: true}
	err = syncer.Tenant.View(func(tx *state.Tx) error {
		last := tx.SyncInfo(planned.Name).LastFull
		options.Full = !last.IsZero() && fullDue(full, last, scheduler.Spread(jobName(planned), spread), time.Now())
		return nil
	})
	if err != nil {
		return err
	}
	// A token keeps the permissions it was issued with for about an hour: without a new one a revoked
	// consent would be noticed late.
	if source, ok := syncer.Source.(interface{ Refresh(context.Context) }); ok {
		source.Refresh(ctx)
	}
	read := time.Now()
	report, err := syncer.Run(ctx, options)
	if ctx.Err() != nil {
		log.Info("cycle interrupted; the next one resumes there")
		return ctx.Err()
	}
	w.NoteHealth(ctx, planned, syncer.Source, err)
	defer s.early.observe(ctx, w, planned, syncer, hint{}, read, report, err)
	s.pages.observe(planned, report, err)
	if planned.Removals == "" {
		warnStale(log, planned, report)
	}
	return logCycle(log, report, err)
}

// warnStale logs that changes took longer than the objective for freshness.
func warnStale(log *slog.Logger, planned *compile.Sync, report *reconcile.Report) {
	if wait := time.Duration(report.LongestWaitMS) * time.Millisecond; planned.Freshness > 0 && wait > planned.Freshness {
		log.Warn("the freshness objective was missed: a change may have waited longer between the directory and the application", "wait", wait.String(), "objective", planned.Freshness.String(), "run", report.Run)
	}
}

// begin takes the turn of a tenant for a cycle that is due on this worker. end ends the turn.
func (s *Service) begin(ctx context.Context, w *worker.Worker, planned *compile.Sync, kind string, schedule scheduler.Schedule, early hint) (syncer *reconcile.Syncer, end func(context.Context, error), err error) {
	if err := s.turn(ctx, w, planned, kind, schedule, early); err != nil {
		return nil, nil, err
	}
	syncer, release, err := w.Syncer(ctx, planned, nil)
	if err != nil {
		return nil, nil, err
	}
	// Meanwhile another worker may have had it.
	if err = s.turn(ctx, w, planned, kind, schedule, early); err == nil && pausedNow(w, planned.Tenant) {
		err = &scheduler.NotDue{}
	}
	var noted func(context.Context, error)
	if err == nil {
		noted, err = w.Begin(syncer, kind)
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return syncer, func(ctx context.Context, err error) { noted(ctx, err); release() }, nil
}

// removals runs a cycle between two on schedule that only takes access away and gives it back. One that changed and
// held nothing new is not in the history, and the log mentions it at level debug. Health is that of the cycles on
// schedule, which read everything: what keeps this one from running is reported there when it lasts.
func (s *Service) removals(ctx context.Context, w *worker.Worker, planned *compile.Sync, soon scheduler.Schedule) (err error) {
	log := s.log.With("sync", planned.Name, "tenant", planned.TenantName)
	hint := s.early.take(planned)
	syncer, end, err := s.begin(ctx, w, planned, worker.Removals, soon, hint)
	if err != nil {
		s.early.postpone(planned, hint, err)
		if elsewhere(log, err) {
			return nil
		}
		log.Debug("removals cycle could not run", "error", err)
		return err
	}
	defer func() { end(ctx, err) }()
	options := reconcile.Options{Apply: true, Scheduled: true, Removals: true, WasRead: s.reads.byAnother(planned, hint.at), AccessRead: s.reads.access(planned)}
	began := time.Now()
	if options.WasRead {
		began = began.Add(-freshFor)
	}
	read := time.Now()
	report, err := syncer.Run(ctx, options)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && report.Graph.Requests > 0 {
		s.reads.note(planned, read)
	}
	defer s.early.observe(ctx, w, planned, syncer, hint, read, report, err)
	if err == nil && report.Looked {
		s.reads.noteAccess(planned, began)
	}
	warnStale(log, planned, report)
	switch {
	case report.Kept:
		s.pages.observe(planned, report, err)
		return logCycle(log, report, err)
	case err != nil:
		log.Warn("removals cycle could not run; the next cycle tries again", "code", report.Failure.Code, "error", report.Failure.Message, "hint", report.Failure.Hint)
	default:
		log.Debug("removals cycle done: nothing new was due", "notes", report.Notes, "graph_requests", report.Graph.Requests)
	}
	return err
}

// drift runs a cycle that compares everything with what the application holds. What the first cycle of a sync has not
// applied yet cannot differ.
func (s *Service) drift(ctx context.Context, w *worker.Worker, planned *compile.Sync, times scheduler.Schedule) (err error) {
	log := s.log.With("sync", planned.Name, "tenant", planned.TenantName)
	syncer, end, err := s.begin(ctx, w, planned, worker.Drift, times, hint{})
	if err != nil {
		if elsewhere(log, err) {
			return nil
		}
		if ctx.Err() == nil && !errors.As(err, new(*scheduler.NotDue)) {
			log.Error("compare could not run", "error", err)
			s.pages.observe(planned, nil, err)
		}
		return err
	}
	defer func() { end(ctx, err) }()
	report, err := syncer.Run(ctx, reconcile.Options{Apply: true, Scheduled: true, Drift: true})
	if ctx.Err() != nil {
		log.Info("compare interrupted; the next one compares everything again")
		return ctx.Err()
	}
	w.NoteHealth(ctx, planned, syncer.Source, err)
	s.pages.observe(planned, report, err)
	if err == nil && report.Drift.New > 0 {
		log.Warn("the application holds something else than what was applied", "accounts", report.Drift.Accounts, "memberships", report.Drift.Members, "new", report.Drift.New, "hint", "see entrasync drift "+planned.Name)
	}
	return logCycle(log, report, err)
}

// logCycle logs how a cycle ended.
func logCycle(log *slog.Logger, report *reconcile.Report, err error) error {
	if err != nil {
		log.Error("cycle could not run", "code", report.Failure.Code, "error", report.Failure.Message, "hint", report.Failure.Hint, "cycle", string(report.Cycle))
		return err
	}
	summary := report.Summary
	log.Info("cycle done", "result", string(report.Result), "cycle", string(report.Cycle), "run", report.Run,
		"done", strings.TrimSpace(words.Done(report)), "held", summary.Held, "skipped", summary.Skipped, "errors", len(report.Errors),
		"graph_requests", report.Graph.Requests, "target_requests", report.Target.Requests, "ms", report.DurationMS)
	return nil
}

// recentReads remembers which removals cycle read a tenant's directory last: the cycles of the tenant's other syncs,
// which follow it, use that. And when the last removals cycle of each sync that ran to its end began, because one that found nothing
// to do writes nothing.
type recentReads struct {
	mu     sync.Mutex // guards the fields below
	last   map[graphsync.ID]recentRead
	bySync map[string]time.Time // by the name of the job
}

// access returns when the last removals cycle of a sync that ran to its end began to read; zero when none has since the start.
func (r *recentReads) access(planned *compile.Sync) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bySync[jobName(planned)]
}

func (r *recentReads) noteAccess(planned *compile.Sync, began time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bySync == nil {
		r.bySync = map[string]time.Time{}
	}
	r.bySync[jobName(planned)] = began
}

type recentRead struct {
	sync  string
	began time.Time
	at    time.Time // when it ended
}

// freshFor is for how long a reading serves the other syncs.
const freshFor = 15 * time.Second

// byAnother reports whether another sync of the tenant has just read, and began to after a time.
func (r *recentReads) byAnother(planned *compile.Sync, after time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.last[planned.Tenant]
	return last.sync != planned.Name && last.began.After(after) && time.Since(last.at) < freshFor
}

func (r *recentReads) note(planned *compile.Sync, began time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = map[graphsync.ID]recentRead{}
	}
	r.last[planned.Tenant] = recentRead{planned.Name, began, time.Now()}
}
