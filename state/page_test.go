package state_test

import (
	"errors"
	"fmt"
	"testing"

	"entrasync/graphsync"
	"entrasync/state"
)

func user(n uint32, properties ...string) graphsync.Change {
	return change(graphsync.User, n, properties...)
}

func group(n uint32, members ...graphsync.MemberChange) graphsync.Change {
	c := change(graphsync.Group, n)
	c.Members = members
	return c
}

func change(kind graphsync.Kind, n uint32, properties ...string) graphsync.Change {
	c := graphsync.Change{Kind: kind, ID: id(n)}
	for i := 0; i < len(properties); i += 2 {
		c.Properties = append(c.Properties, graphsync.Property{Name: properties[i], Value: []byte(properties[i+1])})
	}
	return c
}

func removed(c graphsync.Change, reason graphsync.Removal) graphsync.Change {
	c.Removed = reason
	return c
}

func joins(n uint32) graphsync.MemberChange {
	return graphsync.MemberChange{Kind: graphsync.User, ID: id(n)}
}

func leaves(n uint32) graphsync.MemberChange {
	return graphsync.MemberChange{Kind: graphsync.User, ID: id(n), Removed: true}
}

var front = []string{"front"}

func begin(t *testing.T, tn *state.Tenant, streams ...graphsync.Stream) {
	t.Helper()
	update(t, tn, func(tx *state.Tx) error {
		var errs []error
		for _, s := range streams {
			errs = append(errs, tx.Cursors().BeginRound(s, "key", now))
		}
		return errors.Join(errs...)
	})
}

// put applies one page that completes its round, in a transaction of its own.
func put(t *testing.T, tn *state.Tenant, stream graphsync.Stream, changes ...graphsync.Change) state.PageStats {
	t.Helper()
	return putPage(t, tn, stream, &graphsync.Page{Changes: changes, Delta: "delta"})
}

func putPage(t *testing.T, tn *state.Tenant, stream graphsync.Stream, page *graphsync.Page) (stats state.PageStats) {
	t.Helper()
	update(t, tn, func(tx *state.Tx) (err error) {
		stats, err = tx.PutPage(stream, page, now, front)
		return err
	})
	return stats
}

func properties(tx *state.Tx, kind graphsync.Kind, n uint32) map[string]string {
	o, ok := tx.Objects().Get(kind, id(n))
	if !ok {
		return nil
	}
	m := map[string]string{}
	for name, v := range o.All() {
		m[name] = string(v)
	}
	return m
}

// took returns what is pending and empties it.
func took(t *testing.T, tn *state.Tenant) []state.PendingKey {
	t.Helper()
	var keys []state.PendingKey
	update(t, tn, func(tx *state.Tx) error {
		for k := range tx.Pending("front").All(state.PendingKey{}) {
			keys = append(keys, k)
		}
		equal(t, "count of pending", tx.Pending("front").Count(), len(keys))
		for _, k := range keys {
			if err := tx.Pending("front").Delete(k); err != nil {
				return err
			}
		}
		equal(t, "count of pending when emptied", tx.Pending("front").Count(), 0)
		return nil
	})
	return keys
}

func userKey(n uint32) state.PendingKey  { return state.PendingKey{Kind: graphsync.User, ID: id(n)} }
func groupKey(n uint32) state.PendingKey { return state.PendingKey{Kind: graphsync.Group, ID: id(n)} }

