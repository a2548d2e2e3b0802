package scheduler

import (
	"context"
	"sync"
	"time"
)

// dispatch skips the ticks of running jobs, starts what waits and may run, and returns how long
// nothing will change by the clock alone.
func (s *Scheduler) dispatch(ctx context.Context, runs *sync.WaitGroup, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.last.Add(-time.Second)) {
		s.options.Log.Warn("the clock went back; schedules are planned again", "from", s.last, "to", now)
		for _, e := range s.jobs {
			e.replan(s.last, now)
		}
	}
	s.last = now

	for _, e := range s.jobs {
		if e.due(now) && e.current != nil && e.current.own {
			e.skipped++
			s.options.Log.Warn("skipped: the previous run has not ended", "job", e.job.Name, "since", e.current.start)
			e.next = e.after(now)
		}
	}
	t := s.usage(now)
	for t.slots < s.options.Slots {
		e := s.choose(t, now)
		if e == nil {
			break
		}
		s.start(ctx, runs, e, now)
		t = s.usage(now)
	}

	wait := min(s.options.HeartbeatEvery, t.aging)
	for _, e := range s.jobs {
		for _, at := range []time.Time{e.next, e.early} {
			if !at.IsZero() && at.After(now) {
				wait = min(wait, at.Sub(now))
			}
		}
	}
	return wait
}

// A contention is the group of jobs that may hang for the same reason: those that lean on the same thing, and apart
// from these, whatever they lean on, those whose last run was long.
type contention struct {
	on   string
	slow bool
}

func (e *entry) contention() contention {
	if e.slow {
		return contention{slow: true}
	}
	return contention{on: e.job.Resource}
}

// usage is what the runs in progress take from the jobs that wait. Runs are few, so that it is counted
// again each time and cannot drift.
type usage struct {
	slots  int                // by runs that are not long, or beyond LongRuns
	share  map[contention]int // of the slots
	runs   map[contention]int // long ones too
	groups map[string]bool    // busy ones
	aging  time.Duration      // until the next run is long
}

func (s *Scheduler) usage(now time.Time) usage {
	t := usage{share: map[contention]int{}, runs: map[contention]int{}, groups: map[string]bool{}, aging: s.options.LongAfter}
	long := 0
	for _, r := range s.runs { // the oldest first, so that a run that gave its slot away never takes it back
		t.runs[r.contention]++
		t.groups[r.group] = true
		left := s.options.LongAfter - now.Sub(r.start)
		if left > 0 {
			t.aging = min(t.aging, left)
		} else if long < s.options.LongRuns {
			long++
			continue
		}
		t.slots++
		t.share[r.contention]++
	}
	return t
}

// choose returns the job to start next, nil for none: of those that may run, one of the contention with
// the fewest runs in progress. Runs that hang make their contention large; what they cost others are the
// slots of the first few until these are long. No contention is passed over for ever, as one that gets
// no slot becomes smaller with every run that ends.
//
// No slot stands idle while a job may run, even if all are on one thing, as long as every run is
// sure to give its slot away when it is long. By the defaults that is so while eight slots have
// runs of less than 40 minutes. Beyond that a contention, which might hang for good, gets half of the
// slots at most.
func (s *Scheduler) choose(t usage, now time.Time) *entry {
	sure := len(s.runs) < s.options.LongRuns
	var first candidate
	for _, e := range s.jobs {
		if e.current != nil || e.asked == nil && !e.waits(now) || e.job.Group != "" && t.groups[e.job.Group] {
			continue
		}
		its := e.contention()
		if !sure && t.share[its] >= (s.options.Slots+1)/2 {
			continue
		}
		if c := (candidate{e, t.runs[its]}); first.entry == nil || c.before(first) {
			first = c
		}
	}
	return first.entry
}

// A candidate is a job that may run.
type candidate struct {
	*entry
	contending int // runs of its contention
}

// before orders candidates: a triggered one goes first, because a caller waits for it. Within a contention the one goes first
// that has waited longest.
func (c candidate) before(other candidate) bool {
	if (c.asked != nil) != (other.asked != nil) {
		return c.asked != nil
	}
	if c.contending != other.contending {
		return c.contending < other.contending
	}
	mine, theirs := c.planned(), other.planned()
	if c.asked != nil {
		mine, theirs = c.asked.asked, other.asked.asked
	}
	if !mine.Equal(theirs) {
		return mine.Before(theirs)
	}
	return c.job.Name < other.job.Name
}
