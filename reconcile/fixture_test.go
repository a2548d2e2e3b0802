package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// A service is a state directory, and what a configuration says of it: which target its syncs
// write to, and where that is.
type service struct {
	t     testing.TB
	dir   string
	store *state.Store
	now   time.Time

	to     string                    // name of the target section
	places map[string]string         // address of each section
	apps   map[string]target.Adapter // by address

	through func(*application) target.Adapter // how the application is reached; nil: directly
}

func newService(t testing.TB) *service {
	t.Helper()
	s := &service{t: t, dir: filepath.Join(t.TempDir(), "state"), now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
		to: "people", places: map[string]string{"people": "https://one"}, apps: map[string]target.Adapter{"https://one": newApplication()}}
	s.open()
	t.Cleanup(func() {
		if s.store != nil {
			s.store.Close()
		}
	})
	return s
}

func (s *service) open() {
	s.t.Helper()
	var err error
	if s.store, err = state.Open(s.dir); err != nil {
		s.t.Fatal(err)
	}
}

// restart continues as a new process, after something was done to the files.
func (s *service) restart(damage func() error) {
	s.t.Helper()
	if err := s.store.Close(); err != nil {
		s.t.Fatal(err)
	}
	if err := damage(); err != nil {
		s.t.Fatal(err)
	}
	s.open()
}

func (s *service) loseRegistry() error { return os.Remove(filepath.Join(s.dir, "registry.db")) }

// app is the application that the syncs write to now.
func (s *service) app() *application { return s.apps[s.places[s.to]].(*application) }

// adapter is the application as the syncs reach it.
func (s *service) adapter() target.Adapter {
	if s.through != nil {
		return s.through(s.app())
	}
	return s.apps[s.places[s.to]]
}

// A customer is a tenant of the service.
type customer struct {
	*service
	id     graphsync.ID
	source *directory
	reader graphsync.Source // what cycles read; nil: source
	name   string
	sync   string   // name of its sync
	peers  []string // all syncs of the tenant; nil: no other
	delete bool     // leavers are deleted

	onRemove desired.OnRemove // when not zero, instead

	change func(*reconcile.Sync) // may be nil
}

func (s *service) customer(name string) *customer {
	id := graphsync.ID{0xc0, byte(len(name))}
	copy(id[2:], name)
	return &customer{service: s, id: id, name: name, sync: "people", source: &directory{people: map[graphsync.ID]graphsync.Change{}, removed: map[graphsync.ID]graphsync.Removal{}}}
}

func (c *customer) rules() *reconcile.Sync {
	c.t.Helper()
	// Without an externalId, which would tell whose an account is, so that only claims do.
	m, faults := mapping.New(target.User, []mapping.Spec{
		{Path: "userName", Expr: "ToLower([userPrincipalName])", Required: true},
		{Path: "active", Expr: "Not([IsSoftDeleted])"},
		{Path: "displayName", Expr: "[displayName]"},
	})
	if len(faults) > 0 {
		c.t.Fatal(faults)
	}
	place := c.places[c.to]
	location, err := c.store.Locate(c.to, place, func(key string) string { return c.places[key] })
	if err != nil {
		c.t.Fatal(err)
	}
	s := &reconcile.Sync{Name: c.sync, TargetName: c.to, Location: location, Tenant: c.id, Scope: desired.Scope{All: true, Guests: true}, Text: "to " + c.to,
		Users: desired.Rules{Mapping: m, Match: []string{"userName"}, OnRemove: desired.OnRemove{Do: plan.Deactivate},
			Actions: map[plan.Op]bool{plan.Create: true, plan.Update: true, plan.Deactivate: true, plan.Reactivate: true, plan.Delete: true}},
		Guard: guard.Guard{FirstRunRemovals: true}}
	if c.delete {
		s.Users.OnRemove.Do = plan.Delete
	}
	if c.onRemove != (desired.OnRemove{}) {
		s.Users.OnRemove = c.onRemove
		s.Text += fmt.Sprint(c.onRemove)
	}
	if c.change != nil {
		c.change(s)
	}
	return s
}

// run makes a cycle, half an hour after the last one.
func (c *customer) run(opts reconcile.Options) (*reconcile.Report, error) {
	c.t.Helper()
	return c.runIn(context.Background(), opts)
}

