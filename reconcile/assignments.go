package reconcile

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

// An assignmentReader brings the assignments of one application up to date.
type assignmentReader struct {
	source graphsync.Source
	tenant *state.Tenant
	syncs  []string // all syncs of the tenant
	twice  bool     // a row must be missed by two cycles, because accounts are deleted for it
	note   func(format string, args ...any)
	page   func(rows int) // reports progress
	order  *readOrder
	// uncounted takes a list whose rows are not as many as were counted.
	uncounted bool
}

// pullAssignments reads the enterprise application and all its assignments. Graph has no delta
// for them; they are compared by id, and taken only when as many came as Graph counted.
func (p *puller) pullAssignments(ctx context.Context, order *readOrder) error {
	if err := order.groups.begun.wait(ctx); err != nil {
		return err
	}
	app, err := p.source.App(ctx, p.sync.AppID)
	if err != nil {
		return fmt.Errorf("read the enterprise application %s: %w", p.sync.AppID, err)
	}
	if !app.Enabled {
		return &graphsync.Error{Class: graphsync.AppDisabled, Op: "servicePrincipals",
			Message: fmt.Sprintf("the enterprise application %q is disabled in tenant %s", app.Name, p.sync.Tenant),
			Hint:    "an administrator of the tenant can enable it: Enterprise applications, Properties, \"Enabled for users to sign-in\""}
	}
	same := false
	err = p.tenant.View(func(tx *state.Tx) error {
		known, ok := tx.Assignments(p.sync.AppID).App()
		same = ok && reflect.DeepEqual(known, *app)
		return nil
	})
	if err != nil {
		return err
	}
	if same {
		return p.readAssignments(ctx, app, order)
	}
	err = p.tenant.Update(func(tx *state.Tx) error {
		changed, err := tx.PutApp(*app)
		for i := 0; changed && err == nil && i < len(p.peers); i++ { // roles may have changed, for all who read them
			err = tx.Pending(p.peers[i]).SetEverything(true)
		}
		return err
	})
	if err != nil {
		return err
	}
	return p.readAssignments(ctx, app, order)
}

func (p *puller) readAssignments(ctx context.Context, app *graphsync.App, order *readOrder) error {
	reader := assignmentReader{source: p.source, tenant: p.tenant, syncs: p.peers, twice: p.needs.Deletes, note: p.ledger.note, order: order,
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
	losses := r.order.losses.Load()
	reading, err := r.list(ctx, appID, servicePrincipal)
	if err != nil {
		return diff, err
	}
	if err := r.order.groups.confirmed.wait(ctx); err != nil {
		return diff, err
	}
	if r.order.losses.Load() != losses { // see readLists
		if reading, err = r.list(ctx, appID, servicePrincipal); err != nil {
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
	if diff, err = reading.round.Commit(r.syncs, r.twice); err != nil {
		return diff, err
	}
	if diff.Waiting > 0 {
		r.note("%s", counted(diff.Waiting, "app role assignment is missing for the first time: it counts until the next cycle misses it too",
			"app role assignments are missing for the first time: they count until the next cycle misses them too"))
	}
	return diff, r.remember(appID, reading.strangers)
}

// list reads Graph's list.
func (r *assignmentReader) list(ctx context.Context, appID string, servicePrincipal graphsync.ID) (*assignmentReading, error) {
	round, err := r.tenant.BeginAssignments(appID)
	if err != nil {
		return nil, err
	}
	reading := &assignmentReading{tenant: r.tenant, round: round, strangers: map[graphsync.ID]string{}}
	rows := 0
	list, err := r.source.Assignments(ctx, servicePrincipal, func(page []graphsync.Assignment) error {
		rows += len(page)
		r.page(rows)
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
	if err != nil && !(r.uncounted && errors.Is(err, graphsync.ErrIncomplete)) {
		return nil, err
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
