package reconcile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/desired"
	"entrasync/reconcile/guard"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// lasting are the spaces that outlive a cycle and decide what later cycles do. The others belong to
// the plan that is shown, or to the cycle that fills them.
var lasting = []string{"answers", "rejected", "mismatches", "checks", "lost", "off", "freed", "still-active", "aside", "told", "shown", "former-keys"}

// lasting describes all that a dry run must leave as it is: links, claims, memberships that were
// written, decisions, intents, retries, and what is known of the sync. A plan of everything has its
// holds, which can be approved by what it prints: with one, they are those of the plan.
func (s stored) lasting(holds bool) (lines []string) {
	s.c.t.Helper()
	tenant, err := s.c.store.Tenant(s.c.id)
	if err != nil {
		s.c.t.Fatal(err)
	}
	defer tenant.Close()
	add := func(what string, record any) {
		text, err := json.Marshal(record)
		if err != nil {
			s.c.t.Fatal(err)
		}
		lines = append(lines, what+" "+string(text))
	}
	err = tenant.View(func(tx *state.Tx) error {
		for _, name := range tx.Syncs() {
			info := tx.SyncInfo(name)
			if !holds {
				info.LastHold, info.Guard = 0, ""
			}
			if !reflect.DeepEqual(info, state.SyncInfo{}) {
				add(name+" info", info)
			}
			for _, kind := range []graphsync.Kind{graphsync.User, graphsync.Group} {
				for link, err := range tx.Links(name).All(kind, graphsync.ID{}) {
					if err != nil {
						return err
					}
					add(name+" link", link)
					for member, account := range tx.AppliedMembers(name).Of(link.Source) {
						add(name+" member", []any{link.Source, member, account})
					}
				}
			}
			for hold := range tx.Holds(name).All() {
				if holds {
					add(name+" hold", hold)
				}
			}
			for retry := range tx.Retries(name).All() {
				add(name+" retry", retry)
			}
			for intent := range tx.Intents(name).All() {
				add(name+" intent", intent)
			}
			for _, space := range lasting {
				for key, value := range tx.Space(name, space).All(nil) {
					lines = append(lines, fmt.Sprintf("%s %s %q %q", name, space, key, value))
				}
			}
		}
		return nil
	})
	if err != nil {
		s.c.t.Fatal(err)
	}
	place := s.c.places[s.c.to]
	location, err := s.c.store.Locate(s.c.to, place, func(key string) string { return s.c.places[key] })
	if err != nil {
		s.c.t.Fatal(err)
	}
	for n := range 20 {
		owner, owned, err := s.c.store.Accounts().OwnerOf(location.ID, fmt.Sprint(n), graphsync.User)
		if err != nil {
			s.c.t.Fatal(err)
		}
		if owned {
			add("claim", []any{n, owner})
		}
	}
	slices.Sort(lines)
	return lines
}

// A silentCreation creates accounts, and the response is lost.
type silentCreation struct{ *application }

func (a silentCreation) Create(ctx context.Context, kind target.Kind, attributes []target.Attribute) (*target.Resource, error) {
	if _, err := a.application.Create(ctx, kind, attributes); err != nil {
		return nil, err
	}
	return nil, &target.Error{Code: target.Unavailable, Op: "create user", Message: "connection reset", Indeterminate: true}
}

