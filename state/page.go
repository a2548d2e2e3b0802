package state

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"entrasync/graphsync"
)

// A Cursor is how far a stream has been read. Its zero value: never.
type Cursor struct {
	Link     string `json:"link"`   // where to go on; empty: begin at the first page
	Select   string `json:"select"` // graphsync.SelectKey of the round that Link belongs to
	Round    uint32 `json:"round"`  // counts full rounds
	Full     bool   `json:"full"`   // the round under way or just ended reads everything
	Complete bool   `json:"complete"`
	// Sweep: a full round has ended and what it did not see is not settled yet. It stays set
	// through incremental rounds, until EndSweep.
	Sweep     bool      `json:"sweep"`
	Started   time.Time `json:"started"`
	Completed time.Time `json:"completed"` // when a round was last completed
	Objects   uint64    `json:"objects"`   // entries read in this round
	Pages     uint64    `json:"pages"`
}

// PageStats counts what a page changed.
type PageStats struct {
	Objects        int // entries in the page
	Added          int // objects not known before
	Changed        int // properties differ
	Removed        int // became tombstones, or the reason changed
	Restored       int // were tombstones
	MembersAdded   int
	MembersRemoved int
}

// Cursor returns a stream's cursor.
func (tx *Tx) Cursor(stream graphsync.Stream) Cursor {
	if text := tx.get([]byte(stream), bucketCursors); text != nil {
		return fromJSON[Cursor]("cursor of "+string(stream), text)
	}
	return Cursor{}
}

// BeginRound starts a full round over the properties that selectKey stands for: the link is
// dropped, and everything counts as not seen.
func (tx *Tx) BeginRound(stream graphsync.Stream, selectKey string, now time.Time) error {
	c := tx.Cursor(stream)
	return tx.putCursor(stream, Cursor{
		Select: selectKey, Round: c.Round + 1, Full: true, Started: now.UTC(), Completed: c.Completed,
	})
}

// EndSweep says that everything a full round did not see has been settled.
func (tx *Tx) EndSweep(stream graphsync.Stream) error {
	c := tx.Cursor(stream)
	if !c.Sweep {
		return nil
	}
	c.Sweep = false
	return tx.putCursor(stream, c)
}

func (tx *Tx) putCursor(stream graphsync.Stream, c Cursor) error {
	return tx.putJSON([]byte(stream), c, bucketCursors)
}

// PutPage applies a page: its objects, its memberships, what becomes pending for the syncs,
// and the link behind it. A page after a completed round begins an incremental one. Properties
// that came overwrite, null included; absent ones stay. What is the same already is not
// written and makes nothing pending, so a page may be applied again.
//
// In a full round, syncs that have everything pending get no single keys.
func (tx *Tx) PutPage(stream graphsync.Stream, page *graphsync.Page, now time.Time, syncs []string) (PageStats, error) {
	c := tx.Cursor(stream)
	if c.Round == 0 {
		return PageStats{}, fmt.Errorf("put page of %s: no round was begun", stream)
	}
	if (page.Next == "") == (page.Delta == "") {
		return PageStats{}, fmt.Errorf("put page of %s: it must have a next or a delta link", stream)
	}
	if c.Complete {
		c.Full, c.Complete, c.Started, c.Objects, c.Pages = false, false, now.UTC(), 0, 0
	}
	w := &pageWriter{
		tx: tx, kind: stream.Kind(), round: c.Round, stamp: binary.BigEndian.AppendUint32(nil, c.Round),
		objects: tx.tree(bucketObjects), members: tx.tree(bucketMembers), memberOf: tx.tree(bucketMemberOf),
		pending: tx.pender(syncs, c.Full),
	}
	for i := range page.Changes {
		if err := w.change(&page.Changes[i]); err != nil {
			return PageStats{}, fmt.Errorf("put page of %s: %s: %w", stream, page.Changes[i].ID, err)
		}
	}
	tx.bump(liveCounter(w.kind), w.live)
	if err := w.pending.done(); err != nil {
		return PageStats{}, err
	}
	w.stats.Objects = len(page.Changes)
	c.Objects += uint64(len(page.Changes))
	c.Pages++
	c.Link = page.Next
	if page.Delta != "" {
		c.Link, c.Complete, c.Completed = page.Delta, true, now.UTC()
		c.Sweep = c.Sweep || c.Full
	}
	return w.stats, tx.putCursor(stream, c)
}

