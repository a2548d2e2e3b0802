package targettest

import (
	"context"
	"errors"
	"fmt"

	"entrasync/target"
)

var listRules = []rule{
	{"list", "List yields every resource of the kind exactly once, over all pages, and none of the other kind", listEverythingOnce},
	{"list-stops", "List stops at the error its caller returns, and returns it", listStops},
	{"list-cancelled", "a List that is cancelled on the way returns an error, since half a list would pass for a whole one", listCancelled},
}

// createMany fills the application and returns the ids.
func (t *trial) createMany(n int) (ids []string, err error) {
	for i := range n {
		r, err := t.createWith(target.User, t.attrs("userName", fmt.Sprintf("user%04d@example.com", i), "active", i%10 != 0))
		if err != nil {
			return nil, err
		}
		ids = append(ids, r.ID)
	}
	return ids, nil
}

func (t *trial) lister() (target.Lister, error) {
	l, ok := ability[target.Lister](t.a)
	if !ok {
		return nil, notOffered("Lister")
	}
	return l, nil
}

func listEverythingOnce(t *trial) error {
	if _, err := t.lister(); err != nil {
		return err
	}
	empty, err := listAll(t.ctx, t.a, target.User)
	if err != nil || len(empty) != 0 {
		return fmt.Errorf("listed %d users of an empty application (error: %v)", len(empty), err)
	}
	ids, err := t.createMany(t.h.Many)
	if err != nil {
		return err
	}
	groups := 0
	if _, err := t.createGroup("Sales"); err == nil {
		groups = 1
	} else if absent := notOffered(""); !errors.As(err, &absent) {
		return err
	}
	all, err := listAll(t.ctx, t.a, target.User)
	if err != nil {
		return err
	}
	seen := map[string]int{}
	for _, r := range all {
		seen[r.ID]++
		if r.Kind != target.User {
			return fmt.Errorf("listed a %s among the users", r.Kind)
		}
		if name, _ := r.Value(at("userName")).(string); name == "" {
			return fmt.Errorf("listed the user %q without its userName: %v", r.ID, r.Attributes)
		}
	}
	for _, id := range ids {
		if seen[id] != 1 {
			return fmt.Errorf("listed one of %d users %d times, want once (id %s)", len(ids), seen[id], id)
		}
	}
	if len(all) != len(ids) {
		return fmt.Errorf("listed %d users, want %d", len(all), len(ids))
	}
	if groups == 0 {
		return nil
	}
	listed, err := listAll(t.ctx, t.a, target.Group)
	if err != nil {
		return err
	}
	if len(listed) != 1 || listed[0].Kind != target.Group {
		return fmt.Errorf("listed %d groups, want 1: %v", len(listed), listed)
	}
	return nil
}

func listStops(t *trial) error {
	l, err := t.lister()
	if err != nil {
		return err
	}
	if _, err := t.createMany(3); err != nil {
		return err
	}
	enough, calls := errors.New("enough"), 0
	err = l.List(t.ctx, target.User, func([]target.Resource) error {
		calls++
		return enough
	})
	if !errors.Is(err, enough) || calls != 1 {
		return fmt.Errorf("called a failing yield %d times and returned %v, want 1 and the yield's own error", calls, err)
	}
	return nil
}

func listCancelled(t *trial) error {
	l, err := t.lister()
	if err != nil {
		return err
	}
	if _, err := t.createMany(t.h.Many); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	got := 0
	err = l.List(ctx, target.User, func(page []target.Resource) error {
		got += len(page)
		cancel()
		return nil
	})
	if err == nil && got != t.h.Many {
		return fmt.Errorf("returned no error from a cancelled List that had yielded %d of %d users", got, t.h.Many)
	}
	return nil
}
