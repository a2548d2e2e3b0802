package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// An office is a state directory of two tenants that share an application, and what happens to its
// files.
type office struct {
	t       testing.TB
	dir     string
	store   *state.Store
	commits atomic.Int32
	kept    map[string][]byte
}

var other = id(0xFA)

func newOffice(t testing.TB) *office {
	o := &office{t: t, dir: t.TempDir(), kept: map[string][]byte{}}
	o.open()
	t.Cleanup(func() { o.store.Close() })
	return o
}

func (o *office) must(errs ...error) {
	o.t.Helper()
	if err := errors.Join(errs...); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) open() {
	o.t.Helper()
	store, err := state.OpenWith(o.dir, state.Options{OnCommit: func(string) { o.commits.Add(1) }})
	o.must(err)
	o.store = store
}

// between does something to the files of a stopped process.
func (o *office) between(do func()) {
	o.t.Helper()
	o.must(o.store.Close())
	do()
	o.open()
}

func (o *office) path(of graphsync.ID) string {
	if of.IsZero() {
		return filepath.Join(o.dir, "registry.db")
	}
	return filepath.Join(o.dir, of.String()+".db")
}

// keep puts a copy of a file away, and restore brings it back.
func (o *office) keep(of graphsync.ID) {
	text, err := os.ReadFile(o.path(of))
	o.must(err)
	o.kept[o.path(of)] = text
}

func (o *office) restore(of graphsync.ID) {
	o.must(os.WriteFile(o.path(of), o.kept[o.path(of)], 0o600))
}

// takes puts a tenant's file of another directory in place of its own.
func (o *office) takes(tenant graphsync.ID, away *office) {
	o.t.Helper()
	o.must(away.store.Close())
	away.keep(tenant)
	o.between(func() { o.must(os.WriteFile(o.path(tenant), away.kept[away.path(tenant)], 0o600)) })
	away.open()
	o.t.Cleanup(func() { away.store.Close() })
}

func owned(tenant graphsync.ID, source uint32) state.Owner {
	return state.Owner{Tenant: tenant, Sync: "front", Kind: graphsync.User, Source: id(source)}
}

// links claims an account and links it, as a cycle does.
func (o *office) links(owner state.Owner, account string, since time.Time) {
	o.t.Helper()
	_, err := o.store.Accounts().Claim("app", account, owner)
	o.must(err)
	o.write(owner.Tenant, func(tx *state.Tx) error {
		return tx.Links(owner.Sync).Put(state.Link{Kind: owner.Kind, Source: owner.Source, TargetID: account, Active: true, Since: since})
	})
}

func (o *office) unlinks(owner state.Owner, account string) {
	o.t.Helper()
	o.write(owner.Tenant, func(tx *state.Tx) error { return tx.Links(owner.Sync).Delete(owner.Kind, owner.Source) })
	o.must(o.store.Accounts().Release("app", account, owner))
}

func (o *office) write(tenant graphsync.ID, do func(*state.Tx) error) {
	o.t.Helper()
	tn, err := o.store.Tenant(tenant)
	o.must(err)
	update(o.t, tn, func(tx *state.Tx) error {
		return errors.Join(tx.PutSyncInfo("front", state.SyncInfo{Location: state.Location{Key: "app", Place: "1", ID: "app"}, LastRun: now}), do(tx))
	})
	o.must(tn.Close())
}

func (o *office) owns(account string, want state.Owner) {
	o.t.Helper()
	got, _, err := o.store.Accounts().OwnerOf("app", account, graphsync.User)
	o.must(err)
	equal(o.t, "owner of "+account, got, want)
	taken, err := o.store.Accounts().Claim("app", account, owned(id(77), 77))
	if o.must(err); taken != want {
		o.t.Errorf("a third takes %s", account)
	}
}

