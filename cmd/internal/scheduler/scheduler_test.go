package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrasync/cmd/internal/scheduler"
)

// A diary notes which job began when, in a bubble's time.
type diary struct {
	mu    sync.Mutex // protects all fields below
	begun map[string][]time.Time
}

func (d *diary) note(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.begun == nil {
		d.begun = map[string][]time.Time{}
	}
	d.begun[name] = append(d.begun[name], time.Now())
}

// minutes returns when a job began, in whole minutes since start.
func (d *diary) minutes(name string, start time.Time) []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []int
	for _, at := range d.begun[name] {
		all = append(all, int(at.Sub(start)/time.Minute))
	}
	return all
}

// job notes its beginning and then works for a while, or until it is cancelled.
func (d *diary) job(t testing.TB, name string, works time.Duration, specs ...string) scheduler.Job {
	return scheduler.Job{Name: name, Schedules: parse(t, specs...), Run: func(ctx context.Context) error {
		d.note(name)
		return work(ctx, works)
	}}
}

func work(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func parse(t testing.TB, specs ...string) []scheduler.Schedule {
	t.Helper()
	var all []scheduler.Schedule
	for _, spec := range specs {
		s, err := scheduler.Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// start runs a scheduler until stop is called, which returns when Run has.
func start(t *testing.T, options scheduler.Options) (s *scheduler.Scheduler, stop func()) {
	options.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s = scheduler.New(options)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// sit lets a bubble's time pass and everything in it come to rest.
func sit(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func status(t *testing.T, s *scheduler.Scheduler, name string) scheduler.Status {
	t.Helper()
	for _, st := range s.Status() {
		if st.Name == name {
			return st
		}
	}
	t.Fatalf("no status of %s", name)
	return scheduler.Status{}
}

func TestFirstAtOnceThenEveryTick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var d diary
		s, stop := start(t, scheduler.Options{})
		s.Put(d.job(t, "front", 7*time.Minute, "@every 30m"))
		sit(100 * time.Minute)
		if diff := cmp.Diff([]int{0, 30, 60, 90}, d.minutes("front", began)); diff != "" {
			t.Error(diff) // from the plan: a run of 7 minutes shifts nothing
		}
		want := scheduler.Status{
			Name: "front", Next: began.Add(120 * time.Minute), Runs: 4,
			LastStart: began.Add(90 * time.Minute), LastEnd: began.Add(97 * time.Minute),
		}
		if diff := cmp.Diff(want, status(t, s, "front")); diff != "" {
			t.Error(diff)
		}
		stop()
	})
}

func TestTickDuringRunIsSkippedAndCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var d diary
		s, stop := start(t, scheduler.Options{})
		s.Put(d.job(t, "long", 70*time.Minute, "@every 30m"))
		sit(65 * time.Minute)
		if st := status(t, s, "long"); st.Skipped != 2 || !st.Since.Equal(began) || !st.Next.Equal(began.Add(90*time.Minute)) {
			t.Errorf("while running: %+v", st)
		}
		sit(60 * time.Minute)
		if diff := cmp.Diff([]int{0, 90}, d.minutes("long", began)); diff != "" {
			t.Error(diff)
		}
		stop()
	})
}

func TestTwoSchedules(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now() // 2000-01-01 00:00 UTC
		var d diary
		s, stop := start(t, scheduler.Options{})
		s.Put(d.job(t, "front", time.Minute, "@every 1h", "CRON_TZ=UTC 30 1 * * *"))
		sit(3 * time.Hour)
		if diff := cmp.Diff([]int{0, 60, 90, 120, 180}, d.minutes("front", began)); diff != "" {
			t.Error(diff)
		}
		stop()
	})
}

