// Package demo shows a sample tenant kept in step: a plan, its application, three edits of the directory, and the next cycles.
//
// It runs real cycles against the emulator and prints what the commands print. It promises that nothing outside the folder
// of the demo is touched.
package demo

import (
	"context"
	"fmt"

	"entrasync/cmd/internal/compile"
	"entrasync/cmd/internal/console"
	"entrasync/cmd/internal/cycles"
	"entrasync/cmd/internal/lookup"
	"entrasync/cmd/internal/report"
	"entrasync/cmd/internal/sample"
	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/reconcile"
	"entrasync/state"
)

// A Demo shows cycles of one sync, and what led to them.
type Demo struct {
	Cycles cycles.Runner
	Sync   *compile.Sync
	Tenant *graphtest.Tenant
}

// Show runs and prints the whole of it.
func (d *Demo) Show(ctx context.Context) error {
	d.heading("1. The plan: what a first cycle would do (nothing is written)")
	if err := d.plan(ctx); err != nil {
		return err
	}
	d.heading("2. The first cycle, applied")
	if err := d.cycle(ctx); err != nil {
		return err
	}
	d.heading("3. The directory changes: one joins, one moves, one leaves")
	joiner, err := d.change()
	if err != nil {
		return err
	}
	d.heading("4. The plan now, and nothing else in it")
	if err := d.plan(ctx); err != nil {
		return err
	}
	d.heading("5. The second cycle")
	if err := d.cycle(ctx); err != nil {
		return err
	}
	d.heading("6. The third cycle has nothing to do")
	if err := d.cycle(ctx); err != nil {
		return err
	}
	d.heading("7. Why has the new person this account?")
	subject := reconcile.Subject{Kind: graphsync.User, Key: joiner.String()}
	if err := lookup.Explain(ctx, d.Cycles.Worker, []*compile.Sync{d.Sync}, subject, d.explain); err != nil {
		return err
	}
	fmt.Fprintf(d.out().W, "\nThat was all. Next: entrasync init writes a configuration for your own tenant.\n")
	return nil
}

func (d *Demo) out() console.Output { return d.Cycles.Print.Out }

func (d *Demo) heading(text string) {
	fmt.Fprintf(d.out().W, "\n%s\n", d.out().Paint(console.Bold, text))
}

func (d *Demo) plan(ctx context.Context) error {
	_, err := d.Cycles.PlanOne(ctx, d.Sync, cycles.PlanRequest{}, nil)
	return err
}

func (d *Demo) cycle(ctx context.Context) error {
	_, err := d.Cycles.SyncOne(ctx, d.Sync, reconcile.Options{Apply: true, Actor: d.Cycles.Actor})
	return err
}

func (d *Demo) explain(s *compile.Sync, x *reconcile.Explanation) error {
	if d.Cycles.Print.JSON {
		return d.Cycles.Print.Document(x)
	}
	return report.Explanation(d.out(), s, x)
}

// change makes the edits of the demo, and returns the user who joins.
func (d *Demo) change() (joiner graphsync.ID, err error) {
	assigned, err := d.linked()
	if err != nil {
		return joiner, err
	}
	if len(assigned) < 2 {
		return joiner, fmt.Errorf("the sample tenant has %d people assigned, the demo needs two", len(assigned))
	}
	mover, leaver := assigned[0], assigned[1]
	joiner, address := sample.Change(d.Tenant, mover.Source, leaver.Source)
	fmt.Fprintf(d.out().W, "  %s is hired and assigned the app role SuperUser\n  %s moves to Strategy\n  %s is deleted\n", address, mover.Key, leaver.Key)
	return joiner, nil
}

// linked returns the linked and active users of the demo, by id.
func (d *Demo) linked() (links []state.Link, err error) {
	err = d.Cycles.Worker.View(d.Sync.Tenant, func(tx *state.Tx) error {
		for link, err := range tx.Links(d.Sync.Name).All(graphsync.User, graphsync.ID{}) {
			if err != nil {
				return err
			}
			if link.Active {
				links = append(links, link)
			}
		}
		return nil
	})
	return links, err
}
