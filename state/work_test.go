package state_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

func TestLinks(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	ada := state.Link{
		Kind: graphsync.User, Source: id(1), TargetID: "t1", Key: "ada@b", Adopted: true, Active: true, Since: now,
		Applied: map[string]json.RawMessage{"userName": json.RawMessage(`"ada@b"`), "active": json.RawMessage("true"), "bio": json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)},
		Keys:    []state.MatchKey{{Attribute: "externalId", Value: "1"}, {Attribute: "bio", Value: strings.Repeat("x", 1<<20)}},
		LastOp:  "adopt", LastAt: now,
	}
	twin := state.Link{Kind: graphsync.User, Source: id(2), TargetID: "t2", Keys: ada.Keys[:1], InactiveSince: now, Cause: "left"}
	update(t, tn, func(tx *state.Tx) error {
		return errors.Join(
			tx.Links("front").Put(state.Link{Kind: graphsync.User, Source: id(1), TargetID: "old", Active: true, Keys: []state.MatchKey{{Attribute: "externalId", Value: "old"}}}),
			tx.Links("front").Put(ada), tx.Links("front").Put(twin),
			tx.Links("front").Put(state.Link{Kind: graphsync.Group, Source: id(1), TargetID: "t1"}),
			tx.Links("other").Put(state.Link{Kind: graphsync.User, Source: id(1), TargetID: "else"}))
	})
	view(t, tn, func(tx *state.Tx) {
		got, ok, err := tx.Links("front").Get(graphsync.User, id(1))
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		equal(t, "link", got, ada)
		var all []state.Link
		for l, err := range tx.Links("front").All(graphsync.User, graphsync.ID{}) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, l)
		}
		want := []state.Link{ada, twin}
		slices.SortFunc(want, func(a, b state.Link) int { return slices.Compare(a.Source[:], b.Source[:]) })
		equal(t, "links", all, want)
		total, active := tx.Links("front").Count(graphsync.User)
		equal(t, "counts", []int{total, active}, []int{2, 1})
		equal(t, "by key", len(tx.Links("front").SourcesByKey(graphsync.User, ada.Keys[0])), 2)
		equal(t, "by a long key", tx.Links("front").SourcesByKey(graphsync.User, ada.Keys[1]), []graphsync.ID{id(1)})
		equal(t, "by a replaced key", len(tx.Links("front").SourcesByKey(graphsync.User, state.MatchKey{Attribute: "externalId", Value: "old"})), 0)
		if _, ok := tx.Links("front").ByTarget(graphsync.User, "old"); ok {
			t.Error("a replaced target id is still known")
		}
		source, _ := tx.Links("front").ByTarget(graphsync.User, "t2")
		equal(t, "by target", source, id(2))
	})
	update(t, tn, func(tx *state.Tx) error {
		return errors.Join(tx.Links("front").Delete(graphsync.User, id(1)), tx.Links("front").Delete(graphsync.User, id(1)))
	})
	view(t, tn, func(tx *state.Tx) {
		total, active := tx.Links("front").Count(graphsync.User)
		equal(t, "counts", []int{total, active}, []int{1, 0})
		equal(t, "by key", tx.Links("front").SourcesByKey(graphsync.User, ada.Keys[0]), []graphsync.ID{id(2)})
		if _, ok, _ := tx.Links("other").Get(graphsync.User, id(1)); !ok {
			t.Error("another sync's link is gone")
		}
	})
	// Of two links to one account the younger has it, whatever happens to the other.
	link := func(source uint32, account string) state.Link {
		return state.Link{Kind: graphsync.User, Source: id(source), TargetID: account}
	}
	for name, goes := range map[string]func(tx *state.Tx) error{
		"deleted": func(tx *state.Tx) error { return tx.Links("front").Delete(graphsync.User, id(3)) },
		"moved":   func(tx *state.Tx) error { return tx.Links("front").Put(link(3, "t5")) },
	} {
		update(t, tn, func(tx *state.Tx) error {
			return errors.Join(tx.Links("front").Put(link(3, "t3")), tx.Links("front").Put(link(4, "t3")), goes(tx))
		})
		view(t, tn, func(tx *state.Tx) {
			source, _ := tx.Links("front").ByTarget(graphsync.User, "t3")
			equal(t, "by target when the former link is "+name, source, id(4))
		})
	}
	if err := tn.Update(func(tx *state.Tx) error { return tx.Links("front").Put(state.Link{Kind: graphsync.User}) }); err == nil {
		t.Error("a link without a target id was stored")
	}
	update(t, tn, func(tx *state.Tx) error { return tx.DropSync("front") })
	view(t, tn, func(tx *state.Tx) {
		equal(t, "syncs", tx.Syncs(), []string{"other"})
		total, _ := tx.Links("front").Count(graphsync.User)
		equal(t, "links of a dropped sync", total, 0)
		total, _ = tx.Links("other").Count(graphsync.User)
		equal(t, "links of the other", total, 1)
	})
}

