package snapshot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"

	"entrasync/graphsync"
	"entrasync/state"
)

const (
	// assignmentBatch is how many missing assignments are asked about between two looks at the state.
	assignmentBatch = 500
	// strangerLimit bounds how many principals of an unknown type are remembered.
	strangerLimit = 1000
	// openLimit bounds how many rows wait for the type of their principal.
	openLimit = 10_000
)

// An assignmentReader brings an enterprise application and its assignments up to date.
type assignmentReader struct {
	source      graphsync.Source
	tenant      *state.Tenant
	tenantID    graphsync.ID
	sync        string // whose cycle it is
	appID       string
	tenantSyncs []string // all syncs of the tenant
	twice       bool     // a row must be missed by two cycles, because accounts are deleted for it
	apply       bool     // not a dry run
	took        *tally
	order       *readOrder
}

// bringUpToDate reads the enterprise application and all its assignments. Graph has no delta
// for them; they are compared by id, and taken only when as many came as Graph counted.
func (r *assignmentReader) bringUpToDate(ctx context.Context) error {
	if err := r.order.groups.begun.wait(ctx); err != nil {
		return err
	}
	app, err := r.source.App(ctx, r.appID)
	if err != nil {
		return fmt.Errorf("read the enterprise application %s: %w", r.appID, err)
	}
	if !app.Enabled {
		return &graphsync.Error{Class: graphsync.AppDisabled, Op: "servicePrincipals",
			Message: fmt.Sprintf("the enterprise application %q is disabled in tenant %s", app.Name, r.tenantID),
			Hint:    "an administrator of the tenant can enable it: Enterprise applications, Properties, \"Enabled for users to sign-in\""}
	}
	if err := r.putApp(app); err != nil {
		return err
	}
	var diff state.AssignmentDiff
	counted := miscount{tenant: r.tenant, sync: r.sync, appID: r.appID}
	err = readMiscounted(ctx, &counted, r.apply, func(ctx context.Context, uncounted bool) (err error) {
		diff, err = r.read(ctx, app.ID, uncounted)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the assignments of %q: %w", app.Name, err)
	}
	r.took.count(0, diff.Added+diff.Removed, 0)
	return nil
}

// putApp stores the application when it is not as it was: its roles may have changed, for all syncs that read them.
func (r *assignmentReader) putApp(app *graphsync.App) error {
	same := false
	err := r.tenant.View(func(tx *state.Tx) error {
		known, ok := tx.Assignments(r.appID).App()
		same = ok && reflect.DeepEqual(known, *app)
		return nil
	})
	if err != nil || same {
		return err
	}
	return r.tenant.Update(func(tx *state.Tx) error {
		changed, err := tx.PutApp(*app)
		if err != nil || !changed {
			return err
		}
		return setEverything(tx, r.tenantSyncs)
	})
}

// read takes in Graph's list. A row that the list lacks is asked for by its own id: the list may be
// of a replica that lags behind, and so may its count (Graph's documentation warns of recently
// granted assignments missing for a while). uncounted takes a list whose rows are not as many as were counted.
func (r *assignmentReader) read(ctx context.Context, servicePrincipal graphsync.ID, uncounted bool) (diff state.AssignmentDiff, err error) {
	losses := r.order.losses.Load()
	reading, err := r.list(ctx, servicePrincipal, uncounted)
	if err != nil {
		return diff, err
	}
	if err := r.order.groups.confirmed.wait(ctx); err != nil {
		return diff, err
	}
	if r.order.losses.Load() != losses { // see readLists
		if reading, err = r.list(ctx, servicePrincipal, uncounted); err != nil {
			return diff, err
		}
	}
	if err := r.order.users.confirmed.wait(ctx); err != nil {
		return diff, err
	}
	if err := reading.place(); err != nil {
		return diff, err
	}
	if err := r.askUnseen(ctx, servicePrincipal, reading.round); err != nil {
		return diff, err
	}
	if diff, err = reading.round.Commit(r.tenantSyncs, r.twice); err != nil {
		return diff, err
	}
	if diff.Waiting > 0 {
		r.took.noteCount(diff.Waiting, "app role assignment is missing for the first time: it counts until the next cycle misses it too",
			"app role assignments are missing for the first time: they count until the next cycle misses them too")
	}
	return diff, r.remember(reading.strangers)
}

// list reads Graph's list.
func (r *assignmentReader) list(ctx context.Context, servicePrincipal graphsync.ID, uncounted bool) (*assignmentReading, error) {
	round, err := r.tenant.BeginAssignments(r.appID)
	if err != nil {
		return nil, err
	}
	reading := &assignmentReading{tenant: r.tenant, round: round, strangers: map[graphsync.ID]string{}}
	rows := 0
	list, err := r.source.Assignments(ctx, servicePrincipal, func(page []graphsync.Assignment) error {
		rows += len(page)
		r.took.count(1, 0, 0)
		r.took.report("assignments", rows)
		if len(reading.open) > openLimit { // their types are known when users and groups have been read
			if err := r.order.users.read.wait(ctx); err != nil {
				return err
			}
			if err := r.order.groups.read.wait(ctx); err != nil {
				return err
			}
			if err := reading.place(); err != nil {
				return err
			}
		}
		return reading.add(page)
	})
	differs := err
	if err != nil && !(uncounted && errors.Is(err, graphsync.ErrIncomplete)) {
		return nil, err
	}
	for _, bad := range list.Skipped {
		r.took.note("an app role assignment was not understood and left as it was: %s: %s", bad.ID, bad.Reason)
	}
	switch {
	case differs != nil:
		r.took.note("Graph's count of the app role assignments ($count) has differed from the rows in %d cycles (%v), so it is set aside: "+
			"new ones are used, and each that is missing is asked for; if this lasts, ask Microsoft support about appRoleAssignedTo with $count", miscountedCycles, differs)
	case !list.Counted:
		r.took.note("Graph gave no count of the app role assignments ($count), so it cannot be known whether all %d were read: "+
			"new ones are used, and each that is missing is asked for; if this lasts, see whether something between here and Graph drops $count or the header ConsistencyLevel", list.Rows)
	}
	return reading, nil
}

// An assignmentReading takes in one reading of Graph's list.
type assignmentReading struct {
	tenant    *state.Tenant
	round     *state.AssignmentRound
	open      []graphsync.Assignment // the type of the principal is a word that Graph has added
	strangers map[graphsync.ID]string
}

// add takes in a page. Rows whose principal is of an unknown type are kept until it can be placed.
func (r *assignmentReading) add(page []graphsync.Assignment) error {
	known := page[:0]
	for _, a := range page {
		if a.PrincipalKind == 0 {
			r.open = append(r.open, a)
		} else {
			known = append(known, a)
		}
	}
	return r.round.Add(known)
}

// place finds out what the principals are whose type is a word that Graph has added. One that the
// snapshot does not have is left out and remembered.
func (r *assignmentReading) place() error {
	if len(r.open) == 0 {
		return nil
	}
	var known []graphsync.Assignment
	err := r.tenant.View(func(tx *state.Tx) error {
		for _, a := range r.open {
			a.PrincipalKind = tx.Objects().KindOf(a.Principal)
			switch {
			case a.PrincipalKind != 0:
				known = append(known, a)
			case len(r.strangers) < strangerLimit:
				r.strangers[a.Principal] = fmt.Sprintf("app role assignment %s gives a principalType that is not known", a.ID)
			}
		}
		return nil
	})
	r.open = r.open[:0]
	if err != nil {
		return err
	}
	return r.round.Add(known)
}

func (r *assignmentReader) remember(strangers map[graphsync.ID]string) error {
	same := false
	err := r.tenant.View(func(tx *state.Tx) error {
		same = maps.Equal(tx.Assignments(r.appID).Strangers(), strangers)
		return nil
	})
	if err != nil || same {
		return err
	}
	return r.tenant.Update(func(tx *state.Tx) error { return tx.Assignments(r.appID).PutStrangers(strangers) })
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
		presence, err := r.source.AssignmentPresence(ctx, servicePrincipal, ids)
		if err != nil {
			return fmt.Errorf("confirm that %d app role assignments are gone: %w", len(ids), err)
		}
		for i, id := range ids {
			round.RecordPresence(id, presence[i])
			if presence[i] == graphsync.Present {
				present++
			}
		}
		after = ids[len(ids)-1]
	}
	if present > 0 {
		r.took.noteCount(present, "app role assignment was missing from Graph's list but exists: it was kept", "app role assignments were missing from Graph's list but exist: they were kept")
	}
	return nil
}
