package safety

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"entrasync/cmd/internal/scheduler"
	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/graphsync/msgraph"
	"entrasync/reconcile"
	"entrasync/state"
	"entrasync/target"
)

const (
	manyTenants = 500
	slots       = 8 // as many as the service has
	interval    = 30 * time.Minute
	idleTenant  = 100 << 10 // bytes of memory a tenant may take between its cycles
)

// Tenants with something wrong, by number.
const (
	neverAnswers = 7
	neverAllowed = 9
	stopsToReply = 107 // after its first cycle
	isRevoked    = 109 // after its first cycle
)

// A house is a service with many tenants, put together as the service does it, before an
// application that all share.
type house struct {
	graph   *graphtest.Server
	tenants []*graphtest.Tenant
	people  [][]graphsync.ID
	app     ledger
	part    *occupied
}

// occupied is what the service holds: dropping it frees what it takes.
type occupied struct {
	store     *state.Store
	scheduler *scheduler.Scheduler
	sources   []*msgraph.Source
}

// A visit is one cycle of a tenant.
type visit struct {
	tenant         int
	planned, start time.Time
	took           time.Duration
	err            error
}

func (v visit) waited() time.Duration { return v.start.Sub(v.planned) }

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{graph: graphtest.New(graphtest.Options{})}
	for i := range manyTenants {
		tenant := h.graph.AddTenant(graphtest.TenantSpec{Name: fmt.Sprintf("Tenant %d", i), Domain: fmt.Sprintf("tenant%d.example", i)})
		app := graphtest.AppSpec{ClientID: frontApp, Name: "Front", Secret: clientSecret}
		for _, role := range roles {
			app.Roles = append(app.Roles, graphtest.AppRole{Value: role, Name: role})
		}
		tenant.App(app)
		var people []graphsync.ID
		for p := range 3 + i%3 {
			id := tenant.AddUser(graphtest.Props{"userPrincipalName": fmt.Sprintf("user%d@%s", p, tenant.Domain())})
			tenant.Assign(frontApp, id, roles[p%len(roles)])
			people = append(people, id)
		}
		h.tenants, h.people = append(h.tenants, tenant), append(h.people, people)
	}
	return h
}

// open starts new parts of the service; every cycle is reported to done.
func (h *house) open(t *testing.T, dir string, done func(visit)) {
	t.Helper()
	store, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	every, err := scheduler.Parse("@every " + interval.String())
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := graphsync.CustomCloud(h.graph.URL(), h.graph.URL())
	if err != nil {
		t.Fatal(err)
	}
	part := &occupied{store: store, scheduler: scheduler.New(scheduler.Options{Slots: slots, Log: slog.New(slog.DiscardHandler)})}
	var jobs []scheduler.Job
	for i, tenant := range h.tenants {
		source, err := msgraph.Open(msgraph.Config{
			Tenant: tenant.ID(), Cloud: cloud, HTTP: h.graph.Transport(),
			Credential: msgraph.Credential{ClientID: frontApp, Secret: func() (string, error) { return clientSecret, nil }},
		})
		if err != nil {
			t.Fatal(err)
		}
		part.sources = append(part.sources, source)
		rules := settings{guests: true}.compile(tenant.ID())
		jobs = append(jobs, scheduler.Job{Name: fmt.Sprint("front/", i), Group: tenant.ID().String(), Resource: "front", Schedules: []scheduler.Schedule{every}, Run: func(ctx context.Context) error {
			v := visit{tenant: i, start: time.Now()}
			v.err = h.cycle(ctx, store, source, rules)
			v.took = time.Since(v.start)
			done(v)
			return v.err
		}})
	}
	part.scheduler.Set(jobs...)
	h.part = part
}

// cycle has the tenant's state open for as long as it lasts. What fails, waits or is left is an
// error.
func (h *house) cycle(ctx context.Context, store *state.Store, source *msgraph.Source, rules *reconcile.Sync) (err error) {
	tenant, err := store.Tenant(rules.Tenant)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tenant.Close()) }()
	source.Refresh(ctx)
	report, err := (&reconcile.Syncer{
		Sync: rules, Requirements: reconcile.RequirementsOf([]*reconcile.Sync{rules}), TenantSyncs: []string{rules.Name},
		Source: source, Store: store, Tenant: tenant, Target: &h.app, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}).Run(ctx, reconcile.Options{Apply: true, Scheduled: true})
	if err == nil && len(report.Errors)+len(report.Skipped)+report.Summary.Held > 0 {
		err = fmt.Errorf("errors %v, skipped %v, held %v", report.Errors, report.Skipped, report.Held)
	}
	return err
}