func TestAppliedMembers(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	update(t, tn, func(tx *state.Tx) error {
		return errors.Join(
			tx.AppliedMembers("front").Put(id(9), id(1), "a"), tx.AppliedMembers("front").Put(id(9), id(1), "b"),
			tx.AppliedMembers("front").Put(id(9), id(2), "c"), tx.AppliedMembers("front").Put(id(8), id(1), "d"),
			tx.AppliedMembers("front").Delete(id(9), id(2)), tx.AppliedMembers("front").Delete(id(9), id(3)))
	})
	view(t, tn, func(tx *state.Tx) {
		got := map[graphsync.ID]string{}
		for m, target := range tx.AppliedMembers("front").Of(id(9)) {
			got[m] = target
		}
		equal(t, "members", got, map[graphsync.ID]string{id(1): "b"})
		equal(t, "count", tx.AppliedMembers("front").Count(id(9)), 1)
		target, ok := tx.AppliedMembers("front").Get(id(9), id(1))
		equal(t, "target id", fmt.Sprint(target, ok), "btrue")
	})
}

func TestRetriesIntentsHolds(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	failed := state.Retry{Key: userKey(1), Code: "target_rejected", Attempts: 1, First: now, Next: now.Add(time.Minute)}
	again := failed
	again.Attempts, again.Next = 2, now.Add(time.Hour)
	skipped := state.Retry{Key: state.Membership(id(9), id(1)), Code: "unknown_reference", Skipped: true}
	intent := state.Intent{Kind: graphsync.User, Source: id(1), Op: "create", At: now, Keys: []state.MatchKey{{Attribute: "externalId", Value: "1"}}}
	hold := state.Hold{ID: "h-1", Guard: "removals", Cause: "group lost", Count: 2, Sample: []string{"a"}, Since: now, Data: json.RawMessage(`{"n":1}`)}
	update(t, tn, func(tx *state.Tx) error {
		return errors.Join(
			tx.Retries("front").Put(failed), tx.Retries("front").Put(again), tx.Retries("front").Put(skipped),
			tx.Intents("front").Put(intent), tx.Holds("front").Put(state.Hold{ID: "h-1"}), tx.Holds("front").Put(hold), tx.Holds("front").Put(state.Hold{ID: "h-2"}),
			tx.Holds("front").Delete("h-2"), tx.Holds("front").Delete("h-3"))
	})
	view(t, tn, func(tx *state.Tx) {
		equal(t, "retries", slices.Collect(tx.Retries("front").All()), []state.Retry{again, skipped})
		f, s := tx.Retries("front").Count()
		equal(t, "counts", []int{f, s}, []int{1, 1})
		r, _ := tx.Retries("front").Get(skipped.Key)
		equal(t, "retry", r, skipped)
		equal(t, "intents", slices.Collect(tx.Intents("front").All()), []state.Intent{intent})
		got, _ := tx.Intents("front").Get(graphsync.User, id(1))
		equal(t, "intent", got, intent)
		equal(t, "holds", slices.Collect(tx.Holds("front").All()), []state.Hold{hold})
	})
	update(t, tn, func(tx *state.Tx) error {
		return errors.Join(tx.Retries("front").Delete(again.Key), tx.Retries("front").Delete(again.Key), tx.Intents("front").Delete(graphsync.User, id(1)))
	})
	view(t, tn, func(tx *state.Tx) {
		f, s := tx.Retries("front").Count()
		equal(t, "counts", []int{f, s}, []int{0, 1})
		if _, ok := tx.Intents("front").Get(graphsync.User, id(1)); ok {
			t.Error("the intent is still there")
		}
	})
}

