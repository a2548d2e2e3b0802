package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
	"entrasync/target"
)

// An executor carries out single actions. It is safe for concurrent use.
type executor struct {
	sync       *Sync
	runID      string
	now        time.Time
	store      *state.Store
	tenant     *state.Tenant
	target     target.Adapter
	owners     *ownership
	links      *linkBuilder
	successors *successorFinder
	matching   *matching
}

// carryOut makes the calls of one action. It returns nil when it was interrupted before
// anything was known.
func (x *executor) carryOut(ctx context.Context, key actionKey, a *storedAction) *result {
	done := &result{key: key, action: a}
	if key.phase == referencePhase && a.TargetID == nil {
		if done.err = x.resolve(a); done.err != nil || a.TargetID == nil {
			return done // the account was not made: nothing can refer from it
		}
	}
	switch {
	case a.Orphan:
		x.removeOrphan(ctx, a, done)
	case a.Op == Create:
		x.create(ctx, a, done)
	case a.Op == Delete:
		x.remove(ctx, a, done)
	case a.Op == Unlink:
		x.unlink(a, done)
	case a.Op == Members:
		x.changeMembers(ctx, a, done)
	default:
		x.write(ctx, a, done, a.Op == Adopt)
	}
	if done.err == nil {
		return done
	}
	if ctx.Err() != nil && errors.Is(done.err, ctx.Err()) {
		return nil
	}
	done.err = x.withoutRedacted(ctx, a, done.sent, done.err)
	if target.CodeOf(done.err).Stops() {
		done.stop = fmt.Errorf("%s %s %s in target %s: %w", a.Op, a.Kind, a.Key, x.sync.TargetName, done.err)
	}
	return done
}

// resolve finds the account that an action on one made in the same plan is about.
func (x *executor) resolve(a *storedAction) error {
	return x.tenant.View(func(tx *state.Tx) error {
		link, ok, err := tx.Link(x.sync.Name, a.Kind, a.SourceID)
		if ok {
			a.TargetID = &link.TargetID
		}
		return err
	})
}

// A result is what became of one action.
type result struct {
	key     actionKey
	action  *storedAction
	link    *state.Link // to write
	drop    bool        // the link is to be forgotten
	added   map[graphsync.ID]string
	removed []graphsync.ID
	waiting []graphsync.ID // members that have no account yet
	refused []refusedMember
	still   *state.Link // of an account that is still active after it was switched off
	err     error
	stop    error        // concerns the whole application
	partly  bool         // some was written although it failed
	halfway bool         // what came of it is looked into by the next cycle
	off     *state.Link  // of an account that was switched off because its deletion failed
	former  graphsync.ID // whose link goes
	left    string       // the account that was linked before, when the link moved to another
	// Matching values that the account had before, and whether the response showed the new ones.
	formerKeys []state.MatchKey
	confirmed  bool
	mismatch   *mismatch   // to look into in the next cycle
	doubt      state.Owner // whose link may not fit any more, by what the target answered
	notes      []string
	sent       []target.Attribute // to the account, when err is about it
	remarks    []*target.Error    // of attributes that were accepted but are not shown as written
	shown      *target.Resource   // the account afterwards, where the application shows it
}

type refusedMember struct {
	member graphsync.ID
	err    error
}
