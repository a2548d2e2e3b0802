package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A finalizer ends an applied cycle.
type finalizer struct {
	sync       *Sync
	opts       Options
	runID      string
	now        time.Time
	clock      func() time.Time
	tenant     *state.Tenant
	info       *state.SyncInfo
	ledger     *ledger
	findings   *findings
	plans      *plan.Store
	owners     *ownership.Accounts
	quarantine *quarantine
	history    History

	remembered bool // removals of this cycle have been added to those of the last day
}

// finalize ends an applied cycle: what was looked at and is done is no longer pending, what is
// held stays so, what was skipped or failed is kept with its reason.
func (f *finalizer) finalize(ctx context.Context) error {
	if !f.opts.Apply {
		return nil
	}
	if f.opts.Subject != nil {
		return nil
	}
	if err := f.offerTransfers(ctx); err != nil {
		return err
	}
	if err := f.finalizeRetries(ctx); err != nil {
		return err
	}
	if err := f.finalizePending(ctx); err != nil {
		return err
	}
	f.quarantine.evaluateFailures()
	if err := f.quarantine.clearIdle(); err != nil {
		return err
	}
	f.rememberRemovals()
	if !f.opts.Removals { // one that only removes says nothing of the rest
		f.info.LastSuccess = f.now
	}
	return f.tenant.Update(func(tx *state.Tx) error {
		if !f.opts.Removals {
			if err := tx.Space(f.sync.Name, membersRemovedSpace).Clear(); err != nil {
				return err
			}
		}
		if f.findings.all {
			if err := tx.Pending(f.sync.Name).SetEverything(false); err != nil {
				return err
			}
		}
		if f.opts.Full || f.info.LastFull.IsZero() {
			f.info.LastFull = f.now
		}
		if f.info.FirstRun.IsZero() {
			f.info.FirstRun = f.now
		}
		if err := f.auditConfiguration(tx); err != nil {
			return err
		}
		f.info.ConfigHash = f.sync.Hash()
		for _, name := range []string{listingSpace, indexSpace, claimSpace, membershipSpace, shownMemberSpace, existingMemberSpace, absentSpace, failedSpace, managerRefSpace, requeuedSpace, draftedSpace, duePlannedSpace, transferOfferSpace, plan.DetachedSpace} {
			if err := tx.Space(f.sync.Name, name).Clear(); err != nil {
				return err
			}
		}
		return nil
	})
}

// rememberRemovals keeps what the guard over several cycles counts: removals that passed
// without an approval.
func (f *finalizer) rememberRemovals() {
	f.info.Removals = slices.DeleteFunc(f.info.Removals, func(r state.Removals) bool { return f.now.Sub(r.At) >= window })
	if n := f.ledger.unapproved; n > 0 && !f.remembered {
		f.info.Removals = append(f.info.Removals, state.Removals{At: f.now, Count: n})
	}
	f.remembered = true
}

