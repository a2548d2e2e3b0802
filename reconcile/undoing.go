package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/links"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/undo"
	"entrasync/state"
	"entrasync/target"
)

// An undo is a run whose plan does not come from the directory: it comes from the audit log, and puts back what some
// lines of it changed. It is reviewed, applied and recorded like every plan.

// Codes of what an undo does not put back.
const (
	changedSinceCode = "changed_since" // something else changed it later
	cannotUndoCode   = "cannot_undo"   // it cannot be put back
)

// The spaces of what an undo puts back.
const (
	undoneSpace        = "undone"         // kind, source id → undo.Change
	undoneMembersSpace = "undone-members" // group id, member id → undo.Membership
)

// ErrNothingToUndo means that the audit log has no line that was asked for.
var ErrNothingToUndo = errors.New("the audit log has no such change")

// Undo makes a run that puts back what the lines of the audit log changed that opts.Undo chooses. Nothing is read from
// the directory, and what has changed since is left alone. The objects are looked at again by the next cycle, which does
// the same again while the source says otherwise.
func (s *Syncer) Undo(ctx context.Context, opts Options) (*Report, error) {
	ctx, end := s.Tenant.While(ctx)
	defer end()
	opts.NoRefresh = false
	c := s.newCycle(opts)
	c.ledger.report.Undo = opts.Undo
	return c.run(ctx,
		c.finalizer.putBack,         // what a dry run that was killed left behind
		c.quarantine.check,          // how the sync stands
		c.undoing.check,             // the accounts are where they were
		c.recovery.recover,          // what an interrupted cycle was doing → links and audit log
		c.undoing.collect,           // audit log → what was changed
		c.undoing.draft,             // and links → what puts it back
		c.undoing.read,              // accounts as they are → what has changed since is left alone
		c.protector.protect,         // accounts the configuration keeps out of it → left alone
		c.identifier.identifyGroups, // groups whose members change: still the linked ones
		c.pins.leave,                // accounts that operators pinned → left alone
		c.guards.review,             // guards hold back
		c.reporter.verifyPlan,       // a reviewed plan is applied exactly or not at all
		c.applier.apply,
		c.undoing.end,
	)
}

// An undoer plans what puts changes back.
type undoer struct {
	sync     *Sync
	opts     Options
	now      time.Time
	workers  int
	tenant   *state.Tenant
	info     *state.SyncInfo
	ledger   *ledger
	findings *findings
	plans    *plan.Store
	owners   *ownership.Accounts
	matching *matching
}

// check refuses an undo where the accounts are not those that were changed.
func (u *undoer) check(ctx context.Context) error {
	u.findings.kind = Undone
	return u.checkTarget(ctx)
}

// checkTarget refuses a run that would look for accounts in another application than the one that was changed.
func (u *undoer) checkTarget(context.Context) error {
	if u.info.Location.ID != "" && (u.info.Moving || !u.info.Location.Same(u.sync.location())) {
		return fmt.Errorf("the target is another application than in the last complete cycle: run entrasync sync first")
	}
	return nil
}

