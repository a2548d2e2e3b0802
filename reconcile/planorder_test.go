package reconcile

import (
	"slices"
	"testing"

	"entrasync/graphsync"
	"entrasync/reconcile/plan"
)

func TestKeyOrder(t *testing.T) {
	t.Parallel()
	type given struct {
		phase plan.Phase
		key   string
	}
	planned := []given{{plan.LeavePhase, "Zoe"}, {plan.LeavePhase, "ada"}, {plan.UserPhase, "dora"}, {plan.UserPhase, "Carl"}, {plan.UserPhase, "bob"}, {plan.GroupPhase, "b"}, {plan.GroupPhase, "B"}, {plan.GroupPhase, "a"}}
	for limit, want := range map[int][]string{
		3: {"ada", "Zoe", "bob", "Carl", "dora", "a", "B", "b"},
		2: {"ada", "Zoe", "dora", "Carl", "bob", "b", "B", "a"}, // phases of three are too large
		0: {"Zoe", "ada", "dora", "Carl", "bob", "b", "B", "a"},
	} {
		var got []string
		order := keyOrder{limit: limit, yield: func(a plan.Action) bool { got = append(got, a.Key); return true }}
		for _, g := range planned {
			if len(order.waiting) > limit {
				t.Errorf("limit %d: %d actions are kept", limit, len(order.waiting))
			}
			order.add(g.phase, plan.Action{Key: g.key})
		}
		order.flush()
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: %v, want %v", limit, got, want)
		}
	}
}

func TestKeyOrderEndsWhenNoMoreIsWanted(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{0, 10} {
		n := 0
		order := keyOrder{limit: limit, yield: func(plan.Action) bool { n++; return false }}
		for range 3 {
			if !order.add(plan.UserPhase, plan.Action{}) {
				break
			}
		}
		if limit > 0 && order.flush() {
			t.Error("flush wants more")
		}
		if n != 1 {
			t.Errorf("limit %d: %d actions were passed on", limit, n)
		}
	}
}

func TestSummaryCountsByKind(t *testing.T) {
	t.Parallel()
	var planned, done Summary
	planned.count(graphsync.User, plan.Create, 3)
	planned.count(graphsync.Group, plan.Create, 2)
	planned.count(graphsync.Group, plan.Members, 2)
	planned.countHeld(graphsync.User, true)
	planned.countSkipped(graphsync.Group)
	done.count(graphsync.User, plan.Create, 1)
	got := planned.applied(done)
	if planned.Create != 5 || planned.Users.Create != 3 || planned.Groups.Create != 2 || planned.Groups.Members != 2 || planned.Held != 1 {
		t.Errorf("planned %+v", planned)
	}
	if got.Create != 1 || got.Users.Create != 1 || got.Groups.Create != 0 || got.Members != 0 || got.Users.Held != 1 || got.Groups.Skipped != 1 {
		t.Errorf("applied %+v", got)
	}
	planned.count(graphsync.User, plan.Delete, 2)
	if n := planned.Users.unchanged(10, nil); n != 7 {
		t.Errorf("%d unchanged of 10 linked, one of which is held and two are to be deleted", n)
	}
	// One of three was made and none deleted: what failed is not linked, or still is.
	if n := planned.Users.unchanged(11, &done.Users); n != 7 {
		t.Errorf("%d unchanged of 11 linked, one of which is new", n)
	}
}
