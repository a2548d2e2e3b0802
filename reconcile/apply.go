package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// An applier carries out a plan.
type applier struct {
	sync       *Sync
	opts       Options
	runID      string
	now        time.Time
	clock      func() time.Time
	workers    int
	store      *state.Store
	tenant     *state.Tenant
	target     target.Adapter
	info       *state.SyncInfo
	ledger     *ledger
	findings   *findings
	plans      *plan.Store
	owners     *ownership.Accounts
	quarantine *quarantine
	intents    *intentLog
	executor   *executor
}

// apply carries out the plan: leavers, users, references, groups, memberships. Within a phase
// objects are worked on concurrently, and what happens to one object happens in order. What
// came of a call is recorded within recordDelay.
func (ap *applier) apply(ctx context.Context) error {
	if !ap.opts.Apply {
		return nil
	}
	total := ap.ledger.counts.Changes()
	if err := ap.applyPhase(ctx, plan.Part{Phase: plan.IdentityPhase}, total); err != nil {
		return err
	}
	var tried plan.Part
	if ap.quarantine.probing {
		resume := false
		var err error
		if tried, resume, err = ap.applyProbe(ctx, total); err != nil || !resume {
			if err == nil {
				err = fmt.Errorf("target %s is still paused: %s", ap.sync.TargetName, ap.info.Quarantine.Message)
			}
			return err
		}
	}
	if err := ap.applyPhase(ctx, plan.Part{Phase: plan.MemberPhase, Early: true}, total); err != nil {
		return err
	}
	for _, p := range plan.Phases {
		if p == plan.MemberPhase {
			if err := ap.recordExistingMembers(ctx); err != nil {
				return err
			}
		}
		rest := plan.Part{Phase: p}
		if p == tried.Phase {
			rest.From = tried.To
		}
		apply := ap.applyPhase
		if p == plan.UserPhase || p == plan.GroupPhase {
			apply = ap.applyInOrder
		}
		if err := apply(ctx, rest, total); err != nil {
			return err
		}
	}
	ap.findings.applied = true
	return nil
}

// applyPhase runs the actions of one phase. Workers make the calls; the recorder, apart from
// them, writes the result of each. Neither continues when the other cannot.
func (ap *applier) applyPhase(ctx context.Context, of plan.Part, total int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	rec := &recorder{sync: ap.sync, opts: ap.opts, runID: ap.runID, now: ap.now, clock: ap.clock, store: ap.store, tenant: ap.tenant, info: ap.info, ledger: ap.ledger, findings: ap.findings, owners: ap.owners, results: make(chan *result, recordBatch), total: total}
	recorded := make(chan error, 1)
	go func() { recorded <- rec.run(cancel) }()

	workers, wctx := errgroup.WithContext(ctx)
	workers.SetLimit(ap.workers)
	n := 0
	var run []plan.PlacedAction // of one object: a large group's changes come in parts, and one after another
	start := func() {
		steps := run
		run = nil
		if len(steps) == 0 {
			return
		}
		workers.Go(func() error {
			for _, s := range steps {
				done := ap.executor.carryOut(wctx, s.Key, s.Action)
				if done == nil {
					return wctx.Err() // interrupted: it stays pending
				}
				rec.results <- done
				if done.stop != nil {
					return done.stop
				}
			}
			return nil
		})
	}
	read := ap.plans.Actions(of.Phase, func(keys [][]byte, actions []plan.StoredAction) error {
		var due []plan.PlacedAction
		for i := range actions {
			if actions[i].Held != nil || plan.IsEarly(keys[i]) != of.Early {
				continue
			}
			if n++; n <= of.From || of.To > 0 && n > of.To {
				continue
			}
			key, err := plan.ParseKey(keys[i])
			if err != nil {
				return err
			}
			if of.Pick != nil && !of.Pick(key.ID) {
				continue
			}
			due = append(due, plan.PlacedAction{Key: key, Action: &actions[i]})
		}
		due, err := ap.dropPinned(due)
		if err != nil {
			return err
		}
		if err := ap.intents.recordIntents(due); err != nil {
			return err
		}
		for _, s := range due {
			if err := wctx.Err(); err != nil {
				return err
			}
			if len(run) > 0 && run[0].Key.ID != s.Key.ID {
				start()
			}
			run = append(run, s)
		}
		if of.To > 0 && n >= of.To {
			return errStop
		}
		return nil
	})
	start()
	if errors.Is(read, errStop) {
		read = nil
	}
	work := workers.Wait()
	close(rec.results)
	if err := <-recorded; err != nil {
		return err
	}
	if work != nil {
		return work
	}
	return read
}

