package safety

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entrasync/graphsync"
	"entrasync/graphsync/graphtest"
	"entrasync/graphsync/msgraph"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/mapping"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
	"entrasync/target/scim"
	"entrasync/target/scim/scimtest"
)

// Tenants that share an application, with users whose values collide, never write each other's
// accounts, whatever is created or taken over in the same moment and whichever file comes from a
// backup. Where their domains are known they write no account that is not provably theirs either, and
// give none an address of another. No hold is ever approved.
func TestSharedApplication(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		bubble(t, func(t *testing.T) {
			p := newPlaza(t, rt)
			defer func() { p.store.Close() }()
			for range rapid.IntRange(2, 14).Draw(rt, "steps") {
				p.act()
				for range rapid.IntRange(0, 2).Draw(rt, "cycles") {
					p.cycle(rapid.IntRange(0, 1).Draw(rt, "whose"), rapid.IntRange(0, 3).Draw(rt, "full") == 0)
				}
				if len(p.wrong) > 0 {
					rt.Fatalf("seen in the application:\n%s", strings.Join(p.wrong, "\n"))
				}
			}
		})
	})
}

// A plaza is an application and the tenants that share it.
type plaza struct {
	t       *testing.T
	rt      *rapid.T
	dir     string
	graph   *graphtest.Server
	front   *scimtest.Server
	store   *state.Store
	shops   [2]*shop
	bounded bool // by verified domains

	made   int
	owner  map[string]int    // of accounts, by whose cycle has written them first
	copies map[string][]byte // of state files, by path
	before func()            // happens before the next request that makes an account; may be nil
	visit  bool              // the other tenant has a cycle after it, before its answer comes
	lost   bool              // and its answer is lost
	files  []string          // that may come from a backup: more together would lose what is claimed
	wrong  []string          // what a tenant must not have written
}

// A shop is one of the tenants.
type shop struct {
	tenant *graphtest.Tenant
	source *msgraph.Source
	target target.Adapter
	sync   *reconcile.Sync
	people []graphsync.ID
	hired  []graphsync.ID // everybody there ever was
}

func newPlaza(t *testing.T, rt *rapid.T) *plaza {
	p := &plaza{t: t, rt: rt, dir: stateDir(t), graph: graphtest.New(graphtest.Options{}), bounded: rapid.Bool().Draw(rt, "domains are known"),
		front: scimtest.Elimity(t, scimtest.Options{InProcess: true, Token: bearerToken}), owner: map[string]int{}, copies: map[string][]byte{}}
	p.open()
	external := "[objectId]"
	if p.bounded {
		external = rapid.SampledFrom([]string{"[objectId]", "[mailNickname]"}).Draw(rt, "externalId")
	}
	for i, name := range []string{"contoso", "fabrikam"} {
		tenant := p.graph.AddTenant(graphtest.TenantSpec{Name: name, Domain: name + ".example"})
		tenant.App(graphtest.AppSpec{ClientID: frontApp, Name: "Front", Secret: clientSecret})
		cloud, err := graphsync.CustomCloud(p.graph.URL(), p.graph.URL())
		if err != nil {
			t.Fatal(err)
		}
		source, err := msgraph.Open(msgraph.Config{Tenant: tenant.ID(), Cloud: cloud, HTTP: p.graph.Transport(),
			Credential: msgraph.Credential{ClientID: frontApp, Secret: func() (string, error) { return clientSecret, nil }}})
		if err != nil {
			t.Fatal(err)
		}
		transport, err := target.NewTransport(target.TransportConfig{Base: door{p, i}, Auth: target.Auth{Bearer: func() (string, error) { return bearerToken, nil }}})
		if err != nil {
			t.Fatal(err)
		}
		adapter, err := scim.New(scim.Config{URL: p.front.URL}, transport)
		if err != nil {
			t.Fatal(err)
		}
		p.shops[i] = &shop{tenant: tenant, source: source, target: adapter, sync: sharing(tenant.ID(), external)}
		if p.bounded {
			p.shops[i].sync.Guard.Domains = []string{tenant.Domain()}
		}
		p.files = append(p.files, tenant.ID().String()+".db")
	}
	switch {
	case p.bounded:
		p.files = append(p.files, "registry.db")
	case rapid.Bool().Draw(rt, "the registry is restored"):
		p.files = []string{"registry.db"}
	}
	return p
}