// Five hundred tenants with the same schedule, four slots, one that never ends: every other runs
// in every interval, and the one waiting longest goes first.
func TestFairness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const tenants = 500
		began := time.Now()
		var d diary
		s, stop := start(t, scheduler.Options{Slots: 4})
		jobs := []scheduler.Job{d.job(t, "hanging", 1000*time.Hour, "@every 30m")}
		for i := range tenants {
			jobs = append(jobs, d.job(t, fmt.Sprintf("tenant-%03d", i), 10*time.Second, "@every 30m"))
		}
		s.Set(jobs...)
		sit(3*time.Hour - time.Second)
		var late time.Duration
		for _, st := range s.Status() {
			switch {
			case st.Name == "hanging":
				if st.Runs != 0 || st.Since.IsZero() {
					t.Errorf("hanging: %+v", st)
				}
			case st.Runs != 6 || st.Skipped != 0 || st.Failed != 0:
				t.Errorf("%+v, want 6 runs in three hours", st)
			}
			if begun := d.begun[st.Name]; len(begun) > 0 {
				late = max(late, begun[0].Sub(began))
			}
		}
		// Four slots take so long for 10 s of work each, one of them being lost for five minutes;
		// with fair turns, no job waits longer.
		if most := (tenants*10*time.Second+5*time.Minute)/4 + 10*time.Second; late > most {
			t.Errorf("the last began after %v, want at most %v", late, most)
		}
		stop()
	})
}

func TestWaitingLongestGoesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var order []string
		s, stop := start(t, scheduler.Options{Slots: 1, LongAfter: 24 * time.Hour})
		add := func(name string) {
			s.Put(scheduler.Job{Name: name, Schedules: parse(t, "@every 24h"), Run: func(ctx context.Context) error {
				order = append(order, name) // one slot: never two at once
				return work(ctx, time.Hour)
			}})
			sit(time.Minute)
		}
		for _, name := range []string{"d", "c", "b", "a"} {
			add(name)
		}
		go s.Trigger(t.Context(), "b", nil) // a caller waits for this one
		sit(5 * time.Hour)
		if got := strings.Join(order, ""); got != "dbca" {
			t.Errorf("order %s, want dbca", got)
		}
		stop()
	})
}

// Of a group one runs at a time, also while a removed one ends. A job that waits for its group takes
// no slot, and goes first when it was asked for.
func TestGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var d diary
		grouped := func(job scheduler.Job) scheduler.Job { job.Group = "g"; return job }
		ending := scheduler.Job{Name: "ending", Schedules: parse(t, "@every 24h"), Run: func(ctx context.Context) error {
			<-ctx.Done()
			<-time.After(time.Minute) // the request under way
			return ctx.Err()
		}}
		s, stop := start(t, scheduler.Options{Slots: 2})
		s.Put(grouped(ending))
		sit(time.Minute)
		s.Put(grouped(d.job(t, "early", time.Minute, "@every 24h")))
		sit(time.Minute)
		s.Put(grouped(d.job(t, "late", time.Minute, "@every 24h")), d.job(t, "stranger", time.Hour, "@every 24h"))
		go s.Trigger(t.Context(), "late", nil)
		sit(8 * time.Minute)
		if err := s.Remove(t.Context(), "ending"); err != nil {
			t.Error(err)
		}
		sit(10 * time.Minute)
		for name, want := range map[string][]int{"stranger": {2}, "late": {11}, "early": {12}} {
			if diff := cmp.Diff(want, d.minutes(name, began)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		stop()
	})
}

func TestJitter(t *testing.T) {
	t.Parallel()
	firsts := func(spec string, tenants int) (delays []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			var d diary
			var jobs []scheduler.Job
			for i := range tenants {
				jobs = append(jobs, d.job(t, fmt.Sprintf("tenant-%03d", i), 0, spec))
			}
			s, stop := start(t, scheduler.Options{Slots: tenants})
			s.Set(jobs...)
			sit(6 * time.Minute)
			stop()
			for _, job := range jobs {
				delays = append(delays, d.begun[job.Name][0].Sub(began))
			}
		})
		return delays
	}
	tests := []struct {
		spec    string
		tenants int
		most    time.Duration
	}{
		{"@every 30m", 1, 0},
		{"@every 30m", 3, 2 * time.Second},
		{"@every 30m", 400, 3 * time.Minute},
		{"@every 24h", 400, 5 * time.Minute},
		{"0 3 * * *", 400, 5 * time.Minute},
		{"@every 20s", 400, 2 * time.Second},
	}
	for _, tt := range tests {
		delays := firsts(tt.spec, tt.tenants)
		var quarters [4]int
		for _, delay := range delays {
			if delay < 0 || delay > tt.most {
				t.Fatalf("%s, %d jobs: a first run after %v, want at most %v", tt.spec, tt.tenants, delay, tt.most)
			}
			if tt.most > 0 {
				quarters[min(3, int(4*delay/tt.most))]++
			}
		}
		for i, n := range quarters {
			if tt.tenants == 400 && (n < 70 || n > 130) {
				t.Errorf("%s: %d of 400 in quarter %d of the window, want about 100", tt.spec, n, i)
			}
		}
	}
	if diff := cmp.Diff(firsts("@every 30m", 50), firsts("@every 30m", 50)); diff != "" {
		t.Errorf("another start spreads differently: %s", diff)
	}
}

