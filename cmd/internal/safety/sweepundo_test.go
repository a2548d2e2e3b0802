package safety

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"entrasync/graphsync"
	"entrasync/state"
)

// playUndo tells a story up to a chapter and undoes the run of that chapter, with one death in the undo, after which the same
// undo is run again. It returns what the application and the links hold then.
func playUndo(t *testing.T, s story, chapter int, at moment) (after string, calls []bool, commits int, died bool) {
	t.Helper()
	st := newStage(t, s)
	for _, tell := range s.chapters[:chapter+1] {
		tell(st.cast)
		st.cycle(moment{}, nil)
	}
	before := st.holds(t)
	st.job.Undo = st.last.Run
	calls, commits = st.cycle(at, nil)
	if after = st.holds(t); after == before {
		t.Fatalf("the undo at %s changed nothing", at)
	}
	return after, calls, commits, st.deaths > 0
}

// holds describes accounts, groups and links, by names.
func (st *stage) holds(t *testing.T) string {
	t.Helper()
	st.mu.Lock()
	st.kill, st.at = func() {}, moment{} // the application answers this test
	st.mu.Unlock()
	defer func() {
		st.mu.Lock()
		st.kill = nil
		st.mu.Unlock()
	}()
	var lines []string
	names := map[string]string{}
	for _, user := range st.front.Users(t) {
		id, name := fmt.Sprint(user["id"]), fmt.Sprint(user["userName"])
		names[id] = name
		lines = append(lines, fmt.Sprint("user ", name, " ", user["displayName"], " ", user["active"]))
	}
	for _, group := range st.front.Groups(t) {
		var members []string
		list, _ := group["members"].([]any)
		for _, m := range list {
			members = append(members, names[fmt.Sprint(m.(map[string]any)["value"])])
		}
		slices.Sort(members)
		names[fmt.Sprint(group["id"])] = fmt.Sprint(group["displayName"])
		lines = append(lines, fmt.Sprint("group ", group["displayName"], " ", members))
	}
	store, err := state.Open(st.dir)
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := store.Tenant(st.tenant.ID())
	if err != nil {
		t.Fatal(err)
	}
	err = tenant.View(func(tx *state.Tx) error {
		for _, sync := range tx.Syncs() {
			for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
				for link, err := range tx.Links(sync).All(kind, graphsync.ID{}) {
					if err != nil {
						return err
					}
					lines = append(lines, fmt.Sprint("link ", kind, " ", names[link.TargetID], " ", link.Active, " ", link.Adopted))
				}
			}
		}
		return nil
	})
	if err := errors.Join(err, tenant.Close(), store.Close()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// An undo that is killed at any commit or any call, and run again, leaves what one leaves that was not killed.
func TestUndoKilledAnywhere(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1} {
		s := stories()[n]
		for chapter, what := range map[int]string{0: "joiners", 1: "movers", 2: "leavers"} {
			if s.set.Delete && what == "leavers" {
				continue // deletions are not put back
			}
			t.Run(s.name+", undo of "+what, func(t *testing.T) {
				t.Parallel()
				want, calls, commits, _ := playUndo(t, s, chapter, moment{})
				moments := momentsOf([][]bool{calls}, []int{commits})
				all := len(moments)
				if !*sweepAll {
					moments = sample(moments, 8)
				}
				deaths := 0
				for _, at := range moments {
					got, _, _, died := playUndo(t, s, chapter, at)
					if died {
						deaths++
					}
					if got != want {
						t.Errorf("killed at %s:\n%s\nwant:\n%s", at, got, want)
					}
				}
				if deaths < len(moments)*9/10 {
					t.Errorf("the process died at %d of %d moments only", deaths, len(moments))
				}
				t.Logf("killed at %d of %d moments", deaths, all)
			})
		}
	}
}
