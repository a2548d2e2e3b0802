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
	CAFile     string        // certificates to trust in place of the system's; "" for none
	App        *configs.App  // nil where the configuration has none
	MaxElapsed time.Duration // waited in all for one answer; zero for the source's default
	Log        *slog.Logger
}

// Directories reach the directories of the tenants that a configuration names, and of others by its defaults.
type Directories struct {
	config *configs.Config
	open   func(Connection) (graphsync.Source, error)
	log    *slog.Logger
}

// Connect returns how a tenant is reached that may be in no configuration yet.
func (d Directories) Connect(id graphsync.ID) (Connection, error) {
	return d.connection(TenantOf(d.config, id), id, d.log)
}

// connection returns how the tenant of a section is reached.
func (d Directories) connection(section configs.Tenant, id graphsync.ID, log *slog.Logger) (c Connection, err error) {
	c = Connection{Tenant: id, App: d.config.AppOf(section), Log: log}
	cloud := d.config.CloudOf(section)
	c.CAFile = cloud.CAFile
	c.Cloud, err = CloudOf(cloud)
	return c, err
}

// Prove opens a source of its own for a tenant, and so with a token of its own.
func (d Directories) Prove(c Connection) (graphsync.Source, error) { return d.open(c) }

// source makes the source of a tenant.
func (d Directories) source(name string, tenant configs.Tenant) (graphsync.Source, error) {
	id, err := graphsync.ParseID(tenant.ID)
	if err != nil {
		return nil, err
	}
	connection, err := d.connection(tenant, id, d.log.With("tenant", name))
	if err != nil {
		return nil, err
	}
	return d.open(connection)
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