// slow makes Graph and its token endpoint take a second for everybody, and a day for some.
func (h *house) slow(hanging ...int) {
	h.graph.Reset()
	delay := func(tenant string, wait time.Duration) {
		h.graph.Fault(graphtest.Slow(wait).For(tenant).On("/*/oauth2/v2.0/token").Always())
		h.graph.Fault(graphtest.Slow(wait).For(tenant).Always())
	}
	for _, i := range hanging {
		delay(h.tenants[i].ID().String(), 24*time.Hour)
	}
	delay("", time.Second)
}

// usage is what the process has, counted after a collection.
func usage(t *testing.T) (f footprint) {
	t.Helper()
	runtime.GC()
	runtime.GC() // the second one empties the pools
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	f.heap, f.goroutines = int64(stats.HeapAlloc+stats.StackInuse), runtime.NumGoroutine()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	f.descriptors = len(open)
	return f
}

// Five hundred tenants in one process get their cycles in time and in turn while some hang and
// some are refused, and take next to nothing in between. Every answer of Graph takes a second,
// so that they wait for slots. The test counts what the whole process has and so runs without any
// other.
func TestFiveHundredTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.tenants[neverAllowed].Grant(frontApp)
		h.slow(neverAnswers)
		before := usage(t)

		var mu sync.Mutex
		var visits []visit
		h.open(t, stateDir(t), func(v visit) {
			mu.Lock()
			defer mu.Unlock()
			visits = append(visits, v)
		})
		planned := map[string]time.Time{}
		for _, job := range h.part.scheduler.Status() {
			planned[job.Name] = job.Next
		}
		opened := usage(t)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- h.part.scheduler.Run(ctx) }()

		time.Sleep(interval - time.Minute)
		for i, people := range h.people {
			h.tenants[i].Set(people[0], "jobTitle", "Moved")
		}
		h.tenants[isRevoked].Grant(frontApp)
		h.slow(neverAnswers, stopsToReply)
		time.Sleep(interval - time.Minute)

		synctest.Wait()
		idle := usage(t)
		for _, job := range h.part.scheduler.Status() {
			if job.Running() {
				t.Errorf("%s still runs", job.Name)
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := h.part.store.Close(); err != nil {
			t.Error(err)
		}
		h.part = nil
		after := usage(t)

		each, fresh := (idle.heap-after.heap)/manyTenants, (opened.heap-before.heap)/manyTenants
		t.Logf("%d tenants: %.1f KB each when idle, %.1f KB before a first cycle", manyTenants, float64(each)/1024, float64(fresh)/1024)
		t.Logf("before: %s", before)
		t.Logf("idle:   %s", idle)
		t.Logf("after:  %s", after)
		if each < fresh {
			t.Error("something outlives the service, and is not measured")
		}
		if each > idleTenant {
			t.Errorf("an idle tenant takes %d bytes, more than %d", each, idleTenant)
		}
		if idle.descriptors > before.descriptors+4 || idle.goroutines > before.goroutines+4 {
			t.Error("descriptors or goroutines grow with the tenants that are idle")
		}
		h.checkVisits(t, visits, planned)
		h.checkAccounts(t)
	})
}