// collect sums up what the chosen lines changed, by object and by membership, and what later lines changed of it.
func (u *undoer) collect(ctx context.Context) error {
	var first uint64
	err := u.tenant.Update(func(tx *state.Tx) error {
		for _, name := range append(planSpaces(), undoneSpace, undoneMembersSpace) {
			if err := tx.Space(u.sync.Name, name).Clear(); err != nil {
				return err
			}
		}
		for stored := range tx.Audit().Lines(state.AuditQuery{Run: u.opts.Undo.Run, Object: u.opts.Undo.Object, Since: u.opts.Undo.Since}) {
			line, err := undo.ParseLine(stored.JSON())
			if err != nil {
				return fmt.Errorf("line %d: %w", stored.Seq, err)
			}
			if line != nil && line.Sync == u.sync.Name && u.opts.Undo.Chosen(line) {
				first = stored.Seq
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if first == 0 {
		return fmt.Errorf("%w: %s of sync %s; it changed nothing, or is older than history", ErrNothingToUndo, u.opts.Undo.Words(), u.sync.Name)
	}
	for after, more := first-1, true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := u.tenant.Update(func(tx *state.Tx) error {
			more = false
			n := 0
			for stored := range tx.Audit().Lines(state.AuditQuery{After: after, Object: u.opts.Undo.Object}) {
				line, err := undo.ParseLine(stored.JSON())
				if err == nil && line != nil && line.Sync == u.sync.Name {
					err = u.add(tx, line)
				}
				if err != nil {
					return fmt.Errorf("line %d: %w", stored.Seq, err)
				}
				after = stored.Seq
				if n++; n == plan.DraftChunk {
					more = true
					return nil
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the audit log: %w", err)
		}
	}
	return nil
}

// add adds a line to what is known of its object.
func (u *undoer) add(tx *state.Tx, line *undo.Line) error {
	chosen := u.opts.Undo.Chosen(line)
	if line.Op == plan.Members {
		return u.addMembers(tx, line, chosen)
	}
	space, key := tx.Space(u.sync.Name, undoneSpace), plan.LinkKey(line.Kind, line.SourceID)
	raw := space.Get(key)
	if raw == nil && !chosen {
		return nil
	}
	var change undo.Change
	if raw != nil {
		if err := plan.Decode(raw, &change); err != nil {
			return err
		}
	}
	if chosen {
		change.Done(line)
	} else {
		change.Later(line)
	}
	return space.Put(key, plan.Encode(&change))
}

// draft plans what puts the changes back, as far as the links tell.
func (u *undoer) draft(ctx context.Context) error {
	err := u.plans.Entries(ctx, undoneSpace, func(tx *state.Tx, key, raw []byte) error {
		var change undo.Change
		if err := plan.Decode(raw, &change); err != nil {
			return err
		}
		of := links.Object{Kind: graphsync.Kind(key[0]), ID: graphsync.ID(key[1:])}
		if err := u.draftObject(tx, of, &change); err != nil {
			return fmt.Errorf("plan the undo of %s %s: %w", of.Kind, of.ID, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return u.draftMemberships(ctx)
}

// draftObject plans what puts one object back.
func (u *undoer) draftObject(tx *state.Tx, of links.Object, c *undo.Change) error {
	link, linked, err := tx.Links(u.sync.Name).Get(of.Kind, of.ID)
	if err != nil {
		return err
	}
	if c.Refused && linked && !link.Active && link.LastOp == string(plan.Deactivate) { // switched off instead
		c.Active, c.Failed = &undo.Value{Before: true, After: false}, ""
	}
	switch {
	case c.Failed != "":
		return u.leave(tx, of, c.Key, cannotUndoCode, "it failed ("+c.Failed+"): what it may have changed is not known")
	case c.Created && c.Deleted:
		return nil
	case c.Deleted:
		return u.leave(tx, of, c.Key, cannotUndoCode, fmt.Sprintf("account %s was deleted: deletions are not put back; the user gets a new account from the next cycle, if there is a right to one", c.Account))
	case c.Gone != "":
		return u.leave(tx, of, c.Key, changedSinceCode, "the account has changed as a whole since: "+c.Gone)
	case c.Dropped:
		return u.draftLink(tx, of, c, &link, linked)
	case !linked:
		return u.leave(tx, of, c.Key, changedSinceCode, fmt.Sprintf("account %s is no longer linked", c.Account))
	case link.TargetID != c.Account:
		return u.leave(tx, of, c.Key, changedSinceCode, fmt.Sprintf("account %s is linked by now, and no longer %s", link.TargetID, c.Account))
	}
	owner, lost, err := u.owners.Lost(&link)
	switch {
	case err != nil:
		return err
	case lost:
		return u.leave(tx, of, c.Key, changedSinceCode, fmt.Sprintf("account %s is %s by now", link.TargetID, u.owners.Describe(owner)))
	case c.Created:
		return u.draftRemoval(tx, of, c, &link)
	}
	return u.draftRevert(tx, of, c, &link)
}

// action begins an action of an undo.
func (u *undoer) action(op plan.Op, of links.Object, link *state.Link) plan.StoredAction {
	account := link.TargetID
	return plan.StoredAction{Action: plan.Action{Op: op, Kind: of.Kind, SourceID: of.ID, TargetID: &account, Key: link.Key,
		Why: u.why(), Cause: u.why()}, Via: link.Via, Literal: true, Undo: true}
}

func (u *undoer) why() string { return "undo of " + u.opts.Undo.Words() }

// draftRemoval plans what undoes the creation of an account or group: what on_remove says, or a deletion of a group.
func (u *undoer) draftRemoval(tx *state.Tx, of links.Object, c *undo.Change, link *state.Link) error {
	rules, op := u.sync.rules(of.Kind), plan.Delete
	if of.Kind == graphsync.User {
		if op = u.sync.Users.OnRemove.Do; op == "" {
			op = plan.Deactivate
		}
		switch {
		case c.Active != nil && c.Active.Later:
			return u.leave(tx, of, c.Key, changedSinceCode, "the account was switched off or on since")
		case !link.Active:
			return nil
		}
	}
	if !rules.May(op) {
		return u.leave(tx, of, c.Key, cannotUndoCode, fmt.Sprintf("the %s was created, and %s is not among the actions of the sync", resourceWord(of.Kind), op))
	}
	a := u.action(op, of, link)
	if op == plan.Deactivate {
		a.Changes = []plan.Change{{Attribute: "active", Old: true, New: false}}
		a.Notes = append(a.Notes, "the account was created: it is switched off, and not deleted")
	}
	phase := plan.LeavePhase
	if of.Kind == graphsync.Group {
		phase = plan.GroupPhase
	}
	return u.put(tx, phase, &a)
}

// draftRevert plans that an account gets the values back that it had. One that was adopted is not linked any longer.
func (u *undoer) draftRevert(tx *state.Tx, of links.Object, c *undo.Change, link *state.Link) error {
	told := tx.Space(u.sync.Name, toldSpace)
	r := revertible(u.sync.rules(of.Kind), c, link, func(attribute string) bool {
		return told.Has([]byte(remarkKey(of.Kind, attribute, target.NotShown)))
	})
	op := plan.Update
	switch {
	case r.active == nil:
	case *r.active:
		op, r.changes = plan.Reactivate, desired.WithActive(r.changes, false, true)
	default:
		op, r.changes = plan.Deactivate, append(r.changes, plan.Change{Attribute: "active", Old: true, New: false})
	}
	if c.Adopted {
		op = plan.Unlink
	}
	if err := u.leaveValues(tx, of, link.Key, &r); err != nil || len(r.changes) == 0 && op != plan.Unlink {
		return err
	}
	if rules := u.sync.rules(of.Kind); !rules.May(op) {
		return u.leave(tx, of, link.Key, cannotUndoCode, fmt.Sprintf("%s is not among the actions of the sync", op))
	}
	a := u.action(op, of, link)
	a.Changes, a.Notes = r.changes, r.notes()
	phase := plan.PhaseOf(of.Kind)
	if op == plan.Deactivate {
		phase = plan.LeavePhase
	}
	return u.put(tx, phase, &a)
}

// draftLink plans that an account is linked again whose link the chosen lines dropped.
func (u *undoer) draftLink(tx *state.Tx, of links.Object, c *undo.Change, link *state.Link, linked bool) error {
	object, known := tx.Objects().Get(of.Kind, of.ID)
	switch {
	case linked && link.TargetID == c.Account:
		return nil
	case linked:
		return u.leave(tx, of, c.Key, changedSinceCode, fmt.Sprintf("account %s is linked by now", link.TargetID))
	case !known || c.Account == "":
		return u.leave(tx, of, c.Key, cannotUndoCode, "the directory does not have the object any more whose link was dropped")
	}
	a := u.action(plan.Adopt, of, &state.Link{TargetID: c.Account, Key: desired.KeyOf(&object, nil)})
	for _, attribute := range c.Attributes() {
		if v := c.Values[attribute]; !undo.Same(v.Before, v.After) && !v.Later && !desired.MadeOnApply(v.Before) && !desired.MadeOnApply(v.After) {
			a.Changes = append(a.Changes, plan.Change{Attribute: attribute, Old: v.After, New: v.Before})
		}
	}
	if v := c.Active; v != nil && !v.Later && !undo.Same(v.Before, v.After) {
		a.Changes = append(a.Changes, plan.Change{Attribute: "active", Old: v.After, New: v.Before})
	}
	return u.put(tx, plan.PhaseOf(of.Kind), &a)
}

func (u *undoer) put(tx *state.Tx, phase plan.Phase, a *plan.StoredAction) error {
	u.ledger.planned(a.Kind, a.Op, 1)
	return plan.In(tx, u.sync.Name).Put(plan.Key{Phase: phase, ID: a.SourceID}.Bytes(), a)
}

// leave reports that something is not put back. What is said of one object is put together.
func (u *undoer) leave(tx *state.Tx, of links.Object, key, code, why string) error {
	s := plan.Skipped{Kind: of.Kind, SourceID: of.ID, Key: key, Code: code, Why: why}
	if raw := tx.Space(u.sync.Name, plan.SkippedSpace).Get(plan.SkippedKey(state.PendingKey{Kind: of.Kind, ID: of.ID})); raw != nil {
		var before plan.Skipped
		if err := plan.Decode(raw, &before); err != nil {
			return err
		}
		if strings.Contains(before.Why, why) {
			return nil
		}
		s.Code, s.Why = before.Code, before.Why+"; "+why
	}
	return u.ledger.skip(tx, s)
}

// leaveValues reports the values of an account that are not put back.
func (u *undoer) leaveValues(tx *state.Tx, of links.Object, key string, r *reverted) error {
	for _, left := range []struct {
		code string
		why  []string
	}{{changedSinceCode, r.changed}, {cannotUndoCode, r.cannot}} {
		for _, why := range left.why {
			if err := u.leave(tx, of, key, left.code, why); err != nil {
				return err
			}
		}
	}
	return nil
}

// end forgets what was collected.
func (u *undoer) end(context.Context) error {
	return u.tenant.Update(func(tx *state.Tx) error {
		return errors.Join(tx.Space(u.sync.Name, undoneSpace).Clear(), tx.Space(u.sync.Name, undoneMembersSpace).Clear(), tx.Space(u.sync.Name, requeuedSpace).Clear())
	})
}

// A reverted is what of a change can be put back, and what cannot and why.
type reverted struct {
	changes         []plan.Change
	active          *bool // what the account is to be, nil when that stays
	changed, cannot []string
}

func (r *reverted) notes() []string { return append(append([]string(nil), r.changed...), r.cannot...) }

// revertible compares what was changed with what was last written to an account. hidden reports whether the application
// does not show an attribute: what an adopted account held there is not known, and empty is not what it had.
func revertible(rules *desired.Rules, c *undo.Change, link *state.Link, hidden func(attribute string) bool) (r reverted) {
	for _, attribute := range c.Attributes() {
		v := c.Values[attribute]
		equal := sameAs(rules, attribute, link.Applied[attribute])
		switch {
		case desired.MadeOnApply(v.Before), desired.MadeOnApply(v.After), isRedacted(rules, attribute):
			r.cannot = append(r.cannot, attribute+": its values are not in the audit log")
		case undo.Same(v.Before, v.After):
		case c.Adopted && v.Before == nil && hidden(attribute):
			r.cannot = append(r.cannot, attribute+": the application does not show it, so that what the account had is not known")
		case equal(v.Before):
		case v.Later || !equal(v.After):
			r.changed = append(r.changed, attribute+" has changed since")
		default:
			r.changes = append(r.changes, plan.Change{Attribute: attribute, Old: v.After, New: v.Before})
		}
	}
	if v := c.Active; v != nil && !undo.Same(v.Before, v.After) && link.Kind == graphsync.User {
		before, after := isTrue(v.Before), isTrue(v.After)
		switch {
		case link.Active == before:
		case v.Later || link.Active != after:
			r.changed = append(r.changed, "active has changed since")
		default:
			r.active = &before
		}
	}
	return r
}

func isTrue(v any) bool { return strings.EqualFold(fmt.Sprint(v), "true") }

// sameAs returns the test whether a value is the one that is kept with a link.
func sameAs(rules *desired.Rules, attribute string, raw json.RawMessage) func(any) bool {
	mapped := mappedTo(rules, attribute)
	return func(value any) bool {
		if raw == nil || string(raw) == "null" {
			return value == nil
		}
		var applied any
		if json.Unmarshal(raw, &applied) != nil {
			return false
		}
		return undo.Same(applied, value) || mapped != nil && mapped.Equal(applied, plainNumbers(value))
	}
}
