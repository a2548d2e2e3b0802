package worker

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"entrasync/cmd/internal/compile"
	"entrasync/configs"
	"entrasync/reconcile"
	"entrasync/reconcile/drift"
	"entrasync/state"
)

// The kinds of cycles that are noted in a state that workers share. One that is interrupted is resumed by a cycle on schedule,
// a removals cycle and a compare by one of its kind.
const (
	OnSchedule = "schedule"
	Removals   = "removals"
	Drift      = "drift" // a compare on a schedule of its own
	ByCommand  = "command"
)

// covers is the kind that a kind of cycle resumes in addition to its own.
func covers(kind string) string {
	if kind == OnSchedule {
		return ByCommand
	}
	return kind
}

// Tick returns how the latest cycle of a kind stands, whichever worker ran it.
func (w *Worker) Tick(ctx context.Context, s *compile.Sync, kind string) (state.Tick, error) {
	return w.Store.Workers().Tick(ctx, s.Tenant, s.Name, kind, covers(kind))
}

// Begin notes where workers share the state that a cycle begins, so that another one resumes it should this process end. With a
// configuration that is not the active one the error is a *[state.InactiveError]. end notes how the cycle ended.
func (w *Worker) Begin(syncer *reconcile.Syncer, kind string) (end func(ctx context.Context, err error), err error) {
	if !w.Store.Workers().Shared() {
		return func(context.Context, error) {}, nil
	}
	hash, err := w.ConfigHash()
	if err != nil {
		return nil, err
	}
	sync := syncer.Sync.Name
	if err := syncer.Tenant.BeginCycle(sync, kind, hash); err != nil {
		return nil, err
	}
	return func(ctx context.Context, err error) {
		if errors.As(err, new(*state.LostError)) {
			return // the worker that takes the tenant reports and resumes it
		}
		if err := syncer.Tenant.EndCycle(sync, kind, covers(kind), ctx.Err() == nil); err != nil {
			w.Log.Error("note the end of a cycle", "sync", sync, "tenant", syncer.Tenant.ID(), "error", err)
		}
	}, nil
}

// reportInterrupted puts the cycles of a tenant that other workers did not end into the history of their syncs. This process
// owns the tenant.
func reportInterrupted(tenant *state.Tenant) error {
	cycles, err := tenant.Interrupted()
	if err != nil {
		return err
	}
	for _, c := range cycles {
		if c.Worker == "" {
			continue
		}
		if err := reconcile.ReportInterrupted(tenant, c.Sync, c.Worker, c.Began, time.Now()); err != nil {
			return err
		}
		if err := tenant.ReportedCycle(c); err != nil {
			return err
		}
	}
	return nil
}

// ConfigHash tells configurations apart by what their cycles do: two files that differ in comments, secrets, addresses to listen
// on or places of files have one hash.
func (w *Worker) ConfigHash() ([]byte, error) {
	type sync struct {
		Name, Tenant, Decides, Guard, Place, Expansion string
		Drift                                          *drift.Policy `json:",omitempty"`
		Quarantine                                     configs.Quarantine
	}
	var all []sync
	add := func(s *reconcile.Sync, tenant, expansion string, quarantine configs.Quarantine) error {
		application, err := compile.ApplicationOf(w.Config, s.TargetName, expansion)
		all = append(all, sync{s.Name, tenant, s.Text, s.Guard.Text(), application.Place, expansion, s.Drift, quarantine})
		return err
	}
	for _, s := range w.configured {
		section, _ := w.Config.Syncs.Get(s.Name)
		if err := add(s.Sync, s.Section.ID, s.Expansion, section.Quarantine); err != nil {
			return nil, err
		}
	}
	for _, entry := range w.Config.Syncs {
		if !entry.Value.From.Consented {
			continue
		}
		t, faults := compile.NewTemplate(w.Config, entry)
		if err := faults.Err(); err != nil {
			return nil, err
		}
		if err := add(t.Sync, "consented", compile.AnyTenant, entry.Value.Quarantine); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b sync) int { return slices.Compare([]string{a.Name, a.Tenant}, []string{b.Name, b.Tenant}) })
	text, err := json.Marshal(struct {
		Syncs                []sync
		Schedule, Full, Soon string
	}{all, w.Config.Schedule, w.Config.FullCycle, w.Config.Removals})
	if err != nil {
		return nil, fmt.Errorf("tell this configuration from others: %w", err)
	}
	sum := sha256.Sum256(text)
	return sum[:], nil
}