func TestSyncInfo(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	info := state.SyncInfo{ConfigHash: "h", FirstRun: now, Quarantine: &state.Quarantine{Since: now, Code: "target_unavailable", Probes: 2}}
	update(t, tn, func(tx *state.Tx) error { return tx.PutSyncInfo("front", info) })
	view(t, tn, func(tx *state.Tx) {
		equal(t, "info", tx.SyncInfo("front"), info)
		equal(t, "of none", tx.SyncInfo("none"), state.SyncInfo{})
	})
}

func TestSpace(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	keys := func(s *state.Space, after, prefix string) (keys []string) {
		seq := s.All([]byte(after))
		if prefix != "" {
			seq = s.Prefix([]byte(prefix))
		}
		for k, v := range seq {
			keys = append(keys, string(k)+string(v))
		}
		return keys
	}
	update(t, tn, func(tx *state.Tx) error {
		s := tx.Space("front", "plan")
		return errors.Join(s.Delete([]byte("none")), s.Clear(),
			s.Put([]byte("b"), []byte("1")), s.Put([]byte("ab"), nil), s.Put([]byte("b"), []byte("2")), s.Put([]byte("aa"), []byte("3")),
			tx.Space("front", "else").Put([]byte("x"), nil))
	})
	view(t, tn, func(tx *state.Tx) {
		s := tx.Space("front", "plan")
		equal(t, "all", keys(s, "", ""), []string{"aa3", "ab", "b2"})
		equal(t, "behind", keys(s, "aa", ""), []string{"ab", "b2"})
		equal(t, "prefix", keys(s, "", "a"), []string{"aa3", "ab"})
		equal(t, "count", s.Count(), 3)
		equal(t, "empty value is there", s.Get([]byte("ab")) != nil, true)
		equal(t, "no value", s.Get([]byte("zz")) == nil, true)
	})
	update(t, tn, func(tx *state.Tx) error {
		s := tx.Space("front", "plan")
		return errors.Join(s.Clear(), s.Put([]byte("n"), nil))
	})
	view(t, tn, func(tx *state.Tx) {
		equal(t, "after clearing", keys(tx.Space("front", "plan"), "", ""), []string{"n"})
		equal(t, "count", tx.Space("front", "plan").Count(), 1)
		equal(t, "the other space", tx.Space("front", "else").Count(), 1)
	})
}

func TestApps(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	app := graphsync.App{ID: id(1), AppID: "app", Name: "Front", Enabled: true, Roles: []graphsync.AppRole{{ID: id(2), Value: "Admin"}}}
	var changed []bool
	for range 2 {
		update(t, tn, func(tx *state.Tx) error {
			c, err := tx.PutApp(app)
			changed = append(changed, c)
			return err
		})
	}
	equal(t, "changed", changed, []bool{true, false})
	view(t, tn, func(tx *state.Tx) {
		got, ok := tx.Assignments("app").App()
		equal(t, "app", got, app)
		equal(t, "known", ok, true)
	})
}

func row(n, principal uint32, kind graphsync.Kind) graphsync.Assignment {
	return graphsync.Assignment{ID: fmt.Sprintf("row-%d", n), Principal: id(principal), PrincipalKind: kind, Role: id(500)}
}

