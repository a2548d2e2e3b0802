// Package scheduler runs named jobs on cron schedules, at most one run of each at a time.
//
// It knows nothing of directories, keeps nothing over a restart and bounds no run's duration. It
// bounds what a run takes from others: one that hangs, or has much to do, occupies its job and
// the job's group for as long as it lasts, but its slot for some minutes only. And when slots are
// short, those jobs go first that lean on what has the fewest runs in progress. Something dead, on
// which run after run hangs, thus delays what leans on it and not the rest; likewise jobs whose
// last run was long delay each other.
//
// Ticks are counted from the plan and not from when a run ended, so nothing drifts; a tick that
// finds its job still running is skipped and counted, never queued.
package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// A Job is work with a name. It runs once when it is added and then at every tick of any of its
// schedules; without schedules it runs only when triggered.
type Job struct {
	Name      string
	Group     string // of the jobs of one group at most one runs at a time; "" for no group
	Resource  string // what its runs lean on and would hang with, such as a server
	Schedules []Schedule
	Run       func(context.Context) error
}

// Options adjust a Scheduler. The zero value is usable.
type Options struct {
	Slots          int           // runs at once over all jobs, long ones aside; 4 when 0
	LongAfter      time.Duration // a run older than this is long and gives its slot away, 5m when 0
	LongRuns       int           // most runs without a slot, 64 when 0
	Heartbeat      func()        // called by the loop to show that it is alive, may be nil
	HeartbeatEvery time.Duration // the longest time between two beats, 15s when 0
	Log            *slog.Logger  // skipped ticks and panics; slog.Default() when nil
}

// Sentinels for what a caller of Trigger does next.
var (
	ErrRunning = errors.New("a run is in progress or about to start")
	ErrUnknown = errors.New("there is no job of this name")
	ErrRemoved = errors.New("the job was removed")
	ErrStopped = errors.New("the scheduler has stopped")
)

// NotDue is the error of a run that found nothing to do before a time, because the work was done elsewhere. The job's next run
// is then at the latest; it is no failure. The zero time leaves the plan as it is.
type NotDue struct{ At time.Time }

// Error says when the job is due.
func (e *NotDue) Error() string { return "not due before " + e.At.UTC().Format(time.RFC3339) }

// A Scheduler runs jobs while its Run does. All methods may be called concurrently, before,
// during and after Run.
type Scheduler struct {
	options Options
	wake    chan struct{} // the loop has something to look at
	stopped chan struct{} // closed when no run will start any more

	mu      sync.Mutex // protects all fields below
	jobs    map[string]*entry
	runs    []*run    // in progress, the oldest first
	last    time.Time // when the loop last looked
	running bool
}

// New returns a scheduler without jobs.
func New(options Options) *Scheduler {
	if options.Slots <= 0 {
		options.Slots = 4
	}
	if options.LongAfter <= 0 {
		options.LongAfter = 5 * time.Minute
	}
	if options.LongRuns <= 0 {
		options.LongRuns = 64
	}
	if options.HeartbeatEvery <= 0 {
		options.HeartbeatEvery = 15 * time.Second
	}
	if options.Heartbeat == nil {
		options.Heartbeat = func() {}
	}
	if options.Log == nil {
		options.Log = slog.Default()
	}
	return &Scheduler{
		options: options,
		wake:    make(chan struct{}, 1),
		stopped: make(chan struct{}),
		jobs:    map[string]*entry{},
	}
}

// Run starts jobs until ctx ends; the runs in progress then are cancelled and waited for. An
// ordered stop is no error. A scheduler runs once.
func (s *Scheduler) Run(ctx context.Context) error {
	s.mu.Lock()
	again := s.running
	s.running = true
	s.mu.Unlock()
	if again {
		return errors.New("run scheduler: it has been run already")
	}

	var runs sync.WaitGroup
	defer runs.Wait()
	defer close(s.stopped)
	for ctx.Err() == nil {
		wait := s.dispatch(ctx, &runs, now())
		s.options.Heartbeat()
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// now is the wall clock alone: schedules are about it, and it may jump.
func now() time.Time { return time.Now().Round(0) }

func (s *Scheduler) start(ctx context.Context, runs *sync.WaitGroup, e *entry, now time.Time) {
	r := e.asked
	if r == nil {
		r = newRun(nil)
	}
	work := r.work
	if work == nil {
		work, r.own = e.job.Run, true
		if e.due(now) {
			e.next = e.after(now)
		}
		if !e.early.After(now) {
			e.early = time.Time{}
		}
	}
	ctx, r.cancel = context.WithCancelCause(ctx)
	r.group, r.contention, r.start = e.job.Group, e.contention(), now
	e.asked, e.current = nil, r
	s.runs = append(s.runs, r)
	name := e.job.Name
	runs.Go(func() {
		defer r.cancel(nil)
		r.err = s.protect(ctx, name, work)
		s.finish(e, r)
	})
}

// protect turns a panic, or an end of the goroutine by other means, into the job's error.
func (s *Scheduler) protect(ctx context.Context, name string, work func(context.Context) error) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		value := recover()
		s.options.Log.Error("a job panicked", "job", name, "panic", value, "stack", string(debug.Stack()))
		err = fmt.Errorf("run %s: panic: %v", name, value)
	}()
	err = work(ctx)
	returned = true
	return err
}

func (s *Scheduler) finish(e *entry, r *run) {
	s.mu.Lock()
	s.runs = slices.DeleteFunc(s.runs, func(other *run) bool { return other == r })
	e.current = nil
	if later := (*NotDue)(nil); errors.As(r.err, &later) {
		e.postpone(later.At)
		r.err = nil
	}
	e.record(r)
	e.slow = e.lastEnd.Sub(e.lastStart) >= s.options.LongAfter
	if e.removed {
		delete(s.jobs, e.job.Name)
	}
	s.mu.Unlock()
	close(r.done)
	s.wakeUp()
}

// wakeUp makes the loop look; one call is enough for many reasons.
func (s *Scheduler) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
