package reconcile

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/state"
)

// upcomingDays is how far ahead a plan announces what dates will change.
const upcomingDays = 7

// upcomingExamples bounds the objects that are named of one day.
const upcomingExamples = 10

// announce adds to the report of a dry run what dates change today and in the next days. It reads when objects are due,
// and the objects that it names.
func (p *planner) announce(context.Context) error {
	if p.opts.Apply || p.opts.partial() || !p.sync.dated() {
		return nil
	}
	return p.tenant.View(func(tx *state.Tx) error {
		a := announcement{config: p.sync.config(), tx: tx, now: p.now, zone: cmp.Or(p.sync.Zone, time.UTC), days: map[string]*UpcomingDay{}}
		year, month, day := p.now.In(a.zone).Date()
		a.until = time.Date(year, month, day+upcomingDays+1, 0, 0, 0, 0, a.zone)
		drafted := tx.Space(p.sync.Name, draftedSpace)
		err := errors.Join(
			a.add(tx.Space(p.sync.Name, duePlannedSpace), nil),
			a.add(dueTimesOf(tx, p.sync.Name).at, func(key state.PendingKey) bool {
				return p.findings.all || drafted.Has(pendingBytes(key))
			}))
		p.ledger.report.Upcoming = a.sorted()
		return err
	})
}

// An announcement gathers by day what is due.
type announcement struct {
	config     *desired.Config
	tx         *state.Tx
	zone       *time.Location
	now, until time.Time
	days       map[string]*UpcomingDay
}

// add adds what dates change from now on, but for what the plan has evaluated again.
func (a *announcement) add(due *state.Space, again func(state.PendingKey) bool) error {
	from := newDueKey(a.now, 0, graphsync.ID{})
	for raw := range due.All(from[:]) {
		at, key, err := parseDueKey(raw)
		switch {
		case err != nil || !at.Before(a.until):
			return err
		case again != nil && again(key):
			continue
		}
		u, changes := a.evaluateAt(at, key)
		if !changes {
			continue
		}
		name := at.In(a.zone).Format(time.DateOnly)
		day := a.days[name]
		if day == nil {
			day = &UpcomingDay{Day: name}
			a.days[name] = day
		}
		if day.Objects++; len(day.Examples) < upcomingExamples {
			day.Examples = append(day.Examples, u)
		}
	}
	return nil
}

// evaluateAt evaluates an object as it will be at a time. changes says that this is not what it is now.
func (a *announcement) evaluateAt(at time.Time, key state.PendingKey) (u Upcoming, changes bool) {
	object, _ := a.tx.Objects().Get(key.Kind, key.ID)
	u = Upcoming{At: at.In(a.zone), Kind: key.Kind, SourceID: key.ID, Key: desired.KeyOf(&object, nil), InScope: a.inScope(&object, at)}
	return u, u.InScope != a.inScope(&object, a.now)
}

func (a *announcement) inScope(object *state.Object, at time.Time) bool {
	eval := desired.NewEvaluator(a.config, at).In(a.tx)
	if object.Kind == graphsync.Group {
		_, in, _ := eval.GroupInScope(object)
		return in
	}
	stand := eval.Eligibility(object, nil)
	return stand.InScope && stand.Problem == ""
}

// sorted returns the days in order.
func (a *announcement) sorted() []UpcomingDay {
	days := make([]UpcomingDay, 0, len(a.days))
	for _, name := range slices.Sorted(maps.Keys(a.days)) {
		day := a.days[name]
		slices.SortStableFunc(day.Examples, func(x, y Upcoming) int { return x.At.Compare(y.At) })
		days = append(days, *day)
	}
	return days
}
