package reconcile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/scope"
	"entrasync/state"
)

// A scoping filter that compares dates with the time changes its verdict on a user on days when Microsoft Entra reports
// nothing. For each object whose verdict will change by time alone the sync keeps when: a cycle evaluates those whose
// time has come, and no others. A dry run keeps nothing that outlives it.

const (
	dueSpace        = "due"         // seconds of Unix time, kind, source id: to be evaluated from then on; kept over cycles
	dueOfSpace      = "due-of"      // kind, source id → those seconds; kept over cycles
	duePlannedSpace = "due-planned" // as dueSpace, of a dry run
)

// A dueKey is a key of dueSpace.
type dueKey [8 + 1 + len(graphsync.ID{})]byte

func newDueKey(at time.Time, kind graphsync.Kind, id graphsync.ID) (key dueKey) {
	binary.BigEndian.PutUint64(key[:8], uint64(max(at.Unix(), 0)))
	key[8] = byte(kind)
	copy(key[9:], id[:])
	return key
}

func parseDueKey(raw []byte) (at time.Time, key state.PendingKey, err error) {
	if len(raw) != len(dueKey{}) {
		return at, key, fmt.Errorf("read when an object is due: a key of %d bytes", len(raw))
	}
	return time.Unix(int64(binary.BigEndian.Uint64(raw)), 0), state.PendingKey{Kind: graphsync.Kind(raw[8]), ID: graphsync.ID(raw[9:])}, nil
}

// dueTimes are when the objects of a sync are to be evaluated because of a date.
type dueTimes struct {
	at, of *state.Space
}

func dueTimesOf(tx *state.Tx, sync string) dueTimes {
	return dueTimes{at: tx.Space(sync, dueSpace), of: tx.Space(sync, dueOfSpace)}
}

// set replaces when an object is due; zero is never.
func (d dueTimes) set(kind graphsync.Kind, id graphsync.ID, at time.Time) error {
	key := newDueKey(at, kind, id)
	was := d.of.Get(key[8:])
	switch {
	case at.IsZero() && was == nil, !at.IsZero() && string(was) == string(key[:8]):
		return nil
	case was != nil:
		old := key
		copy(old[:8], was)
		if err := d.at.Delete(old[:]); err != nil {
			return err
		}
	}
	if at.IsZero() {
		return d.of.Delete(key[8:])
	}
	if err := d.at.Put(key[:], nil); err != nil {
		return err
	}
	return d.of.Put(key[8:], key[:8])
}

// reached returns at most n objects whose time has come, in order, from after on.
func (d dueTimes) reached(now time.Time, after []byte, n int) (keys []state.PendingKey, last []byte, err error) {
	for raw := range d.at.All(after) {
		at, key, err := parseDueKey(raw)
		if err != nil || at.After(now) || len(keys) == n {
			return keys, last, err
		}
		keys, last = append(keys, key), bytes.Clone(raw)
	}
	return keys, last, nil
}

// noteDue keeps when a date of an object that is being drafted changes whether it is in scope. judged says that a
// filter decides about it now. While the clock cannot be trusted the object is evaluated again in each cycle.
func (d *drafter) noteDue(object *state.Object, judged bool) error {
	if !d.dates {
		return nil
	}
	var next time.Time
	if judged {
		next = d.eval.Next(object)
	}
	switch {
	case !d.opts.Apply && next.IsZero():
		return nil
	case !d.opts.Apply:
		key := newDueKey(next, object.Kind, object.ID)
		return d.tx.Space(d.sync.Name, duePlannedSpace).Put(key[:], nil)
	case judged && d.sync.dated() && d.findings.untimely != "":
		return requeue(d.tx, d.sync.Name, state.PendingKey{Kind: object.Kind, ID: object.ID})
	}
	return dueTimesOf(d.tx, d.sync.Name).set(object.Kind, object.ID, next)
}

// A judgement is what a filter made of an object: whether it is in scope, and what stands for it in the application.
type judgement struct {
	filter             *scope.Filter
	linked, active, in bool
	kind               graphsync.Kind
	id                 graphsync.ID
	key                string
}

// untimely leaves an object as it is that the filter lets in or out by a date, while the clock cannot be trusted: it
// neither gets access, by a new account or by one that is off, nor loses it. done says that the object is dealt with.
func (d *drafter) untimely(j judgement) (done bool, err error) {
	enters, leaves := j.in && !j.active, !j.in && j.linked
	if d.findings.untimely == "" || !j.filter.Dated() || !enters && !leaves {
		return false, nil
	}
	return true, d.skip(j.kind, j.id, j.key, "clock_differs", "the scoping filter compares dates with the time, but "+d.findings.untimely)
}

// pendReached makes the objects pending whose time has come. Evaluating them notes their next time.
func (p *planner) pendReached() error {
	if !p.sync.dated() || p.findings.untimely != "" {
		return nil
	}
	var after []byte
	for {
		var keys []state.PendingKey
		err := p.tenant.Update(func(tx *state.Tx) (err error) {
			keys, after, err = dueTimesOf(tx, p.sync.Name).reached(p.now, after, plan.DraftChunk)
			for _, key := range keys {
				if err == nil {
					err = tx.Pending(p.sync.Name).Add(key)
				}
			}
			return err
		})
		if err != nil || len(keys) < plan.DraftChunk {
			return err
		}
	}
}
