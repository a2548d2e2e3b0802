package scheduler_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrasync/cmd/internal/scheduler"
)

func TestReload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var before, after diary
		s, stop := start(t, scheduler.Options{})
		s.Set(
			before.job(t, "running", 20*time.Minute, "@every 30m"),
			before.job(t, "resting", 0, "@every 30m"),
			before.job(t, "changed", 0, "@every 30m"),
			before.job(t, "dropped", time.Hour, "@every 30m"),
		)
		sit(10 * time.Minute)
		s.Set(
			after.job(t, "running", 0, "@every 30m"),
			after.job(t, "resting", 0, "@every 30m"),
			after.job(t, "changed", 0, "@every 1h"),
			after.job(t, "fresh", 0, "@every 30m"),
		)
		sit(51 * time.Minute)
		for name, want := range map[string][]int{"running": {30, 60}, "resting": {30, 60}, "changed": {60}, "fresh": {10, 40}, "dropped": nil} {
			if diff := cmp.Diff(want, after.minutes(name, began)); diff != "" {
				t.Errorf("%s after the reload: %s", name, diff)
			}
		}
		if got := before.minutes("running", began); len(got) != 1 {
			t.Errorf("running began %v with its old definition", got)
		}
		if st := status(t, s, "running"); st.Runs != 3 || st.Failed != 0 {
			t.Errorf("the run in progress during the reload was disturbed: %+v", st)
		}
		if n := len(s.Status()); n != 4 {
			t.Errorf("%d jobs, want 4 without the one dropped", n)
		}
		stop()
	})
}

func TestRemoveEndsTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := start(t, scheduler.Options{})
		var cause error
		slow := func(ctx context.Context) error {
			<-ctx.Done()
			cause = context.Cause(ctx)
			<-time.After(time.Minute)
			return ctx.Err()
		}
		s.Put(scheduler.Job{Name: "a", Schedules: parse(t, "@every 30m"), Run: slow})
		synctest.Wait()
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Remove(impatient, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Remove of a slow run: %v", err)
		}
		if len(s.Status()) != 0 {
			t.Error("a removed job has a status")
		}

		// Added again while the old run is ending, it waits for that and then runs.
		began := time.Now()
		var d diary
		s.Put(d.job(t, "a", 0, "@every 24h"))
		sit(2 * time.Hour)
		if len(d.begun["a"]) != 1 || d.begun["a"][0].Sub(began) != 59*time.Second {
			t.Errorf("added again, began %v after %v", d.begun["a"], began)
		}
		if !errors.Is(cause, scheduler.ErrRemoved) {
			t.Errorf("cancelled because of %v", cause)
		}
		if err := s.Remove(t.Context(), "a"); err != nil {
			t.Errorf("Remove: %v", err)
		}
		if err := s.Remove(t.Context(), "a"); err != nil {
			t.Errorf("Remove of an unknown job: %v", err)
		}
		if err := s.Trigger(t.Context(), "a", nil); !errors.Is(err, scheduler.ErrUnknown) {
			t.Errorf("Trigger of an unknown job: %v", err)
		}
		stop()
	})
}

func TestTrigger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var d diary
		s, stop := start(t, scheduler.Options{})
		s.Put(d.job(t, "a", 10*time.Minute, "@every 1h"))
		sit(5 * time.Minute)
		if err := s.Trigger(t.Context(), "a", nil); !errors.Is(err, scheduler.ErrRunning) {
			t.Errorf("while running: %v", err)
		}
		sit(15 * time.Minute)
		if err := s.Trigger(t.Context(), "a", nil); err != nil || time.Since(began) != 30*time.Minute {
			t.Errorf("returned %v after %v, want when it has run", err, time.Since(began))
		}

		// Other work under the job's name: its own error, and the tick at 60 waits for it.
		refused := errors.New("refused")
		sit(25 * time.Minute)
		if err := s.Trigger(t.Context(), "a", func(ctx context.Context) error { work(ctx, 10*time.Minute); return refused }); err != refused {
			t.Errorf("other work: %v", err)
		}
		sit(time.Hour)
		if diff := cmp.Diff([]int{0, 20, 65, 120}, d.minutes("a", began)); diff != "" {
			t.Error(diff)
		}
		if st := status(t, s, "a"); st.Skipped != 0 || st.Failed != 1 {
			t.Errorf("%+v", st)
		}

		// The caller leaves: the run is cancelled and Trigger still waits for its end.
		sit(25 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Trigger(ctx, "a", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cancelled: %v", err)
		}
		if status(t, s, "a").Running() {
			t.Error("still running after Trigger has returned")
		}
		stop()
	})
}

// Removing a job answers those who wait for it, and leaving the queue starts nothing.
func TestTriggerThatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		s, stop := start(t, scheduler.Options{Slots: 1})
		s.Put(d.job(t, "busy", time.Hour, "@every 24h"))
		s.Put(d.job(t, "a", 0), d.job(t, "b", 0)) // without schedules: only when triggered
		sit(time.Minute)
		removed := make(chan error, 1)
		go func() { removed <- s.Trigger(t.Context(), "a", nil) }()
		synctest.Wait()
		if err := s.Trigger(t.Context(), "a", nil); !errors.Is(err, scheduler.ErrRunning) {
			t.Errorf("a second trigger: %v", err)
		}
		s.Set(d.job(t, "busy", time.Hour, "@every 24h"), d.job(t, "b", 0))
		if err := <-removed; !errors.Is(err, scheduler.ErrRemoved) {
			t.Errorf("removed while waiting: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Trigger(ctx, "b", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("left the queue: %v", err)
		}
		sit(2 * time.Hour)
		if len(d.begun["a"])+len(d.begun["b"]) != 0 {
			t.Errorf("began all the same: %v", d.begun)
		}
		stop()
	})
}
