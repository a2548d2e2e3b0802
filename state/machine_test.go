package state_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/state"
)

// A machine drives model and store with the same random steps.
type machine struct {
	m      *model
	dir    string
	store  *state.Store
	tenant *state.Tenant
	last   map[graphsync.Stream]*graphsync.Page // for replays
}

func (x *machine) reopen(t *rapid.T) {
	var err error
	if x.store != nil {
		if err := errors.Join(x.tenant.Check(), x.tenant.Close(), x.store.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if x.store, err = openDir(x.dir); err != nil {
		t.Fatal(err)
	}
	if x.tenant, err = x.store.Own(contoso); err != nil {
		t.Fatal(err)
	}
}

func (x *machine) update(t *rapid.T, fn func(*state.Tx) error) {
	if err := x.tenant.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func (x *machine) page(t *rapid.T, stream graphsync.Stream, page *graphsync.Page) {
	x.update(t, func(tx *state.Tx) error {
		_, err := tx.PutPage(stream, page, now, front)
		return err
	})
	for _, c := range page.Changes {
		x.m.apply(stream, numberOf(c.ID), c)
		if c.Removed == "" {
			for _, mc := range c.Members {
				x.m.member(numberOf(c.ID), numberOf(mc.ID), !mc.Removed)
			}
		}
	}
	x.m.open[stream] = x.m.open[stream] && page.Delta == ""
	x.last[stream] = page
}

// loseLease has another worker take the tenant: what this one writes is refused, until it owns the tenant again.
func (x *machine) loseLease(t *rapid.T) {
	dsn, _ := databases.Load(x.dir)
	if err := server.TakeOver(dsn.(string), contoso.String()); err != nil {
		t.Fatal(err)
	}
	late := func(tx *state.Tx) error { return tx.PutSyncInfo("late", state.SyncInfo{ConfigHash: "late"}) }
	var lost *state.LostError
	for _, write := range []func(func(*state.Tx) error) error{x.tenant.Update, x.tenant.Batch} {
		if err := write(late); !errors.As(err, &lost) {
			t.Fatalf("a write after the lease was lost: %v", err)
		}
	}
	if !errors.As(context.Cause(x.tenant.Context()), &lost) {
		t.Fatalf("the context ended with %v", context.Cause(x.tenant.Context()))
	}
	if err := errors.Join(x.tenant.Close(), server.Release(dsn.(string), contoso.String())); err != nil {
		t.Fatal(err)
	}
	var err error
	if x.tenant, err = x.store.Own(contoso); err != nil {
		t.Fatal(err)
	}
	err = x.tenant.View(func(tx *state.Tx) error {
		if tx.SyncInfo("late").ConfigHash != "" {
			t.Fatal("the write is there")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (x *machine) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"lose the lease": func(t *rapid.T) {
			if server == nil {
				t.Skip("files are of one process")
			}
			x.loseLease(t)
		},
		"begin": func(t *rapid.T) {
			stream := aStream.Draw(t, "stream")
			x.update(t, func(tx *state.Tx) error { return tx.Cursors().BeginRound(stream, "k", now) })
			x.m.round[stream]++
			x.m.open[stream] = true
		},
		"page": func(t *rapid.T) {
			stream := aStream.Draw(t, "stream")
			if x.m.round[stream] == 0 {
				t.Skip()
			}
			page := &graphsync.Page{Next: "next"}
			if rapid.Bool().Draw(t, "last") {
				page = &graphsync.Page{Delta: "delta"}
			}
			for range rapid.IntRange(0, 6).Draw(t, "changes") {
				c := change(stream.Kind(), objectOf(t, stream))
				if rapid.IntRange(0, 4).Draw(t, "removed") == 0 {
					c.Removed = aReason.Draw(t, "reason")
				}
				c.Properties = rapid.SliceOfN(aProperty, 0, 4).Draw(t, "properties")
				if stream == graphsync.Groups {
					for range rapid.IntRange(0, 4).Draw(t, "members") {
						c.Members = append(c.Members, graphsync.MemberChange{
							Kind: graphsync.User, ID: id(aUser.Draw(t, "member")), Removed: rapid.Bool().Draw(t, "leaves"),
						})
					}
				}
				page.Changes = append(page.Changes, c)
			}
			x.page(t, stream, page)
		},
		"replay": func(t *rapid.T) {
			stream := aStream.Draw(t, "stream")
			if x.last[stream] == nil {
				t.Skip()
			}
			x.page(t, stream, x.last[stream])
		},
		"lost page": func(t *rapid.T) {
			stream := aStream.Draw(t, "stream")
			crash := errors.New("crash")
			err := x.tenant.Update(func(tx *state.Tx) error {
				if err := tx.Cursors().BeginRound(stream, "k", now); err != nil {
					return err
				}
				_, err := tx.PutPage(stream, &graphsync.Page{Delta: "lost", Changes: []graphsync.Change{change(stream.Kind(), 2, "new", "1")}}, now, front)
				return errors.Join(crash, err)
			})
			if !errors.Is(err, crash) {
				t.Fatal(err)
			}
		},
		"settle": func(t *rapid.T) {
			stream, n := anyObject(t)
			kind, round := stream.Kind(), x.m.round[stream]
			presence := graphsync.Presence(rapid.IntRange(0, 3).Draw(t, "answer"))
			x.update(t, func(tx *state.Tx) error { return tx.Objects().RecordPresence(kind, id(n), presence, front) })
			o := x.m.objects[kind][n]
			switch {
			case o == nil:
			case presence == graphsync.Present:
				if o.removed != "" {
					x.m.touch(state.PendingKey{Kind: kind, ID: id(n)})
					x.m.everybodyIn(kind, n)
				}
				o.removed, o.round = "", round
			case presence == graphsync.InDeletedItems:
				x.m.tombstone(kind, n, graphsync.SoftDeleted, round)
			case presence == graphsync.Absent:
				x.m.tombstone(kind, n, graphsync.Purged, round)
			}
		},
		"forget": func(t *rapid.T) {
			stream, n := anyObject(t)
			kind := stream.Kind()
			x.update(t, func(tx *state.Tx) error { return tx.Objects().Forget(kind, id(n)) })
			if o := x.m.objects[kind][n]; o == nil || o.removed == "" {
				return
			}
			delete(x.m.objects[kind], n)
			maps.DeleteFunc(x.m.members, func(pair [2]uint32, _ uint32) bool {
				return kind == graphsync.Group && pair[0] == n || kind == graphsync.User && pair[1] == n
			})
		},
		"member": func(t *rapid.T) {
			g, u, present := aGroup.Draw(t, "group"), aUser.Draw(t, "user"), rapid.Bool().Draw(t, "present")
			x.update(t, func(tx *state.Tx) error {
				return tx.Members().Set(id(g), state.Member{Kind: graphsync.User, ID: id(u)}, present, front)
			})
			x.m.member(g, u, present)
		},
		"assignments": func(t *rapid.T) {
			round, err := x.tenant.BeginAssignments("app")
			if err != nil {
				t.Fatal(err)
			}
			next := map[string]graphsync.Assignment{}
			for range rapid.IntRange(0, 8).Draw(t, "rows") {
				n := aUser.Draw(t, "row")
				a := row(n, n%5, graphsync.User)
				if n%2 == 0 {
					a = row(n, 20+n%5, graphsync.Group)
				}
				a.Role = id(100 + rapid.Uint32Range(0, 1).Draw(t, "role"))
				next[a.ID] = a
				if err := round.Add([]graphsync.Assignment{a}); err != nil {
					t.Fatal(err)
				}
			}
			if rapid.IntRange(0, 3).Draw(t, "dropped") == 0 {
				return
			}
			twice := rapid.Bool().Draw(t, "twice")
			want := state.AssignmentDiff{Rows: len(next)}
			missed := map[string]bool{}
			for _, k := range slices.Sorted(maps.Keys(x.m.rows)) {
				if _, came := next[k]; came {
					continue
				}
				presence := rapid.SampledFrom([]graphsync.Presence{graphsync.Unknown, graphsync.Present, graphsync.Absent}).Draw(t, "answer")
				round.RecordPresence(k, presence)
				if presence == graphsync.Absent && !twice || presence != graphsync.Present && x.m.missed[k] {
					continue
				}
				next[k] = x.m.rows[k]
				if presence != graphsync.Present {
					missed[k] = true
				}
			}
			want.Waiting, x.m.missed = len(missed), missed
			diff, err := round.Commit(front, twice)
			if err != nil {
				t.Fatal(err)
			}
			touch := func(a graphsync.Assignment) {
				x.m.touch(state.PendingKey{Kind: a.PrincipalKind, ID: a.Principal})
				if a.PrincipalKind == graphsync.Group {
					for _, u := range x.m.membersOf(numberOf(a.Principal)) {
						x.m.touch(userKey(u))
					}
				}
			}
			lost := map[graphsync.ID]bool{}
			for k, a := range next {
				if x.m.rows[k] != a {
					want.Added++
					touch(a)
				}
			}
			for k, a := range x.m.rows {
				if next[k] != a {
					want.Removed++
					lost[a.Principal] = true
					touch(a)
				}
			}
			want.Principals = len(lost)
			if diff != want {
				t.Fatalf("assignments: got %+v, want %+v", diff, want)
			}
			x.m.rows = next
		},
		"work off": func(t *rapid.T) {
			x.update(t, func(tx *state.Tx) error {
				var errs []error
				for _, k := range slices.Collect(tx.Pending("front").All(state.PendingKey{})) {
					errs = append(errs, tx.Pending("front").Delete(k))
				}
				return errors.Join(errs...)
			})
			clear(x.m.pending)
		},
		"index": func(t *rapid.T) {
			if err := x.tenant.IndexMembers(); err != nil {
				t.Fatal(err)
			}
		},
		"restart": x.reopen,
		"":        x.compare,
	}
}

func (x *machine) compare(t *rapid.T) {
	err := x.tenant.View(func(tx *state.Tx) error {
		for _, stream := range []graphsync.Stream{graphsync.Users, graphsync.Groups} {
			x.compareObjects(t, tx, stream)
		}
		got, back, unseen := map[[2]uint32]bool{}, map[[2]uint32]bool{}, map[[2]uint32]bool{}
		for g := range uint32(30) {
			for m := range tx.Members().Of(id(g)) {
				got[[2]uint32{g, numberOf(m.ID)}] = true
			}
			for in := range tx.Members().GroupsOf(id(g)) {
				back[[2]uint32{numberOf(in), g}] = tx.Members().Has(in, id(g))
			}
		}
		for g, m := range tx.Members().Unseen(graphsync.ID{}, state.Member{}) {
			unseen[[2]uint32{numberOf(g), numberOf(m.ID)}] = true
		}
		wantUnseen := map[[2]uint32]bool{}
		for pair, round := range x.m.members {
			g := x.m.objects[graphsync.Group][pair[0]]
			if round != x.m.round[graphsync.Groups] && g != nil && g.removed == "" && !x.m.open[graphsync.Groups] {
				wantUnseen[pair] = true
			}
		}
		want := map[[2]uint32]bool{}
		for pair := range x.m.members {
			want[pair] = true
		}
		same(t, "members", got, want)
		if !tx.Cursors().Get(graphsync.Groups).Unindexed {
			same(t, "members by the other direction", back, want)
		}
		same(t, "unseen members", unseen, wantUnseen)

		pending := map[state.PendingKey]bool{}
		for k := range tx.Pending("front").All(state.PendingKey{}) {
			pending[k] = true
		}
		same(t, "pending", pending, x.m.pending)
		same(t, "count of pending", tx.Pending("front").Count(), len(pending))

		rows := map[string]graphsync.Assignment{}
		for p := range tx.Assignments("app").Principals(graphsync.ID{}) {
			for a := range tx.Assignments("app").Of(p.ID) {
				rows[a.ID] = a
			}
		}
		same(t, "assignments", rows, x.m.rows)
		same(t, "count of assignments", tx.Assignments("app").Count(), len(rows))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (x *machine) compareObjects(t *rapid.T, tx *state.Tx, stream graphsync.Stream) {
	kind := stream.Kind()
	got, want := map[uint32]string{}, map[uint32]string{}
	var before graphsync.ID
	for o := range tx.Objects().All(kind, graphsync.ID{}) {
		if slices.Compare(o.ID[:], before[:]) <= 0 {
			t.Fatalf("%s after %s", o.ID, before)
		}
		before = o.ID
		got[numberOf(o.ID)] = fmt.Sprint(o.Removed, properties(tx, kind, numberOf(o.ID)))
	}
	live, unseen, wantUnseen := 0, map[uint32]bool{}, map[uint32]bool{}
	for n, o := range x.m.objects[kind] {
		want[n] = fmt.Sprint(o.removed, o.properties)
		if o.removed == "" {
			live++
			if o.round != x.m.round[stream] && !x.m.open[stream] {
				wantUnseen[n] = true
			}
		}
	}
	for o := range tx.Objects().Unseen(kind, graphsync.ID{}) {
		unseen[numberOf(o.ID)] = true
	}
	same(t, kind.String(), got, want)
	same(t, "unseen "+kind.String(), unseen, wantUnseen)
	same(t, "count of "+kind.String(), tx.Objects().Count(kind), live)
	c := tx.Cursors().Get(stream)
	same(t, "round", c.Round, x.m.round[stream])
	same(t, "full round under way", c.Full && !c.Complete, x.m.open[stream])
}

func same(t *rapid.T, what string, got, want any) {
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w { // fmt sorts maps
		t.Fatalf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func objectOf(t *rapid.T, stream graphsync.Stream) uint32 {
	if stream == graphsync.Groups {
		return aGroup.Draw(t, "group")
	}
	return aUser.Draw(t, "user")
}

func anyObject(t *rapid.T) (graphsync.Stream, uint32) {
	stream := aStream.Draw(t, "stream")
	return stream, objectOf(t, stream)
}

// numberOf is the inverse of id.
func numberOf(id graphsync.ID) uint32 { return uint32(id[14])<<8 | uint32(id[15]) }
