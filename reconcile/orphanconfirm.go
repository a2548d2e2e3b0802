package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// An account without a link is read again a day after it was last seen, at most confirmLimit of them
// in a cycle: what was removed or merged in the application meanwhile is not reported until the next
// complete compare.
const (
	confirmAfter = 24 * time.Hour
	confirmLimit = 100
)

// dropUnfinished removes what a compare had noted that was interrupted: it is older than this cycle.
func (c *comparer) dropUnfinished() error {
	left := 0
	err := c.tenant.View(func(tx *state.Tx) error {
		left = tx.Space(c.sync.Name, foundSpace).Count()
		return nil
	})
	if err != nil || left == 0 {
		return err
	}
	return c.tenant.Update(func(tx *state.Tx) error { return tx.Space(c.sync.Name, foundSpace).Clear() })
}

// confirmOrphans reads the orphans that are due.
func (c *comparer) confirmOrphans(ctx context.Context, getter target.Getter) error {
	if !c.opts.Apply {
		return nil
	}
	due, err := c.dueOrphans()
	if err != nil {
		return err
	}
	for i := range due {
		o := due[i]
		shown, err := getter.Get(ctx, target.Ref{Kind: target.User, ID: o.Account})
		code := target.CodeOf(err)
		switch {
		case c.breaker.open(ctx, err):
			return &breakerOpenError{target: c.sync.TargetName, last: err}
		case err != nil && (code.Stops() || ctx.Err() != nil):
			return fmt.Errorf("look for account %s in target %s: %w", o.Account, c.sync.TargetName, err)
		case err != nil && code != target.NotFound:
			c.ledger.note("account %s (%s), which has no link, cannot be read: %v", o.Account, o.Name, err)
			continue
		}
		gone := err != nil || textAttribute(shown, "externalId") != o.External
		if !gone {
			o.Name, o.Active, o.Seen = nameOf(shown), !inactive(shown), c.now
		}
		err = c.tenant.Update(func(tx *state.Tx) error {
			if gone {
				return tx.Space(c.sync.Name, orphanSpace).Delete(o.key())
			}
			return tx.Space(c.sync.Name, orphanSpace).Put(o.key(), plan.Encode(&o))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// dueOrphans returns the orphans that were not seen for a day.
func (c *comparer) dueOrphans() (due []orphan, err error) {
	err = c.tenant.View(func(tx *state.Tx) error {
		for _, raw := range tx.Space(c.sync.Name, orphanSpace).All(nil) {
			var o orphan
			if err := plan.Decode(slices.Clone(raw), &o); err != nil {
				return err
			}
			if c.now.Sub(o.Seen) >= confirmAfter {
				due = append(due, o)
			}
			if len(due) == confirmLimit {
				break
			}
		}
		return nil
	})
	return due, err
}
