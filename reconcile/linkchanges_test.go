package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"entrasync/graphsync"
	"entrasync/reconcile"
	"entrasync/reconcile/links"
	"entrasync/reconcile/plan"
	"entrasync/state"
	"entrasync/target"
)

// hands change the links of a customer, as an administrator does.
type hands struct{ c *customer }

func (c *customer) links() hands { return hands{c} }

// breakLink breaks the link of user n, and returns why not.
func (h hands) breakLink(n int) (err error) {
	h.c.syncing(func(s *reconcile.Syncer) {
		_, err = s.BreakLink(graphsync.User, userID(n), plan.Decision{By: "grace", At: h.c.now})
	})
	return err
}

// setLink chooses the account of user n, and returns why not.
func (h hands) setLink(n int, account string) (err error) {
	h.c.syncing(func(s *reconcile.Syncer) {
		_, _, err = s.SetLink(context.Background(), graphsync.User, userID(n), account, plan.Decision{By: "grace", At: h.c.now})
	})
	return err
}

// pin pins user n.
func (h hands) pin(n int, reason string) {
	h.c.t.Helper()
	h.c.syncing(func(s *reconcile.Syncer) {
		if _, err := reconcile.Pin(s.Tenant, s.Sync, graphsync.User, userID(n), plan.Decision{By: "grace", Reason: reason, At: h.c.now}); err != nil {
			h.c.t.Fatal(err)
		}
	})
}

func (h hands) unpin(n int) {
	h.c.t.Helper()
	h.c.syncing(func(s *reconcile.Syncer) {
		if _, err := reconcile.Unpin(s.Tenant, s.Sync, graphsync.User, userID(n), plan.Decision{By: "grace", At: h.c.now}); err != nil {
			h.c.t.Fatal(err)
		}
	})
}

// accountOf is the id of the account of user n, "" for none.
func (h hands) accountOf(n int) (id string) {
	h.c.stored().tx(func(tx *state.Tx) error {
		link, _, err := tx.Links(h.c.sync).Get(graphsync.User, userID(n))
		id = link.TargetID
		return err
	})
	return id
}

// refused wants a change of a link to be refused for a reason.
func refused(t *testing.T, what string, err error, why string) {
	t.Helper()
	if !errors.Is(err, reconcile.ErrRefused) || !strings.Contains(fmt.Sprint(err), why) {
		t.Errorf("%s: %v, want it refused: %s", what, err, why)
	}
}

// An account is chosen only when it is no one else's: not another user's, another tenant's or another sync's, none
// that was chosen for another user, and none for a user who left.
func TestChosenAccountIsFree(t *testing.T) {
	t.Parallel()
	s := newService(t)
	one, other := s.customer("contoso"), s.customer("fabrikam")
	one.source.hire("Ada", "Bob", "Cleo", "Dan")
	other.source.person(1, "zoe@example.com", "Zoe")
	want(t, "contoso", one.cycle(), "4 created")
	want(t, "fabrikam", other.cycle(), "1 created")
	free := s.app().seed("free@example.com")
	if err := one.links().breakLink(1); err != nil {
		t.Fatal(err)
	}

	refused(t, "another tenant's account", one.links().setLink(1, other.links().accountOf(1)), "of sync people of tenant "+other.id.String())
	refused(t, "another user's account", one.links().setLink(1, one.links().accountOf(2)), "is that of bob@example.com")
	refused(t, "no account", one.links().setLink(1, "4711"), "has no account 4711")
	one.sync, one.peers = "second", []string{"people", "second"}
	if report := mustRun(t, one, reconcile.Options{}); report.Summary.Create > 1 {
		t.Fatalf("%+v", report.Summary)
	}
	account := "" // of user 2 in the first sync
	one.sync = "people"
	account = one.links().accountOf(2)
	one.sync = "second"
	refused(t, "an account of another sync", one.links().setLink(1, account), "two syncs of a tenant cannot keep one account")
	one.sync, one.peers = "people", nil

	one.source.leaveAll("Dan")
	want(t, "Dan leaves", one.must(reconcile.Options{Apply: true}), "1 deactivated, 2 unchanged, held by broken_link: adopt ada@example.com")
	refused(t, "a leaver", one.links().setLink(4, free), "has no right to one")
	before := s.app().String()

	if err := one.links().setLink(1, free); err != nil {
		t.Fatal(err)
	}
	refused(t, "an account chosen for another user", one.links().setLink(3, free), "was chosen for ada@example.com by grace")
	if one.links().accountOf(3) == "" {
		t.Error("a choice that was refused has broken the link")
	}
	want(t, "the application", s.app().String(), before)
	want(t, "the next cycle", one.cycle(), "1 adopted, 3 unchanged")
	want(t, "Ada's account", one.links().accountOf(1), free)
	one.stored().tx(func(tx *state.Tx) error {
		for choice := range links.In(tx, one.sync).Choices() {
			t.Errorf("%s is still chosen", choice.Account)
		}
		return nil
	})
}

// A chosen account that is gone by the time of the cycle is reported. No other one is matched or created.
func TestChosenAccountIsGone(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada")
	free := c.app().seed("free@example.com")
	if err := c.links().setLink(1, free); err != nil {
		t.Fatal(err)
	}
	if err := c.app().Delete(t.Context(), target.Ref{ID: free}); err != nil {
		t.Fatal(err)
	}
	want(t, "the cycle", c.cycle(), "skipped ada@example.com: account_missing")
	if err := c.links().breakLink(1); err != nil { // drops the choice
		t.Fatal(err)
	}
	want(t, "without the choice", c.cycle(), "held by broken_link: adopt ada@example.com")
}

