package scheduler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An entry is a job and what is known of its runs.
type entry struct {
	job     Job
	anchor  time.Time     // planned first run; where "@every" counts from
	jitter  time.Duration // added to the ticks of the clock, which are the same for all jobs
	next    time.Time     // next planned run, zero for none; in the past while waiting
	early   time.Time     // a run before that one, which no schedule plans; zero for none
	asked   *run          // triggered and not yet started
	current *run          // in progress
	slow    bool          // the last run was long
	removed bool          // goes away when current ends

	lastStart, lastEnd    time.Time
	lastErr               error
	runs, failed, skipped int64
}

// A run is one execution of a job's work, or of work given to Trigger.
type run struct {
	group      string                      // of the job as it was when this began
	contention contention                  // likewise
	work       func(context.Context) error // nil: the job's own
	own        bool                        // stands for a tick; those that find it in progress are skipped
	asked      time.Time
	start      time.Time
	cancel     context.CancelCauseFunc
	done       chan struct{}
	err        error // valid once done is closed
}

func newRun(work func(context.Context) error) *run {
	return &run{work: work, asked: now(), done: make(chan struct{})}
}

// due reports whether a tick has come.
func (e *entry) due(now time.Time) bool { return !e.next.IsZero() && !e.next.After(now) }

// waits reports whether a run may start: a tick has come, or the time of an early run.
func (e *entry) waits(now time.Time) bool {
	return e.due(now) || !e.early.IsZero() && !e.early.After(now)
}

// planned is the time of the next run, early or not; zero for none.
func (e *entry) planned() time.Time {
	if e.next.IsZero() || !e.early.IsZero() && e.early.Before(e.next) {
		return e.early
	}
	return e.next
}

// after returns the first tick after a time, of whichever schedule comes first.
func (e *entry) after(t time.Time) time.Time {
	var first time.Time
	for _, schedule := range e.job.Schedules {
		tick := schedule.Next(e.anchor, t)
		if !schedule.anchored() {
			if tick = schedule.Next(e.anchor, t.Add(-e.jitter)); !tick.IsZero() {
				tick = tick.Add(e.jitter)
			}
		}
		if !tick.IsZero() && (first.IsZero() || tick.Before(first)) {
			first = tick
		}
	}
	return first
}

// replan plans the next run again after the clock went back from last to now. What was due, or
// had yet to run for the first time, is due at once.
func (e *entry) replan(last, now time.Time) {
	if e.anchor.After(now) {
		e.anchor = now
	}
	if e.current != nil {
		e.current.start = e.current.start.Add(now.Sub(last)) // as old as it was
	}
	if !e.early.IsZero() {
		e.early = now
	}
	waiting := e.due(last) || e.lastStart.IsZero() && e.current == nil
	if e.next = e.after(now); waiting && !e.next.IsZero() {
		e.next = now
	}
}

// postpone plans the next run for a time, unless it comes before that.
func (e *entry) postpone(at time.Time) {
	if at = at.Round(0); !at.IsZero() && !e.next.IsZero() && at.Before(e.next) {
		e.next = at
	}
}

// Hasten plans one more run of a job for a time, or for an earlier one when such a run waits already. It takes its turn with
// all others that are due. While a run is in progress it waits for its end, and is not skipped. An unknown name is no error.
func (s *Scheduler) Hasten(name string, at time.Time) {
	at = at.Round(0)
	s.mu.Lock()
	if e := s.jobs[name]; e != nil && !e.removed && (e.early.IsZero() || at.Before(e.early)) {
		e.early = at
	}
	s.mu.Unlock()
	s.wakeUp()
}

func (e *entry) record(r *run) {
	e.lastStart, e.lastEnd, e.lastErr = r.start, now(), r.err
	e.runs++
	if r.err != nil {
		e.failed++
	}
}

// Put adds jobs, or replaces those of the same name. A new job has its first run at once, spread
// a little when many are added together. A replaced one runs next when it would have, or by its
// new schedules; a run in progress keeps the definition it began with.
func (s *Scheduler) Put(jobs ...Job) {
	s.mu.Lock()
	s.put(jobs)
	s.mu.Unlock()
	s.wakeUp()
}

// Set makes jobs the whole list, as Put, and removes all others: their runs are cancelled, and
// not waited for.
func (s *Scheduler) Set(jobs ...Job) {
	keep := map[string]bool{}
	for _, job := range jobs {
		keep[job.Name] = true
	}
	s.mu.Lock()
	for name, e := range s.jobs {
		if !keep[name] {
			s.remove(e)
		}
	}
	s.put(jobs)
	s.mu.Unlock()
	s.wakeUp()
}

