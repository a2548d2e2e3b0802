package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/links"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// recordBatch bounds how many results share one commit, and recordDelay how long the first of them waits
// for the others. A commit rewrites every page that it touches, so that fewer, larger ones write far less.
// Results that a killed process has not recorded cost the next cycle one look-up each: the intents were
// recorded before the calls.
const (
	recordBatch = 2048
	recordDelay = time.Second
)

// A recorder writes results to the state in one goroutine: while a commit waits for the disk the next
// results gather, so that the disk does not slow the calls down.
type recorder struct {
	sync        *Sync
	runID       string
	now         time.Time
	clock       func() time.Time
	store       *state.Store
	tenant      *state.Tenant
	info        *state.SyncInfo
	ledger      *ledger
	findings    *findings
	owners      *ownership.Accounts
	results     chan *result
	total       int
	unavailable int      // failures in a row because the application did not answer
	unwritable  bool     // the state could not be written: what follows is not recorded
	lines       [][]byte // of the run, from the results of the present commit
	opts        Options
	audited     []state.AuditEntry // the same for the audit log
}

// run records until the results are closed. When the state cannot be written, or the application has
// stopped answering, it stops the calls; then it records what comes in as far as it can.
func (r *recorder) run(stop context.CancelCauseFunc) (err error) {
	for open := true; open; {
		var batch []*result
		batch, open = r.gather(func(done *result) {
			if failed := r.checkAvailable(done); failed != nil && err == nil {
				err = failed
				stop(err)
			}
		})
		if len(batch) == 0 || r.unwritable {
			continue
		}
		if failed := r.commit(batch); failed != nil {
			r.unwritable, err = true, failed
			stop(failed)
			continue
		}
		r.ledger.reportProgress("applying", r.ledger.attempted, r.total)
	}
	return err
}

// gather returns the results that share the next commit, and whether more may follow. Each is looked at
// when it comes in.
func (r *recorder) gather(look func(*result)) (batch []*result, open bool) {
	first, open := <-r.results
	if !open {
		return nil, false
	}
	look(first)
	batch = append(batch, first)
	enough := time.NewTimer(recordDelay)
	defer enough.Stop()
	for len(batch) < recordBatch {
		select {
		case next, open := <-r.results:
			if !open {
				return batch, false
			}
			look(next)
			batch = append(batch, next)
		case <-enough.C:
			return batch, true
		}
	}
	return batch, true
}

// warmResults has what is known of the objects of some results read at once.
func warmResults(tx *state.Tx, sync string, batch []*result) {
	var objects []state.PendingKey
	accounts := map[graphsync.Kind][]string{}
	for _, done := range batch {
		objects = append(objects, state.PendingKey{Kind: done.action.Kind, ID: done.action.SourceID})
		if done.link != nil {
			accounts[done.link.Kind] = append(accounts[done.link.Kind], done.link.TargetID)
		}
	}
	tx.WarmRecords(sync, objects, accounts)
}

func (r *recorder) commit(batch []*result) error {
	if err := r.claim(batch); err != nil {
		return err
	}
	err := r.tenant.Update(func(tx *state.Tx) error {
		r.lines, r.audited = nil, nil
		warmResults(tx, r.sync.Name, batch)
		for _, done := range batch {
			if err := r.record(tx, done); err != nil {
				return fmt.Errorf("record %s %s: %w", done.action.Kind, done.action.SourceID, err)
			}
		}
		if err := tx.Runs(r.sync.Name).AppendLines(r.runID, r.lines); err != nil {
			return err
		}
		return tx.Audit().Append(r.audited...)
	})
	if err != nil {
		return err
	}
	var made []state.Owner
	for _, done := range batch {
		if done.action.Op == plan.Create && !done.halfway {
			made = append(made, r.owners.Owner(done.action.Kind, done.action.SourceID))
		}
	}
	if err := r.store.Accounts().EndCreations(made...); err != nil {
		return err
	}
	for _, done := range batch {
		if !done.drop || done.action.TargetID == nil {
			continue
		}
		if err := r.store.Accounts().Release(r.sync.application(), *done.action.TargetID, r.owners.Owner(done.action.Kind, done.action.SourceID)); err != nil {
			return err
		}
	}
	for _, done := range batch {
		if owner := done.doubt; !owner.Source.IsZero() && owner.Tenant != r.sync.Tenant {
			if err := r.store.Accounts().Doubt(owner); err != nil {
				return err
			}
		}
	}
	for _, done := range batch {
		if done.left == "" || done.link == nil {
			continue
		}
		if err := r.store.Accounts().Release(r.sync.application(), done.left, r.owners.Owner(done.link.Kind, done.link.Source)); err != nil {
			return err
		}
	}
	return nil
}

// checkAvailable ends the cycle of an application that has stopped answering: what is left stays pending
// instead of waiting for each in turn.
func (r *recorder) checkAvailable(done *result) error {
	if done.err == nil || target.CodeOf(done.err) != target.Unavailable {
		r.unavailable = 0
	} else if r.unavailable++; r.unavailable >= maxFailures {
		return &breakerOpenError{target: r.sync.TargetName, last: done.err}
	}
	return nil
}

