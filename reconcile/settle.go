package reconcile

import (
	"context"
	"fmt"
	"slices"

	"entrasync/graphsync"
	"entrasync/state"
)

// settle ends an applied cycle: what was looked at and is done is no longer pending, what is
// held stays so, what was skipped or failed is kept with its reason.
func (c *cycle) settle(ctx context.Context) error {
	if !c.opts.Apply {
		return nil
	}
	if c.opts.Subject != nil {
		return nil
	}
	if err := c.giveUp(ctx); err != nil {
		return err
	}
	if err := c.settleRetries(ctx); err != nil {
		return err
	}
	if err := c.settlePending(ctx); err != nil {
		return err
	}
	c.judgeFailures()
	if err := c.liftIdle(); err != nil {
		return err
	}
	c.rememberRemovals()
	return c.Tenant.Update(func(tx *state.Tx) error {
		if c.all {
			if err := tx.SetPendingAll(c.Sync.Name, false); err != nil {
				return err
			}
		}
		if c.opts.Full || c.info.LastFull.IsZero() {
			c.info.LastFull = c.now
		}
		if c.info.FirstRun.IsZero() {
			c.info.FirstRun = c.now
		}
		c.info.ConfigHash, c.info.LastSuccess = c.Sync.Hash(), c.now
		for _, name := range []string{listingSpace, indexSpace, claimSpace, pairSpace, currentSpace, seedSpace, absentSpace, failedSpace, referSpace, keptSpace, draftedSpace, givenSpace, detachedSpace} {
			if err := tx.Space(c.Sync.Name, name).Clear(); err != nil {
				return err
			}
		}
		return nil
	})
}

// rememberRemovals keeps what the guard over several cycles counts: removals that passed
// without anybody's approval.
func (c *cycle) rememberRemovals() {
	c.info.Removals = slices.DeleteFunc(c.info.Removals, func(r state.Removals) bool { return c.now.Sub(r.At) >= window })
	if n := c.unapproved; n > 0 && !c.remembered {
		c.info.Removals = append(c.info.Removals, state.Removals{At: c.now, Count: n})
	}
	c.remembered = true
}

// settleSeeds records the members that groups had already, and those that are no longer in them.
func (c *cycle) settleSeeds(ctx context.Context) error {
	return c.chunks(ctx, seedSpace, func(tx *state.Tx, key, value []byte) error {
		group, member := graphsync.ID(key[:16]), graphsync.ID(key[16:])
		if _, linked, err := tx.Link(c.Sync.Name, graphsync.Group, group); err != nil || !linked {
			return err
		}
		if _, linked, err := tx.Link(c.Sync.Name, graphsync.User, member); err != nil || !linked {
			return err
		}
		if len(value) == 0 { // it is there no more, and need not be
			return tx.DeleteAppliedMember(c.Sync.Name, group, member)
		}
		return tx.PutAppliedMember(c.Sync.Name, group, member, string(value))
	})
}

// chunks visits a scratch space, some entries per transaction.
func (c *cycle) chunks(ctx context.Context, space string, visit func(tx *state.Tx, key, value []byte) error) error {
	var after []byte
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := 0
		err := c.Tenant.Update(func(tx *state.Tx) error {
			n = 0
			var keys, values [][]byte
			for key, value := range tx.Space(c.Sync.Name, space).All(after) {
				keys, values = append(keys, slices.Clone(key)), append(values, slices.Clone(value))
				if n++; n == draftChunk {
					break
				}
			}
			for i := range keys {
				if err := visit(tx, keys[i], values[i]); err != nil {
					return err
				}
			}
			if n > 0 {
				after = keys[n-1]
			}
			return nil
		})
		if err != nil || n < draftChunk {
			return err
		}
	}
}

// asksTarget are the codes of skips that only the application can end: a scheduled cycle looks
// again with growing waits, because each look is a request.
var asksTarget = map[string]bool{"ambiguous_match": true, "duplicate_target": true, "protected": true, "group_exists": true}

