package reconcile_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/reconcile"
)

// rename changes the user principal names of users at once, by number.
func (c *customer) rename(names map[int]string) {
	for n, name := range names {
		c.source.person(n, name+"@example.com", "P")
	}
}

func staffOf(t *testing.T, people int) *customer {
	t.Helper()
	c := newService(t).customer("contoso")
	c.app().unique = true
	for n := 1; n <= people; n++ {
		c.source.person(n, fmt.Sprintf("p%d@example.com", n), "P")
	}
	want(t, "first cycle", c.cycle(), fmt.Sprintf("%d created", people))
	return c
}

// Names that move between users arrive in one cycle, in whatever order the users come.
func TestNamesThatMove(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		renames map[int]string
		want    string
	}{
		"a chain, upwards":              {map[int]string{1: "p2", 2: "p3", 3: "p4", 4: "new"}, "p2=P p3=P p4=P new=P p5=P"},
		"a chain, downwards":            {map[int]string{4: "p3", 3: "p2", 2: "p1", 1: "new"}, "new=P p1=P p2=P p3=P p5=P"},
		"a swap":                        {map[int]string{1: "p2", 2: "p1"}, "p2=P p1=P p3=P p4=P p5=P"},
		"a circle":                      {map[int]string{1: "p2", 2: "p3", 3: "p1"}, "p2=P p3=P p1=P p4=P p5=P"},
		"two circles":                   {map[int]string{1: "p2", 2: "p1", 3: "p4", 4: "p3"}, "p2=P p1=P p4=P p3=P p5=P"},
		"a circle and who waits for it": {map[int]string{1: "p2", 2: "p1", 3: "new", 4: "p3"}, "p2=P p1=P new=P p3=P p5=P"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := staffOf(t, 5)
			c.rename(test.renames)
			want(t, "renamed", c.cycle(), fmt.Sprintf("%d updated, %d unchanged", len(test.renames), 5-len(test.renames)))
			want(t, "accounts", c.app().String(), test.want)
			want(t, "and then", c.must(reconcile.Options{Apply: true, Full: true}), "5 unchanged")
		})
	}
}

// The order is one in which every name is free when it is taken, and everybody is renamed once.
func TestRenameOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		people := rapid.IntRange(1, 8).Draw(rt, "people")
		needs := map[graphsync.ID][]graphsync.ID{}
		for n := range people {
			for _, other := range rapid.SliceOfN(rapid.IntRange(0, people), 0, 2).Draw(rt, "needs") {
				if other != n {
					needs[userID(n)] = append(needs[userID(n)], userID(other))
				}
			}
		}
		freed, renamed := map[graphsync.ID]bool{}, map[graphsync.ID]int{}
		for id := range people + 1 {
			if _, waits := needs[userID(id)]; !waits {
				freed[userID(id)] = true // renamed before, or not at all
			}
		}
		for _, step := range reconcile.RenameOrder(needs) {
			if step.Temporary {
				freed[step.Objects[0]] = true
				continue
			}
			for _, id := range step.Objects {
				for _, other := range needs[id] {
					if !freed[other] {
						rt.Fatalf("%s is renamed before %s has given up its name", id, other)
					}
				}
				renamed[id]++
			}
			for _, id := range step.Objects {
				freed[id] = true
			}
		}
		for id := range needs {
			if renamed[id] != 1 {
				rt.Fatalf("%s is renamed %d times", id, renamed[id])
			}
		}
	})
}

// A user who was deleted and made again with the same address is offered the account as soon as it is
// switched off.
func TestSameAddressNewUser(t *testing.T) {
	t.Parallel()
	c := staffOf(t, 2)
	c.source.gone("p1@example.com", graphsync.SoftDeleted)
	c.source.person(7, "p1@example.com", "Again")
	report, err := c.run(reconcile.Options{Apply: true})
	if err != nil {
		t.Fatal(err)
	}
	if why := report.Skipped[0].Why; report.Summary.Deactivate != 1 || !strings.Contains(why, "p1@example.com ("+userID(1).String()+"), deleted in Entra (restorable)") {
		t.Fatalf("%+v: %s", report.Summary, why)
	}
	report, err = c.run(reconcile.Options{Apply: true, Scheduled: true})
	if err != nil || len(report.Held) != 1 {
		t.Fatalf("%v, %s", err, told(report))
	}
	held := report.Held[0]
	want(t, "held", fmt.Sprint(held.Guard, " ", held.Action.Op, " ", held.Action.SourceID), fmt.Sprint("adoption adopt ", userID(7)))
	if notes := strings.Join(held.Action.Notes, " "); !strings.Contains(notes, "deleted in Entra (restorable), switched off on 2026-11-22") {
		t.Errorf("notes %q", notes)
	}
	c.stored().approve()
	want(t, "approved", c.cycle(), "1 adopted, 1 unchanged")
	want(t, "accounts", c.app().String(), "p1=Again p2=P")
}

// A leaver whose address was given to another user: the account is offered to give it up.
func TestLeaversAddressGivenToAnotherUser(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		next func(*customer)
		gone bool
		want string
		then string
	}{
		"to a new user":                           {func(c *customer) { c.source.person(7, "p1@example.com", "New") }, false, "!moved=P p2=P p1=New", "1 created, 2 unchanged"},
		"to one with an account":                  {func(c *customer) { c.source.person(2, "p1@example.com", "Two") }, false, "!moved=P p1=Two", "1 updated, 1 unchanged"},
		"by a deleted one to one with an account": {func(c *customer) { c.source.person(2, "p1@example.com", "Two") }, true, "", "1 updated, 1 unchanged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := staffOf(t, 2)
			c.source.disable(1)
			want(t, "they leave", c.cycle(), "1 deactivated, 1 unchanged")
			if test.gone {
				c.source.gone("p1@example.com", graphsync.SoftDeleted)
			} else {
				c.source.person(1, "moved@example.com", "P")
				c.source.disable(1)
			}
			test.next(c)
			for range 2 {
				report, err := c.run(reconcile.Options{Apply: true, Scheduled: true})
				if err != nil || len(report.Errors) > 0 {
					t.Fatalf("%v %+v", err, report.Errors)
				}
				if len(report.Held) != 1 || report.Held[0].Guard != "former_name" || report.Held[0].Action.SourceID != userID(1) {
					t.Fatalf("%s", told(report))
				}
				if len(report.Skipped) != 1 || !strings.Contains(report.Skipped[0].Why, `userName "p1@example.com" is still that of p1@example.com`) {
					t.Fatalf("%+v", report.Skipped)
				}
			}
			if test.next != nil && strings.Contains(test.then, "updated") && !strings.Contains(c.app().String(), "p2=Two") {
				t.Errorf("what else changed was not written: %s", c.app())
			}
			c.stored().approve()
			c.cycle()
			want(t, "the name is free", c.cycle(), test.then)
			if test.gone {
				if got := c.app().String(); !strings.HasPrefix(got, "!p1.former-") || !strings.HasSuffix(got, " p1=Two") {
					t.Errorf("accounts: %s", got)
				}
				return
			}
			want(t, "accounts", c.app().String(), test.want)
		})
	}
}
