package scheduler

import (
	"fmt"
	"hash/fnv"
	"math"
	"strings"
	"time"
	_ "time/tzdata" // CRON_TZ must also work where the system has no zone files

	"github.com/robfig/cron/v3"
)

// A Schedule is a cron expression, parsed. It says when, and remembers nothing.
type Schedule struct {
	spec string
	cron cron.Schedule
	gap  time.Duration // shortest time between two ticks, as sampled
	rest time.Duration // longest
}

// Parse reads five cron fields or a descriptor ("@hourly", "@every 30m"), optionally after
// "CRON_TZ=Europe/Berlin ". Without a zone the fields are in the local one. A schedule that
// never comes (30 February) is an error.
//
// On the day the clocks go forward, a schedule with ticks in the hour that is left out has the first
// of them as long after the change as it would have come without it: 02:30 is 03:30 on that day. On
// the day the clocks go back, a tick in the repeated hour comes twice (robfig/cron).
func Parse(spec string) (Schedule, error) {
	spec = strings.TrimSpace(spec)
	fail := func(cause any) (Schedule, error) {
		return Schedule{}, fmt.Errorf(`schedule %q: %v; write five cron fields ("*/30 * * * *") or "@every 30m", if need be after "CRON_TZ=Europe/Berlin "`, spec, cause)
	}
	_, fields, zoned := strings.Cut(spec, "TZ=")
	if zoned && !strings.Contains(fields, " ") {
		return fail("nothing follows the time zone") // the library would panic
	}
	parsed, err := cron.ParseStandard(spec)
	if err != nil {
		return fail(err)
	}
	s := Schedule{spec: spec, cron: parsed, gap: math.MaxInt64}
	if every, ok := parsed.(cron.ConstantDelaySchedule); ok {
		// The library turns anything below a second, also a negative duration, into one.
		if duration, _ := time.ParseDuration(spec[strings.LastIndex(spec, " ")+1:]); duration < time.Second {
			return fail("the interval must be at least 1s")
		}
		s.gap, s.rest = every.Delay, every.Delay
		return s, nil
	}
	// A fixed beginning makes the gap a property of the schedule alone.
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 64 {
		next := parsed.Next(at)
		if next.IsZero() {
			break
		}
		s.gap, s.rest = min(s.gap, next.Sub(at)), max(s.rest, next.Sub(at))
		at = next
	}
	if s.gap == math.MaxInt64 {
		return fail("this date never comes")
	}
	return s, nil
}

// String returns the text the schedule was parsed from.
func (s Schedule) String() string { return s.spec }

// Rest returns the longest time between two ticks, as sampled.
func (s Schedule) Rest() time.Duration { return s.rest }

// Next returns the first tick after a time; the zero time when there is none within five
// years. An "@every" schedule counts from anchor, so that late and long runs do not shift it.
func (s Schedule) Next(anchor, after time.Time) time.Time {
	if s.cron == nil {
		return time.Time{}
	}
	if clock, ok := s.cron.(*cron.SpecSchedule); ok {
		return nextOfClock(clock, after)
	}
	if after.Before(anchor) {
		return anchor
	}
	return anchor.Add((after.Sub(anchor)/s.gap + 1) * s.gap)
}

// After returns the first tick after a run that began at a time; "@every" counts from there.
func (s Schedule) After(began time.Time) time.Time { return s.Next(began, began) }

// everyHour is the bit by which robfig/cron remembers that a field was "*".
const everyHour = 1 << 63

// nextOfClock returns the first tick after a time. robfig/cron has none in an hour that daylight
// saving leaves out. A schedule for every hour needs none there.
func nextOfClock(clock *cron.SpecSchedule, after time.Time) time.Time {
	next := clock.Next(after)
	if clock.Hour&everyHour != 0 {
		return next
	}
	zone := clock.Location
	if zone == time.Local {
		zone = after.Location() // as robfig/cron does
	}
	change, later := after.In(zone).ZoneBounds()
	for !change.IsZero() && (next.IsZero() || change.Before(next)) {
		if tick, ok := leftOut(clock, change); ok && tick.After(after) && (next.IsZero() || tick.Before(next)) {
			return tick.In(next.Location())
		}
		if change = later; !change.IsZero() {
			_, later = change.ZoneBounds()
		}
		if next.IsZero() && change.Sub(after) > 5*366*24*time.Hour {
			break
		}
	}
	return next
}

// leftOut returns the first tick that a change of the clocks leaves out, at the time it would have
// without the change.
func leftOut(clock *cron.SpecSchedule, change time.Time) (tick time.Time, ok bool) {
	_, before := change.Add(-time.Nanosecond).Zone()
	_, afterwards := change.Zone()
	gap := time.Duration(afterwards-before) * time.Second
	if gap <= 0 {
		return tick, false
	}
	unchanged := *clock
	unchanged.Location = time.FixedZone("", before)
	tick = unchanged.Next(change.Add(-time.Second))
	return tick, !tick.IsZero() && tick.Before(change.Add(gap))
}

// anchored tells "@every", which counts from an anchor, from schedules of the clock.
func (s Schedule) anchored() bool {
	_, ok := s.cron.(cron.ConstantDelaySchedule)
	return ok
}

// jitter returns a job's own delay within a window that grows by a second with every other job,
// up to a tenth of the interval and to five minutes: one job alone never waits, and hundreds
// with the same schedule do not start together.
func jitter(name string, gap time.Duration, jobs int) time.Duration {
	return Spread(name, min(time.Duration(jobs-1)*time.Second, gap/10, 5*time.Minute))
}

// Spread returns a delay within a window. The same name has the same place in it, and many names
// have theirs all over it.
func Spread(name string, window time.Duration) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(name))
	// FNV's high bits hardly differ between names that differ at their end only.
	sum := h.Sum64() * 0x9e3779b97f4a7c15
	fraction := float64(sum>>11) / (1 << 53)
	return time.Duration(fraction * float64(window))
}
