package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"entrasync/graphsync"
)

// An AssignmentRound takes in a complete reading of an app's assignments and compares it with
// the state by assignment id. Rows not known yet are staged on disk as they come; nothing of
// them shows before Commit, and a round that is dropped changes nothing. It holds a bit per
// row in memory. One round of an app at a time; it is not safe for concurrent use.
type AssignmentRound struct {
	tenant  *Tenant
	appID   string
	base    uint32                          // the generation compared with
	seen    []uint64                        // bitmap over row numbers
	rows    int                             // bits set in seen
	fresh   int                             // of them, rows not in the state yet
	altered map[string]graphsync.Assignment // known ids that say something else now
}

// An AssignmentDiff says what a reading changed.
type AssignmentDiff struct {
	Rows       int // in the reading
	Added      int
	Removed    int
	Principals int // that lost at least one row
}

// BeginAssignments starts a reading of an app's assignments.
func (t *Tenant) BeginAssignments(appID string) (*AssignmentRound, error) {
	r := &AssignmentRound{tenant: t, appID: appID, altered: map[string]graphsync.Assignment{}}
	err := t.View(func(tx *Tx) error {
		r.base = tx.generation(appID)
		return nil
	})
	return r, err
}

// Add takes in rows as they were read. A row that comes twice counts once.
func (r *AssignmentRound) Add(rows []graphsync.Assignment) error {
	var unknown []graphsync.Assignment
	err := r.tenant.View(func(tx *Tx) error {
		ids := tx.tree(bucketAssignments, r.appID, inIDs)
		for _, a := range rows {
			if a.ID == "" || a.PrincipalKind == 0 {
				return fmt.Errorf("add assignment of %s: it has no id or no kind of principal", a.Principal)
			}
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
	if err != nil || len(unknown) == 0 {
		return err
	}
	return r.tenant.Update(func(tx *Tx) error { return r.stage(tx, unknown) })
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

// Missing returns how many rows of the state have not come yet.
func (r *AssignmentRound) Missing() (int, error) {
	missing := 0
	err := r.tenant.View(func(tx *Tx) error {
		missing = tx.CountAssignments(r.appID) - (r.rows - r.fresh)
		return nil
	})
	return missing, err
}

func (r *AssignmentRound) saw(number uint32) bool {
	word := int(number / 64)
	return word < len(r.seen) && bits.OnesCount64(r.seen[word]&(1<<(number%64))) == 1
}

// stage writes rows for the generation to come.
func (r *AssignmentRound) stage(tx *Tx, rows []graphsync.Assignment) error {
	trees, err := tx.appTrees(r.appID)
	if err != nil {
		return err
	}
	for _, a := range rows {
		if v := trees.ids.Get([]byte(a.ID)); v != nil {
			r.meet(parseAssignmentRow([]byte(a.ID), v), a)
			continue
		}
		n, err := trees.ids.NextSequence()
		if err != nil {
			return err
		}
		row := assignmentRow{number: uint32(n), generation: r.base + 1, a: a}
		if err := trees.put(&row); err != nil {
			return fmt.Errorf("stage assignment of %s: %w", a.Principal, err)
		}
		tx.bump(stagedCounter(r.appID), 1)
		r.meet(row, a)
	}
	return nil
}

// Commit makes the reading the state: staged rows appear, rows that did not come disappear,
// and the principals of both, for groups their direct members too, are pending for the syncs.
// When nothing changed nothing is written. The caller vouches that the reading is complete.
func (r *AssignmentRound) Commit(syncs []string) (AssignmentDiff, error) {
	same := false
	err := r.tenant.View(func(tx *Tx) error {
		if g := tx.generation(r.appID); g != r.base {
			return fmt.Errorf("commit assignments of app %s: another reading was committed meanwhile", r.appID)
		}
		same = r.fresh == 0 && len(r.altered) == 0 && int(tx.count(stagedCounter(r.appID))) == r.rows
		return nil
	})
	if err != nil || same {
		return AssignmentDiff{Rows: r.rows}, err
	}
	var diff AssignmentDiff
	err = r.tenant.Update(func(tx *Tx) error {
		diff, err = r.commit(tx, tx.pender(syncs, false))
		return err
	})
	return diff, err
}

func (r *AssignmentRound) commit(tx *Tx, p *pender) (AssignmentDiff, error) {
	diff := AssignmentDiff{Rows: r.rows}
	lost, groups := map[graphsync.ID]struct{}{}, map[graphsync.ID]struct{}{}
	touch := func(a graphsync.Assignment) error {
		if a.PrincipalKind == graphsync.Group {
			if _, done := groups[a.Principal]; done {
				return nil // its members need not be walked twice
			}
			groups[a.Principal] = struct{}{}
		}
		return tx.pendPrincipal(p, Member{a.PrincipalKind, a.Principal})
	}

	// Writing to what is scanned is not allowed: collect first.
	trees, err := tx.appTrees(r.appID)
	if err != nil {
		return diff, err
	}
	var gone, altered []assignmentRow
	for k, v := range scan(trees.ids, nil, nil) {
		row := parseAssignmentRow(k, v)
		inState := row.generation <= r.base
		_, alters := r.altered[row.a.ID]
		switch {
		case !r.saw(row.number):
			gone = append(gone, row)
		case alters:
			altered = append(altered, row)
		case inState:
			continue
		}
		if r.saw(row.number) && (alters || !inState) {
			diff.Added++
		}
		if inState {
			diff.Removed++
			lost[row.a.Principal] = struct{}{}
		}
		if inState || r.saw(row.number) {
			if err := touch(row.a); err != nil {
				return diff, err
			}
		}
	}
	for i := range gone {
		if err := trees.delete(&gone[i]); err != nil {
			return diff, err
		}
	}
	for i := range altered {
		row := &altered[i]
		err := trees.delete(row)
		row.a, row.generation = r.altered[row.a.ID], r.base+1
		if err := errors.Join(err, trees.put(row), touch(row.a)); err != nil {
			return diff, err
		}
	}
	diff.Principals = len(lost)
	tx.bump(stagedCounter(r.appID), -len(gone))
	tx.bump(assignmentCounter(r.appID), r.rows-tx.CountAssignments(r.appID))
	if err := p.done(); err != nil {
		return diff, err
	}
	generation := binary.BigEndian.AppendUint32(nil, r.base+1)
	return diff, tx.put(keyGeneration, generation, bucketAssignments, r.appID, inGeneration)
}

// pendPrincipal makes a user, or a group and its direct members that are users, pending.
func (tx *Tx) pendPrincipal(p *pender, m Member) error {
	if err := p.add(PendingKey{Kind: m.Kind, ID: m.ID}); err != nil || m.Kind != graphsync.Group {
		return err
	}
	for member := range tx.Members(m.ID) {
		if member.Kind != graphsync.User {
			break // users come first
		}
		if err := p.add(PendingKey{Kind: graphsync.User, ID: member.ID}); err != nil {
			return err
		}
	}
	return nil
}
