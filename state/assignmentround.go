package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"entrasync/graphsync"
	"entrasync/state/kv"
)

// An AssignmentRound takes in a reading of an app's assignments and compares it with the state by
// assignment id. Rows not known yet are staged on disk as they come; nothing of them shows before
// Commit, and a round that is dropped changes nothing. It holds a bit per row in memory. One round
// of an app at a time; it is not safe for concurrent use.
//
// A row that the reading lacks is not gone for that: see [AssignmentRound.Unseen].
type AssignmentRound struct {
	tenant    *Tenant
	appID     string
	base      uint32                          // the generation compared with
	seen      []uint64                        // bitmap over row numbers
	rows      int                             // bits set in seen
	fresh     int                             // of them, rows not in the state yet
	altered   map[string]graphsync.Assignment // known ids that say something else now
	waiting   []graphsync.Assignment          // rows that were read and are not compared yet
	presences map[string]graphsync.Presence   // to the direct question about rows that were not seen
}

// An AssignmentDiff says what a reading changed.
type AssignmentDiff struct {
	Rows       int // in the reading
	Added      int
	Removed    int
	Principals int // that lost at least one row
	Waiting    int // rows that are kept until another round misses them too
}

// BeginAssignments starts a reading of an app's assignments.
func (t *Tenant) BeginAssignments(appID string) (*AssignmentRound, error) {
	r := &AssignmentRound{tenant: t, appID: appID, altered: map[string]graphsync.Assignment{}, presences: map[string]graphsync.Presence{}}
	err := t.View(func(tx *Tx) error {
		r.base = tx.Assignments(appID).generation()
		return nil
	})
	return r, err
}

// stageBatch is how many rows are compared and staged together. Ids and principals are as good as random: many rows in
// one commit share the pages of the file, and are written in the order of their keys.
const stageBatch = 20_000

// Add takes in rows as they were read. A row that comes twice counts once.
func (r *AssignmentRound) Add(rows []graphsync.Assignment) error {
	for _, a := range rows {
		if a.ID == "" || a.PrincipalKind == 0 {
			return fmt.Errorf("add assignment of %s: it has no id or no kind of principal", a.Principal)
		}
	}
	if r.waiting = append(r.waiting, rows...); len(r.waiting) < stageBatch {
		return nil
	}
	return r.flush()
}

// flush compares the rows that wait with the state, and stages those that it does not have.
func (r *AssignmentRound) flush() error {
	rows := lastRows(r.waiting)
	if len(rows) == 0 {
		return nil
	}
	var unknown []graphsync.Assignment
	err := r.tenant.View(func(tx *Tx) error {
		if err := r.current(tx); err != nil { // what it stages would count at once
			return err
		}
		ids := tx.kv.bucket(bucketAssignments, r.appID, inIDs)
		if ids != nil {
			ids.Warm(func(yield func([]byte) bool) {
				for i := 0; i < len(rows) && yield([]byte(rows[i].ID)); i++ {
				}
			})
		}
		for _, a := range rows {
			var v []byte
			if ids != nil {
				v = ids.Get([]byte(a.ID))
			}
			if v == nil {
				unknown = append(unknown, a)
			} else {
				r.meet(parseAssignmentRow([]byte(a.ID), v), a)
			}
		}
		return nil
	})
	if err == nil && len(unknown) > 0 {
		err = r.tenant.Update(func(tx *Tx) error { return r.stage(tx, unknown) })
	}
	r.waiting = r.waiting[:0]
	return err
}

// current returns an error when another reading was committed after this one began.
func (r *AssignmentRound) current(tx *Tx) error {
	if g := tx.Assignments(r.appID).generation(); g != r.base {
		return fmt.Errorf("commit assignments of app %s: another reading was committed meanwhile", r.appID)
	}
	return nil
}

// lastRows sorts rows by id and keeps the last of each.
func lastRows(rows []graphsync.Assignment) []graphsync.Assignment {
	slices.SortStableFunc(rows, func(a, b graphsync.Assignment) int { return strings.Compare(a.ID, b.ID) })
	kept := rows[:0]
	for i := range rows {
		if i+1 == len(rows) || rows[i+1].ID != rows[i].ID {
			kept = append(kept, rows[i])
		}
	}
	return kept
}

// meet marks a row that is in the file.
func (r *AssignmentRound) meet(row assignmentRow, a graphsync.Assignment) {
	if word := int(row.number / 64); word >= len(r.seen) {
		r.seen = append(r.seen, make([]uint64, word+1-len(r.seen))...)
	}
	bit := uint64(1) << (row.number % 64)
	if r.seen[row.number/64]&bit == 0 {
		r.seen[row.number/64] |= bit
		if r.rows++; row.generation > r.base {
			r.fresh++
		}
	}
	if row.a != a {
		r.altered[a.ID] = a
	} else {
		delete(r.altered, a.ID)
	}
}

