package scheduler_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/cmd/internal/scheduler"
)

// An early run comes in addition to the ticks. One that comes due during a run waits for its end and is not skipped; asked
// for twice it comes once.
func TestHasten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		s := scheduler.New(scheduler.Options{})
		s.Set(d.job(t, "ticks", 3*time.Minute, "@every 1h"), d.job(t, "early alone", time.Second))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		start := time.Now()
		go func() { ended <- s.Run(ctx) }()
		after := func(m int) time.Time { return start.Add(time.Duration(m) * time.Minute) }
		s.Hasten("ticks", after(20))
		s.Hasten("ticks", after(25)) // one waits already
		s.Hasten("unknown", after(5))
		s.Hasten("early alone", after(30))
		s.Hasten("early alone", after(10)) // earlier than the one that waits
		time.Sleep(time.Until(after(61)))
		s.Hasten("ticks", time.Now()) // while it runs, until minute 63
		time.Sleep(time.Until(after(119)))
		status := s.Status()
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if got := d.minutes("ticks", start); !slices.Equal(got, []int{0, 20, 60, 63}) {
			t.Errorf("ran in minutes %v", got)
		}
		if got := d.minutes("early alone", start); !slices.Equal(got, []int{10}) {
			t.Errorf("the job without a schedule ran in minutes %v", got)
		}
		for _, job := range status {
			if job.Skipped != 0 {
				t.Errorf("%s skipped %d ticks", job.Name, job.Skipped)
			}
		}
	})
}

// Early runs take their turn: a tick that came before them goes first.
func TestHastenedTakeTheirTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		s := scheduler.New(scheduler.Options{Slots: 1})
		for _, name := range []string{"a", "b", "c"} {
			s.Put(d.job(t, name, 4*time.Minute))
		}
		s.Put(d.job(t, "tick", time.Minute, "@every 4h"))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		start := time.Now()
		go func() { ended <- s.Run(ctx) }()
		time.Sleep(2 * time.Minute)
		s.Hasten("a", start.Add(238*time.Minute))
		s.Hasten("b", start.Add(241*time.Minute))
		s.Hasten("c", start.Add(242*time.Minute))
		time.Sleep(time.Until(start.Add(5 * time.Hour)))
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if got := d.minutes("tick", start); !slices.Equal(got, []int{0, 242}) {
			t.Errorf("the tick of minute 240 came in %v", got)
		}
		if b, c := d.minutes("b", start), d.minutes("c", start); !slices.Equal(b, []int{243}) || !slices.Equal(c, []int{247}) {
			t.Errorf("the early runs came in %v and %v", b, c)
		}
	})
}