// runIn makes a cycle that ends with a context.
func (c *customer) runIn(ctx context.Context, opts reconcile.Options) (report *reconcile.Report, err error) {
	c.t.Helper()
	c.syncing(func(s *reconcile.Syncer) { report, err = s.Run(ctx, opts) })
	return report, err
}

// document makes a cycle and returns its plan as it is written to a file.
func (c *customer) document(opts reconcile.Options) string {
	c.t.Helper()
	var text strings.Builder
	c.syncing(func(s *reconcile.Syncer) {
		report, err := s.Run(context.Background(), opts)
		if err == nil {
			err = s.Plan(report).WriteJSON(&text)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	})
	return text.String()
}

// syncing hands out the syncer for a cycle, half an hour after the last one.
func (c *customer) syncing(do func(*reconcile.Syncer)) {
	c.t.Helper()
	c.service.now = c.now.Add(30 * time.Minute)
	tenant, err := c.store.Tenant(c.id)
	if err != nil {
		c.t.Fatal(err)
	}
	defer tenant.Close()
	sync, peers := c.rules(), c.peers
	if peers == nil {
		peers = []string{sync.Name}
	}
	source := c.reader
	if source == nil {
		source = c.source
	}
	do(&reconcile.Syncer{
		Sync: sync, Requirements: reconcile.RequirementsOf([]*reconcile.Sync{sync}), TenantSyncs: peers, Source: source, Store: c.store, Tenant: tenant,
		Target: c.adapter(), Concurrency: 1, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return c.now },
	})
}

// cycle makes one that has no reason to fail, and returns what it did in short.
func (c *customer) cycle() string {
	c.t.Helper()
	return c.must(reconcile.Options{Apply: true})
}

func (c *customer) must(opts reconcile.Options) string {
	c.t.Helper()
	report, err := c.run(opts)
	if err != nil || len(report.Errors) > 0 {
		c.t.Fatalf("%s: %v %v", c.name, err, report.Errors)
	}
	return told(report)
}

// told puts a report in short.
func told(r *reconcile.Report) string {
	var parts []string
	for _, n := range []struct {
		name string
		n    int
	}{{"created", r.Summary.Create}, {"adopted", r.Summary.Adopt}, {"updated", r.Summary.Update}, {"deactivated", r.Summary.Deactivate},
		{"reactivated", r.Summary.Reactivate}, {"deleted", r.Summary.Delete}, {"unchanged", r.Summary.Unchanged}} {
		if n.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.n, n.name))
		}
	}
	for _, held := range r.Held {
		parts = append(parts, fmt.Sprintf("held by %s: %s %s", held.Guard, held.Action.Op, held.Action.Key))
	}
	for _, skipped := range r.Skipped {
		parts = append(parts, fmt.Sprintf("skipped %s: %s", skipped.Key, skipped.Code))
	}
	return strings.Join(parts, ", ")
}

// want compares texts.
func want(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s\nwant %s", what, got, want)
	}
}

// A directory is a tenant's users.
type directory struct {
	graphsync.Source // not called
	people           map[graphsync.ID]graphsync.Change
	removed          map[graphsync.ID]graphsync.Removal
	pending          []graphsync.Change
	groups           *groups          // nil: none
	clock            func() time.Time // what Graph's clock shows; nil: it is not known

	mu       sync.Mutex                               // held while a list is read: users, groups and assignments are read side by side
	readings int                                      // of the assignments
	lag      func(reading int, row graphsync.ID) bool // rows that a reading leaves out; may be nil
	presence func() error                             // why look-ups fail; may be nil
	refuse   func(graphsync.Stream, string) error     // why a page is not given: its stream and link; may be nil
	asked    []string                                 // the pages asked for: stream and link
	app      func(*graphsync.App)                     // changes the enterprise application; may be nil
	unread   func(graphsync.ID) error                 // why the members of a group are not given; may be nil
	short    func() error                             // why the list of assignments ends early; may be nil
}

// person makes a user, or changes the display name.
func (d *directory) person(n int, upn, name string) { d.user(n, upn, name, "Member") }

func (d *directory) guest(n int, upn, name string) { d.user(n, upn, name, "Guest") }