// Unseen returns ids of rows of the state that have not come, by rising id, beginning behind after
// and at most limit. The list may be of a replica that lags behind: each of these rows is asked for
// by its own id before it is believed to be gone.
func (r *AssignmentRound) Unseen(after string, limit int) ([]string, error) {
	if err := r.flush(); err != nil {
		return nil, err
	}
	var ids []string
	err := r.tenant.View(func(tx *Tx) error {
		if tx.Assignments(r.appID).Count() == r.rows-r.fresh {
			return nil
		}
		for k, v := range scan(tx.kv.bucket(bucketAssignments, r.appID, inIDs), nil, []byte(after)) {
			row := parseAssignmentRow(k, v)
			if row.generation > r.base || r.saw(row.number) {
				continue
			}
			if ids = append(ids, row.a.ID); len(ids) == limit {
				break
			}
		}
		return nil
	})
	return ids, err
}

// RecordPresence records the response to the direct question whether an assignment exists. Unknown, also
// for a row that was not asked about, says that Graph refused to tell.
func (r *AssignmentRound) RecordPresence(id string, presence graphsync.Presence) {
	r.presences[id] = presence
}

func (r *AssignmentRound) saw(number uint32) bool {
	word := int(number / 64)
	return word < len(r.seen) && bits.OnesCount64(r.seen[word]&(1<<(number%64))) == 1
}

// stage writes rows that are not in the file, sorted by id, for the generation to come.
func (r *AssignmentRound) stage(tx *Tx, rows []graphsync.Assignment) error {
	trees, err := tx.Assignments(r.appID).buckets()
	if err != nil {
		return err
	}
	staged := make([]assignmentRow, len(rows))
	for i, a := range rows {
		n := trees.ids.Sequence() + 1
		if err := trees.ids.SetSequence(n); err != nil {
			return err
		}
		staged[i] = assignmentRow{number: uint32(n), generation: r.base + 1, a: a}
		if err := trees.ids.Put([]byte(a.ID), staged[i].encode()); err != nil {
			return fmt.Errorf("stage assignment of %s: %w", a.Principal, err)
		}
		r.meet(staged[i], a)
	}
	slices.SortFunc(staged, func(a, b assignmentRow) int {
		return cmp.Or(bytes.Compare(a.a.Principal[:], b.a.Principal[:]), cmp.Compare(a.number, b.number))
	})
	for i := range staged {
		if err := trees.principals.Put(staged[i].principalKey(), staged[i].principalValue()); err != nil {
			return fmt.Errorf("stage assignment of %s: %w", staged[i].a.Principal, err)
		}
	}
	tx.counts.add(stagedCounter(r.appID), len(rows))
	return nil
}

// Commit makes the reading the state: staged rows appear, rows that are gone disappear, and the
// principals of both, for groups their direct members too, are pending for the syncs. When nothing
// changed nothing is written.
//
// A row that did not come stays when Graph says that it exists. One that is absent disappears, and
// one of which Graph does not tell disappears when the round before missed it too; with twice, all
// have to be missed by two rounds.
func (r *AssignmentRound) Commit(syncs []string, twice bool) (AssignmentDiff, error) {
	if err := r.flush(); err != nil {
		return AssignmentDiff{}, err
	}
	same := false
	err := r.tenant.View(func(tx *Tx) error {
		if err := r.current(tx); err != nil {
			return err
		}
		marks := tx.kv.bucket(bucketAssignments, r.appID, inMissed)
		same = r.fresh == 0 && len(r.altered) == 0 && int(tx.counts.get(stagedCounter(r.appID))) == r.rows && isEmpty(marks)
		return nil
	})
	if err != nil || same {
		return AssignmentDiff{Rows: r.rows}, err
	}
	var diff AssignmentDiff
	err = r.tenant.Update(func(tx *Tx) error {
		diff, err = r.commit(tx, newPendingWriter(tx, syncs, false), twice)
		return err
	})
	return diff, err
}

// isEmpty reports whether a bucket that may not exist holds nothing.
func isEmpty(b kv.Bucket) bool {
	for range scan(b, nil, nil) {
		return false
	}
	return true
}

// A rowFate is what a commit does with a row of the file.
type rowFate byte

const (
	rowStays rowFate = iota
	rowAppears
	rowAltered
	rowWaits // for a second round that misses it
	rowGoes
	rowDropped // staged by a round that was never committed
)