// An account whose link was broken is linked again by an approval, and then like any other.
func TestBrokenLinkApproved(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	account, before := c.links().accountOf(1), c.app().String()
	if err := c.links().breakLink(1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		want(t, "a cycle", c.must(reconcile.Options{Apply: true}), "1 unchanged, held by broken_link: adopt ada@example.com")
	}
	want(t, "a full one", c.must(reconcile.Options{Apply: true, Full: true}), "1 unchanged, held by broken_link: adopt ada@example.com")
	want(t, "the application", c.app().String(), before)
	if err := c.links().breakLink(1); !errors.Is(err, reconcile.ErrNotLinked) {
		t.Errorf("broken twice: %v", err)
	}
	c.stored().decide(approve, "h-1")
	want(t, "after the approval", c.cycle(), "1 adopted, 1 unchanged")
	want(t, "the account", c.links().accountOf(1), account)
	want(t, "from then on", c.cycle(), "2 unchanged")
}

// Another user whom the account matches gets it: it is no longer claimed.
func TestBrokenLinkIsFree(t *testing.T) {
	t.Parallel()
	c := linked(t, nil, "Ada", "Bob")
	account := c.links().accountOf(1)
	if err := c.links().breakLink(1); err != nil {
		t.Fatal(err)
	}
	c.source.rename(1, "ada.new@example.com")
	c.source.person(3, "ada@example.com", "Ada the Second")
	want(t, "the cycle", c.cycle(), "1 created, 1 adopted, 1 unchanged")
	want(t, "the account", c.links().accountOf(3), account)
}

// What happens to a pinned user, whatever is due.
func TestPinned(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change          func(*reconcile.Sync)
		happens         func(c *customer)
		pinned, release string
	}{
		"changes":   {nil, func(c *customer) { c.source.person(1, "ada@example.com", "Ada B") }, "2 unchanged, skipped ada@example.com: pinned", "1 updated, 1 unchanged"},
		"leaves":    {nil, func(c *customer) { c.source.leaveAll("Ada") }, "2 unchanged, skipped ada@example.com: pinned", "1 deactivated, 1 unchanged"},
		"is purged": {nil, func(c *customer) { c.source.gone("ada@example.com", graphsync.Purged) }, "2 unchanged, skipped ada@example.com: pinned", "1 deactivated, 1 unchanged"},
		"is deleted": {func(s *reconcile.Sync) { s.Users.OnRemove.Do = plan.Delete }, func(c *customer) { c.source.leaveAll("Ada") },
			"2 unchanged, skipped ada@example.com: pinned", "1 deleted, 1 unchanged"},
		"has no account any more": {nil, func(c *customer) {
			if err := c.app().Delete(context.Background(), target.Ref{ID: c.links().accountOf(1)}); err != nil {
				c.t.Fatal(err)
			}
		}, "2 unchanged, skipped ada@example.com: pinned", "1 created, 1 unchanged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := linked(t, tt.change, "Ada", "Bob")
			c.links().pin(1, "legal hold")
			tt.happens(c)
			before := c.app().String()
			full := reconcile.Options{Apply: true, Full: name == "has no account any more"}
			want(t, "the plan", c.must(reconcile.Options{Full: full.Full}), tt.pinned)
			for range 3 {
				want(t, "pinned", c.must(full), tt.pinned)
			}
			want(t, "the application", c.app().String(), before)
			c.links().unpin(1)
			want(t, "unpinned", c.cycle(), tt.release)
		})
	}
}

// A user who is pinned while a cycle is carrying out its plan is left alone by what it has not begun.
func TestPinnedDuringACycle(t *testing.T) {
	t.Parallel()
	names := make([]string, 300) // more than one chunk
	for i := range names {
		names[i] = fmt.Sprintf("User%d", i)
	}
	c := linked(t, nil, names...)
	for i, name := range names {
		c.source.person(i+1, strings.ToLower(name)+"@example.com", name+" Changed")
	}
	c.through = func(a *application) target.Adapter {
		return &pinning{application: a, pin: func() {
			tenant, err := c.store.Tenant(c.id)
			if err != nil {
				t.Error(err)
				return
			}
			defer tenant.Close()
			if _, err := reconcile.Pin(tenant, &reconcile.Sync{Name: c.sync, Tenant: c.id}, graphsync.User, userID(len(names)), plan.Decision{By: "grace", At: time.Unix(1, 0)}); err != nil {
				t.Error(err)
			}
		}}
	}
	want(t, "the cycle", c.cycle(), "299 updated")
	c.through = nil
	if name := c.app().accounts[c.links().accountOf(len(names))]["displayName"]; name != "User299" { // the plan is in the order of the ids
		t.Errorf("the account was changed to %v after it was pinned", name)
	}
	want(t, "the next cycle", c.cycle(), "300 unchanged, skipped user299@example.com: pinned")
}

// pinning pins before the first write.
type pinning struct {
	*application
	pin  func()
	done bool
}

func (p *pinning) Update(ctx context.Context, ref target.Ref, attributes []target.Attribute) (*target.Resource, error) {
	if !p.done {
		p.done = true
		p.pin()
	}
	return p.application.Update(ctx, ref, attributes)
}
