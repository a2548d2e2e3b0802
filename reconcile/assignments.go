package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"entrasync/graphsync"
	"entrasync/state"
)

const (
	// assignmentBatch is how many missing assignments are asked about between two looks at the state.
	assignmentBatch = 500
	// strangerLimit bounds how many principals of an unknown type are remembered.
	strangerLimit = 1000
)

// An assignmentReader brings the assignments of one application up to date.
type assignmentReader struct {
	source graphsync.Source
	tenant *state.Tenant
	syncs  []string // all syncs of the tenant
	twice  bool     // a row must be missed by two cycles, because accounts are deleted for it
	note   func(format string, args ...any)
	page   func(rows int) // reports progress
	// uncounted takes a list whose rows are not as many as were counted.
	uncounted bool
}

func (p *puller) readAssignments(ctx context.Context, app *graphsync.App) error {
	reader := assignmentReader{source: p.source, tenant: p.tenant, syncs: p.peers, twice: p.needs.Deletes, note: p.ledger.note,
		page: func(rows int) {
			p.ledger.readPage(0, 0)
			p.ledger.reportProgress("assignments", rows, 0)
		}}
	var diff state.AssignmentDiff
	counted := miscount{tenant: p.tenant, sync: p.sync.Name, appID: p.sync.AppID}
	err := readMiscounted(ctx, &counted, p.opts.Apply, func(ctx context.Context, uncounted bool) (err error) {
		reader.uncounted = uncounted
		diff, err = reader.read(ctx, p.sync.AppID, app.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the assignments of %q: %w", app.Name, err)
	}
	p.ledger.readObjects(diff.Added + diff.Removed)
	return nil
}

// read takes in Graph's list. A row that the list lacks is asked for by its own id: the list may be
// of a replica that lags behind, and so may its count (Graph's documentation warns of recently
// granted assignments missing for a while).
func (r *assignmentReader) read(ctx context.Context, appID string, servicePrincipal graphsync.ID) (diff state.AssignmentDiff, err error) {
	round, err := r.tenant.BeginAssignments(appID)
	if err != nil {
		return diff, err
	}
	rows, strangers := 0, map[graphsync.ID]string{}
	list, err := r.source.Assignments(ctx, servicePrincipal, func(page []graphsync.Assignment) error {
		rows += len(page)
		r.page(rows)
		page, err := r.placed(page, strangers)
		if err != nil {
			return err
		}
		return round.Add(page)
	})
	differs := err
	if err != nil && !(r.uncounted && errors.Is(err, graphsync.ErrIncomplete)) {
		return diff, err
	}
	for _, bad := range list.Skipped {
		r.note("an app role assignment was not understood and left as it was: %s: %s", bad.ID, bad.Reason)
	}
	switch {
	case differs != nil:
		r.note("Graph's count of the app role assignments ($count) has differed from the rows in %d cycles (%v), so it is set aside: "+
			"new ones are used, and each that is missing is asked for; if this lasts, ask Microsoft support about appRoleAssignedTo with $count", miscountedCycles, differs)
	case !list.Counted:
		r.note("Graph gave no count of the app role assignments ($count), so it cannot be known whether all %d were read: "+
			"new ones are used, and each that is missing is asked for; if this lasts, see whether something between here and Graph drops $count or the header ConsistencyLevel", list.Rows)
	}
	if err := r.askUnseen(ctx, servicePrincipal, round); err != nil {
		return diff, err
	}
	if diff, err = round.Commit(r.syncs, r.twice); err != nil {
		return diff, err
	}
	if diff.Waiting > 0 {
		r.note("%s", counted(diff.Waiting, "app role assignment is missing for the first time: it counts until the next cycle misses it too",
			"app role assignments are missing for the first time: they count until the next cycle misses them too"))
	}
	return diff, r.remember(appID, strangers)
}

func (r *assignmentReader) remember(appID string, strangers map[graphsync.ID]string) error {
	same := false
	err := r.tenant.View(func(tx *state.Tx) error {
		same = maps.Equal(tx.Assignments(appID).Strangers(), strangers)
		return nil
	})
	if err != nil || same {
		return err
	}
	return r.tenant.Update(func(tx *state.Tx) error { return tx.Assignments(appID).PutStrangers(strangers) })
}

// placed finds out what the principals are whose type is a word that Graph has added. One that the
// snapshot does not have is left out and remembered.
func (r *assignmentReader) placed(page []graphsync.Assignment, strangers map[graphsync.ID]string) (known []graphsync.Assignment, err error) {
	known = page[:0]
	err = r.tenant.View(func(tx *state.Tx) error {
		for _, a := range page {
			if a.PrincipalKind == 0 {
				a.PrincipalKind = tx.Objects().KindOf(a.Principal)
			}
			switch {
			case a.PrincipalKind != 0:
				known = append(known, a)
			case len(strangers) < strangerLimit:
				strangers[a.Principal] = fmt.Sprintf("app role assignment %s gives a principalType that is not known", a.ID)
			}
		}
		return nil
	})
	return known, err
}

// askUnseen asks Graph for each row that its list lacks.
func (r *assignmentReader) askUnseen(ctx context.Context, servicePrincipal graphsync.ID, round *state.AssignmentRound) error {
	present := 0
	for after := ""; ; {
		ids, err := round.Unseen(after, assignmentBatch)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			break
		}
		answers, err := r.source.AssignmentPresence(ctx, servicePrincipal, ids)
		if err != nil {
			return fmt.Errorf("confirm that %d app role assignments are gone: %w", len(ids), err)
		}
		for i, id := range ids {
			round.Answer(id, answers[i])
			if answers[i] == graphsync.Present {
				present++
			}
		}
		after = ids[len(ids)-1]
	}
	if present > 0 {
		r.note("%s", counted(present, "app role assignment was missing from Graph's list but exists: it was kept", "app role assignments were missing from Graph's list but exist: they were kept"))
	}
	return nil
}