// sharing is the sync of a tenant in the application.
func sharing(tenant graphsync.ID, external string) *reconcile.Sync {
	users, faults := mapping.New(target.User, []mapping.Spec{
		{Path: "externalId", Expr: external}, {Path: "nickName", Expr: "[mailNickname]"}, {Path: "userName", Expr: "ToLower([mail])", Required: true},
		{Path: "displayName", Expr: "[displayName]"}, {Path: "active", Expr: "Not([IsSoftDeleted])"},
	})
	if len(faults) > 0 {
		panic(faults)
	}
	all := map[plan.Op]bool{plan.Create: true, plan.Update: true, plan.Deactivate: true, plan.Reactivate: true}
	return &reconcile.Sync{Name: "front", TargetName: "front", Location: state.Location{Key: "front", Place: "1", ID: "front"}, Tenant: tenant, AppID: frontApp,
		Text: external, Scope: desired.Scope{All: true, Guests: true}, Guard: guard.Guard{FirstRunRemovals: true},
		Users: desired.Rules{Mapping: users, Match: []string{"externalId", "nickName", "userName"}, Actions: all, OnRemove: desired.OnRemove{Do: plan.Deactivate}}}
}

func (p *plaza) open() {
	var err error
	if p.store, err = state.Open(p.dir); err != nil {
		p.t.Fatal(err)
	}
}

func (p *plaza) note(format string, args ...any) { p.rt.Logf("  "+format, args...) }

// value draws one of few, so that they collide.
func (p *plaza) value(what string) string {
	name := rapid.SampledFrom([]string{"ada", "bob", "boss"}).Draw(p.rt, "name")
	if what == "nickname" {
		return name
	}
	return name + "@" + rapid.SampledFrom([]string{"contoso.example", "fabrikam.example", "elsewhere.example"}).Draw(p.rt, "domain")
}

// act is one thing that happens between cycles.
func (p *plaza) act() {
	s := p.shops[rapid.IntRange(0, 1).Draw(p.rt, "tenant")]
	actions := map[string]func(){
		"hire": func() {
			p.made++
			id := s.tenant.AddUser(graphtest.Props{"id": fmt.Sprintf("%08d-0000-4000-8000-000000000000", p.made), "displayName": fmt.Sprint("Person ", p.made),
				"userPrincipalName": fmt.Sprintf("user%d@%s", p.made, s.tenant.Domain()), "mail": p.value("mail"), "mailNickname": p.value("nickname")})
			s.people, s.hired = append(s.people, id), append(s.hired, id)
			p.note("%s hires %s", s.tenant.Name(), id)
		},
		"change": func() {
			if len(s.people) > 0 {
				id := rapid.SampledFrom(s.people).Draw(p.rt, "who")
				s.tenant.Update(id, graphtest.Props{"mail": p.value("mail"), "mailNickname": p.value("nickname")})
				p.note("%s changes %s", s.tenant.Name(), id)
			}
		},
		"purge": func() {
			if len(s.people) > 0 {
				id := rapid.SampledFrom(s.people).Draw(p.rt, "who")
				s.people = slices.DeleteFunc(s.people, func(other graphsync.ID) bool { return other == id })
				s.tenant.SoftDelete(id)
				s.tenant.Purge(id)
				p.note("%s purges %s", s.tenant.Name(), id)
			}
		},
		"stranger": func() { p.seed(p.drawStranger()) },
		"stranger at the next creation": func() {
			user := p.drawStranger()
			p.before = func() { p.seed(user) }
		},
		"the other tenant at the next creation": func() { p.visit = true },
		"lose the answer to a creation":         func() { p.lost = true },
		"back up":                               p.backUp,
		"restore a file":                        func() { p.restore(rapid.SampledFrom(p.files).Draw(p.rt, "file")) },
		"restart":                               func() { p.restore("") },
	}
	actions[rapid.SampledFrom(slices.Sorted(maps.Keys(actions))).Draw(p.rt, "action")]()
}

// drawStranger is an account that no sync has made.
func (p *plaza) drawStranger() map[string]any {
	user := map[string]any{"userName": p.value("mail"), "nickName": p.value("nickname"), "displayName": "stranger", "active": true}
	if rapid.Bool().Draw(p.rt, "another address") {
		user["emails"] = []any{map[string]any{"type": "other", "value": p.value("mail")}}
	}
	return user
}

func (p *plaza) seed(user map[string]any) {
	for _, there := range p.front.Users(p.t) {
		if strings.EqualFold(fmt.Sprint(there["userName"]), fmt.Sprint(user["userName"])) {
			return
		}
	}
	p.front.Seed(p.t, user)
	p.note("a stranger is there: %v", user)
}

