package scheduler_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/cmd/internal/scheduler"
)

const (
	interval  = 30 * time.Minute
	longAfter = 5 * time.Minute
	hangs     = 33 * time.Minute // a cycle before a dead server, until the last request is given up
)

// A folk is jobs alike. Each has a group of its own and leans on something of its own, unless
// these are named.
type folk struct {
	name, group, on string
	jobs            int
	works           time.Duration
	within          time.Duration // of each tick a run must begin; 0 when it need not
}

// Hundreds of jobs with the same schedule on eight slots: what hangs, or has much to do, keeps
// no other job from a run in every interval. The bounds say what the others lose by it: in addition to
// what their own work takes on all slots, LongAfter for each contention that hangs. Those that hung
// before are a contention of their own.
func TestOthersAreInTime(t *testing.T) {
	t.Parallel()
	const slots = 8
	well := func(jobs int, works, lost time.Duration) folk {
		return folk{name: "well", jobs: jobs, on: "well", works: works, within: lost + time.Duration(jobs)*works/slots + works}
	}
	const halved = 400 * 10 * time.Second / slots // what 400 jobs of ten seconds lose with half of the slots
	tests := []struct {
		name  string
		folks []folk
		from  time.Duration // when the bounds begin to hold
	}{
		{"a dead thing", []folk{
			{name: "dead", jobs: 100, on: "dead", works: hangs},
			well(400, 15*time.Second, 2*longAfter)}, 0},
		{"a dead thing, and too much to do for half of the slots", []folk{
			{name: "dead", jobs: 100, on: "dead", works: hangs},
			well(400, 23*time.Second, 2*longAfter)}, 0},
		{"two dead things", []folk{
			{name: "dead", jobs: 50, on: "dead", works: hangs},
			{name: "gone", jobs: 50, on: "gone", works: hangs},
			well(400, 15*time.Second, 3*longAfter)}, 0},
		{"a thing that never answers, more often than LongRuns", []folk{ // it keeps half of the slots for good
			{name: "dead", jobs: 100, on: "dead", works: 1000 * time.Hour},
			well(400, 10*time.Second, longAfter+halved)}, 0},
		{"a thing that is too fast to be long", []folk{ // it keeps its share of the slots
			{name: "tough", jobs: 100, on: "tough", works: longAfter - time.Second},
			well(400, 10*time.Second, longAfter+halved)}, 0},
		// Nothing tells these from the rest before they have hung once.
		{"jobs that hang with nothing in common", []folk{
			{name: "dead", jobs: 100, works: hangs},
			well(400, 15*time.Second, longAfter)}, 2 * time.Hour},
		{"jobs that hang on what others work with", []folk{
			{name: "dead", jobs: 100, on: "well", works: hangs},
			well(400, 15*time.Second, longAfter)}, 2 * time.Hour},
		{"a group of nine, of which one hangs", []folk{ // one slot, for a while
			{name: "dead", jobs: 1, group: "nine", on: "well", works: hangs},
			{name: "peer", jobs: 8, group: "nine", on: "well", works: 15 * time.Second, within: hangs + 20*time.Minute},
			well(491, 15*time.Second, longAfter/slots)}, 0},
		{"a group of eight, each for hours", []folk{
			{name: "big", jobs: 8, group: "eight", on: "well", works: 3 * time.Hour},
			well(492, 15*time.Second, longAfter/slots)}, 0},
		{"eight for hours", []folk{
			{name: "big", jobs: 8, on: "well", works: 3 * time.Hour},
			well(492, 15*time.Second, longAfter)}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				live(t, slots, tt.from+2*time.Hour+10*time.Minute, tt.from, tt.folks)
			})
		})
	}
}

// live lets folks run for a while and checks their bounds from some time on.
func live(t *testing.T, slots int, length, from time.Duration, folks []folk) {
	const longRuns = 64
	began := time.Now()
	var d diary
	running, most := 0, 0
	count := func(n int) {
		d.mu.Lock()
		defer d.mu.Unlock()
		running += n
		most = max(most, running)
	}
	s := scheduler.New(scheduler.Options{Slots: slots, LongAfter: longAfter, LongRuns: longRuns, Log: slog.New(slog.DiscardHandler)})
	var jobs []scheduler.Job
	for _, f := range folks {
		for i := range f.jobs {
			job := d.job(t, fmt.Sprintf("%s-%03d", f.name, i), f.works, "@every "+interval.String())
			job.Group, job.Resource = cmp.Or(f.group, job.Name), cmp.Or(f.on, job.Name)
			run := job.Run
			job.Run = func(ctx context.Context) error {
				count(1)
				defer count(-1)
				return run(ctx)
			}
			jobs = append(jobs, job)
		}
	}
	s.Set(jobs...)
	first := map[string]time.Time{}
	for _, st := range s.Status() {
		first[st.Name] = st.Next
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	sit(length)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	t.Logf("at most %d runs at once", most)
	if most > slots+longRuns {
		t.Errorf("%d runs at once, more than %d slots and %d long runs", most, slots, longRuns)
	}
	for _, f := range folks {
		var latest time.Duration
		runs := 0
		for i := range f.jobs {
			name := fmt.Sprintf("%s-%03d", f.name, i)
			starts := d.begun[name]
			runs += len(starts)
			for tick := first[name]; tick.Before(began.Add(length - f.within)); tick = tick.Add(interval) {
				if tick.Before(began.Add(from)) {
					continue
				}
				for len(starts) > 0 && starts[0].Before(tick) {
					starts = starts[1:]
				}
				wait := length
				if len(starts) > 0 {
					wait = starts[0].Sub(tick)
				}
				latest = max(latest, wait)
			}
		}
		t.Logf("%d jobs %s: %.1f runs each, the latest %v after its tick, bound %v", f.jobs, f.name, float64(runs)/float64(f.jobs), latest.Round(time.Second), f.within)
		if f.within > 0 && latest > f.within {
			t.Errorf("%s: a run began %v after its tick, want at most %v", f.name, latest, f.within)
		}
		if f.name == "well" && f.within > interval {
			t.Errorf("the bound %v allows a missed interval", f.within)
		}
	}
}