func (d *directory) user(n int, upn, name, userType string) {
	id := graphsync.ID{byte(n >> 16), byte(n >> 8), byte(n), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	text := func(name, value string) graphsync.Property {
		return graphsync.Property{Name: name, Value: []byte(strconv.Quote(value))}
	}
	d.people[id] = graphsync.Change{Kind: graphsync.User, ID: id, Properties: []graphsync.Property{
		{Name: "accountEnabled", Value: []byte("true")}, text("userPrincipalName", upn), text("displayName", name), text("userType", userType),
	}}
	delete(d.removed, id)
	d.pending = append(d.pending, d.people[id])
}

// disable switches people off.
func (d *directory) disable(users ...int) {
	for _, n := range users {
		change := d.people[userID(n)]
		change.Properties = slices.Clone(change.Properties)
		change.Properties[0].Value = []byte("false")
		d.people[userID(n)] = change
		d.pending = append(d.pending, change)
	}
}

// gone deletes the person of a user principal name.
func (d *directory) gone(upn string, how graphsync.Removal) {
	for id, change := range d.people {
		if string(change.Properties[1].Value) == strconv.Quote(upn) {
			d.removed[id] = how
			d.pending = append(d.pending, graphsync.Change{Kind: graphsync.User, ID: id, Removed: how})
		}
	}
}

func (d *directory) DeltaPage(_ context.Context, stream graphsync.Stream, _ []string, link string) (*graphsync.Page, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, string(stream)+" "+link)
	if d.refuse != nil {
		if err := d.refuse(stream, link); err != nil {
			return nil, err
		}
	}
	if stream == graphsync.Groups {
		return d.groups.page(link), nil
	}
	page := &graphsync.Page{Delta: "delta", Changes: d.pending}
	d.pending = nil
	if link != "" {
		return page, nil
	}
	page.Changes = nil
	for id, change := range d.people {
		if d.removed[id] == graphsync.NotRemoved {
			page.Changes = append(page.Changes, change)
		}
	}
	return page, nil
}

func (d *directory) Presence(_ context.Context, _ graphsync.Kind, ids []graphsync.ID) ([]graphsync.Presence, error) {
	if d.presence != nil {
		if err := d.presence(); err != nil {
			return nil, err
		}
	}
	out := make([]graphsync.Presence, len(ids))
	for i, id := range ids {
		out[i] = map[graphsync.Removal]graphsync.Presence{graphsync.NotRemoved: graphsync.Present, graphsync.SoftDeleted: graphsync.InDeletedItems,
			graphsync.Purged: graphsync.Absent}[d.removed[id]]
	}
	return out, nil
}

// Time implements [graphsync.Clock].
func (d *directory) Time() (time.Time, bool) {
	if d.clock == nil {
		return time.Time{}, false
	}
	return d.clock(), true
}

func (d *directory) Traffic() graphsync.Traffic { return graphsync.Traffic{} }

// An application keeps accounts in memory and counts what it is asked. Its ids are numbers, as in
// applications whose accounts of one number are not one.
type application struct {
	mu       sync.Mutex // guards what follows
	accounts map[string]map[string]any
	taken    map[any]bool // names
	unique   bool         // an update to a name that is taken is refused
	last     int
	asked    map[string]int // by method
	down     func(method string) bool
	refuse   func(method, id string) error // of one account; may be nil
	hidden   map[string]bool               // accounts that no list shows
	brief    []string                      // attributes that a search shows, all when nil
}

func newApplication() *application {
	return &application{accounts: map[string]map[string]any{}, taken: map[any]bool{}, asked: map[string]int{}}
}

var errDown = &target.Error{Code: target.Unavailable, Op: "ask", Message: "no answer"}

func (a *application) begin(method string) error {
	a.asked[method]++
	if a.down != nil && a.down(method) {
		return errDown
	}
	return nil
}

// about begins a call that is about one account.
func (a *application) about(method, id string) error {
	if err := a.begin(method); err != nil || a.refuse == nil {
		return err
	}
	return a.refuse(method, id)
}

func (a *application) hand(id string) target.Resource {
	text, err := json.Marshal(a.accounts[id])
	var attributes map[string]any
	if err := errors.Join(err, json.Unmarshal(text, &attributes)); err != nil {
		panic(err)
	}
	return target.Resource{Ref: target.Ref{Kind: target.User, ID: id}, Attributes: attributes}
}

