package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/drift"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// A reporter ends a cycle with its report.
type reporter struct {
	sync         *Sync
	opts         Options
	now          time.Time
	clock        func() time.Time
	source       graphsync.Source
	tenant       *state.Tenant
	target       target.Adapter
	info         *state.SyncInfo
	log          *slog.Logger
	graphBefore  graphsync.Traffic
	targetBefore target.Traffic
	ledger       *ledger
	findings     *findings
	quarantine   *quarantine
	finalizer    *finalizer
}

// failed ends a cycle that could not run. The report says why in plain words, and is stored so
// that `status` can tell.
func (r *reporter) failed(cause error) (*Report, error) {
	if err := r.closeTarget(); err != nil {
		r.log.Error("close target", "sync", r.sync.Name, "error", err)
	}
	r.quarantine.pauseAfterStop(cause)
	r.ledger.report.Failure = explainFailure(cause)
	r.ledger.report.Result = Failed
	r.tally()
	r.ledger.report.Summary = r.ledger.done // what was planned, and what is unchanged, is not known
	r.finalizer.rememberRemovals()
	if !r.opts.Apply {
		if err := r.finalizer.putBack(context.Background()); err != nil {
			r.log.Error("end a dry run", "error", err)
		}
	}
	if r.opts.Apply && r.worthKeeping() && !errors.Is(cause, ErrUnknownSubject) && !errors.Is(cause, ErrNotMember) && !errors.Is(cause, ErrPlanMoved) { // these say nothing of how the sync is
		if err := r.finalizer.store(); err != nil {
			r.log.Error("store run", "sync", r.sync.Name, "error", err)
		} else {
			r.ledger.report.Kept = true
		}
	}
	return &r.ledger.report, fmt.Errorf("sync %s, tenant %s: %w", r.sync.Name, r.sync.Tenant, cause)
}

// closeTarget lets the application finish, also when the cycle did not and has been cancelled:
// what was acknowledged must be there.
func (r *reporter) closeTarget() error {
	closer, ok := r.target.(target.Closer)
	if !ok {
		return nil
	}
	if err := closer.Close(context.Background()); err != nil {
		return fmt.Errorf("finish writing to target %s: %w", r.sync.TargetName, err)
	}
	return nil
}

// finish ends a cycle that ran.
func (r *reporter) finish() (*Report, error) {
	if err := r.closeTarget(); err != nil {
		return r.failed(err)
	}
	attention, err := r.attention()
	if err != nil {
		return r.failed(err)
	}
	r.ledger.report.Attention = attention
	switch {
	case r.ledger.failures+r.ledger.unlinked > 0 || len(attention) > 0:
		r.ledger.report.Result = Partial
	case r.ledger.counts.Held > 0:
		r.ledger.report.Result = Waiting
	default:
		r.ledger.report.Result = OK
	}
	r.recordAct()
	r.tally()
	r.countDrift()
	if err := r.lists(); err != nil {
		return r.failed(err)
	}
	switch {
	case !r.opts.Apply:
		err = r.finalizer.putBack(context.Background())
	case r.worthKeeping():
		err = r.finalizer.store()
		r.ledger.report.Kept = err == nil
	}
	if err != nil {
		return r.failed(err)
	}
	return &r.ledger.report, nil
}

// nothingDue ends a removals cycle that has nothing to do. It leaves no run behind.
func (r *reporter) nothingDue() (*Report, error) {
	if err := r.closeTarget(); err != nil {
		return r.failed(err)
	}
	r.ledger.report.Result = OK
	r.tally()
	if !r.opts.Apply {
		if err := r.finalizer.putBack(context.Background()); err != nil {
			return r.failed(err)
		}
	}
	return &r.ledger.report, nil
}

// worthKeeping reports whether a run is kept. Of removals cycles, which come every few minutes, those are that did
// something, or after which the sync does not stand as it did before.
func (r *reporter) worthKeeping() bool {
	return !r.opts.Removals || r.ledger.attempted > 0 || r.info.Quarantine != nil || r.findings.known && r.info.LastHold != r.findings.lastHold
}

