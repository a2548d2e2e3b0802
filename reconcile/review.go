package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// smallest is from how many removals on a percentage counts. One leaver among five people is
// 20 percent and no accident.
const smallest = 3

// updatesFloor is from how many linked accounts on a percentage of updates counts.
const updatesFloor = 20

// window is how far back the guard against a slow trickle of removals looks.
const window = 24 * time.Hour

// review holds back what a guard does not let pass without an approval. Guards only hold:
// nothing is added to a plan or changed in it. Held actions are grouped by cause, so that one
// answer fits them, and everything else goes on.
func (c *cycle) review(ctx context.Context) error {
	facts, err := c.census(ctx)
	if err != nil {
		return err
	}
	c.counts.Seats = Seats{Before: facts.linked, After: facts.linked + facts.seats}
	r := reviewer{cycle: c, facts: facts, held: map[string]*state.Hold{}, known: map[string]state.Hold{}}
	err = c.Tenant.View(func(tx *state.Tx) error {
		for hold := range tx.Holds(c.Sync.Name) {
			r.known[hold.Guard+"\x00"+hold.Cause] = hold
			r.last = max(r.last, holdNumber(hold.ID))
		}
		return nil
	})
	var after []byte
	for more := true; more && err == nil; {
		err = c.Tenant.Update(func(tx *state.Tx) (err error) {
			r.tx = tx
			after, more, err = r.chunk(after)
			return err
		})
	}
	if err != nil {
		return err
	}
	return c.Tenant.Update(func(tx *state.Tx) error { r.tx = tx; return r.keepHolds() })
}

// census counts what a guard compares with.
type census struct {
	linked, removals, updates, creations int
	seats                                int                  // how many more accounts are active afterwards
	groupMembers                         map[graphsync.ID]int // removed per group
	approvals                            int                  // answers that wait to be used
	recent                               int                  // removals of the last 24 hours
	nobody                               string               // why an empty read is suspected, "" when not
	administrators                       int
	losing                               map[graphsync.ID]bool // administrators the plan would lose
}

func (c *cycle) census(ctx context.Context) (census, error) {
	f := census{groupMembers: map[graphsync.ID]int{}, losing: map[graphsync.ID]bool{}}
	for _, past := range c.info.Removals {
		if c.now.Sub(past.At) < window {
			f.recent += past.Count
		}
	}
	err := c.Tenant.View(func(tx *state.Tx) error {
		_, f.linked = tx.CountLinks(c.Sync.Name, graphsync.User)
		switch {
		case tx.CountObjects(graphsync.User) == 0:
			f.nobody = "the tenant returned no users"
		case !c.Sync.Scope.All && tx.CountAssignments(c.Sync.AppID) == 0:
			f.nobody = "the application has no assignments"
		}
		f.approvals = tx.Space(c.Sync.Name, approvedSpace).Count()
		for key, raw := range tx.Space(c.Sync.Name, planSpace).All(nil) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if opOf(raw) == Create { // most of a first plan: counting them needs no reading
				f.creations++
				if key[0] == byte(userPhase) {
					f.seats++
				}
				continue
			}
			a, err := decodeAction(raw)
			if err != nil {
				return err
			}
			f.seats += seatChange(tx, c.Sync.Name, &a)
			if err := c.losesAdministrator(tx, &a, &f); err != nil {
				return err
			}
			switch {
			case a.Op.Removes():
				f.removals++
			case a.Op == Update:
				f.updates++
			case a.Op == Members && len(a.Remove) > 0:
				f.groupMembers[a.SourceID] += len(a.Remove)
			}
		}
		return c.countAdministrators(ctx, tx, &f)
	})
	return f, err
}

// seatChange is how many more accounts an action leaves active.
func seatChange(tx *state.Tx, sync string, a *storedAction) int {
	if a.Kind != graphsync.User {
		return 0
	}
	switch a.Op {
	case Create, Adopt, Reactivate:
		return 1
	case Deactivate:
		return -1
	case Delete:
		if link, ok, err := tx.Link(sync, graphsync.User, a.SourceID); err == nil && ok && link.Active {
			return -1
		}
	}
	return 0
}

type reviewer struct {
	*cycle
	tx    *state.Tx
	facts census
	held  map[string]*state.Hold
	known map[string]state.Hold
	last  int
}

