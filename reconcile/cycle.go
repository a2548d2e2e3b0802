package reconcile

import (
	"time"

	"entrasync/reconcile/desired"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/snapshot"
	"entrasync/state"
)

// A cycle holds the steps of one Run. Each has exactly what it needs; what steps share is a value
// of its own: the ledger, the findings, how the sync stands.
type cycle struct {
	ledger       *ledger
	findings     *findings
	plans        *plan.Store
	owners       *ownership.Accounts
	puller       *puller
	gaps         *gapLister
	removals     *removalsGate
	timeObserver *timeObserver
	quarantine   *quarantine
	links        *linkBuilder
	migration    *migration
	recovery     *recovery
	intents      *intentLog
	comparer     *comparer
	planner      *planner
	keeper       *planKeeper
	lastHolds    *holdHistory
	protector    *protector
	successors   *successorFinder
	identifier   *identifier
	matching     *matching
	pins         *pinKeeper
	guards       *guardReview
	executor     *executor
	finalizer    *finalizer
	reporter     *reporter
	applier      *applier
	discovery    *discovery
	undoing      *undoer
}

// newCycle wires the steps of a run.
func (s *Syncer) newCycle(opts Options) *cycle {
	now := s.Now().UTC()
	runID, workers := now.Format(runIDFormat), s.workers()
	breaker, eval, info := newBreaker(s.Target, s.Sync), desired.NewEvaluator(s.Sync.config(), now), &state.SyncInfo{}
	graphBefore, targetBefore := s.Source.Traffic(), traffic(s.Target)
	c := &cycle{}
	c.ledger = &ledger{sync: s.Sync, now: now, log: s.Log, progress: s.Progress}
	c.findings = &findings{}
	c.plans = plan.NewStore(s.Tenant, s.Sync.Name)
	c.owners = &ownership.Accounts{
		Store: s.Store, Application: s.Sync.application(), Tenant: s.Sync.Tenant, Sync: s.Sync.Name, TenantSyncs: s.TenantSyncs,
	}
	c.puller = &puller{reader: s.reader(opts, now, c.ledger), opts: opts, ledger: c.ledger}
	c.gaps = &gapLister{sync: s.Sync, requirements: s.Requirements, opts: opts, source: s.Source, tenant: s.Tenant, ledger: c.ledger}
	c.removals = &removalsGate{sync: s.Sync, opts: opts, now: now, tenant: s.Tenant, findings: c.findings, plans: c.plans, ledger: c.ledger}
	c.timeObserver = &timeObserver{
		sync: s.Sync, opts: opts, now: now, clock: s.Now, interval: s.Interval, source: s.Source, info: info, ledger: c.ledger,
		findings: c.findings,
	}
	c.quarantine = &quarantine{
		sync: s.Sync, opts: opts, now: now, tenant: s.Tenant, target: s.Target, info: info, ledger: c.ledger, findings: c.findings,
		timeObserver: c.timeObserver,
	}
	c.links = &linkBuilder{sync: s.Sync, now: now, store: s.Store, tenant: s.Tenant, target: s.Target, owners: c.owners}
	c.migration = &migration{
		sync: s.Sync, opts: opts, now: now, workers: workers, store: s.Store, tenant: s.Tenant, target: s.Target, info: info,
		ledger: c.ledger, findings: c.findings, owners: c.owners,
	}
	c.successors = &successorFinder{sync: s.Sync, store: s.Store, target: s.Target, breaker: breaker, owners: c.owners}
	c.recovery = &recovery{
		sync: s.Sync, opts: opts, runID: runID, now: now, workers: workers, store: s.Store, tenant: s.Tenant, target: s.Target,
		breaker: breaker, ledger: c.ledger, owners: c.owners, successors: c.successors,
	}
	c.intents = &intentLog{sync: s.Sync, now: now, store: s.Store, tenant: s.Tenant, owners: c.owners}
	c.comparer = &comparer{
		sync: s.Sync, tenantSyncs: s.TenantSyncs, opts: opts, runID: runID, now: now, workers: workers, source: s.Source, store: s.Store,
		tenant: s.Tenant, target: s.Target, info: info, breaker: breaker, ledger: c.ledger, findings: c.findings, owners: c.owners,
		recovery: c.recovery,
	}
	c.planner = &planner{
		sync: s.Sync, opts: opts, now: now, source: s.Source, tenant: s.Tenant, eval: eval, info: info, graphBefore: graphBefore,
		ledger: c.ledger, findings: c.findings, plans: c.plans, owners: c.owners,
	}
	c.keeper = &planKeeper{
		sync: s.Sync, opts: opts, now: now, interval: s.Interval, store: s.Store, tenant: s.Tenant, target: s.Target, info: info,
		ledger: c.ledger, findings: c.findings,
	}
	c.lastHolds = &holdHistory{sync: s.Sync, opts: opts, info: info}
	c.protector = &protector{
		sync: s.Sync, opts: opts, workers: workers, tenant: s.Tenant, target: s.Target, breaker: breaker, ledger: c.ledger,
		plans: c.plans,
	}
	c.identifier = &identifier{
		sync: s.Sync, opts: opts, runID: runID, now: now, workers: workers, store: s.Store, tenant: s.Tenant, target: s.Target, eval: eval, info: info,
		breaker: breaker, ledger: c.ledger, findings: c.findings, plans: c.plans, owners: c.owners, lastHolds: c.lastHolds,
		protector: c.protector, successors: c.successors,
	}
	c.matching = &matching{
		sync: s.Sync, apply: opts.Apply, now: now, workers: workers, store: s.Store, tenant: s.Tenant, target: s.Target, eval: eval, breaker: breaker,
		ledger: c.ledger, owners: c.owners,
	}
	c.pins = &pinKeeper{sync: s.Sync, opts: opts, tenant: s.Tenant, ledger: c.ledger, plans: c.plans}
	c.guards = &guardReview{sync: s.Sync, opts: opts, now: now, tenant: s.Tenant, info: info, ledger: c.ledger, lastHolds: c.lastHolds}
	c.executor = &executor{
		sync: s.Sync, runID: runID, now: now, store: s.Store, tenant: s.Tenant, target: s.Target, owners: c.owners, links: c.links,
		successors: c.successors, matching: c.matching,
	}
	c.finalizer = &finalizer{
		sync: s.Sync, opts: opts, runID: runID, now: now, clock: s.Now, tenant: s.Tenant, info: info, ledger: c.ledger,
		findings: c.findings, plans: c.plans, owners: c.owners, quarantine: c.quarantine, history: s.History,
	}
	c.reporter = &reporter{
		sync: s.Sync, opts: opts, now: now, clock: s.Now, source: s.Source, tenant: s.Tenant, target: s.Target, info: info, log: s.Log,
		graphBefore: graphBefore, targetBefore: targetBefore, ledger: c.ledger, findings: c.findings, quarantine: c.quarantine,
		finalizer: c.finalizer,
	}
	c.applier = &applier{
		sync: s.Sync, opts: opts, runID: runID, now: now, clock: s.Now, workers: workers, store: s.Store, tenant: s.Tenant,
		target: s.Target, info: info, ledger: c.ledger, findings: c.findings, plans: c.plans, owners: c.owners, quarantine: c.quarantine,
		intents: c.intents, executor: c.executor,
	}
	c.discovery = &discovery{sync: s.Sync, tenant: s.Tenant, target: s.Target, eval: eval, matching: c.matching}
	c.undoing = &undoer{
		sync: s.Sync, opts: opts, now: now, workers: workers, tenant: s.Tenant, info: info, ledger: c.ledger, findings: c.findings,
		plans: c.plans, owners: c.owners, matching: c.matching,
	}
	c.findings.kind = Incremental
	c.ledger.report = Report{
		Format: reportFormat, Sync: s.Sync.Name, Tenant: s.Sync.Tenant, Run: runID, Started: now,
		Held: []plan.Held{}, Rejected: []plan.Rejected{}, Skipped: []plan.Skipped{}, Errors: []plan.Failure{}, held: opts.heldSpace(), rejected: opts.rejectedSpace(),
	}
	return c
}

// reader reads the directory for a run.
func (s *Syncer) reader(opts Options, now time.Time, ledger *ledger) *snapshot.Reader {
	r := &snapshot.Reader{
		Tenant: s.Tenant, TenantID: s.Sync.Tenant, Source: s.Source, TenantSyncs: s.TenantSyncs, Requirements: s.Requirements, Sync: s.Sync.Name,
		AppID: s.Sync.AppID, Assignments: !opts.Removals && RequirementsOf([]*Sync{s.Sync}).App, Full: opts.Full, Apply: opts.Apply, Now: now, Clock: s.Now,
		Log: s.Log,
	}
	if s.Progress != nil {
		r.Progress = ledger.reportReading
	}
	return r
}
