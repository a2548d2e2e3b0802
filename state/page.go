package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

// A Cursor is how far a stream has been read. Its zero value: never.
type Cursor struct {
	Link     string `json:"link"`   // where to resume; empty: begin at the first page
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
	// Unplaced are entries since the last full round began that could not be understood and do not
	// say which object they are about, at most unplacedLimit.
	Unplaced []string `json:"unplaced,omitempty"`
	Pages    uint64   `json:"pages"`

	// Unindexed: memberships are not kept by member yet, see Members.Index.
	Unindexed bool `json:"unindexed,omitempty"`
	// Listing: users are being listed in parts; Link is not to be followed before EndListing.
	Listing bool `json:"listing,omitempty"`
	// Unverified: the full round was read from lists, which may lack users.
	Unverified bool `json:"unverified,omitempty"`
	Counted    int  `json:"counted,omitempty"` // users that were counted before they were listed
	Listed     int  `json:"listed,omitempty"`  // users there were after the list
	// Miscounted: the list does not fit the count, give or take one for each change since.
	Miscounted bool `json:"miscounted,omitempty"`
}

const unplacedLimit = 20

// unplaced adds an entry to Unplaced, once.
func (c *Cursor) unplaced(bad graphsync.BadRecord) {
	text := strings.TrimPrefix(bad.ID+": "+bad.Reason, ": ")
	if len(c.Unplaced) < unplacedLimit && !slices.Contains(c.Unplaced, text) {
		c.Unplaced = append(c.Unplaced, text)
	}
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

// Get returns a stream's cursor.
func (t Cursors) Get(stream graphsync.Stream) Cursor {
	if text := t.tx.kv.get([]byte(stream), bucketCursors); text != nil {
		return fromJSON[Cursor]("cursor of "+string(stream), text)
	}
	return Cursor{}
}

// BeginRound starts a full round over the properties that selectKey stands for: the link is
// dropped, and everything counts as not seen.
func (t Cursors) BeginRound(stream graphsync.Stream, selectKey string, now time.Time) error {
	c := t.Get(stream)
	begun := map[graphsync.Stream]string{graphsync.Users: bucketListing, graphsync.Groups: bucketOpenMembers}
	if err := t.tx.kv.deleteBucket(begun[stream]); err != nil {
		return err
	}
	return t.put(stream, Cursor{
		Select: selectKey, Round: c.Round + 1, Full: true, Started: now.UTC(), Completed: c.Completed,
		Unindexed: stream == graphsync.Groups && (c.Unindexed || isEmpty(t.tx.kv.bucket(bucketMembers))),
	})
}

// EndSweep says that everything a full round did not see has been settled.
func (t Cursors) EndSweep(stream graphsync.Stream) error {
	c := t.Get(stream)
	if !c.Sweep {
		return nil
	}
	c.Sweep = false
	return t.put(stream, c)
}

func (t Cursors) put(stream graphsync.Stream, c Cursor) error {
	return t.tx.kv.putJSON([]byte(stream), c, bucketCursors)
}

// PutPage applies a page: its objects, its memberships, what becomes pending for the syncs,
// and the link behind it. A page after a completed round begins an incremental one. What is the
// same already is not written and makes nothing pending, so a page may be applied again.
//
// Properties that came overwrite, null included. In an incremental round absent ones stay: an
// entry may tell only part of an object. A full round tells the present state, in which a
// property that has no value is left out (delta query overview: "If the property was never set
// before it won't be included in the response at all"; a manager that was taken away before the
// round has no entry in manager@delta). So the first entry of an object in a full round replaces
// what was known, and further entries of the same round add to it.
//
// In a full round, syncs that have everything pending get no single keys.
func (tx *Tx) PutPage(stream graphsync.Stream, page *graphsync.Page, now time.Time, syncs []string) (PageStats, error) {
	return tx.PutPages(stream, []*graphsync.Page{page}, now, syncs)
}

// PutPages applies pages that follow each other, as PutPage does one by one. Only the last may have a delta link.
func (tx *Tx) PutPages(stream graphsync.Stream, pages []*graphsync.Page, now time.Time, syncs []string) (PageStats, error) {
	c := tx.Cursors().Get(stream)
	if c.Round == 0 || c.Listing {
		return PageStats{}, fmt.Errorf("put page of %s: no round was begun", stream)
	}
	for i, page := range pages {
		if (page.Next == "") == (page.Delta == "") || page.Next == "" && i < len(pages)-1 {
			return PageStats{}, fmt.Errorf("put page of %s: it must have a next or a delta link", stream)
		}
	}
	if c.Complete {
		c.Full, c.Complete, c.Started, c.Objects, c.Pages = false, false, now.UTC(), 0, 0
	}
	stats, err := putChanges(tx, stream, &c, pages, syncs)
	if err != nil {
		return PageStats{}, err
	}
	last := pages[len(pages)-1]
	c.Link = last.Next
	if last.Delta != "" {
		c.Link, c.Complete, c.Completed = last.Delta, true, now.UTC()
		c.Sweep = c.Sweep || c.Full
		c.Miscounted = c.Full && c.Unverified && !c.countFits()
		if c.Unindexed {
			if err := indexFewMembers(tx, &c); err != nil {
				return PageStats{}, err
			}
		}
	}
	return stats, tx.Cursors().put(stream, c)
}

// putChanges applies the entries of pages and counts them in the cursor.
func putChanges(tx *Tx, stream graphsync.Stream, c *Cursor, pages []*graphsync.Page, syncs []string) (PageStats, error) {
	w := newPageWriter(tx, stream, c.Round, newPendingWriter(tx, syncs, c.Full))
	w.full, w.unindexed = c.Full, c.Unindexed
	changes := w.inOrder(pages)
	w.warm(changes)
	for _, change := range changes {
		if err := w.change(change); err != nil {
			return PageStats{}, fmt.Errorf("put page of %s: %s: %w", stream, change.ID, err)
		}
		if err := w.pending.flush(); err != nil {
			return PageStats{}, err
		}
	}
	for _, page := range pages {
		for _, bad := range page.Skipped {
			if bad.Object.IsZero() {
				c.unplaced(bad)
				continue
			}
			if err := tx.Doubts().Put(Doubt{Kind: w.kind, ID: bad.Object, Reason: bad.Reason}); err != nil {
				return PageStats{}, err
			}
		}
		w.stats.Objects += len(page.Changes)
	}
	tx.counts.add(liveCounter(w.kind), w.live)
	if err := errors.Join(w.pending.done(), w.putMemberOf()); err != nil {
		return PageStats{}, err
	}
	c.Objects += uint64(w.stats.Objects)
	c.Pages += uint64(len(pages))
	return w.stats, nil
}

func newPageWriter(tx *Tx, stream graphsync.Stream, round uint32, pending *pendingWriter) *pageWriter {
	return &pageWriter{
		tx: tx, kind: stream.Kind(), round: round, stamp: binary.BigEndian.AppendUint32(nil, round),
		objects: tx.kv.bucket(bucketObjects), members: tx.kv.bucket(bucketMembers),
		hasDoubts: !isEmpty(tx.kv.bucket(bucketDoubts)), pending: pending,
		open: stream == graphsync.Groups && tx.Members().HaveOpen(),
	}
}

// A pageWriter is PutPage at work.
type pageWriter struct {
	tx        *Tx
	kind      graphsync.Kind
	round     uint32
	full      bool   // the round tells the present state of everything
	stamp     []byte // round as memberships store it
	objects   kv.Bucket
	members   kv.Bucket
	memberOf  []memberOfChange // written together, in the order of their keys
	unindexed bool             // memberships by member are written later
	hasDoubts bool             // there are doubts that an entry may end
	open      bool             // there are members of an unknown type
	pending   *pendingWriter
	live      int // change of the number of live objects
	fresh     []property
	key       [1 + len(graphsync.ID{})]byte
	stats     PageStats
}

// warm says which objects and memberships changes are about.
func (w *pageWriter) warm(changes []*graphsync.Change) {
	w.objects.Warm(func(yield func([]byte) bool) {
		for _, c := range changes {
			if !yield(objectKey(c.Kind, c.ID)) {
				return
			}
		}
	})
	w.members.Warm(func(yield func([]byte) bool) {
		for _, c := range changes {
			for _, m := range c.Members {
				if !yield(memberKey(c.ID, Member{Kind: m.Kind, ID: m.ID})) {
					return
				}
			}
		}
	})
}

func (w *pageWriter) change(c *graphsync.Change) error {
	if c.Kind != w.kind {
		return fmt.Errorf("it is a %s, not a %s", c.Kind, w.kind)
	}
	w.key[0] = byte(c.Kind)
	copy(w.key[1:], c.ID[:])
	old := record(w.objects.Get(w.key[:]))
	if w.hasDoubts && (c.Kind != graphsync.Group || c.Removed != graphsync.NotRemoved) {
		// An entry tells all of a user. Of a group it tells what changed among the members.
		if err := w.tx.Doubts().End(c.Kind, c.ID); err != nil {
			return err
		}
	}
	if c.Removed != graphsync.NotRemoved {
		if !slices.Contains(removals, c.Removed) {
			return fmt.Errorf("removal for the unknown reason %.40q", c.Removed)
		}
		if old == nil {
			return nil
		}
		changed, err := w.tx.Objects().tombstone(w.pending, w.objects, c.Kind, c.ID, old, c.Removed, w.round)
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
		index, err := w.tx.attributes.index(p.Name)
		if err != nil {
			return err
		}
		w.fresh = append(w.fresh, property{uint64(index), p.Value})
	}
	w.fresh = lastOfEach(w.fresh)

	var before []byte // what the entry adds to
	if old != nil && !(w.full && roundOf(old) != w.round) {
		before = old[recordHeader:]
	}
	rec := w.tx.Objects().merge(w.round, before, w.fresh)
	same := old != nil && bytes.Equal(rec[recordHeader:], old[recordHeader:])
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
		w.tx.kv.tx.Arena().GiveBack(rec)
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
	return w.tx.Objects().pendMembers(w.pending, c.ID)
}

// kindOf finds out what a member is whose type an entry does not give, or gives in a word that Graph
// has added: by a membership that is known, or by the snapshot.
func (w *pageWriter) kindOf(group, member graphsync.ID) graphsync.Kind {
	for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
		if w.members.Get(memberKey(group, Member{kind, member})) != nil {
			return kind
		}
	}
	return w.tx.Objects().KindOf(member)
}

