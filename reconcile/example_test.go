package reconcile_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// A dry run stops after the plan; the next run applies it, and then nothing is left to do.
func ExampleSyncer_Run() {
	if err := threeRuns(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// create user0@contoso.example
	// create user1@contoso.example
	// planned: 2 to create
	// ok: 2 created
	// ok: 0 created, 2 unchanged
}

func threeRuns(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "reconcile-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := state.Open(dir)
	if err != nil {
		return err
	}
	defer store.Close()
	contoso := graphsync.ID{1}
	tenant, err := store.Tenant(contoso)
	if err != nil {
		return err
	}
	defer tenant.Close()
	attributes, faults := mapping.New(target.User, []mapping.Spec{{Path: "userName", Expr: "[userPrincipalName]", Required: true}})
	if len(faults) > 0 {
		return faults[0]
	}
	people := &reconcile.Sync{
		Name: "people", TargetName: "app", Tenant: contoso, Scope: desired.Scope{All: true, Guests: true},
		Users: desired.Rules{Mapping: attributes, Match: []string{"userName"}, Actions: map[plan.Op]bool{plan.Create: true, plan.Update: true}},
	}
	syncer := &reconcile.Syncer{
		Sync: people, Requirements: reconcile.RequirementsOf([]*reconcile.Sync{people}), TenantSyncs: []string{"people"},
		Source: &benchSource{users: 2}, Store: store, Tenant: tenant, Target: newApplication(),
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	report, err := syncer.Run(ctx, reconcile.Options{})
	if err != nil {
		return err
	}
	for action, err := range syncer.Plan(report).Actions() {
		if err != nil {
			return err
		}
		fmt.Println(action.Op, action.Key)
	}
	fmt.Printf("planned: %d to create\n", report.Summary.Create)
	if report, err = syncer.Run(ctx, reconcile.Options{Apply: true}); err != nil {
		return err
	}
	fmt.Printf("%s: %d created\n", report.Result, report.Summary.Create)
	if report, err = syncer.Run(ctx, reconcile.Options{Apply: true}); err != nil {
		return err
	}
	fmt.Printf("%s: %d created, %d unchanged\n", report.Result, report.Summary.Create, report.Summary.Unchanged)
	return nil
}