// A pageWriter is PutPage at work.
type pageWriter struct {
	tx       *Tx
	kind     graphsync.Kind
	round    uint32
	stamp    []byte // round as memberships store it
	objects  *bucket
	members  *bucket
	memberOf *bucket
	pending  *pender
	live     int // change of the number of live objects
	fresh    []property
	key      [1 + len(graphsync.ID{})]byte
	stats    PageStats
}

func (w *pageWriter) change(c *graphsync.Change) error {
	if c.Kind != w.kind {
		return fmt.Errorf("it is a %s, not a %s", c.Kind, w.kind)
	}
	w.key[0] = byte(c.Kind)
	copy(w.key[1:], c.ID[:])
	old := record(w.objects.Get(w.key[:]))
	if c.Removed != graphsync.NotRemoved {
		if !slices.Contains(removals, c.Removed) {
			return fmt.Errorf("removal for the unknown reason %.40q", c.Removed)
		}
		if old == nil {
			return nil
		}
		changed, err := w.tx.bury(w.pending, w.objects, c.Kind, c.ID, old, c.Removed, w.round)
		if changed {
			w.stats.Removed++
		}
		return err
	}
	if err := w.upsert(c, old); err != nil {
		return err
	}
	for _, m := range c.Members {
		if err := w.member(c.ID, m); err != nil {
			return err
		}
	}
	return nil
}

func (w *pageWriter) upsert(c *graphsync.Change, old []byte) error {
	w.fresh = w.fresh[:0]
	for _, p := range c.Properties {
		index, err := w.tx.name(p.Name)
		if err != nil {
			return err
		}
		w.fresh = append(w.fresh, property{uint64(index), p.Value})
	}
	w.fresh = lastOfEach(w.fresh)

	var before []byte
	if old != nil {
		before = old[recordHeader:]
	}
	rec, same := w.tx.merge(w.round, before, w.fresh)
	switch {
	case old == nil:
		w.stats.Added++
		w.live++
	case old[0] != 0:
		w.stats.Restored++
		w.live++
	case !same:
		w.stats.Changed++
	case roundOf(old) == w.round:
		w.tx.giveBack(rec)
		return nil
	default: // seen for the first time in this round, and as it was
		return w.objects.Put(w.key[:], rec)
	}
	restored := old != nil && old[0] != 0
	if err := w.objects.Put(w.key[:], rec); err != nil {
		return err
	}
	if err := w.pending.add(PendingKey{Kind: c.Kind, ID: c.ID}); err != nil || !restored || c.Kind != graphsync.Group {
		return err
	}
	return w.tx.pendMembers(w.pending, c.ID)
}

func (w *pageWriter) member(group graphsync.ID, m graphsync.MemberChange) error {
	member := Member{Kind: m.Kind, ID: m.ID}
	key := memberKey(group, member)
	stamp := w.members.Get(key)
	if m.Removed {
		if stamp == nil {
			return nil
		}
		w.stats.MembersRemoved++
		if err := errors.Join(w.members.Delete(key), w.memberOf.Delete(pairKey(m.ID, group))); err != nil {
			return err
		}
		return w.pending.member(group, member)
	}
	if stamp != nil {
		if parseUint32(stamp) == w.round {
			return nil
		}
		return w.members.Put(key, w.stamp)
	}
	w.stats.MembersAdded++
	if err := errors.Join(w.members.Put(key, w.stamp), w.memberOf.Put(pairKey(m.ID, group), []byte{})); err != nil {
		return err
	}
	return w.pending.member(group, member)
}

// lastOfEach sorts properties by index and keeps the last of each.
func lastOfEach(p []property) []property {
	slices.SortStableFunc(p, func(a, b property) int { return cmp.Compare(a.index, b.index) })
	kept := p[:0]
	for i := range p {
		if i+1 == len(p) || p[i+1].index != p[i].index {
			kept = append(kept, p[i])
		}
	}
	return kept
}
