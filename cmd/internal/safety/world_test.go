package safety

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/graphsync/msgraph"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/reconcile/scope"
	"entrasync/state"
	"entrasync/state/postgres"
	"entrasync/target"
	"entrasync/target/scim"
	"entrasync/target/scim/scimtest"
)

// Planted secrets: nothing that is written may hold them.
const (
	clientSecret = "planted-client-secret-3Qz8"
	bearerToken  = "planted-bearer-token-7Hy2"
	derived      = "-planted-derived-5Kx1" // end of a redacted value
)

const frontApp = "6a1e0000-0000-0000-0000-000000000001"

// Roles in the order in which one wins over another.
var roles = []string{"Admin", "Editor", "Viewer"}

// A plan of the world: what the configuration would say.
type settings struct {
	all, nested, guests bool
	onlySales           bool // scoping filter: department EQUALS Sales
	groups              bool
	onRemove            desired.OnRemove
	onUnassign          policy
	onDelete            policy
	guard               guard.Guard
	protect             bool // accounts that the application calls protected
	concurrency         int
	pageSize            int
	membersPage         int
	maxBody             int64 // of an answer
	verify              bool  // read back what an answer does not show
	redact              bool  // map an attribute that must not be shown
	history             reconcile.History
	term                postgres.Term // of the state in PostgreSQL; zero: it does not end
	dsn                 string        // of the state in PostgreSQL; "": it is in files
}

// A policy is what happens to users who left for one reason. It is a value, not a pointer, because the text of the settings
// is that of the configuration.
type policy struct {
	own bool // else what happens to all leavers
	is  desired.OnRemove
}

func (p policy) rule() *desired.OnRemove {
	if !p.own {
		return nil
	}
	return &p.is
}

// A world is a directory, an application, and the sync between them, in one process and
// without sockets.
type world struct {
	t      *testing.T
	set    settings
	graph  *graphtest.Server
	tenant *graphtest.Tenant
	front  *scimtest.Server
	dir    string

	other other // what takes the place of front in some stories

	sync   *reconcile.Sync
	source *msgraph.Source
	target target.Adapter
	store  *state.Store
	state  *state.Tenant
	log    lockedBuffer

	wire  wire
	watch *watch
	skew  time.Duration // how far this machine's clock is off
}

func newWorld(t *testing.T, set settings) *world {
	t.Helper()
	w := &world{t: t, set: set, dir: stateDir(t)}
	w.graph = graphtest.New(graphtest.Options{PageSize: set.pageSize, MembersPageSize: set.membersPage})
	w.tenant = w.graph.AddTenant(graphtest.TenantSpec{})
	app := graphtest.AppSpec{ClientID: frontApp, Name: "Front", Secret: clientSecret}
	for _, role := range roles {
		app.Roles = append(app.Roles, graphtest.AppRole{Value: role, Name: role})
	}
	w.tenant.App(app)
	w.front = scimtest.Elimity(t, scimtest.Options{InProcess: true, Token: bearerToken, CheckMembers: true})
	w.wire.lost = w.crash
	w.watch = newWatch(w)
	w.sync = set.compile(w.tenant.ID())
	w.openClients()
	w.openState()
	t.Cleanup(func() { w.store.Close() })
	return w
}

// stateDir is in memory where the system offers that: the tests write far more than they read.
func stateDir(t *testing.T) string {
	t.Helper()
	if dir, err := os.MkdirTemp("/dev/shm", "entrasync-safety-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return filepath.Join(dir, "state")
	}
	return filepath.Join(t.TempDir(), "state")
}

