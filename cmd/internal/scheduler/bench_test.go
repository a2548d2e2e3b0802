package scheduler

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"
)

// What one look of the loop at 2,000 jobs costs, in three situations.
func BenchmarkTurn(b *testing.B) {
	const many = 2000
	every, err := Parse("@every 30m")
	if err != nil {
		b.Fatal(err)
	}
	began := now()
	fill := func(run func(context.Context) error) *Scheduler {
		s := New(Options{Slots: 8, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		var jobs []Job
		for i := range many {
			jobs = append(jobs, Job{
				Name: fmt.Sprint("job-", i), Group: fmt.Sprint("tenant-", i/2), Resource: fmt.Sprint("server-", i%4),
				Schedules: []Schedule{every}, Run: run,
			})
		}
		s.Set(jobs...)
		return s
	}
	b.Run("nothing due", func(b *testing.B) {
		s := fill(nil)
		var runs sync.WaitGroup
		for b.Loop() {
			s.dispatch(b.Context(), &runs, began.Add(-time.Second))
		}
	})
	b.Run("all wait", func(b *testing.B) {
		ctx, stop := context.WithCancel(b.Context())
		s := fill(func(ctx context.Context) error { <-ctx.Done(); return nil })
		var runs sync.WaitGroup
		for b.Loop() {
			s.dispatch(ctx, &runs, began.Add(10*time.Minute))
		}
		stop()
		runs.Wait()
	})
	b.Run("eight start", func(b *testing.B) {
		s := fill(func(context.Context) error { return nil })
		var runs sync.WaitGroup
		for at := began; b.Loop(); at = at.Add(10 * time.Second) {
			s.dispatch(b.Context(), &runs, at)
			runs.Wait()
		}
	})
}
