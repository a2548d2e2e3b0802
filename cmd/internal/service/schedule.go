package service

import (
	"context"
	"strings"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/scheduler"
	"entrasync/cmd/internal/words"
	"entrasync/cmd/internal/worker"
	"entrasync/reconcile"
	"entrasync/state"
)

// fullSpread is for how long complete compares are spread for each sync after the first, and
// longestSpread for how long in all.
const (
	fullSpread    = time.Minute
	longestSpread = 6 * time.Hour
)

// schedule replaces the jobs by those of a worker.
func (s *Service) schedule(w *worker.Worker) error {
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
	var jobs []scheduler.Job
	for _, planned := range w.Syncs {
		if planned.Paused != "" {
			s.log.Info("tenant is paused "+planned.Paused, "sync", planned.Name, "tenant", planned.TenantName)
			continue
		}
		jobs = append(jobs, scheduler.Job{
			Name: jobName(planned), Schedules: []scheduler.Schedule{every},
			Group: planned.Tenant.String(),
			// Also where each tenant has an application of its own there: they tend to fail together.
			On:  planned.TargetName,
			Run: func(ctx context.Context) error { return s.cycle(ctx, w, planned, full, spread) },
		})
	}
	s.scheduler.Set(jobs...)
	return nil
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

// cycle runs one sync of one tenant and logs its result. A failure stays with this tenant.
func (s *Service) cycle(ctx context.Context, w *worker.Worker, planned *compile.Sync, full scheduler.Schedule, spread time.Duration) error {
	log := s.log.With("sync", planned.Name, "tenant", planned.TenantName)
	syncer, release, err := w.Syncer(ctx, planned, nil)
	if err != nil {
		if ctx.Err() == nil {
			log.Error("cycle could not run", "error", err)
			w.NoteHealth(ctx, planned, nil, err)
			s.pages.observe(planned, nil, err)
		}
		return err
	}
	defer release()
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
	report, err := syncer.Run(ctx, options)
	if ctx.Err() != nil {
		log.Info("cycle interrupted; the next one resumes there")
		return ctx.Err()
	}
	w.NoteHealth(ctx, planned, syncer.Source, err)
	s.pages.observe(planned, report, err)
	if err != nil {
		log.Error("cycle could not run", "code", report.Failure.Code, "error", report.Failure.Message, "hint", report.Failure.Hint)
		return err
	}
	summary := report.Summary
	log.Info("cycle done", "result", string(report.Result), "cycle", string(report.Cycle), "run", report.Run,
		"done", strings.TrimSpace(words.Done(report)), "held", summary.Held, "skipped", summary.Skipped, "errors", len(report.Errors),
		"graph_requests", report.Graph.Requests, "target_requests", report.Target.Requests, "ms", report.DurationMS)
	return nil
}