// openClients makes the source and the adapter as a new process would: they know nothing yet.
func (w *world) openClients() {
	w.t.Helper()
	cloud, err := graphsync.CustomCloud(w.graph.URL(), w.graph.URL())
	if err != nil {
		w.t.Fatal(err)
	}
	w.source, err = msgraph.Open(msgraph.Config{
		Tenant: w.tenant.ID(), Cloud: cloud, HTTP: w.wire.to("graph", w.graph.Transport(), nil), Log: w.logger(), MaxBody: w.set.maxBody,
		Credential: msgraph.Credential{ClientID: frontApp, Secret: func() (string, error) { return clientSecret, nil }},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	transport, err := target.NewTransport(target.TransportConfig{
		Base: w.wire.to("front", w.front.Transport(), w.watch), Concurrency: w.set.concurrency, MaxBody: w.set.maxBody,
		Auth: target.Auth{Bearer: func() (string, error) { return bearerToken, nil }},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	front, err := scim.New(scim.Config{URL: w.front.URL, VerifyWrites: w.set.verify}, transport)
	if err != nil {
		w.t.Fatal(err)
	}
	w.target = versioned{front, w}
}

// versioned is the application with a version of its content, so that a plan may be applied as it stands.
type versioned struct {
	*scim.Adapter
	world *world
}

// Version implements [target.Versioned].
func (v versioned) Version(context.Context) (string, bool, error) {
	content, err := json.Marshal([]any{v.world.front.Users(v.world.t), v.world.front.Groups(v.world.t)})
	return string(content), err == nil, err
}

func (w *world) openState() {
	w.t.Helper()
	var err error
	if w.store, err = w.openStore(); err == nil {
		w.state, err = w.store.Own(w.tenant.ID())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// forever is a term that does not end while the clock of a test jumps: that of the database does not.
var forever = postgres.Term{Lease: 50 * 365 * 24 * time.Hour}

func (w *world) openStore() (*state.Store, error) {
	if w.set.dsn == "" {
		return state.Open(w.dir)
	}
	return state.OpenPostgresWith(context.Background(), func() (string, error) { return w.set.dsn, nil }, w.dir, state.Options{Term: cmp.Or(w.set.term, forever)})
}

// crash takes the state away in the middle of a cycle: what is written is written, nothing is
// recorded from here on.
func (w *world) crash() {
	if err := w.store.Close(); err != nil {
		w.watch.report("close the state: %v", err)
	}
}

// restart continues as a new process.
func (w *world) restart() {
	w.t.Helper()
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.wire.revive()
	w.openClients()
	w.openState()
}

func (w *world) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (w *world) syncer() *reconcile.Syncer {
	return &reconcile.Syncer{
		Sync: w.sync, Requirements: reconcile.RequirementsOf([]*reconcile.Sync{w.sync}), TenantSyncs: []string{w.sync.Name},
		Source: w.source, Store: w.store, Tenant: w.state, Target: w.target,
		Concurrency: w.set.concurrency, Log: w.logger(), Now: func() time.Time { return time.Now().Add(w.skew) },
		History: w.set.history,
	}
}

// run makes a cycle. A cycle that was interrupted by a crash resumes in a new process.
func (w *world) run(opts reconcile.Options) (*reconcile.Report, error) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	w.wire.begin(cancel)
	w.watch.begin()
	report, err := w.syncer().Run(ctx, opts)
	if w.wire.dead() {
		w.restart()
	}
	w.wire.interrupt(interruption{})
	return report, err
}

// compile is the configuration `settings` stand for, as the command would compile it.
func (set settings) compile(tenant graphsync.ID) *reconcile.Sync {
	specs := []mapping.Spec{
		{Path: "externalId", Expr: "[objectId]"},
		{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
		{Path: "active", Expr: "Not([IsSoftDeleted])"},
		{Path: "displayName", Expr: "[displayName]"},
		{Path: "title", Expr: "[jobTitle]", OnNull: "clear"},
		{Path: `emails[type eq "work"].value`, Expr: "[mail]", OnNull: "clear"},
		{Path: "userType", Expr: "SingleAppRoleAssignment([appRoleAssignments])", Priority: roles, OnNull: "clear"},
	}
	if set.redact {
		specs = append(specs, mapping.Spec{Path: "nickName", Expr: `Append([city], "` + derived + `")`, Redact: true})
	}
	users, faults := mapping.New(target.User, specs)
	if len(faults) > 0 {
		panic(faults)
	}
	groups, faults := mapping.New(target.Group, []mapping.Spec{
		{Path: "externalId", Expr: "[objectId]"},
		{Path: "displayName", Expr: "[displayName]", Required: true},
	})
	if len(faults) > 0 {
		panic(faults)
	}
	s := &reconcile.Sync{
		Name: "front", TargetName: "front", Tenant: tenant, AppID: frontApp, Text: fmt.Sprintf("%+v", set),
		Scope: desired.Scope{All: set.all, Nested: set.nested, Guests: set.guests},
		Users: desired.Rules{Mapping: users, Match: []string{"externalId", "userName"}, OnRemove: set.onRemove, OnUnassign: set.onUnassign.rule(), OnDelete: set.onDelete.rule(),
			Actions: map[plan.Op]bool{plan.Create: true, plan.Update: true, plan.Deactivate: true, plan.Reactivate: true, plan.Delete: true}},
		Groups: desired.GroupRules{Enabled: set.groups, Takeover: desired.TakeoverAdopt,
			Rules: desired.Rules{Mapping: groups, Match: []string{"externalId", "displayName"},
				Actions: map[plan.Op]bool{plan.Create: true, plan.Update: true, plan.Delete: true}}},
		Guard: set.guard,
	}
	if set.protect {
		filter, err := target.ParseFilter(`nickName eq "protected"`)
		if err != nil {
			panic(err)
		}
		s.Scope.Protect = []target.Filter{filter}
	}
	if set.onlySales {
		filter, faults := scope.Compile([][]scope.Clause{{{Attribute: "department", Operator: "EQUALS", Value: "Sales"}}}, nil)
		if len(faults) > 0 {
			panic(faults)
		}
		s.Scope.Filter = filter
	}
	return s
}

// A lockedBuffer takes what several goroutines write.
type lockedBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