// fate judges one row; missed says that the round before missed it.
func (r *AssignmentRound) fate(row *assignmentRow, missed, twice bool) rowFate {
	inState := row.generation <= r.base
	_, alters := r.altered[row.a.ID]
	switch {
	case r.saw(row.number) && alters:
		return rowAltered
	case r.saw(row.number) && inState:
		return rowStays
	case r.saw(row.number):
		return rowAppears
	case !inState:
		return rowDropped
	}
	switch presence := r.presences[row.a.ID]; {
	case presence == graphsync.Present:
		return rowStays
	case missed, presence != graphsync.Unknown && !twice:
		return rowGoes
	}
	return rowWaits
}

func (r *AssignmentRound) commit(tx *Tx, p *pendingWriter, twice bool) (AssignmentDiff, error) {
	diff := AssignmentDiff{Rows: r.rows}
	lost, groups := map[graphsync.ID]struct{}{}, map[graphsync.ID]struct{}{}
	touch := func(a graphsync.Assignment) error {
		if a.PrincipalKind == graphsync.Group {
			if _, done := groups[a.Principal]; done {
				return nil // its members need not be walked twice
			}
			groups[a.Principal] = struct{}{}
		}
		return p.principal(Member{a.PrincipalKind, a.Principal})
	}

	// Writing to what is scanned is not allowed: collect first.
	trees, err := tx.Assignments(r.appID).buckets()
	if err != nil {
		return diff, err
	}
	marks := tx.kv.bucket(bucketAssignments, r.appID, inMissed)
	byFate := map[rowFate][]assignmentRow{}
	rows := 0
	for k, v := range scan(trees.ids, nil, nil) {
		row := parseAssignmentRow(k, v)
		fate := r.fate(&row, marks != nil && marks.Get(k) != nil, twice)
		if fate != rowGoes && fate != rowDropped {
			rows++
		}
		switch fate {
		case rowStays:
		case rowAppears: // most of a first reading: they are not collected
			diff.Added++
			if err := touch(row.a); err != nil {
				return diff, err
			}
		default:
			byFate[fate] = append(byFate[fate], row)
		}
	}
	for _, row := range slices.Concat(byFate[rowGoes], byFate[rowDropped]) {
		if err := trees.delete(&row); err != nil {
			return diff, err
		}
	}
	for i := range byFate[rowAltered] {
		row := byFate[rowAltered][i]
		err := trees.delete(&row)
		row.a, row.generation = r.altered[row.a.ID], r.base+1
		if err := errors.Join(err, trees.put(&row), touch(row.a)); err != nil {
			return diff, err
		}
	}
	for _, fate := range []rowFate{rowGoes, rowAltered} {
		for i := range byFate[fate] {
			row := &byFate[fate][i]
			if fate != rowGoes {
				diff.Added++
			}
			if row.generation <= r.base {
				diff.Removed++
				lost[row.a.Principal] = struct{}{}
			}
			if err := touch(row.a); err != nil {
				return diff, err
			}
		}
	}
	diff.Principals, diff.Waiting = len(lost), len(byFate[rowWaits])
	if err := tx.Assignments(r.appID).markMissed(byFate[rowWaits]); err != nil {
		return diff, err
	}
	tx.counts.add(stagedCounter(r.appID), -len(byFate[rowGoes])-len(byFate[rowDropped]))
	tx.counts.add(assignmentCounter(r.appID), rows-tx.Assignments(r.appID).Count())
	if err := p.done(); err != nil {
		return diff, err
	}
	generation := binary.BigEndian.AppendUint32(nil, r.base+1)
	return diff, tx.kv.put(keyGeneration, generation, bucketAssignments, r.appID, inGeneration)
}

// markMissed remembers which rows the last round missed, and no others.
func (t Assignments) markMissed(rows []assignmentRow) error {
	if err := t.tx.kv.deleteBucket(bucketAssignments, t.app, inMissed); err != nil {
		return err
	}
	for _, row := range rows {
		if err := t.tx.kv.put([]byte(row.a.ID), []byte{}, bucketAssignments, t.app, inMissed); err != nil {
			return err
		}
	}
	return nil
}

// principal makes a user, or a group and its direct members that are users, pending.
func (p *pendingWriter) principal(m Member) error {
	if err := p.add(PendingKey{Kind: m.Kind, ID: m.ID}); err != nil || m.Kind != graphsync.Group {
		return err
	}
	for member := range p.tx.Members().Of(m.ID) {
		if member.Kind != graphsync.User {
			break // users come first
		}
		if err := p.add(PendingKey{Kind: graphsync.User, ID: member.ID}); err != nil {
			return err
		}
	}
	return nil
}
