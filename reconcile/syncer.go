package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/snapshot"
	"entrasync/state"
	"entrasync/target"
)

// A Syncer runs one sync for one tenant. Runs of syncs of the same tenant must not overlap:
// they share the tenant's snapshot.
type Syncer struct {
	Sync         *Sync
	Requirements snapshot.Requirements // of all syncs of the tenant
	TenantSyncs  []string              // names of all syncs of the tenant, this one included
	Source       graphsync.Source
	Store        *state.Store
	Tenant       *state.Tenant
	Target       target.Adapter

	Concurrency int           // actions applied at once; 0: as many as keep the application busy
	Interval    time.Duration // the longest time between two cycles on schedule; 0: unknown
	History     History       // how much of the past is kept
	Log         *slog.Logger
	Progress    Progress // may be nil
	Now         func() time.Time
}

// Run makes one cycle: what entrasync is, in one screen. The report is never nil; the error is
// why the cycle could not run, and nothing is changed in the application after it is known.
// A failed record is not an error: it is in the report.
func (s *Syncer) Run(ctx context.Context, opts Options) (*Report, error) {
	ctx, end := s.Tenant.While(ctx) // what another worker has by now is no longer asked for or changed
	defer end()
	c := s.newCycle(opts)
	unlessKept := c.keeper.unlessKept
	return c.run(ctx,
		c.finalizer.putBack,                     // what a dry run that was killed left behind
		c.removals.admit,                        // a removals cycle runs where nothing waits for another cycle
		c.puller.pull,                           // Graph → snapshot, page by page
		c.removals.checkPending,                 // a removals cycle ends where nothing changed
		c.quarantine.check,                      // a sync in quarantine waits for its next probe
		c.keeper.take,                           // a plan that was just made and still fits → this cycle's
		c.migration.migrateTarget,               // when the accounts are in another application than they were → links
		c.recovery.recover,                      // accounts that an interrupted cycle was making → links
		unlessKept(c.comparer.compare),          // in a full cycle: what the application really holds → links
		unlessKept(c.planner.draft),             // snapshot and links → what should happen to accounts and groups
		unlessKept(c.removals.postpone),         // in a removals cycle: what creates or changes → stays pending
		unlessKept(c.gaps.nameGaps),             // what Graph told and the snapshot cannot show → skipped
		unlessKept(c.identifier.identify),       // accounts that are removed or renamed: still the linked ones
		unlessKept(c.matching.match),            // people without a link → accounts that exist
		unlessKept(c.protector.protect),         // accounts the configuration keeps out of it → left alone
		unlessKept(c.planner.draftReferences),   // managers who will have an account → references
		unlessKept(c.comparer.compareMembers),   // in a full cycle: who really is in the groups → memberships
		unlessKept(c.planner.draftMembers),      // who has, or will have, an account → memberships
		unlessKept(c.identifier.identifyGroups), // groups whose members change: still the linked ones
		unlessKept(c.pins.leave),                // accounts that operators pinned → left alone
		c.guards.review,                         // guards hold back, approvals let go
		c.reporter.verifyPlan,                   // a reviewed plan is applied exactly or not at all
		c.reporter.recordMatch,                  // on demand: which account was found
		c.planner.announce,                      // of a dry run: what dates change in the next days
		c.keeper.keep,                           // of a dry run: what the plan was made from
		c.applier.apply,                         // leavers, users, groups, then memberships
		c.finalizer.finalize,                    // what is done is no longer pending
	)
}

// Drift compares what was applied with what the application holds, and keeps what differs: see [Drifts]. Nothing is
// changed in the application, and nothing is read from the directory.
func (s *Syncer) Drift(ctx context.Context, opts Options) (*Report, error) {
	ctx, end := s.Tenant.While(ctx)
	defer end()
	c := s.newCycle(Options{Drift: true, NoRefresh: true, Actor: opts.Actor})
	return c.run(ctx,
		c.finalizer.putBack,       // what a dry run that was killed left behind
		c.quarantine.check,        // how the sync stands
		c.undoing.checkTarget,     // the accounts are where they were
		c.recovery.recover,        // what an interrupted cycle was doing → links
		c.comparer.compare,        // accounts as they are → what differs
		c.comparer.compareMembers, // who really is in the groups → what differs
	)
}

// run makes the steps of a run, one after the other, and its report.
func (c *cycle) run(ctx context.Context, steps ...func(context.Context) error) (*Report, error) {
	for _, step := range steps {
		switch err := step(ctx); {
		case errors.Is(err, errNothingDue):
			return c.reporter.nothingDue()
		case err != nil:
			return c.reporter.failed(unlessLost(ctx, err))
		}
	}
	return c.reporter.finish()
}

// unlessLost returns an error of a step, or that the tenant was lost when that is why its context ended.
func unlessLost(ctx context.Context, err error) error {
	if lost := (*state.LostError)(nil); errors.As(context.Cause(ctx), &lost) {
		return lost
	}
	return err
}

// Read brings the snapshot of the tenant up to date and does nothing else.
func (s *Syncer) Read(ctx context.Context) error { return s.newCycle(Options{}).puller.pull(ctx) }

// workers is how many actions are applied at once. A worker reads the state between its calls, so that it
// takes twice as many as the application takes requests to have one waiting for each that ends.
func (s *Syncer) workers() int {
	if s.Concurrency > 0 {
		return s.Concurrency
	}
	if limited, ok := s.Target.(target.Limited); ok {
		return max(defaultWorkers, 2*limited.Concurrency())
	}
	return defaultWorkers
}

// defaultWorkers is how many actions are applied at least at once.
const defaultWorkers = 8

// Plan returns the plan of the run that a report is of.
func (s *Syncer) Plan(r *Report) *Plan { return planOf(s.Sync, s.Tenant, r) }
