package scheduler

import (
	"context"
	"sync"
	"time"
)

// turn skips the ticks of running jobs, starts what waits and may run, and returns how long
// nothing will change by the clock alone.
func (s *Scheduler) turn(ctx context.Context, runs *sync.WaitGroup, now time.Time) time.Duration {
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
	t := s.taken(now)
	for t.slots < s.options.Slots {
		e := s.choose(t, now)
		if e == nil {
			break
		}
		s.start(ctx, runs, e, now)
		t = s.taken(now)
	}

	wait := min(s.options.BeatEvery, t.aging)
	for _, e := range s.jobs {
		if !e.next.IsZero() && e.next.After(now) {
			wait = min(wait, e.next.Sub(now))
		}
	}
	return wait
}

// A crowd is jobs that may hang for the same reason: those that lean on the same thing, and apart
// from these, whatever they lean on, those whose last run was long.
type crowd struct {
	on   string
	slow bool
}

func (e *entry) crowd() crowd {
	if e.slow {
		return crowd{slow: true}
	}
	return crowd{on: e.job.On}
}

// taken is what the runs in progress take from the jobs that wait. Runs are few, so that it is counted
// again each time and cannot drift.
type taken struct {
	slots  int             // by runs that are not long, or beyond LongRuns
	share  map[crowd]int   // of the slots
	runs   map[crowd]int   // long ones too
	groups map[string]bool // busy ones
	aging  time.Duration   // until the next run is long
}

func (s *Scheduler) taken(now time.Time) taken {
	t := taken{share: map[crowd]int{}, runs: map[crowd]int{}, groups: map[string]bool{}, aging: s.options.LongAfter}
	long := 0
	for _, r := range s.runs { // the oldest first, so that a run that gave its slot away never takes it back
		t.runs[r.crowd]++
		t.groups[r.group] = true
		left := s.options.LongAfter - now.Sub(r.start)
		if left > 0 {
			t.aging = min(t.aging, left)
		} else if long < s.options.LongRuns {
			long++
			continue
		}
		t.slots++
		t.share[r.crowd]++
	}
	return t
}

// choose returns the job to start next, nil for none: of those that may run, one of the crowd with
// the fewest runs in progress. Runs that hang make their crowd large; what they cost others are the
// slots of the first few until these are long. No crowd is passed over for ever, as one that gets
// no slot becomes smaller with every run that ends.
//
// No slot stands idle while a job may run, even if all are on one thing, as long as every run is
// sure to give its slot away when it is long. By the defaults that is so while eight slots have
// runs of less than 40 minutes. Beyond that a crowd, which might hang for good, gets half of the
// slots at most.
func (s *Scheduler) choose(t taken, now time.Time) *entry {
	sure := len(s.runs) < s.options.LongRuns
	var first candidate
	for _, e := range s.jobs {
		if e.current != nil || e.asked == nil && !e.due(now) || e.job.Group != "" && t.groups[e.job.Group] {
			continue
		}
		its := e.crowd()
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
	crowded int // runs of its crowd
}

// before orders candidates: a triggered one goes first, because a caller waits for it. Within a crowd the one goes first
// that has waited longest.
func (c candidate) before(other candidate) bool {
	if (c.asked != nil) != (other.asked != nil) {
		return c.asked != nil
	}
	if c.crowded != other.crowded {
		return c.crowded < other.crowded
	}
	mine, theirs := c.next, other.next
	if c.asked != nil {
		mine, theirs = c.asked.asked, other.asked.asked
	}
	if !mine.Equal(theirs) {
		return mine.Before(theirs)
	}
	return c.job.Name < other.job.Name
}
