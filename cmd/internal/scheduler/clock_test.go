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
// by the wrong time is planned anew, and what was due stays due.
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
	s.Put(Job{"daily", []Schedule{daily}, idle})
	s.Put(Job{"half", []Schedule{half}, idle})
	s.Put(Job{"new", []Schedule{half}, idle})

	right := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	wrong := right.AddDate(3, 0, 0)
	for name, e := range s.jobs { // as though they had been added by the wrong clock
		e.anchor, e.next, e.jitter = wrong, wrong, 0
		if name == "new" {
			e.next = wrong.Add(time.Minute)
		}
	}
	for range 2 {
		s.turn(t.Context(), &runs, wrong)
		runs.Wait()
	}
	s.turn(t.Context(), &runs, right.Add(-time.Minute)) // runs "new", which never had
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
	s.turn(t.Context(), &runs, right.Add(-time.Minute-500*time.Millisecond))
	if got := s.jobs["half"].next; !got.Equal(right.Add(29 * time.Minute)) {
		t.Errorf("half was planned anew, for %v", got)
	}
}