// Ticks of the clock are the same for all jobs and are spread too; a job alone is punctual.
func TestClockTicksAreSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var d diary
		s, stop := start(t, scheduler.Options{Slots: 100})
		s.Put(d.job(t, "alone", 0, "0 3 * * *"))
		var jobs []scheduler.Job
		for i := range 100 {
			jobs = append(jobs, d.job(t, fmt.Sprint("tenant-", i), 0, "0 3 * * *"))
		}
		s.Put(jobs...)
		sit(27*time.Hour + 10*time.Minute)
		stop()
		if got := d.begun["alone"][1].Sub(began); got != 3*time.Hour {
			t.Errorf("alone at %v, want 3h", got)
		}
		var last time.Duration
		for _, job := range jobs {
			begun := d.begun[job.Name]
			if len(begun) != 3 {
				t.Fatalf("%s ran %d times, want at the start and at two ticks", job.Name, len(begun))
			}
			if begun[2].Sub(begun[1]) != 24*time.Hour {
				t.Errorf("%s: %v between its ticks", job.Name, begun[2].Sub(begun[1]))
			}
			last = max(last, begun[1].Sub(began))
		}
		if last < 3*time.Hour+time.Minute || last > 3*time.Hour+100*time.Second {
			t.Errorf("the last tick at %v, want spread over 100 seconds", last)
		}
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := start(t, scheduler.Options{Slots: 2})
		var ended atomic.Int32
		for _, name := range []string{"a", "b", "c"} {
			s.Put(scheduler.Job{Name: name, Schedules: parse(t, "@every 30m"), Run: func(ctx context.Context) error {
				<-ctx.Done()
				<-time.After(time.Second) // the request under way
				ended.Add(1)
				return ctx.Err()
			}})
		}
		waiting := make(chan error, 1)
		sit(time.Minute)
		go func() { waiting <- s.Trigger(t.Context(), "c", nil) }()
		sit(time.Minute)
		began := time.Now()
		stop()
		if took := time.Since(began); took != time.Second || ended.Load() != 2 {
			t.Errorf("stopped after %v with %d runs ended, want 1s and 2", took, ended.Load())
		}
		if err := <-waiting; !errors.Is(err, scheduler.ErrStopped) {
			t.Errorf("a trigger that waited: %v", err)
		}
		if err := s.Trigger(t.Context(), "c", nil); !errors.Is(err, scheduler.ErrStopped) {
			t.Errorf("a trigger afterwards: %v", err)
		}
		if err := s.Run(t.Context()); err == nil {
			t.Error("a second Run is no error")
		}
	})
}

func TestPanicIsTheJobsFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := start(t, scheduler.Options{})
		s.Put(scheduler.Job{Name: "bad", Schedules: parse(t, "@every 30m"), Run: func(context.Context) error { panic("boom") }})
		var d diary
		s.Put(d.job(t, "good", 0, "@every 30m"))
		sit(45 * time.Minute)
		if st := status(t, s, "bad"); st.Runs != 2 || st.Failed != 2 || st.LastError == nil || st.LastError.Error() != "run bad: panic: boom" {
			t.Errorf("%+v", st)
		}
		if st := status(t, s, "good"); st.Runs != 2 || st.Failed != 0 {
			t.Errorf("%+v", st)
		}
		stop()
	})
}

// WATCHDOG=1 must come while jobs hang, and only from the loop.
func TestBeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		beats, last := 0, time.Now()
		_, stop := start(t, scheduler.Options{HeartbeatEvery: 10 * time.Second, Heartbeat: func() {
			if time.Since(last) > 10*time.Second {
				t.Errorf("no beat for %v", time.Since(last))
			}
			beats, last = beats+1, time.Now()
		}})
		sit(time.Minute)
		stop()
		if beats < 6 {
			t.Errorf("%d beats in a minute, want 6 or more", beats)
		}
	})
}
