package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// slowGroups take a second for each change of members.
type slowGroups struct {
	target.Adapter
	busy    map[string]*atomic.Int32
	overlap atomic.Bool
}

func (g *slowGroups) ChangeMembers(_ context.Context, ref target.Ref, add, _ []string) ([]target.MemberError, error) {
	if g.busy[ref.ID].Add(1) > 1 {
		g.overlap.Store(true)
	}
	time.Sleep(time.Second) // of the bubble: until everybody else waits
	g.busy[ref.ID].Add(-1)
	return nil, nil
}

type quiet struct{ graphsync.Source }

func (quiet) Traffic() graphsync.Traffic { return graphsync.Traffic{} }

// The parts of a large group's change are written one after another: an application that writes a group as
// a whole would lose one of two. Parts of different groups are written at once.
func TestPartsOfAGroupFollowEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, err := state.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		tenant, err := store.Tenant(graphsync.ID{1})
		if err != nil {
			t.Fatal(err)
		}
		defer tenant.Close()
		groups := &slowGroups{busy: map[string]*atomic.Int32{"g1": {}, "g2": {}}}
		s := &Syncer{Sync: &Sync{Name: "people", Tenant: graphsync.ID{1}, Users: desired.Rules{Mapping: &mapping.Mapping{}}, Groups: desired.GroupRules{Rules: desired.Rules{Mapping: &mapping.Mapping{}}}},
			Source: quiet{}, Store: store, Tenant: tenant, Target: groups, Concurrency: 8, Log: slog.New(slog.DiscardHandler), Now: time.Now}
		c := s.newCycle(Options{Apply: true})
		err = tenant.Update(func(tx *state.Tx) error {
			for n := range byte(2) {
				group := graphsync.ID{2, n}
				if err := tx.Links(s.Sync.Name).Put(state.Link{Kind: graphsync.Group, Source: group, TargetID: fmt.Sprintf("g%d", n+1), Active: true}); err != nil {
					return err
				}
				for part := range byte(3) {
					member := graphsync.ID{3, n, part}
					if err := tx.Links(s.Sync.Name).Put(state.Link{Kind: graphsync.User, Source: member, TargetID: fmt.Sprintf("u%d-%d", n, part), Active: true}); err != nil {
						return err
					}
					a := plan.StoredAction{Action: plan.Action{Op: plan.Members, Kind: graphsync.Group, SourceID: group, Add: []graphsync.ID{member}}}
					if err := plan.In(tx, s.Sync.Name).Put(plan.Key{Phase: plan.MemberPhase, ID: group, Part: uint32(part)}.Bytes(), &a); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := c.applier.applyPhase(t.Context(), plan.Part{Phase: plan.MemberPhase}, 6); err != nil {
			t.Fatal(err)
		}
		if groups.overlap.Load() {
			t.Error("two parts of a group were written at once")
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("three parts of each group took %v", took)
		}
		if done := c.ledger.done.Members; done != 6 {
			t.Errorf("%d parts were done", done)
		}
	})
}