// claim takes the accounts just made for this sync. One that an application gave out twice is
// changed by neither: the result becomes a failure.
func (r *recorder) claim(batch []*result) error {
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		claims := map[string]state.Owner{}
		for _, done := range batch {
			if done.link != nil && done.link.Kind == kind && done.link.LastOp == string(plan.Create) {
				claims[done.link.TargetID] = r.owners.Owner(kind, done.link.Source)
			}
		}
		if len(claims) == 0 {
			continue
		}
		present, err := r.store.Accounts().ClaimAll(r.sync.application(), claims)
		if err != nil {
			return err
		}
		for _, done := range batch {
			if done.link == nil || done.link.Kind != kind || done.link.LastOp != string(plan.Create) {
				continue
			}
			if owner := present[done.link.TargetID]; owner != r.owners.Owner(kind, done.link.Source) {
				done.err = &target.Error{Code: target.Conflict, Op: "create " + kind.String(),
					Message: fmt.Sprintf("the target answered with account %s, which is %s; whether that link still fits is looked at by its next cycle", done.link.TargetID, r.owners.Describe(owner))}
				done.link, done.doubt = nil, owner
			}
		}
	}
	return nil
}

// record writes one result: the link, what is no longer pending, what is to be retried.
func (r *recorder) record(tx *state.Tx, done *result) error {
	a := done.action
	if done.void { // what failed before says when it is tried again
		return nil
	}
	if a.Op != plan.Unlink { // says nothing of whether the application works
		r.ledger.attempt()
	}
	for _, note := range done.notes {
		r.ledger.note("%s", note)
	}
	done.halfway = mayBeHalfDone(done, r.sync.rules(a.Kind))
	if a.Op != plan.Members && !done.halfway {
		if err := (records{tx: tx, sync: r.sync.Name}).deleteIntent(a.Kind, a.SourceID); err != nil {
			return err
		}
	}
	if !done.doubt.Source.IsZero() {
		if err := markForCheck(tx, r.sync.Tenant, done.doubt); err != nil {
			return err
		}
	}
	if done.drop {
		drop := records.loseLink
		if a.Op.Removes() || a.Op == plan.Unlink {
			drop = records.forgetLink
		}
		if err := drop(records{tx: tx, sync: r.sync.Name}, a.Kind, a.SourceID); err != nil {
			return err
		}
	}
	if done.err != nil {
		return r.recordFailed(tx, done)
	}
	return r.recordDone(tx, done)
}

// mayBeHalfDone reports whether an action may have been carried out in part, or without an answer, so
// that the next cycle has to read what came of it.
func mayBeHalfDone(done *result, rules *desired.Rules) bool {
	var failed *target.Error
	halfway := done.partly || errors.As(done.err, &failed) && failed.Indeterminate
	if a := done.action; a.TargetID != nil && (a.Op != plan.Adopt || adoptedExternalID(a, rules) != "") {
		halfway = done.err != nil // whatever was answered last: an attempt before may have been carried out
	}
	if done.still != nil {
		halfway = false // the account has been read
	}
	return halfway
}

// recordFailed writes an action that did not succeed.
func (r *recorder) recordFailed(tx *state.Tx, done *result) error {
	a, key := done.action, done.key.PendingKey()
	line := runLine{Action: a.Action, Outcome: outcomeFailed}
	if done.stop != nil {
		r.line(done, line)
		return nil // the application's fault, not this record's: it stays pending
	}
	if a.Op == plan.Unlink && done.drop {
		r.ledger.applied(a.Kind, plan.Unlink)
		r.ledger.unlinkedOther() // the failure is counted below
	}
	if done.off != nil {
		r.ledger.applied(a.Kind, plan.Deactivate)
		if err := tx.Links(r.sync.Name).Put(*done.off); err != nil {
			return err
		}
	}
	if done.still != nil {
		known, err := r.keptOn(tx, done)
		if err != nil {
			return err
		}
		if known {
			return r.remainsActive(tx, done, line)
		}
	}
	failure := r.ledger.fail(tx, key, a, done.err)
	line.Error = &failure
	if done.mismatch != nil {
		if err := tx.Space(r.sync.Name, plan.MismatchSpace).Put(plan.LinkKey(a.Kind, a.SourceID), plan.Encode(done.mismatch)); err != nil {
			return err
		}
		r.line(done, line)
		return requeue(tx, r.sync.Name, key)
	}
	if done.drop { // what is gone is made again by the next cycle
		if err := requeue(tx, r.sync.Name, key); err != nil {
			return err
		}
	} else if err := tx.Pending(r.sync.Name).Delete(key); err != nil {
		return err
	}
	r.line(done, line)
	return nil
}

