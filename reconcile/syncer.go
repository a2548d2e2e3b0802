package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
)

// A Syncer runs one sync for one tenant. Runs of syncs of the same tenant must not overlap:
// they share the tenant's snapshot.
type Syncer struct {
	Sync   *Sync
	Needs  Needs    // of all syncs of the tenant
	Peers  []string // names of all syncs of the tenant, this one included
	Source graphsync.Source
	Store  *state.Store
	Tenant *state.Tenant
	Target target.Adapter

	Concurrency int           // actions applied at once; 0 means 8
	Interval    time.Duration // the longest time between two cycles on schedule; 0: unknown
	Log         *slog.Logger
	Progress    Progress // may be nil
	Now         func() time.Time
}

// A Subject names one object for provision on demand: an object id, a user principal name, an
// address, or a group's display name.
type Subject struct {
	Kind graphsync.Kind
	Key  string
}

// Options say what kind of run it is. The zero value is a dry incremental run.
type Options struct {
	Apply     bool
	Full      bool      // read everything again and evaluate everybody
	Scheduled bool      // not asked for by a person: a sync in quarantine waits
	NoRefresh bool      // plan from the snapshot alone, without a Graph call
	Subject   *Subject  // only this object
	Expect    *Document // apply only if exactly this plan comes out
}

// ErrPlanMoved means that source, target links or mapping moved since the plan was made.
var ErrPlanMoved = errors.New("the plan no longer fits")

// Run makes one cycle: what entrasync is, in one screen. The report is never nil; the error is
// why the cycle could not run, and nothing is changed in the application after it is known.
// A failed record is not an error: it is in the report.
func (s *Syncer) Run(ctx context.Context, opts Options) (*Report, error) {
	c := s.newCycle(opts)
	for _, step := range []func(context.Context) error{
		c.puller.pull,               // Graph → snapshot, page by page
		c.quarantine.check,          // a sync in quarantine waits for its next probe
		c.mover.locate,              // when the accounts are in another application than they were → links
		c.recovery.recover,          // accounts that an interrupted cycle was making → links
		c.comparer.compare,          // in a full cycle: what the application really holds → links
		c.planner.draft,             // snapshot and links → what should happen to accounts and groups
		c.gaps.nameGaps,             // what Graph told and the snapshot cannot show → skipped
		c.identifier.identify,       // accounts that are removed or renamed: still the linked ones
		c.matching.match,            // people without a link → accounts that exist
		c.protector.protect,         // accounts the configuration keeps out of it → left alone
		c.planner.draftReferences,   // managers who will have an account → references
		c.comparer.compareMembers,   // in a full cycle: who really is in the groups → memberships
		c.planner.draftMembers,      // who has, or will have, an account → memberships
		c.identifier.identifyGroups, // groups whose members change: still the linked ones
		c.guards.review,             // guards hold back, approvals let go
		c.reporter.verifyPlan,       // a reviewed plan is applied exactly or not at all
		c.applier.apply,             // leavers, users, groups, then memberships
		c.finalizer.finalize,        // what is done is no longer pending
	} {
		if err := step(ctx); err != nil {
			return c.reporter.failed(err)
		}
	}
	return c.reporter.finish()
}

// unchanged counts what is linked and has nothing done to it.
func (r *reporter) unchanged() int {
	n := 0
	err := r.tenant.View(func(tx *state.Tx) error {
		users, _ := tx.CountLinks(r.sync.Name, graphsync.User)
		groups, _ := tx.CountLinks(r.sync.Name, graphsync.Group)
		n = users + groups
		if !r.findings.applied {
			n -= tx.Space(r.sync.Name, detachedSpace).Count()
		}
		return nil
	})
	if err != nil {
		return 0
	}
	s := &r.ledger.counts
	touched := s.Update + s.Deactivate + s.Reactivate + s.Delete
	if r.findings.applied {
		touched += s.Create + s.Adopt - s.Delete // they are, or are no longer, linked by now
	}
	return max(0, n-touched-r.ledger.heldLinked)
}

// seats counts the accounts that are active now.
func (r *reporter) seats() (n int) {
	_ = r.tenant.View(func(tx *state.Tx) error { _, n = tx.CountLinks(r.sync.Name, graphsync.User); return nil })
	return n
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
	if r.opts.Apply && !errors.Is(cause, ErrUnknownSubject) && !errors.Is(cause, ErrPlanMoved) { // these say nothing of how the sync is
		if err := r.finalizer.store(); err != nil {
			r.log.Error("store run", "sync", r.sync.Name, "error", err)
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
	r.recordActStep()
	r.tally()
	if err := r.lists(); err != nil {
		return r.failed(err)
	}
	if r.opts.Apply {
		if err := r.finalizer.store(); err != nil {
			return r.failed(err)
		}
	}
	return &r.ledger.report, nil
}

// tally fills the figures of the report.
func (r *reporter) tally() {
	g, t := r.source.Traffic(), traffic(r.target)
	r.ledger.report.Cycle = r.findings.kind
	r.ledger.counts.Unchanged = r.unchanged()
	r.ledger.report.Summary = r.ledger.counts
	if r.opts.Apply { // what was done, of what was planned
		s := &r.ledger.report.Summary
		s.Create, s.Adopt, s.Update, s.Deactivate = r.ledger.done.Create, r.ledger.done.Adopt, r.ledger.done.Update, r.ledger.done.Deactivate
		s.Reactivate, s.Delete, s.Members = r.ledger.done.Reactivate, r.ledger.done.Delete, r.ledger.done.Members
		s.Unlink = r.ledger.done.Unlink
		s.Seats.After = r.seats()
	}
	r.ledger.report.Graph.Requests = g.Requests - r.graphBefore.Requests
	r.ledger.report.Graph.Throttled = g.Throttled - r.graphBefore.Throttled
	r.ledger.report.Target = TargetTraffic{Requests: t.Requests - r.targetBefore.Requests, Throttled: t.Throttled - r.targetBefore.Throttled}
	r.ledger.report.DurationMS = r.clock().Sub(r.now).Milliseconds()
	r.ledger.sumWaits()
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