// maxChunk bounds how many actions are about to be done at once, and so the look-ups after a crash.
const maxChunk = 2048

// nextChunk is how many actions are taken next when the last ones took so long. What is about to be done is recorded
// in a commit, and fewer commits write less; but what a crash interrupts has to be looked up, at the pace of the
// application.
func nextChunk(size int, took time.Duration) int {
	if took >= time.Second {
		return max(size/2, plan.ActionChunk)
	}
	return min(2*size, maxChunk)
}

// applyProbe tries a few actions of a paused sync. It returns how many of which phase were tried,
// and whether the sync resumes.
func (ap *applier) applyProbe(ctx context.Context, total int) (tried plan.Part, resume bool, err error) {
	for _, p := range plan.Phases {
		before := ap.ledger.attempted
		tried = plan.Part{Phase: p, To: probeSize}
		if err := ap.applyPhase(ctx, tried, total); err != nil {
			return tried, false, err
		}
		if ap.ledger.attempted == before {
			continue
		}
		ap.quarantine.evaluateFailures()
		return tried, ap.info.Quarantine == nil, nil
	}
	return tried, true, nil
}

// applyInOrder applies the actions on users, or groups: first those that wait for no other, then the
// renames that do, in order.
func (ap *applier) applyInOrder(ctx context.Context, rest plan.Part, total int) error {
	needs, err := ap.waitingRenames(rest.Phase)
	if err != nil {
		return err
	}
	if len(needs) > 0 {
		rest.Pick = func(id graphsync.ID) bool { _, waits := needs[id]; return !waits }
	}
	if err := ap.applyPhase(ctx, rest, total); err != nil {
		return err
	}
	for _, step := range renameOrder(needs) {
		of := plan.Part{Phase: rest.Phase, From: rest.From, Pick: func(id graphsync.ID) bool {
			_, found := slices.BinarySearchFunc(step.objects, id, compareIDs)
			return found
		}}
		if step.temporary {
			err = ap.moveAside(ctx, of)
		} else {
			err = ap.applyPhase(ctx, of, total)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropPinned leaves out of some actions that are about to be carried out those that were pinned since the plan was made.
// They stay pending.
func (ap *applier) dropPinned(due []plan.PlacedAction) ([]plan.PlacedAction, error) {
	pins, err := pinsOf(ap.tenant, ap.sync.Name)
	if err != nil || len(pins.objects) == 0 && len(pins.others) == 0 {
		return due, err
	}
	var kept []plan.PlacedAction
	err = ap.tenant.Update(func(tx *state.Tx) error {
		kept = nil
		for _, s := range due {
			pin := pins.of(s.Action)
			if pin == nil && s.Action.Op == plan.Members {
				for _, m := range pins.takeMembers(s.Action) {
					if err := requeue(tx, ap.sync.Name, state.Membership(s.Action.SourceID, m.pin.Object.ID)); err != nil {
						return err
					}
				}
				if len(s.Action.Add)+len(s.Action.Remove) == 0 {
					continue
				}
			}
			if pin == nil {
				kept = append(kept, s)
				continue
			}
			ap.ledger.note("%s %s %s was not carried out: %s while the cycle was running", s.Action.Op, s.Action.Kind, s.Action.Key, pinWords(pin))
			keys := []state.PendingKey{s.Key.PendingKey()}
			if s.Action.Op == plan.Members {
				for _, member := range slices.Concat(s.Action.Add, s.Action.Remove) {
					keys = append(keys, state.Membership(s.Action.SourceID, member))
				}
			}
			for _, key := range keys {
				if err := requeue(tx, ap.sync.Name, key); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return kept, err
}