// chunk reviews the next actions of the plan.
func (r *reviewer) chunk(after []byte) (last []byte, more bool, err error) {
	plan, held := r.tx.Space(r.Sync.Name, planSpace), r.tx.Space(r.Sync.Name, heldSpace)
	approved := r.tx.Space(r.Sync.Name, approvedSpace)
	var keys [][]byte
	var actions []storedAction
	n := 0
	for key, raw := range plan.All(after) {
		if n++; r.concerns(opOf(raw)) {
			a, err := decodeAction(raw)
			if err != nil {
				return nil, false, err
			}
			keys, actions = append(keys, slices.Clone(key)), append(actions, a)
		}
		if n == draftChunk {
			last = slices.Clone(key)
			break
		}
	}
	for i := range actions {
		a := &actions[i]
		guard, cause := r.judge(a)
		switch {
		case guard == "":
			continue
		case string(approved.Get(keys[i])) == a.Action.digest():
			if a.Op.Removes() {
				r.approved++
			}
			if a.Held == nil {
				continue
			}
			a.Held = nil
		case string(approved.Get(keys[i])) == rejected+a.Action.digest():
			r.counts.count(a.Op, -1)
			r.counts.Seats.After -= seatChange(r.tx, r.Sync.Name, a)
			if err := plan.Delete(keys[i]); err != nil {
				return nil, false, err
			}
			continue
		default:
			a.Held = &storedHold{Hold: r.hold(guard, cause, a), Guard: guard, Cause: cause}
			r.counts.count(a.Op, -1)
			r.counts.Seats.After -= seatChange(r.tx, r.Sync.Name, a)
			r.counts.Held++
			if a.Op != Create && a.Op != Adopt && a.Op != Members {
				r.heldLinked++
			}
			if err := held.Put(keys[i], encodeAction(a)); err != nil {
				return nil, false, err
			}
		}
		if err := plan.Put(keys[i], encodeAction(a)); err != nil {
			return nil, false, err
		}
	}
	return last, last != nil, nil
}

// concerns reports whether any guard could hold an operation in this plan: the others need not
// be read.
func (r *reviewer) concerns(op Op) bool {
	switch {
	case r.facts.approvals > 0:
		return true
	case op == Create:
		return exceeds(r.Sync.Guard.Creations, r.facts.creations, r.facts.linked)
	case op == Reactivate:
		return false
	}
	return true
}

// judge names the guard that holds an action, and the cause it is grouped under.
func (r *reviewer) judge(a *storedAction) (guard, cause string) {
	if a.Held != nil {
		return a.Held.Guard, a.Held.Cause
	}
	g := &r.Sync.Guard
	f := &r.facts
	switch {
	case f.losing[a.SourceID] && len(f.losing) >= f.administrators:
		return "administrator", "the last administrators would be lost"
	case a.Op.Removes():
		if f.nobody != "" {
			return "empty_read", f.nobody
		}
		if r.info.FirstRun.IsZero() && !g.FirstRunRemovals {
			return "first_run", a.Cause
		}
		if exceeds(g.Removals, f.removals, f.linked) {
			return "removals", a.Cause
		}
		if f.recent > 0 && exceeds(g.RemovalsPerDay, f.removals+f.recent, f.linked+f.recent) {
			return "removals_per_day", a.Cause
		}
	case a.Op == Create && exceeds(g.Creations, f.creations, f.linked):
		return "creations", "many new accounts at once"
	case a.Op == Update && f.linked >= updatesFloor && exceeds(g.Updates, f.updates, f.linked):
		return "updates", "many accounts change at once"
	case a.Op == Members && len(a.Remove) > 0:
		total := r.tx.CountAppliedMembers(r.Sync.Name, a.SourceID)
		if exceeds(g.MembersRemoved, f.groupMembers[a.SourceID], total) {
			return "members_removed", a.Cause
		}
		if removed := f.groupMembers[a.SourceID]; removed >= smallest && removed == total {
			return "empties_group", "group " + a.Key + " would be emptied"
		}
	}
	return "", ""
}

// exceeds tells whether n of total is more than a limit lets pass.
func exceeds(l Limit, n, total int) bool {
	if l.Count != nil && n > *l.Count {
		return true
	}
	return l.Percent != nil && (n >= smallest || *l.Percent == 0) && float64(n)*100 > *l.Percent*float64(total)
}

// sampleSize is how many names a hold shows.
const sampleSize = 10

// hold returns the id of the hold for a guard and cause. A cause that is still there keeps the
// id under which it was shown before.
func (r *reviewer) hold(guard, cause string, a *storedAction) string {
	key := guard + "\x00" + cause
	h := r.held[key]
	if h == nil {
		known, ok := r.known[key]
		if !ok {
			r.last++
			known = state.Hold{ID: fmt.Sprintf("h-%d", r.last), Guard: guard, Cause: cause, Since: r.now}
		}
		h = &state.Hold{ID: known.ID, Guard: guard, Cause: cause, Since: known.Since}
		r.held[key] = h
	}
	h.Count++
	if len(h.Sample) < sampleSize {
		h.Sample = append(h.Sample, a.Key)
	}
	return h.ID
}

// keepHolds stores the holds of this plan and drops those whose cause went away. A plan of a
// part, or of a what-if, leaves them as they are.
func (r *reviewer) keepHolds() error {
	if r.opts.NoRefresh || r.opts.Subject != nil {
		return nil
	}
	for key, hold := range r.known {
		if r.held[key] == nil {
			if err := r.tx.DeleteHold(r.Sync.Name, hold.ID); err != nil {
				return err
			}
		}
	}
	holds := make([]*state.Hold, 0, len(r.held))
	for _, hold := range r.held {
		holds = append(holds, hold)
	}
	slices.SortFunc(holds, func(a, b *state.Hold) int { return cmp.Compare(holdNumber(a.ID), holdNumber(b.ID)) })
	for _, hold := range holds {
		if err := r.tx.PutHold(r.Sync.Name, *hold); err != nil {
			return err
		}
	}
	return nil
}

func holdNumber(id string) int {
	var n int
	if _, err := fmt.Sscanf(id, "h-%d", &n); err != nil {
		return 0
	}
	return n
}
