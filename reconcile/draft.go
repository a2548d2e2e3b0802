package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/ownership"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A planner drafts the plan from the snapshot and the links.
type planner struct {
	sync        *Sync
	opts        Options
	now         time.Time
	source      graphsync.Source
	tenant      *state.Tenant
	eval        *desired.Evaluator
	info        *state.SyncInfo
	graphBefore graphsync.Traffic
	ledger      *ledger
	findings    *findings
	plans       *plan.Store
	owners      *ownership.Accounts

	drafted int // objects so far
	wanted  wantedValues
}

// draft writes the plan of accounts and groups: for each pending object what should be there,
// compared with what was last applied. It sends no request. People without a link get a
// provisional create, which match turns into an adoption where an account exists.
func (p *planner) draft(ctx context.Context) error {
	err := p.tenant.Update(func(tx *state.Tx) error {
		changed := p.info.ConfigHash != p.sync.Hash()
		whole := p.opts.Subject == nil
		p.findings.all = whole && (changed || p.opts.Full || tx.Pending(p.sync.Name).Everything())
		for _, name := range planSpaces() {
			if err := tx.Space(p.sync.Name, name).Clear(); err != nil {
				return err
			}
		}
		return p.prepareRejected(tx)
	})
	if err != nil {
		return err
	}
	switch {
	case p.opts.Subject != nil:
		p.findings.kind = OnDemand
		if err := p.draftSubject(ctx); err != nil {
			return err
		}
		return p.wanted.write(p.tenant, p.sync.Name, true)
	case p.findings.all:
		if p.info.LastSuccess.IsZero() || p.opts.Full {
			p.findings.kind = Initial
		}
		err = p.draftAll(ctx)
	default:
		err = p.draftChanged(ctx)
	}
	if err != nil {
		return err
	}
	if err := p.wanted.write(p.tenant, p.sync.Name, true); err != nil {
		return err
	}
	return p.draftOrphans(ctx)
}

// draftChanged evaluates what is pending, and everybody when values depend on the time: those can
// change without any page saying so.
func (p *planner) draftChanged(ctx context.Context) error {
	if err := p.draftPending(ctx); err != nil || !p.sync.readsClock() || p.opts.Removals {
		return err
	}
	p.findings.clock = true
	return p.draftAll(ctx)
}

// draftAll evaluates every object of the snapshot.
func (p *planner) draftAll(ctx context.Context) error {
	kinds := []graphsync.Kind{graphsync.User}
	if p.sync.Groups.Enabled {
		kinds = append(kinds, graphsync.Group)
	}
	for _, kind := range kinds {
		var after graphsync.ID
		err := inChunks(p.tenant, plan.DraftChunk, func(tx *state.Tx, add func(graphsync.ID) bool) error {
			for object := range tx.Objects().All(kind, after) {
				if after = object.ID; !add(object.ID) {
					break
				}
			}
			return nil
		}, func(ids []graphsync.ID) error { return p.draftObjects(ctx, kind, ids) })
		if err != nil {
			return err
		}
	}
	return nil
}