func assign(t *testing.T, tn *state.Tenant, rows ...graphsync.Assignment) state.AssignmentDiff {
	t.Helper()
	r, err := tn.BeginAssignments("app")
	if err != nil {
		t.Fatal(err)
	}
	for chunk := range slices.Chunk(rows, 2) {
		if err := r.Add(chunk); err != nil {
			t.Fatal(err)
		}
	}
	absent(t, r)
	diff, err := r.Commit(front, false)
	if err != nil {
		t.Fatal(err)
	}
	return diff
}

// A row that is read twice, after what came before it was compared, does not stand for another one that is missing.
func TestAssignmentsReadTwice(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	a, b := row(1, 1, graphsync.User), row(2, 2, graphsync.User)
	assign(t, tn, a, b)
	r, err := tn.BeginAssignments("app")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Add([]graphsync.Assignment{a}); err != nil {
			t.Fatal(err)
		}
		missing, err := r.Unseen("", 10)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "missing", missing, []string{b.ID})
	}
	absent(t, r)
	diff, err := r.Commit(front, false)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the reading", diff, state.AssignmentDiff{Rows: 1, Removed: 1, Principals: 1})
}

// absent has Graph say of each row that did not come that there is none.
func absent(t *testing.T, r *state.AssignmentRound) {
	t.Helper()
	ids, err := r.Unseen("", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		r.RecordPresence(id, graphsync.Absent)
	}
}

func TestAssignments(t *testing.T) {
	t.Parallel()
	tn := tenant(t, open(t))
	begin(t, tn, graphsync.Groups)
	put(t, tn, graphsync.Groups, group(9, joins(4), graphsync.MemberChange{Kind: graphsync.Group, ID: id(8)}))
	took(t, tn)
	a, b, c, g := row(1, 1, graphsync.User), row(2, 2, graphsync.User), row(3, 2, graphsync.User), row(4, 9, graphsync.Group)

	equal(t, "first", assign(t, tn, a, b, c, g, a), state.AssignmentDiff{Rows: 4, Added: 4})
	equal(t, "pending", took(t, tn), sorted(userKey(1), userKey(2), userKey(4), groupKey(9)))
	equal(t, "again", assign(t, tn, g, c, b, a), state.AssignmentDiff{Rows: 4})
	equal(t, "pending", took(t, tn), []state.PendingKey(nil))

	// A reading that is dropped leaves no trace, whatever it met.
	lost, err := tn.BeginAssignments("app")
	if err != nil {
		t.Fatal(err)
	}
	d := row(5, 5, graphsync.User)
	if err := lost.Add([]graphsync.Assignment{d, row(6, 6, graphsync.User)}); err != nil {
		t.Fatal(err)
	}
	view(t, tn, func(tx *state.Tx) {
		equal(t, "rows", tx.Assignments("app").Count(), 4)
		equal(t, "staged", len(slices.Collect(tx.Assignments("app").Of(id(5)))), 0)
	})
	equal(t, "what was dropped is new, or gone", assign(t, tn, a, b, c, g, d), state.AssignmentDiff{Rows: 5, Added: 1})
	equal(t, "pending", took(t, tn), sorted(userKey(5)))
	if _, err := lost.Commit(front, false); err == nil {
		t.Error("a reading older than the state was committed")
	}

	moved := a
	moved.Principal = id(7)
	equal(t, "removed and altered", assign(t, tn, moved, c), state.AssignmentDiff{Rows: 2, Added: 1, Removed: 4, Principals: 4})
	equal(t, "pending", took(t, tn), sorted(userKey(1), userKey(2), userKey(4), userKey(5), userKey(7), groupKey(9)))
	view(t, tn, func(tx *state.Tx) {
		equal(t, "rows", tx.Assignments("app").Count(), 2)
		equal(t, "of 7", slices.Collect(tx.Assignments("app").Of(id(7))), []graphsync.Assignment{moved})
		equal(t, "of 2", slices.Collect(tx.Assignments("app").Of(id(2))), []graphsync.Assignment{c})
		equal(t, "principals", len(slices.Collect(tx.Assignments("app").Principals(graphsync.ID{}))), 2)
		first := slices.Collect(tx.Assignments("app").Principals(graphsync.ID{}))[0]
		equal(t, "principals behind the first", len(slices.Collect(tx.Assignments("app").Principals(first.ID))), 1)
		equal(t, "of another app", tx.Assignments("other").Count(), 0)
	})
	equal(t, "an empty reading", assign(t, tn), state.AssignmentDiff{Removed: 2, Principals: 2})
	if err := lost.Add([]graphsync.Assignment{{}}); err == nil {
		t.Error("a row without an id was taken")
	}
}

