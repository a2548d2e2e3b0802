package state_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/state"
)

// What accounts are claimed under outlives a new name and a new address of an application, but is
// never that of another one.
func TestLocate(t *testing.T) {
	t.Parallel()
	type steps []struct{ config, key, id string }
	// A configuration is key=place, …; the keys are located in turn.
	for name, steps := range map[string]steps{
		"as it was":                   {{"a=1", "a", "a"}, {"a=1", "a", "a"}},
		"another name":                {{"a=1", "a", "a"}, {"b=1", "b", "a"}, {"b=1", "b", "a"}, {"c=1", "c", "a"}, {"a=1", "a", "a"}},
		"another address":             {{"a=1", "a", "a"}, {"a=2", "a", "a"}, {"b=2", "b", "a"}},
		"both":                        {{"a=1", "a", "a"}, {"b=2", "b", "b"}},
		"a name that is free again":   {{"a=1", "a", "a"}, {"b=1", "b", "a"}, {"b=1 a=2", "a", "a#2"}, {"b=1 a=2", "b", "a"}},
		"two at one address":          {{"a=1 b=1", "a", "a"}, {"a=1 b=1", "b", "b"}, {"a=1 b=1", "a", "a"}},
		"names exchanged":             {{"a=1 b=2", "a", "a"}, {"a=1 b=2", "b", "b"}, {"a=2 b=1", "b", "a"}, {"a=2 b=1", "a", "b"}, {"a=2 b=1", "b", "a"}},
		"names passed on":             {{"a=1 b=2 c=3", "a", "a"}, {"a=1 b=2 c=3", "b", "b"}, {"a=1 b=2 c=3", "c", "c"}, {"a=2 b=3 c=1", "a", "b"}, {"a=2 b=3 c=1", "b", "c"}, {"a=2 b=3 c=1", "c", "a"}},
		"the place of one that is no": {{"a=1 b=2", "a", "a"}, {"a=1 b=2", "b", "b"}, {"a=2", "a", "b"}, {"b=1", "b", "a"}},
		"places that are not known":   {{"a=", "a", "a"}, {"b=", "b", "b"}, {"a= b=", "a", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			for i, step := range steps {
				places := map[string]string{}
				for _, word := range strings.Fields(step.config) {
					key, place, _ := strings.Cut(word, "=")
					places[key] = place
				}
				got, err := s.Locate(step.key, places[step.key], func(key string) string { return places[key] })
				if err != nil {
					t.Fatal(err)
				}
				equal(t, fmt.Sprintf("step %d, %s in %s", i, step.key, step.config), got, state.Location{Key: step.key, Place: places[step.key], ID: step.id})
			}
		})
	}
	for _, key := range []string{"", "a\x00b"} {
		if _, err := open(t).Locate(key, "1", func(string) string { return "" }); err == nil {
			t.Errorf("located %q", key)
		}
	}
}