func TestNullIsNotAbsent(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	begin(t, tn, graphsync.Users)
	put(t, tn, graphsync.Users, user(1, "mail", `"a@b"`, "city", `"Bonn"`, "mail", `"later@b"`))
	put(t, tn, graphsync.Users, user(1, "mail", `null`, "age", `7`))
	put(t, tn, graphsync.Users, user(2, "age", `8`))
	view(t, tn, func(tx *state.Tx) {
		equal(t, "properties", properties(tx, graphsync.User, 1), map[string]string{"mail": "null", "city": `"Bonn"`, "age": "7"})
		o, _ := tx.Objects().Get(graphsync.User, id(1))
		o = o.Clone()
		if v, ok := o.Value("mail"); !ok || string(v) != "null" {
			t.Errorf("mail: %s, %v", v, ok)
		}
		if v, ok := o.Value("absent"); ok || v != nil {
			t.Errorf("absent: %s, %v", v, ok)
		}
		other, _ := tx.Objects().Get(graphsync.User, id(2))
		if v, ok := other.Value("city"); ok || v != nil {
			t.Errorf("absent here, present elsewhere: %s, %v", v, ok)
		}
		if _, ok := tx.Objects().Get(graphsync.Group, id(1)); ok {
			t.Error("a user's id is a group's too")
		}
	})
	equal(t, "pending", took(t, tn), []state.PendingKey{userKey(1), userKey(2)})
}

func TestReplayChangesNothing(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	begin(t, tn, graphsync.Users, graphsync.Groups)
	users := []graphsync.Change{user(1, "mail", `"a"`), user(2)}
	groups := []graphsync.Change{group(9, joins(1), joins(2))}
	equal(t, "first", put(t, tn, graphsync.Users, users...), state.PageStats{Objects: 2, Added: 2})
	equal(t, "first", put(t, tn, graphsync.Groups, groups...), state.PageStats{Objects: 1, Added: 1, MembersAdded: 2})
	equal(t, "pending", len(took(t, tn)), 5)
	equal(t, "again", put(t, tn, graphsync.Users, users...), state.PageStats{Objects: 2})
	equal(t, "again", put(t, tn, graphsync.Groups, groups...), state.PageStats{Objects: 1})
	equal(t, "pending after the replay", took(t, tn), []state.PendingKey(nil))
	equal(t, "leaver", put(t, tn, graphsync.Groups, group(9, leaves(2), leaves(3))), state.PageStats{Objects: 1, MembersRemoved: 1})
	equal(t, "pending after a leaver", took(t, tn), []state.PendingKey{userKey(2), state.Membership(id(9), id(2))})
}

func TestRemovedAndRestored(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	begin(t, tn, graphsync.Users, graphsync.Groups)
	put(t, tn, graphsync.Users, user(1, "mail", `"a"`), user(2))
	put(t, tn, graphsync.Groups, group(9, joins(1)))
	took(t, tn)

	stats := put(t, tn, graphsync.Users, removed(user(1), graphsync.SoftDeleted), removed(user(77), graphsync.Purged))
	equal(t, "removal", stats, state.PageStats{Objects: 2, Removed: 1})
	view(t, tn, func(tx *state.Tx) {
		o, _ := tx.Objects().Get(graphsync.User, id(1))
		equal(t, "reason", o.Removed, graphsync.SoftDeleted)
		equal(t, "kept", properties(tx, graphsync.User, 1), map[string]string{"mail": `"a"`})
		equal(t, "unknown object", properties(tx, graphsync.User, 77), map[string]string(nil))
		equal(t, "live users", tx.Objects().Count(graphsync.User), 1)
		equal(t, "still a member", tx.Members().Has(id(9), id(1)), true)
	})
	equal(t, "pending", took(t, tn), []state.PendingKey{userKey(1)})

	equal(t, "purge", put(t, tn, graphsync.Users, removed(user(1), graphsync.Purged)).Removed, 1)
	equal(t, "purge again", put(t, tn, graphsync.Users, removed(user(1), graphsync.Purged)).Removed, 0)
	equal(t, "restore", put(t, tn, graphsync.Users, user(1)), state.PageStats{Objects: 1, Restored: 1})
	equal(t, "pending", took(t, tn), []state.PendingKey{userKey(1)})

	put(t, tn, graphsync.Groups, removed(group(9), graphsync.Purged))
	equal(t, "a removed group concerns its members", took(t, tn),
		[]state.PendingKey{userKey(1), groupKey(9), state.Membership(id(9), id(1))})
}

func TestRoundResumesAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pages := []*graphsync.Page{
		{Changes: []graphsync.Change{user(1)}, Next: "2"},
		{Next: "3"}, // an empty page is a page
		{Changes: []graphsync.Change{user(2), user(3)}, Delta: "d"},
	}
	for i, page := range pages {
		s, err := openDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		tn, err := s.Tenant(contoso)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			begin(t, tn, graphsync.Users)
		}
		view(t, tn, func(tx *state.Tx) {
			c := tx.Cursors().Get(graphsync.Users)
			equal(t, "link", c.Link, []string{"", "2", "3"}[i])
			equal(t, "complete", c.Complete, false)
		})
		putPage(t, tn, graphsync.Users, page)
		// A transaction that fails after the page leaves the link where it was.
		lost := errors.New("killed")
		err = tn.Update(func(tx *state.Tx) error {
			if _, err := tx.PutPage(graphsync.Users, &graphsync.Page{Changes: []graphsync.Change{user(99)}, Next: "lost"}, now, front); err != nil {
				return err
			}
			return lost
		})
		if err := errors.Join(tn.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
		if err != lost {
			t.Fatal(err)
		}
	}
	s, err := openDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	view(t, tenant(t, s), func(tx *state.Tx) {
		equal(t, "cursor", tx.Cursors().Get(graphsync.Users), state.Cursor{
			Link: "d", Select: "key", Round: 1, Full: true, Complete: true, Sweep: true,
			Started: now, Completed: now, Objects: 3, Pages: 3,
		})
		equal(t, "users", tx.Objects().Count(graphsync.User), 3)
		equal(t, "pending", tx.Pending("front").Count(), 3)
	})
}

func unseen(tx *state.Tx, kind graphsync.Kind) (ids []graphsync.ID) {
	for o := range tx.Objects().Unseen(kind, graphsync.ID{}) {
		ids = append(ids, o.ID)
	}
	return ids
}

// What a full round did not see stays to be settled through incremental rounds, until the sweep is
// ended: the question whether it still exists may fail, and is asked again by a later cycle.
func TestSweepOutlivesIncrementalRounds(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	begin(t, tn, graphsync.Users)
	put(t, tn, graphsync.Users, user(1), user(2))
	begin(t, tn, graphsync.Users)
	put(t, tn, graphsync.Users, user(1))
	for n := range uint32(3) {
		put(t, tn, graphsync.Users, user(1, "displayName", fmt.Sprintf("%q", fmt.Sprint("Ada ", n))))
		view(t, tn, func(tx *state.Tx) {
			equal(t, "sweep after an incremental round", tx.Cursors().Get(graphsync.Users).Sweep, true)
			equal(t, "full after an incremental round", tx.Cursors().Get(graphsync.Users).Full, false)
			equal(t, "unseen", unseen(tx, graphsync.User), []graphsync.ID{id(2)})
		})
	}
	update(t, tn, func(tx *state.Tx) error {
		return errors.Join(tx.Objects().RecordPresence(graphsync.User, id(2), graphsync.Absent, front), tx.Cursors().EndSweep(graphsync.Users))
	})
	put(t, tn, graphsync.Users, user(1, "displayName", `"Ada"`))
	view(t, tn, func(tx *state.Tx) {
		equal(t, "sweep after its end", tx.Cursors().Get(graphsync.Users).Sweep, false)
		equal(t, "unseen after its end", unseen(tx, graphsync.User), []graphsync.ID(nil))
	})
}

