package reconcile

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/state"
)

// A wantedKey names a matching value that a new object wants, in any case.
type wantedKey [16]byte

func wantedKeyOf(kind graphsync.Kind, path, value string) (key wantedKey) {
	copy(key[:], valueKey(kind.String()+"\x00"+path, value))
	return key
}

// wantedValues are the matching values that new objects of a plan want, and which object was the first to want
// each. The keys have no order, so they are gathered in memory and written to their space many at once and sorted.
// They need not outlive a killed process: the next one drafts again.
//
// A value that is the id of the object which wants it has no entry: it is found in the plan, see wantedByID.
type wantedValues struct {
	recent map[wantedKey]graphsync.ID
}

// maxWanted bounds how many values are in memory, and wantedChunk how many share a commit.
const (
	maxWanted   = 100_000
	wantedChunk = 8192
)

// owner returns who wants a value.
func (w *wantedValues) owner(tx *state.Tx, sync string, key wantedKey) (graphsync.ID, bool) {
	if id, ok := w.recent[key]; ok {
		return id, true
	}
	raw := tx.Space(sync, claimSpace).Get(key[:])
	if len(raw) != len(graphsync.ID{}) {
		return graphsync.ID{}, false
	}
	return graphsync.ID(raw), true
}

// put notes who wants a value.
func (w *wantedValues) put(key wantedKey, id graphsync.ID) {
	if w.recent == nil {
		w.recent = map[wantedKey]graphsync.ID{}
	}
	w.recent[key] = id
}

// write writes what is in memory to the space, when it is much or the draft is complete.
func (w *wantedValues) write(tenant *state.Tenant, sync string, complete bool) error {
	if len(w.recent) == 0 || len(w.recent) < maxWanted && !complete {
		return nil
	}
	keys := slices.SortedFunc(maps.Keys(w.recent), func(a, b wantedKey) int { return bytes.Compare(a[:], b[:]) })
	for chunk := range slices.Chunk(keys, wantedChunk) {
		if err := tenant.Update(func(tx *state.Tx) error { return w.store(tx, sync, chunk) }); err != nil {
			return err
		}
	}
	w.recent = nil
	return nil
}

// store writes some of the values that are in memory.
func (w *wantedValues) store(tx *state.Tx, sync string, keys []wantedKey) error {
	space := tx.Space(sync, claimSpace)
	for _, key := range keys {
		id := w.recent[key]
		if err := space.Put(key[:], id[:]); err != nil {
			return err
		}
	}
	return nil
}

// wantedByID returns the new object of a plan that wants a matching value which is its own id.
func wantedByID(actions plan.Actions, kind graphsync.Kind, matching []string, path, value string) (graphsync.ID, bool, error) {
	id, err := graphsync.ParseID(value)
	if err != nil || !strings.EqualFold(value, id.String()) {
		return graphsync.ID{}, false, nil
	}
	a, err := actions.Get(plan.Key{Phase: plan.PhaseOf(kind), ID: id}.Bytes())
	if err != nil || a == nil || a.Op != plan.Create {
		return graphsync.ID{}, false, err
	}
	for i, matched := range matching {
		if matched == path && i < len(a.Match) && strings.EqualFold(a.Match[i], value) {
			return id, true, nil
		}
	}
	return graphsync.ID{}, false, nil
}

// isWanted reports whether a new object of the complete draft wants a matching value.
func isWanted(tx *state.Tx, sync string, kind graphsync.Kind, matching []string, path, value string) (bool, error) {
	key := wantedKeyOf(kind, path, value)
	if tx.Space(sync, claimSpace).Has(key[:]) {
		return true, nil
	}
	_, wanted, err := wantedByID(plan.In(tx, sync), kind, matching, path, value)
	return wanted, err
}
