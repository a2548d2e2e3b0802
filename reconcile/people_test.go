package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// hire makes users by first name: the n-th gets the number n, from 1.
func (d *directory) hire(names ...string) {
	for i, name := range names {
		d.person(i+1, strings.ToLower(name)+"@example.com", name)
	}
}

// set changes a property of a user; value is JSON, "" leaves the property out.
func (d *directory) set(n int, name, value string) {
	change := d.people[userID(n)]
	change.Properties = slices.DeleteFunc(slices.Clone(change.Properties), func(p graphsync.Property) bool { return p.Name == name })
	if value != "" {
		change.Properties = append(change.Properties, graphsync.Property{Name: name, Value: []byte(value)})
	}
	d.people[userID(n)] = change
	d.pending = append(d.pending, change)
}

// leaveAll soft-deletes users by first name.
func (d *directory) leaveAll(names ...string) {
	for _, name := range names {
		d.gone(strings.ToLower(name)+"@example.com", graphsync.SoftDeleted)
	}
}

// comeBack restores a user that was soft-deleted.
func (d *directory) comeBack(n int) {
	delete(d.removed, userID(n))
	d.pending = append(d.pending, d.people[userID(n)])
}

// linked is a customer whose users have accounts.
func linked(t *testing.T, change func(*reconcile.Sync), names ...string) *customer {
	t.Helper()
	c := newService(t).customer("contoso")
	c.change = change
	c.source.hire(names...)
	want(t, "first cycle", c.cycle(), fmt.Sprintf("%d created", len(names)))
	return c
}

// partial makes a cycle that may have failed records, and returns what it did and what failed.
func (c *customer) partial(opts reconcile.Options) string {
	c.t.Helper()
	report, err := c.run(opts)
	if err != nil {
		c.t.Fatal(err)
	}
	return summary(report)
}

// summary is told, with the failures.
func summary(report *reconcile.Report) string {
	text := told(report)
	for _, e := range report.Errors {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("failed to %s %s: %s", e.Op, e.Key, e.Code)
	}
	return text
}

// stored is what the state has of a customer, and what is decided about it there.
type stored struct{ c *customer }

func (c *customer) stored() stored { return stored{c} }

// tx reads or writes the tenant's state.
func (s stored) tx(do func(tx *state.Tx) error) {
	s.c.t.Helper()
	tenant, err := s.c.store.Tenant(s.c.id)
	if err != nil {
		s.c.t.Fatal(err)
	}
	defer tenant.Close()
	if err := tenant.Update(do); err != nil {
		s.c.t.Fatal(err)
	}
}

// retries lists what is kept to be looked at again: name and code of each.
func (s stored) retries() (list []string) {
	s.c.t.Helper()
	s.tx(func(tx *state.Tx) error {
		for retry := range tx.Retries(s.c.sync).All() {
			list = append(list, retry.Name+" "+retry.Code)
		}
		return nil
	})
	return list
}

// holds lists what is held: id, guard and number of each hold.
func (s stored) holds() string {
	s.c.t.Helper()
	var parts []string
	s.tx(func(tx *state.Tx) error {
		for hold := range tx.Holds(s.c.sync).All() {
			parts = append(parts, fmt.Sprintf("%s %s %d", hold.ID, hold.Guard, hold.Count))
		}
		return nil
	})
	return strings.Join(parts, ", ")
}

// decide approves or rejects a hold and returns how many actions that answers, 0 when there is no
// such hold.
func (s stored) decide(do func(*state.Tx, string, string) (int, error), hold string) (n int) {
	s.c.t.Helper()
	s.tx(func(tx *state.Tx) error {
		n, _ = do(tx, s.c.sync, hold)
		return nil
	})
	return n
}

func approve(tx *state.Tx, sync, hold string) (int, error) {
	return guard.Approve(tx, sync, hold, plan.Decision{})
}

func reject(tx *state.Tx, sync, hold string) (int, error) {
	return guard.Reject(tx, sync, hold, plan.Decision{})
}

func count(n int) guard.Limit { return guard.Limit{Count: &n} }

func percent(p float64) guard.Limit { return guard.Limit{Percent: &p} }

// guarded has a sync compare with these limits; a first run may remove.
func guarded(g guard.Guard) func(*reconcile.Sync) {
	return func(s *reconcile.Sync) {
		g.FirstRunRemovals = true
		s.Guard = g
	}
}

// protected has a sync leave accounts alone that one of the filters fits.
func protected(t *testing.T, filters ...string) func(*reconcile.Sync) {
	t.Helper()
	var protect []target.Filter
	for _, text := range filters {
		filter, err := target.ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		protect = append(protect, filter)
	}
	return func(s *reconcile.Sync) { s.Scope.Protect = protect }
}