// settleRetries forgets records that were looked at again and are well now, and stores the
// reasons of those that are skipped. The others are looked at in every cycle: it costs no call,
// and `status` always has the present reason.
func (c *cycle) settleRetries(ctx context.Context) error {
	err := c.Tenant.Update(func(tx *state.Tx) error {
		failed, skipped := tx.Space(c.Sync.Name, failedSpace), tx.Space(c.Sync.Name, skippedSpace)
		drafted := tx.Space(c.Sync.Name, draftedSpace)
		var well []state.PendingKey
		for retry := range tx.Retries(c.Sync.Name) {
			looked := c.all || due(&retry, c.now) || drafted.Has(pendingBytes(retry.Key)) || retry.Skipped && !c.opts.Scheduled
			if !looked || failed.Has(pendingBytes(retry.Key)) {
				continue
			}
			if retry.Key.Member.IsZero() && skipped.Has(skippedKey(retry.Key)) {
				continue
			}
			if !retry.Key.Member.IsZero() && retry.Code == "unknown_reference" && retry.First.Equal(c.now) {
				continue // found waiting in this very cycle
			}
			well = append(well, retry.Key)
		}
		for _, key := range well {
			if err := tx.DeleteRetry(c.Sync.Name, key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var skipped Causes // those that were not skipped before for this reason
	defer func() { c.logSkipped(&skipped) }()
	return c.chunks(ctx, skippedSpace, func(tx *state.Tx, _, value []byte) error {
		var s Skipped
		if err := decode(value, &s); err != nil {
			return err
		}
		key := state.PendingKey{Kind: s.Kind, ID: s.SourceID}
		retry := state.Retry{Key: key, Code: s.Code, Message: s.Why, Name: s.Key, First: c.now, Next: c.now, Skipped: true, Attempts: 1}
		if known, ok := tx.Retry(c.Sync.Name, key); ok && known.Skipped && known.Code == s.Code {
			retry.First, retry.Attempts = known.First, known.Attempts+1
			if known.Message != s.Why {
				skipped.Add(s.Kind, "", s.Code, s.Why, s.Key)
			}
		} else {
			skipped.Add(s.Kind, "", s.Code, s.Why, s.Key)
		}
		if asksTarget[s.Code] {
			retry.Next = c.now.Add(retryWait(retry.Attempts))
		}
		return tx.PutRetry(c.Sync.Name, retry)
	})
}

// logSkipped logs the records that are skipped for a new reason, a line for each reason: a log
// that repeated them in every cycle would hide what is new.
func (c *cycle) logSkipped(causes *Causes) {
	for _, cause := range causes.List() {
		c.Log.Info("records skipped", "sync", c.Sync.Name, "tenant", c.Sync.Tenant, "kind", cause.Kind.String(), "code", cause.Code,
			"count", cause.Count, "why", cause.Text, "such_as", cause.Who())
	}
}

func skippedKey(k state.PendingKey) []byte {
	return actionKey{phase: phaseOf(k.Kind), id: k.ID}.bytes()
}

// settlePending empties the pending set but for what is held, which is planned again in each
// cycle until it is approved or its cause goes away, and for what is due later. Those are marked
// first: wherever this is interrupted, nothing is forgotten.
func (c *cycle) settlePending(ctx context.Context) error {
	for _, space := range []string{heldSpace, rejectedSpace} {
		if err := c.chunks(ctx, space, func(tx *state.Tx, key, raw []byte) error { return requeueHeld(tx, c.Sync.Name, space, key, raw) }); err != nil {
			return err
		}
	}
	var after state.PendingKey
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var keys []state.PendingKey
		err := c.Tenant.Update(func(tx *state.Tx) error {
			keys = nil
			for key := range tx.Pending(c.Sync.Name, after) {
				if keys = append(keys, key); len(keys) == draftChunk {
					break
				}
			}
			kept := tx.Space(c.Sync.Name, keptSpace)
			for _, key := range keys {
				if kept.Has(pendingBytes(key)) {
					continue
				}
				if err := tx.DeletePending(c.Sync.Name, key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(keys) < draftChunk {
			return err
		}
		after = keys[len(keys)-1]
	}
}

// requeueHeld lets what is held be looked at in the next cycle, and of what was rejected the changes of
// members: other people may join or leave the same group. That costs no request.
func requeueHeld(tx *state.Tx, sync, space string, key, raw []byte) error {
	k, err := parseActionKey(key)
	if err != nil {
		return err
	}
	if k.phase != memberPhase {
		if space == rejectedSpace {
			return nil
		}
		return requeue(tx, sync, k.pendingKey())
	}
	a, err := decodeAction(raw)
	if err != nil {
		return err
	}
	for _, member := range slices.Concat(a.Add, a.Remove) {
		if err := requeue(tx, sync, state.Membership(k.id, member)); err != nil {
			return err
		}
	}
	return nil
}

// requeue lets a key be looked at again in the next cycle.
func requeue(tx *state.Tx, sync string, key state.PendingKey) error {
	if err := tx.Space(sync, keptSpace).Put(pendingBytes(key), nil); err != nil {
		return err
	}
	return tx.AddPending(sync, key)
}

// store keeps the report as a run and the sync's times.
func (c *cycle) store() error {
	err := c.Tenant.Update(func(tx *state.Tx) error {
		info := *c.info
		if !c.known {
			info = tx.SyncInfo(c.Sync.Name) // the cycle ended before it knew
		}
		info.LastRun = c.now
		if err := tx.PutSyncInfo(c.Sync.Name, info); err != nil {
			return err
		}
		return tx.PutRun(c.Sync.Name, state.Run{ID: c.run, Started: c.now, Ended: c.Now().UTC(), Result: string(c.report.Result), Report: encode(&c.report)})
	})
	if err != nil {
		return fmt.Errorf("store run: %w", err)
	}
	return nil
}
