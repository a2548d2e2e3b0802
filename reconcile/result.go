package reconcile

import (
	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// A result is the outcome of one action.
type result struct {
	key     plan.Key
	action  *plan.StoredAction
	link    *state.Link // to write
	drop    bool        // the link is to be forgotten
	added   map[graphsync.ID]string
	removed []graphsync.ID
	waiting []graphsync.ID // members that have no account yet
	refused []refusedMember
	still   *state.Link // of an account that is still active after it was switched off
	err     error
	void    bool         // there was nothing to be done, because of an action before it that failed
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
