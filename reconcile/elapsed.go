package reconcile

import (
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// Time passes as cycles observe it. A clock that is wrong by days, or a machine that was off,
// must not make accounts due for deletion: what passed between two cycles counts as far as a
// cycle was to be expected in it.
const (
	maxGap        = 48 * time.Hour // between two cycles; a longer one was not watched
	maxObserved   = 24 * time.Hour // counted of one gap, unless the schedule is rarer
	maxClockError = 5 * time.Minute
)

// A timeObserver counts the time that cycles have observed.
type timeObserver struct {
	sync     *Sync
	opts     Options
	now      time.Time
	clock    func() time.Time
	interval time.Duration
	source   graphsync.Source
	info     *state.SyncInfo
	ledger   *ledger
	findings *findings
}

// observed returns how far the time that cycles have watched reaches, when there is one now.
// watched is false when the gap since the last one is too long to count, or leads back.
func observed(total time.Duration, to, now time.Time, interval time.Duration) (sum time.Duration, reaches time.Time, watched bool) {
	gap := now.Sub(to)
	limit := max(maxGap, 2*interval)
	switch {
	case to.IsZero():
		return total, now, true
	case gap > limit || gap < -limit:
		return total, now, false
	case gap <= 0: // the clock was put back a little: it is waited for
		return total, to, true
	}
	return total + min(gap, max(maxObserved, interval)), now, true
}

// observe counts the time since the last cycle, and finds out whether the clock can be trusted.
func (t *timeObserver) observe() {
	if clock, ok := t.source.(graphsync.Clock); ok && !t.opts.NoRefresh {
		if graph, known := clock.Time(); known {
			if off := t.clock().Sub(graph); off.Abs() > maxClockError {
				t.findings.untimely = fmt.Sprintf("this machine's clock is %s %s Graph's", off.Abs().Round(time.Minute), aheadOrBehind(off))
				t.ledger.note("%s: nothing is removed because of a time until they agree", t.findings.untimely)
				return
			}
		}
	}
	sum, to, watched := observed(t.info.Observed, t.info.ObservedTo, t.now, t.interval)
	if !watched && t.sync.Users.DeletesLater() {
		t.ledger.note("the last cycle was %s: the time since then was not observed and does not count towards delete_after", timeAgo(t.now.Sub(t.info.ObservedTo)))
	}
	t.info.Observed, t.info.ObservedTo = sum, to
}

func aheadOrBehind(off time.Duration) string {
	if off < 0 {
		return "behind"
	}
	return "ahead of"
}

func timeAgo(d time.Duration) string {
	text := days(d.Abs())
	if d < 0 {
		return text + " in the future"
	}
	return text + " ago"
}