func TestSweep(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	begin(t, tn, graphsync.Users, graphsync.Groups)
	put(t, tn, graphsync.Users, user(1), user(2), user(3), user(4), user(5), removed(user(5), graphsync.Purged))
	put(t, tn, graphsync.Groups, group(20, joins(1), joins(2)), group(21, joins(3)))
	took(t, tn)

	begin(t, tn, graphsync.Users, graphsync.Groups)
	putPage(t, tn, graphsync.Users, &graphsync.Page{Changes: []graphsync.Change{user(1)}, Next: "n"})
	view(t, tn, func(tx *state.Tx) {
		equal(t, "unseen during the round", unseen(tx, graphsync.User), []graphsync.ID(nil))
	})
	put(t, tn, graphsync.Users)
	put(t, tn, graphsync.Groups, group(20, joins(1)))
	equal(t, "a full round of what is known", took(t, tn), []state.PendingKey(nil))

	update(t, tn, func(tx *state.Tx) error {
		equal(t, "unseen users", unseen(tx, graphsync.User), []graphsync.ID{id(2), id(3), id(4)})
		equal(t, "unseen groups", unseen(tx, graphsync.Group), []graphsync.ID{id(21)})
		return errors.Join(
			tx.Objects().RecordPresence(graphsync.User, id(2), graphsync.Present, front),
			tx.Objects().RecordPresence(graphsync.User, id(3), graphsync.Unknown, front),
			tx.Objects().RecordPresence(graphsync.User, id(4), graphsync.InDeletedItems, front),
			tx.Objects().RecordPresence(graphsync.User, id(5), graphsync.Present, front), // a tombstone comes back
			tx.Objects().RecordPresence(graphsync.User, id(99), graphsync.Absent, front), // never known
			tx.Objects().RecordPresence(graphsync.Group, id(21), graphsync.Absent, front),
		)
	})
	equal(t, "pending after settling", took(t, tn),
		[]state.PendingKey{userKey(3), userKey(4), userKey(5), groupKey(21), state.Membership(id(21), id(3))})
	view(t, tn, func(tx *state.Tx) {
		equal(t, "not settled", unseen(tx, graphsync.User), []graphsync.ID{id(3)})
		equal(t, "not settled", unseen(tx, graphsync.Group), []graphsync.ID(nil))
		equal(t, "live", tx.Objects().Count(graphsync.User), 4)
		o, _ := tx.Objects().Get(graphsync.User, id(4))
		equal(t, "reason", o.Removed, graphsync.SoftDeleted)
		o, _ = tx.Objects().Get(graphsync.Group, id(21))
		equal(t, "reason", o.Removed, graphsync.Purged)

		var left []string
		for g, m := range tx.Members().Unseen(graphsync.ID{}, state.Member{}) {
			left = append(left, fmt.Sprint(g == id(20), m.ID == id(2)))
		}
		equal(t, "unseen members, of live groups only", left, []string{"true true"})
	})
	update(t, tn, func(tx *state.Tx) error {
		m := state.Member{Kind: graphsync.User, ID: id(2)}
		return errors.Join(
			tx.Members().Set(id(20), m, false, front),
			tx.Members().Set(id(20), m, false, front),
			tx.Members().Set(id(20), state.Member{Kind: graphsync.User, ID: id(4)}, true, front),
			tx.Cursors().EndSweep(graphsync.Users),
		)
	})
	view(t, tn, func(tx *state.Tx) {
		equal(t, "gone", tx.Members().Has(id(20), id(2)), false)
		equal(t, "came", tx.Members().Has(id(20), id(4)), true)
		for g, m := range tx.Members().Unseen(graphsync.ID{}, state.Member{}) {
			t.Errorf("unseen member %v of %v", m, g)
		}
		equal(t, "sweep of users", tx.Cursors().Get(graphsync.Users).Sweep, false)
		equal(t, "sweep of groups", tx.Cursors().Get(graphsync.Groups).Sweep, true)
	})
	equal(t, "pending", len(took(t, tn)), 4)
}

func TestPendingAllSparesSingleKeys(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	update(t, tn, func(tx *state.Tx) error { return tx.Pending("front").SetEverything(true) })
	begin(t, tn, graphsync.Users)
	put(t, tn, graphsync.Users, user(1))
	equal(t, "in the full round", took(t, tn), []state.PendingKey(nil))
	put(t, tn, graphsync.Users, user(1, "a", "1"))
	equal(t, "in an incremental round", took(t, tn), []state.PendingKey{userKey(1)})
}