// tally fills the figures of the report.
func (r *reporter) tally() {
	g, t := r.source.Traffic(), traffic(r.target)
	r.ledger.report.Cycle = r.findings.kind
	r.countUnchanged()
	r.ledger.report.Summary = r.ledger.counts
	if r.opts.Apply { // what was done, of what was planned
		r.ledger.report.Summary = r.ledger.counts.applied(r.ledger.done)
		r.ledger.report.Summary.Seats.After = r.seats()
	}
	r.ledger.report.Graph.Requests = g.Requests - r.graphBefore.Requests
	r.ledger.report.Graph.Throttled = g.Throttled - r.graphBefore.Throttled
	r.ledger.report.Target = TargetTraffic{Requests: t.Requests - r.targetBefore.Requests, Throttled: t.Throttled - r.targetBefore.Throttled}
	r.ledger.report.DurationMS = r.clock().Sub(r.now).Milliseconds()
	r.ledger.sumWaits()
}

// countDrift says in a report of a compare how much differs now.
func (r *reporter) countDrift() {
	if !r.opts.Drift && (r.sync.Drift == nil || !r.opts.Full || r.opts.partial()) {
		return
	}
	_ = r.tenant.View(func(tx *state.Tx) error {
		accounts, members := drift.In(tx, r.sync.Name).Count()
		r.ledger.report.Drift = &DriftCounts{Accounts: accounts, Members: members, New: r.ledger.newDrift}
		return nil
	})
}

// lists fills the report's lists from the plan, cut to ListLimit.
func (r *reporter) lists() error {
	plan := planOf(r.sync, r.tenant, &r.ledger.report)
	for held, err := range plan.Held() {
		if err != nil {
			return err
		}
		if r.ledger.report.Held = append(r.ledger.report.Held, held); len(r.ledger.report.Held) == ListLimit {
			break
		}
	}
	for no, err := range plan.Rejected() {
		if err != nil {
			return err
		}
		if r.ledger.report.Rejected = append(r.ledger.report.Rejected, no); len(r.ledger.report.Rejected) == ListLimit {
			break
		}
	}
	for skipped, err := range plan.Skipped() {
		if err != nil {
			return err
		}
		if r.ledger.report.Skipped = append(r.ledger.report.Skipped, skipped); len(r.ledger.report.Skipped) == ListLimit {
			break
		}
	}
	return nil
}

// countUnchanged counts what is linked and has nothing done to it.
func (r *reporter) countUnchanged() {
	_ = r.tenant.View(func(tx *state.Tx) error {
		for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
			linked, _ := tx.Links(r.sync.Name).Count(kind)
			if !r.findings.applied {
				for range tx.Space(r.sync.Name, plan.DetachedSpace).Prefix([]byte{byte(kind)}) {
					linked--
				}
			}
			counts := r.ledger.counts.of(kind)
			var done *Counts
			if r.findings.applied {
				done = r.ledger.done.of(kind)
			}
			counts.Unchanged = counts.unchanged(linked, done)
		}
		return nil
	})
	r.ledger.counts.total()
}

// seats counts the accounts that are active now.
func (r *reporter) seats() (n int) {
	_ = r.tenant.View(func(tx *state.Tx) error { _, n = tx.Links(r.sync.Name).Count(graphsync.User); return nil })
	return n
}

// explainFailure turns an error into the sentence and the advice a report carries.
func explainFailure(err error) *CycleFailure {
	f := &CycleFailure{Code: "failed", Message: err.Error()}
	var graphErr *graphsync.Error
	var targetErr *target.Error
	switch {
	case errors.As(err, &graphErr):
		f.Code, f.Hint = string(graphErr.Class), graphErr.Hint
	case errors.As(err, &targetErr):
		f.Code, f.Hint = string(targetErr.Code), targetErr.Hint
	case errors.Is(err, graphsync.ErrForeignLink):
		f.Code, f.Hint = string(graphsync.BadResponse), "see what answers in Graph's place, such as a proxy"
	case errors.Is(err, graphsync.ErrIncomplete):
		f.Code = "source_incomplete"
	case errors.Is(err, ErrPaused):
		f.Code, f.Hint = "quarantine", "correct what the message names; entrasync sync tries again at once"
	case errors.Is(err, ErrPlanMoved):
		f.Code, f.Hint = "plan_moved", "make a new plan and review it"
	case errors.Is(err, context.Canceled):
		f.Code = "interrupted"
	}
	return f
}