// A dry run changes nothing that outlives it, whatever it finds: what a plan shows must not be done,
// forgotten or decided by looking at it.
func TestDryRunChangesNothingThatOutlivesIt(t *testing.T) {
	t.Parallel()
	kinds := map[string]reconcile.Options{
		"incremental":          {},
		"full":                 {Full: true},
		"without a Graph call": {NoRefresh: true},
		"full, without Graph":  {Full: true, NoRefresh: true},
		"for one user":         {Subject: &reconcile.Subject{Kind: graphsync.User, Key: "ada@example.com"}},
		"for another user":     {Subject: &reconcile.Subject{Kind: graphsync.User, Key: "bob@example.com"}},
	}
	many := func(c *customer) {
		for n := range 8 {
			c.source.person(10+n, fmt.Sprintf("user%d@example.com", n), "User")
		}
	}
	// Each happens to contoso, which has had a cycle with ada and bob.
	scenes := map[string]func(s *service, c *customer){
		"nothing":           func(*service, *customer) {},
		"a joiner":          func(_ *service, c *customer) { c.source.person(3, "cay@example.com", "Cay") },
		"a change":          func(_ *service, c *customer) { c.source.person(1, "ada@example.com", "Ada L.") },
		"a rename":          func(_ *service, c *customer) { c.source.rename(1, "ada2@example.com") },
		"a leaver":          func(_ *service, c *customer) { c.source.gone("ada@example.com", graphsync.SoftDeleted) },
		"a purged leaver":   func(_ *service, c *customer) { c.source.gone("ada@example.com", graphsync.Purged) },
		"a disabled user":   func(_ *service, c *customer) { c.source.disable(1) },
		"a lost account":    func(s *service, _ *customer) { s.app().lose(1) },
		"all accounts lost": func(s *service, _ *customer) { s.app().lose(2) },
		"an account of the same name": func(s *service, c *customer) {
			s.app().seed("dan@example.com")
			c.source.person(4, "dan@example.com", "Dan")
		},
		"an id given out again": func(s *service, _ *customer) {
			s.app().accounts["1"] = map[string]any{"userName": "stranger@example.com", "displayName": "Stranger", "active": true, "externalId": "another"}
		},
		"drift": func(s *service, _ *customer) { s.app().accounts["1"]["displayName"] = "changed by hand" },
		"an account switched on by hand": func(s *service, c *customer) {
			c.source.gone("ada@example.com", graphsync.SoftDeleted)
			want(s.t, "contoso", c.cycle(), "1 deactivated, 1 unchanged")
			s.app().accounts["1"]["active"] = true
		},
		"a returner": func(_ *service, c *customer) {
			c.source.disable(1)
			c.cycle()
			c.source.person(1, "ada@example.com", "Ada")
		},
		"a hold": func(_ *service, c *customer) {
			c.change = func(s *reconcile.Sync) { s.Guard.Removals = guard.Limit{Count: new(int)} }
			c.source.gone("ada@example.com", graphsync.SoftDeleted)
			if got := c.cycle(); !strings.Contains(got, "held by removals") {
				c.t.Fatalf("nothing is held: %s", got)
			}
		},
		"an approved hold": func(_ *service, c *customer) {
			c.change = func(s *reconcile.Sync) { s.Guard.Removals = guard.Limit{Count: new(int)} }
			c.source.gone("ada@example.com", graphsync.SoftDeleted)
			c.cycle()
			c.stored().approve()
		},
		"a hold whose reason is over": func(_ *service, c *customer) {
			c.change = func(s *reconcile.Sync) { s.Guard.Removals = guard.Limit{Count: new(int)} }
			c.source.gone("ada@example.com", graphsync.SoftDeleted)
			c.cycle()
			c.source.person(1, "ada@example.com", "Ada")
		},
		"more creations than the guard allows": func(_ *service, c *customer) {
			one := 1
			c.change = func(s *reconcile.Sync) { s.Guard.Creations = guard.Limit{Count: &one} }
			many(c)
		},
		"another address": func(s *service, _ *customer) {
			s.apps["https://two"] = newApplication()
			s.places["people"] = "https://two"
		},
		"another address of the same application": func(s *service, _ *customer) {
			s.apps["https://two"] = s.app()
			s.places["people"] = "https://two"
		},
		"another mapping": func(_ *service, c *customer) { c.change = func(s *reconcile.Sync) { s.Text += " changed" } },
		"deletion of leavers": func(_ *service, c *customer) {
			c.source.gone("ada@example.com", graphsync.SoftDeleted)
			c.cycle()
			c.delete = true
		},
		"a deletion that is due": func(s *service, c *customer) {
			c.onRemove = desired.OnRemove{Do: plan.Deactivate, After: time.Hour}
			c.source.gone("ada@example.com", graphsync.SoftDeleted)
			c.cycle()
			s.now = s.now.Add(2 * time.Hour)
		},
		"refused updates": func(s *service, c *customer) {
			s.app().down = func(method string) bool { return method == "update" }
			c.source.person(1, "ada@example.com", "Ada L.")
			if _, err := c.run(reconcile.Options{Apply: true}); err != nil {
				c.t.Fatal(err)
			}
			s.now = s.now.Add(24 * time.Hour)
		},
		"a creation whose response was lost": func(s *service, c *customer) {
			c.source.person(3, "cay@example.com", "Cay")
			s.through = func(a *application) target.Adapter { return silentCreation{a} }
			if _, err := c.run(reconcile.Options{Apply: true}); err != nil {
				c.t.Fatal(err)
			}
			s.through = nil
			s.now = s.now.Add(24 * time.Hour)
		},
		"an update whose response was lost": func(s *service, c *customer) {
			c.source.person(1, "ada@example.com", "Ada L.")
			s.app().refuse = func(method, id string) error {
				if method != "update" {
					return nil
				}
				s.app().accounts[id]["displayName"] = "Ada L."
				return &target.Error{Code: target.Unavailable, Op: "update user", Message: "connection reset", Indeterminate: true}
			}
			if _, err := c.run(reconcile.Options{Apply: true}); err != nil {
				c.t.Fatal(err)
			}
			s.app().refuse = nil
			s.now = s.now.Add(24 * time.Hour)
		},
		"an application that is down": func(s *service, c *customer) {
			c.source.person(3, "cay@example.com", "Cay")
			s.app().down = func(string) bool { return true }
		},
		"a former owner's account": func(s *service, c *customer) {
			other := s.customer("fabrikam")
			other.source.person(7, "eve@example.com", "Eve")
			other.cycle()
			other.source.gone("eve@example.com", graphsync.SoftDeleted)
			other.cycle()
			other.source.gone("eve@example.com", graphsync.Purged)
			other.cycle()
			c.source.person(8, "eve@example.com", "Eve of contoso")
		},
		"the registry lost": func(s *service, _ *customer) { s.restart(s.loseRegistry) },
		"a sync renamed":    func(_ *service, c *customer) { c.sync = "renamed" },
	}
	for scene, happens := range scenes {
		for kind, options := range kinds {
			t.Run(scene+"/"+kind, func(t *testing.T) {
				t.Parallel()
				s := newService(t)
				c := s.customer("contoso")
				c.source.person(1, "ada@example.com", "Ada")
				c.source.person(2, "bob@example.com", "Bob")
				want(t, "the first cycle", c.cycle(), "2 created")
				happens(s, c)
				partial := options.Subject != nil || options.NoRefresh
				before, accounts := c.stored().lasting(partial), s.app().String()
				_, err := c.run(options) // an error is a result too: nothing may have changed
				if diff := cmp.Diff(before, c.stored().lasting(partial)); diff != "" {
					t.Errorf("the dry run changed (-before +after, error %v):\n%s", err, diff)
				}
				want(t, "accounts", s.app().String(), accounts)
			})
		}
	}
}