// draftPending evaluates what pages and earlier failures left to do.
func (p *planner) draftPending(ctx context.Context) error {
	// What is due again joins what is pending, so that nothing is drafted twice.
	if err := p.pendReached(); err != nil {
		return err
	}
	err := p.tenant.Update(func(tx *state.Tx) error {
		var again []state.PendingKey
		for retry := range tx.Retries(p.sync.Name).All() {
			if due(&retry, p.now) || retry.Skipped && !p.opts.Scheduled {
				again = append(again, retry.Key)
			}
		}
		for _, key := range again {
			if err := tx.Pending(p.sync.Name).Add(key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var after state.PendingKey
	return inChunks(p.tenant, plan.DraftChunk, func(tx *state.Tx, add func(state.PendingKey) bool) error {
		for key := range tx.Pending(p.sync.Name).All(after) {
			if after = key; !add(key) {
				break
			}
		}
		return nil
	}, func(keys []state.PendingKey) error { return p.draftKeys(ctx, keys) })
}

func (p *planner) draftKeys(ctx context.Context, keys []state.PendingKey) error {
	var users, groups []graphsync.ID
	var pairs []state.PendingKey
	for _, key := range keys {
		switch {
		case !key.Member.IsZero():
			pairs = append(pairs, key)
		case key.Kind == graphsync.User:
			users = append(users, key.ID)
		default:
			groups = append(groups, key.ID)
		}
	}
	below, err := p.usersBelow(groups)
	if err != nil {
		return err
	}
	users = append(users, below...)
	if err := p.draftObjects(ctx, graphsync.User, users); err != nil {
		return err
	}
	if !p.sync.Groups.Enabled {
		return nil
	}
	if err := p.draftObjects(ctx, graphsync.Group, groups); err != nil || len(pairs) == 0 {
		return err
	}
	return p.tenant.Update(func(tx *state.Tx) error {
		space := tx.Space(p.sync.Name, membershipSpace)
		for _, pair := range pairs {
			if err := space.Put(membershipKey(pair.ID, pair.Member), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// usersBelow returns the people whom a change of a group itself can concern, where more than
// direct membership of an assigned group counts: those in groups below it, and those whose
// groups are included, excluded or read by name. Pages mark only the direct members of what they change.
func (p *planner) usersBelow(groups []graphsync.ID) ([]graphsync.ID, error) {
	named := p.sync.Scope.ByGroups() || slices.ContainsFunc(p.sync.Users.Mapping.Sources(), func(name string) bool { return strings.EqualFold(name, "memberOf") })
	if len(groups) == 0 || !named && !p.sync.Scope.Nested {
		return nil, nil
	}
	seen := map[graphsync.ID]bool{}
	var users []graphsync.ID
	err := p.tenant.View(func(tx *state.Tx) error {
		for queue := slices.Clone(groups); len(queue) > 0; queue = queue[1:] {
			if seen[queue[0]] {
				continue
			}
			seen[queue[0]] = true
			for member := range tx.Members().Of(queue[0]) {
				switch {
				case member.Kind == graphsync.User && !seen[member.ID]:
					seen[member.ID] = true
					users = append(users, member.ID)
				case member.Kind == graphsync.Group && p.sync.Scope.Nested:
					queue = append(queue, member.ID)
				}
			}
		}
		return nil
	})
	return users, err
}

// draftObjects evaluates objects of one kind and stores what comes out. An object that has been
// drafted in this cycle is not drafted again.
func (p *planner) draftObjects(ctx context.Context, kind graphsync.Kind, ids []graphsync.ID) error {
	for len(ids) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk := ids[:min(len(ids), plan.DraftChunk)]
		ids = ids[len(chunk):]
		err := p.tenant.Update(func(tx *state.Tx) error {
			d := drafter{sync: p.sync, opts: p.opts, now: p.now, info: p.info, ledger: p.ledger, findings: p.findings, owners: p.owners, tx: tx, eval: p.eval.In(tx), plan: plan.In(tx, p.sync.Name), wanted: &p.wanted}
			d.dates = p.sync.dated() || dueTimesOf(tx, p.sync.Name).of.Count() > 0
			seen := tx.Space(p.sync.Name, draftedSpace)
			for _, id := range chunk {
				if !p.findings.all { // when all are, each is visited once anyway
					key := pendingBytes(state.PendingKey{Kind: kind, ID: id})
					if seen.Has(key) {
						continue
					}
					if err := seen.Put(key, nil); err != nil {
						return err
					}
				}
				var err error
				if kind == graphsync.User {
					err = d.user(id)
				} else {
					err = d.group(id)
				}
				if err == nil {
					err = d.forgetDecisions(kind, id)
				}
				if err != nil {
					return fmt.Errorf("plan %s %s: %w", kind, id, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := p.wanted.write(p.tenant, p.sync.Name, false); err != nil {
			return err
		}
		p.drafted += len(chunk)
		p.ledger.reportProgress("drafting", p.drafted, 0)
	}
	return nil
}

// draftSubject plans one object only: a user with the memberships in provisioned groups, or a
// group with the accounts of all its members, however many.
func (p *planner) draftSubject(ctx context.Context) error {
	p.ledger.recordStep("connect", true, "directory read, %d requests", p.source.Traffic().Requests-p.graphBefore.Requests)
	id, err := Find(ctx, p.tenant, *p.opts.Subject)
	if err != nil {
		p.ledger.recordStep("import", false, "%s", err)
		return err
	}
	if err := checkMember(ctx, p.tenant, p.sync.Scope.Nested, id, *p.opts.Subject); err != nil {
		p.ledger.recordStep("import", false, "%s", err)
		return err
	}
	kind := p.opts.Subject.Kind
	p.ledger.recordStep("import", true, "%s %s", kind, id)
	if err := p.draftObjects(ctx, kind, []graphsync.ID{id}); err != nil {
		return err
	}
	if kind == graphsync.Group {
		var members []graphsync.ID
		err := p.tenant.View(func(tx *state.Tx) error {
			for member := range tx.Members().Of(id) {
				if member.Kind == graphsync.User {
					members = append(members, member.ID)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := p.draftObjects(ctx, graphsync.User, members); err != nil {
			return err
		}
	}
	return p.tenant.Update(func(tx *state.Tx) error {
		object, _ := tx.Objects().Get(kind, id)
		if kind == graphsync.Group {
			why, in, problem := p.eval.In(tx).GroupInScope(&object)
			p.ledger.recordStep("scope", in, "%s", why+problem)
			return markMembers(tx, p.sync.Name, id)
		}
		link, linked, err := tx.Links(p.sync.Name).Get(graphsync.User, id)
		if err != nil {
			return err
		}
		var last *state.Link
		if linked {
			last = &link
		}
		stand := p.eval.In(tx).Eligibility(&object, last)
		p.ledger.recordStep("scope", stand.InScope, "%s", stand.Why)
		return nil
	})
}