// backUp keeps copies of the files of a stopped process, and restore starts with one of them.
func (p *plaza) backUp() {
	p.between(func() {
		files, err := filepath.Glob(filepath.Join(p.dir, "*.db"))
		if err != nil {
			p.t.Fatal(err)
		}
		for _, file := range files {
			if p.copies[file], err = os.ReadFile(file); err != nil {
				p.t.Fatal(err)
			}
		}
		p.note("%d files are backed up", len(files))
	})
}

func (p *plaza) restore(name string) {
	p.between(func() {
		file := filepath.Join(p.dir, name)
		if text, kept := p.copies[file]; kept {
			p.note("%s is restored", name)
			if err := os.WriteFile(file, text, 0o600); err != nil {
				p.t.Fatal(err)
			}
		}
	})
}

func (p *plaza) between(do func()) {
	if err := p.store.Close(); err != nil {
		p.t.Fatal(err)
	}
	do()
	p.open()
}

// cycle runs one of a tenant. That a cycle fails is a note: what it wrote is looked at anyway.
func (p *plaza) cycle(i int, full bool) {
	time.Sleep(time.Hour)
	s := p.shops[i]
	tenant, err := p.store.Tenant(s.tenant.ID())
	if err != nil {
		p.t.Fatal(err)
	}
	defer tenant.Close()
	report, err := (&reconcile.Syncer{
		Sync: s.sync, Requirements: reconcile.RequirementsOf([]*reconcile.Sync{s.sync}), TenantSyncs: []string{"front"}, Source: s.source, Store: p.store, Tenant: tenant,
		Target: s.target, Concurrency: 1, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}).Run(context.Background(), reconcile.Options{Apply: true, Full: full})
	p.note("cycle of %s: %+v, %v", s.tenant.Name(), report.Summary, err)
}

// accounts are all there are, by id.
func (p *plaza) accounts() map[string]map[string]any {
	all := map[string]map[string]any{}
	for _, user := range p.front.Users(p.t) {
		all[fmt.Sprint(user["id"])] = user
	}
	return all
}

// A door is a tenant's way to the application. It looks at the application around each write.
type door struct {
	*plaza
	i int
}

// RoundTrip implements http.RoundTripper.
func (d door) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return d.front.Transport().RoundTrip(r)
	}
	creates := r.Method == http.MethodPost
	if before := d.before; creates && before != nil {
		d.before = nil
		before()
	}
	was := d.accounts()
	response, err := d.front.Transport().RoundTrip(r)
	d.look(d.i, was, d.accounts())
	if creates && d.visit {
		d.visit = false
		d.cycle(1-d.i, false)
	}
	if creates && d.lost && err == nil {
		d.lost = false
		response.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return response, err
}

// look reports what a tenant must not have written.
func (p *plaza) look(i int, was, is map[string]map[string]any) {
	for id, user := range is {
		before, there := was[id]
		if there && wholeOf(before) == wholeOf(user) {
			continue
		}
		owner, owned := p.owner[id]
		switch {
		case owned && owner != i:
			p.wrong = append(p.wrong, fmt.Sprintf("%s writes account %s of %s: %v", p.shops[i].tenant.Name(), id, p.shops[owner].tenant.Name(), user))
		case there && !owned && p.bounded && !p.proven(i, before):
			p.wrong = append(p.wrong, fmt.Sprintf("%s takes %v over", p.shops[i].tenant.Name(), before))
		}
		for _, address := range addresses(user) {
			if p.bounded && !slices.Contains(addresses(before), address) && !strings.HasSuffix(address, "@"+p.shops[i].tenant.Domain()) {
				p.wrong = append(p.wrong, fmt.Sprintf("%s gives account %s the address %s", p.shops[i].tenant.Name(), id, address))
			}
		}
		if !owned {
			p.owner[id] = i
		}
	}
	if len(is) < len(was) {
		p.wrong = append(p.wrong, p.shops[i].tenant.Name()+" deletes an account")
	}
}

// proven reports whether an account is provably a tenant's.
func (p *plaza) proven(i int, user map[string]any) bool {
	s := p.shops[i]
	if id, err := graphsync.ParseID(fmt.Sprint(user["externalId"])); err == nil && slices.Contains(s.hired, id) {
		return true
	}
	all := addresses(user)
	return len(all) > 0 && !slices.ContainsFunc(all, func(address string) bool { return !strings.HasSuffix(address, "@"+s.tenant.Domain()) })
}

func addresses(user map[string]any) (all []string) {
	if name, ok := user["userName"].(string); ok {
		all = append(all, strings.ToLower(name))
	}
	emails, _ := user["emails"].([]any)
	for _, email := range emails {
		all = append(all, strings.ToLower(fmt.Sprint(email.(map[string]any)["value"])))
	}
	return all
}
