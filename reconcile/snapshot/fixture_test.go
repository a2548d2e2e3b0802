package snapshot_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile/snapshot"
	"entrasync/state"
)

var tenantID = graphsync.ID{0xc0}

// A copy is the snapshot of a tenant, on its disk.
type copy struct {
	t      testing.TB
	tenant *state.Tenant
	source graphsync.Source
	now    time.Time
	full   bool // the next read is a complete one
}

func newCopy(t testing.TB, source graphsync.Source) *copy {
	t.Helper()
	store, err := state.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	tenant, err := store.Tenant(tenantID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tenant.Close() })
	return &copy{t: t, tenant: tenant, source: source, now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)}
}

// read reads the directory, half an hour after the last time.
func (c *copy) read() (snapshot.Result, error) {
	c.t.Helper()
	c.now = c.now.Add(30 * time.Minute)
	r := snapshot.Reader{
		Tenant: c.tenant, TenantID: tenantID, Source: c.source, TenantSyncs: []string{"people"}, Sync: "people", AppID: "app", Assignments: true, Apply: true, Full: c.full,
		Requirements: snapshot.Requirements{App: true, UserProperties: []string{"accountEnabled", "displayName", "id", "userPrincipalName"},
			GroupProperties: []string{"displayName", "id", "members", "visibility"}},
		Now: c.now, Clock: func() time.Time { return c.now }, Log: slog.New(slog.DiscardHandler),
	}
	return r.Read(context.Background())
}

func (c *copy) must() snapshot.Result {
	c.t.Helper()
	result, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	return result
}

// decided notes that a cycle has decided what follows from the first read.
func (c *copy) decided() {
	c.t.Helper()
	c.update(func(tx *state.Tx) error {
		info := tx.SyncInfo("people")
		info.FirstRun = c.now
		return tx.PutSyncInfo("people", info)
	})
}

func (c *copy) view(f func(tx *state.Tx) error) {
	c.t.Helper()
	if err := c.tenant.View(f); err != nil {
		c.t.Fatal(err)
	}
}

func (c *copy) update(f func(tx *state.Tx) error) {
	c.t.Helper()
	if err := c.tenant.Update(f); err != nil {
		c.t.Fatal(err)
	}
}

// users are the users of the snapshot, and how far they have been read.
func (c *copy) users() (n int, cursor state.Cursor) {
	c.t.Helper()
	c.view(func(tx *state.Tx) error {
		n, cursor = tx.Objects().Count(graphsync.User), tx.Cursors().Get(graphsync.Users)
		return nil
	})
	return n, cursor
}

// A directory has an application and nothing else; tests add what they are about.
type directory struct {
	graphsync.Source // not called
}

func (directory) App(context.Context, string) (*graphsync.App, error) {
	return &graphsync.App{ID: graphsync.ID{0xa0}, AppID: "app", Name: "App", Enabled: true}, nil
}

// Presence says that everything exists which a list did not show.
func (directory) Presence(_ context.Context, _ graphsync.Kind, ids []graphsync.ID) ([]graphsync.Presence, error) {
	return slices.Repeat([]graphsync.Presence{graphsync.Present}, len(ids)), nil
}
