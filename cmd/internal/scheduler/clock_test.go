package scheduler

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"
)

// The wall clock can go back, which no bubble does, so turns are taken by hand: what was planned
// by the wrong time is planned again, and what was due stays due.
func TestClockGoesBack(t *testing.T) {
	t.Parallel()
	daily, err := Parse("CRON_TZ=UTC 0 3 * * *")
	if err != nil {
		t.Fatal(err)
	}
	half, err := Parse("@every 30m")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Slots: 1, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	var runs sync.WaitGroup
	idle := func(context.Context) error { return nil }
	s.Put(Job{Name: "daily", Schedules: []Schedule{daily}, Run: idle})
	s.Put(Job{Name: "half", Schedules: []Schedule{half}, Run: idle})
	s.Put(Job{Name: "new", Schedules: []Schedule{half}, Run: idle})

	right := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	wrong := right.AddDate(3, 0, 0)
	for name, e := range s.jobs { // as though they had been added by the wrong clock
		e.anchor, e.next, e.jitter = wrong, wrong, 0
		if name == "new" {
			e.next = wrong.Add(time.Minute)
		}
	}
	for range 2 {
		s.dispatch(t.Context(), &runs, wrong)
		runs.Wait()
	}
	s.dispatch(t.Context(), &runs, right.Add(-time.Minute)) // runs "new", which never had
	runs.Wait()
	for name, want := range map[string]time.Time{
		"daily": time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC),
		"half":  right.Add(29 * time.Minute),
		"new":   right.Add(29 * time.Minute),
	} {
		if got := s.jobs[name].next; !got.Equal(want) {
			t.Errorf("%s is planned for %v, want %v", name, got, want)
		}
		if s.jobs[name].runs != 1 {
			t.Errorf("%s ran %d times, want once", name, s.jobs[name].runs)
		}
	}
	// A step of less than a second is the everyday work of time synchronization.
	s.dispatch(t.Context(), &runs, right.Add(-time.Minute-500*time.Millisecond))
	if got := s.jobs["half"].next; !got.Equal(right.Add(29 * time.Minute)) {
		t.Errorf("half was planned again, for %v", got)
	}
}

// A run that hangs gives its slot away after five minutes by whatever clock.
func TestClockGoesBackDuringARun(t *testing.T) {
	t.Parallel()
	daily, err := Parse("@every 24h")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Slots: 1, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	var runs sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	hang := func(ctx context.Context) error { <-ctx.Done(); return nil }
	s.Put(Job{Name: "first", Schedules: []Schedule{daily}, Run: hang})
	s.Put(Job{Name: "second", Schedules: []Schedule{daily}, Run: hang})
	wrong := now().AddDate(3, 0, 0)
	for i, at := range []time.Time{wrong, wrong.Add(4 * time.Minute), now().Add(time.Minute), now().Add(2 * time.Minute)} {
		s.dispatch(ctx, &runs, at)
		if got, want := len(s.runs), 1+i/3; got != want {
			t.Errorf("%d runs at step %d, want %d", got, i, want)
		}
	}
	stop()
	runs.Wait()
}
