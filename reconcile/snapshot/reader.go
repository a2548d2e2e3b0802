package snapshot

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// A Reader brings the snapshot of a tenant up to date for a cycle of one of its syncs.
type Reader struct {
	Tenant       *state.Tenant
	TenantID     graphsync.ID
	Source       graphsync.Source
	TenantSyncs  []string     // names of all syncs of the tenant: what changes is pending for each
	Requirements Requirements // of all syncs of the tenant
	Sync         string       // name of the sync whose cycle it is
	AppID        string       // of the enterprise application of this sync
	Assignments  bool         // the application and its assignments are read
	Full         bool         // a new round of every list is begun
	Apply        bool         // false for a dry run, which does not count towards a miscount that lasts
	Now          time.Time    // when the cycle began
	Clock        func() time.Time
	Log          *slog.Logger
	Progress     Progress // may be nil
}

// Read reads users, groups with members, the enterprise application and its assignments. Each page is committed
// as it comes. Without an error all rounds have reached their delta link and every absence is proven.
// The result is what was taken in until then, with an error too.
func (r *Reader) Read(ctx context.Context) (Result, error) {
	took := &tally{progress: r.Progress}
	wait := pause{tenant: r.Tenant, now: r.Now, clock: r.Clock}
	if err := wait.check(); err != nil {
		return took.sum(), err
	}
	err := r.read(ctx, took)
	return took.sum(), wait.remember(err)
}

// read reads what the syncs of the tenant need.
func (r *Reader) read(ctx context.Context, took *tally) error {
	if err := remindAbsent(r.Tenant, r.TenantSyncs); err != nil {
		return err
	}
	if r.Requirements.Organization {
		if err := r.readOrganization(ctx, took); err != nil {
			return err
		}
	}
	return r.readLists(ctx, took)
}

// remindAbsent has syncs that are in the state but not in the configuration evaluate all users
// when they come back: what changes now is not kept for them.
func remindAbsent(tenant *state.Tenant, configured []string) error {
	var absent []string
	err := tenant.View(func(tx *state.Tx) error {
		for _, name := range tx.Syncs() {
			if !slices.Contains(configured, name) && !tx.Pending(name).Everything() {
				absent = append(absent, name)
			}
		}
		return nil
	})
	if err != nil || len(absent) == 0 {
		return err
	}
	return tenant.Update(func(tx *state.Tx) error { return setEverything(tx, absent) })
}

// setEverything has syncs evaluate every user and group in their next cycle.
func setEverything(tx *state.Tx, syncs []string) error {
	for _, name := range syncs {
		if err := tx.Pending(name).SetEverything(true); err != nil {
			return err
		}
	}
	return nil
}