// Whatever file is of another time than the rest, no account changes its owner.
func TestClaimsFollowTheLinks(t *testing.T) {
	t.Parallel()
	ada, bob, eve, newcomer := owned(contoso, 1), owned(contoso, 2), owned(other, 3), owned(id(0x7A), 5)
	registry := graphsync.ID{}
	later := now.Add(time.Hour)
	for name, tt := range map[string]func(o *office){
		"the registry is of a backup": func(o *office) {
			o.between(func() { o.keep(registry) })
			o.links(bob, "2", later)
			o.between(func() { o.restore(registry) })
			o.owns("2", bob)
		},
		"and the tenant was new": func(o *office) {
			o.between(func() { o.keep(registry) })
			o.links(eve, "2", later)
			o.between(func() { o.restore(registry) })
			o.owns("2", eve)
		},
		"and as much has happened since then": func(o *office) {
			o.between(func() { o.keep(registry) })
			o.links(bob, "2", later)
			o.between(func() { o.keep(contoso); o.restore(registry) })
			o.links(owned(contoso, 5), "5", later)
			o.between(func() { o.restore(contoso) })
			o.owns("2", bob)
		},
		"and as much was released since then": func(o *office) {
			o.between(func() { o.keep(registry) })
			o.links(bob, "2", later)
			o.between(func() { o.keep(contoso); o.restore(registry) })
			o.unlinks(bob, "2")
			o.between(func() { o.restore(contoso) })
			o.owns("2", bob)
		},
		"and the process of a new tenant was killed": func(o *office) {
			o.between(func() { o.keep(registry) })
			tn, err := o.store.Tenant(newcomer.Tenant) // and so no file is closed
			o.must(err)
			defer tn.Close()
			o.links(newcomer, "5", now)
			dir := o.t.TempDir()
			o.must(os.CopyFS(dir, os.DirFS(o.dir)), os.WriteFile(filepath.Join(dir, "registry.db"), o.kept[o.path(registry)], 0o600))
			killed := &office{t: o.t, dir: dir}
			killed.open()
			killed.owns("5", newcomer)
			o.must(killed.store.Close())
		},
		"and an account has changed hands since then": func(o *office) {
			o.between(func() { o.keep(registry) })
			o.unlinks(ada, "1")
			o.links(eve, "1", later)
			o.between(func() { o.restore(registry) })
			o.owns("1", eve)
		},
		"and a link that is dead is left of the former owner": func(o *office) {
			o.between(func() { o.keep(registry) })
			o.must(o.store.Accounts().OfferTransfer("app", map[string]state.Owner{"1": ada}))
			present, err := o.store.Accounts().Transfer("app", "1", ada, eve)
			if o.must(err); present != eve {
				o.t.Fatal(present)
			}
			o.links(eve, "1", later)
			o.between(func() { o.restore(registry) })
			o.owns("1", eve)
		},
		"and what was given up then has been taken back": func(o *office) {
			o.must(o.store.Accounts().OfferTransfer("app", map[string]state.Owner{"1": ada}))
			o.between(func() { o.keep(registry) })
			o.links(ada, "1", now)
			o.between(func() { o.restore(registry) })
			if transferable, err := o.store.Accounts().Transferable("app", "1", ada); transferable || err != nil {
				o.t.Error(transferable, err)
			}
		},
		"a tenant's file is of a backup": func(o *office) {
			o.between(func() { o.keep(contoso) })
			o.links(bob, "2", later)
			o.between(func() { o.restore(contoso) })
			o.owns("1", ada)
			o.owns("2", bob)
		},
		"and its account has changed hands since then": func(o *office) {
			o.between(func() { o.keep(contoso) })
			o.unlinks(ada, "1")
			o.links(eve, "1", later)
			o.between(func() { o.restore(contoso) })
			o.owns("1", eve)
		},
		"and its account is just being taken over by another": func(o *office) {
			o.between(func() { o.keep(contoso) })
			o.unlinks(ada, "1")
			_, err := o.store.Accounts().Claim("app", "1", eve)
			o.must(err)
			o.between(func() { o.restore(contoso) })
			o.owns("1", eve)
		},
		"and its account was transferred and released since then": func(o *office) {
			o.between(func() { o.keep(contoso) })
			o.must(o.store.Accounts().OfferTransfer("app", map[string]state.Owner{"1": ada}))
			_, err := o.store.Accounts().Transfer("app", "1", ada, eve)
			o.must(err, o.store.Accounts().Release("app", "1", eve))
			o.between(func() { o.restore(contoso) })
			o.owns("1", ada)
		},
		"and its account was not claimed since then": func(o *office) {
			o.between(func() { o.keep(contoso) })
			o.unlinks(ada, "1")
			o.between(func() { o.restore(contoso) })
			o.owns("1", ada)
		},
		"a tenant's file is missing": func(o *office) {
			o.between(func() { o.must(os.Remove(o.path(contoso))) })
			if transferable, err := o.store.Accounts().Transferable("app", "1", ada); transferable || err != nil {
				o.t.Error(transferable, err)
			}
			if present, err := o.store.Accounts().Transfer("app", "1", ada, eve); present != ada || err != nil {
				o.t.Error(present, err)
			}
			o.owns("1", ada)
		},
		"a tenant's file is of another machine": func(o *office) {
			away := newOffice(o.t)
			away.links(bob, "2", now)
			away.links(owned(contoso, 4), "4", later)
			o.links(eve, "2", now)
			o.links(owned(contoso, 6), "6", now) // so that both have claimed as often
			o.takes(contoso, away)
			o.owns("2", eve)
			o.owns("4", owned(contoso, 4))
		},
		"a tenant's file is of a copy, and the registries of both were lost": func(o *office) {
			away := &office{t: o.t, dir: o.t.TempDir(), kept: map[string][]byte{}}
			o.between(func() { o.must(os.Remove(o.path(registry)), os.CopyFS(away.dir, os.DirFS(o.dir))) })
			away.open()
			away.links(owned(contoso, 4), "4", later)
			o.links(owned(contoso, 6), "6", later)
			o.takes(contoso, away)
			o.owns("4", owned(contoso, 4))
		},
		"the process was killed": func(o *office) {
			tn, err := o.store.Tenant(contoso) // and so no file is closed
			o.must(err)
			defer tn.Close()
			o.links(bob, "2", now)
			dir := o.t.TempDir()
			o.must(os.CopyFS(dir, os.DirFS(o.dir)))
			o.must(os.Remove(filepath.Join(dir, "registry.db")))
			killed := &office{t: o.t, dir: dir, kept: map[string][]byte{}}
			killed.open()
			killed.owns("2", bob)
			o.must(killed.store.Close())
		},
		"the tenant was removed and the file came back": func(o *office) {
			o.between(func() { o.keep(contoso) })
			o.must(o.store.RemoveTenant(contoso))
			o.between(func() { o.restore(contoso) })
			o.owns("1", ada)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.links(ada, "1", now)
			o.links(owned(other, 9), "9", now)
			tt(o)
			o.owns("9", owned(other, 9))
			o.commits.Store(0)
			o.between(func() {})
			if n := o.commits.Load(); n > 2 { // those of the claims that owns tries, when it ends
				t.Errorf("the next start makes %d commits: it is not over", n)
			}
		})
	}
}

