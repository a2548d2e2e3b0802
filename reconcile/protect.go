package reconcile

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
)

// protect takes out of the plan what would change accounts that scope.protect names. They are
// looked at as they are now: an administrator, or somebody switched to the application's own
// login, may have been made one long after the account was linked. Without such filters it
// costs no request.
func (c *cycle) protect(ctx context.Context) error {
	if len(c.Sync.Scope.Protect) == 0 {
		return nil
	}
	for _, p := range []phase{leavePhase, userPhase} {
		if err := c.eachChunk(p, func(keys [][]byte, actions []storedAction) error { return c.spare(ctx, keys, actions) }); err != nil {
			return err
		}
	}
	return nil
}

// spare takes those of some actions out of the plan whose account is protected.
func (c *cycle) spare(ctx context.Context, keys [][]byte, actions []storedAction) error {
	protected := make([]bool, len(actions))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(c.concurrency())
	for i := range actions {
		if a := &actions[i]; a.Op != Create && a.Op != Adopt { // match has looked at those
			group.Go(func() (err error) {
				protected[i], err = c.protectedAccount(gctx, *a.TargetID)
				if c.silent(gctx, err) {
					return &silence{target: c.Sync.TargetName, last: err}
				}
				if code := target.CodeOf(err); err != nil && gctx.Err() == nil && !code.Stops() {
					protected[i], err = true, nil // it cannot be seen: nothing is done to it in this cycle
				}
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return c.Tenant.Update(func(tx *state.Tx) error {
		for i := range actions {
			if !protected[i] {
				continue
			}
			a := &actions[i]
			c.counts.count(a.Op, -1)
			if err := tx.Space(c.Sync.Name, planSpace).Delete(keys[i]); err != nil {
				return err
			}
			why := fmt.Sprintf("it was due to %s (%s), but the account is protected by the configuration", a.Op, a.Why)
			if err := c.skip(tx, Skipped{Kind: graphsync.User, SourceID: a.SourceID, Key: a.Key, Code: "protected", Why: why}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *cycle) protectedAccount(ctx context.Context, id string) (bool, error) {
	getter, ok := c.Target.(target.Getter)
	if !ok {
		return false, fmt.Errorf("scope.protect: target %s cannot show an account, so nobody can be protected", c.Sync.TargetName)
	}
	r, err := getter.Get(ctx, target.Ref{Kind: target.User, ID: id})
	switch {
	case err != nil && target.CodeOf(err) == target.NotFound:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look whether account %s of target %s is protected: %w", id, c.Sync.TargetName, err)
	}
	return c.Sync.Scope.protects(r), nil
}

// protects reports whether an account is one that is never touched.
func (s *Scope) protects(r *target.Resource) bool {
	for _, filter := range s.Protect {
		if filter.Match(r.Attributes) {
			return true
		}
	}
	return false
}