func TestTooManyKeysAreEverything(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	begin(t, tn, graphsync.Groups)
	for first := uint32(0); first < 30_000; first += 3000 { // as Graph splits a large group
		g := group(1)
		for n := range uint32(3000) {
			g.Members = append(g.Members, joins(first+n+10))
		}
		put(t, tn, graphsync.Groups, g)
	}
	update(t, tn, func(tx *state.Tx) error {
		equal(t, "everything pending", tx.Pending("front").Everything(), false)
		return tx.Pending("front").Clear()
	})
	put(t, tn, graphsync.Groups, removed(group(1), graphsync.Purged))
	view(t, tn, func(tx *state.Tx) { equal(t, "everything pending", tx.Pending("front").Everything(), true) })
	equal(t, "cleared", took(t, tn), []state.PendingKey(nil))
}

func TestBadPages(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	page := func(p graphsync.Page) error {
		return tn.Update(func(tx *state.Tx) error {
			_, err := tx.PutPage(graphsync.Users, &p, now, front)
			return err
		})
	}
	if page(graphsync.Page{Delta: "d"}) == nil {
		t.Error("a page without a round was taken")
	}
	begin(t, tn, graphsync.Users)
	for name, p := range map[string]graphsync.Page{
		"no link":        {},
		"two links":      {Next: "n", Delta: "d"},
		"a group":        {Delta: "d", Changes: []graphsync.Change{group(1)}},
		"a nameless":     {Delta: "d", Changes: []graphsync.Change{user(1, "", "1")}},
		"unknown reason": {Delta: "d", Changes: []graphsync.Change{user(1), removed(user(1), "x")}},
	} {
		if page(p) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A full round tells the present state: what it leaves out of an object has no value any more. An
// incremental round may tell a part only, and so may a second entry of the same object.
func TestFullRoundReplaces(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	value := func(property string) string {
		var got string
		view(t, tn, func(tx *state.Tx) {
			o, _ := tx.Objects().Get(graphsync.User, id(1))
			raw, _ := o.Value(property)
			got = string(raw)
		})
		return got
	}
	begin(t, tn, graphsync.Users)
	put(t, tn, graphsync.Users, change(graphsync.User, 1, "manager", `"m"`, "city", `"Kyiv"`))
	put(t, tn, graphsync.Users, change(graphsync.User, 1, "mail", `"a@b"`))
	equal(t, "after a round of changes", value("manager")+value("city")+value("mail"), `"m""Kyiv""a@b"`)

	begin(t, tn, graphsync.Users)
	took(t, tn)
	update(t, tn, func(tx *state.Tx) error {
		_, err := tx.PutPage(graphsync.Users, &graphsync.Page{Next: "next", Changes: []graphsync.Change{change(graphsync.User, 1, "city", `"Kyiv"`)}}, now, front)
		return err
	})
	equal(t, "at the first entry of a full round", value("manager")+value("city")+value("mail"), `"Kyiv"`)
	put(t, tn, graphsync.Users, change(graphsync.User, 1, "mail", `"a@b"`))
	equal(t, "after its second entry", value("manager")+value("city")+value("mail"), `"Kyiv""a@b"`)
	equal(t, "pending", took(t, tn), sorted(userKey(1)))
}

// Entra compares the names of properties without regard to case.
func TestNamesInAnyCase(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	begin(t, tn, graphsync.Users)
	put(t, tn, graphsync.Users, change(graphsync.User, 1, "extension_0a_CostCenter", "7"))
	put(t, tn, graphsync.Users, change(graphsync.User, 1, "extension_0A_costcenter", "8"))
	view(t, tn, func(tx *state.Tx) {
		o, _ := tx.Objects().Get(graphsync.User, id(1))
		for _, name := range []string{"extension_0a_CostCenter", "EXTENSION_0A_COSTCENTER", "extension_0a_costcenter"} {
			raw, _ := o.Value(name)
			equal(t, name, string(raw), "8")
		}
		n := 0
		for range o.All() {
			n++
		}
		equal(t, "properties", n, 1)
	})
}
