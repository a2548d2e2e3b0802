package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
)

// applyChunk is how many actions are read from the stored plan at once.
const applyChunk = 256

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
	plans      *planStore
	owners     *ownership
	quarantine *quarantine
	intents    *intentLog
	executor   *executor
	reporter   *reporter
}

// apply carries out the plan: leavers, users, references, groups, memberships. Within a phase
// objects are worked on concurrently, and what happens to one object happens in order. Each
// link is written as soon as its call has succeeded.
func (ap *applier) apply(ctx context.Context) error {
	if ap.reporter.recordMatchStep(); !ap.opts.Apply {
		return nil
	}
	total := ap.ledger.counts.Changes()
	if err := ap.applyPhase(ctx, part{phase: identityPhase}, total); err != nil {
		return err
	}
	var tried part
	if ap.quarantine.probing {
		goOn := false
		var err error
		if tried, goOn, err = ap.applyProbe(ctx, total); err != nil || !goOn {
			if err == nil {
				err = fmt.Errorf("target %s is still paused: %s", ap.sync.TargetName, ap.info.Quarantine.Message)
			}
			return err
		}
	}
	if err := ap.applyPhase(ctx, part{phase: memberPhase, early: true}, total); err != nil {
		return err
	}
	for _, p := range phases {
		if p == memberPhase {
			if err := ap.recordExistingMembers(ctx); err != nil {
				return err
			}
		}
		rest := part{phase: p}
		if p == tried.phase {
			rest.from = tried.to
		}
		apply := ap.applyPhase
		if p == userPhase {
			apply = ap.applyUsers
		}
		if err := apply(ctx, rest, total); err != nil {
			return err
		}
	}
	ap.findings.applied = true
	return nil
}

// applyPhase runs the actions of one phase. Workers make the calls; the recorder, apart from
// them, writes what came of each. Neither goes on when the other cannot.
func (ap *applier) applyPhase(ctx context.Context, of part, total int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	rec := &recorder{sync: ap.sync, runID: ap.runID, now: ap.now, clock: ap.clock, store: ap.store, tenant: ap.tenant, info: ap.info, ledger: ap.ledger, findings: ap.findings, owners: ap.owners, results: make(chan *result, recordBatch), total: total}
	recorded := make(chan error, 1)
	go func() { recorded <- rec.run(cancel) }()

	workers, wctx := errgroup.WithContext(ctx)
	workers.SetLimit(ap.workers)
	n := 0
	var run []step // of one object: a large group's changes come in parts, and one after another
	start := func() {
		steps := run
		run = nil
		if len(steps) == 0 {
			return
		}
		workers.Go(func() error {
			for _, s := range steps {
				done := ap.executor.carryOut(wctx, s.key, s.action)
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
	read := ap.plans.actions(of.phase, func(keys [][]byte, actions []storedAction) error {
		var due []step
		for i := range actions {
			if actions[i].Held != nil || isEarly(keys[i]) != of.early {
				continue
			}
			if n++; n <= of.from || of.to > 0 && n > of.to {
				continue
			}
			key, err := parseActionKey(keys[i])
			if err != nil {
				return err
			}
			if of.pick != nil && !of.pick(key.id) {
				continue
			}
			due = append(due, step{key, &actions[i]})
		}
		if err := ap.intents.recordIntents(due); err != nil {
			return err
		}
		for _, s := range due {
			if err := wctx.Err(); err != nil {
				return err
			}
			if len(run) > 0 && run[0].key.id != s.key.id {
				start()
			}
			run = append(run, s)
		}
		if of.to > 0 && n >= of.to {
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

// A step is an action and its place in the plan.
type step struct {
	key    actionKey
	action *storedAction
}

// actions reads a phase of the stored plan in chunks, each in a transaction of its own, so
// that no transaction stays open during calls to the application.
func (s *planStore) actions(p phase, visit func(keys [][]byte, actions []storedAction) error) error {
	after := []byte{byte(p)}
	for {
		var keys [][]byte
		var actions []storedAction
		err := s.tenant.View(func(tx *state.Tx) error {
			for key, raw := range tx.Space(s.sync.Name, planSpace).All(after) {
				if key[0] != byte(p) || len(keys) == applyChunk {
					break
				}
				a, err := decodeAction(raw)
				if err != nil {
					return err
				}
				keys, actions = append(keys, append([]byte(nil), key...)), append(actions, a)
			}
			return nil
		})
		if err != nil || len(keys) == 0 {
			return err
		}
		after = keys[len(keys)-1]
		if err := visit(keys, actions); err != nil {
			return err
		}
	}
}

// A result is what became of one action.
type result struct {
	key     actionKey
	action  *storedAction
	link    *state.Link // to write
	drop    bool        // the link is to be forgotten
	added   map[graphsync.ID]string
	removed []graphsync.ID
	waiting []graphsync.ID // members that have no account yet
	refused []refusedMember
	still   *state.Link // of an account that is still active after it was switched off
	err     error
	stop    error        // concerns the whole application
	partly  bool         // some was written although it failed
	halfway bool         // what came of it is looked into by the next cycle
	off     *state.Link  // of an account that was switched off because its deletion failed
	former  graphsync.ID // whose link goes
	left    string       // the account that was linked before, when the link moved to another
	// Matching values that the account had before, and whether the response showed the new ones.
	formerKeys []state.MatchKey
	confirmed  bool
	mismatch   *mismatch   // to look into in the next cycle
	doubt      state.Owner // whose link may not fit any more, by what the target answered
	notes      []string
	sent       []target.Attribute // to the account, when err is about it
	remarks    []*target.Error    // of attributes that were accepted but are not shown as written
	shown      *target.Resource   // the account afterwards, where the application shows it
}

type refusedMember struct {
	member graphsync.ID
	err    error
}

// carryOut makes the calls of one action. It returns nil when it was interrupted before
// anything was known.
func (x *executor) carryOut(ctx context.Context, key actionKey, a *storedAction) *result {
	done := &result{key: key, action: a}
	if key.phase == referencePhase && a.TargetID == nil {
		if done.err = x.resolve(a); done.err != nil || a.TargetID == nil {
			return done // the account was not made: nothing can refer from it
		}
	}
	switch {
	case a.Orphan:
		x.removeOrphan(ctx, a, done)
	case a.Op == Create:
		x.create(ctx, a, done)
	case a.Op == Delete:
		x.remove(ctx, a, done)
	case a.Op == Unlink:
		x.unlink(a, done)
	case a.Op == Members:
		x.changeMembers(ctx, a, done)
	default:
		x.write(ctx, a, done, a.Op == Adopt)
	}
	if done.err == nil {
		return done
	}
	if ctx.Err() != nil && errors.Is(done.err, ctx.Err()) {
		return nil
	}
	done.err = x.withoutRedacted(ctx, a, done.sent, done.err)
	if target.CodeOf(done.err).Stops() {
		done.stop = fmt.Errorf("%s %s %s in target %s: %w", a.Op, a.Kind, a.Key, x.sync.TargetName, done.err)
	}
	return done
}

// resolve finds the account that an action on one made in the same plan is about.
func (x *executor) resolve(a *storedAction) error {
	return x.tenant.View(func(tx *state.Tx) error {
		link, ok, err := tx.Link(x.sync.Name, a.Kind, a.SourceID)
		if ok {
			a.TargetID = &link.TargetID
		}
		return err
	})
}