// A registry that is lost is rebuilt from the links of all tenants before anything else, also
// when that is interrupted: at whatever commit.
func TestRegistryIsRebuilt(t *testing.T) {
	t.Parallel()
	fabrikam, broken, torn := id(0xFA), id(0xBAD), id(0x7042)
	location := state.Location{Key: "front", Place: "1", ID: "people"}
	dir := t.TempDir()
	s, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	link := func(source uint32, target string, made time.Time) state.Link {
		return state.Link{Kind: graphsync.User, Source: id(source), TargetID: target, Since: made}
	}
	group := link(9, "1", now)
	group.Kind = graphsync.Group
	for tenant, syncs := range map[graphsync.ID]map[string][]state.Link{
		// ada's account is fabrikam's by now.
		contoso:  {"front": {link(1, "ada", now), link(2, "bob", now)}, "other": {group}, "idle": nil},
		fabrikam: {"front": {link(3, "ada", now.Add(time.Hour)), link(4, "eve", now)}},
		broken:   {"front": {link(5, "zoe", now)}},
		torn:     {"front": {link(6, "torn-account", now)}},
	} {
		tn, err := s.Tenant(tenant)
		if err != nil {
			t.Fatal(err)
		}
		for name, links := range syncs {
			info := state.SyncInfo{Location: location, LastRun: now}
			if tenant == fabrikam {
				info.Location.Key, info.LastRun = "people", now.Add(-time.Hour) // before it had another name
			}
			update(t, tn, func(tx *state.Tx) error {
				for _, l := range links {
					if err := tx.Links(name).Put(l); err != nil {
						return err
					}
				}
				return tx.PutSyncInfo(name, info)
			})
		}
		if err := tn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	damaged := filepath.Join(dir, broken.String()+".db")
	if err := errors.Join(s.Close(), os.Truncate(damaged, 5000), os.Remove(filepath.Join(dir, "registry.db"))); err != nil {
		t.Fatal(err)
	}
	damaged = filepath.Join(dir, torn.String()+".db") // it opens, and its link cannot be read
	text, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(damaged, bytes.ReplaceAll(text, []byte("torn-account"), []byte("worn-account")), 0o600); err != nil {
		t.Fatal(err)
	}

	var copies []string
	check := func(s *state.Store) {
		t.Helper()
		for account, want := range map[string]state.Owner{
			"ada": {Tenant: fabrikam, Sync: "front", Kind: graphsync.User, Source: id(3)},
			"bob": {Tenant: contoso, Sync: "front", Kind: graphsync.User, Source: id(2)},
			"eve": {Tenant: fabrikam, Sync: "front", Kind: graphsync.User, Source: id(4)},
			"1":   {Tenant: contoso, Sync: "other", Kind: graphsync.Group, Source: id(9)},
		} {
			got, ok, err := s.Accounts().OwnerOf("people", account, want.Kind)
			if err != nil || !ok || got != want {
				t.Errorf("%s is of %v, %v, %v", account, got, ok, err)
			}
		}
		got, err := s.Locate("front", "1", func(string) string { return "" })
		if err != nil {
			t.Error(err)
		}
		equal(t, "location", got, location)
	}
	s, err = state.OpenWith(dir, state.Options{OnCommit: func(string) {
		to := t.TempDir()
		if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
			t.Error(err)
		}
		copies = append(copies, to)
	}})
	if err != nil {
		t.Fatal(err)
	}
	check(s)
	// What was released since is not claimed again.
	if err := errors.Join(s.RemoveTenant(contoso), s.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err = state.Open(dir); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := s.Accounts().OwnerOf("people", "bob", graphsync.User); ok {
		t.Error("a removed tenant owns accounts again")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(copies) < 4 {
		t.Errorf("%d commits", len(copies))
	}
	for _, dir := range copies {
		s, err := state.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, contoso.String()+".db")); err == nil {
			check(s)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A registry that is lost is rebuilt from all links of a tenant, however many there are.
func TestRegistryIsRebuiltFromManyLinks(t *testing.T) {
	t.Parallel()
	const links = 10_002 // more than are compared at a time
	dir := t.TempDir()
	s, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	tn, err := s.Tenant(contoso)
	if err != nil {
		t.Fatal(err)
	}
	update(t, tn, func(tx *state.Tx) error {
		for n := range uint32(links) {
			if err := tx.Links("front").Put(state.Link{Kind: graphsync.User, Source: id(n), TargetID: fmt.Sprint(n), Since: now}); err != nil {
				return err
			}
		}
		return tx.PutSyncInfo("front", state.SyncInfo{Location: state.Location{Key: "front", Place: "1", ID: "people"}, LastRun: now})
	})
	if err := errors.Join(tn.Close(), s.Close(), os.Remove(filepath.Join(dir, "registry.db"))); err != nil {
		t.Fatal(err)
	}
	if s, err = state.Open(dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	free := 0
	for n := range uint32(links) {
		owner, owned, err := s.Accounts().OwnerOf("people", fmt.Sprint(n), graphsync.User)
		if err != nil {
			t.Fatal(err)
		}
		if !owned || owner.Source != id(n) {
			free++
		}
	}
	if free > 0 {
		t.Errorf("%d of %d accounts are not their owner's", free, links)
	}
}

// An account goes over to another owner when the one before has given it up, is of the same tenant,
// or was removed. That a file is missing is none of these.
func TestSucceed(t *testing.T) {
	t.Parallel()
	fabrikam := id(0xFA)
	owner := func(tenant graphsync.ID, source uint32) state.Owner {
		return state.Owner{Tenant: tenant, Sync: "front", Kind: graphsync.User, Source: id(source)}
	}
	ada, eve := owner(contoso, 1), owner(fabrikam, 2)
	for name, tt := range map[string]struct {
		happens func(s *state.Store) error
		former  state.Owner
		to      state.Owner
		want    state.Owner
	}{
		"kept":                   {func(*state.Store) error { return nil }, ada, eve, ada},
		"within the tenant":      {func(*state.Store) error { return nil }, ada, owner(contoso, 3), owner(contoso, 3)},
		"given up":               {func(s *state.Store) error { return s.Accounts().OfferTransfer("app", map[string]state.Owner{"a": ada}) }, ada, eve, eve},
		"given up by a stranger": {func(s *state.Store) error { return s.Accounts().OfferTransfer("app", map[string]state.Owner{"a": eve}) }, ada, eve, ada},
		"given up in another": {func(s *state.Store) error {
			return s.Accounts().OfferTransfer("other", map[string]state.Owner{"a": ada})
		}, ada, eve, ada},
		"another owner's by now":       {func(s *state.Store) error { return s.Accounts().OfferTransfer("app", map[string]state.Owner{"a": ada}) }, owner(contoso, 4), eve, ada},
		"released":                     {func(s *state.Store) error { return s.Accounts().Release("app", "a", ada) }, ada, eve, eve},
		"of a tenant that was removed": {func(s *state.Store) error { return s.RemoveTenant(contoso) }, ada, eve, eve},
		"of a tenant without a file": {func(s *state.Store) error {
			if server != nil { // there is none
				return nil
			}
			return os.Remove(filepath.Join(s.Dir(), contoso.String()+".db"))
		}, ada, eve, ada},
		"given up and taken back": {func(s *state.Store) error {
			return errors.Join(s.Accounts().OfferTransfer("app", map[string]state.Owner{"a": ada}), claim(s, ada))
		}, ada, eve, ada},
		"given up, free, and kept by the next": {func(s *state.Store) error {
			return errors.Join(s.Accounts().OfferTransfer("app", map[string]state.Owner{"a": ada}), s.Accounts().Release("app", "a", ada), claim(s, ada))
		}, ada, eve, ada},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			for _, id := range []graphsync.ID{contoso, fabrikam} {
				tn, err := s.Tenant(id)
				if err != nil {
					t.Fatal(err)
				}
				if err := tn.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if err := claim(s, ada); err != nil {
				t.Fatal(err)
			}
			if err := tt.happens(s); err != nil {
				t.Fatal(err)
			}
			present, err := s.Accounts().Transfer("app", "a", tt.former, tt.to)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "owner", present, tt.want)
			if present != tt.to {
				return
			}
			if present, err = s.Accounts().Transfer("app", "a", tt.to, owner(id(7), 7)); err != nil || present != tt.to {
				t.Errorf("it passed to %v, %v", present, err)
			}
		})
	}
}

func claim(s *state.Store, owner state.Owner) error {
	_, err := s.Accounts().Claim("app", "a", owner)
	return err
}

// A registry that is lost is not rebuilt without a file that the operating system refuses: the
// accounts of that tenant would be free for whichever tenant is synced first.
func TestRegistryIsNotRebuiltWithoutARefusedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	location := state.Location{Key: "front", Place: "1", ID: "people"}
	tn, err := s.Tenant(contoso)
	if err != nil {
		t.Fatal(err)
	}
	update(t, tn, func(tx *state.Tx) error {
		return errors.Join(tx.Links("front").Put(state.Link{Kind: graphsync.User, Source: id(1), TargetID: "ada", Since: now}),
			tx.PutSyncInfo("front", state.SyncInfo{Location: location, LastRun: now}))
	})
	file := filepath.Join(dir, contoso.String()+".db")
	aside := filepath.Join(t.TempDir(), "kept.db")
	if err := errors.Join(tn.Close(), s.Close(), os.Remove(filepath.Join(dir, "registry.db")), os.Rename(file, aside), os.Mkdir(file, 0o700)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if s, err := state.Open(dir); err == nil {
			s.Close()
			t.Fatal("it opens without the claims of a tenant whose file is refused")
		}
	}
	if err := errors.Join(os.Remove(file), os.Rename(aside, file)); err != nil {
		t.Fatal(err)
	}
	if s, err = state.Open(dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	owner, owned, err := s.Accounts().OwnerOf("people", "ada", graphsync.User)
	if want := (state.Owner{Tenant: contoso, Sync: "front", Kind: graphsync.User, Source: id(1)}); err != nil || !owned || owner != want {
		t.Errorf("ada is of %v, %v, %v", owner, owned, err)
	}
}
