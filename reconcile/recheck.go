package reconcile

import (
	"context"

	"golang.org/x/sync/errgroup"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// again reads accounts that did not fit before, and those that a response of the target gave a
// reason to doubt.
func (i *identifier) again(ctx context.Context) error {
	if err := i.checkMarked(ctx); err != nil {
		return err
	}
	some, rest, err := i.unresolved()
	if err != nil {
		return err
	}
	fits, err := i.recheck(ctx, some)
	if err != nil || !fits {
		return err
	}
	_, err = i.recheck(ctx, rest) // the application seems to be the right one again
	return err
}

// unresolved returns the links that do not fit and were not read in this cycle: those to be read
// now, and those that wait for an answer.
func (i *identifier) unresolved() (some, rest []state.Link, err error) {
	probed := 0
	err = i.tenant.View(func(tx *state.Tx) error {
		held, refused := tx.Space(i.sync.Name, plan.HeldSpace), tx.Space(i.sync.Name, plan.RejectedSpace)
		for key, raw := range tx.Space(i.sync.Name, plan.MismatchSpace).All(nil) {
			var m mismatch
			if err := plan.Decode(raw, &m); err != nil {
				return err
			}
			kind, id := graphsync.Kind(key[0]), graphsync.ID(key[1:])
			link, linked, err := tx.Links(i.sync.Name).Get(kind, id)
			if err != nil {
				return err
			}
			removes := plan.In(tx, i.sync.Name).Op(plan.Key{Phase: plan.LeavePhase, ID: id}.Bytes()).Removes()
			if !linked || link.TargetID != m.TargetID || (m.Run == i.runID || m.Successor != nil) && !removes {
				continue
			}
			unlink, leave := plan.UnlinkKey(kind, id), plan.Key{Phase: plan.LeavePhase, ID: id}.Bytes()
			waits := held.Has(unlink) || refused.Has(unlink) || m.Successor != nil && (held.Has(leave) || refused.Has(leave))
			if waits && probed >= heldProbe {
				rest = append(rest, link)
				continue
			}
			if waits {
				probed++
			}
			some = append(some, link)
		}
		return nil
	})
	return some, rest, err
}

// recheck reads the accounts of links, and forgets that those do not fit which do. It reports
// whether there was any of them.
func (i *identifier) recheck(ctx context.Context, links []state.Link) (fits bool, err error) {
	for len(links) > 0 {
		chunk := links[:min(askChunk, len(links))]
		links = links[len(chunk):]
		found := make([]reading, len(chunk))
		group, gctx := errgroup.WithContext(ctx)
		group.SetLimit(i.workers)
		for n, link := range chunk {
			group.Go(func() (err error) {
				op := plan.Op("")
				if err := i.tenant.View(func(tx *state.Tx) error {
					op = plan.In(tx, i.sync.Name).Op(plan.Key{Phase: plan.LeavePhase, ID: link.Source}.Bytes())
					return nil
				}); err != nil {
					return err
				}
				found[n], err = i.read(gctx, link, op, nil)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return false, err
		}
		err := i.tenant.Update(func(tx *state.Tx) error {
			for n := range found {
				switch f := &found[n]; {
				case f.unseen != nil:
					if err := i.unread(tx, f); err != nil {
						return err
					}
				case f.mismatch != nil:
					if err := i.opts.records(tx, i.sync).putMismatch(&f.link, f.mismatch); err != nil {
						return err
					}
				default:
					fits = true
					if err := i.opts.records(tx, i.sync).clearLost(f.link.Kind, f.link.Source); err != nil {
						return err
					}
					if err := i.opts.records(tx, i.sync).forgetMismatch(f.link.Kind, f.link.Source); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	return fits, nil
}

// unread is for an account that did not fit and cannot be read now: nothing is done about it in
// this cycle, and a removal that is due fails with what the application said.
func (i *identifier) unread(tx *state.Tx, found *reading) error {
	link := &found.link
	var m mismatch
	if err := plan.Decode(tx.Space(i.sync.Name, plan.MismatchSpace).Get(plan.LinkKey(link.Kind, link.Source)), &m); err != nil {
		return err
	}
	m.Unread = true
	if err := i.opts.records(tx, i.sync).putMismatch(link, &m); err != nil {
		return err
	}
	if i.opts.Apply {
		if err := requeue(tx, i.sync.Name, state.PendingKey{Kind: link.Kind, ID: link.Source}); err != nil {
			return err
		}
	}
	key := plan.Key{Phase: plan.LeavePhase, ID: link.Source}.Bytes()
	if link.Kind != graphsync.User {
		return nil
	}
	a, err := plan.In(tx, i.sync.Name).Get(key)
	if a == nil {
		return err
	}
	return i.protector.dropInspected(tx, key, a, inspection{unseen: found.unseen})
}