// finalizeRetries forgets records that were looked at again and are well now, and stores the
// reasons of those that are skipped. The others are looked at in every cycle: it costs no call,
// and `status` always has the present reason.
func (f *finalizer) finalizeRetries(ctx context.Context) error {
	err := f.tenant.Update(func(tx *state.Tx) error {
		failed, skipped := tx.Space(f.sync.Name, failedSpace), tx.Space(f.sync.Name, plan.SkippedSpace)
		drafted, postponed := tx.Space(f.sync.Name, draftedSpace), tx.Space(f.sync.Name, requeuedSpace)
		var well []state.PendingKey
		for retry := range tx.Retries(f.sync.Name).All() {
			looked := f.findings.all || due(&retry, f.now) || drafted.Has(pendingBytes(retry.Key)) || retry.Skipped && !f.opts.Scheduled
			if !looked || failed.Has(pendingBytes(retry.Key)) || f.opts.Removals && postponed.Has(pendingBytes(retry.Key)) {
				continue
			}
			if retry.Key.Member.IsZero() && skipped.Has(plan.SkippedKey(retry.Key)) {
				continue
			}
			if !retry.Key.Member.IsZero() && retry.Code == "unknown_reference" && retry.First.Equal(f.now) {
				continue // found waiting in this very cycle
			}
			well = append(well, retry.Key)
		}
		for _, key := range well {
			if err := tx.Retries(f.sync.Name).Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var skipped Causes // those that were not skipped before for this reason
	defer func() { f.ledger.logSkipped(&skipped) }()
	return f.plans.Entries(ctx, plan.SkippedSpace, func(tx *state.Tx, _, value []byte) error {
		var s plan.Skipped
		if err := plan.Decode(value, &s); err != nil {
			return err
		}
		key := state.PendingKey{Kind: s.Kind, ID: s.SourceID}
		retry := state.Retry{Key: key, Code: s.Code, Message: s.Why, Name: s.Key, First: f.now, Next: f.now, Skipped: true, Attempts: 1}
		if known, ok := tx.Retries(f.sync.Name).Get(key); ok && known.Skipped && known.Code == s.Code {
			retry.First, retry.Attempts = known.First, known.Attempts+1
			if known.Message != s.Why {
				skipped.Add(s.Kind, "", s.Code, s.Why, s.Key)
			}
		} else {
			skipped.Add(s.Kind, "", s.Code, s.Why, s.Key)
		}
		if asksTarget[s.Code] {
			retry.Next = f.now.Add(retryWait(retry.Attempts))
		}
		return tx.Retries(f.sync.Name).Put(retry)
	})
}

// finalizePending empties the pending set but for what is held, which is planned again in each
// cycle until it is approved or its cause goes away, and for what is due later. Those are marked
// first: wherever this is interrupted, nothing is forgotten.
func (f *finalizer) finalizePending(ctx context.Context) error {
	for _, space := range []string{plan.HeldSpace, plan.RejectedSpace} {
		if err := f.plans.Entries(ctx, space, func(tx *state.Tx, key, raw []byte) error { return requeueHeld(tx, f.sync.Name, space, key, raw) }); err != nil {
			return err
		}
	}
	var after state.PendingKey
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var keys []state.PendingKey
		err := f.tenant.Update(func(tx *state.Tx) error {
			keys = nil
			for key := range tx.Pending(f.sync.Name).All(after) {
				if keys = append(keys, key); len(keys) == plan.DraftChunk {
					break
				}
			}
			kept := tx.Space(f.sync.Name, requeuedSpace)
			for _, key := range keys {
				if kept.Has(pendingBytes(key)) {
					continue
				}
				if err := tx.Pending(f.sync.Name).Delete(key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(keys) < plan.DraftChunk {
			return err
		}
		after = keys[len(keys)-1]
	}
}

// store keeps the report as a run and the sync's times.
func (f *finalizer) store() error {
	err := f.tenant.Update(func(tx *state.Tx) error {
		info := *f.info
		if !f.findings.known {
			info = tx.SyncInfo(f.sync.Name) // the cycle ended before it knew
		}
		info.LastRun = f.now
		if err := tx.PutSyncInfo(f.sync.Name, info); err != nil {
			return err
		}
		if err := f.auditRun(tx); err != nil {
			return err
		}
		runs := tx.Runs(f.sync.Name)
		err := runs.Put(state.Run{
			ID: f.runID, Started: f.now, Ended: f.clock().UTC(), Result: string(f.ledger.report.Result), Report: plan.Encode(&f.ledger.report), Idle: f.quiet(),
		})
		if err != nil {
			return err
		}
		return f.prune(tx)
	})
	if err != nil {
		return fmt.Errorf("store run: %w", err)
	}
	return nil
}

// History bounds how far back a state remembers.
type History struct {
	For   time.Duration // how long runs and lines of the audit log are kept; 0: for ever
	Bytes uint64        // how large the audit log of a tenant may be; 0: without a bound
}

// prune deletes what is older than it is kept for, some of it at once: a cycle must not wait for a year of history.
func (f *finalizer) prune(tx *state.Tx) error {
	var before time.Time
	if f.history.For > 0 {
		before = f.now.Add(-f.history.For)
		if err := tx.Runs(f.sync.Name).Prune(before); err != nil {
			return err
		}
	}
	_, err := tx.Audit().Prune(f.now, before, f.history.Bytes, state.AuditEntry{Actor: state.Actor{Kind: state.ActorService}})
	return err
}
