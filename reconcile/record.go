package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/mapping"
	"entrasync/state"
	"entrasync/target"
)

// recordBatch bounds how many results share one commit.
const recordBatch = 512

// A recorder writes results to the state as they come in, in one goroutine: while a commit
// waits for the disk the next results gather, so that the disk never slows the calls down and
// a result is never long unrecorded.
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
	owners      *ownership
	results     chan *result
	total       int
	unavailable int // failures in a row because the application did not answer
}

// run records until the results are closed. When the state cannot be written it stops the
// calls, and only drains.
func (r *recorder) run(stop context.CancelCauseFunc) (err error) {
	for first := range r.results {
		batch := []*result{first}
		for len(batch) < recordBatch && len(r.results) > 0 {
			batch = append(batch, <-r.results)
		}
		if err != nil {
			continue
		}
		if err = r.commit(batch); err == nil {
			err = r.down(batch)
		}
		if err != nil {
			stop(err)
			continue
		}
		r.ledger.reportProgress("applying", r.ledger.attempted, r.total)
	}
	return err
}

func (r *recorder) commit(batch []*result) error {
	if err := r.claim(batch); err != nil {
		return err
	}
	err := r.tenant.Update(func(tx *state.Tx) error {
		for _, done := range batch {
			if err := r.record(tx, done); err != nil {
				return fmt.Errorf("record %s %s: %w", done.action.Kind, done.action.SourceID, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, done := range batch {
		if done.action.Op == Create && !done.halfway {
			r.store.EndCreation(r.owners.owner(done.action.Kind, done.action.SourceID))
		}
		if !done.drop || done.action.TargetID == nil {
			continue
		}
		if err := r.store.Release(r.sync.application(), *done.action.TargetID, r.owners.owner(done.action.Kind, done.action.SourceID)); err != nil {
			return err
		}
	}
	for _, done := range batch {
		if done.left == "" || done.link == nil {
			continue
		}
		if err := r.store.Release(r.sync.application(), done.left, r.owners.owner(done.link.Kind, done.link.Source)); err != nil {
			return err
		}
	}
	return nil
}

// down ends the cycle of an application that has stopped answering: what is left stays pending
// instead of waiting for each in turn.
func (r *recorder) down(batch []*result) error {
	for _, done := range batch {
		if done.err == nil || target.CodeOf(done.err) != target.Unavailable {
			r.unavailable = 0
		} else if r.unavailable++; r.unavailable >= maxFailures {
			return &silence{target: r.sync.TargetName, last: done.err}
		}
	}
	return nil
}

// claim takes the accounts just made for this sync. One that an application gave out twice is
// nobody's to change: the result becomes a failure.
func (r *recorder) claim(batch []*result) error {
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		claims := map[string]state.Owner{}
		for _, done := range batch {
			if done.link != nil && done.link.Kind == kind && done.link.LastOp == string(Create) {
				claims[done.link.TargetID] = r.owners.owner(kind, done.link.Source)
			}
		}
		if len(claims) == 0 {
			continue
		}
		present, err := r.store.ClaimAll(r.sync.application(), claims)
		if err != nil {
			return err
		}
		for _, done := range batch {
			if done.link == nil || done.link.Kind != kind || done.link.LastOp != string(Create) {
				continue
			}
			if owner := present[done.link.TargetID]; owner != r.owners.owner(kind, done.link.Source) {
				done.err = &target.Error{Code: target.Conflict, Op: "create " + kind.String(),
					Message: fmt.Sprintf("the target answered with account %s, which is %s; whether that link still fits is looked at by its next cycle", done.link.TargetID, r.owners.describe(owner))}
				done.link, done.doubt = nil, owner
			}
		}
	}
	return nil
}

// record writes one result: the link, what is no longer pending, what is to be retried.
func (r *recorder) record(tx *state.Tx, done *result) error {
	a := done.action
	if a.Op != Unlink { // says nothing of whether the application works
		r.ledger.attempt()
	}
	for _, note := range done.notes {
		r.ledger.note("%s", note)
	}
	var failed *target.Error
	halfway := done.partly || errors.As(done.err, &failed) && failed.Unsure
	if a.TargetID != nil && a.Op != Adopt {
		halfway = done.err != nil // whatever was answered last: an attempt before may have been carried out
	}
	if done.still != nil {
		halfway = false // the account has been read
	}
	done.halfway = halfway
	if a.Op != Members && !halfway {
		if err := tx.DeleteIntent(r.sync.Name, a.Kind, a.SourceID); err != nil {
			return err
		}
	}
	if !done.doubt.Source.IsZero() {
		if err := markForCheck(tx, r.sync.Tenant, done.doubt); err != nil {
			return err
		}
	}
	line := runLine{Action: a.Action, Outcome: "done"}
	key := done.key.pendingKey()
	if done.drop {
		drop := loseLink
		if a.Op.Removes() || a.Op == Unlink {
			drop = forgetLink
		}
		if err := drop(tx, r.sync.Name, a.Kind, a.SourceID); err != nil {
			return err
		}
	}
	if done.err != nil {
		line.Outcome = "failed"
		if done.stop != nil {
			return r.line(tx, line) // the application's fault, not this record's: it stays pending
		}
		if a.Op == Unlink && done.drop {
			r.ledger.applied(Unlink)
			r.ledger.unlinkedOther() // the failure is counted below
		}
		if done.off != nil {
			r.ledger.applied(Deactivate)
			if err := tx.PutLink(r.sync.Name, *done.off); err != nil {
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
			if err := tx.Space(r.sync.Name, mismatchSpace).Put(linkKey(a.Kind, a.SourceID), encode(done.mismatch)); err != nil {
				return err
			}
			return errors.Join(requeue(tx, r.sync.Name, key), r.line(tx, line))
		}
		if done.drop { // what is gone is made anew by the next cycle
			if err := requeue(tx, r.sync.Name, key); err != nil {
				return err
			}
		} else if err := tx.DeletePending(r.sync.Name, key); err != nil {
			return err
		}
		return r.line(tx, line)
	}
	if a.Op != Unlink || !a.Gone && a.MovesTo == "" {
		r.ledger.applied(a.Op)
	}
	if a.Op.Removes() && !a.Approved && !a.Again {
		r.ledger.unapproved++
	}
	if a.Op == Members {
		r.tookEffect(tx, memberKeys(done)...)
		if err := r.recordMembers(tx, done); err != nil {
			return err
		}
		return r.line(tx, line)
	}
	if a.Op != Unlink {
		r.tookEffect(tx, key)
	}
	if a.Orphan {
		gone := orphan{Source: a.SourceID, Account: *a.TargetID}
		if err := tx.Space(r.sync.Name, orphanSpace).Delete(gone.key()); err != nil {
			return err
		}
	}
	if owner := a.FormerOwner; owner.Sync != "" && owner.Tenant == r.sync.Tenant { // a sync that is no longer configured
		if err := tx.DeleteLink(owner.Sync, owner.Kind, owner.Source); err != nil {
			return err
		}
	}
	if a.Kind == graphsync.User {
		if err := forgetStillActive(tx, r.sync.Name, a.SourceID); err != nil {
			return err
		}
	}
	if !done.former.IsZero() {
		if err := tx.DeleteLink(r.sync.Name, a.Kind, done.former); err != nil {
			return err
		}
	}
	if done.link != nil {
		if err := tx.PutLink(r.sync.Name, *done.link); err != nil {
			return err
		}
		if err := clearLost(tx, r.sync.Name, a.Kind, a.SourceID); err != nil {
			return err
		}
		if err := r.wake(tx, done.link); err != nil {
			return err
		}
	}
	if err := keepFormerKeys(tx, r.sync.Name, done); err != nil {
		return err
	}
	if done.left != "" {
		if err := requeue(tx, r.sync.Name, key); err != nil { // groups have the account under its former id
			return err
		}
	}
	if a.Op == Unlink || r.sync.Groups.Enabled && !r.findings.all {
		// Should the cycle end before the memberships are written, they are worked out anew.
		if err := tx.AddPending(r.sync.Name, key); err != nil {
			return err
		}
	} else if !tx.Space(r.sync.Name, keptSpace).Has(pendingBytes(key)) {
		if err := tx.DeletePending(r.sync.Name, key); err != nil {
			return err
		}
	}
	if retry, _ := tx.Retry(r.sync.Name, key); retry.Op != string(Members) { // a group's members are yet to come
		if err := tx.DeleteRetry(r.sync.Name, key); err != nil {
			return err
		}
	}
	if err := decisionsIn(tx, r.sync.Name).Delete(done.key.bytes()); err != nil {
		return err
	}
	var err error
	if line.Error, err = r.recordRemarks(tx, done); err != nil {
		return err
	}
	return r.line(tx, line)
}

// forgetLink drops the link of an account or group that is gone, with its memberships.
func forgetLink(tx *state.Tx, sync string, kind graphsync.Kind, source graphsync.ID) error {
	if err := tx.DeleteLink(sync, kind, source); err != nil {
		return err
	}
	for _, space := range []string{formerSpace, mismatchSpace} {
		if err := tx.Space(sync, space).Delete(linkKey(kind, source)); err != nil {
			return err
		}
	}
	if kind == graphsync.User {
		if err := forgetOff(tx, sync, source); err != nil {
			return err
		}
		if err := forgetStillActive(tx, sync, source); err != nil {
			return err
		}
		for _, group := range slices.Collect(tx.GroupsOf(source)) {
			if err := tx.DeleteAppliedMember(sync, group, source); err != nil {
				return err
			}
		}
		return nil
	}
	var members []graphsync.ID
	for member := range tx.AppliedMembers(sync, source) {
		members = append(members, member)
	}
	for _, member := range members {
		if err := tx.DeleteAppliedMember(sync, source, member); err != nil {
			return err
		}
	}
	return nil
}

// memberKeys are the memberships that an action has changed.
func memberKeys(done *result) (keys []state.PendingKey) {
	for member := range done.added {
		keys = append(keys, state.Membership(done.action.SourceID, member))
	}
	for _, member := range done.removed {
		keys = append(keys, state.Membership(done.action.SourceID, member))
	}
	return keys
}

func (r *recorder) recordMembers(tx *state.Tx, done *result) error {
	group := done.action.SourceID
	settle := func(member graphsync.ID) error {
		key := state.PendingKey{Kind: graphsync.Group, ID: group, Member: member}
		if err := tx.DeleteRetry(r.sync.Name, key); err != nil {
			return err
		}
		return tx.DeletePending(r.sync.Name, key)
	}
	for member, account := range done.added {
		if err := tx.PutAppliedMember(r.sync.Name, group, member, account); err != nil {
			return err
		}
		if err := settle(member); err != nil {
			return err
		}
	}
	for _, member := range done.removed {
		if err := tx.DeleteAppliedMember(r.sync.Name, group, member); err != nil {
			return err
		}
		if err := settle(member); err != nil {
			return err
		}
	}
	for _, member := range done.waiting {
		if account, _ := tx.AppliedMember(r.sync.Name, group, member); account == unsure {
			if err := tx.DeleteAppliedMember(r.sync.Name, group, member); err != nil { // nothing was sent
				return err
			}
		}
		key := state.PendingKey{Kind: graphsync.Group, ID: group, Member: member}
		err := tx.PutRetry(r.sync.Name, state.Retry{Key: key, Code: "unknown_reference", Op: string(Members), Name: done.action.Key,
			Message: fmt.Sprintf("member %s of group %s has no account yet", member, done.action.Key), First: r.now, Next: r.now, Skipped: true})
		if err != nil {
			return err
		}
	}
	for _, refused := range done.refused {
		key := state.PendingKey{Kind: graphsync.Group, ID: group, Member: refused.member}
		r.ledger.fail(tx, key, done.action, refused.err)
	}
	return nil
}

// retryWait grows from "next cycle" to a day.
func retryWait(attempts int) time.Duration {
	switch attempts {
	case 1:
		return 0
	case 2:
		return time.Hour
	case 3:
		return 6 * time.Hour
	}
	return longestWait
}

const longestWait = 24 * time.Hour

// due tells whether a record is to be tried again. A time further off than any wait is of a
// clock that has been put back since.
func due(r *state.Retry, now time.Time) bool {
	return !r.Next.After(now) || r.Next.Sub(now) > longestWait
}

func codeOf(err error) string {
	var failed *target.Error
	if errors.As(err, &failed) {
		return string(failed.Code)
	}
	var mapped *mapping.Problem
	if errors.As(err, &mapped) {
		return mapped.Code
	}
	return string(target.Unavailable)
}

// A runLine is one line of a stored run: an action and what became of it.
type runLine struct {
	Action
	Outcome string   `json:"outcome"`
	Error   *Failure `json:"error,omitempty"`
}

func (r *recorder) line(tx *state.Tx, line runLine) error {
	return tx.AppendRunLine(r.sync.Name, r.runID, encode(&line))
}

// attributes gives an action's changes as the adapter wants them, with the values that a plan
// does not hold made now, and the form in which they are kept with the link.
func (b *linkBuilder) attributes(ctx context.Context, a *storedAction, creating bool) ([]target.Attribute, map[string]json.RawMessage, error) {
	var fresh outcome
	if a.Op != Deactivate && !a.Literal {
		var err error
		if fresh, err = b.desire(ctx, a.Kind, a.SourceID, creating); err != nil {
			return nil, nil, err
		}
	}
	desired := make(map[string]*mapping.Desired, len(fresh.Attributes))
	applied := make(map[string]json.RawMessage, len(a.Changes))
	for i := range fresh.Attributes {
		d := &fresh.Attributes[i]
		path := d.Attribute.Path.String()
		desired[path] = d
		if a.Op == Adopt && d.Do == mapping.Write && !d.Attribute.OnCreateOnly() {
			applied[path] = canonical(a.SourceID, d.Attribute, d.Value) // found as desired
		}
	}
	out := make([]target.Attribute, 0, len(a.Changes))
	for _, change := range a.Changes {
		path, err := target.ParsePath(change.Attribute)
		if err != nil {
			return nil, nil, err
		}
		value := change.New
		d := desired[change.Attribute]
		if madeOnApply(value) && (d == nil || d.Do != mapping.Write) {
			continue // what it stood for is not to be had now: the next cycle looks again
		}
		if d != nil && value != nil && d.Do == mapping.Write {
			value = d.Value
			applied[change.Attribute] = canonical(a.SourceID, d.Attribute, value)
		} else if a.Literal {
			applied[change.Attribute] = encode(value)
		} else if value == nil {
			applied[change.Attribute] = json.RawMessage("null")
		} else if strings.EqualFold(change.Attribute, "active") {
			applied[change.Attribute] = encode(value)
		}
		out = append(out, target.Attribute{Path: path, Value: value, Old: change.Old})
	}
	return out, applied, nil
}

// newLink is the link of an account just made or adopted.
func (b *linkBuilder) newLink(a *storedAction, targetID string, applied map[string]json.RawMessage) *state.Link {
	link := &state.Link{Kind: a.Kind, Source: a.SourceID, TargetID: targetID, Key: a.Key, Active: true, Since: b.now,
		Via: a.Via, Applied: applied, LastOp: string(a.Op), LastAt: b.now}
	rules := b.sync.rules(a.Kind)
	for i, path := range rules.Match {
		if i < len(a.Match) && a.Match[i] != "" {
			link.Keys = append(link.Keys, matchKey(path, a.Match[i]))
		}
	}
	return link
}

// changedLink is the link of an account after an update.
func (b *linkBuilder) changedLink(a *storedAction, applied map[string]json.RawMessage) (*state.Link, error) {
	var link state.Link
	err := b.tenant.View(func(tx *state.Tx) (err error) {
		var ok bool
		link, ok, err = tx.Link(b.sync.Name, a.Kind, a.SourceID)
		if err == nil && !ok {
			err = fmt.Errorf("the link of %s %s is gone", a.Kind, a.SourceID)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if link.Applied == nil {
		link.Applied = map[string]json.RawMessage{}
	}
	for path, value := range applied {
		if string(value) == "null" {
			delete(link.Applied, path)
		} else {
			link.Applied[path] = value
		}
		var text string
		if json.Unmarshal(value, &text) == nil {
			rekey(b.sync.rules(link.Kind), &link, path, text)
		}
	}
	switch a.Op {
	case Deactivate:
		link.Active, link.InactiveSince, link.Cause = false, b.now, a.Cause
	case Reactivate:
		link.Active, link.InactiveSince, link.Cause = true, time.Time{}, ""
	}
	if a.Op != Deactivate {
		link.Via = a.Via
	}
	link.Key, link.LastOp, link.LastAt = a.Key, string(a.Op), b.now
	return &link, nil
}

// rekey keeps the matching value of a link up to date.
func rekey(rules *Rules, link *state.Link, path, value string) {
	for _, matched := range rules.Match {
		if strings.EqualFold(matched, path) && value != "" {
			link.Keys = slices.DeleteFunc(link.Keys, func(k state.MatchKey) bool { return k.Attribute == matched })
			link.Keys = append(link.Keys, matchKey(matched, value))
		}
	}
}
