package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/state"
)

// draftChunk is how many objects are evaluated between two commits of the draft.
const draftChunk = 2000

// draft writes the plan of accounts and groups: for each pending object what should be there,
// compared with what was last applied. It asks nobody outside. People without a link get a
// provisional create, which match turns into an adoption where an account exists.
func (c *cycle) draft(ctx context.Context) error {
	err := c.Tenant.Update(func(tx *state.Tx) error {
		changed := c.info.ConfigHash != c.Sync.Hash()
		whole := c.opts.Subject == nil
		c.all = whole && (changed || c.opts.Full || tx.PendingAll(c.Sync.Name))
		for _, name := range []string{planSpace, skippedSpace, partHeldSpace, partRejectedSpace, claimSpace, pairSpace, currentSpace, seedSpace, absentSpace, referSpace, keptSpace, draftedSpace, givenSpace, detachedSpace} {
			if err := tx.Space(c.Sync.Name, name).Clear(); err != nil {
				return err
			}
		}
		return c.prepareRejected(tx)
	})
	if err != nil {
		return err
	}
	switch {
	case c.opts.Subject != nil:
		c.kind = OnDemand
		return c.draftSubject(ctx)
	case c.all:
		if c.info.LastSuccess.IsZero() || c.opts.Full {
			c.kind = Initial
		}
		err = c.draftAll(ctx)
	default:
		err = c.draftChanged(ctx)
	}
	if err != nil {
		return err
	}
	return c.draftOrphans(ctx)
}

// draftChanged evaluates what is pending, and everybody when values depend on the time: those can
// change without any page saying so.
func (c *cycle) draftChanged(ctx context.Context) error {
	if err := c.draftPending(ctx); err != nil || !c.Sync.readsClock() {
		return err
	}
	c.clock = true
	return c.draftAll(ctx)
}

// draftAll evaluates every object of the snapshot.
func (c *cycle) draftAll(ctx context.Context) error {
	kinds := []graphsync.Kind{graphsync.User}
	if c.Sync.Groups.Enabled {
		kinds = append(kinds, graphsync.Group)
	}
	for _, kind := range kinds {
		var after graphsync.ID
		for {
			var ids []graphsync.ID
			err := c.Tenant.View(func(tx *state.Tx) error {
				for object := range tx.Objects(kind, after) {
					if ids = append(ids, object.ID); len(ids) == draftChunk {
						break
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			if len(ids) == 0 {
				break
			}
			if err := c.draftObjects(ctx, kind, ids); err != nil {
				return err
			}
			after = ids[len(ids)-1]
		}
	}
	return nil
}

// draftPending evaluates what pages and earlier failures left to do.
func (c *cycle) draftPending(ctx context.Context) error {
	// What is due again joins what is pending, so that nothing is drafted twice.
	err := c.Tenant.Update(func(tx *state.Tx) error {
		var again []state.PendingKey
		for retry := range tx.Retries(c.Sync.Name) {
			if due(&retry, c.now) || retry.Skipped && !c.opts.Scheduled {
				again = append(again, retry.Key)
			}
		}
		for _, key := range again {
			if err := tx.AddPending(c.Sync.Name, key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var after state.PendingKey
	for {
		var keys []state.PendingKey
		err := c.Tenant.View(func(tx *state.Tx) error {
			for key := range tx.Pending(c.Sync.Name, after) {
				if keys = append(keys, key); len(keys) == draftChunk {
					break
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return nil
		}
		if err := c.draftKeys(ctx, keys); err != nil {
			return err
		}
		after = keys[len(keys)-1]
	}
}

func (c *cycle) draftKeys(ctx context.Context, keys []state.PendingKey) error {
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
	below, err := c.usersBelow(groups)
	if err != nil {
		return err
	}
	users = append(users, below...)
	if err := c.draftObjects(ctx, graphsync.User, users); err != nil {
		return err
	}
	if !c.Sync.Groups.Enabled {
		return nil
	}
	if err := c.draftObjects(ctx, graphsync.Group, groups); err != nil || len(pairs) == 0 {
		return err
	}
	return c.Tenant.Update(func(tx *state.Tx) error {
		space := tx.Space(c.Sync.Name, pairSpace)
		for _, pair := range pairs {
			if err := space.Put(pairKey(pair.ID, pair.Member), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// usersBelow returns the people whom a change of a group itself can concern, where more than
// direct membership of an assigned group counts: those in groups below it, and those whose
// groups are excluded or read by name. Pages mark only the direct members of what they change.
func (c *cycle) usersBelow(groups []graphsync.ID) ([]graphsync.ID, error) {
	named := len(c.Sync.Scope.ExcludeGroups) > 0 || slices.ContainsFunc(c.Sync.Users.Mapping.Sources(), func(name string) bool { return strings.EqualFold(name, "memberOf") })
	if len(groups) == 0 || !named && !c.Sync.Scope.Nested {
		return nil, nil
	}
	seen := map[graphsync.ID]bool{}
	var users []graphsync.ID
	err := c.Tenant.View(func(tx *state.Tx) error {
		for queue := slices.Clone(groups); len(queue) > 0; queue = queue[1:] {
			if seen[queue[0]] {
				continue
			}
			seen[queue[0]] = true
			for member := range tx.Members(queue[0]) {
				switch {
				case member.Kind == graphsync.User && !seen[member.ID]:
					seen[member.ID] = true
					users = append(users, member.ID)
				case member.Kind == graphsync.Group && c.Sync.Scope.Nested:
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
func (c *cycle) draftObjects(ctx context.Context, kind graphsync.Kind, ids []graphsync.ID) error {
	for len(ids) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk := ids[:min(len(ids), draftChunk)]
		ids = ids[len(chunk):]
		err := c.Tenant.Update(func(tx *state.Tx) error {
			d := drafter{cycle: c, tx: tx, eval: c.eval.in(tx), plan: tx.Space(c.Sync.Name, planSpace), claims: tx.Space(c.Sync.Name, claimSpace)}
			seen := tx.Space(c.Sync.Name, draftedSpace)
			for _, id := range chunk {
				if !c.all { // when all are, each is visited once anyway
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
		c.drafted += len(chunk)
		c.step("drafting", c.drafted, 0)
	}
	return nil
}
