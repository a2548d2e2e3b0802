package reconcile

import (
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/plan"
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
	if !watched && t.sync.Users.OnRemove.After > 0 {
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

// days is a duration in whole days where it has some.
func days(d time.Duration) string {
	switch n := int(d / (24 * time.Hour)); {
	case d%(24*time.Hour) != 0 && n < 3:
		return d.Round(time.Minute).String()
	case n == 1:
		return "1 day"
	default:
		return fmt.Sprintf("%d days", n)
	}
}

// never is the deletion time of accounts that are only switched off.
const never = time.Duration(-1)

// An offRecord says when an account that was switched off was to be deleted.
type offRecord struct {
	After time.Duration `json:"after"` // of observed time; 0 at once, or never
	Since time.Duration `json:"since"` // the time that was observed when it was switched off
}

// deleteAfter is when the account of a leaver is deleted.
func deleteAfter(r desired.OnRemove) time.Duration {
	switch {
	case r.Do == plan.Delete:
		return 0
	case r.After > 0:
		return r.After
	}
	return never
}

// onRemoveText says in the configuration's words when an account is deleted.
func onRemoveText(after time.Duration) string {
	switch after {
	case never:
		return "deactivate"
	case 0:
		return "delete"
	}
	return "delete after " + days(after)
}

// sooner reports whether accounts are deleted sooner by one on_remove than by another.
func sooner(after, than time.Duration) bool {
	return after != never && (than == never || after < than)
}

// putOff notes that an account is being removed under the present on_remove.
func (d *drafter) putOff(id graphsync.ID) error {
	if !d.opts.Apply {
		return nil
	}
	rec := offRecord{After: deleteAfter(d.sync.Users.OnRemove), Since: d.info.Observed}
	return d.tx.Space(d.sync.Name, offSpace).Put(id[:], plan.Encode(&rec))
}

// off returns what is known of an account that is switched off. What was not noted is as the
// configuration says, unless that has changed since the last cycle.
func (d *drafter) off(id graphsync.ID) (rec offRecord, err error) {
	space := d.tx.Space(d.sync.Name, offSpace)
	if raw := space.Get(id[:]); raw != nil {
		return rec, plan.Decode(raw, &rec)
	}
	rec = offRecord{After: deleteAfter(d.sync.Users.OnRemove), Since: d.info.Observed}
	if d.info.ConfigHash != d.sync.Hash() {
		rec.After = never
	}
	if !d.opts.Apply {
		return rec, nil
	}
	return rec, space.Put(id[:], plan.Encode(&rec))
}

// forgetOff drops what was noted: the account is in use again, or gone.
func (r records) forgetOff(id graphsync.ID) error {
	return r.delete(offSpace, id[:])
}

// removeInactive plans the deletion of an account that is switched off, when it is due.
func (d *drafter) removeInactive(link *state.Link, stand *desired.Eligibility, key string) error {
	after := deleteAfter(d.sync.Users.OnRemove)
	if d.sync.Users.OnRemove.Do == "" {
		return nil
	}
	rec, err := d.off(link.Source)
	if err != nil || after == never {
		return err
	}
	if d.info.Observed-rec.Since < after {
		return d.keepLater(link.Source)
	}
	if after > 0 {
		if !link.InactiveSince.IsZero() {
			stand.Why += fmt.Sprintf("; inactive since %s", link.InactiveSince.Format("2006-01-02"))
		}
		if d.findings.untimely != "" {
			if err := d.keepLater(link.Source); err != nil {
				return err
			}
			return d.skip(graphsync.User, link.Source, key, "clock_differs", fmt.Sprintf("the account is due for deletion (%s), but %s", stand.Why, d.findings.untimely))
		}
	}
	var hold *plan.StoredHold
	if sooner(after, rec.After) {
		hold = &plan.StoredHold{Guard: "on_remove", Cause: fmt.Sprintf("on_remove was changed from %s to %s", onRemoveText(rec.After), onRemoveText(after))}
	}
	return d.putRemoval(plan.Delete, link, stand, key, hold)
}
