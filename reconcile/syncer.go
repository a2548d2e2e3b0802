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
		c.pull,                      // Graph → snapshot, page by page
		c.gate,                      // a sync in quarantine waits for its next probe
		c.mover.locate,              // when the accounts are in another application than they were → links
		c.recover,                   // accounts that an interrupted cycle was making → links
		c.compare,                   // in a full cycle: what the application really holds → links
		c.draft,                     // snapshot and links → what should happen to accounts and groups
		c.nameGaps,                  // what Graph told and the snapshot cannot show → skipped
		c.identifier.identify,       // accounts that are removed or renamed: still the linked ones
		c.match,                     // people without a link → accounts that exist
		c.protect,                   // accounts the configuration keeps out of it → left alone
		c.draftReferences,           // managers who will have an account → references
		c.compareMembers,            // in a full cycle: who really is in the groups → memberships
		c.draftMembers,              // who has, or will have, an account → memberships
		c.identifier.identifyGroups, // groups whose members change: still the linked ones
		c.review,                    // guards hold back, approvals let go
		c.expect,                    // a reviewed plan is applied exactly or not at all
		c.apply,                     // leavers, users, groups, then memberships
		c.settle,                    // what is done is no longer pending
	} {
		if err := step(ctx); err != nil {
			return c.failed(err)
		}
	}
	return c.finish()
}

// cycle is the state of one Run.
type cycle struct {
	*Syncer
	opts       Options
	kind       Cycle
	now        time.Time
	run        string
	workers    int // calls to the application at once
	eval       *evaluator
	info       *state.SyncInfo // how the sync stood before, and stands now
	mover      *mover
	identifier *identifier
	all        bool // everybody is evaluated, not only the pending
	report     Report
	counts     Summary // planned
	done       Summary // applied

	breaker    *breaker
	known      bool   // info has been read
	moved      bool   // the links have been looked for in another application
	clock      bool   // everybody is evaluated because time alone may have changed something
	untimely   string // why nothing may be removed because of a time, "" when it may
	probing    bool   // in quarantine: a few actions first
	drafted    int
	applied    bool
	unapproved int // removals done that no person approved
	remembered bool
	heldLinked int // held actions on linked objects
	failures   int
	unlinked   int // links dropped because their accounts are others, which is reported as an error
	attempted  int
	waits      map[time.Duration]int // changes that took effect, by how long they may have waited
	graph0     graphsync.Traffic
	target0    target.Traffic
}

func (s *Syncer) newCycle(opts Options) *cycle {
	now := s.Now().UTC()
	c := &cycle{Syncer: s, opts: opts, now: now, kind: Incremental, run: now.Format("20060102T150405.000Z"), workers: s.workers()}
	c.breaker = newBreaker(s.Target, s.Sync)
	c.info, c.eval = &state.SyncInfo{}, newEvaluator(s.Sync, now)
	c.mover, c.identifier = &mover{cycle: c}, &identifier{cycle: c}
	c.graph0 = s.Source.Traffic()
	c.target0 = traffic(s.Target)
	c.report = Report{
		Format: reportFormat, Sync: s.Sync.Name, Tenant: s.Sync.Tenant, Run: c.run, Started: now,
		Held: []Held{}, Rejected: []Rejected{}, Skipped: []Skipped{}, Errors: []Failure{}, held: c.opts.heldSpace(), rejected: c.opts.rejectedSpace(),
	}
	return c
}

func traffic(a target.Adapter) target.Traffic {
	if m, ok := a.(target.Meter); ok {
		return m.Traffic()
	}
	return target.Traffic{}
}

// unchanged counts what is linked and has nothing done to it.
func (c *cycle) unchanged() int {
	n := 0
	err := c.Tenant.View(func(tx *state.Tx) error {
		users, _ := tx.CountLinks(c.Sync.Name, graphsync.User)
		groups, _ := tx.CountLinks(c.Sync.Name, graphsync.Group)
		n = users + groups
		if !c.applied {
			n -= tx.Space(c.Sync.Name, detachedSpace).Count()
		}
		return nil
	})
	if err != nil {
		return 0
	}
	s := &c.counts
	touched := s.Update + s.Deactivate + s.Reactivate + s.Delete
	if c.applied {
		touched += s.Create + s.Adopt - s.Delete // they are, or are no longer, linked by now
	}
	return max(0, n-touched-c.heldLinked)
}