func (s *Scheduler) put(jobs []Job) {
	now := now()
	added := 0 // counted first, so that each sees how many start with it
	for _, job := range jobs {
		if s.jobs[job.Name] == nil {
			s.jobs[job.Name] = &entry{removed: true}
		}
		if s.jobs[job.Name].removed {
			added++
		}
	}
	for _, job := range jobs {
		e := s.jobs[job.Name]
		known := !e.removed
		same := slices.EqualFunc(e.job.Schedules, job.Schedules, func(a, b Schedule) bool { return a.spec == b.spec })
		e.job, e.removed = job, false
		if known && same {
			continue
		}
		var gap time.Duration
		for i, schedule := range job.Schedules {
			if i == 0 || schedule.gap < gap {
				gap = schedule.gap
			}
		}
		e.jitter = jitter(job.Name, gap, len(s.jobs))
		if known {
			e.next = e.after(now)
			continue
		}
		e.anchor, e.next = now.Add(jitter(job.Name, gap, added)), time.Time{}
		if len(job.Schedules) > 0 {
			e.next = e.anchor
		}
	}
}

// Remove takes a job away, cancels its run with cause [ErrRemoved] and returns when that has
// ended, or with ctx's error when ctx ends first. An unknown name is no error.
func (s *Scheduler) Remove(ctx context.Context, name string) error {
	s.mu.Lock()
	e := s.jobs[name]
	if e == nil {
		s.mu.Unlock()
		return nil
	}
	current := e.current
	s.remove(e)
	s.mu.Unlock()
	if current == nil {
		return nil
	}
	select {
	case <-current.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the last run of %s: %w", name, ctx.Err())
	}
}

func (s *Scheduler) remove(e *entry) {
	if e.asked != nil {
		e.asked.err = fmt.Errorf("run %s: %w", e.job.Name, ErrRemoved)
		close(e.asked.done)
		e.asked = nil
	}
	e.next, e.early, e.removed = time.Time{}, time.Time{}, true
	if e.current != nil {
		e.current.cancel(ErrRemoved)
		e.current.own = false // a job added under this name waits for it and skips nothing
		return
	}
	delete(s.jobs, e.job.Name)
}

// Trigger runs a job, before all those that wait for a tick, and returns its error when it has
// run. With work, that is run in place of the job's own; the two never run at once. The end of
// ctx withdraws it or cancels it, and Trigger returns when it has ended. The error is, or wraps,
// [ErrRunning], [ErrUnknown], [ErrRemoved] or [ErrStopped] when there was no run.
func (s *Scheduler) Trigger(ctx context.Context, name string, work func(context.Context) error) error {
	r := newRun(work)
	s.mu.Lock()
	e := s.jobs[name]
	var err error
	switch {
	case e == nil || e.removed:
		err = ErrUnknown
	case e.current != nil || e.asked != nil:
		err = ErrRunning
	default:
		e.asked = r
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	s.wakeUp()

	select {
	case <-r.done:
		return r.err
	case <-s.stopped:
		err = ErrStopped
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.mu.Lock()
	waiting := e.asked == r
	if waiting {
		e.asked = nil
	}
	s.mu.Unlock()
	if waiting {
		return fmt.Errorf("run %s: %w", name, err)
	}
	if r.cancel != nil {
		r.cancel(err)
	}
	<-r.done
	return r.err
}

// A Status is what is known of a job.
type Status struct {
	Name      string
	Since     time.Time // start of the run in progress, zero when there is none
	Next      time.Time // next planned run; in the past while it waits; zero for none
	LastStart time.Time // of the last run that ended, zero before
	LastEnd   time.Time
	LastError error // of the last run that ended
	Runs      int64 // that ended, triggered ones included
	Failed    int64 // of them, with an error
	Skipped   int64 // ticks that found the job still running
}

// Running reports whether a run is in progress.
func (s Status) Running() bool { return !s.Since.IsZero() }

// Status returns every job's status, by name.
func (s *Scheduler) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Status, 0, len(s.jobs))
	for name, e := range s.jobs {
		if e.removed {
			continue
		}
		status := Status{
			Name: name, Next: e.next,
			LastStart: e.lastStart, LastEnd: e.lastEnd, LastError: e.lastErr,
			Runs: e.runs, Failed: e.failed, Skipped: e.skipped,
		}
		if e.current != nil {
			status.Since = e.current.start
		}
		all = append(all, status)
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return all
}