// A start that finds nothing changed writes nothing, whatever the tenants have.
func TestStartWritesNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.write(other, func(*state.Tx) error { return nil })
	o.links(owned(contoso, 1), "1", now)
	o.between(func() { o.commits.Store(0) })
	o.between(func() {})
	if n := o.commits.Load(); n > 0 {
		t.Errorf("%d commits", n)
	}
}

// What a tenant was making when its process ended is known at the next start.
func TestCreationsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ada, eve := owned(contoso, 1), owned(other, 2)
	making := func(owner state.Owner, values ...string) bool {
		t.Helper()
		by, found, err := o.store.Accounts().CreatorOf("app", owner, values)
		o.must(err)
		if found && by != ada {
			t.Errorf("made by %v", by)
		}
		return found
	}
	o.must(o.store.Accounts().BeginCreations("app", []state.Creation{{Owner: ada, Values: []string{"", "Ada@contoso.example", "a-1", "a-1"}}}))
	group := eve
	group.Kind = graphsync.Group
	if !making(eve, "x", "ada@contoso.example") || !making(eve, "A-1") || making(ada, "a-1") || making(eve, "") || making(group, "a-1") {
		t.Error("what is being made is not known")
	}
	if _, found, _ := o.store.Accounts().CreatorOf("another", eve, []string{"a-1"}); found {
		t.Error("it is made in another application")
	}
	// Another one with the same value: each ends for itself.
	bob := owned(contoso, 3)
	o.must(o.store.Accounts().BeginCreations("app", []state.Creation{{Owner: bob, Values: []string{"a-1"}}}))
	o.must(o.store.Accounts().EndCreations(bob))
	if !making(eve, "a-1") {
		t.Error("the end of another creation ended it")
	}
	o.must(o.store.Accounts().BeginCreations("app", []state.Creation{{Owner: ada, Values: []string{"a-2"}}})) // it begins again, with another value
	if !making(eve, "a-2") || making(eve, "a-1") {
		t.Error("it is not known by its present values alone")
	}
	o.must(o.store.Accounts().EndCreations(ada))
	if making(eve, "ada@contoso.example", "a-1", "a-2") {
		t.Error("it is no longer being made")
	}
	o.write(contoso, func(tx *state.Tx) error {
		intent := func(source graphsync.ID, op, value string) state.Intent {
			return state.Intent{Kind: graphsync.User, Source: source, Op: op, Keys: []state.MatchKey{{Attribute: "userName", Value: value}}}
		}
		return errors.Join(tx.Intents("front").Put(intent(ada.Source, "create", "ada@contoso.example")), tx.Intents("front").Put(intent(bob.Source, "update", "bob@contoso.example")))
	})
	o.between(func() {})
	if !making(eve, "ada@contoso.example") {
		t.Error("forgotten with the process")
	}
	if _, found, _ := o.store.Accounts().CreatorOf("app", eve, []string{"bob@contoso.example"}); found {
		t.Error("what is changed is not being made")
	}
	o.must(o.store.Accounts().BeginCreations("app", []state.Creation{{Owner: eve, Values: []string{"e-1"}}}))
	o.must(o.store.RemoveTenant(contoso))
	if making(eve, "ada@contoso.example") {
		t.Error("a removed tenant makes nothing")
	}
	if by, _, _ := o.store.Accounts().CreatorOf("app", ada, []string{"e-1"}); by != eve {
		t.Error("the removal of a tenant ended the creation of another")
	}
}