// seats counts the accounts that are active now.
func (c *cycle) seats() (n int) {
	_ = c.Tenant.View(func(tx *state.Tx) error { _, n = tx.CountLinks(c.Sync.Name, graphsync.User); return nil })
	return n
}

func (c *cycle) step(stage string, done, total int) {
	if c.Progress != nil {
		c.Progress(Step{Stage: stage, Done: done, Total: total, Pages: int(c.report.Graph.Pages)})
	}
}

// failed ends a cycle that could not run. The report says why in plain words, and is stored so
// that `status` can tell.
func (c *cycle) failed(cause error) (*Report, error) {
	if err := c.closeTarget(); err != nil {
		c.Log.Error("close target", "sync", c.Sync.Name, "error", err)
	}
	c.quarantineAfterStop(cause)
	c.report.Failure = explainFailure(cause)
	c.report.Result = Failed
	c.tally()
	c.report.Summary = c.done // what was planned, and what is unchanged, is not known
	c.rememberRemovals()
	if c.opts.Apply && !errors.Is(cause, ErrUnknownSubject) && !errors.Is(cause, ErrPlanMoved) { // these say nothing of how the sync is
		if err := c.store(); err != nil {
			c.Log.Error("store run", "sync", c.Sync.Name, "error", err)
		}
	}
	return &c.report, fmt.Errorf("sync %s, tenant %s: %w", c.Sync.Name, c.Sync.Tenant, cause)
}

// closeTarget lets the application finish, also when the cycle did not and has been cancelled:
// what was acknowledged must be there.
func (c *cycle) closeTarget() error {
	closer, ok := c.Target.(target.Closer)
	if !ok {
		return nil
	}
	if err := closer.Close(context.Background()); err != nil {
		return fmt.Errorf("finish writing to target %s: %w", c.Sync.TargetName, err)
	}
	return nil
}

// finish ends a cycle that ran.
func (c *cycle) finish() (*Report, error) {
	if err := c.closeTarget(); err != nil {
		return c.failed(err)
	}
	attention, err := c.attention()
	if err != nil {
		return c.failed(err)
	}
	c.report.Attention = attention
	switch {
	case c.failures+c.unlinked > 0 || len(attention) > 0:
		c.report.Result = Partial
	case c.counts.Held > 0:
		c.report.Result = Waiting
	default:
		c.report.Result = OK
	}
	c.walkAct()
	c.tally()
	if err := c.lists(); err != nil {
		return c.failed(err)
	}
	if c.opts.Apply {
		if err := c.store(); err != nil {
			return c.failed(err)
		}
	}
	return &c.report, nil
}

// tally fills the figures of the report.
func (c *cycle) tally() {
	g, t := c.Source.Traffic(), traffic(c.Target)
	c.report.Cycle = c.kind
	c.counts.Unchanged = c.unchanged()
	c.report.Summary = c.counts
	if c.opts.Apply { // what was done, of what was planned
		s := &c.report.Summary
		s.Create, s.Adopt, s.Update, s.Deactivate = c.done.Create, c.done.Adopt, c.done.Update, c.done.Deactivate
		s.Reactivate, s.Delete, s.Members = c.done.Reactivate, c.done.Delete, c.done.Members
		s.Unlink = c.done.Unlink
		s.Seats.After = c.seats()
	}
	c.report.Graph.Requests = g.Requests - c.graph0.Requests
	c.report.Graph.Throttled = g.Throttled - c.graph0.Throttled
	c.report.Target = TargetTraffic{Requests: t.Requests - c.target0.Requests, Throttled: t.Throttled - c.target0.Throttled}
	c.report.DurationMS = c.Now().Sub(c.now).Milliseconds()
	c.sumWaits()
}

// lists fills the report's lists from the plan, cut to ListLimit.
func (c *cycle) lists() error {
	plan := planOf(c.Sync, c.Tenant, &c.report)
	for held, err := range plan.Held() {
		if err != nil {
			return err
		}
		if c.report.Held = append(c.report.Held, held); len(c.report.Held) == ListLimit {
			break
		}
	}
	for no, err := range plan.Rejected() {
		if err != nil {
			return err
		}
		if c.report.Rejected = append(c.report.Rejected, no); len(c.report.Rejected) == ListLimit {
			break
		}
	}
	for skipped, err := range plan.Skipped() {
		if err != nil {
			return err
		}
		if c.report.Skipped = append(c.report.Skipped, skipped); len(c.report.Skipped) == ListLimit {
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