// checkVisits wants two cycles of every healthy tenant, each within the interval of its plan and
// in the order of the plans, by slots that were never idle while a tenant waited.
func (h *house) checkVisits(t *testing.T, visits []visit, planned map[string]time.Time) {
	t.Helper()
	rounds := make([][]visit, 2)
	count := map[int]int{}
	for _, v := range visits {
		round := count[v.tenant]
		count[v.tenant]++
		bad := v.tenant == neverAnswers || v.tenant == neverAllowed || round == 1 && (v.tenant == stopsToReply || v.tenant == isRevoked)
		switch {
		case bad && v.err == nil:
			t.Errorf("cycle %d of tenant %d went through", round, v.tenant)
		case bad:
			t.Logf("cycle %d of tenant %d, after %v: %v", round+1, v.tenant, v.took, v.err)
		case v.err != nil || round == 2:
			t.Errorf("cycle %d of tenant %d: %v", round+1, v.tenant, v.err)
		default:
			v.planned = planned[fmt.Sprint("front/", v.tenant)].Add(time.Duration(round) * interval)
			rounds[round] = append(rounds[round], v)
		}
	}
	for round, hanging := range []int{1, 2} {
		cycles := rounds[round]
		if want := manyTenants - 2 - 2*round; len(cycles) != want {
			t.Errorf("round %d: %d healthy tenants had their cycle, want %d", round+1, len(cycles), want)
		}
		slices.SortFunc(cycles, func(a, b visit) int { return a.planned.Compare(b.planned) })
		var work, wait, longest time.Duration
		for i, v := range cycles {
			work, wait, longest = work+v.took, max(wait, v.waited()), max(longest, v.took)
			if v.waited() < 0 || v.waited()+v.took > interval {
				t.Errorf("round %d: tenant %d began %v after its time and took %v", round+1, v.tenant, v.waited(), v.took)
			}
			if i > 0 && v.start.Before(cycles[i-1].start) {
				t.Errorf("round %d: tenant %d went before tenant %d, which waited for longer", round+1, v.tenant, cycles[i-1].tenant)
			}
		}
		bound := work/time.Duration(slots-hanging) + longest
		t.Logf("round %d: %d cycles of at most %v, work of %v on %d free slots of %d; no tenant waited longer than %v", round+1, len(cycles), longest, work, slots-hanging, slots, wait)
		if wait == 0 || wait > bound {
			t.Errorf("round %d: the longest wait was %v, want some and at most %v", round+1, wait, bound)
		}
	}
}

// checkAccounts wants every user who was ever read to have an active account, with the change of
// the second round where that went through, and no one in addition.
func (h *house) checkAccounts(t *testing.T) {
	t.Helper()
	for i, people := range h.people {
		for p, id := range people {
			account := h.app.accounts[h.app.index["externalid="+id.String()]]
			if i == neverAnswers || i == neverAllowed {
				if account != nil {
					t.Errorf("tenant %d, which was never read: account %v", i, account)
				}
				continue
			}
			var title any
			if p == 0 && i != stopsToReply && i != isRevoked {
				title = "Moved"
			}
			if account == nil || account["active"] != true || account["title"] != title {
				t.Errorf("tenant %d: account %v, want an active one of title %v", i, account, title)
			}
		}
	}
	if h.app.deleted > 0 {
		t.Errorf("%d accounts were deleted", h.app.deleted)
	}
}

// A ledger is the application: fast with thousands of accounts, which it finds by name and by
// external id. Its zero value is empty.
type ledger struct {
	mu       sync.Mutex                // guards what follows
	accounts map[string]map[string]any // by id
	index    map[string]string         // ids by attribute=value in lower case
	deleted  int
}

func (l *ledger) Probe(context.Context, map[target.Kind][]target.Path) (*target.Profile, error) {
	return &target.Profile{Kinds: map[target.Kind]bool{target.User: true}, Patch: true, Filter: true}, nil
}

func (l *ledger) Find(_ context.Context, _ target.Kind, by target.Path, value string) ([]target.Resource, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, found := l.index[strings.ToLower(by.String()+"="+value)]
	if !found {
		return nil, nil
	}
	return []target.Resource{*l.hand(id)}, nil
}

func (l *ledger) Create(_ context.Context, _ target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.accounts == nil {
		l.accounts, l.index = map[string]map[string]any{}, map[string]string{}
	}
	id := fmt.Sprint("account-", len(l.accounts)+1)
	l.accounts[id] = map[string]any{}
	return l.write(id, attributes), nil
}

func (l *ledger) Update(_ context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.accounts[ref.ID] == nil {
		return nil, &target.Error{Code: target.NotFound, Message: "there is no such account"}
	}
	return l.write(ref.ID, attributes), nil
}

func (l *ledger) Delete(context.Context, target.Ref) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deleted++
	return nil
}

func (l *ledger) write(id string, attributes []target.Attribute) *target.Resource {
	for _, a := range attributes {
		a.Path.Set(l.accounts[id], a.Value)
		if text, ok := a.Value.(string); ok {
			l.index[strings.ToLower(a.Path.String()+"="+text)] = id
		}
	}
	return l.hand(id)
}

func (l *ledger) hand(id string) *target.Resource {
	return &target.Resource{Ref: target.Ref{Kind: target.User, ID: id}, Attributes: maps.Clone(l.accounts[id])}
}
