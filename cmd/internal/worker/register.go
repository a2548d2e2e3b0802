package worker

import (
	"slices"

	"entrasync/cmd/internal/compile"
	"entrasync/configs"
	"entrasync/state"
)

// register adds what the registry knows: the syncs of tenants that joined by consent, and which tenants
// are paused by command.
func (w *Worker) register() error {
	records, err := w.Store.TenantRecords().All()
	if err != nil {
		return err
	}
	joined, err := w.Tenants.joined(records)
	if err != nil {
		return err
	}
	syncs := slices.Clone(w.configured)
	for _, entry := range w.Config.Syncs {
		if !entry.Value.From.Consented {
			continue
		}
		t, faults := compile.NewTemplate(w.Config, entry)
		if err := faults.Err(); err != nil {
			return err
		}
		for _, record := range joined {
			// {tenant} is the id: the organization that joins chooses its name, and must not choose
			// with it which place in an application its accounts go to.
			planned, _ := t.For(record.Name, record.ID.String(), configs.Tenant{ID: record.ID.String()})
			if planned == nil {
				continue
			}
			boundJoined(w.Config, planned, record)
			syncs = append(syncs, planned)
		}
	}
	for i, planned := range syncs {
		at := slices.IndexFunc(records, func(r state.TenantRecord) bool { return r.ID == planned.Tenant })
		if at < 0 || !records[at].Paused || planned.Paused != "" {
			continue
		}
		paused := *planned
		paused.Paused = "by command"
		syncs[i] = &paused
	}
	w.Syncs = syncs
	return nil
}
