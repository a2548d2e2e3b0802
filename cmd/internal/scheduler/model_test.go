package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A model says by plain rules which job must run next.
type model struct {
	options Options
	waiting []entry // as they were before the turn
	running []*run  // the oldest first
}

func (m *model) next() string {
	var counted []*run
	long := 0
	for _, r := range m.running {
		if time.Since(r.start) >= m.options.LongAfter && long < m.options.LongRuns {
			long++
		} else {
			counted = append(counted, r)
		}
	}
	if len(counted) >= m.options.Slots {
		return ""
	}
	of := func(c contention, runs []*run) (n int) {
		for _, r := range runs {
			if r.contention == c {
				n++
			}
		}
		return n
	}
	var may []entry
	for _, e := range m.waiting {
		busy := e.job.Group != "" && slices.ContainsFunc(m.running, func(r *run) bool { return r.group == e.job.Group })
		halved := len(m.running) >= m.options.LongRuns && 2*of(m.contention(e), counted) >= m.options.Slots
		if !busy && !halved {
			may = append(may, e)
		}
	}
	if len(may) == 0 {
		return ""
	}
	return slices.MinFunc(may, func(a, b entry) int {
		byContention := cmp.Compare(of(m.contention(a), m.running), of(m.contention(b), m.running))
		byName := cmp.Compare(a.job.Name, b.job.Name)
		switch {
		case a.asked != nil && b.asked != nil:
			return cmp.Or(byContention, a.asked.asked.Compare(b.asked.asked), byName)
		case a.asked != nil:
			return -1
		case b.asked != nil:
			return 1
		}
		return cmp.Or(byContention, a.planned().Compare(b.planned()), byName)
	}).job.Name
}

func (m *model) contention(e entry) contention {
	if e.lastEnd.Sub(e.lastStart) >= m.options.LongAfter {
		return contention{slow: true}
	}
	return contention{on: e.job.Resource}
}

// Random jobs, runs and waits, compared with the model: slots and groups are kept, no slot stands
// idle while a job may run, the loop wakes in time, the order is right and everybody's turn comes.
func TestAgainstAModel(t *testing.T) {
	t.Parallel()
	every, err := Parse("@every 30m")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		rapid.SyncTest(rt, func(rt *rapid.T) { compareWithModel(rt, every) })
	})
}

func compareWithModel(rt *rapid.T, every Schedule) {
	s := New(Options{
		Slots: rapid.IntRange(1, 5).Draw(rt, "slots"), LongRuns: rapid.IntRange(1, 6).Draw(rt, "long runs"),
		HeartbeatEvery: 24 * time.Hour, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	ends := map[string]chan bool{} // by job, which has one run at a time
	var jobs []Job
	for i := range rapid.IntRange(1, 12).Draw(rt, "jobs") {
		end := make(chan bool)
		jobs = append(jobs, Job{
			Name: fmt.Sprint("job-", i), Schedules: []Schedule{every},
			Group:    rapid.SampledFrom([]string{"", "g", "h", "i"}).Draw(rt, "group"),
			Resource: rapid.SampledFrom([]string{"", "x", "y"}).Draw(rt, "on"),
			Run:      func(context.Context) error { <-end; return nil },
		})
		ends[jobs[i].Name] = end
	}
	s.Set(jobs...)
	pick := func(from func(*entry) bool) *entry {
		var all []*entry
		for _, job := range jobs {
			if e := s.jobs[job.Name]; from(e) {
				all = append(all, e)
			}
		}
		if len(all) == 0 {
			return nil
		}
		return rapid.SampledFrom(all).Draw(rt, "job")
	}
	runs := func(e *entry) bool { return e.current != nil }
	waits := func(e *entry) bool { return e.current == nil && (e.asked != nil || e.waits(now())) }
	end := func(e *entry) {
		r := e.current
		ends[e.job.Name] <- true
		<-r.done
	}
	see := func() *model {
		m := &model{options: s.options, running: slices.Clone(s.runs)}
		for _, e := range s.jobs {
			if waits(e) {
				m.waiting = append(m.waiting, *e)
			}
		}
		return m
	}
	var goroutines sync.WaitGroup
	var wait time.Duration
	look := func(rt *rapid.T) {
		m := see()
		wait = s.dispatch(context.Background(), &goroutines, now())
		for _, r := range s.runs[len(m.running):] {
			at := slices.IndexFunc(m.waiting, func(e entry) bool { return s.jobs[e.job.Name].current == r })
			if want := m.next(); at < 0 || m.waiting[at].job.Name != want {
				rt.Fatalf("another job than %q has started", want)
			}
			if e := m.waiting[at]; r.contention != m.contention(e) || r.group != e.job.Group {
				rt.Fatalf("%s runs as one of %v in group %q", e.job.Name, r.contention, r.group)
			}
			m.waiting, m.running = slices.Delete(m.waiting, at, at+1), append(m.running, r)
		}
		if want := m.next(); want != "" {
			rt.Fatalf("%s waits while a slot is free", want)
		}
	}
	endAll := func() {
		for _, job := range jobs {
			if e := s.jobs[job.Name]; runs(e) {
				end(e)
			}
		}
	}
	rt.Cleanup(func() { endAll(); goroutines.Wait() })
	look(rt)
	rt.Repeat(map[string]func(*rapid.T){
		"time passes": func(rt *rapid.T) {
			passes := time.Duration(rapid.IntRange(1, 400).Draw(rt, "seconds")) * time.Second
			time.Sleep(min(passes, wait))
			if passes < wait && see().next() != "" {
				rt.Fatalf("a slot became free after %v, but the loop sleeps for %v", passes, wait)
			}
		},
		"a run ends": func(rt *rapid.T) {
			if e := pick(runs); e != nil {
				end(e)
			}
		},
		"a caller asks": func(rt *rapid.T) {
			if e := pick(func(e *entry) bool { return e.current == nil && e.asked == nil }); e != nil {
				e.asked = newRun(nil)
			}
		},
		"a job is hastened": func(rt *rapid.T) {
			in := time.Duration(rapid.IntRange(-5, 100).Draw(rt, "in seconds")) * time.Second
			if e := pick(func(*entry) bool { return true }); e != nil {
				s.Hasten(e.job.Name, now().Add(in))
				if !e.early.IsZero() && in > 0 {
					wait = min(wait, in)
				}
			}
		},
		"": look,
	})
	time.Sleep(time.Minute) // every first tick has come
	look(rt)
	for range jobs {
		endAll()
		look(rt)
	}
	for _, job := range jobs {
		if e := s.jobs[job.Name]; waits(e) || e.runs == 0 && !runs(e) {
			rt.Fatalf("%s starves", job.Name)
		}
	}
}