// recordDone writes an action that succeeded.
func (r *recorder) recordDone(tx *state.Tx, done *result) (err error) {
	a, key := done.action, done.key.PendingKey()
	line := runLine{Action: a.Action, Outcome: outcomeDone}
	if a.Op != plan.Unlink || !a.Gone && a.MovesTo == "" {
		r.ledger.applied(a.Kind, a.Op)
	}
	if a.Op.Removes() && !a.Approved && !a.Again {
		r.ledger.unapproved++
	}
	if a.Op == plan.Members {
		r.tookEffect(tx, memberKeys(done)...)
		if err := r.recordMembers(tx, done); err != nil {
			return err
		}
		if len(done.added)+len(done.removed) > 0 {
			if err := countChange(tx, r.sync.Name, a.Kind, a.SourceID); err != nil {
				return err
			}
		}
		r.line(done, line)
		return r.afterUndo(tx, done)
	}
	if a.Op != plan.Unlink {
		r.tookEffect(tx, key)
	}
	if a.Op == plan.Delete {
		if err := countChange(tx, r.sync.Name, a.Kind, a.SourceID); err != nil {
			return err
		}
	}
	if err := r.dropReplaced(tx, done); err != nil {
		return err
	}
	if done.link != nil {
		if err := r.putLink(tx, done.link); err != nil {
			return err
		}
	}
	if err := keepFormerKeys(tx, r.sync.Name, done); err != nil {
		return err
	}
	if err := forgetDrift(tx, r.sync.Name, a); err != nil {
		return err
	}
	if done.left != "" {
		if err := requeue(tx, r.sync.Name, key); err != nil { // groups have the account under its former id
			return err
		}
	}
	if err := r.endPending(tx, a, key); err != nil {
		return err
	}
	if a.Undo {
		if err := r.afterUndo(tx, done); err != nil {
			return err
		}
	} else if err := guard.DecisionsIn(tx, r.sync.Name).Delete(done.key.Bytes()); err != nil {
		return err
	}
	if line.Error, err = r.recordRemarks(tx, done); err != nil {
		return err
	}
	r.line(done, line)
	return nil
}

// dropReplaced forgets what an action has made void: an orphan, the link of a sync that is no longer
// configured, the account that was still active, the link of the former user.
func (r *recorder) dropReplaced(tx *state.Tx, done *result) error {
	a := done.action
	if a.Orphan {
		gone := orphan{Source: a.SourceID, Account: *a.TargetID}
		if err := tx.Space(r.sync.Name, orphanSpace).Delete(gone.key()); err != nil {
			return err
		}
	}
	if owner := a.FormerOwner; owner.Sync != "" && owner.Tenant == r.sync.Tenant { // a sync that is no longer configured
		if err := tx.Links(owner.Sync).Delete(owner.Kind, owner.Source); err != nil {
			return err
		}
	}
	if a.Kind == graphsync.User {
		if err := (records{tx: tx, sync: r.sync.Name}).forgetStillActive(a.SourceID); err != nil {
			return err
		}
	}
	if !done.former.IsZero() {
		return tx.Links(r.sync.Name).Delete(a.Kind, done.former)
	}
	return nil
}

// putLink stores the link of an account that is there.
func (r *recorder) putLink(tx *state.Tx, link *state.Link) error {
	if err := tx.Links(r.sync.Name).Put(*link); err != nil {
		return err
	}
	if link.LastOp == string(plan.Adopt) {
		if err := links.In(tx, r.sync.Name).Linked(links.Object{Kind: link.Kind, ID: link.Source}, link.TargetID); err != nil {
			return err
		}
	}
	if err := (records{tx: tx, sync: r.sync.Name}).clearLost(link.Kind, link.Source); err != nil {
		return err
	}
	return r.requeueDependents(tx, link)
}

// endPending takes what is done out of what is pending and of what is retried.
func (r *recorder) endPending(tx *state.Tx, a *plan.StoredAction, key state.PendingKey) error {
	if a.Op == plan.Unlink || r.sync.Groups.Enabled && !r.findings.all {
		// Should the cycle end before the memberships are written, they are worked out again.
		if err := tx.Pending(r.sync.Name).Add(key); err != nil {
			return err
		}
	} else if !tx.Space(r.sync.Name, requeuedSpace).Has(pendingBytes(key)) {
		if err := tx.Pending(r.sync.Name).Delete(key); err != nil {
			return err
		}
	}
	if retry, _ := tx.Retries(r.sync.Name).Get(key); retry.Op != string(plan.Members) { // a group's members are yet to come
		return tx.Retries(r.sync.Name).Delete(key)
	}
	return nil
}

// line records the outcome of an action, for the run and for the audit log.
func (r *recorder) line(done *result, line runLine) {
	text := plan.Encode(&line)
	r.lines = append(r.lines, text)
	entry := r.opts.auditEntry(r.sync, r.runID, actionEvent, line.Outcome)
	entry.At = r.clock()
	auditLine(&entry, done, &line, text)
	r.audited = append(r.audited, entry)
}