func (a *application) ids() []string {
	return slices.SortedFunc(maps.Keys(a.accounts), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
}

func (a *application) Probe(context.Context, map[target.Kind][]target.Path) (*target.Profile, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &target.Profile{}, a.begin("probe")
}

func (a *application) Find(_ context.Context, _ target.Kind, by target.Path, value string) (found []target.Resource, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.begin("find"); err != nil {
		return nil, err
	}
	for _, id := range a.ids() {
		if by.Holds(a.accounts[id], value) {
			r := a.hand(id)
			if a.brief != nil {
				maps.DeleteFunc(r.Attributes, func(name string, _ any) bool { return !slices.Contains(a.brief, name) })
			}
			found = append(found, r)
		}
	}
	return found, nil
}

func (a *application) Get(_ context.Context, ref target.Ref) (*target.Resource, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.about("get", ref.ID); err != nil {
		return nil, err
	}
	if a.accounts[ref.ID] == nil {
		return nil, &target.Error{Code: target.NotFound, Op: "get user", Message: "there is none"}
	}
	r := a.hand(ref.ID)
	return &r, nil
}

func (a *application) List(_ context.Context, _ target.Kind, yield func([]target.Resource) error) error {
	a.mu.Lock()
	ids := a.ids()
	a.mu.Unlock()
	for page := range slices.Chunk(ids, 100) {
		a.mu.Lock()
		err := a.begin("list")
		var out []target.Resource
		for _, id := range page {
			if !a.hidden[id] {
				out = append(out, a.hand(id))
			}
		}
		a.mu.Unlock()
		if err != nil {
			return err
		}
		if err := yield(out); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) Create(_ context.Context, _ target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.begin("create"); err != nil {
		return nil, err
	}
	fresh := map[string]any{}
	for _, attribute := range attributes {
		attribute.Path.Set(fresh, attribute.Value)
	}
	if a.taken[fresh["userName"]] {
		return nil, &target.Error{Code: target.Conflict, Op: "create user", Message: "the name is taken"}
	}
	a.taken[fresh["userName"]] = true
	a.last++
	id := strconv.Itoa(a.last)
	a.accounts[id] = fresh
	r := a.hand(id)
	return &r, nil
}

func (a *application) Update(_ context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.about("update", ref.ID); err != nil {
		return nil, err
	}
	if a.accounts[ref.ID] == nil {
		return nil, &target.Error{Code: target.NotFound, Op: "update user", Message: "there is none"}
	}
	before := a.accounts[ref.ID]["userName"]
	for _, attribute := range attributes {
		if attribute.Path.String() == "userName" && attribute.Value != before && a.unique && a.taken[attribute.Value] {
			return nil, &target.Error{Code: target.Conflict, Op: "update user", Message: "the name is taken"}
		}
	}
	for _, attribute := range attributes {
		attribute.Path.Set(a.accounts[ref.ID], attribute.Value)
	}
	delete(a.taken, before)
	a.taken[a.accounts[ref.ID]["userName"]] = true
	r := a.hand(ref.ID)
	return &r, nil
}

func (a *application) Delete(_ context.Context, ref target.Ref) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.about("delete", ref.ID); err != nil {
		return err
	}
	delete(a.taken, a.accounts[ref.ID]["userName"])
	delete(a.accounts, ref.ID)
	return nil
}

// seed makes an account that is not provisioned.
func (a *application) seed(userName string) string {
	a.last++
	id := strconv.Itoa(a.last)
	a.taken[userName] = true
	a.accounts[id] = map[string]any{"userName": userName, "displayName": "Seeded " + userName, "active": true}
	return id
}

// lose takes accounts away, the first ones, behind the program's back.
func (a *application) lose(n int) {
	for _, id := range a.ids()[:n] {
		delete(a.taken, a.accounts[id]["userName"])
		delete(a.accounts, id)
	}
}

// String lists the accounts, one a word: name=display name, with ! when inactive.
func (a *application) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var parts []string
	for _, id := range a.ids() {
		account := a.accounts[id]
		sign := ""
		if account["active"] == false {
			sign = "!"
		}
		name, _, _ := strings.Cut(fmt.Sprint(account["userName"]), "@")
		parts = append(parts, fmt.Sprintf("%s%s=%v", sign, name, account["displayName"]))
	}
	return strings.Join(parts, " ")
}

// rename gives a person another user principal name.
func (d *directory) rename(n int, upn string) {
	change := d.people[userID(n)]
	change.Properties = slices.Clone(change.Properties)
	change.Properties[1].Value = []byte(strconv.Quote(upn))
	d.people[userID(n)] = change
	d.pending = append(d.pending, change)
}