func (w *pageWriter) member(group graphsync.ID, m graphsync.MemberChange) error {
	if m.Kind == 0 {
		m.Kind = w.kindOf(group, m.ID)
	}
	switch {
	case m.Kind != 0:
	case m.Removed: // of something that is not known as a member
		return w.dropOpenMember(group, m.ID)
	default:
		w.open = true
		return w.tx.Members().putOpen(group, m.ID)
	}
	member := Member{Kind: m.Kind, ID: m.ID}
	key := memberKey(group, member)
	stamp := w.members.Get(key)
	if m.Removed {
		if err := w.dropOpenMember(group, m.ID); err != nil || stamp == nil {
			return err
		}
		w.stats.MembersRemoved++
		w.indexMember(group, m.ID, false)
		if err := w.members.Delete(key); err != nil {
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
	w.indexMember(group, m.ID, true)
	if err := w.members.Put(key, w.stamp); err != nil {
		return err
	}
	return w.pending.member(group, member)
}

// inOrder yields the changes of pages: users by id, because what is written in the order of keys costs least;
// groups as they came, because their entries are parts of one another. Changes of one user keep their order.
func (w *pageWriter) inOrder(pages []*graphsync.Page) []*graphsync.Change {
	var changes []*graphsync.Change
	for _, page := range pages {
		for i := range page.Changes {
			changes = append(changes, &page.Changes[i])
		}
	}
	if w.kind == graphsync.User {
		slices.SortStableFunc(changes, func(a, b *graphsync.Change) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	}
	return changes
}

// A memberOfChange is a membership by member and group that came or went.
type memberOfChange struct {
	key     []byte
	present bool
}

func (w *pageWriter) indexMember(group, member graphsync.ID, present bool) {
	if !w.unindexed || !present {
		w.memberOf = append(w.memberOf, memberOfChange{pairKey(member, group), present})
	}
}

// putMemberOf writes the memberships by member. The last change of each counts.
func (w *pageWriter) putMemberOf() error {
	memberOf := w.tx.kv.bucket(bucketMemberOf)
	slices.SortStableFunc(w.memberOf, func(a, b memberOfChange) int { return bytes.Compare(a.key, b.key) })
	for i, change := range w.memberOf {
		var err error
		switch {
		case i+1 < len(w.memberOf) && bytes.Equal(w.memberOf[i+1].key, change.key):
		case change.present:
			err = memberOf.Put(change.key, []byte{})
		default:
			err = memberOf.Delete(change.key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropOpenMember forgets a member of an unknown type that has left the group.
func (w *pageWriter) dropOpenMember(group, member graphsync.ID) error {
	if !w.open {
		return nil
	}
	_, err := w.tx.kv.delete(pairKey(group, member), bucketOpenMembers)
	return err
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