func sorted(keys ...state.PendingKey) []state.PendingKey {
	slices.SortFunc(keys, func(a, b state.PendingKey) int {
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		return slices.Compare(a.ID[:], b.ID[:])
	})
	return keys
}

// A row that a reading lacks stays until Graph says that it is gone, or two rounds miss it.
func TestMissedAssignments(t *testing.T) {
	t.Parallel()
	a, b := row(1, 1, graphsync.User), row(2, 2, graphsync.User)
	both, second, none := []graphsync.Assignment{a, b}, []graphsync.Assignment{b}, []graphsync.Assignment(nil)
	type round struct {
		read   []graphsync.Assignment
		answer graphsync.Presence // about what did not come
		rows   int                // afterwards
		waits  int
	}
	for name, test := range map[string]struct {
		twice  bool
		rounds []round
	}{
		"gone at once":                     {false, []round{{second, graphsync.Absent, 1, 0}}},
		"gone, twice asked for":            {true, []round{{second, graphsync.Absent, 2, 1}, {second, graphsync.Absent, 1, 0}}},
		"refused, then missed again":       {false, []round{{second, graphsync.Unknown, 2, 1}, {second, graphsync.Unknown, 1, 0}}},
		"refused, then there":              {false, []round{{second, graphsync.Unknown, 2, 1}, {both, 0, 2, 0}, {second, graphsync.Unknown, 2, 1}}},
		"gone, then there, then gone":      {true, []round{{second, graphsync.Absent, 2, 1}, {second, graphsync.Present, 2, 0}, {second, graphsync.Absent, 2, 1}}},
		"a lagging list, however often":    {false, []round{{none, graphsync.Present, 2, 0}, {none, graphsync.Present, 2, 0}}},
		"everything is missing and exists": {true, []round{{none, graphsync.Present, 2, 0}, {both, 0, 2, 0}}},
	} {
		tn := tenant(t, open(t))
		assign(t, tn, both...)
		took(t, tn)
		for i, step := range test.rounds {
			r, err := tn.BeginAssignments("app")
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Add(step.read); err != nil {
				t.Fatal(err)
			}
			var ids []string
			for after := ""; ; after = ids[len(ids)-1] { // one at a time
				next, err := r.Unseen(after, 1)
				if err != nil {
					t.Fatal(err)
				}
				if len(next) == 0 {
					break
				}
				ids = append(ids, next...)
			}
			equal(t, name+": unseen", len(ids), 2-len(step.read))
			for _, id := range ids {
				r.RecordPresence(id, step.answer)
			}
			diff, err := r.Commit(front, test.twice)
			if err != nil {
				t.Fatal(err)
			}
			what := fmt.Sprintf("%s, round %d: ", name, i+1)
			equal(t, what+"waiting", diff.Waiting, step.waits)
			view(t, tn, func(tx *state.Tx) { equal(t, what+"rows", tx.Assignments("app").Count(), step.rows) })
			equal(t, what+"pending", len(took(t, tn)), diff.Removed)
		}
	}
}
