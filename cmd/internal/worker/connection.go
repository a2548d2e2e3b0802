package worker

import (
	"log/slog"
	"time"

	"entrasync/configs"
	"entrasync/graphsync"
)

// A Connection is how a tenant's directory is reached.
type Connection struct {
	Tenant     graphsync.ID
	Cloud      graphsync.Cloud
	App        *configs.App  // nil where the configuration has none
	MaxElapsed time.Duration // waited in all for one answer; zero for the source's default
	Log        *slog.Logger
}

// Connect returns how a tenant is reached that may be in no configuration yet.
func (w *Worker) Connect(id graphsync.ID) (Connection, error) {
	return w.connection(TenantOf(w.Config, id), id, w.Log)
}

// connection returns how the tenant of a section is reached.
func (w *Worker) connection(section configs.Tenant, id graphsync.ID, log *slog.Logger) (c Connection, err error) {
	c = Connection{Tenant: id, App: w.Config.AppOf(section), Log: log}
	c.Cloud, err = CloudOf(w.Config.CloudOf(section))
	return c, err
}

// Prove opens a source of its own for a tenant, and so with a token of its own.
func (w *Worker) Prove(c Connection) (graphsync.Source, error) { return w.options.OpenSource(c) }

// openSource makes the source of a tenant.
func (w *Worker) openSource(name string, tenant configs.Tenant) (graphsync.Source, error) {
	id, err := graphsync.ParseID(tenant.ID)
	if err != nil {
		return nil, err
	}
	connection, err := w.connection(tenant, id, w.Log.With("tenant", name))
	if err != nil {
		return nil, err
	}
	return w.options.OpenSource(connection)
}

// CloudOf returns the cloud that a configuration names.
func CloudOf(c configs.Cloud) (graphsync.Cloud, error) {
	if c.Name != "" {
		return graphsync.ParseCloud(c.Name)
	}
	return graphsync.CustomCloud(c.Authority, c.Graph)
}

// TenantOf returns the section of a tenant: that of the configuration, or its id alone.
func TenantOf(cfg *configs.Config, id graphsync.ID) configs.Tenant {
	for _, section := range cfg.Tenants.All() {
		if section.ID == id.String() {
			return section
		}
	}
	return configs.Tenant{ID: id.String()}
}
